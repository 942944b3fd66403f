"""A way to a server that can be shut: whoever comes is refused, whoever is there is cut off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit


@dataclass
class Gate:
    """Passes bytes on between a socket of its own and the server behind it. `url` leads through it."""

    url: str
    own: str | tuple[str, int]
    behind: str | tuple[str, int]
    server: asyncio.Server | None = None
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    entered: int = 0
    flowing: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self) -> None:
        """Lets everybody through."""
        self.flowing.set()
        if isinstance(self.own, str):
            self.server = await asyncio.start_unix_server(self._enter, self.own)
        else:
            self.server = await asyncio.start_server(self._enter, *self.own)
            self.own = self.server.sockets[0].getsockname()[:2]

    async def shut(self) -> None:
        """Refuses whoever comes and cuts off whoever is there."""
        assert self.server is not None
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if isinstance(self.own, str):
            Path(self.own).unlink(missing_ok=True)

    def freeze(self) -> None:
        """Lets nobody's bytes through any more, and tells nobody."""
        self.flowing.clear()

    def thaw(self) -> None:
        """Lets the bytes through that were held up."""
        self.flowing.set()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.entered += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            if isinstance(self.behind, str):
                back_reader, back_writer = await asyncio.open_unix_connection(self.behind)
            else:
                back_reader, back_writer = await asyncio.open_connection(*self.behind)
            try:
                ways = [self._pass(reader, back_writer), self._pass(back_reader, writer)]
                _, left = await asyncio.wait(map(asyncio.ensure_future, ways), return_when=asyncio.FIRST_COMPLETED)
                for way in left:
                    way.cancel()
            finally:
                back_writer.close()
        except asyncio.CancelledError:
            pass  # that is how the gate shuts
        finally:
            writer.transport.abort()
            self.tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def gated(url: str, folder: Path) -> AsyncIterator[Gate]:
    """A gate before a server named by its URL: a Postgres on a Unix socket, or anything on TCP."""
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host", [""])[0]
    if host.startswith("/"):
        port = parts.port or 5432
        socket = f".s.PGSQL.{port}"
        through = f"{parts.scheme}://{parts.netloc}{parts.path}?{parts.query.replace(host, str(folder))}"
        gate = Gate(through, str(folder / socket), f"{host}/{socket}")
        await gate.open()
    else:
        gate = Gate(url, ("127.0.0.1", 0), (parts.hostname or "127.0.0.1", parts.port or 5672))
        await gate.open()
        user, at, _ = parts.netloc.rpartition("@")
        gate.url = urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{gate.own[1]}"))
    try:
        yield gate
    finally:
        await gate.shut()
