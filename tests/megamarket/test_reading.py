"""Orders as Megamarket shows them, told in the hub's words: samples, odd shapes, what the callback adds."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.megamarket import make
from service.marketplaces.megamarket.incoming import seen
from service.marketplaces.megamarket.sandbox import SHOPS, Order
from service.marketplaces.megamarket.sandbox.forms import DRIFTS, order_get, order_new
from service.marketplaces.megamarket.settings import Shop
from service.marketplaces.values import MOSCOW
from tests.acceptance.spec import specs_dir
from tests.megamarket.conftest import Hubs
from tests.megamarket.sandbox_shop import Seller
from tests.megamarket.talking import bad, good, talked

Sample = Callable[[str], Any]
SAMARA = ZoneInfo("Europe/Samara")  # 1C's clock, an hour ahead: Megamarket's own times are read by Moscow's
DBS, CNC, FBS = (Shop(175306, "dbs", SAMARA), Shop(3333, "cnc", SAMARA), Shop(5046, "fbs", SAMARA))


@pytest.fixture
def sample() -> Sample:
    """One of the samples gathered of public clients."""
    folder = specs_dir() / "megamarket" / "samples"
    if not folder.is_dir():
        pytest.skip(f"no samples of Megamarket in {folder}: reading them is NOT checked")
    return lambda name: json.loads((folder / f"{name}.json").read_bytes())


def read(value: Any, shop: Shop, *notices: Any, hints: tuple[str, ...] = ()) -> port.Seen:
    found = seen(json.dumps(value).encode(), shop, hints, [json.dumps(notice).encode() for notice in notices])
    assert found is not None
    return found


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_fbs_as_get_shows_it(sample: Sample) -> None:
    """Goods, what the buyer pays, what must be done by when, the customer."""
    order = read(sample("order_get.response.composed")["data"]["shipments"][0], FBS)
    assert (order.number, order.status, order.stage, order.ready) == ("946032218", "CONFIRMED", "confirmed", True)
    (line,) = order.order.lines
    assert (line.sku, line.quantity, line.id, line.price) == ("3951", 1, "1", Decimal("5995.00"))
    assert line.name == "Вертикальный пылесос Kitfort  KT-535-2 White"
    assert (order.order.total, order.order.currency) == (Decimal("5995.00"), "RUB")
    assert order.order.deadlines == (
        f.Deadline("confirmed", at("2021-02-18T12:00:00+03:00")),
        f.Deadline("assembled", at("2021-02-20T18:00:00+03:00")),
        f.Deadline("shipped", at("2021-02-21T17:00:00+03:00")),
    )
    assert order.order.placed_at == at("2021-02-17T09:34:03+03:00")
    assert order.order.details == {
        "payment_type": "PREPAID", "prepaid": "5995.00", "shipping_point": "132378", "delivery_id": "933021193",
        "delivery_method": "<id>", "full_price.1": "11990.00",
    }  # fmt: skip
    assert order.personal["customer"] == {"name": "Петров Пётр"}
    assert order.personal["address"].startswith("Россия, Воронежская обл.")
    assert order.cancelled is None


def bare(new: Any, **more: Any) -> Any:
    """What get may show of the order of a callback: its lots and little else."""
    shipment = new["data"]["shipments"][0]
    names = ("itemIndex", "offerId", "goodsId", "price", "finalPrice", "quantity")
    items = [{**{name: item[name] for name in names}, "status": "NEW"} for item in shipment["items"]]
    return {"shipmentId": shipment["shipmentId"], "status": "NEW", "items": items, **more}


def test_a_new_dbs_order_with_its_callback(sample: Sample) -> None:
    """Four tyres are one line, the delivery is none; the callback tells who, where and until when."""
    new = sample("order_new.dbs.request")
    order = read(bare(new), DBS, new)
    assert [(line.sku, line.quantity, line.id) for line in order.order.lines] == [("PL02-19-235-40-96W", 4, "1,2,3,4")]
    assert order.order.total == Decimal("29784.00")
    details = order.order.details
    assert (details["delivery_price"], details["delivery_lot"]) == ("800.00", "5")
    assert (details["payment_type"], details["prepaid"]) == ("PREPAID", "30584.00")
    assert (details["marking.1,2,3,4"], details["vat.1,2,3,4"]) == ("CIS", "20")
    assert details["packing_until"] == "2024-08-09T19:00:00+03:00"
    assert (details["delivery_from"], details["delivery_to"]) == (
        "2024-08-13T10:00:00+03:00", "2024-08-15T20:00:00+03:00",
    )  # fmt: skip
    assert order.order.delivery == f.Delivery(type="courier")
    assert order.personal["customer"] == {"name": "Тестов Тест", "phone": "79990000001"}
    assert order.personal["address"] == "101000, Москва, улица Примерная, 1 к1"
    assert order.personal["comment"] == "предварительно позвоните за 3-4 часа до доставки."


def test_cnc_lines_by_goods_and_price(sample: Sample) -> None:
    """Equal goods of one price are a line; where they are given out, and until when they are kept, get tells."""
    new = sample("order_new.click_collect.request")
    more = {"shippingPoint": "1", "reserveExpirationDate": "2021-05-13T09:00:00+03:00"}
    order = read(bare(new, **more), CNC, new).order
    assert [(line.sku, line.quantity, line.id) for line in order.lines] == [
        ("312306", 1, "1"), ("312307", 1, "2"), ("312309", 2, "3,4"),
    ]  # fmt: skip
    assert order.total == Decimal("240.00")
    assert order.delivery == f.Delivery(type="pickup", outlet="1", keep_until=datetime(2021, 5, 13).date())  # noqa: DTZ001 - a day
    midnight = read(bare(new, reserveExpirationDate="2021-05-13T00:00:00+03:00"), CNC).order.delivery
    assert midnight is not None
    assert midnight.keep_until == datetime(2021, 5, 12).date()  # noqa: DTZ001 - a day


@pytest.mark.parametrize("model", ["dbs", "cnc", "fbs"])
@pytest.mark.parametrize("drift", [(), DRIFTS])
def test_a_later_read_without_the_callback_changes_nothing(model: str, drift: tuple[str, ...], shop: Seller) -> None:
    """What get shows is told alike with the callback and without; what only the callback tells is in the details."""
    order = shop.market.place(f"mm-{model}", drift=drift, blank=False)
    merchant, own = SHOPS[order.channel].merchant_id, Shop(SHOPS[order.channel].merchant_id, model, MOSCOW)
    first = read(order_get(order, merchant), own, order_new(order, merchant))
    later = read(order_get(order, merchant), own)
    for name in f.Placed.__struct_fields__:
        if name != "details":
            assert getattr(later.order, name) == getattr(first.order, name), name
    assert {**first.order.details, **later.order.details} == first.order.details
    assert set(later.order.details) < set(first.order.details)


def test_a_half_empty_order_is_told_by_its_callback(shop: Seller) -> None:
    """Right after order/new get may show neither status nor lots: the goods are those of the callback."""
    order = shop.place("dbs", 2, delivery=True)
    own = Shop(SHOPS[order.channel].merchant_id, "dbs", MOSCOW)
    whole = order_get(order, own.merchant)
    empty = {**whole, "status": "", "items": []}
    early = read(empty, own, order_new(order, own.merchant))
    assert (early.status, early.stage, early.ready) == ("UNKNOWN", "placed", True)
    assert [(line.sku, line.quantity, line.id) for line in early.order.lines] == [("PL02-19", 2, "1,2")]
    assert early.order.total == read(whole, own).order.total
    assert not read(empty, own).ready  # without goods nothing is told to 1C yet


@pytest.mark.parametrize(
    ("order", "lots", "expected"),
    [
        ("NEW", ["NEW", "NEW"], ("NEW", "placed")),
        ("PENDING_PACKING", ["PENDING_PACKING", "NEW"], ("PENDING_PACKING", "placed")),
        (None, ["PACKED", "NEW"], ("NEW", "placed")),
        (None, ["PACKED", "MERCHANT_CANCELED"], ("PACKED", "assembled")),
        (None, ["", ""], ("UNKNOWN", "placed")),
        ("PACKING_EXPIRED", ["PACKING_EXPIRED", "PACKING_EXPIRED"], ("PACKING_EXPIRED", None)),
        ("SOMETHING_NEW", ["SOMETHING_NEW", "PACKED"], ("SOMETHING_NEW", None)),
        ("PARTLY", ["PACKED", "PACKED"], ("PARTLY", "assembled")),
        ("CUSTOMER_CANCELED", ["CUSTOMER_CANCELED", "DELIVERED"], ("DELIVERED", "delivered")),
        ("PACKED", ["MERCHANT_CANCELED", "CUSTOMER_CANCELED"], ("MERCHANT_CANCELED", "cancelled")),
        ("CUSTOMER_CANCELED", ["CUSTOMER_CANCELED", "CUSTOMER_CANCELED"], ("CUSTOMER_CANCELED", "cancelled")),
    ],
)
def test_how_an_order_stands(order: str | None, lots: list[str], expected: tuple[str, str | None]) -> None:
    """By its own status; by its lots where it has none, or where all of them are cancelled or not."""
    found = read({"shipmentId": 7, "status": order, "items": rows(*lots)}, DBS)
    assert (found.number, found.status, found.stage) == ("7", *expected)
    assert (found.cancelled is not None) == (expected[1] == "cancelled")


def rows(*statuses: str | None, sub: str | None = None) -> list[Any]:
    return [
        {"itemIndex": n, "offerId": "A", "price": "10", "status": status, "subStatus": sub}
        for n, status in enumerate(statuses, 1)
    ]


def test_cancelled_lots_count_no_more() -> None:
    """A line keeps the names of its lots and loses what is cancelled; an order cancelled whole stays as it was."""
    for lots, quantities in (
        (["NEW", "NEW", "NEW"], [3]),
        (["NEW", "MERCHANT_CANCELED", "NEW"], [2]),
        (["CUSTOMER_CANCELED"] * 3, [3]),
        (["MERCHANT_CANCELED", "CUSTOMER_CANCELED", "CUSTOMER_CANCELED"], [2]),
    ):
        order = read({"shipmentId": "7", "items": rows(*lots)}, DBS).order
        assert [(line.id, line.quantity) for line in order.lines] == [("1,2,3", count) for count in quantities]
        assert order.total == Decimal(10) * sum(quantities)


@pytest.mark.parametrize(
    ("status", "sub", "by"),
    [
        ("MERCHANT_CANCELED", None, "shop"),
        ("MERCHANT_CANCELED", "LATE_REJECT", "shop"),
        ("MERCHANT_CANCELED", "CONFIRMATION_EXPIRED", "marketplace"),
        ("CUSTOMER_CANCELED", None, "customer"),
    ],
)
def test_who_cancelled(status: str, sub: str | None, by: str) -> None:
    """What the shop did not do in time is Megamarket's doing."""
    found = read({"shipmentId": "7", "items": rows(status, sub=sub)}, FBS).cancelled
    assert found is not None
    assert (found.by, found.status) == (by, sub or status)


