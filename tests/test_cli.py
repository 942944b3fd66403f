"""Commands as their users meet them: what they print, and the exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from events.codec import encode, own_event
from events.log import Log
from events.order import facts as f
from events.recorded import NewEvent
from service import database
from service.cli import main
from tests.servers import project

ORDER = "ym-msk/48123456"
Okno = Callable[..., Result]


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    """A configuration with a channel that answers nowhere."""
    path = tmp_path / "okno.toml"
    path.write_text(f"""
data_dir = "{tmp_path}/var"
[postgres]
url = "{database_url}"
[channels.ym-msk]
kind = "yandex"
model = "dbs"
base_url = "http://127.0.0.1:9"
business_id = 1
campaign_id = 2
api_key = "key"
hook_secret = "a-long-random-word-of-the-hook"
""")
    return path


@pytest.fixture
def okno(config: Path) -> Okno:
    """Calls `okno` with that configuration."""

    def call(*words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(config)], input=given)

    return call


@pytest_asyncio.fixture
async def filled(database_url: str, tmp_path: Path) -> None:
    """An order with a refused step, and its rows."""
    from service.body_key import body_key

    pool = await database.open_pool(database_url, size=2)
    log = Log(pool, body_key(tmp_path / "var"))
    wanted = f.CommandRequested(command="c1", target="ym-msk", action="delivery", stage="shipped")
    outcome = f.CommandOutcome(command="c1", attempts=3, code="NO", message="No transition found", hint="look")
    await log.append([
        NewEvent(order=ORDER, type="order.placed", source="channel/ym-msk", id="1", digest=b"1", actor="channel/ym-msk",
                 data=encode(f.Placed(number="48123456")), body=b"{}"),
        NewEvent(order=ORDER, type="order.shipped", source="1c/ut11", id="2", digest=b"2", actor="1c/ut11", data=b"{}"),
        own_event(ORDER, "command.requested", "c1", wanted, 2),
        own_event(ORDER, "command.refused", "c1/0/refused", outcome, 3),
    ])  # fmt: skip
    await project(pool, log)
    await pool.close()


def test_a_token_is_the_last_line(okno: Okno) -> None:
    """Printed once; what it is stands beside it."""
    result = okno("token", "add", "1c", "--role", "onec")
    assert result.exit_code == 0
    assert result.stdout.strip().splitlines()[-1].startswith("okno_")
    assert okno("token", "add", "1c", "--role", "king").exit_code == 2
    assert okno("token", "add", "import/anna", "--role", "operator").exit_code == 2


def test_replay_tells_an_orders_story(okno: Okno, filled: None) -> None:
    """Events with what was answered, and the state then; JSON has the same."""
    told = okno("replay", ORDER)
    assert told.exit_code == 0
    for part in ("order.shipped", "No transition found", "shipped, version 4"):
        assert part in told.output
    shown = json.loads(okno("replay", ORDER, "--version", "1", "--json").output)
    assert ([e["type"] for e in shown["events"]], shown["state"]["stage"]) == (["order.placed"], "placed")


def test_replay_says_who_was_late_and_shows_what_was_received(okno: Okno, filled: None) -> None:
    """What changed, the verdict, and with --raw the message; --known-at goes with --version."""
    told = okno("replay", ORDER, "--raw").output
    for part in ("* stage: placed → shipped", "raw: {}", "shipped (delivery): no deadline is known, refused: NO"):
        assert part in told, part
    assert "raw:" not in okno("replay", ORDER).output
    known = okno("replay", ORDER, "--version", "1", "--known-at", "2100-01-01", "--json")
    assert [e["type"] for e in json.loads(known.output)["events"]] == ["order.placed"]


def test_replay_of_nothing_says_so(okno: Okno) -> None:
    """One line, exit code 1; options that exclude each other are used wrongly."""
    result = okno("replay", "ym-msk/1")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert okno("replay", "ym-msk/1", "--version", "1", "--at", "2026-01-01").exit_code == 2
    assert okno("replay", "ym-msk/1", "--at", "yesterday").exit_code == 2


def test_events_are_the_log_in_order(okno: Okno, filled: None) -> None:
    """A line an event behind a position."""
    lines = okno("events", "--after", "1", "--json").output.splitlines()
    assert [json.loads(line)["position"] for line in lines] == [2, 3, 4]
    assert len(okno("events").output.splitlines()) == 4


async def _tamper(url: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute("ALTER TABLE okno.events DISABLE TRIGGER ALL")
    await owner.execute('UPDATE okno.events SET data = \'{"track":"x"}\' WHERE position = 2')
    await owner.close()


def test_verify_finds_what_was_altered(okno: Okno, filled: None, database_url: str) -> None:
    """Whole: 0 and the seal. Altered: 1 and the position."""
    import asyncio

    whole = okno("verify")
    assert (whole.exit_code, "seal " in whole.output) == (0, True)
    asyncio.run(_tamper(database_url))
    altered = okno("verify")
    assert (altered.exit_code, "position 2" in altered.stderr) == (1, True)


def test_rebuild_mends_what_check_finds(okno: Okno, filled: None, database_url: str) -> None:
    """--check: 1 where something differs, and no change; rebuild swaps; then nothing differs."""
    import asyncio

    async def spoil() -> None:
        owner = await asyncpg.connect(database_url)
        await owner.execute("UPDATE okno.orders SET stage = 'wrong'")
        await owner.close()

    asyncio.run(spoil())
    found = okno("rebuild", "--all", "--check")
    assert (found.exit_code, "wrong" in found.output) == (1, True)
    assert okno("rebuild", "orders").exit_code == 0
    assert okno("rebuild", "--all", "--check").exit_code == 0
    assert okno("rebuild").exit_code == 2
    assert okno("rebuild", "nothing").exit_code == 2


def test_a_failed_command_is_shown_and_retried(okno: Okno, filled: None) -> None:
    """The reason and the hint are there; a second retry finds nothing to do."""
    shown = json.loads(okno("commands", "--state", "failed", "--json").output)
    assert (shown["id"], shown["answer"]["hint"]) == ("c1", "look")
    assert "No transition found" in okno("commands").output
    assert okno("retry", "c1").exit_code == 0
    assert (okno("retry", "c1").exit_code, okno("retry").exit_code) == (1, 2)
    assert "tried again: 0" in okno("retry", "--all-failed").output


def test_doctor_says_what_to_do(okno: Okno) -> None:
    """What is within reach is ok; the channel that answers nowhere fails, with the way to look."""
    result = okno("doctor")
    assert result.exit_code == 1
    for part in ("FAIL  channel ym-msk", "base_url", "ok    postgres"):
        assert part in result.output


def test_a_postgres_that_is_too_old_is_said_in_one_line(okno: Okno, monkeypatch: pytest.MonkeyPatch) -> None:
    """By every command, before anything is changed in it."""
    monkeypatch.setattr(database, "OLDEST", 1000)
    for command in ("events", "migrate", "export"):
        result = okno(command)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "Okno needs 1000 or newer: let postgres.url name another one" in result.stderr
    assert "Okno needs 1000 or newer" in okno("doctor").output


def test_send_without_a_broker_wants_a_token(okno: Okno) -> None:
    """One line that says how to make one."""
    result = okno("send", given="{}")
    assert (result.exit_code, "okno token add" in result.stderr) == (1, True)


def test_a_schema_that_is_there_is_up_to_date(okno: Okno) -> None:
    """`okno migrate` says so."""
    assert okno("migrate").output == "up to date\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "x"),
        ("[http]\nport = 'a'", "http.port"),
        ("not toml", "TOML"),
        ("[channels.A]\nkind = 'yandex'", "channels.A"),
    ],
)
def test_a_faulty_configuration_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    """Exit code 2, and the path of what is wrong."""
    path = tmp_path / "okno.toml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["events", "--config", str(path)])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr


def test_a_missing_configuration_and_a_missing_postgres_are_one_line(tmp_path: Path) -> None:
    """What, where, what to do."""
    assert CliRunner().invoke(main, ["events", "--config", str(tmp_path / "none.toml")]).exit_code == 2
    path = tmp_path / "okno.toml"
    path.write_text('[postgres]\nurl = "postgresql://okno@127.0.0.1:9/okno"')
    result = CliRunner().invoke(main, ["events", "--config", str(path)])
    assert (result.exit_code, result.stderr.count("\n"), "postgres.url" in result.stderr) == (1, 1, True)


def test_what_no_log_holds_is_used_wrongly(okno: Okno) -> None:
    """A misspelt state does not read as "nothing is stuck"; a position past all positions has no trace."""
    for words in (
        ("commands", "--state", "stuck"),
        ("events", "--after", "9" * 23),
        ("replay", ORDER, "--version", "0"),
    ):
        result = okno(*words)
        assert (words, result.exit_code) == (words, 2), result.output
