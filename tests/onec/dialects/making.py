"""What the tests of dialects share: documents as each dialect spells them, and an order they follow into."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from events import codec
from events.order import facts as f
from events.order.state import OrderState, fold
from events.recorded import NewEvent, Recorded
from service.comparing import compared
from service.onec.cloudevents import Message, Raw, Unreadable
from service.onec.reading import read
from service.settings import Settings
from service.understanding import understand
from tests.onec.making import CONFIG, ORDER, configured

GUID = "e3f1d9b6-0001-11ef-a850-cc52afc9fc6f"
OTHER = "e3f1d9b6-0002-11ef-a850-cc52afc9fc6f"
STATE = "70c31e69-0001-11ef-a850-cc52afc9fc6f"
WASHER, DRYER = "aaaaaaaa-0001-11ef-a850-cc52afc9fc6f", "aaaaaaaa-0002-11ef-a850-cc52afc9fc6f"
NOTHING = "00000000-0000-0000-0000-000000000000"
NUMBER = ORDER.partition("/")[2]

BASE = {"channel": "ym-msk"}
"""What is set of the base `trade` where nothing else is said."""

LINES = (f.Line(sku="A-1", quantity=2), f.Line(sku="B-7", quantity=1))


def base(dialect: str | None = None, **changed: Any) -> Settings:
    """A configuration with one base, `trade`, and two channels."""
    told = {**BASE, **({} if dialect is None else {"dialect": dialect}), **changed}
    return configured(onec={"sources": {"trade": told}})


def only(channel: str = "ym-msk") -> Settings:
    """A configuration with one channel, and nothing said of any base."""
    return configured(onec={}, channels={channel: CONFIG["channels"][channel]})


def rdv(data: dict[str, Any], type: str = "ЗаказКлиента", **meta: Any) -> bytes:
    """A document in the envelope of RDV-MI, indented with tabs; `meta` adds to its head."""
    head = {"id": "m1", "eventid": "ev1", "baseid": "trade", "timestamp": 1669629600000, "direction": "sender"}
    head |= {"objecttype": type, **meta}
    own = {"_ИмяОбъекта": type, "_ТипЗначения": f"Документ.{type}", "_GUID": GUID, **data}
    return written({"meta": head, "data": own}, indent="\t")


def xdto(value: dict[str, Any], type: str = "ЗаказПокупателя") -> bytes:
    """A document as the XDTO serialiser writes it."""
    return written(xdto_tree(value, type))


def xdto_tree(value: dict[str, Any], type: str = "ЗаказПокупателя") -> dict[str, Any]:
    """The same as a tree."""
    own = {"Ref": GUID, "DeletionMark": False, "Date": "2022-11-28T10:00:00", "Number": "0000-000123", "Posted": True}
    return {"#type": f"jcfg:DocumentObject.{type}", "#value": {**own, **value}}


def odata(document: dict[str, Any], type: str = "ЗаказКлиента") -> bytes:
    """A document as OData shows it."""
    own = {"Ref_Key": GUID, "DataVersion": "AAAAAQAAAAA=", "DeletionMark": False, "Number": "ЦСУТ-004512"}
    own |= {"Date": "2022-11-28T10:00:00", "Posted": True}
    at = f"http://1c.example/base/odata/standard.odata/$metadata#Document_{type}/@Element"
    return written({"odata.metadata": at, **own, **document})


def written(tree: Any, **how: Any) -> bytes:
    """A tree in bytes."""
    return json.dumps(tree, ensure_ascii=False, **how).encode()


def messages(body: bytes, settings: Settings, **envelope: str) -> list[Message]:
    """The messages in a body, all of them readable."""
    found = read(body, envelope, settings)
    assert not [m for m in found if isinstance(m, Unreadable)], found
    return [m for m in found if isinstance(m, Message)]


def one(body: bytes, settings: Settings, **envelope: str) -> Message:
    """The one message in a body."""
    (message,) = messages(body, settings, **envelope)
    return message


def refused(body: bytes, settings: Settings, **envelope: str) -> Unreadable:
    """Why the one message in a body can't be understood."""
    (message,) = read(body, envelope, settings)
    try:
        understand(message, settings)
    except Unreadable as error:
        return error
    raise AssertionError(f"{message} was understood")


class Order:
    """An order the marketplace placed, and what 1C's messages add to its history."""

    def __init__(self, settings: Settings, lines: Iterable[f.Line] = LINES, order: str = ORDER) -> None:
        self.settings, self.order = settings, order
        self.history: list[Recorded] = []
        self._add(codec.own_event(order, "order.placed", "p", f.Placed(number=NUMBER, lines=tuple(lines)), None))

    def send(self, body: bytes, **envelope: str) -> list[str]:
        """Takes a body; the types of the events it adds."""
        known = len(self.history)
        for message in messages(body, self.settings, **envelope):
            one = compared(message, Raw(body, envelope, "amqp"), self.settings)
            news = [understand(message, self.settings)] if one is None else one.news(self.order, self.history)
            for event in news:
                self._add(event)
        return [event.type for event in self.history[known:]]

    def follows(self, body: bytes, **envelope: str) -> list[str]:
        """The same without the snapshot itself."""
        types = self.send(body, **envelope)
        return [type for type in types if type != "order.snapshot"]

    @property
    def state(self) -> OrderState:
        """What is known of the order now."""
        return fold(self.order, self.history)

    def last(self, type: str) -> Any:
        """The newest fact of a type."""
        return next(codec.decode(event) for event in reversed(self.history) if event.type == type)

    def _add(self, event: NewEvent) -> None:
        self.history.append(recorded(event, len(self.history) + 1, self.order))


def recorded(event: NewEvent, at: int = 1, order: str = "") -> Recorded:
    """An event as the log would give it back; `at`: its position and version."""
    now = datetime(2022, 11, 28, tzinfo=UTC)
    return Recorded(
        position=at, order=order or event.order, version=at, type=event.type, source=event.source, id=event.id,
        cause=None, actor=event.actor, occurred_at=event.occurred_at or now, recorded_at=now, id_reused=False,
        data=event.data,
    )  # fmt: skip


def facts(order: Order) -> list[tuple[str, Any]]:
    """An order's events but the snapshots, as plain data."""
    return [(e.type, msgspec.json.decode(e.data)) for e in order.history if e.type != "order.snapshot"]
