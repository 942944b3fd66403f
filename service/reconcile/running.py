"""One reconciliation: 1C's documents, batch by batch, against the log, and then the log against what was listed.

It reads only. Memory holds a batch, and the key of every order that 1C listed (some 100 bytes each): those are what
the hub's orders are held against at the end. The log is read by position, never a projection.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from events.log import RECORDED_BEFORE, Log, waits
from events.order.reactions import ONEC
from events.order.state import OrderState, fold
from service.database import Pool
from service.onec import snapshots
from service.onec.cloudevents import NAMELESS, Message, Unreadable
from service.onec.reading import read
from service.reconcile.compared import TELL, Claim, Difference, compare, sayable
from service.settings import Settings
from service.understanding import understand

BATCH = 500
POSITIONS = 100_000
"""Positions of the log that are looked through at a time."""

NOT_OURS = frozenset({"no_order", "unknown_channel", "not_an_order"})
"""Reasons for which a document is one of 1C's other ones."""

# Orders that 1C's documents are linked to.
LINKED = "SELECT document_id, order_key FROM okno.documents WHERE document_id = ANY($1)"

# Orders that were placed within a span of the log.
PLACED = """
SELECT DISTINCT e.order_key FROM okno.events e
WHERE e.position > $1 AND e.position <= $2 AND e.type = 'order.placed' ORDER BY e.order_key
"""


class Scope(msgspec.Struct, frozen=True):
    """What is reconciled: with which base of 1C's, in which channels, orders since when and until when.

    `source` as `1c/ut11`, empty where the messages say it. `since`, `until` None: what the documents' dates span.
    """

    source: str
    channels: frozenset[str]
    since: datetime | None = None
    until: datetime | None = None


class Found(msgspec.Struct, frozen=True):
    """A difference, and the message that mends it, where 1C's document does."""

    difference: Difference
    message: Message | None = None


class Faulty(msgspec.Struct, frozen=True):
    """A message that nobody can read, counted from 1."""

    number: int
    reason: str
    detail: str


@dataclass
class Summary:
    """Sums. `elsewhere`: documents of no order of ours. `changes`: messages that say what happened, not how it is.

    `since`, `until`: of the orders that were looked for there; None where nothing told how far the list reaches.
    """

    documents: int = 0
    orders: int = 0
    elsewhere: int = 0
    changes: int = 0
    unreadable: int = 0
    differing: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    since: datetime | None = None
    until: datetime | None = None


