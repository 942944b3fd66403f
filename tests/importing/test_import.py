"""A file of the past gets into the log once, whatever happens on the way."""

import asyncio
import json
import multiprocessing
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from events.codec import encode
from events.log import Log
from events.order import facts as f
from events.order.state import OrderState, fold
from service.audit import verify
from service.cli import main
from service.database import Pool
from service.importing.rejects import Rejects
from service.importing.running import Imported, Reader, name_of, run
from service.importing.staging import SIZE
from service.settings import load
from tests.events.said import new, personal
from tests.exports.conftest import Okno
from tests.exports.planted import exported, plant, say
from tests.importing.conftest import Past, mark, marks
from tests.servers import BODY_KEY, Databases, opened


async def imported(pool: Pool, config: Path, path: Path, *, strict: bool = False) -> tuple[Imported, Rejects]:
    """Takes a file as the command does."""
    rejects = Rejects(Path(f"{path}.rejected.jsonl"))
    with path.open("rb") as file:
        name = name_of(file)
        reader = Reader(file, load(config), "import/anna", strict=strict)
        done = list[int]()
        found = await run(
            pool, BODY_KEY, reader, name, resumed=rejects.resumed, faulty=rejects.add, progress=done.append
        )
    assert done == sorted(done)
    return found, rejects


async def ids(log: Log) -> list[str]:
    return [event.id for event in await log.read(0, 100_000)]


def by_id(event: dict[str, Any]) -> tuple[str, ...]:
    return event["order"], event["id"], event["type"]


async def state(log: Log, order: str) -> OrderState:
    return fold(order, (await log.histories([order]))[order])


async def test_lines_become_events_in_their_order(pool: Pool, log: Log, config: Path, past: Past) -> None:
    """With their own times, recorded now, by who imported them; taken anew they add nothing."""
    path = past(marks(3000))
    found, _ = await imported(pool, config, path)
    assert (found.lines, found.appended, found.known, found.faults) == (3000, 3000, 0, 0)
    events = await log.read(0, 5000)
    assert [event.id for event in events] == [f"m{n}" for n in range(3000)]
    assert {event.actor for event in events} == {"import/anna"}
    assert {event.occurred_at.year for event in events} == {2022}
    assert min(event.recorded_at for event in events) > datetime.now(UTC) - timedelta(minutes=5)
    again, _ = await imported(pool, config, path)
    assert (again.appended, again.known, again.resumed) == (0, 3000, 0)
    assert await pool.fetchval("SELECT count(*) FROM okno.progress") == 0


async def test_a_bad_line_stops_nothing_and_can_be_mended(pool: Pool, log: Log, config: Path, past: Past) -> None:
    """It is put aside with its number and reason; mended, the file of rejected lines is imported itself."""
    lines: list[Any] = [*marks(6), "", "{", mark(7, subject="nowhere/1"), mark(8)]
    found, rejects = await imported(pool, config, past(lines))
    assert (found.appended, found.faults, rejects.count) == (7, 2, 2)
    told = [json.loads(line) for line in rejects.path.read_text().splitlines()]
    assert [(one["line"], one["reason"]) for one in told] == [(8, "broken_json"), (9, "unknown_channel")]
    rejects.path.write_text(rejects.path.read_text().replace("nowhere/1", "oz/1"))
    mended, _ = await imported(pool, config, rejects.path)
    assert (mended.appended, mended.faults) == (1, 1)
    assert (await ids(log))[-1] == "m7"
    again, rejects = await imported(pool, config, past(lines))
    assert (again.appended, rejects.count) == (0, 2), "rejected lines of the run before are not kept twice"


async def test_strict_stops_at_the_first_bad_line(pool: Pool, log: Log, config: Path, past: Past) -> None:
    """What stands before it is taken; the same file goes on at that line."""
    path = past([*marks(6), "{", mark(8)])
    for again in (False, True):
        found, rejects = await imported(pool, config, path, strict=True)
        assert (found.resumed, rejects.count) == (6 if again else 0, 1)
    assert await ids(log) == [f"m{n}" for n in range(6)]
    found, _ = await imported(pool, config, path)
    assert (found.resumed, found.appended) == (6, 1)


