"""An order's history as a story: an entry for each fact, beneath it what was told because of it and what was answered.

A command stands beneath the fact it follows from. Where that is itself a command's outcome (1C is told that the
marketplace took something), it stands beneath the fact at the root. An operator's retry is an entry of its own. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from events.order.facts import HUB, OUTCOMES, from_onec
from events.order.reactions import ONEC
from projections.commands.queries import CommandRow
from service.audit import HistoryEvent
from service.web.pages.details import details, private
from service.web.pages.speech import Speech

APART = timedelta(minutes=1)
"""From when on it matters that something was recorded later than it occurred."""

NESTED = ("command.requested", *OUTCOMES)

FAILED = ("refused", "given_up")


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A command and how it stands. `told`: `market` or `onec`."""

    id: str
    told: str
    target: str
    action: str
    state: str
    attempts: int | None
    next_at: datetime | None
    reason: str | None
    code: str | None
    message: str | None
    hint: str | None
    requested_at: datetime
    finished_at: datetime | None

    @property
    def failed(self) -> bool:
        """Whether a person may bring it back."""
        return self.state in FAILED


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One fact. `speaker`: `onec`, `market`, `hub` or `operator`; `late`: recorded long after it occurred."""

    event: HistoryEvent
    title: str
    speaker: str
    name: str
    late: bool
    details: list[tuple[str, str]]
    tellings: list[Telling]
    raw: str


def entries(
    events: Sequence[HistoryEvent], commands: Iterable[CommandRow], personal: Mapping[int, Any], speech: Speech
) -> list[Entry]:
    """The story, newest first. `commands` adds what the log does not hold: attempts under way and the next try."""
    known = {event.position: event for event in events}
    standing = {command.id: command for command in commands}
    retried = {str(loaded(e).get("command")): e.position for e in events if e.type == "command.retried"}
    told: dict[int, list[Telling]] = {}
    for event in events:
        if event.type == "command.requested" and (telling := _telling(event, standing, retried)) is not None:
            told.setdefault(_root(event, known), []).append(telling)
    actions = {t.id: t.action for tellings in told.values() for t in tellings}
    shown = [e for e in events if e.type not in NESTED or (e.position in told and e.type == "command.requested")]
    return [_entry(event, told.get(event.position, []), personal, speech, actions) for event in reversed(shown)]


def speaker(event: HistoryEvent) -> tuple[str, str]:
    """Who said it: the kind of speaker, and which one where there are several."""
    if event.source == HUB:
        return ("hub", "") if event.actor == HUB else ("operator", event.actor.rpartition("/")[2])
    if from_onec(event.source):
        return "onec", event.source.removeprefix("1c/")
    return "market", event.source.removeprefix("channel/")


def _root(event: HistoryEvent, known: Mapping[int, HistoryEvent]) -> int:
    """The fact a command follows from, however many commands lie between; itself where that is not known."""
    at = event
    while at.cause is not None and at.cause < at.position and at.cause in known:
        at = known[at.cause]
        if at.type not in NESTED:
            return at.position
    return event.position


def _telling(event: HistoryEvent, standing: Mapping[str, CommandRow], retried: Mapping[str, int]) -> Telling | None:
    """The command a request asks for. How it stands is the log's to say; the rest is what the work tables know."""
    id = str(loaded(event).get("command", ""))
    answer = next((a for a in event.answers if a.command == id), None)
    if answer is None:
        return None
    row = standing.get(id)
    waits = answer.position is None or retried.get(id, 0) > answer.position
    sending = waits and row is not None and row.state == "sending"
    return Telling(
        id=id, told="onec" if answer.target == ONEC else "market", target=answer.target, action=answer.action,
        state="sending" if sending else "waiting" if waits else answer.state,
        attempts=row.attempts if row is not None else None,
        next_at=row.next_at if row is not None and waits else None,
        reason=row.reason if row is not None and waits else None,
        code=answer.code, message=answer.message, hint=answer.hint, requested_at=event.recorded_at,
        finished_at=None if waits else answer.at,
    )  # fmt: skip


def _entry(
    event: HistoryEvent,
    tellings: list[Telling],
    personal: Mapping[int, Any],
    speech: Speech,
    actions: Mapping[str, str],
) -> Entry:
    kind, name = speaker(event)
    told = f"{event.type}.asked" if loaded(event).get("asked") else event.type  # a return is only asked for
    known = speech.knows("event", told)
    return Entry(
        event=event,
        title=speech.word("event", told) if known else speech.text("event.unknown", type=event.type),
        speaker=kind, name=name, late=abs(event.recorded_at - event.occurred_at) > APART,
        details=[*details(loaded(event), speech, actions), *private(personal.get(event.position), speech)],
        tellings=tellings, raw=pretty(bytes(event.data)),
    )  # fmt: skip


def loaded(event: HistoryEvent) -> dict[str, Any]:
    """An event's data; nothing where it is no object."""
    try:
        found = msgspec.json.decode(event.data)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def pretty(raw: bytes | str) -> str:
    """JSON indented for reading; anything else as it is."""
    try:
        return msgspec.json.format(raw if isinstance(raw, str) else raw.decode(), indent=2)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw if isinstance(raw, str) else raw.decode(errors="replace")
