"""A 1C that says no marks: it keeps a document per order, and an exchange sends it as it stands now and then.

What a mark would have said changes the document. Several changes are joined into one sending at random; a sending may
be repeated, come late, or under the last one's message id. The hub must bring the order to the same end as with marks.

What joining loses, rightly: a stage nobody saw the document in (the hub walks the marketplace through it), and when
each of the joined changes happened: the last one's time counts. So these are never joined, as nothing of them would be
left:
    a change after which 1C waits for the hub's answer, with what follows the answer
    the day agreed at first, with its move: only a document that was seen with another day before can have moved
    changes of two days: the exchange runs every night
"""

import base64
import datetime as dt
from collections.abc import Sequence
from random import Random
from typing import Any

from .marks import Heard, Mark
from .scenario import ZONE

STATUSES = {
    "Новый": "order.registered",
    "Заказ подтвержден": "order.confirmed",
    "Собран": "order.assembled",
    "Отгружен": "order.shipped",
    "В пункте выдачи": "order.arrived",
    "У курьера": "order.handed_over",
    "Вручен": "order.delivered",
    "Выполнен": "order.completed",
    "Отказ": "order.cancelled",
}
"""The base's own names of its statuses, in their order, as `[onec.statuses]` maps them."""

_PATH = [type for type in STATUSES.values() if type != "order.cancelled"]
_NAMES = {type: name for name, type in STATUSES.items()}
SPELLINGS = ("deleted", "cancelled", "lines", "status")


class Document:
    """1C's document of one order; `version` counts its writes."""

    def __init__(self, number: int | str, seed: int, first_day: dt.date) -> None:
        self._rng = Random(f"document:{seed}:{number}")
        self._number, self._stage = number, "order.registered"
        self.version, self.posted = 0, False
        self._spelling, self._why = "", dict[str, Any]()
        self._said: dict[str, Any] = {"delivery": {"date": first_day.isoformat()}}
        self._lines: list[dict[str, Any]] | None = None
        self._how = self._rng.choice(("number", "text", "time", "bytes"))
        self._quiet = self._rng.random() < 0.3  # delivers by its receipt, and leaves the status as it was

    def take(self, mark: Mark) -> None:
        """What a mark would have said, written into the document."""
        self.version += 1
        said, data = self._said, {key: value for key, value in mark.data.items() if key != "status"}
        if mark.type in _PATH and mark.type != "order.registered":
            self.posted = True
            if not (mark.type == "order.delivered" and self._quiet):
                self._stage = max(self._stage, mark.type, key=_PATH.index)
        match mark.type:
            case "order.registered":
                said["document"] = data["document"]
            case "order.confirmed" | "order.assembled":
                self._lines = data.get("lines", self._lines)
            case "order.rescheduled":
                said["delivery"] = data
            case "order.shipped":
                said["shipment"] = {"number": f"Р-{self._number}", "date": "2026-01-13T12:00:00", **data}
            case "order.arrived":
                said["arrival"] = data
            case "order.delivered":
                said["receipt"] = {**data["receipt"], **({"lines": data["lines"]} if "lines" in data else {})}
            case "order.cancelled":
                self.cancel(data)
            case "order.cancellation_accepted" | "order.cancellation_declined":
                said |= {"answer": mark.type.removeprefix("order.cancellation_"), **data}
            case "order.handed_over":
                said |= data

    def cancel(self, why: dict[str, Any]) -> None:
        """In one of 1C's four spellings."""
        self._spelling, self._why = self._rng.choice(SPELLINGS), why

    def unpost(self) -> None:
        """Somebody mends the document: until it is posted again it does not count."""
        self.version += 1
        self.posted = False

    def data(self, heard: Heard) -> dict[str, Any]:
        """The document as it stands, in CONTRACT.md's keys; its lines as ordered unless it was written with others."""
        rng, how = self._rng, self._spelling
        whole = {
            "version": self._version(), "status": _NAMES["order.cancelled" if how == "status" else self._stage],
            "posted": self._flag(self.posted), "deleted": self._flag(how == "deleted"),
            "cancelled": self._flag(how == "cancelled"), **self._said, **self._why,
        }  # fmt: skip
        lines = self._lines if self._lines is not None else _ordered(heard)
        if lines:
            whole["lines"] = [{**line, **({"cancelled": True} if how == "lines" else {})} for line in lines]
        if not how and rng.random() < 0.2:  # not every exchange writes what is not so
            whole = {key: value for key, value in whole.items() if key not in ("deleted", "cancelled")}
        items = list(whole.items())
        rng.shuffle(items)
        return dict(items)

    def _flag(self, value: bool) -> Any:
        return self._rng.choice((value, value, str(value).lower(), "Да" if value else "Нет", int(value)))

    def _version(self) -> Any:
        match self._how:
            case "number":
                return self.version
            case "text":
                return f"{self.version}"
            case "time":
                return (dt.datetime(2026, 1, 12, 10, tzinfo=ZONE) + dt.timedelta(seconds=self.version)).isoformat()[:19]
            case _:
                return base64.b64encode(self.version.to_bytes(4) + (7).to_bytes(4)).decode()


def _ordered(heard: Heard) -> list[dict[str, Any]]:
    """The goods as the hub told them last."""
    goods = [event["data"] for event in heard if event["type"] in ("order.placed", "order.changed")]
    told = [data["lines"] for data in goods if data.get("lines")]
    return [{"sku": line["sku"], "quantity": line["quantity"]} for line in told[-1]] if told else []


def joins(marks: Sequence[Mark], at: int, sent: bool) -> bool:
    """Whether the change at a place may be sent together with the next one; `sent`: the document was seen before."""
    if at + 1 == len(marks):
        return False
    this, following = marks[at], marks[at + 1]
    moves_unseen = following.type == "order.rescheduled" and not sent
    return not (following.wait or following.until or following.days_ago != this.days_ago or moves_unseen)
