"""A cancellation that 1C takes back: what was withdrawn for it is wanted again, and it itself if it is said once more.

The dispatcher withdraws on what it has read, so that a command may be withdrawn for a cancellation, or for its being
taken back, when the next word of 1C's stands in the log already. Pure.
"""

from events.codec import decode
from events.order import facts as f
from events.order.stages import further
from events.order.state import OrderState
from events.recorded import Recorded

CANCELLED = "cancelled"
"""The stage of the commands that tell a marketplace of a cancellation."""


def releases(state: OrderState, event: Recorded) -> bool:
    """Whether an event makes what was withdrawn wanted again: 1C's word, or a withdrawal that came too late for it."""
    if not state.uncancelled:
        return False
    if event.type != "command.withdrawn":
        return event.position == state.uncancelled
    fact = decode(event)
    command = state.commands.get(fact.command) if isinstance(fact, f.CommandOutcome) else None
    return command is not None and command.target == state.channel and command.cause < state.uncancelled


def lost(state: OrderState, action: str, stage: str) -> bool:
    """Whether a step's last command came to nothing because of a cancellation that was taken back since."""
    if not state.uncancelled:
        return False
    same = [c for c in state.commands.values() if (c.target, c.action, c.stage) == (state.channel, action, stage)]
    if not same:
        return False
    if stage == CANCELLED and same[-1].state in ("refused", "given_up"):  # unless it stood for the newest one, too
        return state.shop_cancelled is not None and same[-1].outcome < state.shop_cancelled.position
    return same[-1].state == "withdrawn" and same[-1].cause < state.uncancelled


def told_before(state: OrderState) -> str | None:
    """How far 1C had marked the order when it cancelled it: the steps up to there were asked for once."""
    stage: str | None = None
    for marked, mark in state.marks.items():
        if state.taken_back is not None and mark.position < state.taken_back.position:
            stage = further(stage, marked)
    return stage
