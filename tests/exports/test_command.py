"""`okno export` as its users meet it: words, files, what is left when it is stopped."""

import asyncio
import csv
import io
import json
import os
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.exports.conftest import Okno
from tests.exports.planted import HARD

EVENTS = 5 + len(HARD)


def test_without_a_word_it_is_events(okno: Okno, planted: None) -> None:
    """To stdout as JSON lines; what was exported stands on stderr."""
    plain = okno("export")
    assert (plain.exit_code, len(plain.stdout.splitlines())) == (0, EVENTS), plain.output
    assert plain.stdout == okno("export", "--format", "jsonl").stdout == okno("export", "events").stdout
    assert plain.stdout == okno("events", "--json").stdout
    assert f"up to position {EVENTS}" in plain.stderr


def test_what_stands_before_the_word_counts_for_it(okno: Okno, planted: None) -> None:
    """`export --format csv orders` is `export orders --format csv`; what stands behind counts more."""
    said = okno("export", "orders", "--format", "csv", "--channel", "oz")
    assert (said.exit_code, "as of position" in said.stderr) == (0, True), said.output
    assert okno("export", "--format", "csv", "--channel", "oz", "orders").stdout == said.stdout
    assert okno("export", "--format", "csv", "orders", "--format", "jsonl").stdout.startswith("{")
    (row,) = csv.DictReader(io.StringIO(said.stdout))
    assert row["order"] == "oz/2"
    until = okno("export", "--until", "2026-03-02T09:30:00Z", "orders").stdout
    assert json.loads(until)["order"] == "ym-msk/1"


def test_a_file_replaces_the_one_before(okno: Okno, planted: None, tmp_path: Path) -> None:
    """Nothing else is left beside it."""
    folder = tmp_path / "out"
    folder.mkdir()
    for form in ("parquet", "csv"):
        assert okno("export", "events", "--format", form, "-o", str(folder / "log")).exit_code == 0
        assert [path.name for path in folder.iterdir()] == ["log"]
    assert (folder / "log").read_bytes().startswith(b"position,order")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--format", "xml"), 2, "xml"), (("--since", "yesterday"), 2, "yesterday"), (("--bom",), 2, "--bom"),
        (("--order", "ym-msk/99"), 1, "CHANNEL/NUMBER"), (("--channel", "ym"), 1, "there are oz, ym-msk"),
        (("-o", "/nowhere/at/all"), 1, "name another file"),
    ],
)  # fmt: skip
def test_slips_are_one_line(okno: Okno, planted: None, words: tuple[str, ...], code: int, says: str) -> None:
    """What, where, what to do; and no empty file that reads as "there are none"."""
    result = okno("export", *words)
    assert (result.exit_code, says in result.stderr, result.stdout) == (code, True, "")


@pytest.mark.parametrize(("sent", "code", "left"), [(signal.SIGINT, 130, []), (signal.SIGKILL, -9, ["log.part"])])
async def test_stopped_half_way_it_leaves_no_half_file(
    planted: None, config: Path, database_url: str, tmp_path: Path, sent: signal.Signals, code: int, left: list[str]
) -> None:
    """Under the final name there is the file of before, whatever stops it; Ctrl-C leaves nothing else."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "log").write_text("of before")
    owner = await asyncpg.connect(database_url)
    held = owner.transaction()
    await held.start()
    await owner.execute("LOCK TABLE okno.events IN ACCESS EXCLUSIVE MODE")  # the export waits in its first piece
    words = ("export", "--format", "csv", "-o", str(folder / "log"), "--config", str(config))
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("okno"), *words, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COVERAGE_PROCESS_START": ""},
    )  # fmt: skip
    while not (folder / "log.part").exists() or not await _waits(owner):
        assert process.returncode is None
        await asyncio.sleep(0.05)
    process.send_signal(sent)
    assert await asyncio.wait_for(process.wait(), 20) == code
    await held.rollback()
    await owner.close()
    assert (folder / "log").read_text() == "of before"
    assert sorted(path.name for path in folder.iterdir()) == ["log", *left]


async def _waits(owner: asyncpg.Connection) -> bool:
    return bool(await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
