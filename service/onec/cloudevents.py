"""CloudEvents as 1C writes them: structured, batch and binary, over HTTP and over AMQP. Lenient, and pure.

A body that holds several events comes apart into one message each; one that can't be understood is `Unreadable`, with a
code for the reason and a sentence that says what to do. What the attributes mean is decided in `marks`.

    empty, not_utf8, broken_json, not_an_event   no CloudEvent in JSON
    no_type, no_order                            one without the attributes nothing can be done without
"""

import base64
import binascii
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from events import codec
from events.codec import canonical, loads

BATCH = "application/cloudevents-batch+json"
STRUCTURED = "application/cloudevents+json"
PLAIN = "application/octet-stream"
"""Of a body in a dialect of 1C's: what it is, it says itself."""

KNOWN = frozenset((
    "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64",
))  # fmt: skip
"""What CloudEvents name themselves; all else are extensions."""

TAKEN = ("type", "source", "subject", "id", "time")
"""What is taken from the envelope where the body leaves it out."""

NAMELESS = "1c"
"""The source of events that name none."""

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


class Unreadable(Exception):
    """A message nobody can understand. `pointer` is a JSON pointer into what came, `body` the event's part of it."""

    def __init__(self, reason: str, detail: str, pointer: str = "", body: bytes | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.pointer, self.body = reason, detail, pointer, body


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One CloudEvent. Attributes are as sent, `data` is JSON come apart, `body` the bytes this event came in.

    `extensions`: attributes CloudEvents don't know; they are kept, and do not make it another message. `at` is the JSON
    pointer to the event in what came; None in binary mode, where the body is the data alone.
    `whole`: the body says everything by itself, without the envelope. `outside`: the body is written in a dialect of
    1C's, and is passed on as received, with these attributes around it.
    """

    type: str
    source: str
    subject: str
    data: Any
    body: bytes
    id: str | None = None
    time: str | None = None
    extensions: dict[str, Any] = {}
    at: str | None = ""
    whole: bool = False
    outside: Mapping[str, str] | None = None

    def wire(self) -> bytes:
        """The event as the hub passes it on to itself: as received where that says all, else a CloudEvent."""
        if self.whole or self.outside is not None:
            return self.body
        event = {**self.extensions, "specversion": "1.0", "id": self.id, "source": self.source, "type": self.type}
        event |= {"subject": self.subject, "time": self.time, "data": self.data}
        return canonical({key: value for key, value in event.items() if value is not None})

    def named(self) -> "Message":
        """The event with an id: its own, or one that follows from everything it says, its time included."""
        if self.id is not None:
            return self
        whole = codec.digest(self.source, None, self.type, self.subject, self.data, self.time)
        return msgspec.structs.replace(self, id=whole.hex()[:32])

    def pointer(self, within: str) -> str:
        """A pointer into this event as one into the body it came in."""
        if self.at is not None:
            return self.at + within
        return within.removeprefix("/data") if within.startswith("/data") else ""


class Raw(msgspec.Struct, frozen=True):
    """A message as it came: its body, what stood around it, and the way it came by."""

    body: bytes
    envelope: Mapping[str, str]
    via: str


Other = Callable[[Any, bytes, Mapping[str, str], str], "list[Message | Unreadable] | None"]
"""Reads an object that is no CloudEvent, from its body, envelope and pointer; None where it can't either."""


def read(body: bytes, envelope: Mapping[str, str], other: Other | None = None) -> list[Message | Unreadable]:
    """The messages a body holds, each readable or not on its own.

    `envelope`: `content_type`, `subject` (the routing key), and CloudEvents' attributes from properties or headers
    (`type`, `id`, `source`, `time`): what a body leaves out is taken from there.
    """
    try:
        tree = _parse(body) if body.strip() or not envelope.get("type") else {}  # binary mode: an event without data
    except Unreadable as error:
        return [error]
    if isinstance(tree, list):
        parts = zip(tree, _ELEMENTS.decode(body.decode("utf-8-sig")), strict=True)
        return [
            message
            for number, (item, part) in enumerate(parts)
            for message in _element(item, bytes(part), number, envelope, other)
        ]
    if isinstance(tree, dict) and _declared(tree, envelope):
        return [_message(tree, body, envelope, "")]
    if isinstance(tree, dict) and other is not None and (found := other(tree, body, envelope, "")) is not None:
        return found
    if isinstance(tree, dict) and resembles(tree):
        return [_message(tree, body, envelope, "")]
    if envelope.get("type"):
        return [_binary(tree, body, envelope)]
    if not isinstance(tree, dict):
        return [Unreadable("not_an_event", f"the body is {_kind(tree)}, not a CloudEvent: send an object or an array")]
    return [_message(tree, body, envelope, "")]


def shared(envelope: Mapping[str, str]) -> dict[str, str]:
    """What an envelope says of each event of a batch: an id and a time belong to the whole."""
    return {key: value for key, value in envelope.items() if key not in ("id", "time")}


def _parse(body: bytes) -> Any:
    try:
        text = body.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("not_utf8", f"byte {error.start} is not UTF-8: write the message in UTF-8") from error
    if not text.strip():
        raise Unreadable("empty", "the body is empty: send a CloudEvent in JSON")
    return _loads(text, "")


def _loads(text: str | bytes, pointer: str) -> Any:
    try:
        return loads(text)
    except RecursionError as error:
        raise Unreadable("broken_json", "nested too deep", pointer) from error
    except (msgspec.DecodeError, ValueError) as error:  # ValueError: a number with more digits than Python takes
        why = "; 1C's add-in cuts a text at its first character U+0000" if "truncated" in str(error) else ""
        raise Unreadable("broken_json", f"not JSON: {error}{why}", pointer) from error


def _declared(tree: dict[str, Any], envelope: Mapping[str, str]) -> bool:
    """Whether an object says that it is a CloudEvent."""
    return envelope.get("content_type", "").startswith(STRUCTURED) or "specversion" in tree


def resembles(tree: dict[str, Any]) -> bool:
    """Whether an object is a CloudEvent by the look of it."""
    return isinstance(tree.get("type"), str) and ("data" in tree or "subject" in tree or "source" in tree)


def _element(
    item: Any, part: bytes, number: int, envelope: Mapping[str, str], other: Other | None
) -> list[Message | Unreadable]:
    """One event of a batch."""
    pointer = f"/{number}"
    if not isinstance(item, dict):
        return [Unreadable("not_an_event", f"element {number} is {_kind(item)}, not a CloudEvent", pointer, part)]
    if not _declared(item, {}):
        if other is not None and (found := other(item, part, shared(envelope), pointer)) is not None:
            return found
        if envelope.get("type") and not resembles(item):
            return [_binary(item, part, shared(envelope))]
    return [_message(item, part, shared(envelope), pointer)]


def _message(tree: dict[str, Any], body: bytes, envelope: Mapping[str, str], pointer: str) -> Message | Unreadable:
    own = {name: attribute(tree, name) for name in TAKEN}
    taken = {name: envelope.get(name, "") for name in TAKEN if not own[name]}
    type, source, subject, id, time = (own | taken).values()
    if not type:
        return Unreadable("no_type", "the event has no type, such as order.confirmed", f"{pointer}/type", body)
    if not subject:
        detail = "no subject and no routing key: name the order, as ym-msk/48123456"
        return Unreadable("no_order", detail, f"{pointer}/subject", body)
    try:
        data = _data(tree, pointer)
    except Unreadable as error:
        error.body = body
        return error
    extensions = {key: value for key, value in tree.items() if key not in KNOWN}
    return Message(
        type=type, source=source or NAMELESS, subject=subject, data=data, body=body, id=id or None, time=time or None,
        extensions=extensions, at=pointer, whole=bool(own["source"]) and not any(taken.values()),
    )  # fmt: skip


def _data(tree: dict[str, Any], pointer: str) -> Any:
    """An event's data: as JSON, as a text that is JSON, or as CloudEvents carry bytes; {} where there are none."""
    data = tree.get("data")
    if data is None and isinstance(tree.get("data_base64"), str):
        try:
            data = base64.b64decode(tree["data_base64"], validate=True).decode("utf-8-sig")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Unreadable("broken_json", f"not base64 of UTF-8: {error}", f"{pointer}/data_base64") from error
    if isinstance(data, str):
        text = data.lstrip("\ufeff \t\r\n")
        data = _loads(text, f"{pointer}/data") if text[:1] in ("{", "[") else data
    return {} if data is None else data


def _binary(tree: Any, body: bytes, envelope: Mapping[str, str]) -> Message | Unreadable:
    subject = envelope.get("subject", "")
    if not subject:
        return Unreadable("no_order", "no routing key and no subject: name the order, as ym-msk/48123456", "", body)
    return Message(
        type=envelope["type"], source=envelope.get("source") or NAMELESS, subject=subject, data=tree, body=body,
        id=envelope.get("id") or None, time=envelope.get("time") or None, at=None,
    )  # fmt: skip


def attribute(tree: dict[str, Any], name: str) -> str:
    """An attribute as a text, however it was written; empty where there is none."""
    value = tree.get(name)
    if type(value) is str:
        return value.strip()
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
