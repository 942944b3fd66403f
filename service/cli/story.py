"""An order's history on a terminal: each fact with what followed from it beneath, the state, and who was late."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import click
import msgspec

from service.audit import Change, HistoryEvent, Mark, Replay
from service.audit.verdicts import span
from service.cli.values import brief, shown

AT_ONCE = timedelta(seconds=0.1)
"""What was recorded within so long after it occurred is told with one time."""

BRIEF = 60
GONE = "gone: erased, or past its retention"


def show(found: Replay) -> None:
    """Prints it."""
    for depth, event in chains(found.events):
        margin = "  " * depth
        click.echo(f"{margin}{_head(event)}")
        for line in (*_said(event), *map(_changed, event.changed), *_raw(event)):
            click.echo(f"{margin}      {line}")
    if found.erased is not None:
        gone = found.erased
        click.echo(f"\nerased at {shown(gone.at)}, by {gone.by}: {gone.reason}")
        click.echo("personal data and raw messages of this order are gone since, whatever moment is asked about")
    if (state := found.state) is not None:
        click.echo(
            f"\n{state.order}: {state.stage}, version {state.version}; at the marketplace {state.marketplace.status}"
        )
        for attention in state.attention:
            click.echo(f"attention {attention.code}: {attention.message} (since {shown(attention.since)})")
    for mark in found.marks:
        _report(mark)


def chains(events: Sequence[HistoryEvent]) -> Iterator[tuple[int, HistoryEvent]]:
    """The events, each beneath its cause where that is told too, with its depth."""
    known = {event.position: event for event in events}
    roots = [event for event in events if event.cause not in known or event.cause >= event.position]
    waiting = [(0, event) for event in reversed(roots)]
    while waiting:
        depth, event = waiting.pop()
        yield depth, event
        waiting += [(depth + 1, known[effect]) for effect in reversed(event.effects) if effect > event.position]


def _head(event: HistoryEvent) -> str:
    late = event.recorded_at - event.occurred_at
    times = shown(event.occurred_at) + (f", recorded {shown(event.recorded_at)}" if abs(late) > AT_ONCE else "")
    return f"{event.position} v{event.version}  {times}  {event.type}  by {event.actor}"


def _said(event: HistoryEvent) -> Iterator[str]:
    data = msgspec.json.decode(event.data)
    if event.type == "command.requested" and isinstance(data, dict):
        yield f"{data.get('action')} to {data.get('target')}"
    elif event.type.startswith("command.") and isinstance(data, dict):
        if tries := data.get("attempts"):
            times = [
                f"{name} {data[key]}" for name, key in (("first", "tried_at"), ("last", "sent_at")) if data.get(key)
            ]
            yield f"tries: {tries}" + (f" ({', '.join(times)})" if times else "")
        for name in ("status", "code", "message", "hint", "trouble"):
            if data.get(name):
                yield f"{name}: {data[name]}"
    elif data:
        yield brief(event.data)


def _changed(change: Change) -> str:
    return f"* {change.field}: {_value(change.before)} → {_value(change.after)}"


def _value(value: Any) -> str:
    """A value in a few words: of what needs attention its codes, of goods how many of what."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list):
        return ", ".join(_one(one) for one in value)
    return _one(value)


def _one(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return shown(value) if hasattr(value, "hour") else str(value.isoformat())
    for names in (("code",), ("quantity", "sku"), ("stage", "due"), ("by", "reason"), ("number",)):
        if all(hasattr(value, name) for name in names):
            return " ".join(_value(part) for name in names if (part := getattr(value, name)) is not None)
    text = str(value) if isinstance(value, str | Decimal) else msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= BRIEF else text[: BRIEF - 1] + "…"


def _raw(event: HistoryEvent) -> Iterator[str]:
    if event.body is None:
        yield f"raw: {GONE}"
    elif isinstance(event.body, str):
        yield "raw: " + event.body.replace("\n", "\n" + " " * 11)
    elif isinstance(event.body_base64, str):
        yield f"raw, in base64: {event.body_base64}"


def _report(mark: Mark) -> None:
    step = f" ({mark.step})" if mark.step is not None else ""
    due = f", due {shown(mark.due)}" if mark.due is not None else ""
    click.echo(f"\n{mark.stage}{step}{due}: {mark.says}")
    for leg in mark.legs:
        detail = f": {leg.detail}" if leg.detail else ""
        times = f"{shown(leg.since)} to {shown(leg.until)}"
        click.echo(f"  {leg.who:<11}  {span(timedelta(seconds=leg.seconds)):>11}  {times}  {leg.why}{detail}")
