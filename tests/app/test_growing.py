"""Whoever follows the log is woken when it has grown; for the hub's own steps nobody hurries."""

import asyncio
from pathlib import Path

import pytest

from events.codec import own_event
from events.order import facts as f
from events.recorded import NewEvent
from service import hub, settings
from service.hub import NEWS, ROWS, Hub
from tests.events.said import new


def own(kind: str) -> NewEvent:
    """A step of the hub's own, or an operator's word."""
    retried = kind == "command.retried"
    fact = f.CommandRetried(command="c") if retried else f.CommandOutcome(command="c")
    return own_event("ym/1", kind, f"c/{kind}", fact, 1)


async def test_what_somebody_said_is_looked_at_at_once_and_own_steps_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows follow everything; what follows from outcomes waits for a moment, in which any news takes it along."""
    monkeypatch.setattr(hub, "SOON", 0.05)
    one = Hub(settings.parse({}, Path()))
    rows, news = one.grown.subscribe(ROWS), one.grown.subscribe(NEWS)

    def woken() -> tuple[bool, bool]:
        both = rows.is_set(), news.is_set()
        rows.clear()
        news.clear()
        return both

    one.grew([own("command.done"), own("command.requested")])
    one.grew([own("command.refused")])
    assert woken() == (True, False)
    async with asyncio.timeout(5):
        await news.wait()
    assert woken() == (False, True)
    await asyncio.sleep(0.1)
    assert woken() == (False, False)
    for said in ([new(1)], [own("command.done"), new(1)], [own("command.retried")], []):
        one.grew(said)
        assert woken() == (True, True)
