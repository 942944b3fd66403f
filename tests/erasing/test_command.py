"""`okno erase` as a lawyer meets it: what is shown and asked, the act, and a death in the middle."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from tests.erasing.planted import BUYER, NAME, OTHER, REASON
from tests.onec.making import ORDER

Okno = Callable[..., Result]


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    """A configuration with the channel of the planted order."""
    path = tmp_path / "okno.toml"
    path.write_text(f"""
data_dir = "{tmp_path}/var"
timezone = "Europe/Samara"
[postgres]
url = "{database_url}"
[channels.ym-msk]
kind = "yandex"
model = "dbs"
business_id = 1
campaign_id = 2
api_key = "key"
""")
    return path


@pytest.fixture
def okno(config: Path) -> Okno:
    """Calls `okno` with that configuration."""

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(config)])

    return call


def asked(url: str, query: str) -> list[Any]:
    """What the database answers its owner."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(ask())


ERASED = "SELECT position FROM okno.events WHERE type = 'order.erased'"


def test_it_shows_what_goes_and_wants_a_yes(okno: Okno, planted: None, database_url: str) -> None:
    """Where nobody can be asked it takes --yes; without a reason, or with one that names the buyer, nothing happens."""
    for words in (("--reason", REASON), ("--yes",), ("--yes", "--reason", f"звонил {NAME}"), ("--reason", "")):
        assert okno("erase", ORDER, *words).exit_code == 2, words
    shown = okno("erase", ORDER, "--reason", REASON).stderr
    for part in (ORDER, "4 events", "7 raw messages", "phone", "rejected message", "under way", "--yes"):
        assert part in shown, part
    assert asked(database_url, ERASED) == []


def test_the_act_is_printed_and_can_be_had_again(okno: Okno, planted: None, database_url: str, tmp_path: Path) -> None:
    """stdout is the act and nothing else; the same once more where nothing is left, and no second fact."""
    done = okno("erase", ORDER, "--reason", REASON, "--yes")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"АКТ № {ORDER}-")
    assert REASON in done.stdout
    assert not any(said in done.output for said in BUYER)
    again = okno("erase", ORDER)
    assert (again.exit_code, again.stdout) == (0, done.stdout)
    assert "nothing to destroy; erased at position" in again.stderr
    paper = tmp_path / "act.txt"
    assert okno("erase", ORDER, "--act", str(paper)).exit_code == 0
    assert paper.read_text() == done.stdout
    assert okno("erase", ORDER, "--act", str(paper)).exit_code == 2, "an act is never written over"
    shown = json.loads(okno("erase", ORDER, "--json").stdout)
    assert shown["text"] + "\n" == done.stdout
    assert (shown["extract"]["personal"], shown["reason"], shown["system"]["name"]) == (4, REASON, "Okno")
    assert len(asked(database_url, ERASED)) == 1
    proved = okno("verify", "--since", shown["extract"]["seal"])
    assert proved.exit_code == 0, proved.output
    assert okno("verify", "--since", "ab" * 32).exit_code == 1


def test_several_at_once_and_none_where_one_is_unknown(okno: Okno, planted: None, database_url: str) -> None:
    """All of them or none: a misspelt key stops it before anything is destroyed."""
    wrong = okno("erase", ORDER, "ym-msk/4", "--reason", REASON, "--yes")
    assert (wrong.exit_code, wrong.stderr.count("\n"), "--find" in wrong.stderr) == (1, 1, True)
    assert asked(database_url, ERASED) == []
    assert okno("erase", ORDER, OTHER, "--reason", REASON, "--yes", "--json").stdout.count("\n") == 2
    assert asked(database_url, "SELECT * FROM okno.personal") == []
    assert okno("erase").exit_code == 2


@pytest.mark.parametrize("wanted", ["8 999 555-01-23", "Аристарх Хризантемов", "ARISTARCH@example.com"])
def test_a_person_is_found_without_a_number(okno: Okno, planted: None, wanted: str) -> None:
    """By phone, name or address of mail: his orders, and rejected messages that name him."""
    lines = [json.loads(line) for line in okno("erase", "--find", wanted, "--json").stdout.splitlines()]
    assert [line["order"] for line in lines if line["order"]] == [ORDER]
    if wanted.startswith("Аристарх"):
        assert len(lines[-1]["rejected"]) == 2
    assert ORDER in okno("erase", "--find", wanted).stdout


def test_nobody_is_found_or_everybody_is_meant(okno: Okno, planted: None) -> None:
    """Another phone finds nobody; what could be anybody, or an order beside it, is used wrongly."""
    assert "nobody" in okno("erase", "--find", "+7 999 555-01-24").stdout
    assert okno("erase", "--find", "12").exit_code == 2
    assert okno("erase", ORDER, "--find", NAME).exit_code == 2


def test_killed_before_the_commit_nothing_happened(okno: Okno, planted: None, config: Path, database_url: str) -> None:
    """The fact is appended, the deletion waits for a row somebody holds: then it is killed. Once more, it is done."""
    script = str(Path(sys.executable).with_name("okno"))
    words = [script, "erase", ORDER, "--reason", REASON, "--yes", "--config", str(config)]

    async def kill() -> None:
        holder = await asyncpg.connect(database_url)
        async with holder.transaction():
            await holder.execute(f"SELECT FROM okno.personal WHERE order_key = '{ORDER}' FOR UPDATE")
            process = subprocess.Popen(  # noqa: ASYNC220  # nothing else runs here
                words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            until = time.monotonic() + 30
            waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT granted"
            while not await holder.fetchval(f"{waiting} AND a.datname = current_database()"):
                assert time.monotonic() < until, process.poll()
                await asyncio.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            out, _ = process.communicate()
            assert (process.returncode, out) == (-signal.SIGKILL, b"")
        await holder.close()

    asyncio.run(kill())
    assert asked(database_url, ERASED) == []
    assert asked(database_url, "SELECT count(*) FROM okno.rejected WHERE reason = 'erased'") == [(0,)]
    done = okno("erase", ORDER, "--reason", REASON, "--yes")
    assert (done.exit_code, len(asked(database_url, ERASED))) == (0, 1), done.output
