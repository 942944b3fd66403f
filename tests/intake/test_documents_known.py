"""What of a document is news: its posting, its versions, its statuses."""

import json
from typing import Any

import pytest

from tests.events.given import ORDER, attention, state
from tests.intake.sending import CONFIRMED, DOC, GOODS, SHOWN, codes, follows, newest, sends

# Posting


def test_unposted_and_posted_again() -> None:
    """A document that does not count any more calls for a person, and brings nothing until it counts again."""
    off = {"document": DOC, "status": "Заказ подтверждён", "posted": False}
    assert follows(CONFIRMED, off) == ["unposted"]
    unposted = sends(CONFIRMED, off)
    assert codes(unposted) == ["unposted"]
    assert follows(unposted, {**off, "status": "Отгружен"}) == []
    again = {"document": DOC, "status": "Отгружен", "posted": True}
    assert follows(unposted, again) == ["posted", "shipped"]
    assert codes(sends(unposted, again)) == []


def test_never_posted_is_no_unposting() -> None:
    """A draft that stays one brings nothing, whatever it says."""
    draft = sends(SHOWN, {"document": DOC, "posted": False, "status": "Отгружен"})
    assert [event.type for event in draft[len(SHOWN) :]] == ["order.snapshot", "order.registered"]
    assert follows(draft, {"document": DOC, "posted": True, "status": "Отгружен"}) == ["confirmed", "shipped"]


def test_a_dialect_that_leaves_false_out_unposts_by_silence() -> None:
    """Where false is not written, `posted` that is gone means false; elsewhere it means nothing."""
    assert follows(CONFIRMED, {"document": DOC, "absent": "false"}) == ["unposted"]
    assert follows(CONFIRMED, {"document": DOC}) == []


# What is old, and what is equal


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("9", "10"), (9, 10),
        ("2026-03-01T10:00:00", "2026-03-01T10:00:01"),
        ("AAAACQAAAAA=", "AAAAEAAAAAA="),
    ],
)  # fmt: skip
def test_an_older_version_changes_nothing(old: Any, new: Any) -> None:
    """It is recorded as stale, even when it comes with a later time; the next version counts again."""
    later = sends(SHOWN, {"document": DOC, "status": "Отгружен", "version": new}, time="2026-03-01T10:00:00")
    stale = sends(later, {"document": DOC, "status": "Отказ", "version": old}, time="2026-03-01T11:00:00")
    assert [event.type for event in stale[len(later) :]] == ["order.snapshot"]
    assert newest(stale, "snapshot").stale
    assert state(stale).shop_cancelled is None
    assert follows(sends(SHOWN, {"document": DOC, "version": old}), {"document": DOC, "posted": True, "version": new})


def test_versions_that_cant_be_compared_leave_it_to_the_time() -> None:
    """Another second half of 1C's version, another kind, none at all: then the older time is stale."""
    shipped: dict[str, Any] = {"document": DOC, "status": "Отгружен"}
    off = {"document": DOC, "status": "Отказ"}
    for new, old in (("AAAACQAAAAE=", "AAAAEAAAAAA="), ("17", "x-18"), (None, None), ("17", None)):
        later = sends(SHOWN, {**shipped, "version": new}, time="2026-03-01T10:00:00")
        assert follows(later, {**off, "version": old}, time="2026-03-01T09:00:00") == []
        assert follows(later, {**off, "version": old}, time="2026-03-01T10:00:00") == ["cancelled"]
        assert follows(later, {**off, "version": old}) == ["cancelled"]


def test_an_equal_snapshot_leaves_nothing() -> None:
    """Key order, tabs, a BOM, another id and another time apart it is the same document: not even a fact."""
    data = {"document": DOC, "status": "Заказ подтверждён", "posted": True, "lines": GOODS, "version": 1}
    event: dict[str, Any] = {"type": "order.snapshot", "subject": ORDER, "source": "1c/ut", "specversion": "1.0"}
    event |= {"id": "other", "time": "2026-03-01T10:00:00", "data": dict(reversed(data.items()))}
    body = b"\xef\xbb\xbf" + json.dumps(event, ensure_ascii=False, indent="\t").encode()
    assert sends(CONFIRMED, body=body) == CONFIRMED
    assert sends(CONFIRMED, data) == CONFIRMED


def test_the_same_message_late_is_nothing() -> None:
    """A message delivered once more after newer ones is known, also where neither version nor time tells."""
    first = sends(SHOWN, {"document": DOC, "status": "Заказ подтверждён"}, id="m1")
    newer = sends(first, {"document": DOC, "status": "Отказ"}, id="m2")
    assert sends(newer, {"document": DOC, "status": "Заказ подтверждён"}, id="m1") == newer


def test_absent_keys_say_nothing() -> None:
    """What a snapshot leaves out stands as it was said before."""
    off = sends(CONFIRMED, {"document": DOC, "deleted": True, "posted": True})
    assert follows(off, {"document": DOC, "lines": []}) == []
    assert follows(sends(CONFIRMED, {"document": DOC, "posted": False}), {"document": DOC, "status": "Отгружен"}) == []


def test_keys_a_format_always_has_are_missed() -> None:
    """An exchange that changed calls for a person."""
    assert ("unmapped", "missing") in attention(sends(CONFIRMED, {"document": DOC, "missing": ["Отменен"]}))


# Statuses


@pytest.mark.parametrize(
    ("status", "follow"),
    [
        ("  заказ   ПОДТВЕРЖДЁН ", ["confirmed"]),
        ("70C31E69-0001-11EF-A850-CC52AFC9FC6F", ["confirmed", "assembled"]),
        ({"id": "70c31e69-0001-11ef-a850-cc52afc9fc6f", "name": "Наш особый"}, ["confirmed", "assembled"]),
        ({"id": "nobody's", "name": "Собран"}, ["confirmed", "assembled"]),
        ("КОтгрузке", ["confirmed"]),
        ("К отгрузке", ["confirmed"]),
        ("К обеспечению", ["confirmed"]),
        ("В работе", ["confirmed"]),
        ("Не согласован", []),
        ("Отменён", ["cancelled"]),
        ("Закрыт", []),
        ("Завершен", []),
        ("Возврат", ["returned"]),
    ],
)
def test_statuses_by_name_and_by_reference(status: Any, follow: list[str]) -> None:
    """Mapped by name or GUID, blanks and case aside; what is not mapped is as stock configurations have it."""
    assert follows(SHOWN, {"status": status, "posted": True}) == follow
    assert codes(sends(SHOWN, {"status": status, "posted": True})) == []


def test_a_status_nobody_maps_is_for_a_person() -> None:
    """Nothing follows from it; what else the document says counts."""
    grown = sends(SHOWN, {"status": "Ждём поставку", "posted": True, "shipment": True})
    assert follows(SHOWN, {"status": "Ждём поставку", "posted": True, "shipment": True}) == ["confirmed", "shipped"]
    assert ("unmapped", "Ждём поставку") in attention(grown)


def test_a_base_has_its_own_statuses() -> None:
    """What a base maps itself goes before what is mapped for all."""
    assert follows(SHOWN, {"status": "Собран"}, source="1c/perm") == ["confirmed", "shipped"]
    assert follows(SHOWN, {"status": "Собран"}) == ["confirmed", "assembled"]


def test_a_status_may_stand_for_a_courier() -> None:
    """Statuses past the shipment are marks like the others."""
    assert follows(CONFIRMED, {"document": DOC, "status": "У курьера", "courier": "Иван"}) == ["handed_over"]
