"""What is read of an order just before a step is sent for it, where the marketplace wants that.

Nothing is sent here, and nothing was noted yet: if the process dies, the lane is looked at again. What a read shows may
end a command without a call: it is done already, or can't be done any more. That somebody cancelled the order is for
the log to say first: it is read the ordinary way, and the command looked at once more before it is refused.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from service.http_client import ChannelClient, Held
from service.lanes import MAX_MESSAGE, Lanes, Outcome, Turn
from service.marketplaces import port

LONGEST_PAUSE = 300.0
ONCE_MORE = timedelta(seconds=10)


class Preparing:
    """Prepares one channel's commands."""

    def __init__(self, lanes: Lanes, client: ChannelClient) -> None:
        self._lanes, self._client = lanes, client
        self._market = lanes.channel.marketplace

    async def prepared(self, part: Sequence[Turn]) -> list[Turn]:
        """Those of one call's turns that may be sent now; the others are settled or put off."""
        now = datetime.now(UTC)
        talks = [self._market.prepare(turn.job, now) for turn in part]
        if not any(talks):
            return list(part)
        found = await asyncio.gather(*(self._prepare(*one) for one in zip(part, talks, strict=True)))
        return [turn for turn in found if turn is not None]

    async def _prepare(self, turn: Turn, talk: port.Talk[port.Preparation] | None) -> Turn | None:
        if talk is None:
            return turn
        try:
            found = await self._client.run(talk)
        except Held as held:
            await self._lanes.release(turn.task.lane, held.until)
            return None
        except port.CallFailed as error:
            await self._unread(turn, str(error))
            return None
        match found:
            case port.Ready(before):
                return Turn(turn.task, turn.command, replace(turn.job, before=before))
            case port.Later(reason, until):
                await self._lanes.put_off(turn, until or self._pause(turn), reason)
            case port.Overtaken(code, message, hint) if self._first_time(turn, message):
                await self._lanes.ask_read(turn.task)
                await self._lanes.put_off(turn, datetime.now(UTC) + ONCE_MORE, message)
            case port.Applied(status):
                await self._lanes.ask_read(turn.task)
                await self._end(turn, Outcome(end="done", status=status, message="found done"))
            case port.Overtaken(code, message, hint) | port.Refused(code, message, hint):
                await self._end(turn, Outcome(end="refused", code=code, message=message, hint=hint))
        return None

    def _first_time(self, turn: Turn, message: str) -> bool:
        attempt = turn.task.attempts.get(turn.command.id)
        return attempt is not None and attempt.reason != message[:MAX_MESSAGE]  # as it was noted

    async def _unread(self, turn: Turn, reason: str) -> None:
        """The order can't be read: again later, until the command's time is over."""
        if datetime.now(UTC) - turn.command.since > self._lanes.channel.give_up_after:
            what = f"the order can't be read: {reason}"
            await self._end(turn, Outcome(end="given_up", message=what, hint="see to what it names, then: okno retry"))
            return
        await self._lanes.put_off(turn, self._pause(turn), f"reading before sending failed: {reason}")

    def _pause(self, turn: Turn) -> datetime:
        """The longer a command waits, the longer the pauses."""
        now = datetime.now(UTC)
        waited = (now - turn.command.since).total_seconds()
        return now + timedelta(seconds=min(max(waited / 4, 2.0), LONGEST_PAUSE))

    async def _end(self, turn: Turn, outcome: Outcome) -> None:
        await self._lanes.record(turn.task, [turn.command], outcome)
