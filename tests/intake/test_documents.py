"""What follows from a document as it stands: one snapshot, possibly several events, in the order of the stages."""

from typing import Any

import pytest

from events.order import facts as f
from tests.events.given import attention, state
from tests.intake.sending import CONFIRMED, DOC, GOODS, LESS, SHOWN, follows, newest, sends


def test_a_new_document_registers_and_confirms() -> None:
    """The first snapshot brings the document's number and the confirmation; lines as ordered are not repeated."""
    first = {"document": DOC, "status": "Заказ подтверждён", "lines": GOODS}
    assert follows(SHOWN, first) == ["registered", "confirmed"]
    assert newest(sends(SHOWN, first), "confirmed").lines is None
    assert state(sends(SHOWN, first)).document == f.Document("d-1", "УТ-1")


def test_posted_without_a_status_is_confirmed() -> None:
    """A base that keeps no status confirms by posting."""
    assert follows(SHOWN, {"posted": "Да"}) == ["confirmed"]
    assert follows(SHOWN, {"posted": False}) == []
    assert follows(SHOWN, {"posted": True, "status": "Открыт"}) == []


def test_lines_that_were_cut_come_with_the_confirmation() -> None:
    """Fewer pieces, a line left out, a line cancelled: the confirmation says what is left, now or later."""
    for cut in (LESS, [GOODS[0]], [GOODS[0], {**GOODS[1], "cancelled": "Да"}]):
        assert follows(SHOWN, {"posted": True, "lines": cut}) == ["confirmed"]
        lines = newest(sends(SHOWN, {"posted": True, "lines": cut}), "confirmed").lines
        assert [(line.sku, line.quantity) for line in lines if line.quantity] == [
            (line["sku"], int(str(line["quantity"]))) for line in cut if "cancelled" not in line
        ]
        assert follows(CONFIRMED, {"posted": True, "lines": cut}) == ["confirmed"]


def test_lines_that_were_put_back_are_said_too() -> None:
    """What was confirmed last counts, not what was ordered."""
    cut = sends(CONFIRMED, {"document": DOC, "posted": True, "lines": LESS, "version": 2})
    back = {"document": DOC, "posted": True, "lines": GOODS, "version": 3}
    assert follows(cut, back) == ["confirmed"]
    assert follows(sends(cut, back), {**back, "version": 4}) == []


def test_assembled_with_marks_and_boxes() -> None:
    """The packing carries codes, serial numbers and boxes; as soon as they change it is said again."""
    coded = [{**GOODS[0], "marks": ["m1", "m2"]}, GOODS[1]]
    packed = {"document": DOC, "status": "Собран", "boxes": "2,000", "lines": coded}
    grown = sends(CONFIRMED, packed)
    assert follows(CONFIRMED, packed) == ["assembled"]
    assembled = newest(grown, "assembled")
    assert (assembled.boxes, assembled.lines[0].marks) == (2, ("m1", "m2"))
    assert follows(grown, {**packed, "version": 9}) == []
    assert follows(grown, {**packed, "boxes": 3}) == ["assembled"]
    assert follows(grown, {**packed, "lines": [{**GOODS[0], "marks": ["m1", "m3"]}, GOODS[1]]}) == ["assembled"]


def test_marks_alone_do_not_assemble() -> None:
    """Codes in a document that says it is confirmed wait until it says more."""
    coded = [{**GOODS[0], "marks": ["m1", "m2"]}, GOODS[1]]
    assert follows(SHOWN, {"status": "Заказ подтверждён", "lines": coded}) == ["confirmed"]
    assert follows(CONFIRMED, {"document": DOC, "status": "Отгружен", "lines": coded}) == ["assembled", "shipped"]


@pytest.mark.parametrize(
    "shipment", [True, "Да", {"number": "Р-1"}, {"date": "2026-03-02T08:22:01"}, {"track": "T1", "to": "SHOP-7"}]
)
def test_a_shipment_ships(shipment: Any) -> None:
    """A document that has its shipment is shipped, whatever its status says."""
    assert follows(CONFIRMED, {"document": DOC, "status": "Закрыт", "shipment": shipment}) == ["shipped"]


@pytest.mark.parametrize(
    "shipment", [None, False, "", {}, {"number": "  ", "date": "0001-01-01T00:00:00", "track": None, "lines": []}]
)
def test_an_empty_shipment_is_none(shipment: Any) -> None:
    """What 1C writes for nothing ships nothing."""
    assert follows(CONFIRMED, {"document": DOC, "posted": True, "shipment": shipment}) == []


