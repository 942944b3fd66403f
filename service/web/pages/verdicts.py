"""Who was late with what, as the page says it. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from service.audit import Mark
from service.audit.verdicts import Value, parts, values
from service.web.pages.changed import clock
from service.web.pages.speech import Speech


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A mark's verdict. `tone`: `late`, `met`, or `open` where nobody is late yet; `legs`: whose, how long, since when
    and until when, why."""

    id: str
    stage: str
    step: str | None
    due: datetime | None
    tone: str
    says: str
    legs: list[tuple[str, str, str, str]]


def told(marks: Iterable[Mark], say: Speech) -> list[Told]:
    """Verdicts, in the order things were to be told."""
    return [
        Told(
            id=f"mark-{number}", stage=say.word("stage", mark.stage),
            step=say.word("action", mark.step) if mark.step is not None else None, due=mark.due, tone=_tone(mark),
            says=_says(mark, say), legs=_legs(mark, say),
        )
        for number, mark in enumerate(marks)
    ]  # fmt: skip


def _tone(mark: Mark) -> str:
    if mark.blame is not None:
        return "late"
    return "met" if mark.verdict.startswith("in_time") else "open"


def _says(mark: Mark, say: Speech) -> str:
    named = values(mark)
    if mark.passed is not None and mark.passed.kind == "held":
        named["detail"] = say.word("action", mark.passed.detail)
    shown = {name: _shown(value, say) for name, value in named.items()}
    first, *rest = parts(mark)
    said = [say.text(f"verdict.{first}", **shown), *(say.text(f"verdict_tail.{key}", **shown) for key in rest)]
    return ", ".join(said[:2]) + "".join(f"; {one}" for one in said[2:])


def _legs(mark: Mark, say: Speech) -> list[tuple[str, str, str, str]]:
    found = []
    for leg in mark.legs:
        detail = say.word("action", leg.detail) if leg.kind == "held" else leg.detail
        why = say.text(f"leg.{leg.kind}") + (f": {detail}" if detail else "")
        times = f"{clock(leg.since, say)} – {clock(leg.until, say)}"
        found.append((say.text(f"whose.{leg.who}"), span(timedelta(seconds=leg.seconds), say), times, why))
    return found


def _shown(value: Value, say: Speech) -> str:
    if isinstance(value, timedelta):
        return span(value, say)
    return clock(value, say) if isinstance(value, datetime) else str(value)


def span(gap: timedelta, say: Speech) -> str:
    """A duration; below a minute its seconds."""
    return say.span(gap) or f"{round(gap.total_seconds())}\u00a0{say.text('time.second')}"
