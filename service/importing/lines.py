"""What a line of past orders means. Pure; needs no log.

A line is a CloudEvent with its own time: 1C's marks as at intake, and what marketplaces showed (`order.placed`,
`marketplace.seen`, …) with the data that the log holds; names, phones and addresses beside them go where they can be
erased. Or it is an event as `okno export events` wrote it; one exported with `--personal` brings that too. What a hub
decided itself (`command.*` and the like) is skipped: to this one it is no fact, and nobody must ever act on it.

A line of a file of rejected lines is taken for the line it holds.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from events import codec
from events.order import facts as f
from events.recorded import NewEvent
from service import passing
from service.onec import marks
from service.onec.cloudevents import Message, Unreadable
from service.onec.reading import read
from service.settings import Settings
from service.understanding import order_key, understand

SHOWN = frozenset({
    "order.placed", "order.changed", "order.cancellation_requested", "marketplace.seen", "marketplace.notified",
})  # fmt: skip
"""What only a marketplace says."""

BOTH = frozenset({"order.cancelled", "order.returned"})
"""What a marketplace says under its source, 1C under its own."""

OWN = frozenset(f.FACTS) - SHOWN - frozenset(f.ONEC_TYPES)
"""What a hub says itself."""

PEOPLE = ("customer", "address", *sorted(marks.PRIVATE))
"""Personal fields the hub knows; unknown ones are kept as `extra`."""

MOMENTS = frozenset({"placed_at", "due", "from", "to", "began_at", "stamp", "date"})
"""Fields that hold a time; one without a zone is by 1C's clock."""

ZONED = re.compile(r"(?:[Zz]|[+-]\d\d:?\d\d)\s*$")

REJECTED, EXPORTED = b'{"line":', b'"occurred_at"'
"""What lines of other shapes than CloudEvents hold."""


class Past(msgspec.Struct, frozen=True):
    """An event on its way into the log. `exported`: by a hub, perhaps this one, which may know it."""

    event: NewEvent
    exported: bool = False


class Skipped(msgspec.Struct, frozen=True):
    """A hub's own decision or outcome."""

    type: str


def understood(line: bytes, settings: Settings, actor: str) -> Iterator[Past | Skipped | Unreadable]:
    """The events of a line, each understood or not on its own."""
    try:
        if line.startswith(REJECTED):
            line = msgspec.json.decode(line)["body"].encode()
        tree = _tree(line) if EXPORTED in line else None
        if tree is not None:
            yield _exported(tree, line, settings, actor)
            return
        for message in read(line, {}, settings):
            try:
                yield _told(message, settings, actor)
            except Unreadable as error:
                yield error
    except Unreadable as error:
        yield error
    except (msgspec.DecodeError, KeyError, AttributeError, TypeError, RecursionError, ValueError) as error:
        yield Unreadable("broken_json", f"not JSON of a shape that is known: {error}")


def _tree(line: bytes) -> dict[str, Any] | None:
    """The line, where it is an event as a hub exports it."""
    tree = codec.loads(line.removeprefix(b"\xef\xbb\xbf"))
    return tree if isinstance(tree, dict) and "order" in tree and "occurred_at" in tree else None


def _told(message: Message | Unreadable, settings: Settings, actor: str) -> Past | Skipped:
    """A CloudEvent as the event it becomes."""
    if isinstance(message, Unreadable):
        raise message
    message = message.named()
    if message.type in OWN or message.source == f.HUB:
        return Skipped(message.type)
    if message.type not in SHOWN and not (message.type in BOTH and passing.own(message)):
        event = understand(message, settings)
        if event.occurred_at is None:
            raise _timeless(message)
        return Past(msgspec.structs.replace(event, actor=actor))
    at = marks.moment(message.time, settings.zone(message.source))
    if at is None:
        raise _timeless(message)
    order = order_key(message, settings)
    event = _event(order, message, at, settings, actor)
    return Past(msgspec.structs.replace(event, body=message.body))


def _timeless(message: Message) -> Unreadable:
    return Unreadable("missing_field", "no time: a past event says when it occurred", message.pointer("/time"))


