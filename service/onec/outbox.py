"""What 1C is told: CloudEvents made from the log alone. Pure.

Every message is a `command.requested` with target `1c`; its id, for ever, is the command's. Its data come from the fact
behind it, with the personal data that came with that fact for as long as they were not erased.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from events.codec import decode
from events.order import facts as f
from events.order.state import Command, OrderState
from events.recorded import Recorded

BEYOND = 1_000_000
"""So much higher are versions after each restore: 1C may have seen later ones than the restored log knows."""


def version(request: Recorded, restores: Sequence[tuple[int, int]]) -> int:
    """What grows from message to message of an order; `restores` as of `Log.restores`."""
    epoch = max((epoch for after, epoch in restores if request.position > after), default=1)
    return request.version + (epoch - 1) * BEYOND


def message(
    request: Recorded, wanted: f.CommandRequested, cause: Recorded, state: OrderState, personal: Mapping[int, Any],
    restores: Sequence[tuple[int, int]] = (),
) -> dict[str, Any]:  # fmt: skip
    """The CloudEvent for a request; `state` is the order's as of the request."""
    return {
        "specversion": "1.0",
        "id": wanted.command,
        "source": "okno",
        "type": wanted.action,
        "subject": request.order,
        "time": iso(cause.occurred_at),
        "datacontenttype": "application/json",
        "version": version(request, restores),
        "data": _data(wanted, cause, state, personal.get(cause.position) or {}),
    }


def iso(moment: datetime) -> str:
    """A time as CONTRACT.md writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _data(
    wanted: f.CommandRequested, cause: Recorded, state: OrderState, personal: Mapping[str, Any]
) -> dict[str, Any]:
    fact = decode(cause)
    match fact:
        case f.Placed():
            return _placed(fact, state, personal)
        case f.Changed():
            return {**_plain(fact), **_people(personal)}
        case f.Seen():
            return {"marketplace": {"status": fact.status, "stage": fact.stage}}
        case f.CancellationRequested():
            lines = {"lines": msgspec.to_builtins(fact.lines)} if fact.lines is not None and not fact.whole else {}
            return {"deadline": iso(fact.due) if fact.due is not None else None, **lines}
        case f.DeadlineNear():
            return {"stage": fact.stage, "due": iso(fact.due)}
        case f.CommandOutcome():
            return _told(wanted, fact, state.commands.get(fact.command))
        case None:
            return {}
    return _plain(fact)


def _placed(fact: f.Placed, state: OrderState, personal: Mapping[str, Any]) -> dict[str, Any]:
    plain = _plain(fact)
    delivery = plain.get("delivery") or {}
    if personal.get("address"):
        delivery = {**delivery, "address": personal["address"]}
    return {**plain, "channel": state.channel, "delivery": delivery, **_people(personal)}


def _people(personal: Mapping[str, Any]) -> dict[str, Any]:
    """Who the buyer is and what he wrote; nothing once it was erased."""
    return {key: personal[key] for key in ("customer", "comment", "address") if personal.get(key)}


def _told(wanted: f.CommandRequested, outcome: f.CommandOutcome, command: Command | None) -> dict[str, Any]:
    data: dict[str, Any] = {"stage": wanted.stage, "action": command.action if command is not None else None}
    if wanted.action == "marketplace.accepted":
        return {**data, "status": outcome.status}
    return {**data, "code": outcome.code, "message": outcome.message, "hint": outcome.hint, "command": outcome.command}


def _plain(fact: f.Fact) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(fact)
    return built
