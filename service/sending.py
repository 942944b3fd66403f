"""One call for one order or several, and what its answer means.

    prepare ─▶ slot ─▶ attempt committed, if nothing has happened since ─▶ call ─┬─ done ─────────▶ outcome
                                                                                 ├─ taken ────────▶ read till it shows
                                                                                 ├─ refused ──────▶ read, then believed
                                                                                 ├─ certainly not ▶ later
                                                                                 └─ nobody knows ─▶ read till it shows

If the process dies between the commit and the outcome, the attempt is open, and whoever comes next reads the order.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from events.codec import encode
from service.http_client import ChannelClient
from service.lanes import Lanes, Outcome, Turn
from service.marketplaces import port
from service.preparing import Preparing
from service.readback import ReadBack

logger = structlog.get_logger()

LIMIT_PAUSE = timedelta(seconds=1)


class Sender:
    """Sends one channel's commands."""

    def __init__(self, lanes: Lanes, client: ChannelClient, readback: ReadBack) -> None:
        self._lanes, self._client, self._readback = lanes, client, readback
        self._preparing = Preparing(lanes, client)
        self._market = lanes.channel.marketplace

    def parts(self, turns: Sequence[Turn]) -> list[list[Turn]]:
        """What goes into one call each: as many orders as the marketplace takes at once, else one by one.

        What was refused before goes alone, so that one order can't get the others refused with it.
        """
        now = datetime.now(UTC)
        together: dict[str, list[Turn]] = {}
        parts: list[list[Turn]] = []
        for turn in turns:
            action, attempt = turn.command.action, turn.task.attempts.get(turn.command.id)
            refused = attempt is not None and attempt.refusals > 0
            if not refused and self._market.batch_limit(action) > 1 and self._market.batchable(turn.job, now):
                together.setdefault(action, []).append(turn)
            else:
                parts.append([turn])
        for action, same in together.items():
            most = self._market.batch_limit(action)
            parts += [same[i : i + most] for i in range(0, len(same), most)]
        return parts

    async def send(self, part: Sequence[Turn]) -> None:
        """Makes one call and records what came of it."""
        turns = await self._preparing.prepared(part)
        if not turns:
            return
        async with self._client.slot():
            call = self._call(turns)
            if await self._ended(call, turns):
                return
            begun = await self._lanes.begin(turns)
            if begun and len(begun) < len(turns):  # the call without the others
                call = self._call(begun)
            if not begun or isinstance(call, port.Refused):
                return
            outcomes, exchange = await self._exchange(begun, call)
        await self._settle(begun, outcomes, exchange)

    def _call(self, turns: Sequence[Turn]) -> port.Call | port.Refused:
        now, jobs = datetime.now(UTC), [turn.job for turn in turns]
        return self._market.request(jobs[0], now) if len(jobs) == 1 else self._market.request_batch(jobs, now)

    async def _ended(self, call: port.Call | port.Refused, turns: Sequence[Turn]) -> bool:
        """Whether there is nothing to send: the command can't become a call, or a limit holds the call back."""
        if isinstance(call, port.Refused):  # only a call of one order can be
            refused = Outcome(end="refused", code=call.code, message=call.message, hint=call.hint)
            await self._lanes.record(turns[0].task, [turns[0].command], refused)
            return True
        held = self._client.held_until(call.resource)
        if held is not None:
            for turn in turns:
                await self._lanes.release(turn.task.lane, held)
        return held is not None

    async def _exchange(self, turns: Sequence[Turn], call: port.Call) -> tuple[dict[str, port.Outcome], bytes]:
        """Makes the call; what came of it for each command, and the exchange as it goes to the side table."""
        now = datetime.now(UTC)
        request = {"method": call.method, "path": call.path, "body": call.body}
        try:
            reply = await self._client.send(call)
        except port.CallFailed as error:
            outcome: port.Outcome = port.Unknown(str(error)) if error.sent else _not_sent(error)
            return {t.command.id: outcome for t in turns}, encode({"request": request, "error": str(error)})
        answer = {"status": reply.status, "body": reply.body.decode("utf-8", "replace")}
        jobs = [turn.job for turn in turns]
        try:
            if len(jobs) == 1:
                outcomes = {jobs[0].command.id: self._market.judge(jobs[0], reply, now)}
            else:
                outcomes = self._market.judge_batch(jobs, reply, now)
        except Exception as error:
            logger.exception("an answer can't be read", channel=self._market.name, action=turns[0].command.action)
            outcomes = {t.command.id: port.Unknown(f"the answer can't be read: {error!r}") for t in turns}
        return outcomes, encode({"request": request, "response": answer})

    async def _settle(self, turns: Sequence[Turn], outcomes: dict[str, port.Outcome], exchange: bytes) -> None:
        """Records each command's outcome and gives its lane back, all at once; refusals are looked into together."""
        refused: list[tuple[Turn, port.Refused]] = []
        deeds: list[Awaitable[None]] = []
        for turn in turns:
            tried, now = turn.task.tried(turn.command) + 1, datetime.now(UTC)
            applied = now + timedelta(seconds=self._market.applied_seconds)
            later = partial(self._lanes.later, turn, tried=tried)
            match outcomes[turn.command.id]:
                case port.Sent(status):
                    done = Outcome(end="done", status=status, exchange=exchange, attempts=tried)
                    deeds.append(self._lanes.record(turn.task, [turn.command], done))
                case port.Refused() as refusal:
                    refused.append((turn, refusal))
                case port.Accepted(reason):
                    deeds.append(later(reason, until=applied, open=True, exchange=exchange))
                case port.Later(reason, until, limit) if limit:
                    deeds.append(self._lanes.not_sent(turn, until or now + LIMIT_PAUSE, reason, held=True))
                case port.Later(reason, until):
                    deeds.append(later(reason, until=until))
                case port.Unknown(reason):
                    logger.info("outcome unknown", order=turn.task.order, action=turn.command.action, reason=reason)
                    deeds.append(later(reason, until=applied, open=True, exchange=exchange))
        await asyncio.gather(*deeds)
        if refused:
            await self._readback.explain(refused, exchange)


def _not_sent(error: port.CallFailed) -> port.Later:
    """What is held back was no attempt; a connection that could not be made was one."""
    until = getattr(error, "until", None)
    return port.Later(str(error), until=until, limit=until is not None)
