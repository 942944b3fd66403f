"""What a fact says, as short lines of label and value: by the names of its fields, so that any type can be shown."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from service.web.pages.speech import Speech

Lines = list[tuple[str, str]]

TIMES = "\u00a0\u00d7\u00a0"

SHOWN_LINES = 5
"""Goods named in one line of the story; the rest are counted."""


def details(data: Mapping[str, Any], speech: Speech, actions: Mapping[str, str]) -> Lines:
    """The lines for a fact's data. `actions`: what each command does, by its id."""
    return list(_details(data, speech, actions))


def private(told: Any, speech: Speech) -> Lines:
    """The lines for what came with a fact and may be erased."""
    found = told if isinstance(told, dict) else {}
    return [(speech.text(f"field.{name}"), str(found[name])) for name in ("courier", "comment") if found.get(name)]


def _details(data: Mapping[str, Any], speech: Speech, actions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, write in _FIELDS.items():
        value = data.get(name)
        if value is None or value == [] or value is False:
            continue
        if name == "command":
            shown = speech.word("action", actions.get(str(value)))
        elif name == "total":
            currency = data.get("currency")
            shown = speech.money(_decimal(value), currency if isinstance(currency, str) else None)
        else:
            shown = write(value, speech)
        if shown:
            yield speech.text(f"field.{name}"), shown
    if data.get("stale") is True:
        yield speech.text("field.status"), speech.text("field.stale")


def _plain(value: Any, _: Speech) -> str:
    return str(value) if isinstance(value, str | int | float | Decimal) else ""


def _word(section: str) -> Callable[[Any, Speech], str]:
    return lambda value, speech: speech.word(section, str(value))


def _document(value: Any, speech: Speech) -> str:
    if not isinstance(value, dict):
        return _plain(value, speech)
    name, of = value.get("number") or value.get("id") or "", _moment(value.get("date"))
    if of is None:
        return str(name)
    return f"{name} {speech.text('order.document_date', date=speech.day(of.astimezone(speech.zone).date()))}".strip()


def _goods(value: Any, speech: Speech) -> str:
    lines = [line for line in value if isinstance(line, dict)] if isinstance(value, list) else []
    named = [f"{line.get('name') or line.get('sku')}{TIMES}{line.get('quantity', 1)}" for line in lines]
    more = len(named) - SHOWN_LINES
    marks = sum(len(line["marks"]) for line in lines if isinstance(line.get("marks"), list))
    shown = named[:SHOWN_LINES] + ([speech.text("list.more", count=more)] if more > 0 else [])
    shown += [f"{speech.text('field.marks')}: {marks}"] if marks else []
    return "; ".join(shown)


def _receipt(value: Any, speech: Speech) -> str:
    if not isinstance(value, dict):
        return _plain(value, speech)
    return ", ".join(filter(None, (str(value.get("number") or ""), speech.money(_decimal(value.get("total"))))))


def _interval(value: Any, speech: Speech) -> str:
    if not isinstance(value, dict):
        return _plain(value, speech)
    return "\u2013".join(str(value[end]) for end in ("from", "to") if value.get(end))


def _day(value: Any, speech: Speech) -> str:
    try:
        return speech.day(date.fromisoformat(str(value)))
    except ValueError:
        return str(value)


def _due(value: Any, speech: Speech) -> str:
    due = _moment(value)
    if due is None:
        return _plain(value, speech)
    here = due.astimezone(speech.zone)
    return f"{speech.day(here.date())}, {here:%H:%M}"


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _decimal(value: Any) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _attention(value: Any, speech: Speech) -> str:
    return speech.word("attention", str(value)) if isinstance(value, str) else ""


# Fields by the names they have in the log, in the order they are shown.
_FIELDS: dict[str, Callable[[Any, Speech], str]] = {
    "number": _plain,
    "document": _document,
    "status": _plain,
    "stage": _word("stage"),
    "by": _word("by"),
    "reason": _word("reason"),
    "lines": _goods,
    "total": _plain,
    "boxes": _plain,
    "track": _plain,
    "to": _plain,
    "store": _plain,
    "keep_until": _day,
    "receipt": _receipt,
    "date": _day,
    "interval": _interval,
    "due": _due,
    "notice": _plain,
    "code": _attention,
    "command": _plain,
}
