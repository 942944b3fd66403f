"""One append: what becomes of each event of a batch, and that all of it is written or nothing."""

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from events import codec
from events.log import Log, is_transient
from events.order import facts as f
from events.order.state import fold
from events.recorded import Appended
from service.database import Pool
from tests.events.said import AT, new, personal, rejected


async def test_positions_and_versions_start_at_one(log: Log) -> None:
    """Positions count over the log, versions over each order."""
    batch = [new(1), new(2, order="shop/2"), new(3)]
    assert await log.append(batch) == [
        Appended("appended", 1, 1), Appended("appended", 2, 1), Appended("appended", 3, 2),
    ]  # fmt: skip
    assert [(e.position, e.order, e.version, e.id) for e in await log.read(0)] == [
        (1, "shop/1", 1, "1"), (2, "shop/2", 1, "2"), (3, "shop/1", 2, "3"),
    ]  # fmt: skip
    assert (await log.head()).position == 3


async def test_what_goes_in_comes_out(log: Log) -> None:
    """Every field of an event is read as it was written; without a time of its own it occurred when it was recorded."""
    fact = f.Shipped(track="РФ-7", to="Самара")
    await log.append([new(1, fact=fact, cause=7, actor="olga"), new(2, occurred_at=None)])
    one, other = await log.read(0)
    assert (one.type, one.source, one.cause, one.actor, one.id_reused) == ("order.shipped", "1c/ut", 7, "olga", False)
    assert (one.occurred_at, codec.decode(one)) == (AT, fact)
    assert other.occurred_at == other.recorded_at == one.recorded_at


async def test_the_same_message_is_recorded_once_for_ever(log: Log) -> None:
    """A duplicate, in the same batch or a later one, gets the first one's position and version and writes nothing."""
    await log.append([new(0, order="shop/0"), new(1)])
    assert await log.append([new(1), new(2), new(2), new(1)]) == [
        Appended("duplicate", 2, 1), Appended("appended", 3, 2),
        Appended("duplicate", 3, 2), Appended("duplicate", 2, 1),
    ]  # fmt: skip
    assert await log.append([new(2)]) == [Appended("duplicate", 3, 2)]
    assert (await log.head()).position == 3


async def test_an_id_used_again_for_something_else_is_a_new_event(log: Log) -> None:
    """Equal id, other content: recorded, and attention called to it; in one batch or later, for one or two orders."""
    await log.append([new(1), new(1, said={"track": "T"}, fact=f.Shipped(track="T")), new(1, order="shop/2")])
    await log.append([new(1, type="order.arrived", fact=f.Arrived())])
    assert [e.id_reused for e in await log.read(0)] == [False, True, True, True]
    histories = await log.histories(["shop/1", "shop/2"])
    for order in histories:
        assert "id_reused" in [a.code for a in fold(order, histories[order]).attention]


async def test_a_conflict_refuses_that_order_alone(log: Log) -> None:
    """Events decided on another version are refused, all of that order's; other orders and facts go in."""
    await log.append([new(1), new(2, order="shop/2")])
    outcomes = await log.append([
        new(3, expected=0), new(4, expected=1), new(5), new(6, order="shop/2", expected=1),
        new(7, order="shop/2", expected=1), new(8, order="shop/3", expected=0),
    ])  # fmt: skip
    assert [(o.outcome, o.version) for o in outcomes] == [
        ("conflict", 1), ("conflict", 1), ("appended", 2), ("appended", 2), ("appended", 3), ("appended", 1),
    ]  # fmt: skip
    assert [o.position for o in outcomes] == [0, 0, 3, 4, 5, 6]


async def test_a_refused_event_does_not_hide_its_equal(log: Log) -> None:
    """Of equal messages in one batch the first that is not refused stays; a refused one is no duplicate of another."""
    assert await log.append([new(1, expected=5), new(1, expected=5)]) == [Appended("conflict", 0, 0)] * 2
    assert await log.append([new(1, expected=5), new(1)]) == [Appended("conflict", 0, 0), Appended("appended", 1, 1)]
    assert await log.append([new(1, expected=0)]) == [Appended("duplicate", 1, 1)]


