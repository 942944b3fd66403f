"""What a message means: whose order, which mark, and what counts as the same message. No log needed."""

import json
from typing import Any

import pytest

from events.codec import decode
from events.order import facts as f
from events.order.state import fold
from events.recorded import NewEvent, Recorded
from service.onec.cloudevents import BATCH, Unreadable, read
from service.understanding import MAX_KEY, understand
from tests.onec.making import ORDER, SETTINGS, SOURCE, body, configured, event, one, refused, understood


def recorded(new: NewEvent) -> Recorded:
    """The event as the log would give it back."""
    assert new.occurred_at is not None
    return Recorded(
        position=1, order=new.order, version=1, type=new.type, source=new.source, id=new.id, cause=None,
        actor=new.actor, occurred_at=new.occurred_at, recorded_at=new.occurred_at, id_reused=False, data=new.data,
    )  # fmt: skip


def test_a_mark_becomes_an_event() -> None:
    """Everything of a message is in the event it becomes: key, fact, times, the body as received."""
    raw = body("order.registered", {"document": {"id": "6F9-A", "number": "Ц-1"}})
    new = understood(raw)
    assert (new.order, new.type, new.source, new.id, new.actor) == (ORDER, "order.registered", SOURCE, "m1", SOURCE)
    assert (new.document, new.body, new.expected) == ("6f9-a", raw, None)
    assert new.occurred_at is not None
    assert new.occurred_at.isoformat() == "2022-11-28T06:00:00+00:00"


@pytest.mark.parametrize(
    ("subject", "order"),
    [
        ("ym-msk/48123456", "ym-msk/48123456"),
        (" ym-msk / 48123456   ", "ym-msk/48123456"),
        ("ym-msk/A-1/2", "ym-msk/A-1/2"),
        ("1c/6F9D0C11-AAAA", "1c/6f9d0c11-aaaa"),
    ],
)
def test_keys(subject: str, order: str) -> None:
    """A subject is an order's key or a document of 1C's, padding and a GUID's case aside."""
    assert understood(body("order.shipped", subject=subject)).order == order


@pytest.mark.parametrize(
    ("attributes", "reason", "pointer"),
    [
        ({"subject": "48123456"}, "no_order", "/subject"),
        ({"subject": "ym-msk/"}, "no_order", "/subject"),
        ({"subject": "/48123456"}, "no_order", "/subject"),
        ({"subject": "ym-msk/" + "1" * MAX_KEY}, "no_order", "/subject"),
        ({"subject": "ozon/48123456"}, "unknown_channel", "/subject"),
        ({"subject": "YM-MSK/48123456"}, "unknown_channel", "/subject"),
        ({"subject": "ym-msk/1\x002"}, "bad_field", "/subject"),
        ({"id": "a\x00"}, "bad_field", "/id"),
        ({"id": "a" * 501}, "bad_field", "/id"),
        ({"type": "order.placed"}, "reserved_type", "/type"),
        ({"type": "command.done"}, "reserved_type", "/type"),
        ({"source": "okno"}, "reserved_source", "/source"),
        ({"source": "import/anna"}, "reserved_source", "/source"),
        ({"source": "channel/ym-msk", "type": "marketplace.order"}, "reserved_source", "/source"),
        ({"type": "order.cancelled"}, "missing_field", "/data/by"),
    ],
)
def test_what_is_refused(attributes: dict[str, Any], reason: str, pointer: str) -> None:
    """A message without an order of ours, or one that speaks for somebody else, is refused with what is wrong."""
    error = refused(json.dumps(event(**attributes)).encode())
    assert (error.reason, error.pointer) == (reason, pointer)


def test_pointers_lead_into_what_was_sent() -> None:
    """In a batch the pointer begins with the element; in binary mode the body is the data."""
    batch = b"[" + body() + b"," + body("order.cancelled", {"by": 5}) + b"]"
    _, faulty = read(batch, {"content_type": BATCH})
    with pytest.raises(Unreadable) as caught:
        understand(faulty, SETTINGS)
    assert caught.value.pointer == "/1/data/by"
    assert refused(b'{"by": 5}', type="order.cancelled", subject=ORDER).pointer == "/by"
    assert refused(b'{"by": 5}', type="order.cancelled", subject="x").pointer == ""


def test_statuses_are_mapped_by_base() -> None:
    """A status of 1C's stands for a mark; each base may have names of its own, blanks and case aside."""
    said = [
        understood(body("order.status", {"status": status}, source=source)).type
        for status, source in [
            ("Заказ подтвержден", SOURCE), ("заказПодтвержден ", SOURCE), ("Заказ подтвержден", "1c/perm"),
            ("Заказ подтвержден", "perm"), ("Отменен", "1c/perm"), ("Отправлен в космос", SOURCE),
        ]
    ]  # fmt: skip
    assert said == [
        "order.confirmed", "order.confirmed", "order.assembled", "order.assembled", "order.cancelled", "order.status",
    ]  # fmt: skip


