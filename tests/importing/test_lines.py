"""A line of the past means what the same message would have meant live, and nothing a hub would act on."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import codec
from events.order import facts as f
from events.recorded import NewEvent, Recorded
from service.audit import event_json
from service.importing.lines import BOTH, OWN, SHOWN, Past, Skipped, understood
from service.onec.cloudevents import Unreadable, read
from service.settings import parse
from service.understanding import understand
from tests.web.served import CHANNEL

SETTINGS = parse({"timezone": "Europe/Samara", "channels": {"ym-msk": CHANNEL}}, Path())
WHO, ORDER = "import/anna", "ym-msk/1"
AT = "2022-11-28T10:00:00"
SAMPLES = Path(__file__).parents[1] / "events" / "samples"


def taken(line: Any) -> list[Past | Skipped | Unreadable]:
    return list(understood(line if isinstance(line, bytes) else json.dumps(line).encode(), SETTINGS, WHO))


def event(line: Any) -> NewEvent:
    (one,) = taken(line)
    assert isinstance(one, Past), one
    return one.event


def fault(line: Any) -> Unreadable:
    (one,) = taken(line)
    assert isinstance(one, Unreadable), one
    return one


def said(type: str, data: Any = None, **more: Any) -> dict[str, Any]:
    """A CloudEvent of the past."""
    whole = {"specversion": "1.0", "id": "7", "source": "1c/ut11", "type": type, "subject": ORDER, "time": AT}
    return whole | {"data": data or {}} | more


def test_every_type_is_somebodys() -> None:
    """A type there is comes from 1C, from a marketplace or from a hub; two from either of the first."""
    assert frozenset(f.FACTS) == SHOWN | set(f.ONEC_TYPES) | OWN
    assert not SHOWN & set(f.ONEC_TYPES)
    assert set(f.ONEC_TYPES) >= BOTH
    assert {type for type in f.FACTS if type.startswith("command.")} | {"deadline.near", "attention.cleared"} <= OWN


def test_a_mark_is_the_live_mark_by_another_actor() -> None:
    """The same digest, so that one that came live is not taken twice; the time is the line's own, by 1C's clock."""
    line = json.dumps(said("order.delivered", {"receipt": {"total": "100,50"}, "comment": "left at the door"})).encode()
    (message,) = read(line, {})
    live = understand(message, SETTINGS)
    assert event(line) == msgspec.structs.replace(live, actor=WHO)
    assert event(line).occurred_at == datetime(2022, 11, 28, 6, tzinfo=UTC)
    assert event(line).body == line
    assert event(said("order.registered", {"document": {"id": "D1"}})).document == "d1"


def test_a_status_of_1cs_own_is_the_mark_it_stands_for() -> None:
    """`[onec.statuses]` holds for the past as well."""
    mapped = parse({"onec": {"statuses": {"Готов": "order.assembled"}}, "channels": {"ym-msk": CHANNEL}}, Path())
    (one,) = understood(json.dumps(said("order.status", {"status": "готов"})).encode(), mapped, WHO)
    assert isinstance(one, Past)
    assert one.event.type == "order.assembled"


@pytest.mark.parametrize("time", [None, "", "0001-01-01T00:00:00", "soon"])
def test_a_line_without_a_time_is_no_past(time: str | None) -> None:
    """Live, a message without one occurs when it comes; a past event would lie about it."""
    found = fault(said("order.shipped", time=time))
    assert (found.reason, found.pointer) == ("missing_field", "/time")


def test_what_a_marketplace_showed_is_its_own_and_people_go_beside_the_log() -> None:
    """Whatever source the line names; times without a zone are made aware, unknown fields can be erased."""
    data = {
        "lines": [{"sku": "A", "quantity": 1, "price": 10.5}], "placed_at": "2022-11-28T09:00:00",
        "deadlines": [{"stage": "shipped", "due": "2022-11-29T09:00:00"}], "customer": {"name": "Анна"},
        "address": "Самара", "gift": "for Boris",
    }  # fmt: skip
    one = event(said("order.placed", data, source="old-shop"))
    assert (one.source, one.actor) == ("channel/ym-msk", WHO)
    fact = msgspec.json.decode(one.data, type=f.Placed)
    assert (fact.number, fact.placed_at) == ("1", datetime(2022, 11, 28, 5, tzinfo=UTC))
    assert fact.deadlines[0].due == datetime(2022, 11, 29, 5, tzinfo=UTC)
    assert one.personal is not None
    beside = json.loads(one.personal)
    assert beside == {"customer": {"name": "Анна"}, "address": "Самара", "extra": {"gift": "for Boris"}}
    assert not any(word in one.data.decode() for word in ("Анна", "Самара", "Boris"))
    seen = event(said("marketplace.seen", {"status": "DELIVERED", "stage": "delivered"}, source="channel/other"))
    assert (seen.source, json.loads(seen.data)["began_at"]) == ("channel/ym-msk", "2022-11-28T06:00:00Z")


def test_either_may_cancel() -> None:
    """The source says who: a marketplace's is `channel/NAME`, any other is 1C's."""
    assert event(said("order.cancelled", {"by": "shop"})).source == "1c/ut11"
    shown = event(said("order.cancelled", {"by": "customer", "status": "X"}, source="channel/ym-msk"))
    assert (shown.source, json.loads(shown.data)["status"]) == ("channel/ym-msk", "X")


def test_what_a_hub_decided_is_skipped() -> None:
    """To this hub it is no fact, and it must never act on it."""
    for type in OWN:
        assert taken(said(type)) == [Skipped(type)]
    assert taken(said("order.shipped", source="okno")) == [Skipped("order.shipped")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (said("order.shipped", subject="nowhere/1"), "unknown_channel"),
        (said("order.shipped", subject="1"), "no_order"),
        (said("order.placed", subject="1c/d1"), "no_order"),
        (said("order.shipped", source="import/x"), "reserved_source"),
        (said("order.shipped", source="channel/ym-msk"), "reserved_source"),
        (said("marketplace.seen", {"stage": "shipped"}), "bad_field"),
        (said("order.placed") | {"data": [1]}, "bad_data"),
        (said("order.rescheduled"), "missing_field"),
        (b"{", "broken_json"), (b"\xff", "not_utf8"), (b"1", "not_an_event"), (b'{"line":1}', "broken_json"),
        (b'{"order":"ym-msk/1","occurred_at":"2022-11-28T06:00:00Z"}', "missing_field"),
        (b'{"order":1,"occurred_at":[]}', "missing_field"), (b'{"occurred_at":', "broken_json"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_says_why(line: Any, reason: str) -> None:
    """With the reasons of every other door."""
    assert fault(line).reason == reason


def test_lines_may_hold_more_than_one_and_a_mark_in_front() -> None:
    """An array is its events, each alone; a BOM is none of it; a rejected line is the line it holds."""
    both = [said("order.shipped", id="1"), said("order.arrived", id="2", subject="nowhere/1")]
    first, second = taken(b"\xef\xbb\xbf" + json.dumps(both).encode())
    assert isinstance(first, Past)
    assert isinstance(second, Unreadable)
    whole = json.dumps(both[0])
    held = msgspec.json.encode({"line": 3, "reason": "x", "detail": "y", "body": whole})
    assert event(held) == event(whole.encode())


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda sample: sample.name)
def test_an_exported_event_is_the_event_to_the_byte(sample: Path) -> None:
    """Every shape the log holds comes back as it was, but for a hub's own; personal data only where exported."""
    type = sample.name.removesuffix(".json").rstrip("0123456789").rstrip(".")
    source = "channel/ym-msk" if type in SHOWN else "okno" if type in OWN else "1c/ut11"
    at = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
    recorded = Recorded(
        position=9, order=ORDER, version=3, type=type, source=source, id="m7", cause=4, actor=source, occurred_at=at,
        recorded_at=at, id_reused=True, data=sample.read_bytes(),
    )  # fmt: skip
    line = msgspec.json.encode(event_json(recorded))
    if type in OWN:
        assert taken(line) == [Skipped(type)]
        return
    back = event(line)
    assert (back.order, back.type, back.source, back.id, back.actor) == (ORDER, type, source, "m7", WHO)
    assert (back.occurred_at, back.data, back.cause, back.body) == (at, recorded.data, None, None)
    assert back.personal is None
    told = line[:-1] + b',"personal":{"customer":{"name":"x"}}}'
    assert json.loads(event(told).personal or b"") == {"customer": {"name": "x"}}
    spaced = json.dumps(json.loads(line), indent=None, ensure_ascii=True).encode()
    assert event(spaced) == back


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("type", "source", "subject", "id", "time", "data", "order", "occurred_at", "personal", "line", "body")


@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from([*f.FACTS, ORDER, AT, "okno"])) | JSON)
def test_no_line_at_all_breaks_the_import(line: Any) -> None:
    """Whatever JSON: it is taken, skipped or at fault."""
    for one in taken(codec.canonical(line)):
        assert isinstance(one, Past | Skipped | Unreadable)
        if isinstance(one, Past):
            assert one.event.actor == WHO
            assert one.event.occurred_at is not None
