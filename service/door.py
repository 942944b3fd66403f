"""One door: whatever comes from outside goes through RabbitMQ into intake; without a broker, or when the broker does
not confirm within a second, straight into intake. `submit` returns once the messages are durable in one of the two.

If the process dies before it returns, the sender has had no answer and sends again. If the broker took a message but
its word came late, the message comes twice, and the log knows it.
"""

import asyncio
from collections.abc import Sequence

from events.log import LogUnavailable
from service import metrics
from service.intake import Intake
from service.onec.amqp import BrokerUnavailable, Publisher
from service.onec.cloudevents import PLAIN, STRUCTURED, Message
from service.onec.topology import IN

CONFIRM_SECONDS = 1.0


class Unavailable(Exception):
    """Neither the broker nor the log can take messages now; the sender must try again."""


class Door:
    """The way in. `intake` is None while there was no Postgres yet since the start."""

    def __init__(self, publisher: Publisher | None) -> None:
        self._publisher = publisher
        self.intake: Intake | None = None

    async def submit(self, messages: Sequence[Message], via: str) -> None:
        """Makes messages durable, in order per subject."""
        metrics.TAKEN.labels(via).inc(len(messages))
        # The broker's client gives a message without an id one of its own, another one for each repeat.
        left = [message.named() for message in messages]
        if self._publisher is not None and self._publisher.up:
            left = await self._published(left)
            if not left:
                return
        if self.intake is None:
            raise Unavailable("neither RabbitMQ nor Postgres can take messages: try again later")
        try:
            await self.intake.take_messages(left, via)
        except LogUnavailable as error:
            raise Unavailable(f"neither RabbitMQ nor Postgres can take messages ({error}): try again later") from error

    async def _published(self, messages: list[Message]) -> list[Message]:
        """Publishes, subjects side by side, one subject's in turn; returns what was not confirmed in time."""
        assert self._publisher is not None
        lanes: dict[str, list[Message]] = {}
        for message in messages:
            lanes.setdefault(message.subject, []).append(message)
        loop = asyncio.get_running_loop()
        until = loop.time() + CONFIRM_SECONDS

        async def lane(own: list[Message]) -> list[Message]:
            for number, message in enumerate(own):
                try:
                    await self._send(message, max(until - loop.time(), 0.01))
                except BrokerUnavailable:
                    return own[number:]
            return []

        results = await asyncio.gather(*(lane(own) for own in lanes.values()))
        return [message for rest in results for message in rest]

    async def _send(self, message: Message, timeout: float) -> None:
        assert self._publisher is not None
        outside = message.outside
        await self._publisher.publish(
            IN, message.subject, message.wire(), id=message.id or "", type=message.type, timeout=timeout,
            headers={f"cloudEvents:{key}": value for key, value in (outside or {}).items()},
            content_type=STRUCTURED if outside is None else PLAIN,
        )  # fmt: skip
