"""The demo: the sandbox marketplaces, the hub and a pretend 1C in one process.

A configuration with channels of its own sells for real: the demo then leaves its Postgres, its RabbitMQ and its log
alone and keeps to a folder of its own. Started are, in this order, and ended in the reverse one: the sandboxes (whose
lock says that no other demo runs here), Postgres, RabbitMQ, the hub, 1C.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from random import Random
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from service import app, database, tokens
from service.demo import channels
from service.demo.keeping import Running
from service.demo.onec import OneC
from service.demo.pace import pace
from service.demo.roads import TIMEOUT, Api, OverHttp, OverRabbitMQ
from service.demo.sandbox import Sandbox, opened
from service.embedded import EmbeddedServerError, start_rabbitmq
from service.embedded.folders import free_port
from service.loops import forever
from service.onec import topology
from service.onec.amqp import BROKER_ERRORS, connect
from service.settings import Http, Postgres, RabbitMQ, Settings
from service.web.server import AddressTaken

NO_BROKER: Final = "none"
"""In the place of a broker's URL: work without one, as where no RabbitMQ is installed."""

T = TypeVar("T")
Echo = Callable[[str], None]


class _StoppedError(Exception):
    """Stop was asked for before everything had started."""


async def show(settings: Settings, rabbitmq: str | None, stop: asyncio.Event, echo: Echo) -> None:
    """Runs the demo until `stop` is set; `rabbitmq` is a broker's URL, `none`, or None for what there is."""
    own = set(settings.channels) - set(channels.shops())
    if own:
        echo("The configuration sells for real: the demo leaves its servers and its log alone")
        apart = {"data_dir": settings.data_dir / "demo", "postgres": Postgres(), "rabbitmq": RabbitMQ()}
        settings = msgspec.structs.replace(settings, **apart)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(opened(settings.data_dir, (channels.SANDBOX_PORT, 0), pace()))
        url = await stack.enter_async_context(database.server(settings.postgres.url, settings.data_dir))
        try:
            settings = await _with_broker(settings, rabbitmq, stop, stack, echo)
        except _StoppedError:
            return
        settings = channels.selling_at(settings, sandbox.url)
        known = await _tokens(url)
        for port in (settings.http.port, free_port()):
            settings = msgspec.structs.replace(settings, http=Http(settings.http.host, port))
            sandbox.tell(Running(os.getpid(), sandbox.url, port, settings.rabbitmq.url))
            if await _listened(_Shown(settings, sandbox, known, echo, beside=not own).run(stop)):
                return
        raise EmbeddedServerError(f"ports {settings.http.port} and another one were taken meanwhile: start again")


async def _listened(run: Coroutine[Any, Any, None]) -> bool:
    """Runs the hub to its end; False where its port was taken."""
    try:
        await run
    except ExceptionGroup as errors:
        if errors.subgroup(AddressTaken) is None:
            raise
        return False
    return True


async def _tokens(url: str) -> dict[str, str]:
    """For the page, for 1C's messages, and for the clerk who looks up what was left open. Older ones end."""
    pool = await database.open_pool(url, size=1)
    try:
        roles = {"demo": "admin", "demo-1c": "onec", "demo-clerk": "auditor"}
        return {role: await tokens.add(pool, name, role) for name, role in roles.items()}
    finally:
        await database.close(pool)


async def _with_broker(
    settings: Settings, wanted: str | None, stop: asyncio.Event, stack: AsyncExitStack, echo: Echo
) -> Settings:
    """The settings with the broker there is, and a line that says which."""
    url = settings.rabbitmq.url if wanted is None else wanted
    if url is None:
        node = await _unless(stop, start_rabbitmq(settings.data_dir))
        if node is None:
            echo("RabbitMQ: none, its server is not installed; 1C talks to the hub over HTTP")
        else:
            stack.push_async_callback(node.stop)
            url = node.url
            echo(f"RabbitMQ: a private node in {node.folder}, {url}")
    elif url == NO_BROKER:
        url = None
        echo("RabbitMQ: none, as asked; 1C talks to the hub over HTTP")
    else:
        echo(f"RabbitMQ: the one at {urlsplit(url).netloc.rpartition('@')[2]}")
    broker = msgspec.structs.replace(settings.rabbitmq, url=url)
    if url is not None:
        await _prepare(broker, topology.told(settings.onec, settings.channels))
    return msgspec.structs.replace(settings, rabbitmq=broker)