def _exported(tree: dict[str, Any], line: bytes, settings: Settings, actor: str) -> Past | Skipped:
    """An event as a hub exported it, without its position, version and cause, which were that log's."""
    names = ("order", "type", "source", "id", "occurred_at")
    order, type, source, id, when = (tree[name] if isinstance(tree.get(name), str) else "" for name in names)
    if type in OWN or source == f.HUB:
        return Skipped(type)
    for name, value in (("type", type), ("source", source), ("id", id)):
        if not value:
            raise Unreadable("missing_field", f"an exported event needs {name}", f"/{name}")
    if source.startswith(f.IMPORT) or (
        type in f.ONEC_TYPES and type not in BOTH and source.startswith(passing.CHANNEL)
    ):
        raise Unreadable("reserved_source", f"{type} is not for source {source!r} to say", "/source")
    message = Message(type=type, source=source, subject=order, data=tree.get("data"), body=line, id=id)
    at = marks.moment(when, settings.zone(source))
    if at is None:
        raise Unreadable("missing_field", f"occurred_at is {when[:40]!r}, no time", "/occurred_at")
    event = _event(order_key(message, settings), message, at, settings, actor)
    personal = tree.get("personal")
    if isinstance(personal, dict):
        event = msgspec.structs.replace(event, personal=codec.encode(personal))
    return Past(event, exported=True)


def _event(order: str, message: Message, at: datetime, settings: Settings, actor: str) -> NewEvent:
    """An event of a type whose data are as the log holds them; of an unknown type nothing is known."""
    source, channel = message.source, order.partition("/")[0]
    if message.type in SHOWN or source.startswith(passing.CHANNEL):
        if channel == "1c":
            detail = "what a marketplace showed names its order, such as ym-msk/48123456"
            raise Unreadable("no_order", detail, "/subject")
        source = passing.CHANNEL + channel
    data = message.data
    if not isinstance(data, dict):
        raise Unreadable("bad_data", "data is not an object", "/data")
    fact, personal = None, {"extra": data} if data else {}
    if message.type in f.FACTS:
        fact, personal = _fact(message.type, data, order, at, settings.zone(message.source))
    document = fact.document.id if isinstance(fact, f.Registered) else None
    return NewEvent(
        order=order, type=message.type, source=source, id=message.id or "", actor=actor, occurred_at=at,
        digest=codec.digest(source, message.id, message.type, order, data, None),
        data=b"{}" if fact is None else codec.encode(fact), document=(document or "").casefold() or None,
        personal=codec.encode(personal) if personal else None,
    )  # fmt: skip


def _fact(type: str, data: dict[str, Any], order: str, at: datetime, zone: ZoneInfo) -> tuple[f.Fact, dict[str, Any]]:
    """The fact in data as the log holds them, and what goes beside the log."""
    names = _names(type)
    known = {key: _aware(value, key, zone) for key, value in data.items() if key in names and value is not None}
    if type == "order.placed":
        known.setdefault("number", order.partition("/")[2])
    if type == "marketplace.seen":
        known.setdefault("began_at", at)
    personal = {key: data[key] for key in PEOPLE if key in data and key not in names and data[key] is not None}
    extra = {key: value for key, value in data.items() if key not in names and key not in PEOPLE}
    try:
        return msgspec.convert(known, f.FACTS[type], strict=False), personal | ({"extra": extra} if extra else {})
    except msgspec.ValidationError as error:
        raise marks.misfit(error) from error


@cache
def _names(type: str) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(f.FACTS[type]))


def _aware(value: Any, key: str, zone: ZoneInfo) -> Any:
    """A value with its times made aware."""
    if isinstance(value, dict):
        return {name: _aware(item, name, zone) for name, item in value.items()}
    if isinstance(value, list):
        return [_aware(item, key, zone) for item in value]
    if key in MOMENTS and isinstance(value, str) and len(value) > len("2026-01-31") and not ZONED.search(value):
        return marks.moment(value, zone) or value
    return value
