"""The audit finds every change to the log, and says where the first one is."""

import asyncpg
import pytest

from events.log import Log
from service.audit import verify
from service.database import Pool
from tests.audit.tampering import Tamperer, unseen, verdict
from tests.servers import BODY_KEY


async def test_an_intact_log_is_whole(pool: Pool, log: Log, tamperer: Tamperer) -> None:
    """Several batches verify; the seal to keep is the head's; progress ends at the end. An empty log is whole too."""
    steps = list[tuple[int, int]]()
    found = await verify(pool, lambda done, total: steps.append((done, total)), BODY_KEY)
    head = await log.head()
    assert (found.whole, found.events, found.seal) == (True, 11, head.seal.hex())
    assert (found.links, found.recorded_at, found.epoch) == (4, head.recorded_at, 1)
    assert steps[-1] == (11, 11)
    assert await verify(pool, unseen) == found


async def test_an_empty_log_is_whole(pool: Pool) -> None:
    """Nothing recorded, nothing wrong."""
    found = await verdict(pool)
    assert (found.whole, found.events, found.seal, found.links) == (True, 0, "00" * 32, 0)


@pytest.mark.parametrize("size", [1, 3, 4, 11])
async def test_parts_of_any_size_prove_the_same(pool: Pool, tamperer: Tamperer, size: int) -> None:
    """Where the reading is cut does not matter: not within a batch, not at its end."""
    for span in (1, 5, 100):
        assert (await verify(pool, unseen, BODY_KEY, batch=size, span=span)).whole
    await tamperer.do("DELETE FROM okno.seals WHERE last_position = 6", "DELETE FROM okno.events WHERE position = 8")
    for span in (1, 5, 100):
        found = await verify(pool, unseen, BODY_KEY, batch=size, span=span)
        assert (found.whole, found.position) == (False, 5)


async def test_erasing_keeps_the_log_whole(pool: Pool, tamperer: Tamperer) -> None:
    """Raw bodies and personal data may go; what is left is still proved."""
    await tamperer.do("DELETE FROM okno.bodies WHERE position < 9", "DELETE FROM okno.personal")
    assert (await verdict(pool)).whole
    await tamperer.do("UPDATE okno.bodies SET body = 'other' WHERE position = 10")
    assert (await verdict(pool)).position == 10
    assert (await verify(pool, unseen)).whole, "without its key a body proves nothing"
    assert (await verify(pool, unseen, b"another key")).whole, "nor with another one"


OTHER = {
    "order_key": "'shop/9'", "version": "version + 90", "type": "'order.arrived'", "source": "'1c/x'", "id": "'x'",
    "cause": "NULL", "actor": "'x'", "occurred_at": "occurred_at + interval '1 microsecond'",
    "recorded_at": "recorded_at + interval '1 microsecond'", "bucket": "(bucket + 1) % 256",
    "id_reused": "NOT id_reused", "digest": "'\\x00'", "data": "'{}'::bytea || data", "body_hash": "NULL",
    "hash": "'\\x00'",
}  # fmt: skip
"""What each column is changed to."""


COLUMNS = """
SELECT column_name::text FROM information_schema.columns
WHERE table_schema = 'okno' AND table_name = 'events' AND column_name <> 'position'
"""


async def test_every_column_of_a_row_is_proved(tamperer: Tamperer, owner: asyncpg.Connection) -> None:
    """Whatever is edited in a row, down to a microsecond, is found at that row."""
    columns = [row[0] for row in await owner.fetch(COLUMNS)]
    assert set(columns) == set(OTHER)
    for column in columns:
        found = await tamperer.tried(f"UPDATE okno.events SET {column} = {OTHER[column]} WHERE position = 6")
        assert (found.whole, found.position, found.events) == (False, 6, 5), column
    assert (await tamperer.tried()).whole


COPY = """
INSERT INTO okno.events SELECT {0}, order_key, version + 9, type, source, id, cause, actor, occurred_at, recorded_at,
    bucket, id_reused, digest || '9', data, body_hash, hash FROM okno.events WHERE position = 11
"""
NO_ROWS_BEHIND = "DELETE FROM okno.events WHERE position > {0}"
SEAL = "UPDATE okno.seals SET {0} WHERE last_position = 10"
HEAD = "UPDATE okno.head SET {0}"
EMPTY = "position = 0, seal = decode(repeat('00', 32), 'hex'), recorded_at = '1970-01-01Z'"