async def _prepare(broker: RabbitMQ, told: list[topology.Told]) -> None:
    """Queues in place before anybody looks for them, and a broker that can't be used found out at once."""
    assert broker.url is not None
    try:
        async with await connect(broker.url, "okno demo") as connection:
            await topology.declare(connection, broker.partitions, told)
    except (*BROKER_ERRORS, ValueError) as error:
        where, why = urlsplit(broker.url).netloc.rpartition("@")[2], " ".join(str(error).split())
        text = f"RabbitMQ at {where} can't be used ({why or type(error).__name__}): name another one, or none"
        raise EmbeddedServerError(text) from error


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """What comes of work that takes long, or `_StoppedError` as soon as `stop` is set."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise _StoppedError
    finally:
        stopped.cancel()
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


class _Shown:
    """The hub and 1C, once all that they stand on is there."""

    def __init__(
        self, settings: Settings, sandbox: Sandbox, known: dict[str, str], echo: Echo, *, beside: bool
    ) -> None:
        self._settings, self._sandbox, self._known, self._echo = settings, sandbox, known, echo
        self._beside = beside
        self._url = ""
        self._up = asyncio.Event()
        self._said = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set, or the hub fails."""
        async with asyncio.TaskGroup() as group:
            hub = group.create_task(app.run(self._settings, frozenset(app.ROLES), stop, self._started))
            onec = group.create_task(self._onec())
            ended = group.create_task(stop.wait())
            await asyncio.wait({hub, ended}, return_when=asyncio.FIRST_COMPLETED)
            onec.cancel()
            ended.cancel()

    def _started(self, url: str) -> None:
        self._url = url
        self._sandbox.notify(url)
        self._up.set()

    async def _onec(self) -> None:
        await self._up.wait()
        broker, folder = self._settings.rabbitmq.url, self._settings.data_dir
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            own, clerk = (Api(session, self._url, self._known[role]) for role in ("onec", "auditor"))
            over_http = OverHttp(own, folder / "sandbox.cursor", pace()(1))
            road = OverRabbitMQ(broker) if broker is not None else over_http
            ways = {name: way for trial in self._sandbox.trials.values() for name, way in trial.ways.items()}
            random = Random(time.time_ns())  # noqa: S311  # chance, not secrets
            onec = OneC(road, clerk, ways, self._settings.timezone, pace(), random, self._sandbox.code)
            try:
                await forever("1c", lambda: onec.run(self._explain))
            finally:
                await road.close()

    def _explain(self) -> None:
        """Says once where to look and what to try."""
        if self._said:
            return
        self._said = True
        sandbox, titles = self._sandbox, [trial.title for trial in self._sandbox.trials.values()]
        self._echo(
            f"\n    {self._url}/login?token={self._known['admin']}\n\n"
            f"Open this link. Buyers order at sandboxes of {_named(titles)} ({sandbox.url}),\n"
            "a pretend 1C works the orders off in about a minute each, the hub tells each side what the other did.\n"
            "A few calls fail on purpose and are tried again."
        )
        key = sandbox.newest()
        if self._beside and key is not None:
            okno = os.environ.get("OKNO_CALLED", "okno")
            self._echo(f"In another shell, same folder: {okno} replay {key} | {okno} events --follow | {okno} doctor")
        self._echo("Ctrl-C ends it; the log stays, and the next start goes on.")


def _named(titles: Sequence[str]) -> str:
    """As a sentence lists them."""
    *others, last = titles
    return f"{', '.join(others)} and {last}" if others else last
