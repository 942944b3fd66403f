"""`okno` with a configuration of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from events.log import Log
from service.cli import main
from service.database import Pool
from tests.exports.planted import plant
from tests.servers import project

Okno = Callable[..., Result]


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    """A configuration with two channels that answer nowhere."""
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
[channels.oz]
kind = "ozon"
model = "rfbs"
base_url = "http://127.0.0.1:9"
client_id = "1"
api_key = "key"
""")
    return path


@pytest.fixture
def okno(config: Path) -> Okno:
    """Calls `okno` with that configuration."""

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(config)])

    return call


@pytest_asyncio.fixture
async def planted(pool: Pool, log: Log) -> None:
    """The log and its rows."""
    await plant(log)
    await project(pool, log)
