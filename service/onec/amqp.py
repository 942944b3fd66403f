"""RabbitMQ, both ways: batches into intake with an ack after the commit, messages out with its word for it.

Taking: messages pile up while the batch before is being committed, so batches grow under load; one ack a batch, after
the commit. They are taken as aiormq, aio-pika's own lower half, delivers them: what aio-pika makes of each costs as
much as all the rest of consuming. If the process dies in between, the broker delivers again and the log knows them.
While Postgres is away the consuming connection is closed once, and opened again when a probe succeeds: nothing is put
back by hand.

Giving: `publish` returns once the broker has the message in a queue, and raises `BrokerUnavailable` in all other cases;
then nobody knows, and the same message is sent again under the same id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError
from aiormq.abc import DeliveredMessage
from pamqp import decode
from pamqp.commands import Basic

from events.log import Log, LogUnavailable
from service.intake import Intake
from service.onec import topology
from service.onec.cloudevents import Raw
from service.onec.topology import Told

logger = structlog.get_logger()

PREFETCH = 1000
BATCH = 500
BATCH_BYTES = 16 * 1024 * 1024
"""A batch takes no further message once it holds so much: Postgres ends the connection over a statement of 1 GB, and
the same batch would come again for ever."""

SETUP_SECONDS = 20.0
IDLE_CHECK = 20.0
"""Seconds of silence after which the queue is asked whether it still knows its consumer."""


def _short_string(value: bytes) -> tuple[int, str]:
    """A routing key or an id, whatever bytes it holds.

    pamqp's own decoder ends the connection at a byte that is no UTF-8, at each delivery anew: one such message would
    stop its queue for ever. Its body is still taken, or rejected with the reason.
    """
    length = value[0]
    return length + 1, value[1 : length + 1].decode("utf-8", "backslashreplace")


decode.METHODS["shortstr"] = _short_string

BROKER_ERRORS = (AMQPError, OSError, TimeoutError, RuntimeError)
"""What aio-pika raises when the broker is gone or says no; RuntimeError is its word for a closed channel."""


ATTRIBUTE_PREFIXES = ("cloudEvents:", "cloudEvents_", "ce-")
"""What CloudEvents' attributes begin with among a message's headers, in the AMQP binding's spellings and in HTTP's."""


class BrokerUnavailable(Exception):
    """The broker did not take the message, or did not say so in time."""


async def connect(url: str, name: str) -> AbstractConnection:
    """A plain connection: loss is seen at once and dealt with here, not healed behind our back."""
    return await aio_pika.connect(url, timeout=10, client_properties={"connection_name": name})


class Publisher:
    """One connection for sending. `up` tells whether it stands; it is made anew in the background."""

    def __init__(self, url: str, partitions: int, told: Sequence[Told]) -> None:
        self._url, self._partitions, self._told = url, partitions, told
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self.refused: str | None = None

    @property
    def up(self) -> bool:
        """Whether messages can be sent now."""
        return self._channel is not None and not self._channel.is_closed

    def reaches(self, channel: str) -> bool:
        """Whether what 1C is told of a channel finds a queue."""
        return topology.reaches(self._told, channel)

    async def run(self) -> None:
        """Keeps the connection and the topology in place for as long as the hub runs."""
        pause = 0.2
        while True:
            try:
                async with asyncio.timeout(20):
                    await self.open()
                pause = 0.2
                assert self._channel is not None
                await self._channel.closed()
            except BROKER_ERRORS as error:
                self.refused = f"{type(error).__name__}: {error}"
                logger.warning("waiting for RabbitMQ", error=self.refused, again_in=pause)
            finally:
                await self.close()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 3.0)

    async def open(self) -> None:
        """Connects and declares the topology."""
        self._connection = await connect(self._url, "okno publisher")
        await topology.declare(self._connection, self._partitions, self._told)
        self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self.refused = None

    async def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            try:
                async with asyncio.timeout(2):
                    await connection.close()
            except BROKER_ERRORS as error:
                logger.debug("closing the connection", error=str(error))

    async def publish(
        self, exchange: str, key: str, body: bytes, *, id: str, type: str, headers: Mapping[str, Any], timeout: float,
        content_type: str = "application/cloudevents+json",
    ) -> None:  # fmt: skip
        """Sends one message; returns once the broker has it in a queue."""
        channel = self._channel
        if channel is None or channel.is_closed:
            raise BrokerUnavailable("no connection to RabbitMQ")
        message = aio_pika.Message(
            body, message_id=id, type=type, headers=dict(headers), content_type=content_type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT, app_id="okno",
        )  # fmt: skip
        try:
            async with asyncio.timeout(timeout):
                target = await channel.get_exchange(exchange, ensure=False)
                await target.publish(message, key, mandatory=True)
        except BROKER_ERRORS as error:
            raise BrokerUnavailable(f"{type_name(error)}: {error}") from error
        except (asyncio.CancelledError, Exception) as error:
            if not _closed_by_us(error):
                raise
            raise BrokerUnavailable("the connection to RabbitMQ was closed") from error


def _closed_by_us(error: BaseException) -> bool:
    """Whether it is aiormq's word to whoever waits on a connection that we close: a cancellation, though the caller is
    not cancelled, or an exception of no kind."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or not task.cancelling()
    return type(error) is Exception


