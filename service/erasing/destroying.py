"""Destroys an order's personal data for good, and records that it did.

    look ─▶ lock the head ─▶ count ─▶ append order.erased ─▶ okno.erase ─▶ commit

From the lock to the commit it is one transaction, and whoever writes to the log takes that lock first: what was
recorded before is destroyed, what comes later is recorded without personal data and raw body (append_batch). If the
process dies before the commit, nothing happened; after it, all of it did, and asking again makes the same act anew.

`rejected` is looked through before the lock, since that takes its time, and once more behind it for what came since.
"""

from collections.abc import Collection, Sequence

import structlog

from events.codec import own_event
from events.log import Connection, Log, waits
from events.order import facts as f
from service.database import Pool
from service.erasing import holdings, traces
from service.erasing.holdings import Holdings, Looked, Trace
from service.operators import NothingToDo

logger = structlog.get_logger()

MAX_REASON = 500

# Destroys; see events/sql/0006_erased.sql.
ERASE = "SELECT bodies, personal, rejected FROM okno.erase($1, $2, $3)"

# Rejected messages that are still there, whole.
STILL_THERE = """
SELECT id, received_at, via, reason, detail FROM okno.rejected WHERE id = ANY($1) AND reason <> 'erased'
ORDER BY received_at, id
"""


class BadReason(ValueError):
    """The reason can't stand in the log for ever."""


@waits
async def erase(
    log: Log, pool: Pool, looked: Looked, reason: str, actor: str, *, also: Collection[str] = (),
    spare: Collection[str] = (),
) -> int | None:  # fmt: skip
    """Destroys what is held of an order and returns the position of the fact; None where there is nothing.

    `also`: rejected messages that belong to it though nothing in them says so; `spare`: that only seem to belong to it.
    """
    checked(reason, looked)
    while True:
        async with log.locked() as (connection, head):
            found = await _under_lock(connection, looked, also, spare)
            if found is not None:
                return None if found.nothing else await _destroy(log, connection, looked, found, reason, actor, head)
        looked = await holdings.look(log, pool, looked.order, looked.channels)  # a document was linked to it just now


def checked(reason: str, looked: Looked) -> None:
    """Refuses a reason that says nothing, or who the buyer is."""
    if not reason.strip() or len(reason) > MAX_REASON:
        raise BadReason(f"a reason is needed, of {MAX_REASON} characters at most: it stays in the log for ever")
    if traces.names_person(reason, looked.personal):
        raise BadReason("the reason names the buyer, and it stays in the log for ever: say it without name and phone")


def rejected_of(looked: Looked, also: Collection[str], spare: Collection[str]) -> list[str]:
    """Ids of the rejected messages that go with the order."""
    return list(dict.fromkeys([*(t.id for t in looked.holdings.rejected if t.id not in spare), *also]))


async def _under_lock(
    connection: Connection, looked: Looked, also: Collection[str], spare: Collection[str]
) -> Holdings | None:
    """What is held now that nobody else writes; None where the order has other keys by now."""
    if await holdings.keys_of(connection, looked.order) != looked.keys:
        return None
    late = [trace.id for trace in await holdings.traces_since(connection, looked) if trace.id not in spare]
    wanted = {*rejected_of(looked, also, spare), *late}
    rows = await connection.fetch(STILL_THERE, list(wanted))
    if missing := [id for id in also if id not in {row["id"] for row in rows}]:
        raise NothingToDo(f"there is no rejected message {missing[0]}: `GET /v1/rejected` lists them")
    personal = await holdings.personal_of(connection, looked.keys)
    return await holdings.held(connection, looked.keys, personal, [Trace(**row) for row in rows])


async def _destroy(
    log: Log, connection: Connection, looked: Looked, found: Holdings, reason: str, actor: str, head: int
) -> int:
    fact = f.Erased(
        reason=reason.strip(), bodies=found.bodies, personal=found.personal, rejected=len(found.rejected),
        categories=found.categories,
    )  # fmt: skip
    id = f"{looked.order}/erased/{head}"
    (appended,) = await log.append_in(
        connection, [own_event(looked.order, "order.erased", id, fact, None, actor=actor)]
    )
    row = await connection.fetchrow(ERASE, looked.keys, appended.position, _ids(found.rejected))
    assert row is not None
    if tuple(row) != (fact.bodies, fact.personal, fact.rejected):  # rolled back: the fact would not be true
        raise RuntimeError(f"{looked.order}: counted {fact.bodies, fact.personal, fact.rejected}, destroyed {row!r}")
    logger.info("erased", order=looked.order, position=appended.position, actor=actor)
    return appended.position


def _ids(found: Sequence[Trace]) -> list[str]:
    return [trace.id for trace in found]
