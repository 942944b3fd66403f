"""What tests stand on: a real Postgres, a real RabbitMQ, and marketplaces' answers without a network.

OKNO_TEST_POSTGRES_URL names another Postgres (its user must be allowed to create databases). OKNO_TEST_AMQP_URL names
another RabbitMQ, with its management plugin on port 15672 or at OKNO_TEST_RABBITMQ_API. OKNO_TEST_EXAMPLES is how many
examples of a property are tried.
"""

import inspect
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from aioresponses import aioresponses
from hypothesis import settings

from events.log import Log
from service.database import Pool
from service.embedded import EmbeddedPostgres, find_rabbitmq, start_postgres
from tests.servers import BODY_KEY, Broker, Databases, named_broker, opened, own_broker

NO_BROKER = "no RabbitMQ here"

# Ctrl-C counts for what tests start, also where they run in a shell's background, which ignores it and hands that on.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Examples take as long as a busy machine makes them; nothing is written beside the tests.
EXAMPLES = int(os.environ.get("OKNO_TEST_EXAMPLES", "100"))
settings.register_profile("okno", deadline=None, database=None, max_examples=EXAMPLES)
settings.load_profile("okno")


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where the session's servers keep their data."""
    with tempfile.TemporaryDirectory(prefix="okno-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # root's Postgres runs as another user
        yield Path(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded_postgres(server_folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """The session's own Postgres, to be killed and started again by the tests of such."""
    server = await start_postgres(server_folder)
    # Tests kill the server, never the machine: what the system has taken is safe without being on the disk. And as a
    # database serves many tests, none of them may find that Postgres has just counted what an earlier one wrote.
    connection = await asyncpg.connect(server.url)
    for setting in ("fsync", "full_page_writes", "autovacuum"):
        await connection.execute(f"ALTER SYSTEM SET {setting} = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """An administrator's URL of the Postgres under test."""
    named = os.environ.get("OKNO_TEST_POSTGRES_URL")
    if named:
        return named
    server: EmbeddedPostgres = request.getfixturevalue("embedded_postgres")
    return server.url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(postgres_url: str) -> AsyncIterator[Databases]:
    """Makes databases with the schema in place."""
    made = Databases(postgres_url)
    yield made
    await made.drop_all()


@pytest_asyncio.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A database for this test alone, migrated and empty."""
    url = await databases.lend()
    yield url
    await databases.take_back(url)


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections with the hub's rights and no more."""
    async with opened(database_url) as pool:
        yield pool


@pytest.fixture
def log(pool: Pool) -> Log:
    """The log of that database."""
    return Log(pool, BODY_KEY)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rabbitmq(server_folder: Path) -> AsyncIterator[Broker]:
    """The RabbitMQ under test."""
    named = os.environ.get("OKNO_TEST_AMQP_URL")
    if not named and find_rabbitmq() is None:
        pytest.skip(f"{NO_BROKER}: install rabbitmq-server, or name one in OKNO_TEST_AMQP_URL")
    broker = named_broker(named) if named else await own_broker(server_folder)
    yield broker
    if broker.node is not None:
        await broker.node.stop()


@pytest.fixture
def amqp_url(rabbitmq: Broker) -> Iterator[str]:
    """A virtual host of the test's own: it finds no queue there, and leaves none behind."""
    name = rabbitmq.add_virtual_host()
    yield rabbitmq.url_of(name)
    rabbitmq.remove_virtual_host(name)


@pytest.fixture
def restartable_rabbitmq(rabbitmq: Broker) -> Broker:
    """A RabbitMQ that may be stopped and killed, as `rabbitmq.node`."""
    if rabbitmq.node is None:
        pytest.skip("OKNO_TEST_AMQP_URL names a RabbitMQ that is not ours to stop")
    return rabbitmq


@pytest.fixture
def http_mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Answers instead of a network; requests to 127.0.0.1 go through.

    aioresponses 0.7.9 builds aiohttp's ClientResponse without `stream_writer`, which aiohttp 3.14 requires
    (pnuckowski/aioresponses#289): it is given here, until a release has the mend of #288.
    """
    accepted = inspect.signature(aiohttp.ClientResponse.__init__).parameters
    if "stream_writer" in accepted:
        monkeypatch.setattr("aioresponses.core.ClientResponse", _ClientResponse)
    with aioresponses(passthrough=["http://127.0.0.1"]) as answers:
        yield answers


class _StreamWriter:
    output_size = 0


class _ClientResponse(aiohttp.ClientResponse):
    def __init__(self, *arguments: object, **named: object) -> None:
        named.setdefault("stream_writer", _StreamWriter())
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # whatever aioresponses passes


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the tests, each begins with some of the long ones: none is left for the end.

    xdist's worksteal gives every process an equal piece of the list; who has done with his takes from others' ends.
    """
    processes: int = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for item in items if item.get_closest_marker("long")]
    short = iter([item for item in items if not item.get_closest_marker("long")])
    if processes > 1:
        ordered: list[pytest.Item] = []
        for n in range(processes):
            end = len(ordered) + (len(items) - len(ordered)) // (processes - n)
            ordered += long[n::processes]
            ordered += islice(short, max(0, end - len(ordered)))
        items[:] = ordered


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says loudly how many promises were not looked at for want of a broker."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_BROKER in str(report.longrepr)]
    if skipped:
        terminalreporter.section("RabbitMQ is missing", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(skipped)} TESTS WERE SKIPPED: install rabbitmq-server, or name one in OKNO_TEST_AMQP_URL", red=True
        )
