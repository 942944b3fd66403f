"""Nobody writes to the log but through its function, and nobody changes it: by grant, and by trigger for the owner."""

import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256

import asyncpg
import pytest

from events import seal
from events.log import Log
from service.database import Pool
from tests.events.said import new

SEALED = ("events", "seals", "documents")
CHANGES = [
    *(f"DELETE FROM okno.{table}" for table in SEALED),
    *(f"TRUNCATE okno.{table}" for table in SEALED),
    "UPDATE okno.events SET data = '{}'",
    "UPDATE okno.events SET position = position + 1 WHERE false",
    "UPDATE okno.events_1 SET data = '{}'",
    "DELETE FROM okno.events_1",
    "UPDATE okno.seals SET seal = ''",
    "UPDATE okno.documents SET order_key = 'shop/2'",
    """INSERT INTO okno.events SELECT position + 1, order_key, version + 1, type, source, id, cause, actor, occurred_at,
    recorded_at, bucket, id_reused, digest || '1', data, body_hash, hash FROM okno.events""",
    """INSERT INTO okno.seals SELECT last_position + 1, last_position + 1, seal, recorded_at, number + 1, root
    FROM okno.seals""",
    "INSERT INTO okno.documents VALUES ('d-2', 'shop/2')",
]
HUBS = [
    "UPDATE okno.head SET position = 0",
    """INSERT INTO okno.head (log_id, position, seal, recorded_at, epoch)
    SELECT 1, position, seal, recorded_at, epoch FROM okno.head""",
    "DELETE FROM okno.head",
    "UPDATE okno.bodies SET body = ''",
    "DELETE FROM okno.bodies",
    "INSERT INTO okno.personal VALUES (9, 'shop/1', '{}')",
    "DELETE FROM okno.rejected",
    "DROP TABLE okno.events",
    "DELETE FROM okno.erased",
    "ALTER TABLE okno.events DISABLE TRIGGER ALL",
    "ALTER FUNCTION okno.append_batch RENAME TO other",
]


async def refusal(execute: Callable[[str], Awaitable[str]], statement: str) -> str:
    """The error a statement ends in; empty where it was carried out."""
    try:
        await execute(statement)
    except asyncpg.PostgresError as error:
        return f"{error.sqlstate} {error}"
    return ""


async def test_the_hub_may_only_append(log: Log, pool: Pool) -> None:
    """The role the hub works as has no right to write to the log, its seals, its head or what stands beside it."""
    await log.append([new(1, body=b"raw", personal=b"{}", document="d-1")])
    refusals = {statement: await refusal(pool.execute, statement) for statement in CHANGES + HUBS}
    assert {statement: said for statement, said in refusals.items() if not said.startswith("42501")} == {}
    assert [said for said in refusals.values() if "append-only" in said] == [], "the grant comes before the trigger"


async def test_nor_may_the_owner(log: Log, owner: asyncpg.Connection) -> None:
    """The trigger stops the owner of the tables too, a superuser here."""
    await log.append([new(1, document="d-1")])
    before = [await owner.fetch(f"TABLE okno.{table}") for table in SEALED]
    refusals = {statement: await refusal(owner.execute, statement) for statement in CHANGES}
    assert {statement: said for statement, said in refusals.items() if "append-only" not in said} == {}
    assert [await owner.fetch(f"TABLE okno.{table}") for table in SEALED] == before


async def test_the_guard_is_up_again_after_an_append(log: Log, pool: Pool) -> None:
    """The setting by which the trigger knows the append ends with the append."""
    await log.append([new(1)])
    assert pool.get_size() == 1, "the connection that appended is the one that is asked"
    assert await pool.fetchval("SELECT coalesce(current_setting('okno.appending', true), '')") != "on"


@pytest.mark.parametrize(
    "occurred",
    [
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
async def test_sql_and_python_hash_alike(log: Log, owner: asyncpg.Connection, occurred: datetime) -> None:
    """The hash, the bucket and the seal that the append writes are those that Python computes from the row."""
    batch = [
        new(1, order="ym-мск/ЦУ-1", occurred_at=occurred, cause=3, actor="Ольга|1:x"),
        new("1", said=2, occurred_at=occurred, body=b"\x00raw"),
        new("|", type="order.arrived|9", occurred_at=occurred),
    ]
    await log.append(batch)
    rows = await owner.fetch("SELECT * FROM okno.events ORDER BY position")
    for row in rows:
        content = seal.content_hash(
            row["source"], row["id"], row["actor"], row["cause"], row["digest"], row["data"], row["body_hash"]
        )
        assert row["bucket"] == seal.bucket(row["order_key"])
        assert row["hash"] == seal.row_hash(
            row["position"], row["order_key"], row["version"], row["type"], occurred, row["recorded_at"],
            row["id_reused"], content,
        )  # fmt: skip
    assert [row["id_reused"] for row in rows] == [False, True, False]
    root, recorded = seal.root(row["hash"] for row in rows), seal.microseconds(rows[0]["recorded_at"])
    assert (await log.head()).seal == seal.next_seal(seal.GENESIS, seal.GENESIS, 1, 1, 3, recorded, root)


def test_no_two_contents_hash_alike() -> None:
    """Moving a character from one field to its neighbour, or nothing for zero, changes the hash."""
    base = ("a", "b", "c", None, b"d", b"e", None)
    others = [
        ("ab", "", "c", None, b"d", b"e", None), ("a", "bc", "", None, b"d", b"e", None),
        ("a", "b", "c", 0, b"d", b"e", None), ("a", "b", "c", None, b"de", b"", None),
        ("a", "b", "c", None, b"d", b"e", b""), ("a", "b", "c", None, b"d", b"e", b"-"),
    ]  # fmt: skip
    hashes = {seal.content_hash(*one) for one in (base, *others)}
    assert len(hashes) == len(others) + 1


@pytest.mark.parametrize("key", [b"", b"k", b"k" * 64, b"k" * 65])
def test_a_body_is_hashed_with_the_key(key: bytes) -> None:
    """It is HMAC-SHA256, whatever the key's length, behind the key's own mark; the first body is not kept in it."""
    for body in (b"", b"Anna", b"Anna" * 99):
        assert seal.body_hash(key, body) == sha256(key).digest()[:4] + hmac.digest(key, body, "sha256")
