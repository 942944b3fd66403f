"""The sandbox Ozon takes a posting on as the documents say, later than it says yes, and refuses the rest."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from service.marketplaces.ozon.sandbox import Chances, work
from tests.ozon.sandboxed import HOSE, KETTLE, PACE, Seller, sandboxed, slot

Sellers = tuple[Seller, Seller]
PARTLY = "/v2/posting/fbs/product/cancel"


@pytest.fixture
async def sellers() -> AsyncIterator[Sellers]:
    async with sandboxed() as made:
        yield made


@pytest.fixture
def rfbs(sellers: Sellers) -> Seller:
    return sellers[0]


@pytest.fixture
def fbs(sellers: Sellers) -> Seller:
    return sellers[1]


async def test_the_straight_way_of_rfbs(rfbs: Seller) -> None:
    """Every step is offered before it is taken, accepted first and applied later; Ozon itself ends it."""
    posting, seen = rfbs.place(), []
    for step in ("ship", "delivering", "last-mile", "delivered"):
        offered = (await rfbs.get(posting))["available_actions"]
        assert ("ship" if step == "ship" else f"non_int_{step.replace('-', '_')}") in offered
        before = posting.state
        if step == "ship":
            assert (await rfbs.ship(posting)).body["result"] == [posting.number]
        else:
            assert await rfbs.step(step, posting) == [(True, [])]
        work(rfbs.ozon, datetime.now(UTC) + PACE / 3)
        assert posting.state == before, "accepted is not applied"
        rfbs.settle(posting)
        seen.append(posting.state)
    assert seen == [
        "awaiting_deliver/posting_transferring_to_delivery",
        "delivering/posting_on_way_to_city",
        "delivering/posting_in_courier_service",
        "delivering/posting_conditionally_delivered",
    ]
    rfbs.wait(posting)
    assert (posting.state, posting.open) == ("delivered/posting_received", False)


async def test_fbs_is_ozons_after_the_assembly(fbs: Seller) -> None:
    """Ozon delivers by itself, and takes no rFBS call for it."""
    posting = fbs.place()
    assert await fbs.step("delivering", posting) == [(False, "HAS_INCORRECT_TPL_INTEGRATION_TYPE")]
    await fbs.take(posting)
    for path, body in (
        ("/v1/posting/fbs/timeslot/set", slot(posting, 2)),
        ("/v1/posting/fbs/timeslot/change-restrictions", {"posting_number": posting.number}),
    ):
        assert (await fbs(path, body)).message == "HAS_INCORRECT_TPL_INTEGRATION_TYPE"
    seen = []
    for _ in range(4):
        seen.append(posting.state)
        fbs.wait(posting)
    assert seen == [
        "awaiting_deliver/posting_transferring_to_delivery",
        "awaiting_deliver/posting_in_carriage",
        "delivering/posting_on_way_to_city",
        "delivering/posting_in_pickup_point",
    ]
    assert posting.state == "delivered/posting_received"


async def test_out_of_order_twice_and_in_between(rfbs: Seller) -> None:
    """A step that is not the next one is refused in its row, whether it is done, under way or too early."""
    posting = rfbs.place()
    early = await rfbs.step("delivering", posting, "00000077-0001-1")
    assert early == [(False, "TRANSITION_IS_NOT_POSSIBLE"), (False, "POSTING_NOT_FOUND")]
    await rfbs.take(posting)
    skipped = [await rfbs.step(name, posting) for name in ("last-mile", "delivered")]
    assert skipped == [[(False, "TRANSITION_IS_NOT_POSSIBLE")]] * 2
    assert await rfbs.step("delivering", posting, posting) == [(True, []), (False, "TRANSITION_IS_NOT_POSSIBLE")]
    assert await rfbs.step("last-mile", posting) == [(False, "TRANSITION_IS_NOT_POSSIBLE")], "not applied yet"
    rfbs.settle(posting)
    assert await rfbs.step("delivering", posting) == [(False, "TRANSITION_IS_NOT_POSSIBLE")]


@pytest.mark.parametrize("numbers", [[], ["1-0001-1"] * 21, "1-0001-1", [7]])
async def test_a_batch_is_a_list_of_one_to_twenty(rfbs: Seller, numbers: object) -> None:
    """Anything else is refused as a whole, and nothing is done."""
    posting = rfbs.place()
    await rfbs.take(posting)
    wrong = [*numbers[:-1], posting.number] if isinstance(numbers, list) and len(numbers) > 1 else numbers
    reply = await rfbs("/v2/fbs/posting/delivering", {"posting_number": wrong})
    assert (reply.status, reply.body["code"], posting.change) == (400, 3, None)


async def test_a_shipment_refused(rfbs: Seller) -> None:
    """Each wrong assembly has its own words, and none is begun."""
    posting = rfbs.place((KETTLE, 2), (HOSE, 1))
    kettle, hose = (line.sku for line in posting.lines)
    wrong = {
        "HAS_INCORRECT_PRODUCT_QUANTITY": [{kettle: 1, hose: 1}],
        "UNKNOW_PRODUCT": [{kettle: 2, hose: 1, 5: 1}],
    }
    for words, packages in wrong.items():
        assert (await rfbs.ship(posting, packages)).message == words
    assert (await rfbs("/v4/posting/fbs/ship", {"posting_number": posting.number, "packages": []})).body["code"] == 3
    assert posting.change is None
    assert (await rfbs.ship(posting)).status == 200
    assert (await rfbs.ship(posting)).message == "POSTING_ALREADY_SHIPPED"
    rfbs.settle(posting)
    assert (await rfbs.ship(posting)).message == "POSTING_ALREADY_SHIPPED"
    await rfbs("/v2/posting/fbs/cancel", {"posting_number": posting.number, "cancel_reason_id": 352})
    assert (await rfbs.ship(posting)).message == "POSTING_ALREADY_CANCELLED"


async def test_after_the_time_to_pack_it_is_too_late(rfbs: Seller) -> None:
    """Past `shipment_date` an rFBS posting is neither packed nor given another date; before it both are possible."""
    posting = rfbs.place()
    later = datetime.now(UTC) + timedelta(days=2)
    body = {"posting_number": posting.number, "new_cutoff_date": later.isoformat()}
    assert (await rfbs("/v1/posting/cutoff/set", body)).body == {"result": True}
    assert posting.shipment == later
    posting.shipment = datetime.now(UTC) - timedelta(seconds=1)
    assert (await rfbs("/v1/posting/cutoff/set", body)).message == "HAS_INCORRECT_STATUS"
    assert (await rfbs.ship(posting)).message == "HAS_INCORRECT_STATUS"


async def test_an_assembly_may_fail(rfbs: Seller) -> None:
    """200 was no promise: the posting says `ship_failed`, and it is packed again."""
    rfbs.ozon.chances = Chances(ship_fails=1)
    posting = rfbs.place()
    await rfbs.ship(posting)
    rfbs.settle(posting)
    assert posting.state == "awaiting_packaging/ship_failed"
    assert {"ship", "ship_async_retry"} <= set((await rfbs.get(posting))["available_actions"])
    rfbs.ozon.chances = Chances()
    await rfbs.take(posting)


async def test_an_order_is_split_into_packages(fbs: Seller) -> None:
    """The first keeps its number; the others appear once it is applied, each naming its parent."""
    posting = fbs.place((KETTLE, 2), (HOSE, 1))
    kettle, hose = (line.sku for line in posting.lines)
    reply = await fbs.ship(posting, [{kettle: 1}, {kettle: 1, hose: 1}])
    child = f"{posting.order_number}-2"
    assert reply.body["result"] == [posting.number, child]
    assert (await fbs("/v3/posting/fbs/get", {"posting_number": child})).message == "POSTING_NOT_FOUND"
    fbs.settle(posting)
    asked = {"posting_number": child, "with": {"related_postings": True}}
    found = (await fbs("/v3/posting/fbs/get", asked)).body["result"]
    assert found["parent_posting_number"] == posting.number
    assert found["related_postings"] == {"related_posting_numbers": [posting.number]}
    assert [(line.sku, line.quantity) for line in posting.lines] == [(kettle, 1)]
    assert [(line["sku"], line["quantity"]) for line in found["products"]] == [(kettle, 1), (hose, 1)]


async def test_the_last_mile_may_be_the_drivers(rfbs: Seller) -> None:
    """The other status the documents leave possible goes on to the same end."""
    rfbs.ozon.chances = Chances(driver=1)
    posting = rfbs.place()
    await rfbs.take(posting, "delivering", "last-mile")
    assert posting.state == "driver_pickup/posting_driver_pick_up"
    assert await rfbs.step("delivered", posting) == [(True, [])]


async def test_a_delivery_is_moved_twice_at_most(rfbs: Seller) -> None:
    """The same wish said again burns the second move; there is no third."""
    posting = rfbs.place()
    await rfbs.take(posting)
    left, statuses, wish = [], [], slot(posting, 5)
    for _ in range(3):
        asked = await rfbs("/v1/posting/fbs/timeslot/change-restrictions", {"posting_number": posting.number})
        left.append(asked.body["remaining_changes_count"])
        statuses.append((await rfbs("/v1/posting/fbs/timeslot/set", wish)).status)
    assert (left, statuses) == ([2, 1, 0], [200, 200, 400])
    assert "set_timeslot" not in (await rfbs.get(posting))["available_actions"]
    assert (await rfbs("/v1/posting/fbs/timeslot/set", slot(rfbs.place(), 99))).status == 400


async def test_track_numbers(rfbs: Seller, fbs: Seller) -> None:
    """Up to twenty, each with its own result."""
    fresh, shipped = rfbs.place(), rfbs.place()
    await rfbs.take(shipped)
    path = "/v2/fbs/posting/tracking-number/set"
    pairs = [{"posting_number": one.number, "tracking_number": "ZZ-1"} for one in (fresh, shipped, fbs.place())]
    rows = (await rfbs(path, {"tracking_numbers": pairs})).body["result"]
    assert [row["error"] for row in rows] == ["HAS_INCORRECT_STATUS", "", "POSTING_NOT_FOUND"]
    assert (shipped.track, fresh.track) == ("ZZ-1", "")
    assert (await rfbs(path, {"tracking_numbers": pairs * 7})).status == 400


async def test_a_cancellation_needs_a_good_reason(rfbs: Seller) -> None:
    """402 needs words, a reason of another time is refused; cancelled is cancelled."""
    posting = rfbs.place()
    body = {"posting_number": posting.number, "cancel_reason_id": 402}
    path = "/v2/posting/fbs/cancel"
    assert (await rfbs(path, body)).body["code"] == 3
    assert (await rfbs(path, {**body, "cancel_reason_id": 667})).message == "HAS_INCORRECT_CANCEL_REASON"
    asked = {"related_posting_numbers": [posting.number]}
    [told] = (await rfbs("/v1/posting/fbs/cancel-reason", asked)).body["result"]
    assert [reason["id"] for reason in told["reasons"]] == [352, 400, 402]
    assert (await rfbs(path, {**body, "cancel_reason_message": "Брак"})).body == {"result": True}
    found = await rfbs.get(posting)
    assert (found["status"], found["cancellation"]["cancellation_type"]) == ("cancelled", "seller")
    assert found["available_actions"] == []
    assert (await rfbs(path, {**body, "cancel_reason_message": "Брак"})).message == "POSTING_ALREADY_CANCELLED"


async def test_what_is_conditionally_delivered_cannot_be_cancelled(rfbs: Seller) -> None:
    """Nor is there a way back from it."""
    posting = rfbs.place()
    await rfbs.take(posting, "delivering", "last-mile", "delivered")
    body = {"posting_number": posting.number, "cancel_reason_id": 665}
    assert (await rfbs("/v2/posting/fbs/cancel", body)).message == "HAS_INCORRECT_STATUS"
    assert await rfbs.step("last-mile", posting) == [(False, "TRANSITION_IS_NOT_POSSIBLE")]


async def test_a_partial_cancellation_adds_up(rfbs: Seller) -> None:
    """Said again it takes out more, until so many are not left; with the last pieces the posting ends."""
    posting = rfbs.place((KETTLE, 3))
    item = {"sku": posting.lines[0].sku, "quantity": 1}
    body = {"posting_number": posting.number, "cancel_reason_id": 352, "cancel_reason_message": "Нет", "items": [item]}
    for left in (2, 1):
        assert (await rfbs(PARTLY, body)).body == {"result": posting.number}
        assert posting.lines[0].quantity == left
    assert (
        await rfbs(PARTLY, {**body, "items": [{**item, "quantity": 2}]})
    ).message == "HAS_INCORRECT_PRODUCT_QUANTITY"
    assert (await rfbs(PARTLY, {**body, "items": [{**item, "sku": 5}]})).status == 400
    assert posting.open
    assert (await rfbs(PARTLY, body)).status == 200
    assert posting.status == "cancelled"
