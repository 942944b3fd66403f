"""What follows from a document beside its stages, from other documents, and before the order is known."""

from typing import Any

import pytest

from events.order import facts as f
from service.onec.cloudevents import Unreadable
from tests.events.given import BUYER_ASKS, MARKET_CANCELS, OPEN, PLACED, market, state, then
from tests.intake.sending import CONFIRMED, DOC, GOODS, LESS, SHOWN, codes, follows, newest, sends

# Beside the stages


def test_a_new_day() -> None:
    """The agreed day that changed after it was first said moves the delivery, before the goods are on their way."""
    first = sends(SHOWN, {"document": DOC, "posted": True, "delivery": {"date": "2026-03-09"}})
    assert "rescheduled" not in [event.type for event in first]
    moved = {"document": DOC, "delivery": {"date": "2026-03-10", "interval": {"from": "10:00"}, "by": "customer"}}
    assert follows(first, moved) == ["rescheduled"]
    assert newest(sends(first, moved), "rescheduled").by == "customer"
    assert follows(sends(first, moved), {**moved, "version": 3}) == []
    assert follows(first, {**moved, "status": "Вручён", "boxes": 2, "shipment": True}) == [
        "assembled", "rescheduled", "shipped", "delivered",
    ]  # fmt: skip


def test_an_answer_to_the_buyer() -> None:
    """Given while he waits, by a key or a status, and before the stages; the same one is none to another wish."""
    asked = then(CONFIRMED, BUYER_ASKS)
    said = {"document": DOC, "answer": "declined", "reason": "in_delivery"}
    assert follows(CONFIRMED, said) == []
    assert follows(asked, said) == ["cancellation_declined"]
    assert follows(asked, {"document": DOC, "answer": "Accepted"}) == ["cancellation_accepted"]
    assert follows(asked, {"document": DOC, "status": "Отказано в отмене"}) == ["cancellation_declined"]
    assert follows(asked, {**said, "status": "Вручён"}) == ["cancellation_declined", "delivered"]
    early = then(sends(CONFIRMED, said), BUYER_ASKS)
    assert follows(early, {**said, "version": 3}) == ["cancellation_declined"], "it was said to nobody yet"
    closed = sends(then(sends(asked, said), OPEN), {**said, "version": 3})
    assert follows(then(closed, BUYER_ASKS), {**said, "version": 4}) == []
    asked_again = then(sends(asked, said), BUYER_ASKS)
    assert follows(asked_again, {**said, "status": "Отгружен"}) == ["shipped"]
    assert follows(asked_again, {**said, "answer": "accepted"}) == ["cancellation_accepted"]


@pytest.mark.parametrize("returned", [True, {"lines": [GOODS[0]]}, [GOODS[0]]])
def test_goods_that_came_back(returned: Any) -> None:
    """All of them or some, said once."""
    issued = sends(CONFIRMED, {"document": DOC, "receipt": True})
    back = {"document": DOC, "receipt": True, "returned": returned}
    assert follows(issued, back) == ["returned"]
    assert follows(sends(issued, back), {**back, "version": 3}) == []


# Several documents


def test_a_shipment_is_a_document_of_its_own() -> None:
    """Реализация ships the order, its own versions count, and once it counts no more somebody is called."""
    doc = {"id": "r-1", "number": "Р-1"}
    sale = {"kind": "shipment", "document": doc, "posted": True, "version": 1}
    assert follows(CONFIRMED, sale) == ["shipped"]
    shipped = sends(CONFIRMED, sale)
    assert state(shipped).document == f.Document("d-1", "УТ-1")
    for off in ({"posted": False}, {"deleted": True}):
        gone = sends(shipped, {**sale, "version": 2, **off})
        assert follows(shipped, {**sale, "version": 2, **off}) == ["unposted"]
        assert codes(gone) == ["unposted"]
        assert follows(gone, {**sale, "version": 3}) == ["posted"]
    draft = sends(CONFIRMED, {**sale, "posted": False})
    assert follows(draft, {**sale, "version": 2}) == ["shipped"]


