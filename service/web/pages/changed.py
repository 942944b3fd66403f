"""What an event changed in its order, as lines of label, before and after. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from projections.orders.project import Attention, Cancelled, Deadline, Document, Line
from service.audit import Change
from service.web.pages.details import TIMES
from service.web.pages.speech import Speech

Changed = list[tuple[str, str, str]]

WORDS = {"stage": "stage", "marketplace.stage": "stage", "delivery.type": "way"}
"""Fields whose values are names, and the section with the words for them."""

EMPTY: tuple[object, ...] = (None, "", [], {})


def changed(changes: Sequence[Change], data: Mapping[str, Any], say: Speech) -> Changed:
    """The lines; what an event itself says for the first time stands among its details already."""
    return [
        (say.word("changed", one.field), _value(one.field, one.before, say), _value(one.field, one.after, say))
        for one in changes
        if not (one.before in EMPTY and one.field.rpartition(".")[2] in data)
    ]


def _value(field: str, value: Any, say: Speech) -> str:
    if value in EMPTY:
        return say.text("changed.nothing")
    if isinstance(value, list):
        return "; ".join(_one(field, one, say) for one in value)
    return _one(field, value, say)


def _one(field: str, value: Any, say: Speech) -> str:
    match value:
        case Attention():
            return say.word("attention", value.code)
        case Line():
            return f"{value.name or value.sku}{TIMES}{value.quantity}"
        case Deadline():
            return f"{say.word('deadline', value.stage)} {say.text('list.until')} {clock(value.due, say)}"
        case Document():
            return str(value.number or value.id or "")
        case Cancelled():
            return ", ".join(filter(None, (say.word("by", value.by), say.word("reason", value.reason))))
        case Decimal():
            return say.money(value)
        case datetime():
            return clock(value, say)
        case date():
            return say.day(value)
        case str():
            return say.word(WORDS[field], value) if field in WORDS else value
    return msgspec.json.encode(value, enc_hook=str).decode()


def clock(moment: datetime, say: Speech) -> str:
    """A time to the second, with its day where that is not today's."""
    here = moment.astimezone(say.zone)
    today = here.date() == say.now.astimezone(say.zone).date()
    return f"{here:%H:%M:%S}" if today else f"{say.day(here.date())}, {here:%H:%M:%S}"