async def test_an_id_counts_for_its_sender(log: Log) -> None:
    """The same id from another source, before or in the same batch, is no duplicate and no reuse."""
    others = [msgspec.structs.replace(new(n), source="1c/other", digest=bytes([n]) * 32) for n in (1, 2)]
    await log.append([new(1), others[1]])
    assert [o.outcome for o in await log.append([others[0], new(2), new(1), new(3)])] == [
        "appended", "appended", "duplicate", "appended",
    ]  # fmt: skip
    assert [(e.source, e.id, e.version, e.id_reused) for e in await log.read(2)] == [
        ("1c/other", "1", 3, False), ("1c/ut", "2", 4, False), ("1c/ut", "3", 5, False),
    ]  # fmt: skip


async def test_what_is_said_of_a_batch_keeps_its_order(log: Log) -> None:
    """Conflicts, duplicates of the log and of the batch, and what is new, each in its place with its own numbers."""
    await log.append([new(1), new(2, order="shop/2")])
    batch = [
        new(3, expected=9), new(4, order="shop/2", expected=1), new(1), new(5), new(5), new(6, order="shop/3"),
        new(2, order="shop/2", expected=7), new(7, order="shop/3"),
    ]  # fmt: skip
    assert await log.append(batch) == [
        Appended("conflict", 0, 1), Appended("conflict", 0, 1), Appended("duplicate", 1, 1),
        Appended("appended", 3, 2), Appended("duplicate", 3, 2), Appended("appended", 4, 1),
        Appended("duplicate", 2, 1), Appended("appended", 5, 2),
    ]  # fmt: skip
    assert await log.append([]) == []


async def test_documents_are_linked_inside_the_append(log: Log) -> None:
    """What is said under a document goes to its order, in the same batch and later; what came before counts for it."""
    early = new(1, order="1c/d-1")
    assert await log.append([early]) == [Appended("appended", 1, 1)]
    linked = new(3, type="order.registered", fact=f.Registered(document=f.Document("D-1", "7")), document="d-1")
    outcomes = await log.append([new(2, order="1c/d-1"), linked])
    assert [(o.position, o.version) for o in outcomes] == [(2, 1), (3, 2)]
    await log.append([new(4, order="1c/d-1"), new(5, order="1c/d-2"), new(6, order="shop/2", document="d-1")])
    histories = await log.histories(["shop/1", "shop/2", "shop/3"])
    assert [e.id for e in histories["shop/1"]] == ["1", "2", "3", "4"]
    assert [e.order for e in histories["shop/1"]] == ["1c/d-1", "shop/1", "shop/1", "shop/1"]
    assert [e.id for e in histories["shop/2"]] == ["6"], "a document stays with the order it was linked to first"
    assert histories["shop/3"] == []
    assert fold("shop/1", histories["shop/1"]).version == 3


async def test_what_belongs_to_a_message_is_written_with_it(log: Log, owner: asyncpg.Connection) -> None:
    """Raw body, personal data and rejected messages go in with the same call; a duplicate's are not kept twice."""
    people = codec.encode({"customer": {"name": "Анна"}})
    one = new(1, body=b"raw \xff", personal=people)
    await log.append([one, new(2, order="1c/d-1", personal=b"{}"), new(3, document="d-1")], [rejected("r1")])
    await log.append([one], [rejected("r1"), rejected("r2")])
    assert (await log.body(1), await log.body(2)) == (b"raw \xff", None)
    assert await personal(log, "shop/1") == {1: {"customer": {"name": "Анна"}}, 2: {}}
    assert [r["id"] for r in await owner.fetch("SELECT id FROM okno.rejected ORDER BY id")] == ["r1", "r2"]
    assert await owner.fetchval("SELECT count(*) FROM okno.bodies") == 1
    assert (await log.head()).position == 3
    await log.append([], [rejected("r3")])
    assert await owner.fetchval("SELECT count(*) FROM okno.rejected") == 3