def test_times_without_a_zone_are_moscow_s() -> None:
    """Whatever clock 1C goes by."""
    naive = {"shipmentId": "7", "items": rows("NEW"), "packingDate": "2026-11-24T19:00:00"}
    assert read(naive, DBS).order.deadlines == (f.Deadline("assembled", at("2026-11-24T19:00:00+03:00")),)


def test_what_nobody_knows_is_kept_and_what_does_not_fit_left_out() -> None:
    """Unknown fields go where they can be erased; a field of another type costs only itself."""
    odd = {
        "shipmentId": 7, "brandNew": {"a": 1}, "customer": "somebody", "serviceScheme": ["x"],
        "depositedAmount": "80,50",
        "items": [None, {"itemIndex": "1", "offerId": 312306, "finalPrice": "80,5", "goodsData": {"colour": "red"}}, 5],
    }  # fmt: skip
    found = read(odd, DBS)
    assert [(line.sku, line.quantity, line.price) for line in found.order.lines] == [("312306", 1, Decimal("80.50"))]
    assert found.order.details["prepaid"] == "80.50"
    assert found.personal["extra"] == {"brandNew": {"a": 1}, "items": {"1": {"goodsData": {"colour": "red"}}}}
    assert seen(b"[]", DBS) is None


async def test_orders_are_read_many_in_one_call(hub: Hubs, shop: Seller) -> None:
    """One that is not there is missing; one of another spelling is not asked for."""
    mm, other = await hub("dbs", 1), shop.place("dbs", 2)
    numbers = [mm.there.number, "404404", other.number, "a b"]
    found = await mm.talk(mm.megamarket.read([port.Wanted(number) for number in numbers]))
    assert [one.number for one in found] == [mm.there.number, other.number]
    assert isinstance(found[0], port.Seen)
    assert json.loads(found[0].raw)["shipmentId"] == mm.there.number


