"""The audit: what happened to an order, what was known when, and whether the log is whole. Reads the log, and only it.

`verify` reads by position in batches. Each row: the next position, its hash recomputed from what it holds; each link of
the seals: begins where the last one ended, its seal recomputed; in the end the head holds the last seal, and nothing
lies behind it. Where the key of body hashes is given and its mark matches, raw bodies that are not erased are hashed
anew. Someone who recomputed the whole chain is found only by a seal kept outside.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from events import seal
from events.codec import decode
from events.log import PROOF, Log
from events.order import facts as f
from events.order.state import fold
from events.recorded import Recorded
from projections.orders.project import OrderRow, order_row
from service.database import Pool

BATCH = 5000
"""Events proved at a time."""

# What the log says of itself, all at one moment.
ENDS = """
SELECT h.position, h.seal, (SELECT max(e.position) FROM okno.events e) AS last_event,
       (SELECT max(s.last_position) FROM okno.seals s) AS last_seal
FROM okno.head h WHERE h.log_id = 0
"""

# The links of the chain that end in a part of the log.
SEALS = """
SELECT first_position, last_position, seal FROM okno.seals
WHERE last_position > $1 AND last_position <= $2 ORDER BY last_position
"""

# Raw bodies of a part of the log; erased ones are not there.
BODIES = "SELECT position, body FROM okno.bodies WHERE position > $1 AND position <= $2"


class Verdict(msgspec.Struct, frozen=True):
    """What was proved. `seal` in hex is the one to keep outside; at a fault it is the last one that held."""

    whole: bool
    events: int
    seal: str
    position: int | None = None
    fault: str | None = None


class _Fault(Exception):  # a finding, not an error of ours
    def __init__(self, position: int, what: str) -> None:
        super().__init__(what)
        self.position = position


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

    `at` goes by when things occurred, `known_at` by when they were recorded, `version` up to that one.
    """
    history = (await log.histories([order]))[order]
    if at is not None:
        history = [event for event in history if event.occurred_at <= at]
    if known_at is not None:
        history = [event for event in history if event.recorded_at <= known_at]
    if version is not None:
        own = [event.position for event in history if event.order == order and event.version <= version]
        last = max(own, default=0)
        history = [event for event in history if event.position <= last]
    return Replay(explained(history), order_row(fold(order, history)) if history else None)


def explained(history: list[Recorded]) -> list[HistoryEvent]:
    """A history's events, each with its cause and what was answered."""
    known = {event.position: event for event in history}
    answers = _answers(history)
    found = []
    for event in history:
        cause = known.get(event.cause) if event.cause is not None else None
        because = None if cause is None else f"{cause.type} from {cause.source}"
        shown = msgspec.structs.asdict(event_json(event))
        found.append(HistoryEvent(**shown, because=because, answers=answers.get(event.position, [])))
    return found


def _answers(history: list[Recorded]) -> dict[int, list[Answer]]:
    """Outcomes by the position of the command's request and of the fact it was requested because of."""
    latest: dict[str, tuple[Recorded, f.CommandOutcome]] = {}
    for event in history:
        fact = decode(event) if event.type in f.OUTCOMES else None
        if isinstance(fact, f.CommandOutcome) and not _was_done(latest.get(fact.command)):
            latest[fact.command] = (event, fact)
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


async def verify(pool: Pool, progress: Callable[[int, int], None], body_key: bytes | None = None) -> Verdict:
    """Proves the log from its first event to its head, or says where the first fault is."""
    ends = await pool.fetchrow(ENDS)
    if ends is None:
        return Verdict(False, 0, seal.GENESIS.hex(), 0, "the head row is missing")
    chain = _Chain(body_key)
    try:
        while chain.position < ends["position"]:
            rows = await pool.fetch(PROOF, chain.position, min(BATCH, ends["position"] - chain.position))
            if not rows:
                break
            bodies = {}
            if body_key is not None:
                found = await pool.fetch(BODIES, chain.position, rows[-1]["position"])
                bodies = {row["position"]: row["body"] for row in found}
            for row in rows:
                chain.add(row, bodies.get(row["position"]))
            for link in await pool.fetch(SEALS, chain.sealed, chain.position):
                chain.close(link["first_position"], link["last_position"], link["seal"])
            progress(chain.position, ends["position"])
        chain.end(ends)
    except _Fault as fault:
        return Verdict(False, chain.position, chain.seal.hex(), fault.position, str(fault))
    return Verdict(True, chain.position, chain.seal.hex())


class _Chain:
    """The chain so far: read up to `position`, sealed up to `sealed`."""

    def __init__(self, body_key: bytes | None) -> None:
        self.position, self.sealed, self.seal = 0, 0, seal.GENESIS
        self._hashes: list[bytes] = []
        self._body_key = body_key
        self._mark = b"" if body_key is None else seal.body_hash(body_key, b"")[:4]

    def add(self, row: Any, body: bytes | None) -> None:
        """Proves one row."""
        position = row["position"]
        if position != self.position + 1:
            raise _Fault(self.position + 1, f"missing: the next event is at {position}")
        content = seal.content_hash(row["source"], row["id"], row["actor"], row["cause"], row["data"], row["body_hash"])
        made = seal.row_hash(
            position, row["order_key"], row["version"], row["type"], row["occurred_at"], row["recorded_at"],
            row["id_reused"], content,
        )  # fmt: skip
        if made != row["hash"]:
            raise _Fault(position, "altered: the row's hash is not that of what it holds")
        if body is not None and self._body_key is not None:
            told = row["body_hash"] or b""
            if not told or (told[:4] == self._mark and told != seal.body_hash(self._body_key, body)):
                raise _Fault(position, "the raw body is not the one that was received")
        self.position = position
        self._hashes.append(made)

    def close(self, first: int, last: int, told: bytes) -> None:
        """Proves one link."""
        if first != self.sealed + 1:
            raise _Fault(self.sealed + 1, f"not sealed: the next seal begins at {first}")
        count = last - first + 1
        hashes, self._hashes = self._hashes[:count], self._hashes[count:]
        made = seal.next_seal(self.seal, first, last, hashes)
        if made != told:
            raise _Fault(first, f"altered: the seal over {first} to {last} is not that of the rows before and in it")
        self.seal, self.sealed = made, last

    def end(self, ends: Any) -> None:
        """Proves that the chain ends where the head says."""
        if self.position < ends["position"]:
            raise _Fault(self.position + 1, f"missing, with all up to the head at {ends['position']}")
        if self.sealed != self.position:
            raise _Fault(self.sealed + 1, "not sealed, though the log goes on")
        if self.seal != ends["seal"]:
            raise _Fault(self.position, "the head holds another seal than the last one")
        behind = max(ends["last_event"] or 0, ends["last_seal"] or 0)
        if behind > self.position:
            raise _Fault(self.position + 1, f"something lies behind the head, up to {behind}")