@pytest.mark.parametrize("poison", [{"actor": "a\x00"}, {"type": "order\x00"}, {"id": "\x00"}])
async def test_a_batch_that_postgres_refuses_leaves_nothing(
    log: Log, owner: asyncpg.Connection, poison: dict[str, str]
) -> None:
    """One bad event: no position, no side row, no rejected one, no moved head; and waiting is not the answer."""
    bad = msgspec.structs.replace(new(2), **poison)
    with pytest.raises(asyncpg.PostgresError) as raised:
        await log.append([new(1, body=b"raw", document="d-1"), bad], [rejected("r1")])
    assert not is_transient(raised.value)
    for table in ("events", "bodies", "personal", "documents", "rejected", "seals"):
        assert await owner.fetchval(f"SELECT count(*) FROM okno.{table}") == 0, table
    assert await log.append([new(1)]) == [Appended("appended", 1, 1)]


@pytest.mark.parametrize("poison", [{"order": "shop/\ud800"}, {"cause": 2**70}, {"expected": 2**40}])
async def test_what_the_driver_cannot_write_is_no_reason_to_wait(log: Log, poison: dict[str, object]) -> None:
    """A value that fits no column stands alone among rejected in the end, and stops nobody."""
    with pytest.raises(Exception) as raised:  # noqa: PT011  # whatever its class, the next line says what counts
        await log.append([msgspec.structs.replace(new(1), **poison)])
    assert not is_transient(raised.value.__cause__ or raised.value)
    assert (await log.head()).position == 0


async def test_a_url_that_makes_no_sense_is_no_reason_to_wait() -> None:
    """asyncpg files it under what it calls a lost connection: here they are told apart."""
    with pytest.raises(asyncpg.InterfaceError) as raised:
        await asyncpg.connect("postgresql://localhost/okno?sslmode=nonsense")
    assert not is_transient(raised.value)
    assert is_transient(asyncpg.InterfaceError("connection is closed"))


async def test_recorded_at_never_falls(log: Log, owner: asyncpg.Connection) -> None:
    """After the server's clock was put back, events are recorded at the last time there was."""
    await log.append([new(1)])
    ahead = datetime.now(UTC) + timedelta(days=400)
    await owner.execute("UPDATE okno.head SET recorded_at = $1", ahead)
    await log.append([new(2)])
    await log.append([new(3)])
    times = [e.recorded_at for e in await log.read(0)]
    assert times == sorted(times)
    assert times[1:] == [ahead, ahead]


async def test_plans_are_pinned_and_probe_indexes(pool: Pool, owner: asyncpg.Connection) -> None:
    """The function keeps its joins from a plan cached on the empty table; each read goes by an index."""
    pinned = await owner.fetchval("SELECT proconfig FROM pg_proc WHERE proname = 'append_batch'")
    off = {f"enable_{way}=off" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin")}
    assert off <= set(pinned)
    await owner.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    for condition, index in (
        ("source = '' AND id = ''", "events_1_source_id_digest_idx"),
        ("source = '' AND id = ANY (ARRAY['a', 'b'])", "events_1_source_id_digest_idx"),
        ("source = '' AND id = '' AND digest = ''", "events_1_source_id_digest_idx"),
        (
            "order_key >= '' AND order_key <= '' ORDER BY order_key DESC, position DESC LIMIT 1",
            "events_1_order_key_position_idx",
        ),
        ("position > 5 ORDER BY position LIMIT 9", "events_1_pkey"),
    ):
        plan = await owner.fetch(f"EXPLAIN SELECT * FROM okno.events WHERE {condition}")
        text = "\n".join(row[0] for row in plan)
        assert index in text, text
        assert "Sort" not in text
