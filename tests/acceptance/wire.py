"""Marks of 1C as bytes: structured and binary CloudEvents with 1C's oddities, and ten messages nobody can read."""

import datetime as dt
import json
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Protocol

from .marks import Mark
from .scenario import ZONE

SOURCE = "1c/ut11"
BOM = b"\xef\xbb\xbf"
REPEATED_LATER = 90.0


@dataclass(frozen=True)
class Message:
    """One message ready to send, and how the log must know it: by `id`, or by order and type where it has none."""

    order: str
    type: str
    types: frozenset[str]
    id: str
    subject: str
    body: bytes
    properties: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    occurred: dt.datetime | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        return (self.id, self.type, self.order)


@dataclass(frozen=True)
class Envelope:
    """The attributes of one CloudEvent before it takes a form."""

    id: str
    type: str
    subject: str
    time: dt.datetime
    data: dict[str, Any]

    def structured(self, rng: Random) -> bytes:
        """JSON as 1C writes it: local time without a zone, tabs, Cyrillic extras, a BOM now and then."""
        local = self.time.astimezone(ZONE).replace(tzinfo=None).isoformat(timespec="seconds")
        event = {"specversion": "1.0", "source": SOURCE, "type": self.type, "subject": self.subject, "time": local,
                 "data": {**self.data}}  # fmt: skip
        if self.id:
            event["id"] = self.id
        if rng.random() < 0.3:
            event["Ответственный"] = "Иванова"
        items = list(event.items())
        rng.shuffle(items)
        text = json.dumps(dict(items), ensure_ascii=rng.random() < 0.3, indent=rng.choice([None, None, "\t"]))
        return (BOM if rng.random() < 0.2 else b"") + text.encode()

    def data_bytes(self, rng: Random) -> bytes:
        text = json.dumps(self.data, ensure_ascii=False, indent=rng.choice([None, "\t"]))
        return (BOM if rng.random() < 0.2 else b"") + text.encode()


class Origin(Protocol):
    """An order as 1C's messages name it."""

    @property
    def number(self) -> int | str: ...
    @property
    def key(self) -> str: ...
    @property
    def document_id(self) -> str: ...
    @property
    def by_document(self) -> bool:
        """1C names the order by its document from its second message on (its first registers it)."""


