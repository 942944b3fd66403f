"""`okno whatif` over a log a hub made: nothing differs but what the trigger map changes, and nothing is written."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from events.log import Log
from events.order import facts as f
from events.order.reactions import Plan
from service import settings
from service.audit import whatif as w
from service.audit.supposing import Compared
from service.cli import main
from service.cli.frame import opened
from service.database import Pool
from service.leases import Leases
from service.plans import plan_of
from service.reactor import Reactor
from service.work import Work
from tests.projections.shop import MARKET, WHEN, confirmed, event, placed, registered

ORDERS = [f"ym-msk/{number}" for number in range(48_000_000, 48_000_006)]
CONFIG = """
data_dir = "{folder}/var"
[postgres]
url = "{url}"
[channels.ym-msk]
kind = "yandex"
model = "dbs"
business_id = 1
campaign_id = 2
api_key = "key"
"""


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    """A configuration with a channel."""
    path = tmp_path / "okno.toml"
    path.write_text(CONFIG.format(folder=tmp_path, url=database_url))
    return path


@pytest.fixture
def plans(config: Path) -> dict[str, Plan]:
    """What that channel is told."""
    return {name: plan_of(channel) for name, channel in settings.load(config).channels.items()}


async def react(pool: Pool, log: Log, plans: dict[str, Plan]) -> None:
    """The hub's reactor, up to the end."""
    reactor = Reactor(log, pool, Work(pool, "test"), plans, Leases(pool, "test"), dict.fromkeys(plans, 1.0), {})
    while await reactor.step():
        pass


async def live(pool: Pool, log: Log, plans: dict[str, Plan], orders: list[str]) -> None:
    """Orders through their stages; the reactor looks in between."""
    seen = f.Seen(status="PROCESSING/STARTED", stage="placed", began_at=WHEN)
    for order in orders:
        document = order[-1]
        await log.append([event(f"1c/d{document}", "order.confirmed", f.Confirmed()), placed(order)])
        await log.append([event(order, "marketplace.seen", seen, MARKET), registered(order, f"d{document}", "N-1")])
        await log.append([confirmed(order)])
    await react(pool, log, plans)
    for order in orders:
        await log.append([event(order, "order.shipped", f.Shipped(track="T"))])
        await log.append([event(order, "order.delivered", f.Delivered())])
    await react(pool, log, plans)


@pytest_asyncio.fixture
async def lived(pool: Pool, log: Log, plans: dict[str, Plan]) -> None:
    """A log of a hub that told all there was to tell."""
    await live(pool, log, plans, ORDERS)


Okno = Callable[..., Result]


@pytest.fixture
def okno(config: Path) -> Okno:
    """Calls `okno whatif` with that configuration."""
    return lambda *words: CliRunner().invoke(main, ["whatif", *words, "--config", str(config)])


async def contents(url: str) -> dict[str, Any]:
    """Every table's rows."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT oid::regclass::text AS name FROM pg_class "
                                        "WHERE relnamespace = 'okno'::regnamespace AND relkind = 'r'")  # fmt: skip
        return {t["name"]: str(await connection.fetch(f"SELECT * FROM {t['name']} ORDER BY 1")) for t in tables}
    finally:
        await connection.close()


def test_nothing_differs_with_todays_map(okno: Okno, lived: None) -> None:
    """The hub's own log, marks under documents and all: what was told is what would be."""
    result = okno()
    assert result.exit_code == 0, result.output
    assert "no difference" in result.output
    shown = [json.loads(line) for line in okno("--json").output.splitlines()]
    (summary,) = shown
    assert (summary["what"], summary["orders"], summary["differing"], summary["failed"]) == ("summary", 6, 0, 0)
    told = {(s["target"], s["action"]): s["told"] for s in summary["steps"]}
    assert told == {
        ("1c", "order.placed"): 6,
        **{("ym-msk", s): 6 for s in ("external_id", "delivery", "track", "delivered")},
    }


def test_another_map_shows_what_it_would_change(okno: Okno, lived: None, tmp_path: Path) -> None:
    """A table of sums, then the first orders with the fact behind each command; JSON has every one."""
    other = tmp_path / "other.toml"
    other.write_text('[channels.ym-msk.triggers]\nconfirmed = ["delivery"]\nshipped = []\ndelivered = ["delivered"]\n')
    text = okno("--triggers", str(other), "--limit", "3").output
    assert "12 differences in 6 orders" in text
    assert "… and 9 more: --limit 20" in text
    shown = [json.loads(line) for line in okno("--triggers", str(other), "--json").output.splitlines()]
    lines = [line for line in shown if line["what"] != "summary"]
    assert [line["what"] for line in lines] == ["other", "fewer"] * 6
    moved, gone = lines[:2]
    assert (moved["was"]["stage"], moved["would"]["stage"]) == ("shipped", "confirmed")
    assert (moved["action"], moved["would"]["because"]["type"]) == ("delivery", "order.confirmed")
    assert (gone["action"], gone["would"], gone["was"]["because"]["type"]) == ("track", None, "order.shipped")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[channels.ym-msk.triggers]\nshiped = ["delivery"]',
            "channels.ym-msk.triggers.shiped: there is no such stage",
        ),
        ('[channels.ym-msk.triggers]\nshipped = ["fly"]', "channels.ym-msk.triggers.shipped: 'fly' is no step"),
        ('[channels.ym-msk.triggers]\nshipped = "fly"', "channels.ym-msk.triggers.shipped"),
        ("[channels.ym-spb.triggers]\nshipped = []", "channels.ym-spb: there is no such channel"),
        ('[channels.ym-msk]\napi_key = "k"\ntriggers = {}', "api_key: there is no such key"),
        ("[postgres]", "there is no such key"),
        ("[", "not TOML"),
    ],
)
def test_a_map_that_cannot_be_tried_is_refused(okno: Okno, tmp_path: Path, text: str, says: str) -> None:
    """One line with the file and the path in it; used wrongly."""
    other = tmp_path / "other.toml"
    other.write_text(text)
    result = okno("--triggers", str(other))
    assert result.exit_code == 2
    assert f"okno: {other}: " in result.output
    assert says in result.output


