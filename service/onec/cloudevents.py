"""CloudEvents as 1C writes them: structured, batch and binary, over HTTP and over AMQP. Lenient, and pure.

A body that holds several events comes apart into one message each; one that can't be understood is `Unreadable`, with a
code for the reason and a sentence that says what to do. What the attributes mean is decided in `marks`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from events.codec import canonical, loads

BATCH = "application/cloudevents-batch+json"
STRUCTURED = "application/cloudevents+json"

ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema")


class Unreadable(Exception):
    """A message nobody can understand. `pointer` is a JSON pointer into the body."""

    def __init__(self, reason: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.reason, self.detail, self.pointer = reason, detail, pointer


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One CloudEvent. Attributes are as sent, `data` is JSON come apart, `body` the bytes this event came in."""

    type: str
    source: str
    subject: str
    data: Any
    body: bytes
    id: str | None = None
    time: str | None = None

    def wire(self) -> bytes:
        """The event as one structured CloudEvent, as the hub passes it on to itself."""
        event = {"specversion": "1.0", "id": self.id, "source": self.source, "type": self.type, "subject": self.subject}
        event |= {"time": self.time, "data": self.data}
        return canonical({key: value for key, value in event.items() if value is not None})


def read(body: bytes, envelope: Mapping[str, str]) -> list[Message | Unreadable]:
    """The messages a body holds, each readable or not on its own.

    `envelope`: `content_type`, `subject` (the routing key), and CloudEvents' attributes from properties or headers
    (`type`, `id`, `source`, `time`): what a body leaves out is taken from there.
    """
    try:
        tree = _parse(body)
    except Unreadable as error:
        return [error]
    if isinstance(tree, list):
        return [_element(item, number, envelope) for number, item in enumerate(tree)]
    if isinstance(tree, dict) and _structured(tree, envelope):
        return [_message(tree, body, envelope, "")]
    if envelope.get("type"):
        return [_binary(tree, body, envelope)]
    if not isinstance(tree, dict):
        return [Unreadable("not_an_event", f"the body is {_kind(tree)}, not a CloudEvent: send an object or an array")]
    return [_message(tree, body, envelope, "")]


def _parse(body: bytes) -> Any:
    if not body.strip():
        raise Unreadable("empty", "the body is empty: send a CloudEvent in JSON")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("not_utf8", f"byte {error.start} is not UTF-8: write the message in UTF-8") from error
    try:
        return loads(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable("broken_json", f"not JSON: {error}") from error


def _structured(tree: dict[str, Any], envelope: Mapping[str, str]) -> bool:
    if envelope.get("content_type", "").startswith(STRUCTURED) or "specversion" in tree:
        return True
    return isinstance(tree.get("type"), str) and ("data" in tree or "subject" in tree or "source" in tree)


def _element(item: Any, number: int, envelope: Mapping[str, str]) -> Message | Unreadable:
    """One event of a batch. Its id and time are its own: the envelope's belong to the whole."""
    pointer = f"/{number}"
    if not isinstance(item, dict):
        return Unreadable("not_an_event", f"element {number} is {_kind(item)}, not a CloudEvent", pointer)
    shared = {key: value for key, value in envelope.items() if key not in ("id", "time")}
    if not _structured(item, {}) and envelope.get("type"):
        return _binary(item, canonical(item), shared)
    return _message(item, canonical(item), shared, pointer)


def _message(tree: dict[str, Any], body: bytes, envelope: Mapping[str, str], pointer: str) -> Message | Unreadable:
    type = _attribute(tree, "type") or envelope.get("type", "")
    if not type:
        return Unreadable("no_type", "the event has no type, such as order.confirmed", f"{pointer}/type")
    subject = _attribute(tree, "subject") or envelope.get("subject", "")
    if not subject:
        return Unreadable(
            "no_order", "no subject and no routing key: name the order, as ym-msk/48123456", f"{pointer}/subject"
        )
    data = tree.get("data")
    if isinstance(data, str) and data.lstrip()[:1] in ("{", "["):
        try:
            data = loads(data)
        except msgspec.DecodeError as error:
            return Unreadable("broken_json", f"data is a text that is not JSON: {error}", f"{pointer}/data")
    extensions = {key: value for key, value in tree.items() if key not in (*ATTRIBUTES, "data")}
    if data is None:
        data = {}
    if extensions and isinstance(data, dict):
        data = {**data, "_attributes": extensions}
    return Message(
        type=type, source=_attribute(tree, "source") or envelope.get("source") or "1c", subject=subject, data=data,
        body=body, id=_attribute(tree, "id") or envelope.get("id") or None,
        time=_attribute(tree, "time") or envelope.get("time") or None,
    )  # fmt: skip


def _binary(tree: Any, body: bytes, envelope: Mapping[str, str]) -> Message | Unreadable:
    subject = envelope.get("subject", "")
    if not subject:
        return Unreadable("no_order", "no routing key and no subject: name the order, as ym-msk/48123456")
    return Message(
        type=envelope["type"], source=envelope.get("source") or "1c", subject=subject, data=tree, body=body,
        id=envelope.get("id") or None, time=envelope.get("time") or None,
    )  # fmt: skip


def _attribute(tree: dict[str, Any], name: str) -> str:
    value = tree.get(name)
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