class Writer:
    """Writes the marks of one order; remembers the last message id, as the usual add-in does."""

    def __init__(self, scenario: Origin, seed: int, over_http: bool) -> None:
        self.scenario, self.over_http = scenario, over_http
        self._rng = Random(f"wire:{seed}:{scenario.number}")
        self._last_id = ""
        self._count = 0

    def write(self, mark: Mark) -> Message:
        rng, scenario = self._rng, self.scenario
        self._count += 1
        event_id = f"{rng.getrandbits(128):032x}"
        # aiormq never sends a message without an id: over AMQP it would make one up, another one for each repeat.
        bare = self.over_http and mark.type == "order.completed" and not mark.by_status and not scenario.by_document
        if bare and rng.random() < 0.05:
            event_id = ""
        wire_type = "order.status" if mark.by_status else mark.type
        by_document = scenario.by_document and self._count > 1
        subject = f"1c/{scenario.document_id}" if by_document else scenario.key
        time = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=mark.days_ago)
        data = dict(mark.data)
        if rng.random() < 0.3 and mark.type != "order.snapshot":  # whose every field is a part of its state
            data["Комментарий"] = f"Отметка {self._count}"
        envelope = Envelope(event_id, wire_type, subject, time, data)
        binary = not mark.days_ago and rng.random() < 0.35
        if binary and event_id and self._last_id and rng.random() < 0.05:
            envelope = replace(envelope, id=self._last_id)
        self._last_id = envelope.id or self._last_id
        if self.over_http:
            return self._over_http(mark, envelope, binary)
        return self._over_amqp(mark, envelope, binary)

    def again(self, mark: Mark, first: Message) -> Message:
        """The same message once more: with an id other spacing, key order and time do not make it another one."""
        if not first.id or first.occurred is None or self._rng.random() < 0.5:
            return first
        event = json.loads(first.body.removeprefix(BOM))
        event = event[0] if isinstance(event, list) else event
        later = first.occurred + dt.timedelta(seconds=REPEATED_LATER)
        body = Envelope(first.id, first.type, first.subject, later, event["data"]).structured(self._rng)
        return replace(first, body=body)

    def _message(self, mark: Mark, envelope: Envelope, body: bytes, **more: Any) -> Message:
        types = frozenset({mark.type, envelope.type})
        return Message(self.scenario.key, envelope.type, types, envelope.id, envelope.subject, body, **more)

    def _over_amqp(self, mark: Mark, envelope: Envelope, binary: bool) -> Message:
        if binary:
            properties = {"type": envelope.type, "app_id": SOURCE}
            if envelope.id:
                properties["message_id"] = envelope.id
            return self._message(mark, envelope, envelope.data_bytes(self._rng), properties=properties)
        content = self._rng.choice([None, "application/json", "application/cloudevents+json"])
        return self._message(mark, envelope, envelope.structured(self._rng), occurred=envelope.time,
                             properties={"content_type": content} if content else {})  # fmt: skip

    def _over_http(self, mark: Mark, envelope: Envelope, binary: bool) -> Message:
        if binary:
            headers = {"ce-specversion": "1.0", "ce-type": envelope.type, "ce-source": SOURCE,
                       "ce-subject": envelope.subject, "Content-Type": "application/json"}  # fmt: skip
            if envelope.id:
                headers["ce-id"] = envelope.id
            return self._message(mark, envelope, envelope.data_bytes(self._rng), headers=headers)
        body = envelope.structured(self._rng)
        if self._rng.random() < 0.3:
            return self._message(mark, envelope, b"[" + body.removeprefix(BOM) + b"]", occurred=envelope.time,
                                 headers={"Content-Type": "application/cloudevents-batch+json"})  # fmt: skip
        return self._message(mark, envelope, body, occurred=envelope.time,
                             headers={"Content-Type": "application/cloudevents+json"})  # fmt: skip


@dataclass(frozen=True)
class Broken:
    """A message that can't be understood; `marker` is found again in what the hub keeps of it."""

    name: str
    subject: str
    body: bytes
    marker: str


def broken(key: str, seed: int) -> list[Broken]:
    """Ten messages for the list of rejected ones, none of them in the binary form."""

    def event(name: str, **changes: Any) -> bytes:
        marker = f"brk-{name}-{seed}"
        base: dict[str, Any] = {"specversion": "1.0", "id": marker, "source": SOURCE, "type": "order.confirmed"}
        base |= {"subject": key, "data": {"comment": marker}} | changes
        return json.dumps({k: v for k, v in base.items() if v is not None}, ensure_ascii=False).encode()

    def made(name: str, body: bytes, subject: str = key) -> Broken:
        return Broken(name, subject, body, f"brk-{name}-{seed}")

    return [
        made("json", b'{"specversion": "1.0", "id": "brk-json-%d", "type": order.confirmed}' % seed),
        made("noorder", event("noorder", subject=None), subject="no-order"),
        made("channel", event("channel", subject="no-such-shop/1"), subject="no-such-shop/1"),
        made("cut", event("cut", id=f"brk-cut-{seed}", data={"x": "y" * 80})[:-60]),
        made("field", event("field", type="order.cancelled", data={"reason": "other"})),
        made("nul", event("nul").replace(b"comment", b"com\x00ment")),
        made("cp1251", event("cp1251", data={"comment": "Не дозвонились"}).decode().encode("cp1251")),
        Broken("empty", key, b"", ""),
        Broken("null", key, b"null", "null"),
        Broken("number", key, b"%d" % (7_700_000_000 + seed), str(7_700_000_000 + seed)),
    ]
