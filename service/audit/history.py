"""An order's history: each event with its cause and what was answered, and the state as of any moment."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from events.codec import decode
from events.log import Log
from events.order import facts as f
from events.order.state import fold
from events.recorded import Recorded
from projections.orders.project import OrderRow, order_row


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
    """An event in its order's history. `because`: type and source of its cause. `answers`: what came of the commands it
    led to, or for a command of the command itself."""

    because: str | None
    answers: list[Answer]


class Replay(msgspec.Struct, frozen=True):
    """An order's history up to a moment, and its state then; no state where there is no history."""

    events: list[HistoryEvent]
    state: OrderRow | None


def event_json(event: Recorded) -> EventJson:
    """An event as the API and the command line give it; `data` as it lies in the log."""
    return EventJson(
        position=event.position, order=event.order, version=event.version, type=event.type, source=event.source,
        id=event.id, cause=event.cause, actor=event.actor, occurred_at=event.occurred_at,
        recorded_at=event.recorded_at, data=msgspec.Raw(event.data),
    )  # fmt: skip


async def replay(
    log: Log, order: str, *, at: datetime | None = None, known_at: datetime | None = None, version: int | None = None
) -> Replay:
    """An order's history with each event's cause and answers, and its state then.

    `at` goes by when things occurred, in that order; `known_at` by when they were recorded; `version` up to that one.
    Given together, all of them hold.
    """
    whole = history = (await log.histories([order]))[order]
    if known_at is not None:
        history = [event for event in history if event.recorded_at <= known_at]
    if version is not None:
        own = [event.position for event in history if event.order == order and event.version <= version]
        last = max(own, default=0)
        history = [event for event in history if event.position <= last]
    if at is not None:
        history = sorted((e for e in history if e.occurred_at <= at), key=lambda e: (e.occurred_at, e.position))
    return Replay(explained(history, whole), order_row(fold(order, history)) if history else None)


def explained(history: Sequence[Recorded], whole: Sequence[Recorded] = ()) -> list[HistoryEvent]:
    """A history's events, each with its cause and what was answered; causes may lie in the `whole` it is a part of."""
    known = {event.position: event for event in (*whole, *history)}
    answers = _answers(history)
    found = []
    for event in history:
        cause = known.get(event.cause) if event.cause is not None else None
        because = None if cause is None else f"{cause.type} from {cause.source}"
        shown = msgspec.structs.asdict(event_json(event))
        found.append(HistoryEvent(**shown, because=because, answers=answers.get(event.position, [])))
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