def test_one_that_is_not_there_does_not_spoil_the_others() -> None:
    """Should get refuse a call for one unknown number, the others are read without it."""
    mm = make("mm", model="dbs", base_url=None, options={"merchant_id": 1, "token": "t"})
    there = {"1", "2", "4", "5"}

    def answer(call: port.Call) -> port.Reply:
        asked = call.body["data"]["shipments"]
        if not set(asked) <= there:
            return bad("Отправление не найдено")
        return good({"shipments": [{"shipmentId": number, "items": rows("NEW")} for number in asked]})

    found = talked(mm.read([port.Wanted(str(n)) for n in range(1, 6)]), answer)
    assert {one.number for one in found} == there


def test_a_sandbox_order_is_an_order(shop: Seller) -> None:
    """Chance orders of every model, in every shape, are read with all their goods."""
    for model in ("dbs", "cnc", "fbs"):
        for _ in range(30):
            order: Order = shop.market.place(f"mm-{model}")
            own = Shop(SHOPS[order.channel].merchant_id, model, MOSCOW)
            found = read(order_get(order, own.merchant), own, order_new(order, own.merchant))
            assert sum(line.quantity for line in found.order.lines) == len(order.goods)
            assert found.order.total == sum(lot.final_price for lot in order.goods)
            assert "extra" not in found.personal