def test_a_receipt_is_a_document_of_its_own() -> None:
    """A receipt delivers; its lines are what was handed out, whether the shipment came before it or not."""
    receipt = {"kind": "receipt", "document": {"id": "c-1", "number": "Ч-7"}, "posted": True, "lines": LESS}
    for before in (CONFIRMED, sends(CONFIRMED, {"kind": "shipment", "document": {"id": "r"}, "posted": True})):
        assert follows(before, receipt) == ["delivered"]
        delivered = newest(sends(before, receipt), "delivered")
        assert delivered.receipt == f.Receipt("Ч-7")
        assert [line.quantity for line in delivered.lines] == [1, 1]
    assert newest(sends(CONFIRMED, {**receipt, "lines": GOODS}), "delivered").lines is None


def test_a_return_is_a_document_of_its_own() -> None:
    """It counts once it is posted; posted again after it was unposted it is no second return."""
    back = {"kind": "return", "document": {"id": "v-1"}, "lines": [GOODS[1]], "posted": True, "version": 1}
    assert follows(CONFIRMED, back) == ["returned"]
    draft = sends(CONFIRMED, {**back, "posted": False})
    returned = sends(draft, {**back, "version": 2})
    assert follows(draft, {**back, "version": 2}) == ["returned"]
    assert follows(returned, {**back, "version": 3}) == []
    assert follows(returned, {**back, "lines": GOODS, "version": 3}) == ["returned"]
    unposted = sends(returned, {**back, "posted": False, "version": 3})
    assert follows(unposted, {**back, "version": 4}) == ["posted"]


def test_two_bases_have_a_document_each() -> None:
    """The same id in two bases is two documents: an older version of the one is none of the other."""
    both = sends(CONFIRMED, {"document": DOC, "status": "Собран", "version": 1}, source="1c/kazan")
    assert state(both).shop_stage == "assembled"
    assert follows(both, {"document": DOC, "status": "Отгружен", "version": 2}, source="1c/kazan") == ["shipped"]
    assert follows(both, {"document": DOC, "status": "Отгружен", "version": 2}) == ["shipped"]


@pytest.mark.parametrize("document", [None, {"number": "УТ-1"}, {"id": "D-1"}])
def test_a_document_named_less_than_before(document: Any) -> None:
    """A snapshot that leaves out what its document is called is of the one its base has."""
    off = {"document": document, "posted": False, "version": 2}
    assert follows(CONFIRMED, {"document": document, "status": "Отказ", "version": 0}) == []
    unposted = sends(CONFIRMED, off)
    assert (follows(CONFIRMED, off), codes(unposted)) == (["unposted"], ["unposted"])
    assert follows(unposted, {"document": DOC, "posted": True, "version": 3}) == ["posted"]
    cancelled = sends(CONFIRMED, {"document": document, "cancelled": True, "version": 2})
    assert follows(cancelled, {"document": DOC, "cancelled": False, "version": 3}) == ["uncancelled"]
    assert len(state(cancelled).documents) == 1


@pytest.mark.parametrize("document", [None, {"number": "УТ-1"}])
def test_a_document_named_more_than_before(document: Any) -> None:
    """One that is named in full only later is the one that was known, and another one beside it is not."""
    first = sends(SHOWN, {"document": document, "posted": True, "version": 5})
    unposted = sends(first, {"document": document, "posted": False, "version": 6})
    named = sends(unposted, {"document": DOC, "posted": True, "version": 7})
    assert follows(unposted, {"document": DOC, "posted": True, "version": 7})[-1] == "posted"
    assert codes(named) == []
    assert len(state(named).documents) == 1
    assert len(state(sends(named, {"document": {"id": "d-2", "number": "УТ-2"}, "posted": True})).documents) == 2


# When the order is known


def test_before_the_order_is_known() -> None:
    """1C may know the order first: what its document says is recorded, and counts once the marketplace shows it."""
    early = sends([], {"document": DOC, "status": "Отгружен", "lines": GOODS})
    assert [event.type for event in early[1:]] == ["order.registered", "order.confirmed", "order.shipped"]
    shown = then(early, PLACED, OPEN)
    assert (state(shown).shop_stage, codes(shown)) == ("shipped", [])
    assert follows(shown, {"document": DOC, "status": "Отгружен", "lines": GOODS, "version": 2}) == []