def test_a_mapped_status_carries_the_marks_fields() -> None:
    """What came beside the status is the mark's; a cancellation told by a status alone is the shop's."""
    confirmed = understood(body("order.status", {"status": "Заказ подтвержден", "document": {"number": "Ц-1"}}))
    assert decode(recorded(confirmed)) == f.Confirmed(document=f.Document(number="Ц-1"))
    assert decode(recorded(understood(body("order.status", {"status": "Отменен"})))) == f.Cancelled(by="shop")
    by_customer = understood(body("order.status", {"status": "Отменен", "by": "customer"}))
    assert decode(recorded(by_customer)) == f.Cancelled(by="customer")


def test_a_status_nobody_mapped_wants_attention() -> None:
    """It is recorded as it came, and a person is asked."""
    state = fold(ORDER, [recorded(understood(body("order.status", {"status": "В космосе"})))])
    assert "unmapped" in {a.code for a in state.attention}


def test_an_unknown_type_is_recorded_and_wants_attention() -> None:
    """What we do not know is kept whole where erasing reaches it, and nothing follows from it."""
    new = understood(body("order.gift_wrapped", {"ribbon": "red"}))
    assert (new.type, new.data) == ("order.gift_wrapped", b"{}")
    assert json.loads(new.personal or b"") == {"extra": {"ribbon": "red"}}
    assert "unmapped" in {a.code for a in fold(ORDER, [recorded(new)]).attention}


def test_zones_by_base() -> None:
    """Times without a zone are the base's own."""
    times = [understood(body(source=source)).occurred_at for source in (SOURCE, "1c/perm")]
    assert [at.hour for at in times if at is not None] == [6, 5]


SAME = body(data={"document": {"number": "Ц-1", "id": "a"}, "lines": []})


@pytest.mark.parametrize(
    "repeat",
    [
        b"\xef\xbb\xbf" + SAME,
        json.dumps(json.loads(SAME), indent="\t", sort_keys=True).encode(),
        body(data={"lines": [], "document": {"id": "a", "number": "Ц-1"}}, time="2023-01-01T00:00:00"),
        body(data=json.dumps(json.loads(SAME)["data"])),
        body(data=json.loads(SAME)["data"], time=None),
    ],
)
def test_the_same_message(repeat: bytes) -> None:
    """Key order, spacing, a BOM, escapes and time do not make another message."""
    assert understood(repeat).digest == understood(SAME).digest


@pytest.mark.parametrize(
    "other",
    [
        body(data={"lines": []}),
        body("order.completed", json.loads(SAME)["data"]),
        body(data=json.loads(SAME)["data"], id="m2"),
        body(data=json.loads(SAME)["data"], source="1c/perm"),
        body(data=json.loads(SAME)["data"], subject="ym-msk/2"),
    ],
)
def test_another_message(other: bytes) -> None:
    """Source, id, type, subject and data each make another message: a sticky id merges nothing."""
    assert understood(other).digest != understood(SAME).digest


def test_without_an_id_time_counts() -> None:
    """Two marks alike an hour apart are two; the same mark sent twice is one."""
    first, again = understood(body(id=None)), understood(b"\xef\xbb\xbf" + body(id=None))
    later = understood(body(id=None, time="2022-11-28T11:00:00"))
    assert first.digest == again.digest
    assert first.digest != later.digest
    assert first.id != later.id


def test_a_change_of_the_status_map_makes_no_new_message() -> None:
    """What was said stays said: a status redelivered after the map changed is still the same message."""
    raw = body("order.status", {"status": "Собран"})
    mapped = configured(onec={"statuses": {"Собран": "order.assembled"}})
    assert understood(raw).type != understood(raw, mapped).type
    assert understood(raw).digest == understood(raw, mapped).digest


def test_a_snapshot_is_recorded() -> None:
    """The whole document as it stands: a fact, with what the log may not hold aside."""
    data = {
        "document": {"number": "Ц-1"},
        "status": "Собран",
        "posted": True,
        "shipment": {"track": "1"},
        "version": "A7",
    }
    new = understood(body("order.snapshot", {**data, "manager": "Анна"}))
    fact = decode(recorded(new))
    assert isinstance(fact, f.Snapshot)
    assert (fact.document, fact.status, fact.posted, fact.version) == (f.Document(number="Ц-1"), "Собран", True, "A7")
    assert fact.shipment == f.Document()
    assert fact.content is not None
    assert json.loads(new.personal or b"") == {"extra": {"manager": "Анна"}}


def test_every_mark_without_data() -> None:
    """Marks that need no data take none at all."""
    for type in f.ONEC_TYPES:
        message = one(json.dumps({k: v for k, v in event(type).items() if k != "data"}).encode())
        if type in ("order.registered", "order.rescheduled", "order.cancelled", "order.status"):
            with pytest.raises(Unreadable):
                understand(message, SETTINGS)
        else:
            assert understand(message, SETTINGS).type == type