class Reconciling:
    """One run; `summary` is whole once `all` has ended."""

    def __init__(self, pool: Pool, log: Log, settings: Settings, scope: Scope) -> None:
        self._pool, self._log, self._settings, self._scope = pool, log, settings, scope
        self._seen = set[str]()
        self._first: datetime | None = None
        self._last: datetime | None = None
        self.summary = Summary()

    async def all(self, bodies: AsyncIterator[bytes]) -> AsyncIterator[Found | Faulty]:
        """Everything that differs, as it is found."""
        claims: list[Claim] = []
        async for body in bodies:
            for one in self._claims(body):
                if isinstance(one, Faulty):
                    yield one
                else:
                    claims.append(one)
            if len(claims) >= BATCH:
                for found in await self._compared(claims):
                    yield found
                claims = []
        for found in await self._compared(claims):
            yield found
        async for missing in self._missing_there():
            yield missing

    def _claims(self, body: bytes) -> Iterable[Claim | Faulty]:
        """What a message claims of orders of ours."""
        summary, source = self.summary, self._scope.source
        for message in read(body, {"source": source} if source else {}, self._settings):
            summary.documents += 1
            try:
                order = understand(message, self._settings).order
                assert isinstance(message, Message)
                if snapshots.is_snapshot(message):
                    yield Claim(order, message, snapshots.understood(message, self._settings))
                else:
                    summary.changes += 1
            except Unreadable as error:
                if error.reason in NOT_OURS:
                    summary.elsewhere += 1
                else:
                    summary.unreadable += 1
                    yield Faulty(summary.documents, error.reason, error.detail)

    async def _compared(self, claims: Sequence[Claim]) -> list[Found]:
        orders: dict[str, list[Claim]] = {}
        links = await self._links([claim.order for claim in claims])
        for claim in claims:
            order = links.get(claim.order, claim.order)
            if order.startswith(f"{NAMELESS}/"):  # a document of no order, as far as anybody knows
                self.summary.elsewhere += 1
            elif self._within(claim):
                orders.setdefault(order, []).append(claim)
            self._seen.add(order)
        histories = await self._log.histories(orders)
        found: list[Found] = []
        for order, own in orders.items():
            state = fold(order, histories[order])
            self.summary.orders += 1
            found += self._counted(f for claim in own for f in self._differing(state, claim))
        return found

    def _differing(self, state: OrderState, claim: Claim) -> Iterable[Found]:
        if state.position == 0 and not _says_whose(claim):
            self.summary.elsewhere += 1
            return []
        stages = sayable(claim.message.source, self._settings)
        return [Found(one, claim.message) for one in compare(state, claim, stages)]

    def _counted(self, found: Iterable[Found]) -> list[Found]:
        """Each difference once, though several documents of an order may say it."""
        once = {one.difference: one for one in found}
        self.summary.differing += bool(once)
        self.summary.kinds.update(difference.kind for difference in once)
        return list(once.values())

    def _within(self, claim: Claim) -> bool:
        """Whether a document is of the time asked about; what dates the list spans is noted."""
        fact, since = claim.sent.fact, self._scope.since
        date = fact.document.date if fact.document is not None else None
        if date is None or fact.kind != "order":
            return True
        if since is not None and date < since:
            return False
        self._first = min(self._first or date, date)
        self._last = max(self._last or date, date)
        return True

    @waits
    async def _links(self, keys: Sequence[str]) -> dict[str, str]:
        documents = [key.partition("/")[2] for key in keys if key.startswith(f"{NAMELESS}/")]
        rows = await self._pool.fetch(LINKED, documents) if documents else []
        return {f"{NAMELESS}/{row['document_id']}": row["order_key"] for row in rows}

    async def _missing_there(self) -> AsyncIterator[Found]:
        """Orders that 1C was to make, and does not list."""
        since, until = self._scope.since or self._first, self._scope.until or self._last
        if since is None or until is None:
            return
        self.summary.since, self.summary.until = since, until
        begin, head = await self._before(since), (await self._log.head()).position
        for after in range(begin, head, POSITIONS):
            placed = await self._placed(after, min(after + POSITIONS, head))
            for first in range(0, len(placed), BATCH):
                histories = await self._log.histories(placed[first : first + BATCH])
                for order, history in histories.items():
                    state = fold(order, history)
                    if state.placed_at is not None and since <= state.placed_at <= until and state.cancelled is None:
                        for found in self._counted([Found(_missing(state, self._scope.source))]):
                            yield found

    @waits
    async def _before(self, since: datetime) -> int:
        position: int = await self._pool.fetchval(RECORDED_BEFORE, since)
        return position

    @waits
    async def _placed(self, after: int, until: int) -> list[str]:
        """Orders placed there that were not listed, in the channels asked about; each once."""
        rows = await self._pool.fetch(PLACED, after, until)
        keys = [row["order_key"] for row in rows]
        found = [key for key in keys if key not in self._seen and key.partition("/")[0] in self._scope.channels]
        self._seen.update(found)
        return found


def _says_whose(claim: Claim) -> bool:
    """Whether a document of an order nobody heard of says that it is ours.

    In CommerceML a number alone is taken for one of the base's only channel; the shop's own orders have numbers, too.
    """
    body = claim.message.body
    return not body.lstrip().startswith(b"<") or claim.order.encode() in body


def _missing(state: OrderState, source: str) -> Difference:
    told = [c for c in state.commands.values() if c.target == ONEC and c.action == "order.placed"]
    done = next((c for c in told if c.state == "done"), None)
    how = "not told yet" if told else "imported, told nobody"
    if done is not None and done.finished_at is not None:
        how = f"told {done.finished_at:%Y-%m-%d %H:%M}Z"
    return Difference(
        order=state.order, kind="missing_there", hub=f"{state.stage}; {how}", source=source or None,
        fix=TELL if done is not None else None,
    )  # fmt: skip