def type_name(error: BaseException) -> str:
    """The error's class, for a log line."""
    return error.__class__.__name__


Taker = Callable[[Sequence[Raw]], Awaitable[None]]


class Consumer:
    """Takes one queue into the log, batch by batch, until cancelled."""

    def __init__(self, url: str, queue: str, log: Log, take: Taker) -> None:
        self._url, self._queue, self._log, self._take = url, queue, log, take

    async def run(self, lost: asyncio.Event) -> None:
        """Consumes until the lease behind `lost` is gone; waits out a broker or a Postgres that is away."""
        pause = 0.2
        while not lost.is_set():
            try:
                await self._log.head()
                await self._consume(lost)
                pause = 0.2
            except LogUnavailable as error:
                logger.warning("Postgres is away: not consuming", queue=self._queue, error=str(error))
            except (BrokerUnavailable, *BROKER_ERRORS) as error:
                logger.warning("RabbitMQ is away", queue=self._queue, error=f"{type_name(error)}: {error}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 3.0)

    async def _consume(self, lost: asyncio.Event) -> None:
        connection = await connect(self._url, f"okno {self._queue}")
        try:
            inbox: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
            cancelled = asyncio.Event()  # by the broker: the queue was deleted
            async with asyncio.timeout(SETUP_SECONDS):  # a queue that lost its leader answers nothing
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=PREFETCH)
                underlay = await channel.get_underlay_channel()
                underlay.on_consumer_cancel_callbacks.add(lambda _: cancelled.set())
                await underlay.basic_consume(self._queue, inbox.put)
            ends = [asyncio.ensure_future(end) for end in (channel.closed(), lost.wait(), cancelled.wait())]
            try:
                while batch := await self._batch(inbox, channel, *ends):
                    await self._take([raw(message) for message in batch])
                    await underlay.basic_ack(_tag(batch[-1]), multiple=True)
            finally:
                for end in ends:
                    end.cancel()
        finally:
            async with asyncio.timeout(3):
                await connection.close()

    async def _batch(
        self, inbox: asyncio.Queue[DeliveredMessage], channel: AbstractChannel, *ends: "asyncio.Future[Any]"
    ) -> list[DeliveredMessage]:
        """Whatever has come by now, at least one message; empty when it is time to stop."""
        batch: list[DeliveredMessage] = []
        while not batch:
            coming = asyncio.create_task(inbox.get())
            done, _ = await asyncio.wait({coming, *ends}, timeout=IDLE_CHECK, return_when=asyncio.FIRST_COMPLETED)
            if any(end.done() for end in ends):
                coming.cancel()
                return []
            if coming in done:
                batch.append(coming.result())
            else:
                coming.cancel()
                await self._still_known(channel)
        size = len(batch[0].body)
        while len(batch) < BATCH and size < BATCH_BYTES and not inbox.empty():
            batch.append(inbox.get_nowait())
            size += len(batch[-1].body)
        return batch

    async def _still_known(self, channel: AbstractChannel) -> None:
        """A consumer the broker has dropped gets no word of it: ask. No consumer at all means it was ours."""
        queue = await channel.declare_queue(self._queue, passive=True, timeout=10)
        if not queue.declaration_result.consumer_count:
            raise BrokerUnavailable(f"{self._queue} has lost its consumer")


def raw(message: DeliveredMessage) -> Raw:
    """A delivery with what CloudEvents' binary mode and 1C's add-in put beside the body."""
    said, key = message.header.properties, _delivery(message).routing_key
    envelope = {"content_type": said.content_type, "subject": key}
    envelope |= {"type": said.message_type, "id": said.message_id, "source": said.app_id}
    for name, value in (said.headers or {}).items():
        prefix = next((prefix for prefix in ATTRIBUTE_PREFIXES if name.startswith(prefix)), None)
        if prefix is not None:
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            envelope[name.removeprefix(prefix).lower()] = text.strip()
    return Raw(message.body, {key: value for key, value in envelope.items() if value}, "amqp")


def _delivery(message: DeliveredMessage) -> Basic.Deliver:
    return cast("Basic.Deliver", message.delivery)  # the other kinds are not a consumer's


def _tag(message: DeliveredMessage) -> int:
    tag = _delivery(message).delivery_tag
    assert tag is not None  # the broker gives each delivery one; none would acknowledge all there are
    return tag


def dead_letters(intake: Intake) -> Taker:
    """What to do with dead letters: keep them, whole, in `rejected`."""

    async def take(raws: Sequence[Raw]) -> None:
        await intake.reject(raws, "dead_lettered", "the broker gave up on it: resubmit it once its cause is gone")

    return take