DEEDS: dict[str, tuple[int, list[str]]] = {
    "a row removed": (5, ["DELETE FROM okno.events WHERE position = 5"]),
    "the first row removed": (1, ["DELETE FROM okno.events WHERE position = 1"]),
    "the last row removed": (11, [NO_ROWS_BEHIND.format(10)]),
    "all rows removed": (1, [NO_ROWS_BEHIND.format(0)]),
    "two rows in another order": (8, [
        "UPDATE okno.events SET position = -position WHERE position IN (8, 9)",
        "UPDATE okno.events SET position = 17 + position WHERE position IN (-8, -9)",
    ]),
    "a row added behind the head": (12, [COPY.format(12)]),
    "a row added, and the head moved": (12, [COPY.format(12), HEAD.format("position = 12")]),
    "a row put in between": (9, [
        "UPDATE okno.events SET position = position + 100 WHERE position > 8",
        COPY.replace("= 11", "= 111").format(9),
        "UPDATE okno.events SET position = position - 99 WHERE position > 100",
    ]),
    "a row before the first": (0, [COPY.format(0)]),
    "a row where nobody looks": (-7, [COPY.format(-7)]),
    "a seal removed": (5, ["DELETE FROM okno.seals WHERE last_position = 6"]),
    "the last seal removed": (11, ["DELETE FROM okno.seals WHERE last_position = 11"]),
    "a seal changed": (7, [SEAL.format("seal = 'x'")]),
    "a seal's time changed": (7, [SEAL.format("recorded_at = '2020-01-01Z'")]),
    "a seal's beginning changed": (7, [SEAL.format("first_position = 8")]),
    "a seal's end changed": (7, [SEAL.format("last_position = 9")]),
    "a seal added": (7, ["INSERT INTO okno.seals SELECT 9, 7, seal, recorded_at, 99, root FROM okno.seals LIMIT 1"]),
    "the head's seal changed": (11, [HEAD.format("seal = 'x'")]),
    "a seal's number changed": (7, [SEAL.format("number = 9")]),
    "a seal's root changed": (7, [SEAL.format("root = seal")]),
    "the head's count of links changed": (11, [HEAD.format("links = 5")]),
    "the head's time changed": (11, [HEAD.format("recorded_at = recorded_at + interval '1 s'")]),
    "the head put back": (7, [HEAD.format("position = 8")]),
    "the head put forward": (12, [HEAD.format("position = 20")]),
    "the log declared empty": (1, [HEAD.format(EMPTY)]),
    "the head removed": (0, ["DELETE FROM okno.head"]),
    "an early seal and a later row": (5, ["DELETE FROM okno.seals WHERE last_position = 6", COPY.format(12)]),
}  # fmt: skip


LOOSE = ("ALTER TABLE okno.{0} ALTER COLUMN {1} DROP NOT NULL", "UPDATE okno.{0} SET {1} = NULL WHERE {2}")
TWICE = "ALTER TABLE okno.events DROP CONSTRAINT events_pkey; INSERT INTO okno.events SELECT * FROM okno.events WHERE "


async def test_what_no_constraint_holds_any_more_is_found(tamperer: Tamperer) -> None:
    """A value taken away, an event that is there twice: found at its position, with the constraints gone."""
    for column in set(OTHER) - {"cause", "body_hash"}:
        deeds = (deed.format("events", column, "position = 6") for deed in LOOSE)
        found = await tamperer.tried(*deeds)
        assert (found.whole, found.position) == (False, 6), column
    for column in ("number", "root", "seal", "recorded_at", "first_position"):
        found = await tamperer.tried(*(deed.format("seals", column, "last_position = 10") for deed in LOOSE))
        assert (found.whole, found.position) == (False, 7), column
    found = await tamperer.tried(TWICE + "position = 6")
    assert (found.position, found.fault) == (6, "there is more than one event at this position")


async def test_what_a_superuser_does_is_found(tamperer: Tamperer) -> None:
    """Rows and seals removed, added, moved or changed with all guards off: found, with the first position."""
    found = {name: await tamperer.tried(*deeds) for name, (_, deeds) in DEEDS.items()}
    assert [name for name, verdict in found.items() if verdict.whole or not verdict.fault] == []
    assert {name: verdict.position for name, verdict in found.items()} == {n: at for n, (at, _) in DEEDS.items()}


async def test_a_row_sealed_anew_is_found_by_the_seal_kept_outside(
    pool: Pool, log: Log, tamperer: Tamperer, owner: asyncpg.Connection
) -> None:
    """Who recomputes a row's hash is found at the batch; who recomputes all is found by yesterday's seal alone."""
    kept = (await log.head()).seal.hex()
    row_hash = "sha256(convert_to('forged', 'UTF8'))"
    await tamperer.do(f"UPDATE okno.events SET data = 'forged', hash = {row_hash} WHERE position = 11")
    assert (await verdict(pool)).position == 11
    await tamperer.do(
        "DELETE FROM okno.events WHERE position > 10",
        "DELETE FROM okno.seals WHERE last_position > 10",
        "UPDATE okno.head SET position = 10, (seal, recorded_at) ="
        " (SELECT seal, recorded_at FROM okno.seals WHERE last_position = 10), links = 3",
    )
    forged = await verdict(pool)
    assert forged.whole
    assert forged.seal != kept
