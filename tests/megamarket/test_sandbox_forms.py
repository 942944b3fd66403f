"""What the sandbox writes has the shape of the samples, key by key; what differs in some messages is named."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from service.marketplaces.megamarket.sandbox import SHOPS, Order
from service.marketplaces.megamarket.sandbox.forms import DRIFTS, order_cancel, order_get, order_new
from service.marketplaces.megamarket.sandbox.order import Discount
from tests.acceptance.spec import specs_dir
from tests.megamarket.sandbox_shop import quiet, tyres

SAMPLES = specs_dir() / "megamarket" / "samples"
MODELS = ("fbs", "dbs", "cnc")


def sample(name: str) -> Any:
    """A sample; where the documents do not lie beside the checkout there is nothing to compare with, said aloud."""
    if not SAMPLES.is_dir():
        pytest.skip("no samples of SberMegaMarket in ../shared/specs: its shapes are NOT checked")
    return json.loads((SAMPLES / f"{name}.json").read_text())


def order(model: str, *drift: str) -> Order:
    """One with a discount and, where there is any, a lot for the delivery."""
    lots = tyres(2, delivery=model == "dbs")
    if model != "dbs":
        lots[0].discounts = [Discount("LOY", "Скидка", Decimal(46))]
    return quiet().place(f"mm-{model}", lots=lots, blank=False, drift=drift)


def merchant(one: Order) -> int:
    return SHOPS[one.channel].merchant_id


def differences(found: Any, wanted: Any, at: str = "") -> Iterator[str]:
    """Where the keys or the kinds of values differ; null is of every kind, a list's rows are like the first wanted."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        yield from (f"{at}.{name}" for name in sorted(found.keys() ^ wanted.keys()))
        for name in sorted(found.keys() & wanted.keys()):
            yield from differences(found[name], wanted[name], f"{at}.{name}")
    elif isinstance(found, list) and isinstance(wanted, list):
        for one in found if wanted else ():
            yield from differences(one, wanted[0], at)
    elif found is not None and wanted is not None and kind(found) is not kind(wanted):
        yield f"{at}: {found!r} for {wanted!r}"


def kind(value: Any) -> type:
    return float if type(value) is int else type(value)


@pytest.mark.parametrize(
    ("model", "name", "drift"),
    [
        ("fbs", "order_new.fbs", ["source"]),
        ("dbs", "order_new.dbs", []),
        ("cnc", "order_new.click_collect", ["source"]),
    ],
)
def test_order_new(model: str, name: str, drift: list[str]) -> None:
    """In its plainest form it is the sample's."""
    one = order(model, *drift)
    assert list(differences(order_new(one, merchant(one)), sample(f"{name}.request"))) == []


def test_order_cancel() -> None:
    """The sample's; FBS says besides who fulfils it."""
    wanted = sample("order_cancel.click_collect.request")
    cnc, fbs = order("cnc", "source"), order("fbs", "source")
    assert list(differences(order_cancel(cnc, merchant(cnc), cnc.lots), wanted)) == []
    extra = list(differences(order_cancel(fbs, merchant(fbs), fbs.lots), wanted))
    assert extra == [".data.shipments.fulfillmentMethod"]


@pytest.mark.parametrize("model", MODELS)
def test_order_get(model: str) -> None:
    """The sample's, of every model, whether packed or not."""
    wanted, one = sample("order_get.response.composed")["data"]["shipments"][0], order(model)
    assert list(differences(order_get(one, merchant(one)), wanted)) == []
    one.lots[0].boxes = [1]
    assert list(differences(order_get(one, merchant(one)), wanted)) == []


def changes(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """Where two messages differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            if before.get(name, "absent") != after.get(name, "absent"):
                yield from changes(before.get(name), after.get(name), f"{at}.{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for first, second in zip(before, after, strict=True):
            yield from changes(first, second, at)
    elif before != after:
        yield at


HANDOVER = {
    "fias": {".customer.address.fias.destination", ".customer.address.fias.destinationId"},
    "id_text": {".handover.deliveryId"}, "flags": {".flags"}, "tax": {".items.taxRate"},
    "newer": {".items.itemId", ".items.priceAdjustments"},
}  # fmt: skip
LABEL = {
    "id_text": {".label.deliveryId"}, "tax": {".items.taxRate"},
    "newer": {".items.itemId", ".items.priceAdjustments", ".shipping.shippingInterval", ".confirmationDate",
              ".packingDate", ".customerOrderId", ".delivery"},
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("drift", DRIFTS)
def test_what_drifts(model: str, drift: str) -> None:
    """Each drift changes what it is named for and nothing else, and never what an order is."""
    one = order(model)
    before = order_new(one, merchant(one))
    one.drift = [drift]
    after = order_new(one, merchant(one))
    assert (before["meta"], after["meta"]) == ({}, {"source": "OMS"} if drift == "source" else {})
    plain, drifted = (told["data"]["shipments"][0] for told in (before, after))
    assert set(changes(plain, drifted)) == (LABEL if model == "fbs" else HANDOVER).get(drift, set())


def test_boxes_as_a_list() -> None:
    """A lot in several boxes is always shown so, one in a single box sometimes."""
    one = order("fbs")
    one.order_code, one.lots[0].boxes, one.lots[1].boxes = "7", [1, 2], [3]
    first, second = order_get(one, 5046)["items"]
    assert [box["boxCode"] for box in first["boxes"]] == ["5046*7*1", "5046*7*2"]
    assert (second["boxIndex"], "boxes" in second) == (3, False)
    one.drift = ["boxes"]
    assert order_get(one, 5046)["items"][1]["boxes"] == [{"boxIndex": 3, "boxCode": "5046*7*3"}]


@pytest.mark.parametrize("model", MODELS)
def test_chance_orders_add_up(model: str) -> None:
    """finalPrice is price less discounts; what is paid before is all of it or nothing."""
    market = quiet()
    for _ in range(50):
        one = market.place(f"mm-{model}")
        told = order_new(one, merchant(one))["data"]["shipments"][0]
        for item in told["items"]:
            less = sum(Decimal(str(discount["discountAmount"])) for discount in item["discounts"])
            assert Decimal(str(item["finalPrice"])) == Decimal(str(item["price"])) - less > 0
            assert item["quantity"] == 1
        total = sum(Decimal(str(item["finalPrice"])) for item in told["items"])
        deposited = order_get(one, merchant(one))["depositedAmount"]
        assert Decimal(str(deposited)) in (0, total)
