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
from service.web.pages.changed import Changed, changed
from service.web.pages.details import details, private
from service.web.pages.speech import Speech

APART = timedelta(minutes=1)
"""From when on it matters that something was recorded later than it occurred."""

NESTED = ("command.requested", *OUTCOMES)

FAILED = ("refused", "given_up")


class Raw(msgspec.Struct, frozen=True):
    """A message or an exchange as it was kept, for those who may see it. `text` None: it is gone."""

    position: int
    text: str | None


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A command and how it stands. `told`: `market` or `onec`. `after`: the command whose answer it follows from;
    `exchanges`: requests and answers."""

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
    after: str | None = None
    changed: Changed = []
    exchanges: list[Raw] = []

    @property
    def failed(self) -> bool:
        """Whether a person may bring it back."""
        return self.state in FAILED


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One fact. `speaker`: `onec`, `market`, `hub` or `operator`; `late`: recorded long after it occurred. `because`:
    the title of the fact it follows from, where that is told too."""

    event: HistoryEvent
    title: str
    speaker: str
    name: str
    late: bool
    details: list[tuple[str, str]]
    changed: Changed
    tellings: list[Telling]
    raw: str
    message: Raw | None
    because: str | None


def entries(
    events: Sequence[HistoryEvent], commands: Iterable[CommandRow], personal: Mapping[int, Any], speech: Speech
) -> list[Entry]:
    """The story, newest first. `commands` adds what the log does not hold: attempts under way and the next try."""
    known = {event.position: event for event in events}
    standing = {command.id: command for command in commands}
    retried = {str(loaded(e).get("command")): e.position for e in events if e.type == "command.retried"}
    told: dict[int, list[Telling]] = {}
    for event in events:
        if (
            event.type == "command.requested"
            and (telling := _telling(event, standing, retried, known, speech)) is not None
        ):
            told.setdefault(_root(event, known), []).append(telling)
    actions = {t.id: t.action for tellings in told.values() for t in tellings}
    shown = [e for e in events if e.type not in NESTED or (e.position in told and e.type == "command.requested")]
    titles = {event.position: _title(event, speech) for event in shown}
    return [_entry(event, told.get(event.position, []), personal, speech, actions, titles) for event in reversed(shown)]


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


def _telling(
    event: HistoryEvent, standing: Mapping[str, CommandRow], retried: Mapping[str, int],
    known: Mapping[int, HistoryEvent], speech: Speech,
) -> Telling | None:  # fmt: skip
    """The command a request asks for. How it stands is the log's to say; the rest is what the work tables know."""
    id = str(loaded(event).get("command", ""))
    answer = next((a for a in event.answers if a.command == id), None)
    if answer is None:
        return None
    row = standing.get(id)
    waits = answer.position is None or retried.get(id, 0) > answer.position
    sending = waits and row is not None and row.state == "sending"
    ends = [known[effect] for effect in event.effects if effect in known and known[effect].type in OUTCOMES]
    return Telling(
        id=id, told="onec" if answer.target == ONEC else "market", target=answer.target, action=answer.action,
        state="sending" if sending else "waiting" if waits else answer.state,
        attempts=row.attempts if row is not None else None,
        next_at=row.next_at if row is not None and waits else None,
        reason=row.reason if row is not None and waits else None,
        code=answer.code, message=answer.message, hint=answer.hint, requested_at=event.recorded_at,
        finished_at=None if waits else answer.at, after=_after(event, known),
        changed=[line for end in ends for line in changed(end.changed, {}, speech)],
        exchanges=[raw for end in ends if (raw := _raw(end)) is not None],
    )  # fmt: skip


def _after(event: HistoryEvent, known: Mapping[int, HistoryEvent]) -> str | None:
    """What was told before, where a command follows from the answer to another one."""
    outcome = known.get(event.cause or 0)
    request = known.get(outcome.cause or 0) if outcome is not None and outcome.type in OUTCOMES else None
    return str(loaded(request).get("action", "")) if request is not None else None


def _raw(event: HistoryEvent) -> Raw | None:
    if isinstance(event.body, str):
        return Raw(event.position, pretty(event.body))
    if isinstance(event.body_base64, str):
        return Raw(event.position, event.body_base64)
    return Raw(event.position, None) if event.body is None else None


def _title(event: HistoryEvent, speech: Speech) -> str:
    told = f"{event.type}.asked" if loaded(event).get("asked") else event.type  # a return is only asked for
    return speech.word("event", told) if speech.knows("event", told) else speech.text("event.unknown", type=event.type)


def _entry(
    event: HistoryEvent,
    tellings: list[Telling],
    personal: Mapping[int, Any],
    speech: Speech,
    actions: Mapping[str, str],
    titles: Mapping[int, str],
) -> Entry:
    kind, name = speaker(event)
    return Entry(
        event=event, title=titles[event.position], because=titles.get(event.cause or 0), message=_raw(event),
        changed=changed(event.changed, loaded(event), speech),
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
