"""Ids of messages to 1C: the same for the same fact for ever, and never given to another one after a restore."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from events.codec import command_id, own_event
from events.order import facts as f
from events.order.reactions import ONEC, requests
from events.recorded import Recorded
from service.onec import outbox
from tests.events.given import OPEN, ORDER, PLACED, PLAN, history, market

CHANGED = market("changed", f.Changed(lines=(f.Line(sku="A", quantity=1),)))


def ids(events: list[Recorded]) -> dict[str, str]:
    """The id of each message a history calls for, by type."""
    found = requests(ORDER, events, 0, PLAN)
    return {r.fact.action: r.fact.command for r in found if r.fact.target == ONEC}


def moved(events: list[Recorded], **by: Any) -> list[Recorded]:
    """The same events recorded at another moment."""
    return [msgspec.structs.replace(e, recorded_at=e.recorded_at + timedelta(**by)) for e in events]


def test_the_same_history_has_the_same_ids() -> None:
    """Whoever asks, and however often."""
    events = history(PLACED, OPEN, CHANGED)
    assert ids(events) == ids(events)
    assert set(ids(events)) == {"order.placed", "order.changed"}


def test_another_fact_at_the_same_place_has_another_id() -> None:
    """After a restore positions are used again: 1C must not take a new message for one it had."""
    before = history(PLACED, OPEN, CHANGED)
    after = moved(before, seconds=1)
    assert ids(after)["order.changed"] != ids(before)["order.changed"]


def test_what_is_said_once_keeps_its_id() -> None:
    """An order that is placed anew after a restore is one that 1C knows, wherever it stands in the log by now."""
    before, after = history(PLACED, OPEN), moved(history(OPEN, PLACED), days=1)
    assert ids(after)["order.placed"] == ids(before)["order.placed"]


def test_ids_of_before_count_as_asked() -> None:
    """What was requested under an id that followed from the position alone is not requested again."""
    events = history(PLACED, OPEN, CHANGED)
    asked = [e for e in events if e.type in ("order.placed", "order.changed")]
    old = [command_id(ORDER, ONEC, e.type, e.position) for e in asked]
    for cause, id in zip(asked, old, strict=True):
        fact = f.CommandRequested(command=id, target=ONEC, action=cause.type)
        events.append(_recorded(events, own_event(ORDER, "command.requested", id, fact, cause.position)))
    assert ids(events) == {}


def _recorded(events: list[Recorded], new: Any) -> Recorded:
    last = events[-1]
    return msgspec.structs.replace(
        last, position=last.position + 1, version=last.version + 1, type=new.type, source=new.source, id=new.id,
        cause=new.cause, actor=new.actor, data=new.data,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("position", "restores", "expected"),
    [(9, [], 4), (9, [(9, 2)], 4), (10, [(9, 2)], 1_000_004), (30, [(9, 2), (20, 5)], 4_000_004)],
)
def test_versions_never_fall(position: int, restores: list[tuple[int, int]], expected: int) -> None:
    """What was recorded after a restore has a higher version than anything told before it."""
    request = msgspec.structs.replace(history(PLACED)[0], position=position, version=4)
    assert outbox.version(request, restores) == expected
