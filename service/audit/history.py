"""An order's history: each event with its cause, its effects, what it changed and what was answered; the state as of
any moment; and who was late with what was to be told."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from events.codec import decode
from events.log import Log, Story
from events.order import facts as f
from events.order.state import fold
from events.recorded import Recorded
from projections.orders.project import OrderRow, order_row
from service.audit.around import Around, around
from service.audit.changes import Change, changes
from service.audit.verdicts import Mark, marks
from service.database import Pool


class EventJson(msgspec.Struct, frozen=True, kw_only=True):
    """One event as the API and the command line give it."""

    position: int
    order: str
    version: int
    type: str
    source: str
    id: str
    cause: int | None
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    data: msgspec.Raw


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a command; `position` and `at` are null while nothing has."""

    command: str
    target: str
    action: str
    state: str
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    position: int | None = None
    at: datetime | None = None


class HistoryEvent(EventJson, frozen=True, kw_only=True):
    """An event in its order's history.

    `because`: type and source of its cause; `effects`: positions of what follows from it directly. `answers`: what came
    of the commands it led to, or for a command of the command itself. `changed`: what is other in the order's state
    after it. `body`: the message as received, an exchange with a marketplace for an outcome; only where it was asked
    for and there was one; null where it is gone. In `body_base64` where it is no UTF-8.
    """

    because: str | None
    effects: list[int] = []
    answers: list[Answer]
    changed: list[Change] = []
    body: str | msgspec.UnsetType | None = msgspec.UNSET
    body_base64: str | msgspec.UnsetType = msgspec.UNSET


class Erasure(msgspec.Struct, frozen=True):
    """When an order's personal data and raw messages were destroyed, by whom and why."""

    position: int
    at: datetime
    by: str
    reason: str


class Replay(msgspec.Struct, frozen=True):
    """An order's history up to a moment, and its state then; no state where there is no history. `marks`: what was to
    be told to the marketplace, and who was late with it. `personal`: what came with these events, by position; only
    where it was asked for."""

    events: list[HistoryEvent]
    state: OrderRow | None
    marks: list[Mark] = []
    erased: Erasure | None = None
    order: str = ""
    personal: dict[int, Any] | msgspec.UnsetType = msgspec.UNSET


def event_json(event: Recorded) -> EventJson:
    """An event as the API and the command line give it; `data` as it lies in the log."""
    return EventJson(
        position=event.position, order=event.order, version=event.version, type=event.type, source=event.source,
        id=event.id, cause=event.cause, actor=event.actor, occurred_at=event.occurred_at,
        recorded_at=event.recorded_at, data=msgspec.Raw(event.data),
    )  # fmt: skip


async def replay(
    log: Log, order: str, *, at: datetime | None = None, known_at: datetime | None = None, version: int | None = None,
    raw: bool = False, personal: bool = False, pool: "Pool | None" = None,
) -> Replay:  # fmt: skip
    """An order's history and its state then; a document of 1C's (`1c/DOCUMENT`) stands for the order it is linked to.

    `at` goes by when things occurred, in that order; `known_at` by when they were recorded; `version` up to that one.
    Given together, all of them hold. `raw`: with the bodies, `personal`: with personal data. `pool`: for what is noted
    beside the log of who was at work; without it nothing is said of that.
    """
    order = await log.order_of(order)
    story = (await log.stories([order]))[order] if personal else Story((await log.histories([order]))[order], {})
    whole = story.events
    history = _known(order, whole, known_at, version)
    if at is not None:
        history = sorted((e for e in history if e.occurred_at <= at), key=lambda e: (e.occurred_at, e.position))
    if not history:
        return Replay([], None, order=order)
    now = _now(history, at, known_at, version)
    beside = Around()
    if pool is not None:
        since = min(event.occurred_at for event in history)
        beside = await around(pool, order, since, now, trying=at is None and known_at is None and version is None)
    bodies = await log.bodies(order) if raw else {}
    return Replay(
        explained(history, whole, order, bodies), order_row(fold(order, history)), marks(order, history, beside, now),
        _erasure(whole), order, _said(story, history) if personal else msgspec.UNSET,
    )  # fmt: skip


