"""A document's fields, the stock ones and those that its base's `mapping` adds or puts in their place, as a part. Pure.

Fields go by their names with dots until here (`document.number`, `lines.sku`): `build` makes the canonical snapshot of
them. Of two paths to one field the first that leads to something counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from events.order.facts import ONEC_TYPES
from service.onec import mapping
from service.onec.cloudevents import Unreadable
from service.onec.dialects._kinds import kind
from service.onec.dialects._marks import as_mark
from service.onec.dialects._orders import subject
from service.onec.dialects._values import bare, named, stamp, text
from service.onec.dialects.port import Around, Part
from service.onec.snapshots import TYPE

LISTS = ("lines", "receipt.lines", "returned.lines")
MANY = ("marks", "serials")
DATES = ("date", "keep_until")


class Found(msgspec.Struct):
    """What a document says: of itself (`said`: order, number, channel, id, type, time), as a snapshot, of its lines."""

    said: dict[str, str]
    data: dict[str, Any]
    lines: list[dict[str, Any]]

    def names_order(self, around: Around) -> bool:
        """Whether it says by itself whose order it is, without a document of 1C's."""
        return bool(subject(around, self.said["order"], self.said["number"], self.said["channel"], None))

    def part(
        self, around: Around, order: str | None, lines: Sequence[Mapping[str, Any]], outside: Mapping[str, str]
    ) -> Part:
        """It as a part with these lines; `order`: the id of its order's document in 1C."""
        said, data = self.said, dict(self.data)
        if lines:
            data["lines"] = [dict(line) for line in lines]
        type = _type(said["type"], around, outside.get("source", around.source))
        if type == TYPE and said["type"] and said["type"] != TYPE:
            data.setdefault("status", said["type"])
        return Part(
            subject=subject(around, said["order"], said["number"], said["channel"], order), type=type,
            data=data if type == TYPE else as_mark(type, data), id=said["id"] or outside.get("id", ""),
            time=said["time"] or outside.get("time", ""), source=outside.get("source", ""),
        )  # fmt: skip


def apply(
    around: Around, document: Any, whole: Any, fields: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> Found:
    """A document's stock `fields` and `lines`, and what the mapping says: its paths begin in `document` or `whole`."""
    mapped: dict[str, Any] = {}
    for path, field in around.base.mapping.items():
        steps = mapping.parse(path)
        found = _value(field, mapping.walk(document, steps))
        if found is None and whole is not document:
            found = _value(field, mapping.walk(whole, steps))
        if found is not None:
            mapped.setdefault(field, found)
    if "kind" in mapped:
        mapped["kind"] = kind(text(mapped["kind"]), "", around)
    both = {field: value for field, value in {**fields, **mapped}.items() if not _no_date(field, value)}
    said = {name: text(both.pop(name, None)) for name in mapping.ENVELOPE if name != "time"}
    said["time"] = stamp(both.pop("time", None))
    return Found(said, build(both), _joined(lines, _rows("lines", mapped)))


def build(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The canonical snapshot of fields by their names; its own lines are not made here."""
    data: dict[str, Any] = {}
    for field, value in sorted(fields.items(), key=lambda item: -item[0].count(".")):
        head, *rest = field.split(".")
        if any(field.startswith(f"{name}.") for name in LISTS):
            continue
        if not rest:
            there = head in data and value not in (False, "false", "Нет", 0)
            data[head] = data[head] if there else value
            continue
        inner = data.setdefault(head, {})
        for step in rest[:-1]:
            inner = inner.setdefault(step, {})
        inner[rest[-1]] = value
    for name in LISTS[1:]:
        rows = _rows(name, fields)
        if rows:
            data[name.partition(".")[0]] = {**_dict(data.get(name.partition(".")[0])), "lines": rows}
    return data


def _no_date(field: str, value: Any) -> bool:
    """Whether a date is the letter, Latin or Cyrillic, that is left of one where there is none."""
    return field.rpartition(".")[2] in DATES and value in ("T", "Т")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _type(named: str, around: Around, source: str) -> str:
    """The type of a message that names one: a mark of ours, or what `statuses` make of it."""
    if named in ONEC_TYPES:
        return named
    return (around.onec.status_type(source, named) if named else None) or TYPE


def _value(field: str, value: Any) -> Any:
    """What a path led to, as the field wants it; None for nothing."""
    head, _, last = field.rpartition(".")
    if head in LISTS:
        return _column(value, last)
    if isinstance(value, list):
        return next((one for item in value if (one := _value(field, item)) is not None), None)
    if field == "status":
        return named({"status": value}, "status")
    value = bare(value)
    return None if isinstance(value, dict) else value


def _column(value: Any, last: str) -> list[Any] | None:
    """A field of each line."""
    rows = value if isinstance(value, list) else [value]
    if last in MANY:
        found: list[Any] = [list(_texts(row)) for row in rows]
    else:
        found = [next(_scalars(row), None) for row in rows]
    return found if any(one not in (None, []) for one in found) else None


def _scalars(value: Any) -> Iterator[Any]:
    value = bare(value)
    if isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    elif value is not None and not isinstance(value, dict):
        yield value


def _texts(value: Any) -> Iterator[str]:
    yield from (str(one) for one in _scalars(value))


def _rows(name: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines that columns of values make."""
    columns = {field.rpartition(".")[2]: value for field, value in fields.items() if field.rpartition(".")[0] == name}
    count = max((len(column) for column in columns.values()), default=0)
    rows = [{key: column[n] for key, column in columns.items() if n < len(column)} for n in range(count)]
    return [{key: value for key, value in row.items() if value not in (None, [])} for row in rows]


def _joined(stock: Sequence[Mapping[str, Any]], mapped: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The stock lines, each with what is mapped of it; only the mapped ones where there are no others."""
    if not mapped or not stock:
        return [dict(line) for line in (mapped or stock)]
    if len(mapped) != len(stock):
        detail = f"the mapping of `lines` finds {len(mapped)} lines where the document has {len(stock)}: see its paths"
        raise Unreadable("bad_field", detail)
    return [{**own, **more} for own, more in zip(stock, mapped, strict=True)]
