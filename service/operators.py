"""What a person decides: to try a failed command again, to settle attention. Each is a fact, with his name in it.

If the process dies after the append, the reactor does the rest; before it, nothing was decided.
"""

from typing import Final

from events.codec import own_event
from events.log import Log
from events.order import facts as f
from events.order.state import fold
from projections.commands import queries
from service.database import Pool

STATES: Final = ("waiting", "sending", "done", "refused", "given_up", "withdrawn", "withheld", "failed")
"""What commands can be asked for by; `failed` is refused or given up."""


class NothingToDo(Exception):
    """There is no such thing, or it needs nobody; the message says which."""


class NoSuchCommand(NothingToDo):
    """Nobody ever asked for a command with this id."""


async def retry(log: Log, pool: Pool, command: str, actor: str) -> None:
    """Brings a refused or given-up command back."""
    row = await queries.one(pool, command)
    if row is None:
        raise NoSuchCommand(f"there is no command {command}: `okno commands` shows them")
    state = fold(row.order, (await log.histories([row.order]))[row.order])
    found = state.commands.get(command)
    if found is None or found.state not in ("refused", "given_up"):
        raise NothingToDo(f"command {command} is {row.state}: only a refused or given-up one is tried again")
    fact = f.CommandRetried(command=command)
    id = f"{command}/{found.rounds}/retried"
    await log.append([own_event(state.order, "command.retried", id, fact, found.position, actor=actor)])


async def retry_all(log: Log, pool: Pool, actor: str) -> list[str]:
    """Brings every failed command back; their ids."""
    done: list[str] = []
    after: str | None = None
    while True:
        rows, after = await queries.listed(pool, state="failed", after=after, limit=500)
        for row in rows:
            try:
                await retry(log, pool, row.id, actor)
            except NothingToDo:  # somebody else was first
                continue
            done.append(row.id)
        if after is None:
            return done


async def clear_attention(log: Log, order: str, code: str, actor: str) -> None:
    """Settles what an order wants a person's attention for."""
    state = fold(order, (await log.histories([order]))[order])
    if not any(attention.code == code for attention in state.attention):
        raise NothingToDo(f"{order} has no attention {code}")
    fact = f.AttentionCleared(code=code, until=state.position)
    id = f"{order}/{code}/{state.position}"
    await log.append([own_event(order, "attention.cleared", id, fact, None, actor=actor)])