async def test_an_export_of_its_own_adds_nothing(
    pool: Pool, log: Log, config: Path, past: Past, databases: Databases
) -> None:
    """Into the same log none of it; into an empty one all but what that hub decided itself, people included."""
    await plant(log)
    whole = (await exported(pool, personal=True)).decode()
    lines = whole.strip("\n").split("\n")
    path = past(lines)
    found, _ = await imported(pool, config, path)
    assert (found.appended, found.faults) == (0, 0)
    url = await databases.create()
    async with opened(url) as other:
        found, _ = await imported(other, config, path)
        assert (found.appended, found.faults) == (len(lines), 0)
        there = [json.loads(line) for line in (await exported(other, personal=True)).splitlines()]
        again, _ = await imported(other, config, path)
        assert again.appended == 0
    new_to_it = ("position", "version", "cause", "actor", "recorded_at")
    here = [json.loads(line) for line in lines]
    here[1]["order"] = "ym-msk/1"  # the document it was said under is known from the first
    for event in (*here, *there):
        for name in new_to_it:
            del event[name]
    assert sorted(there, key=by_id) == sorted(here, key=by_id)
    await databases.drop(url)


async def test_what_a_marketplace_showed_long_ago_changes_no_live_order(
    pool: Pool, log: Log, config: Path, past: Past
) -> None:
    """The order as it was placed is known, an old status is stale; an order nobody knows is taken as it stands."""
    now, market = datetime.now(UTC), "channel/ym-msk"
    live = f.Placed(number="1", lines=(f.Line(sku="NEW", quantity=1),))
    await say(log, "ym-msk/1", "order.placed", live, market, occurred_at=now)
    await say(log, "ym-msk/1", "marketplace.seen", f.Seen(status="NOW", began_at=now), market, occurred_at=now)
    lines = [
        mark(1, "marketplace.seen", subject=subject, data={"status": "THEN", "stage": "delivered"}, id="s")
        for subject in ("ym-msk/1", "ym-msk/2")
    ]
    lines += [
        mark(2, "order.placed", subject=subject, data={"lines": [{"sku": "OLD", "quantity": 2}]}, id="p")
        for subject in ("ym-msk/1", "ym-msk/2")
    ]
    found, _ = await imported(pool, config, past(lines))
    assert (found.appended, found.known) == (3, 1)
    known, fresh = await state(log, "ym-msk/1"), await state(log, "ym-msk/2")
    assert (known.status, known.lines[0].sku, known.market_stage) == ("NOW", "NEW", None)
    assert (fresh.status, fresh.lines[0].sku, fresh.market_stage) == ("THEN", "OLD", "delivered")


async def test_people_go_beside_the_log_unless_they_were_erased(pool: Pool, log: Log, config: Path, past: Past) -> None:
    """As with live messages: the raw line too."""
    placed = {"data": {"customer": {"name": "Анна"}, "address": "Самара"}}
    path = past([mark(n, "order.placed", subject=f"ym-msk/{n}", **placed) for n in (1, 2)])
    position = await say(log, "ym-msk/2", "order.erased", f.Erased(reason="asked for"), "okno")
    await pool.execute("SELECT okno.erase('{ym-msk/2}', $1, '{}')", position)
    await imported(pool, config, path)
    assert list((await personal(log, "ym-msk/1")).values()) == [placed["data"]]
    assert "Анна" in (await log.body(2) or b"").decode()
    assert await personal(log, "ym-msk/2") == {}
    assert await log.body(3) is None
    assert not any("Анна" in event.data.decode() for event in await log.read(0))


async def test_live_events_come_in_between(pool: Pool, log: Log, config: Path, past: Past) -> None:
    """They wait for one part of an import at most, not for its end."""
    importing = asyncio.create_task(imported(pool, config, past(marks(12_000))))
    live = list[int]()
    while not importing.done():
        (appended,) = await log.append([new(f"live{len(live)}")])
        live.append(appended.position)
        await asyncio.sleep(0.01)
    found, _ = await importing
    assert found.appended == 12_000
    assert sum(1 < position < 12_000 for position in live) > 3


async def test_a_helper_that_dies_costs_no_line(pool: Pool, log: Log, config: Path, past: Past) -> None:
    """The process that understands lines is killed in the middle: what it was at is understood here, in order."""
    path, killed = past(marks(9000)), list[int]()

    def kill(_: int) -> None:
        for helper in multiprocessing.active_children():
            if not killed and helper.pid is not None:
                helper.kill()
                killed.append(helper.pid)

    with path.open("rb") as file:
        reader = Reader(file, load(config), "import/anna")
        found = await run(
            pool, BODY_KEY, reader, None, resumed=lambda _: None, faulty=lambda _: None, progress=kill
        )  # fmt: skip
    assert (found.lines, found.appended, len(killed)) == (9000, 9000, 1)
    assert await ids(log) == [f"m{n}" for n in range(9000)]
    assert multiprocessing.active_children() == []