def test_a_track_that_comes_later_is_said() -> None:
    """The track number is often there only after the goods have left."""
    shipped = sends(CONFIRMED, {"document": DOC, "shipment": {"number": "1"}})
    tracked = {"document": DOC, "shipment": {"number": "1", "track": " T9 "}}
    assert follows(shipped, tracked) == ["shipped"]
    assert state(sends(shipped, tracked)).track == "T9"
    assert follows(sends(shipped, tracked), {**tracked, "version": 4}) == []


@pytest.mark.parametrize("told", [{"status": "В пункте выдачи"}, {"arrival": {"store": "SHOP-7"}}, {"arrival": True}])
def test_arrived_at_the_shop(told: dict[str, Any]) -> None:
    """By its status, or where the document names the shop it came to; a later end of storage is said again."""
    shipped = sends(CONFIRMED, {"document": DOC, "status": "Отгружен"})
    there = {"document": DOC, **told}
    assert follows(shipped, there) == ["arrived"]
    assert follows(sends(shipped, there), {**there, "keep_until": "2026-03-20"}) == ["arrived"]
    assert follows(shipped, {"document": DOC, "arrival": {"keep_until": "2026-03-20"}}) == []


def test_issued_with_a_receipt() -> None:
    """A receipt delivers, and takes all the stages it names with it; its number may come later."""
    issued = {"document": DOC, "status": "Закрыт", "receipt": {"number": "77", "total": "100,50"}}
    assert follows(CONFIRMED, {**issued, "shipment": True}) == ["shipped", "delivered"]
    assert follows(CONFIRMED, issued) == ["delivered"]
    assert state(sends(CONFIRMED, issued)).receipt == newest(sends(CONFIRMED, issued), "delivered").receipt
    bare = sends(CONFIRMED, {"document": DOC, "receipt": True})
    assert follows(bare, issued) == ["delivered"]
    assert follows(sends(bare, issued), {**issued, "version": 5}) == []


@pytest.mark.parametrize("there", [LESS, [GOODS[0]]])
def test_fewer_handed_out_than_shipped(there: list[dict[str, Any]]) -> None:
    """The rest came back: by the receipt's lines, or because the document's own became fewer on the way."""
    shipped = sends(CONFIRMED, {"document": DOC, "status": "Отгружен", "lines": GOODS})
    named = {"lines": GOODS, "receipt": {"number": "7", "lines": there}}
    for issued in (named, {"lines": there, "receipt": {"number": "7"}}):
        assert follows(shipped, {"document": DOC, **issued}) == ["delivered"]
        taken = newest(sends(shipped, {"document": DOC, **issued}), "delivered").lines
        assert {line.sku: line.quantity for line in taken} == {line["sku"]: line["quantity"] for line in there}


def test_the_receipt_names_fewer_later() -> None:
    """A receipt whose lines come after the delivery was said brings them all the same; once."""
    issued = sends(CONFIRMED, {"document": DOC, "receipt": {"number": "7"}})
    corrected = {"document": DOC, "receipt": {"number": "7", "lines": LESS}}
    assert follows(issued, corrected) == ["delivered"]
    assert follows(sends(issued, corrected), {**corrected, "version": 8}) == []
    assert follows(issued, {"document": DOC, "receipt": {"number": "7"}, "lines": LESS, "version": 8}) == []


def test_changes_joined_into_one_come_in_order() -> None:
    """One snapshot of an order nobody knew anything of: what it shows, in the order of the stages; nothing made up."""
    coded = [{"sku": "A", "quantity": 1, "marks": ["m1"]}]
    whole = {"document": DOC, "status": "Вручён", "lines": coded, "shipment": {"track": "T"}, "receipt": True}
    assert follows(SHOWN, whole) == ["registered", "confirmed", "assembled", "shipped", "delivered"]
    assert follows(SHOWN, {"document": DOC, "status": "Вручён"}) == ["registered", "confirmed", "delivered"]


def test_going_back_a_stage_is_for_a_person() -> None:
    """What was told stays told: nothing follows, and somebody is called."""
    shipped = sends(CONFIRMED, {"document": DOC, "status": "Отгружен"})
    assert follows(shipped, {"document": DOC, "status": "Собран"}) == []
    back = sends(shipped, {"document": DOC, "status": "Собран"})
    assert ("contradiction", "back") in attention(back)
    assert state(back).shop_stage == "shipped"
    same = sends(back, {"document": DOC, "status": "Собран", "version": 8})
    assert ("contradiction", "back") in attention(same)
    assert attention(sends(same, {"document": DOC, "status": "Отгружен", "version": 9})) == []