def test_under_its_document() -> None:
    """Sent as `1c/DOCUMENT` it counts once the document is linked, and what comes then is compared with it."""
    unlinked = sends(SHOWN, {"document": DOC, "status": "Собран", "version": 1}, subject="1c/D-1")
    assert [(e.order, e.type) for e in unlinked[2:]] == [
        ("1c/d-1", "order.snapshot"), ("1c/d-1", "order.confirmed"), ("1c/d-1", "order.assembled"),
    ]  # fmt: skip
    linked = sends(unlinked, {"document": DOC}, type="order.registered")
    assert state(linked).shop_stage == "assembled"
    assert follows(linked, {"document": DOC, "status": "Отгружен", "version": 2}, subject="1c/d-1") == ["shipped"]
    assert sends(linked, {"document": DOC, "status": "Собран", "version": 1}) == linked


def test_a_document_sent_by_its_order_links_itself() -> None:
    """The order's key and the document's id in one snapshot: later ones may name the document alone."""
    later = {"document": DOC, "status": "Отгружен", "version": 2}
    assert follows(CONFIRMED, later, subject="1c/d-1") == ["shipped"]
    assert follows(CONFIRMED, {**later, "document": {**DOC, "number": "УТ-2"}}) == ["registered", "shipped"]


def test_marks_and_snapshots_together() -> None:
    """What a mark has said is no news in a snapshot, and a mark after it is recorded as marks are."""
    marked = sends(SHOWN, {"document": DOC}, type="order.confirmed")
    marked = sends(marked, {"track": "T1"}, type="order.shipped")
    same = {"document": DOC, "status": "Отгружен", "shipment": {"track": "T1"}, "lines": GOODS}
    assert follows(marked, same) == []
    assert follows(marked, {**same, "receipt": True}) == ["delivered"]
    assert [e.type for e in sends(sends(SHOWN, same), {}, type="order.delivered")][-1] == "order.delivered"


def test_old_snapshots_decide_nothing() -> None:
    """One recorded before anything followed from snapshots is not what the next is compared with."""
    before = then(SHOWN, market("snapshot", f.Snapshot(status="Отгружен"))._replace(source="1c/ut"))
    assert state(before).documents == {}
    assert follows(before, {"status": "Отгружен"}) == ["confirmed", "shipped"]


def test_nothing_is_derived_twice_when_the_buyer_cancels() -> None:
    """1C's own cancellation after the marketplace's is recorded, and no contradiction."""
    over = then(CONFIRMED, MARKET_CANCELS)
    assert follows(over, {"document": DOC, "status": "Отказ"}) == ["cancelled"]
    assert codes(sends(over, {"document": DOC, "status": "Отказ"})) == []


@pytest.mark.parametrize("value", ["maybe", 2, []])
def test_what_is_neither_true_nor_false_is_named(value: Any) -> None:
    """A field that can't be understood is refused with its place, and the message kept."""
    with pytest.raises(Unreadable) as refused:
        sends(SHOWN, {"document": DOC, "posted": value})
    assert refused.value.pointer == "/data/posted"


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"boxes": "many"}, "/data/boxes"),
        ({"by": "nobody", "cancelled": True}, "/data/by"),
        ({"keep_until": "tomorrow"}, "/data/keep_until"),
        ({"delivery": {"date": "2026-03-09", "by": "nobody"}}, "/data/by"),
        ({"lines": [{"quantity": 1}]}, "/data/lines/0"),
        ({"receipt": {"lines": [{"sku": "A", "quantity": "-1"}]}}, "/data/lines/0/quantity"),
        ({"kind": "invoice"}, "/data/kind"),
        ({"lines": {}}, "/data/lines"),
    ],
)
def test_what_no_event_could_carry_is_refused_at_the_door(data: dict[str, Any], pointer: str) -> None:
    """Whether or not it would be needed yet: the sender learns of it at once."""
    with pytest.raises(Unreadable) as refused:
        sends(SHOWN, data)
    assert refused.value.pointer == pointer


def test_a_day_is_one_of_the_bases_zone() -> None:
    """A moment with a zone of its own, written where a day is meant, is that day where the base is."""
    late = {"status": "В пункте выдачи", "keep_until": "2026-03-19T21:00:00Z"}
    assert newest(sends(SHOWN, late), "arrived").keep_until.day == 20
