"""1C, from outside: takes what the hub tells it and works through the orders, over RabbitMQ or over HTTP."""

import asyncio
import contextlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import aio_pika
import aiohttp
from aio_pika.abc import AbstractConnection, AbstractExchange, AbstractIncomingMessage

from .marks import Heard, Mark
from .wire import Broken, Message, Origin, Writer, broken

LOST = (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError, asyncio.InvalidStateError)


@dataclass(frozen=True)
class Told:
    """One delivery of one message from the hub."""

    id: str
    type: str
    order: str
    version: int
    attempt: int | None
    at: float
    event: dict[str, Any]


class Life(Origin, Protocol):
    """A scenario as far as 1C sees it."""

    @property
    def over_http(self) -> bool:
        """1C posts this order's marks over HTTP though there is a broker."""


Script = Callable[[Any, int], list[Mark]]


class OneC:
    """`lives` are the orders it will hear of, each with what it says about them.

    `sent` is what the log must hold, `told` every delivery, `by_id` the first delivery of each message.
    """

    def __init__(self, lives: Sequence[tuple[Life, Script]], seed: int, pace: float, amqp: str | None,
                 api: Callable[[], tuple[str, str]]) -> None:  # fmt: skip
        self.lives = {life.key: (life, script) for life, script in lives}
        self.sent: dict[tuple[str, str, str], Message] = {}
        self.marks: Counter[tuple[str, str, str]] = Counter()
        self.broken: list[Broken] = broken(lives[0][0].key, seed)
        self.told: list[Told] = []
        self.by_id: dict[str, Told] = {}
        self.faults: list[str] = []
        self.finished: set[str] = set()
        self.http_refusals: dict[str, str] = {}
        self.seed, self.over_http = seed, amqp is None
        self._pace, self._amqp, self._api = pace, amqp, api
        self._rng = Random(f"1c:{seed}")
        self._heard: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._news = asyncio.Condition()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._exchange: AbstractExchange | None = None
        self._out: AbstractConnection | None = None
        self._connecting = asyncio.Lock()

    def heard(self, key: str) -> set[str]:
        """The types of messages the hub has sent about this order."""
        return {event["type"] for event in self._heard[key]}

    def waits(self, key: str) -> bool:
        """1C says something about this order only after the hub has said something."""
        life, script = self.lives[key]
        return any(mark.wait for mark in script(life, self.seed))

    async def run(self) -> None:
        """Never ends: cancel it."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as self._http:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._read_queue() if self._amqp else self._read_outbox())
                    group.create_task(self._send_broken())
            finally:
                for task in self._tasks.values():
                    task.cancel()
                await asyncio.gather(*self._tasks.values(), return_exceptions=True)
                if self._out is not None:
                    await self._out.close()

    # what the hub says

    async def _read_queue(self) -> None:
        while True:
            with contextlib.suppress(*LOST):
                async with await aio_pika.connect(str(self._amqp)) as connection:
                    channel = await connection.channel()
                    await channel.set_qos(prefetch_count=100)
                    queue = await channel.declare_queue("okno.1c", passive=True)
                    async with queue.iterator() as messages:
                        async for message in messages:
                            await self._take(message)
            await asyncio.sleep(0.5)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        """Records a delivery; now and then 1C dies before it acknowledges and gets it again."""
        headers = message.headers
        event = json.loads(message.body)
        await self._record(event, headers.get("version"), headers.get("attempt"), message.routing_key)
        if not message.redelivered and self._rng.random() < 0.01:
            await message.nack(requeue=True)
        else:
            await message.ack()

    async def _read_outbox(self) -> None:
        cursor = ""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                url, token = self._api()
                query = {"limit": "200"} | ({"after": cursor} if cursor else {})
                headers = {"Authorization": f"Bearer {token}"}
                async with self._http.get(f"{url}/v1/outbox", params=query, headers=headers) as response:
                    if response.status == 200:
                        page = await response.json()
                        for event in page["items"]:
                            await self._record(event, event.get("version"), None, None)
                        cursor = page["cursor"]
                    elif response.status < 500:
                        self.faults.append(f"GET /v1/outbox: {response.status} {(await response.text())[:120]}")
            await asyncio.sleep(0.3)

    async def _record(self, event: dict[str, Any], version: Any, attempt: Any, routing_key: str | None) -> None:
        key = event.get("subject", "")
        told = Told(event["id"], event["type"], key, version if isinstance(version, int) else -1,
                    attempt if isinstance(attempt, int) else None, time.monotonic(), event)  # fmt: skip
        self.told.append(told)
        if routing_key is not None and routing_key != f"{key.split('/')[0]}.{told.type}":
            self.faults.append(f"routing key {routing_key} for {told.type} of {key}")
        if routing_key is not None and (told.version < 1 or told.attempt is None):
            self.faults.append(f"{told.type} of {key}: headers version={version!r}, attempt={attempt!r}")
        first = self.by_id.setdefault(told.id, told)
        if (first.type, first.order, first.event.get("data")) != (told.type, told.order, told.event.get("data")):
            self.faults.append(f"id {told.id} came with two contents")
        async with self._news:
            self._heard[key].append(event)
            self._news.notify_all()
        if told.type == "order.placed" and key in self.lives and key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._work(*self.lives[key]))

    # what 1C does

    async def _work(self, life: Life, script: Script) -> None:
        """Works through one order; stops where the hub says the order is cancelled."""
        writer = Writer(life, self.seed, life.over_http or not self._amqp)
        rng = Random(f"work:{self.seed}:{life.number}")
        late: list[tuple[Mark, Message]] = []
        for mark in script(life, self.seed):
            if not await self._may(mark, life.key):
                break
            await asyncio.sleep(rng.uniform(0, 2 * self._pace))
            message = writer.write(mark)
            self.sent[message.identity] = message
            self.marks[message.identity] += 1
            await self._send(message)
            if rng.random() < 0.1:
                await self._send(writer.again(mark, message))
            if rng.random() < 0.05:
                late.append((mark, message))
        for mark, message in late:
            await self._send(writer.again(mark, message))
        self.finished.add(life.key)

    async def _may(self, mark: Mark, key: str) -> bool:
        """Once 1C has heard what the mark waits for; False where it has heard that the order is cancelled."""

        def ready() -> bool:
            heard: Heard = self._heard[key]
            known = not mark.wait or mark.wait in self.heard(key)
            return "order.cancelled" in self.heard(key) or (known and (mark.until is None or mark.until(heard)))

        async with self._news:
            await self._news.wait_for(ready)
        return "order.cancelled" not in self.heard(key)

    async def _send(self, message: Message) -> None:
        life, _ = self.lives[message.order]
        if life.over_http or not self._amqp:
            await self._post(message.identity[0] or message.type, message.body, message.headers)
        else:
            await self._publish(message.subject, message.body, message.properties)

    async def _send_broken(self) -> None:
        for message in self.broken:
            await asyncio.sleep(self._rng.uniform(0, 4 * self._pace))
            if self._amqp:
                await self._publish(message.subject, message.body, {})
            else:
                form = {"Content-Type": "application/cloudevents+json"}
                await self._post(f"broken {message.name}", message.body, form)

    async def _publish(self, subject: str, body: bytes, properties: dict[str, Any]) -> None:
        """Until the broker has confirmed it, as often as it takes."""
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, **properties)
        while True:
            try:
                exchange = self._exchange or await self._connect()
                await asyncio.wait_for(exchange.publish(message, subject, mandatory=True), 10)
            except LOST:
                self._exchange = None
                await asyncio.sleep(0.5)
            else:
                return

    async def _connect(self) -> AbstractExchange:
        async with self._connecting:
            if self._exchange is None:
                if self._out is not None:
                    await self._out.close()
                self._out = await aio_pika.connect(str(self._amqp))
                channel = await self._out.channel(publisher_confirms=True)
                self._exchange = await channel.get_exchange("okno.in", ensure=True)
            return self._exchange

    async def _post(self, name: str, body: bytes, headers: dict[str, str]) -> None:
        """Until the hub has answered 202, or has refused it for good."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                url, token = self._api()
                whole = {"Authorization": f"Bearer {token}", **headers}
                async with self._http.post(f"{url}/v1/events", data=body, headers=whole) as response:
                    if response.status == 202:
                        return
                    if response.status < 500:
                        self.http_refusals[name] = f"{response.status} {(await response.text())[:200]}"
                        return
            await asyncio.sleep(0.5)
