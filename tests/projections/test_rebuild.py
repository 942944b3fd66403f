"""Rebuilding: what is done is kept, whoever dies; what comes out equals what was followed live."""

import asyncio
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import projections.bucket
import projections.filling
import projections.swap
from events.log import Log
from projections.fingerprint import fingerprint
from projections.follow import begin
from projections.orders import queries
from projections.orders.project import ORDERS
from projections.projection import BUCKETS, Projection, bucket_of
from projections.rebuild import RebuildReplaced, finish, prepare, rebuild
from projections.status import status
from service.database import Pool, open_pool
from tests.projections.shop import (
    ALL_SLICES,
    EVERY,
    Watched,
    assert_true_to_the_log,
    confirmed,
    filled,
    follow,
    follower,
    live,
    orders,
    placed,
    requested,
)


async def test_a_rebuild_makes_what_was_followed_live(pool: Pool, log: Log) -> None:
    """Rows lost or changed by hand are right again, time after time, and following goes on from there."""
    keys = orders(20)
    await log.append([placed(key) for key in keys] + [requested(key, f"c{key}") for key in keys])
    await follow(pool, log)
    for _ in range(2):
        await pool.execute("DELETE FROM okno.orders WHERE order_key < 'ym-msk/48000010'")
        await pool.execute("UPDATE okno.commands SET state = 'done'")
        for projection in EVERY:
            await rebuild(pool, projection)
        await assert_true_to_the_log(pool, log, keys)
    await log.append([confirmed(key) for key in keys])
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)


async def test_new_tables_keep_their_indexes_and_know_their_numbers(pool: Pool, log: Log) -> None:
    """After any number of swaps the tables have the indexes of the first ones, and statistics at once."""
    definitions = "SELECT regexp_replace(indexdef, 'INDEX \\S+', '') FROM pg_indexes WHERE tablename = ANY($1)"
    names = [table.name for projection in EVERY for table in projection.tables]
    before = sorted(row[0] for row in await pool.fetch(definitions, names))
    await log.append([placed(key) for key in orders(20)])
    for _ in range(2):
        for projection in EVERY:
            await rebuild(pool, projection)
    assert sorted(row[0] for row in await pool.fetch(definitions, names)) == before
    assert await pool.fetchval("SELECT reltuples FROM pg_class WHERE oid = 'okno.orders'::regclass") == 20
    assert await pool.fetchval("SELECT to_regclass('okno.orders_next')") is None


async def test_an_auditor_reads_the_new_tables(pool: Pool, log: Log, database_url: str) -> None:
    """The role that only reads may read what a rebuild has put in place, and still not write it."""
    await log.append([placed(key) for key in orders(3)])
    for projection in EVERY:
        await rebuild(pool, projection)
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("SET ROLE okno_auditor")
        for table in [table for projection in EVERY for table in projection.tables]:
            await owner.fetch(f"SELECT * FROM okno.{table.name}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await owner.execute(f"DELETE FROM okno.{table.name}")
        assert await owner.fetchval("SELECT count(*) FROM okno.orders") == 3
    finally:
        await owner.close()


class Dies(Watched):
    """Ends a rebuild at a stage, or when so many buckets are filled."""

    def __init__(self, at: str | int) -> None:
        super().__init__()
        self._at = at

    def stage(self, what: str) -> None:
        """Dies before it."""
        super().stage(what)
        if what == self._at:
            raise asyncio.CancelledError

    def progress(self, done: int, total: int) -> None:
        """Dies behind it."""
        super().progress(done, total)
        if done == self._at:
            raise asyncio.CancelledError


async def test_a_rebuild_killed_midway_keeps_what_is_done(pool: Pool, log: Log) -> None:
    """Buckets done before the kill are not done again, live tables stay as they were, and the next run swaps."""
    keys = orders(20)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    with pytest.raises(asyncio.CancelledError):
        await rebuild(pool, ORDERS, report=Dies(100))
    assert [(s.rebuild and s.rebuild.done, s.rows) for s in await status(pool, [ORDERS], 0)] == [(100, len(keys))]
    await log.append([confirmed(key) for key in keys])

    report = Watched()
    await rebuild(pool, ORDERS, report=report)
    assert report.done == list(range(101, BUCKETS + 1))
    assert [s.rebuild for s in await status(pool, [ORDERS], 0)] == [None]
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)


@pytest.mark.parametrize("stage", ["indexing", "catching up", "comparing", "swapping"])
async def test_a_rebuild_that_dies_behind_the_filling_goes_on_there(pool: Pool, log: Log, stage: str) -> None:
    """Whatever stage it dies before, the old tables are live, whole and followed, and the next run fills nothing."""
    keys = orders(10)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    with pytest.raises(asyncio.CancelledError):
        await rebuild(pool, ORDERS, report=Dies(stage))
    await log.append([confirmed(key) for key in keys])
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)
    report = Watched()
    await rebuild(pool, ORDERS, report=report)
    assert report.done == [BUCKETS]
    await assert_true_to_the_log(pool, log, keys)