def _said(story: Story, history: Sequence[Recorded]) -> dict[int, Any]:
    """Personal data that came with some of a story's events: what came later was not known then."""
    return {e.position: story.personal[e.position] for e in history if e.position in story.personal}


def _known(order: str, whole: Sequence[Recorded], known_at: datetime | None, version: int | None) -> list[Recorded]:
    history = [event for event in whole if known_at is None or event.recorded_at <= known_at]
    if version is None:
        return history
    own = [event.position for event in history if event.order == order and event.version <= version]
    return [event for event in history if event.position <= max(own, default=0)]


def _now(history: Sequence[Recorded], at: datetime | None, known_at: datetime | None, version: int | None) -> datetime:
    """The moment a report is as of: no later than the present."""
    asked = [moment for moment in (at, known_at) if moment is not None]
    if version is not None:
        asked.append(max(event.recorded_at for event in history))
    return min((*asked, datetime.now(UTC)))


def _erasure(whole: Sequence[Recorded]) -> Erasure | None:
    """The last one, whatever moment is asked about: what it destroyed is gone from all of the history."""
    for event in reversed(whole):
        if isinstance(fact := decode(event) if event.type == "order.erased" else None, f.Erased):
            return Erasure(event.position, event.recorded_at, event.actor, fact.reason)
    return None


def explained(
    history: Sequence[Recorded], whole: Sequence[Recorded] = (), order: str | None = None,
    bodies: Mapping[int, bytes | None] | None = None,
) -> list[HistoryEvent]:  # fmt: skip
    """A history's events, each with its cause and what followed; causes may lie in the `whole` it is a part of."""
    known = {event.position: event for event in (*whole, *history)}
    answers, effects = _answers(history), _effects(history)
    changed = changes(order or (history[0].order if history else ""), history)
    found = []
    for event, change in zip(history, changed, strict=True):
        cause = known.get(event.cause) if event.cause is not None else None
        because = None if cause is None else f"{cause.type} from {cause.source}"
        shown = msgspec.structs.asdict(event_json(event)) | _body(event.position, bodies or {})
        found.append(HistoryEvent(
            **shown, because=because, effects=effects.get(event.position, []),
            answers=answers.get(event.position, []), changed=change,
        ))  # fmt: skip
    return found


def _body(position: int, bodies: Mapping[int, bytes | None]) -> dict[str, str | None]:
    if position not in bodies:
        return {}
    body = bodies[position]
    if body is None:
        return {"body": None}
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": b64encode(body).decode()}


def _effects(history: Sequence[Recorded]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for event in sorted(history, key=lambda event: event.position):
        if event.cause is not None:
            found.setdefault(event.cause, []).append(event.position)
    return found


def _answers(history: Sequence[Recorded]) -> dict[int, list[Answer]]:
    """Outcomes by the position of the command's request and of the fact it was requested because of."""
    latest: dict[str, tuple[Recorded, f.CommandOutcome]] = {}
    for event in history:
        fact = decode(event) if event.type in f.OUTCOMES or event.type == "command.retried" else None
        if isinstance(fact, f.CommandOutcome) and not _was_done(latest.get(fact.command)):
            latest[fact.command] = (event, fact)
        elif isinstance(fact, f.CommandRetried) and not _was_done(latest.get(fact.command)):
            latest.pop(fact.command, None)  # it waits again
    answers: dict[int, list[Answer]] = {}
    for event in history:
        fact = decode(event) if event.type == "command.requested" else None
        if isinstance(fact, f.CommandRequested):
            answer = _answer(fact, latest.get(fact.command))
            for position in (event.position, event.cause):
                if position is not None:
                    answers.setdefault(position, []).append(answer)
    return answers


def _was_done(known: tuple[Recorded, f.CommandOutcome] | None) -> bool:
    return known is not None and known[0].type == "command.done"


def _answer(request: f.CommandRequested, outcome: tuple[Recorded, f.CommandOutcome] | None) -> Answer:
    command, target, action = request.command, request.target, request.action
    if outcome is None:
        return Answer(command=command, target=target, action=action, state="waiting")
    event, fact = outcome
    return Answer(
        command=command, target=target, action=action, state=f.OUTCOMES[event.type], code=fact.code,
        message=fact.message, hint=fact.hint, position=event.position, at=event.recorded_at,
    )  # fmt: skip
