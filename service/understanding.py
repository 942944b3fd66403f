"""What a message means: the order it is about and the event it becomes. Pure; needs no log.

The reasons a message is refused for, the same at every door: those of `cloudevents`, and

    no_order, unknown_channel     the subject names no order of ours
    reserved_type, reserved_source   the hub's, a marketplace's or an import's own to say
    bad_data, bad_field, missing_field   its data do not fit its type
"""

from zoneinfo import ZoneInfo

from events import codec
from events.order import facts as f
from events.recorded import NewEvent
from service import passing
from service.onec import marks, snapshots
from service.onec.cloudevents import Message, Unreadable
from service.settings import Settings

MAX_KEY = 200
"""Bytes of an order key; AMQP's routing key holds 255."""

MAX_ATTRIBUTE = 500
"""Characters of an event's type, source or id: each stands in an index."""


def understand(message: Message | Unreadable, settings: Settings) -> NewEvent:
    """The event a message from outside becomes; `Unreadable`, its pointer from the body's root, where it can't be."""
    if isinstance(message, Unreadable):
        raise message
    try:
        return _event(order_key(message, settings), message.named(), settings)
    except Unreadable as error:
        raise Unreadable(error.reason, error.detail, message.pointer(error.pointer)) from error
    except RecursionError as error:
        raise Unreadable("broken_json", "the data are nested too deep", message.pointer("/data")) from error


def order_key(message: Message, settings: Settings) -> str:
    """The key of the order a message is about, its spelling checked; the channel must be one of ours."""
    channel, slash, number = message.subject.strip().partition("/")
    channel, number = channel.strip(), number.strip()
    for name, value in (("type", message.type), ("source", message.source), ("id", message.id or "")):
        if len(value) > MAX_ATTRIBUTE:
            raise Unreadable("bad_field", f"{name} is longer than {MAX_ATTRIBUTE} characters", f"/{name}")
        if "\x00" in value:
            raise Unreadable("bad_field", f"{name} holds the character U+0000", f"/{name}")
    if "\x00" in message.subject:
        raise Unreadable("bad_field", "subject holds the character U+0000", "/subject")
    if not slash or not channel or not number:
        detail = f"subject {message.subject[:MAX_KEY]!r} is no order key such as ym-msk/48123456"
        raise Unreadable("no_order", detail, "/subject")
    if len(message.subject.encode()) > MAX_KEY:
        raise Unreadable("no_order", f"subject is longer than {MAX_KEY} bytes", "/subject")
    if channel == "1c":
        return f"1c/{number.casefold()}"
    if channel not in settings.channels:
        known = ", ".join(sorted(settings.channels)) or "none yet"
        detail = f"channel {channel!r} is not in the configuration; there are: {known}"
        raise Unreadable("unknown_channel", detail, "/subject")
    return f"{channel}/{number}"


def _event(order: str, message: Message, settings: Settings) -> NewEvent:
    if passing.own(message) or message.source == f.HUB or message.source.startswith(f.IMPORT):
        raise Unreadable("reserved_source", f"source {message.source!r} is the hub's own: name your base", "/source")
    if marks.reserved(message.type):
        raise Unreadable("reserved_type", f"{message.type} is for the hub and the marketplaces to say", "/type")
    zone = settings.zone(message.source)
    type, fact = message.type, None
    if marks.known_type(type):
        type, fact, personal = _mark(message, settings, zone)
        data = codec.encode(fact)
    else:  # kept whole, but where erasing reaches it
        personal, data = {"extra": message.data}, b"{}"
    if message.extensions:
        personal["attributes"] = message.extensions
    digest = codec.digest(message.source, message.id, message.type, message.subject, message.data, message.time)
    return NewEvent(
        order=order, type=type, source=message.source, id=message.id or "", digest=digest, data=data,
        actor=message.source, occurred_at=marks.moment(message.time, zone), document=linking(fact), body=message.body,
        personal=codec.encode(personal) if personal else None,
    )  # fmt: skip


def linking(fact: f.Fact | None) -> str | None:
    """The document that a fact links to its order."""
    return (fact.document.id or "").casefold() or None if isinstance(fact, f.Registered) else None


def _mark(message: Message, settings: Settings, zone: ZoneInfo) -> tuple[str, f.Fact, dict[str, object]]:
    """A mark's type, fact and personal data; a status that is mapped is the mark it stands for."""
    if snapshots.is_snapshot(message):
        sent = snapshots.understood(message, settings)
        return message.type, sent.fact, sent.personal
    fact, personal = marks.understood(message.type, message.data, zone)
    if isinstance(fact, f.Status):
        mapped = settings.status_type(message.source, fact.status)
        if mapped is not None:
            return mapped, *marks.from_status(mapped, message.data, zone)
    return message.type, fact, personal
