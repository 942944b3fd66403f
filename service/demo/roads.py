"""How the pretend 1C talks to the hub: over RabbitMQ, or over HTTP where there is none. Only what a real one has.

A road hands each message to `hear` at least once, and returns from `say` once the hub's side has it in safe keeping.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import aio_pika
import aiohttp
import msgspec

from service.onec.amqp import BROKER_ERRORS, connect
from service.onec.cloudevents import BATCH, STRUCTURED
from service.onec.topology import IN, ONEC

AGAIN: Final = 0.5
"""Seconds before something is tried again."""

NAME: Final = "pretend 1C"
TIMEOUT: Final = 10.0

Event = dict[str, Any]
Hear = Callable[[Event], Awaitable[None]]


class Road(Protocol):
    """A way to the hub and back."""

    async def listen(self, hear: Hear) -> None:
        """Takes what the hub says, until cancelled."""

    async def say(self, subject: str, body: bytes, /) -> None:
        """Tells the hub, as often as it takes."""

    async def close(self) -> None:
        """Hangs up."""


class Api:
    """The hub's HTTP API, with one token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session, self._url = session, url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, **query: str) -> Any:
        """What is there, tried until there is an answer; None for a 404."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.get(self._url + path, params=query, headers=self._headers) as answer:
                    if answer.status < 500:
                        return await answer.json() if answer.ok else None
            await asyncio.sleep(AGAIN)

    async def post(self, path: str, body: bytes) -> int:
        """Posts CloudEvents until the hub has answered; the status."""
        headers = {**self._headers, "Content-Type": BATCH}
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.post(self._url + path, data=body, headers=headers) as answer:
                    if answer.status < 500:
                        return answer.status
            await asyncio.sleep(AGAIN)


class OverHttp:
    """`GET /v1/outbox` with a cursor that 1C keeps in a file, `POST /v1/events`."""

    def __init__(self, api: Api, cursor: Path, pause: float) -> None:
        self._api, self._cursor, self._pause = api, cursor, pause

    async def listen(self, hear: Hear) -> None:
        """Turns the outbox's pages over."""
        cursor = self._cursor.read_text() if self._cursor.exists() else ""
        while True:
            page = await self._api.get("/v1/outbox", limit="200", **({"after": cursor} if cursor else {}))
            if page is None:  # the log was restored, or made anew
                cursor, page = "", {"items": [], "cursor": ""}
            for event in page["items"]:
                await hear(event)
            if page["cursor"] != cursor:
                cursor = page["cursor"]
                self._cursor.write_text(cursor)
            if not page["items"]:
                await asyncio.sleep(self._pause)

    async def say(self, _: str, body: bytes, /) -> None:
        """Posts it; the body names its order."""
        await self._api.post("/v1/events", b"[" + body + b"]")

    async def close(self) -> None:
        """There is nothing to hang up."""


class OverRabbitMQ:
    """The queue `okno.1c`, acknowledged by hand once a message is stored; the exchange `okno.in`, with confirms."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._exchange: aio_pika.abc.AbstractExchange | None = None
        self._connection: aio_pika.abc.AbstractConnection | None = None
        self._one = asyncio.Lock()

    async def listen(self, hear: Hear) -> None:
        """Consumes; connects again when the broker goes away."""
        while True:
            with suppress(*BROKER_ERRORS):
                async with await connect(self._url, NAME) as connection:
                    channel = await connection.channel()
                    await channel.set_qos(prefetch_count=100)
                    queue = await channel.get_queue(ONEC)
                    async with queue.iterator() as messages:
                        async for message in messages:
                            with suppress(msgspec.DecodeError):  # not the hub's: it would come again for ever
                                await hear(msgspec.json.decode(message.body, type=Event))
                            await message.ack()
            await asyncio.sleep(AGAIN)

    async def say(self, subject: str, body: bytes, /) -> None:
        """Publishes it, routing key = the order."""
        message = aio_pika.Message(body, content_type=STRUCTURED, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        while True:
            try:
                exchange = await self._open()
                await exchange.publish(message, subject, timeout=TIMEOUT)
            except BROKER_ERRORS:
                await asyncio.sleep(AGAIN)
            else:
                return

    async def close(self) -> None:
        """Hangs up."""
        if self._connection is not None:
            await self._connection.close()

    async def _open(self) -> aio_pika.abc.AbstractExchange:
        async with self._one:
            if self._exchange is None or self._connection is None or self._connection.is_closed:
                self._connection = await connect(self._url, NAME)
                channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                self._exchange = await channel.get_exchange(IN)
            return self._exchange
