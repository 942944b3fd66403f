"""What became of a call: learned by reading the order.

A call whose end nobody knows, and one that was taken, may be applied at any moment until it has settled. So a read may
show at any time that it was done; "not done" is concluded only from one begun `settle_seconds` after the attempt, and
until then the order is read again, as long as an hour where the marketplace says that it is at it. A refusal is
different: it is the marketplace's own word that this call did nothing, and an earlier attempt at the same command had
settled before this one was made. So the order may be read at once, and the read only tells why: it was done already,
or can't be done any more. Where it shows nothing of the kind it may itself lag behind: the step is tried a few times
before a refusal is believed.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from service import backoff
from service.http_client import Held
from service.lanes import Lanes, Outcome, Turn
from service.marketplaces import port
from service.reader import Reader

REFUSED_TRIES = 3
"""A refusal that a read can't explain is tried so often before it is believed."""

PENDING = timedelta(hours=1)
"""A marketplace that says for so long that it is at it needs a person to look."""

LONGEST_LOOK = 30.0
"""Seconds between two reads of an order whose step is under way."""

LOOK = "look in the marketplace's cabinet whether it was done; if not: okno retry"
READS_FIRST = "nobody knows whether it was done; okno retry reads the order before it sends"


class ReadBack:
    """Reads orders back for one channel."""

    def __init__(self, lanes: Lanes, reader: Reader) -> None:
        self._lanes, self._reader = lanes, reader
        self._market = lanes.channel.marketplace

    async def unknown(self, turns: Sequence[Turn]) -> None:
        """Learns what became of attempts nobody knows the end of."""
        try:
            seen = await self._see(turns)
        except Held as error:
            for turn in turns:
                await self._lanes.release(turn.task.lane, error.until)
            return
        except port.CallFailed as error:
            for turn in turns:
                await self._failed(turn, str(error))
            return
        for turn in await self._lanes.keep(turns):
            match self._finding(turn, seen):
                case port.Pending(reason) if self._waited(turn) > PENDING:
                    await self._end(turn, Outcome(end="refused", code="pending", message=reason, hint=LOOK))
                case port.Pending(reason):
                    await self._again(turn, reason)
                case port.NotApplied() if not self._lanes.settled(turn):
                    await self._again(turn)
                case port.NotApplied():
                    await self._not_done(turn)
                case port.Unclear() if self._brought_back(turn):  # an operator has looked, and wants it sent
                    await self._not_done(turn)
                case port.Unclear(reason):
                    await self._end(turn, Outcome(end="refused", code="unclear", message=reason, hint=LOOK))
                case found:
                    await self._end(turn, _shown(found))

    async def explain(self, refused: Sequence[tuple[Turn, port.Refused]], exchange: bytes) -> None:
        """A refusal is believed only after the order was read: it may have been done before, or be cancelled."""
        try:
            seen = await self._see([turn for turn, _ in refused])
        except port.CallFailed as error:
            for turn, refusal in refused:
                reason = f"{refusal.code}: {refusal.message}; reading the order failed: {error}"
                await self._lanes.later(turn, reason, tried=turn.task.tried(turn.command) + 1, open=True)
            return
        for turn, refusal in refused:
            tried = turn.task.tried(turn.command) + 1
            believed = Outcome(
                end="refused", code=refusal.code, message=refusal.message, hint=refusal.hint, exchange=exchange,
                attempts=tried,
            )  # fmt: skip
            match self._finding(turn, seen):
                case port.NotApplied() if not refusal.final and self._refusals(turn) + 1 < REFUSED_TRIES:
                    reason = f"{refusal.code}: {refusal.message}"
                    await self._lanes.later(turn, reason, tried=tried, refused=True)
                case port.Pending(reason):
                    soon = datetime.now(UTC) + timedelta(seconds=self._market.applied_seconds)
                    await self._lanes.later(turn, reason, tried=tried, until=soon, open=True, exchange=exchange)
                case port.NotApplied() | port.Unclear():
                    await self._lanes.record(turn.task, [turn.command], believed)
                case found:
                    await self._lanes.record(turn.task, [turn.command], _shown(found, exchange, tried))

    async def _see(self, turns: Sequence[Turn]) -> dict[str, port.Seen]:
        numbers = dict.fromkeys(turn.task.number for turn in turns)
        return await self._reader.see([port.Wanted(number) for number in numbers])

    def _finding(self, turn: Turn, seen: dict[str, port.Seen]) -> port.Finding:
        return self._market.finding(turn.job, seen.get(turn.task.number))

    def _refusals(self, turn: Turn) -> int:
        attempt = turn.task.attempts.get(turn.command.id)
        return attempt.refusals if attempt is not None else 0

    def _brought_back(self, turn: Turn) -> bool:
        """Whether nothing was sent since an operator brought the command back; after a restore nobody has looked."""
        attempt = turn.task.attempts.get(turn.command.id)
        return attempt is not None and attempt.attempts == 0 and turn.command.rounds > 0

    def _waited(self, turn: Turn) -> timedelta:
        """How long ago the last attempt was made."""
        attempt = turn.task.attempts.get(turn.command.id)
        return datetime.now(UTC) - (attempt.attempted_at if attempt is not None else turn.command.since)

    async def _again(self, turn: Turn, reason: str | None = None) -> None:
        """The order is read once more: the longer it takes, the later."""
        attempt = turn.task.attempts.get(turn.command.id)
        reason = reason or (attempt.reason if attempt is not None else None) or "read back: not done yet"
        pause = min(max(self._waited(turn).total_seconds() / 3, self._market.applied_seconds), LONGEST_LOOK)
        until = datetime.now(UTC) + timedelta(seconds=pause)
        await self._lanes.later(turn, reason, tried=turn.task.tried(turn.command), until=until, open=True)

    async def _failed(self, turn: Turn, reason: str) -> None:
        """The order can't be read: again later, until the command's time is over."""
        if datetime.now(UTC) - turn.command.since > self._lanes.channel.give_up_after:
            what = f"the order can't be read: {reason}"
            await self._end(turn, Outcome(end="given_up", code="unknown", message=what, hint=READS_FIRST))
            return
        await self._lanes.later(turn, f"reading back failed: {reason}", tried=turn.task.tried(turn.command), open=True)

    async def _not_done(self, turn: Turn) -> None:
        """It may be sent when the schedule says so, counted from the attempt; the next look at the lane decides."""
        attempt = turn.task.attempts.get(turn.command.id)
        if attempt is None or not attempt.attempts:
            await self._lanes.unsent(turn)
            return
        due = backoff.next_attempt(attempt.attempts, attempt.attempted_at, random.random())  # noqa: S311  # jitter
        reason = f"{attempt.reason or 'no answer'}; read back: not done"
        await self._lanes.later(turn, reason, tried=attempt.attempts, until=due)

    async def _end(self, turn: Turn, outcome: Outcome) -> None:
        await self._lanes.record(turn.task, [turn.command], outcome)


def _shown(found: port.Finding, exchange: bytes | None = None, attempts: int = 0) -> Outcome:
    """The outcome a read shows by itself."""
    match found:
        case port.Applied(status):
            return Outcome(end="done", status=status, message="read back", exchange=exchange, attempts=attempts)
        case port.Overtaken(code, message, hint):
            return Outcome(end="refused", code=code, message=message, hint=hint, exchange=exchange, attempts=attempts)
    raise AssertionError(f"{found} shows no outcome")