async def test_a_line_of_many_events_is_appended_in_several_steps(
    pool: Pool, log: Log, config: Path, past: Past
) -> None:
    """However many events a line holds, no append holds the log's lock for more than its share."""
    every = marks(6000)
    found, _ = await imported(pool, config, past([json.dumps(every[n : n + 3000]) for n in (0, 3000)]))
    assert (found.lines, found.appended) == (2, 6000)
    assert await ids(log) == [f"m{n}" for n in range(6000)]
    most = await pool.fetchval("SELECT max(last_position - first_position + 1) FROM okno.seals")
    assert most <= SIZE


async def test_killed_anywhere_it_goes_on_where_it_was(
    pool: Pool, log: Log, config: Path, past: Past, databases: Databases
) -> None:
    """SIGKILL again and again: in the end each line once and in order, each bad one told once, and a whole log."""
    lines: list[Any] = marks(9000)
    for number in range(100, 9000, 1000):
        lines[number] = "{"
    path = past(lines)
    said, killed, gone = "", 0, 0
    while True:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("okno"), "import", str(path), "--config", str(config),
            stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        before = (await log.head()).position
        for _ in range(4000):
            if process.returncode is not None or killed == 4 or (await log.head()).position > before:
                break
            await asyncio.sleep(0.005)
        if killed < 4:
            await asyncio.sleep(random.Random(killed).random() * 0.15)
            if process.returncode is None:
                process.kill()
                killed += 1
        out, err = await process.communicate()
        said, gone = err.decode(), gone + 1
        if process.returncode is not None and process.returncode >= 0:
            break
    assert (process.returncode, killed >= 1, "going on behind line" in said) == (1, True, True), (said, out)
    assert await ids(log) == [f"m{n}" for n in range(9000) if n % 1000 != 100]
    told = [json.loads(line)["line"] for line in Path(f"{path}.rejected.jsonl").read_text().splitlines()]
    assert told == list(range(101, 9001, 1000))
    assert (await verify(pool, lambda done, total: None, BODY_KEY)).whole


def test_the_command_says_what_became_of_a_file(okno: Okno, past: Past) -> None:
    """A line in the end; 1 where lines were not taken, with the file that says why; JSON has the same."""
    hub: dict[str, Any] = {"type": "command.done", "source": "okno", "data": {"command": "c"}}
    good = okno("import", str(past([*marks(3), mark(9, **hub)])))
    assert (good.exit_code, good.stdout) == (
        0, "imported 3 events of 4 lines; 0 were known; skipped as a hub's own: command.done 1\n",
    ), good.output  # fmt: skip
    bad = okno("import", str(past([mark(4), "{"], "bad.jsonl")))
    assert bad.exit_code == 1
    assert "line 2: broken_json" in bad.stderr
    assert "bad.jsonl.rejected.jsonl" in bad.stderr
    shown = json.loads(okno("import", "--json", str(past(marks(3)))).stdout)
    assert (shown["appended"], shown["known"], shown["lines"]) == (0, 3, 3)
    assert okno("import", "/nowhere/at/all").exit_code == 2
    assert okno("import").exit_code == 2


def test_a_pipe_is_a_file_too(config: Path, past: Path) -> None:
    """`okno export … | okno import -`; what is bad is told in the terminal, all of it."""
    lines = "\n".join(json.dumps(line) for line in [*marks(3), *[mark(n, subject="x/1") for n in range(30)]])
    result = CliRunner().invoke(main, ["import", "-", "--config", str(config)], input=lines)
    assert (result.exit_code, result.stderr.count("unknown_channel")) == (1, 30), result.output
    assert "imported 3 events of 33 lines" in result.stdout
    words = [str(Path(sys.executable).with_name("okno")), "import", "-", "--config", str(config)]
    piped = subprocess.run(words, input=lines.encode(), capture_output=True, check=False, env=dict(os.environ))
    assert (piped.returncode, b"3 were known" in piped.stdout) == (1, True), piped.stderr


def test_a_line_that_is_no_line_is_passed_over(config: Path, past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than any event is told and not held in memory; the next one is taken."""
    monkeypatch.setattr("service.importing.running.MAX_LINE", 2000)
    path = past([mark(1), mark(2, data={"x": "y" * 9000}), mark(3)])
    with path.open("rb") as file:
        reader = Reader(file, load(config), "import/anna")
        lines = reader.lines(100)
        assert lines is not None
        part = reader.reading(BODY_KEY).part(lines)
        assert [row.id for row in part.rows] == ["m1", "m3"]
        assert [(fault.line, fault.reason) for fault in part.faults] == [(2, "too_large")]
        assert (part.end, reader.lines(100)) == (path.stat().st_size, None)
    assert encode(part.faults[0])
