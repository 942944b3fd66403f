"""What a running hub does by itself beside its messages."""

from pathlib import Path

from events.log import Log
from service import tokens
from service.database import Pool
from service.exchange.sessions import Sessions
from service.intake import Intake
from tests.app.test_run import Running, configuration, started
from tests.onec.broker import until
from tests.onec.making import SETTINGS, body, raw

__all__ = ["started"]  # a fixture


async def test_it_learns_of_1c_and_clears_old_sessions(
    tmp_path: Path, database_url: str, pool: Pool, started: list[Running]
) -> None:
    """A base that spoke before the start is known, and a session of the exchange that is over is gone."""
    await Intake(Log(pool, b"key"), SETTINGS).take([raw(body())])
    who = await tokens.find(pool, await tokens.add(pool, "ut", "onec"))
    assert who is not None
    await Sessions(pool).begin(who, "all")
    await pool.execute("UPDATE okno.exchange_sessions SET seen_at = now() - interval '2 hours'")
    started.append(Running("run", "--config", str(configuration(tmp_path, database_url))))

    async def cleared() -> bool:
        return not await pool.fetchval("SELECT count(*) FROM okno.exchange_sessions")

    async def learned() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM okno.talkers WHERE who = '1c/ut11'"))

    await until(cleared)
    await until(learned)


async def test_the_role_project_makes_rows_and_nothing_else(
    tmp_path: Path, database_url: str, pool: Pool, started: list[Running]
) -> None:
    """A process that only projects follows the log; what follows from a mark is left to a process with `react`."""
    await Intake(Log(pool, b"key"), SETTINGS).take([raw(body())])
    config = str(configuration(tmp_path, database_url))
    started.append(Running("run", "--config", config, "--role", "project"))

    async def followed() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM okno.orders"))

    await until(followed)
    assert await pool.fetchval("SELECT count(*) FROM okno.progress WHERE name = 'reactor'") == 0
    assert (await pool.fetchval("SELECT roles FROM okno.runs")) == ["project"]
