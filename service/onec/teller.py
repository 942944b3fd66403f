"""Tells 1C: messages that wait in the log are published with the broker's word for it, in order per order.

If the process dies after publishing and before the outcome is in the log, the message is published again under the same
id: at least once. Without a broker, and where no base that is told of the channel has a queue, a message counts as told
once it stands in the log, where `GET /v1/outbox` and «Обмен с сайтом» read it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog

from events.codec import encode, own_event
from events.log import Log, LogUnavailable, Story
from events.order import facts as f
from events.order.reactions import ONEC
from events.order.state import Command, OrderState, fold
from events.recorded import NewEvent
from service import backoff, metrics
from service.attempts import Begun
from service.decisions import Attempt
from service.onec import outbox
from service.onec.amqp import BrokerUnavailable, Publisher
from service.onec.topology import OUT
from service.signals import wait
from service.work import Lane, Mark, Release, Work

logger = structlog.get_logger()

LANES = 200
TIMEOUT = 10.0
"""Seconds the broker has to confirm a message; our own, since a publish can hang for ever."""

POLL_SECONDS = 1.25
GATHER_SECONDS = 0.25
"""A rest behind each round: 1C reads in minutes, and what comes meanwhile is told at one go."""

PUT_ASIDE = timedelta(minutes=1)
"""How long an order rests whose messages meet a bug: all others are told."""


class Teller:
    """Publishes the messages to 1C; `publisher` None: there is no broker."""

    def __init__(self, log: Log, work: Work, publisher: Publisher | None) -> None:
        self._log, self._work, self._publisher = log, work, publisher

    async def run(self, told: asyncio.Event) -> None:
        """Publishes until cancelled."""
        while True:
            try:
                if self._publisher is not None and not self._publisher.up:
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                lanes = await self._work.claim(ONEC, LANES)
                if lanes:
                    await self._tell(lanes)
                    await asyncio.sleep(GATHER_SECONDS)
                    continue
            except LogUnavailable as error:
                logger.warning("messages to 1C wait for Postgres", error=str(error))
                await asyncio.sleep(1)
            await wait(told, POLL_SECONDS)

    async def _tell(self, lanes: Sequence[Lane]) -> None:
        orders = [lane.order for lane in lanes]
        stories, attempts, restores = await asyncio.gather(
            self._log.stories(orders), self._work.attempts(ONEC, orders), self._log.restores()
        )
        known = [_Known(order, stories[order], attempts, restores) for order in orders]
        results = await asyncio.gather(*(self._lane(one) for one in known))
        done = [event for events, _ in results for event in events]
        if done:
            await self._log.append(done)
            metrics.OUTCOMES.labels(ONEC, "done").inc(len(done))
        await asyncio.gather(*(self._give_back(lane, *result) for lane, result in zip(lanes, results, strict=True)))

    async def _give_back(self, lane: Lane, done: Sequence[NewEvent], failed: timedelta | None) -> None:
        due = datetime.now(UTC) + failed if failed is not None else None
        ended = [event.id.partition("/")[0] for event in done]
        await self._work.release(Release(ONEC, lane, due, idle=due is None, done=ended))

    async def _lane(self, known: "_Known") -> tuple[list[NewEvent], timedelta | None]:
        """One order's messages; what befalls them is no other order's matter. The outcomes, and when to try again."""
        done: list[NewEvent] = []
        try:
            return done, await self._publish_all(known, done)
        except LogUnavailable as error:
            logger.warning("messages to 1C wait for Postgres", order=known.order, error=str(error))
            return done, timedelta(seconds=1)
        except Exception:
            logger.exception("1C can't be told", order=known.order)
            return done, PUT_ASIDE

    async def _publish_all(self, known: "_Known", done: list[NewEvent]) -> timedelta | None:
        """Publishes one order's messages in turn and adds their outcomes; when to try again the one that failed."""
        order, state = known.order, fold(known.order, known.story.events)
        queued = self._publisher is not None and self._publisher.reaches(state.channel)
        for command in state.waiting(ONEC):
            tries = known.attempts[command.id].attempts + 1 if command.id in known.attempts else 1
            begun: Begun | None = None
            if queued:
                told = _message(command, state, known)
                begun = (await self._work.begin(ONEC, [Mark(command.id, order)])).get(order)
                if begun is None:
                    return _pause(tries)  # somebody else tells this order by now
                try:
                    await self._publish(state.channel, command, told, tries)
                except BrokerUnavailable as error:
                    logger.info("message to 1C not confirmed", order=order, type=command.action, error=str(error))
                    return _pause(tries)
            fact = f.CommandOutcome(
                command=command.id, attempts=tries, tried_at=begun.tried_at if begun is not None else None,
                sent_at=begun.sent_at if begun is not None else None,
            )  # fmt: skip
            id = f"{command.id}/{command.rounds}/done"
            done.append(own_event(order, "command.done", id, fact, command.position))
        return None

    async def _publish(self, channel: str, command: Command, told: dict[str, Any], attempt: int) -> None:
        assert self._publisher is not None
        await self._publisher.publish(
            OUT, f"{channel}.{command.action}", encode(told), id=command.id, type=command.action,
            headers={"version": told["version"], "attempt": attempt}, timeout=TIMEOUT,
        )  # fmt: skip


def _pause(tries: int) -> timedelta:
    return timedelta(seconds=backoff.delay(min(tries, 4), 0.5))


def _message(command: Command, state: OrderState, known: "_Known") -> dict[str, Any]:
    by_position = {event.position: event for event in known.story.events}
    request, cause = by_position[command.position], by_position[command.cause]
    wanted = msgspec.json.decode(request.data, type=f.CommandRequested)
    return outbox.message(request, wanted, cause, state, known.story.personal, known.restores)


class _Known(msgspec.Struct, frozen=True):
    """What a lane's messages are made of; `attempts` at all lanes' commands."""

    order: str
    story: Story
    attempts: Mapping[str, Attempt]
    restores: Sequence[tuple[int, int]]
