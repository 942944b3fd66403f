"""The mapping language: a path in a message of 1C's to a field of ours, as `[onec.sources.NAME] mapping` has it. Pure.

    Заказ.Номер                      keys with dots, in Latin or Cyrillic
    Товары[].Артикул                 of each element of an array; `Товары.Артикул` says the same
    "Реквизиты"."Код.1С"             a key that holds a dot or a bracket stands in quotes (a quote in it is doubled)
    Реквизиты[Имя=Номер заказа].Значение   of the first element where a key has a value

Typed values of 1C's formats (`{"#type": …, "#value": …}`) are walked through as if they were the value itself.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

ENVELOPE = ("order", "channel", "number", "id", "type", "time")
"""Fields that say what a message is about; the others are the canonical snapshot's."""

FIELDS = frozenset({
    *ENVELOPE,
    "kind", "version", "status", "posted", "deleted", "cancelled", "by", "reason", "comment", "answer", "boxes",
    "courier", "code", "store", "keep_until",
    *(f"document.{key}" for key in ("id", "number", "date")),
    *(f"lines.{key}" for key in ("sku", "quantity", "cancelled", "price", "marks", "serials")),
    "shipment", *(f"shipment.{key}" for key in ("number", "date", "track", "to")),
    "arrival", *(f"arrival.{key}" for key in ("store", "keep_until")),
    "receipt", *(f"receipt.{key}" for key in ("number", "total", "lines.sku", "lines.quantity")),
    "returned", *(f"returned.{key}" for key in ("lines.sku", "lines.quantity")),
    *(f"delivery.{key}" for key in ("date", "interval.from", "interval.to", "by")),
})  # fmt: skip
"""What a path may be mapped to."""

VALUE = "#value"

_KEY = re.compile(r'"((?:[^"]|"")+)"|([^."\[\]]+)')
_CHOICE = re.compile(r"\[(?:\s*([^\[\]=]+?)\s*=\s*([^\[\]]+?)\s*)?\]")


class Step(msgspec.Struct, frozen=True):
    """One key of a path. `each`: it holds an array; `chosen`: only the element where this key has this value."""

    key: str
    each: bool = False
    chosen: tuple[str, str] | None = None


Path = tuple[Step, ...]


@cache
def parse(text: str) -> Path:
    """A path come apart; ValueError says what is wrong with it."""
    steps: list[Step] = []
    at, end = 0, len(text)
    while True:
        key = _KEY.match(text, at)
        if key is None or not (key[1] or key[2].strip()):
            raise ValueError(f"a key is missing at character {at + 1}: write it as Заказ.Номер or Товары[].Артикул")
        at = key.end()
        choice = _CHOICE.match(text, at)
        at = choice.end() if choice is not None else at
        chosen = (choice[1], choice[2]) if choice is not None and choice[1] else None
        name = key[1].replace('""', '"') if key[1] else key[2].strip()
        steps.append(Step(name, choice is not None and chosen is None, chosen))
        if at == end:
            return tuple(steps)
        if text[at] != ".":
            raise ValueError(f"{text[at]!r} at character {at + 1} is out of place: put a key that holds it in quotes")
        at += 1


def fault(path: str, field: str) -> str | None:
    """What is wrong with an entry of a mapping; None for nothing."""
    try:
        parse(path)
    except ValueError as error:
        return str(error)
    if field not in FIELDS:
        return f"{field!r} is no field of ours; there are {', '.join(sorted(FIELDS))}"
    return None


def walk(value: Any, path: Iterable[Step]) -> Any:
    """What stands at a path; of an array a list with what stands there in each of its elements. None for nothing."""
    steps = tuple(path)
    for number, step in enumerate(steps):
        value = _unwrapped(value, step.key)
        if isinstance(value, list):
            return [walk(item, steps[number:]) for item in value]
        if not isinstance(value, dict) or step.key not in value:
            return None
        value = value[step.key]
        if step.chosen is not None:
            value = _chosen(value, *step.chosen)
        elif step.each and value is not None and not isinstance(value, list):
            value = [value]  # a writer that leaves out the array around a single element
    return value


def _unwrapped(value: Any, key: str) -> Any:
    while isinstance(value, dict) and key not in value and VALUE in value:
        value = value[VALUE]
    return value


def _chosen(value: Any, key: str, wanted: str) -> Any:
    for item in value if isinstance(value, list) else [value]:
        found = walk(item, (Step(key),))
        if found is not None and str(found).strip().casefold() == wanted.casefold():
            return item
    return None
