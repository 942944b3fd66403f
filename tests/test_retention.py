"""Raw messages go when they are old, and nothing else does."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from events.log import Log
from events.recorded import Rejected
from service import audit
from service.database import Pool
from service.leases import Leases
from service.retention import AT_ONCE, Retention
from service.settings import ConfigError, parse
from tests.erasing.planted import owning
from tests.events.said import new
from tests.servers import BODY_KEY

NOW = datetime.now(UTC)


def retention(pool: Pool, days: int = 30) -> Retention:
    """What a hub runs."""
    return Retention(pool, Leases(pool, "test"), days)


async def filled(log: Log, numbers: range, at_once: int = 7) -> None:
    """Events of ten orders, each with its raw message and personal data."""
    said = [new(n, order=f"shop/{n % 10}", body=b"raw %d" % n, personal=b"{}") for n in numbers]
    for i in range(0, len(said), at_once):
        await log.append(said[i : i + at_once])


def unseen(done: int, total: int) -> None:
    """Progress nobody watches."""


async def bodies(pool: Pool) -> list[int]:
    """Positions of the raw messages that are there."""
    return [row[0] for row in await pool.fetch("SELECT position FROM okno.bodies ORDER BY position")]


async def whole(pool: Pool) -> bool:
    """Whether the log verifies, the bodies that are left too."""
    return (await audit.verify(pool, unseen, BODY_KEY)).whole


async def test_what_is_older_goes_and_all_else_stays(log: Log, pool: Pool) -> None:
    """The limit lies between two appends; events, personal data and seals are as they were, and the log verifies."""
    await filled(log, range(1, 50))
    limit = (await log.read(48))[0].recorded_at + timedelta(microseconds=1)
    await filled(log, range(50, 60))
    before = {t: await pool.fetch(f"SELECT * FROM okno.{t}") for t in ("events", "personal", "seals", "head")}
    assert await retention(pool).clear(limit + timedelta(days=30)) == (49, 0)
    assert await bodies(pool) == list(range(50, 60))
    assert {t: await pool.fetch(f"SELECT * FROM okno.{t}") for t in before} == before
    assert await whole(pool)
    assert await log.body(1) is None
    assert await retention(pool).clear(limit + timedelta(days=30)) == (0, 0)


@pytest.mark.parametrize("links", [0, 1, 2, 3, 8])
async def test_the_limit_is_found_among_any_number_of_seals(log: Log, pool: Pool, links: int) -> None:
    """By halves: at the beginning, at the end, and between each two."""
    for n in range(1, links + 1):
        await log.append([new(n), new(f"b{n}")])
    ends = {event.position: event.recorded_at for event in await log.read(0)}
    watch = retention(pool)
    assert await watch.recorded_before(NOW - timedelta(days=1)) == 0
    for n in range(1, links + 1):
        assert await watch.recorded_before(ends[2 * n]) == 2 * n - 2, "at the very moment it is not older"
        assert await watch.recorded_before(ends[2 * n] + timedelta(microseconds=1)) == 2 * n


async def test_rejected_messages_go_once_they_are_settled(log: Log, pool: Pool, database_url: str) -> None:
    """Old and taken in later: gone. Old and nobody looked, taken in just now, or erased: there."""
    for name in ("open", "settled", "lately", "erased"):
        one = Rejected(id=name, via="amqp", reason="broken_json", detail="", body=b"{", envelope={})
        await log.append([], [one])
    async with owning(database_url) as owner:
        await owner.execute("UPDATE okno.rejected SET received_at = now() - interval '40 days'")
        old = "resubmitted_at = now() - interval '39 days'"
        await owner.execute(f"UPDATE okno.rejected SET {old} WHERE id IN ('settled', 'erased')")
        await owner.execute("UPDATE okno.rejected SET resubmitted_at = now() WHERE id = 'lately'")
        await owner.execute("UPDATE okno.rejected SET reason = 'erased' WHERE id = 'erased'")
    assert await retention(pool).clear(datetime.now(UTC)) == (0, 1)
    left = await pool.fetch("SELECT id FROM okno.rejected ORDER BY id")
    assert [row["id"] for row in left] == ["erased", "lately", "open"]


async def test_appends_go_on_meanwhile(log: Log, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside each removal of a thousand one append comes to its end, and what is new stays."""
    count, removals = 3 * AT_ONCE + 1, 4
    await filled(log, range(1, count + 1), at_once=500)
    limit, watch, appended = datetime.now(UTC), retention(pool), itertools.count(count + 1)
    drop = watch._drop_bodies

    async def beside(after: int, upto: int) -> tuple[int, int]:
        number = next(appended)
        async with asyncio.timeout(60):
            done, _ = await asyncio.gather(drop(after, upto), filled(log, range(number, number + 1)))
        return done

    monkeypatch.setattr(watch, "_drop_bodies", beside)
    before = REGISTRY.get_sample_value("okno_raw_removed_total", {"kind": "body"}) or 0
    assert await watch.clear(limit + timedelta(days=30)) == (count, 0)
    assert await bodies(pool) == list(range(count + 1, count + removals + 1))
    assert REGISTRY.get_sample_value("okno_raw_removed_total", {"kind": "body"}) == before + count
    assert await whole(pool)


DYING = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from service.database import open_pool
from service.leases import Leases
from service.retention import Retention

async def main():
    pool = await open_pool(sys.argv[1])
    one = Retention(pool, Leases(pool, "dying"), 30)
    drop = one._drop_bodies
    async def told(after, upto):
        found = await drop(after, upto)
        print(found[1], flush=True)
        await asyncio.sleep(60)
        return found
    one._drop_bodies = told
    await one.clear(datetime.now(UTC) + timedelta(days=31))

asyncio.run(main())
"""


async def test_killed_in_between_the_next_one_goes_on(log: Log, pool: Pool, database_url: str) -> None:
    """What was removed is removed; nothing has to be remembered to remove the rest."""
    await filled(log, range(1, 2 * AT_ONCE + 1), at_once=500)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DYING, database_url, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    assert process.stdout is not None
    assert int(await process.stdout.readline()) == AT_ONCE
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert len(await bodies(pool)) == AT_ONCE
    assert await retention(pool).clear(datetime.now(UTC) + timedelta(days=31)) == (AT_ONCE, 0)
    assert await whole(pool)


async def test_one_process_removes_at_a_time(log: Log, pool: Pool) -> None:
    """By lease; it begins at once, and ends when it is told to."""
    await filled(log, range(1, 20))
    async with asyncio.timeout(20):
        other = Leases(pool, "other")
        assert await other.take("retention/0")
        one = retention(pool, days=1)
        one._age = timedelta(seconds=0)
        running = asyncio.create_task(one.run())
        await asyncio.sleep(0.5)
        assert len(await bodies(pool)) == 19
        await other.release("retention/0")
        while await bodies(pool):  # noqa: ASYNC110  # it is another process that removes, as far as we can see
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "30", 100_000])
def test_days_are_whole_and_one_at_least(value: object, tmp_path: Path) -> None:
    """Anything else is refused with its path; without the key nothing is removed."""
    with pytest.raises(ConfigError, match="raw_retention_days"):
        parse({"raw_retention_days": value}, tmp_path)
    assert parse({}, tmp_path).raw_retention_days is None
    assert parse({"raw_retention_days": 400}, tmp_path).raw_retention_days == 400