async def test_what_comes_while_a_bucket_is_filled_is_caught_up_with(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event appended behind the reading of its order, before the bucket is marked done, is in the new tables."""
    keys = orders(10)
    await log.append([placed(key) for key in keys])
    real = projections.bucket.fill_bucket

    async def late(connection: Any, projection: Projection, generation: int, bucket: int) -> None:
        await real(connection, projection, generation, bucket)
        await log.append([confirmed(key) for key in keys if bucket_of(key) == bucket])

    monkeypatch.setattr(projections.filling, "fill_bucket", late)
    await rebuild(pool, ORDERS)
    assert {row[3] for row in await live(pool, ORDERS.tables[0])} == {"confirmed"}


async def test_what_was_caught_up_with_is_kept(pool: Pool, log: Log) -> None:
    """A rebuild that dies behind its catching up begins from there, not from where its buckets were filled."""
    await log.append([placed(key) for key in orders(5)])
    await filled(pool, await prepare(pool, ORDERS))
    await log.append([confirmed(key) for key in orders(5)])
    with pytest.raises(asyncio.CancelledError):
        await rebuild(pool, ORDERS, report=Dies("comparing"))
    assert await pool.fetchval("SELECT min(position) FROM okno.projection_rebuilds") == 10


async def test_a_rebuild_killed_while_it_swaps_can_be_run_again(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the swap commits, the old tables are live, whole and followed."""
    keys = orders(10)
    await log.append([placed(key) for key in keys])
    await follow(pool, log)
    monkeypatch.setattr(projections.swap, "VERSION", "SELECT 1 / 0, $1::text, $2::integer, $3::text[]")
    with pytest.raises(Exception, match="division by zero"):
        await rebuild(pool, ORDERS)
    monkeypatch.undo()
    await log.append([confirmed(key) for key in keys])
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)
    await rebuild(pool, ORDERS)
    await assert_true_to_the_log(pool, log, keys)


async def test_a_follower_of_the_old_generation_writes_nothing(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before a swap, even from the very position the new tables stand at, is thrown away after it."""
    keys = orders(10)
    await begin(pool, EVERY)
    await log.append([placed(key) for key in keys])
    real = Log.histories

    async def swapped(self: Log, wanted: Any) -> Any:
        monkeypatch.undo()
        found = await real(self, wanted)
        await rebuild(pool, ORDERS)
        await pool.execute("UPDATE okno.projection_progress SET position = 0")
        await pool.execute("DELETE FROM okno.orders")
        return found

    monkeypatch.setattr(Log, "histories", swapped)
    await follower(pool, log, [ORDERS]).step(ALL_SLICES)
    assert await live(pool, ORDERS.tables[0]) == []


async def test_rebuilding_at_once_swaps_once(pool: Pool, log: Log) -> None:
    """Two who rebuild the same projection share the buckets; both end well."""
    keys = orders(10)
    await log.append([placed(key) for key in keys])
    one, two = await asyncio.gather(rebuild(pool, ORDERS), rebuild(pool, ORDERS, workers=2))
    assert one.swapped
    assert two.swapped
    assert [one.found, two.found].count(None) == 1
    assert await pool.fetchval("SELECT max(generation) FROM okno.projection_progress") == 2
    assert [row.order for row in (await queries.listed(pool))[0]] == keys[::-1]


async def test_another_versions_rebuild_takes_over(pool: Pool, log: Log) -> None:
    """Workers of a replaced rebuild fill no bucket of the new one, and say that they were replaced."""
    await log.append([placed(key) for key in orders(10)])
    work = await prepare(pool, ORDERS)
    newer = replace(ORDERS, version=ORDERS.version + 1)
    assert (await prepare(pool, newer)).generation == work.generation
    await filled(pool, work)
    assert await pool.fetchval("SELECT count(position) FROM okno.projection_rebuilds") == 0
    with pytest.raises(RebuildReplaced):
        await finish(pool, work, Watched())
    await rebuild(pool, newer)
    assert await pool.fetchval("SELECT count(*) FROM okno.orders") == 10
    with pytest.raises(RebuildReplaced):
        await finish(pool, work, Watched())


async def test_workers_may_be_processes(pool: Pool, log: Log, database_url: str) -> None:
    """Two real processes fill the buckets while the caller only watches."""
    keys = orders(30)
    await log.append([placed(key) for key in keys])
    report = Watched()
    connect = partial(open_pool, database_url, size=2)
    await rebuild(pool, ORDERS, workers=2, connect=connect, report=report)
    assert report.done == sorted(report.done)
    assert len(set(report.done)) < BUCKETS  # the caller's own filling would have told of each
    assert report.done[-1] == BUCKETS
    await follow(pool, log)
    await assert_true_to_the_log(pool, log, keys)


async def no_pool() -> Pool:
    """A worker that dies before it has done anything."""
    raise SystemExit(1)


async def test_what_dead_processes_leave_is_done_by_the_caller(pool: Pool, log: Log) -> None:
    """Processes that die do not end the rebuild."""
    keys = orders(5)
    await log.append([placed(key) for key in keys])
    await rebuild(pool, ORDERS, workers=2, connect=no_pool)
    assert [row.order for row in (await queries.listed(pool))[0]] == keys[::-1]


def test_the_fingerprint_changes_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a line of the projection's folder, a migration there, its version, its columns; with nothing else."""
    folder = tmp_path / "odd_projection"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "project.py").write_text("def project(state):\n    return {'orders': []}\n")
    monkeypatch.syspath_prepend(tmp_path)
    from odd_projection.project import project  # type: ignore[import-not-found]

    odd = replace(ORDERS, project=project)
    seen = [fingerprint(odd)]
    assert fingerprint(odd) == seen[0]
    (folder / "project.py").write_text("def project(state):\n    return {'orders': [()]}\n")
    seen.append(fingerprint(odd))
    (folder / "0001.sql").write_text("SELECT 1;")
    seen.append(fingerprint(odd))
    (folder / "README.md").write_text("changes nothing")
    assert fingerprint(odd) == seen[-1]
    seen.append(fingerprint(replace(odd, version=7)))
    seen.append(fingerprint(replace(odd, tables=odd.tables[:1])))
    assert len(set(seen)) == len(seen)
    del sys.modules["odd_projection.project"], sys.modules["odd_projection"]
