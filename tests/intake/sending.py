"""One order's history, grown by what 1C sends of its documents: as intake does it, without a log."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from events import codec
from events.order import facts as f
from events.recorded import NewEvent, Recorded
from service import comparing
from service.onec.cloudevents import Message, Raw, read
from service.understanding import understand
from tests.events.given import OPEN, ORDER, PLACED, START, attention, history
from tests.onec.making import configured

STATUSES = {
    "Заказ подтверждён": "order.confirmed",
    "Собран": "order.assembled",
    "Отгружен": "order.shipped",
    "В пункте выдачи": "order.arrived",
    "У курьера": "order.handed_over",
    "Вручён": "order.delivered",
    "Отказ": "order.cancelled",
    "Возврат": "order.returned",
    "Отказано в отмене": "order.cancellation_declined",
    "70c31e69-0001-11ef-a850-cc52afc9fc6f": "order.assembled",
}
CHANNEL = {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 1, "api_key": "key"}
SETTINGS = configured(
    channels={"shop": CHANNEL},
    onec={"statuses": STATUSES, "sources": {"perm": {"statuses": {"Собран": "order.shipped"}}}},
)
DOC = {"id": "d-1", "number": "УТ-1"}
GOODS = [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}]
LESS = [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1}]


def sends(
    events: Sequence[Recorded], data: Any = None, /, *, type: str = "order.snapshot", source: str = "1c/ut",
    id: str | None = None, time: str | None = None, subject: str = ORDER, body: bytes = b"",
) -> list[Recorded]:  # fmt: skip
    """The history after 1C has sent a document as it stands (or a mark), with its own id unless one is named."""
    id = id or f"s{len(events)}"
    whole = {"specversion": "1.0", "id": id, "source": source, "type": type, "subject": subject, "data": data}
    whole |= {"time": time} if time is not None else {}
    sent = body or json.dumps(whole, ensure_ascii=False).encode()
    (message,) = read(sent, {})
    assert isinstance(message, Message), message
    compared = comparing.compared(message, Raw(sent, {}, "amqp"), SETTINGS)
    if compared is None:
        return _recorded(events, [understand(message, SETTINGS)])
    linked = _linked(events)
    order = ORDER if compared.order in linked else compared.order
    own = [event for event in events if event.order == order or (order == ORDER and event.order in linked)]
    return _recorded(events, compared.news(order, own))


def follows(events: Sequence[Recorded], data: Any = None, /, **attributes: Any) -> list[str]:
    """What a snapshot brings about, itself left out: types, in order, without `order.`."""
    added = sends(events, data, **attributes)[len(events) :]
    assert not added or added[0].type == "order.snapshot"
    return [event.type.removeprefix("order.") for event in added[1:]]


def _linked(events: Sequence[Recorded]) -> set[str]:
    """The documents that are linked to the order."""
    facts = [codec.decode(event) for event in events if event.type == "order.registered" and event.order == ORDER]
    ids = [fact.document.id for fact in facts if isinstance(fact, f.Registered)]
    return {f"1c/{id.casefold()}" for id in ids if id}


def _recorded(events: Sequence[Recorded], news: Sequence[NewEvent]) -> list[Recorded]:
    grown = list(events)
    for new in news:
        position = len(grown) + 1
        at = START + timedelta(minutes=position)
        recorded = Recorded(
            position=position, order=new.order, version=position, type=new.type, source=new.source, id=new.id,
            cause=None, actor=new.actor, occurred_at=new.occurred_at or at, recorded_at=at, id_reused=False,
            data=new.data,
        )  # fmt: skip
        grown.append(recorded)
    return grown


def newest(events: Sequence[Recorded], type: str) -> Any:
    """The last fact of a type."""
    return codec.decode(next(event for event in reversed(events) if event.type == f"order.{type}"))


def codes(events: Sequence[Recorded]) -> list[str]:
    """What calls for a person, by code."""
    return [code for code, _ in attention(events)]


SHOWN = history(PLACED, OPEN)
"""An order the marketplace has shown, and 1C has said nothing of."""

CONFIRMED = sends(SHOWN, {"document": DOC, "status": "Заказ подтверждён", "posted": True, "lines": GOODS, "version": 1})