async def test_only_what_was_asked_about(
    okno: Okno, pool: Pool, log: Log, plans: dict[str, Plan], lived: None, config: Path
) -> None:
    """By time, by order, by channel; a channel that is gone is told of and not compared."""
    since = (await log.head()).recorded_at + timedelta(microseconds=1)
    await live(pool, log, plans, ["ym-msk/99"])

    async def summary(*words: str) -> Any:
        result = await asyncio.to_thread(okno, "--json", *words)
        return json.loads(result.output.splitlines()[-1])

    later = await summary("--since", f"{since.isoformat()}")
    assert (later["orders"], later["differing"]) == (1, 0)
    assert (await summary("--order", ORDERS[0]))["orders"] == 1
    assert (await summary("--channel", "ym-msk"))["orders"] == 7
    assert (await asyncio.to_thread(okno, "--channel", "ym-spb")).exit_code == 2
    assert (await asyncio.to_thread(okno, "--order", "ym-msk/0")).exit_code == 1
    config.write_text(config.read_text().replace("ym-msk", "ym-spb"))
    gone = await summary()
    assert {(s["would"], s["more"] + s["fewer"]) for s in gone["steps"]} == {(None, 0)}
    text = (await asyncio.to_thread(okno)).output
    assert "ym-msk is not in the configuration any more" in text


async def test_the_reactors_lag_is_no_difference(pool: Pool, log: Log, plans: dict[str, Plan], lived: None) -> None:
    """Events the reactor has not come to are not asked about, nor is a request it makes meanwhile missed."""
    await log.append([confirmed("ym-msk/7"), placed("ym-msk/8")])
    assert [one for one in await compared(pool, log, plans) if one.differences] == []
    every = await w.span(pool, log, None)
    assert every.until == (await log.head()).position - 2


async def compared(pool: Pool, log: Log, plans: dict[str, Plan]) -> list[Compared]:
    """Every order."""
    found = [one async for one in w.whatif(pool, log, plans, await w.span(pool, log, None))]
    return [one for one in found if isinstance(one, Compared)]


async def test_an_order_todays_code_fails_on_stops_no_other(
    pool: Pool, log: Log, plans: dict[str, Plan], lived: None
) -> None:
    """It is told of with the error; the rest is compared."""

    def failing(state: Any) -> bool:
        return bool(1 / (state.order != ORDERS[0]))

    plan = plans["ym-msk"]
    bad = replace(plan, steps={**plan.steps, "delivery": replace(plan.steps["delivery"], applies=failing)})
    found = [one async for one in w.whatif(pool, log, {"ym-msk": bad}, await w.span(pool, log, None))]
    assert [one.order for one in found if isinstance(one, w.Failed)] == [ORDERS[0]]
    assert [one.order for one in found if isinstance(one, Compared)] == ORDERS[1:]


async def test_nothing_is_written(okno: Okno, database_url: str, lived: None, tmp_path: Path) -> None:
    """Every table is as it was, and the session has no right to make it otherwise."""
    before = await contents(database_url)
    other = tmp_path / "other.toml"
    other.write_text('[channels.ym-msk.triggers]\nconfirmed = ["delivery"]\n')
    assert (await asyncio.to_thread(okno, "--triggers", str(other))).exit_code == 0
    assert await contents(database_url) == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO okno.progress (name, position) VALUES ('reactor', 1)",
        "UPDATE okno.dispatch SET due_at = now()",
        "DELETE FROM okno.attempts",
        "UPDATE okno.head SET position = 0",
        f"SELECT okno.append_batch({', '.join(['NULL'] * 21)})",
    ],
)
async def test_its_session_cannot_write(config: Path, lived: None, statement: str) -> None:
    """The role has no right to, also where it would not be held to reading."""
    async with opened(settings.load(config), reading=True) as (pool, _), pool.acquire() as connection:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
            await connection.execute(statement)
        await connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


def test_it_loads_nothing_that_can_send(config: Path, lived: None) -> None:
    """A process that asked has neither the dispatcher nor a client of any kind in it."""
    asks = (
        "import sys\nfrom service.cli import main\n"
        f"main(['whatif', '--json', '--config', {str(config)!r}], standalone_mode=False)\n"
        "names = ('aiohttp', 'aio_pika', 'service.dispatcher', 'service.http_client', 'service.sending')\n"
        "assert not [name for name in names if name in sys.modules]\n"
    )
    subprocess.run([sys.executable, "-c", asks], check=True, capture_output=True, cwd=Path(__file__).parents[1])
