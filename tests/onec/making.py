"""What the tests of 1C's side share: a configuration, and messages as 1C writes them."""

import json
from pathlib import Path
from typing import Any

from events.recorded import NewEvent
from service.onec.cloudevents import Message, Raw, Unreadable, read
from service.settings import Settings, parse
from service.understanding import understand

ORDER = "ym-msk/48123456"
SOURCE = "1c/ut11"

CONFIG: dict[str, Any] = {
    "timezone": "Europe/Samara",
    "onec": {
        "statuses": {"Заказ подтвержден": "order.confirmed", "Отменен": "order.cancelled"},
        "sources": {"perm": {"timezone": "Asia/Yekaterinburg", "statuses": {"Заказ подтвержден": "order.assembled"}}},
    },
    "channels": {
        name: {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": number, "api_key": "key"}
        for number, name in enumerate(("ym-msk", "ym-spb"), 1)
    },
}


def configured(**changed: Any) -> Settings:
    """The configuration of these tests; sections may be replaced."""
    return parse({**CONFIG, **changed}, Path())


SETTINGS = configured()


def event(type: str = "order.confirmed", data: Any = None, **attributes: Any) -> dict[str, Any]:
    """A CloudEvent as 1C sends it; an attribute that is None is left out."""
    whole: dict[str, Any] = {"specversion": "1.0", "id": "m1", "source": SOURCE, "type": type, "subject": ORDER}
    whole |= {"time": "2022-11-28T10:00:00", "data": {} if data is None else data, **attributes}
    return {key: value for key, value in whole.items() if value is not None}


def body(*arguments: Any, **named: Any) -> bytes:
    """The same in bytes."""
    return json.dumps(event(*arguments, **named), ensure_ascii=False).encode()


def one(raw: bytes, **envelope: str) -> Message:
    """The one message in a body."""
    (message,) = read(raw, envelope)
    assert isinstance(message, Message), message
    return message


def refused(raw: bytes, **envelope: str) -> Unreadable:
    """Why the one message in a body can't be understood."""
    (message,) = read(raw, envelope)
    try:
        understand(message, SETTINGS)
    except Unreadable as error:
        return error
    raise AssertionError(f"{message} was understood")


def understood(raw: bytes, settings: Settings = SETTINGS, /, **envelope: str) -> NewEvent:
    """The event of the one message in a body."""
    return understand(one(raw, **envelope), settings)


def raw(content: bytes, via: str = "amqp", **envelope: str) -> Raw:
    """A message as it came."""
    return Raw(content, envelope, via)
