"""An order's commands as rows."""

from datetime import datetime
from typing import NamedTuple

from events.order.state import OrderState
from projections.projection import Projection, Rows, Table


class Row(NamedTuple):
    """A row of okno.commands."""

    id: str
    order_key: str
    target: str
    action: str
    stage: str | None
    state: str
    cause: int
    position: int
    attempts: int
    rounds: int
    code: str | None
    message: str | None
    hint: str | None
    requested_at: datetime
    finished_at: datetime | None


def project(state: OrderState) -> Rows:
    """A row for each command the order ever had."""
    return {
        "commands": [
            Row(
                c.id, state.order, c.target, c.action, c.stage, c.state, c.cause, c.position, c.attempts, c.rounds,
                c.code, c.message, c.hint, c.requested_at, c.finished_at,
            )
            for c in state.commands.values()
        ]
    }  # fmt: skip


COMMANDS = Projection(
    name="commands", version=1, tables=(Table("commands", Row._fields, ("id",), steady=True),), project=project
)  # fmt: skip
