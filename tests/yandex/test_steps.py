"""Every step: its request passes the official OpenAPI, its effect can be read back, a repeat is harmless."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from events.codec import encode
from events.order import facts as f
from service.marketplaces import port
from service.marketplaces.yandex import steps
from service.marketplaces.yandex.sandbox import Market, goods
from service.marketplaces.yandex.sandbox.order import Order
from tests.acceptance.spec import Spec
from tests.yandex.conftest import DBS, EXPRESS, FBS
from tests.yandex.hub import Hub

Hubs = Callable[[int], Hub]
TODAY = datetime.now(UTC).date()
CODE = "0103041094787443215Qbag"

MARKS: dict[str, f.Fact] = {
    "order.registered": f.Registered(document=f.Document("1", "УТ000004512")),
    "order.confirmed": f.Confirmed(lines=(f.Line(sku="WM-1", quantity=1), f.Line(sku="CM-1", quantity=1))),
    "order.assembled": f.Assembled(lines=(f.Line(sku="CM-1", quantity=1, marks=(CODE,)),), boxes=2),
    "order.shipped": f.Shipped(track="TRK-1"),
    "order.arrived": f.Arrived(keep_until=TODAY + timedelta(days=20)),
    "order.rescheduled": f.Rescheduled(date=TODAY + timedelta(days=5)),
    "order.handed_over": f.HandedOver(coded=True),
    "order.delivered": f.Delivered(),
    "order.cancelled": f.Cancelled(by="shop"),
    "order.cancellation_declined": f.CancellationDeclined(),
}


class Case(NamedTuple):
    """A step, the state it is sent in, the marks known by then."""

    model: str
    step: str
    status: str
    marks: list[str]


CASES = [
    Case("dbs", "external_id", "PROCESSING/STARTED", ["order.registered"]),
    Case("dbs", "items", "PROCESSING/STARTED", ["order.confirmed"]),
    Case("dbs", "identifiers", "PROCESSING/STARTED", ["order.assembled"]),
    Case("dbs", "delivery", "PROCESSING/STARTED", ["order.shipped"]),
    Case("dbs", "track", "DELIVERY/DELIVERY_SERVICE_RECEIVED", ["order.shipped"]),
    Case("dbs", "pickup", "DELIVERY/DELIVERY_SERVICE_RECEIVED", ["order.arrived"]),
    Case("dbs", "storage_limit", "PICKUP/PICKUP_SERVICE_RECEIVED", ["order.arrived"]),
    Case("dbs", "delivered", "PICKUP/PICKUP_SERVICE_RECEIVED", ["order.delivered"]),
    Case("dbs", "delivery_date", "PROCESSING/STARTED", ["order.rescheduled"]),
    Case("dbs", "cancel", "DELIVERY/DELIVERY_SERVICE_RECEIVED", ["order.cancelled"]),
    Case("dbs", "cancellation_accept", "DELIVERY/DELIVERY_SERVICE_RECEIVED", ["order.cancellation_declined"]),
    Case("fbs", "external_id", "PROCESSING/STARTED", ["order.registered"]),
    Case("fbs", "boxes", "PROCESSING/STARTED", ["order.confirmed", "order.assembled"]),
    Case("fbs", "ready_to_ship", "PROCESSING/STARTED", ["order.assembled"]),
    Case("fbs", "cancel", "PROCESSING/READY_TO_SHIP", ["order.cancelled"]),
    Case("express", "verify_eac", "DELIVERY/COURIER_ARRIVED_TO_SENDER", ["order.handed_over"]),
]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.model}-{case.step}")
TOLD_BY_REPEAT = {"verify_eac"}
"""Steps a read says nothing of: only an operator, or Market's answer to a repeat, knows."""


async def prepared(market: Market, hubs: Hubs, case: Case) -> tuple[Hub, Order]:
    """An order in the state a step is sent in, the marks made, the step requested."""
    model, step, status, marks = case
    campaign = {"dbs": DBS, "fbs": FBS, "express": EXPRESS}[model]
    lines = [
        goods.Line(11, "WM-1", "Стиральная машина", 1, Decimal(38990)),
        goods.Line(12, "HOSE", "Шланг", 2, Decimal("590.10")),
        goods.Line(13, "CM-1", "Кофемашина", 1, Decimal(19990), marked=model != "dbs"),
    ]
    order, ym = market.place(campaign, pickup=model == "dbs", lines=lines), hubs(campaign)
    if step == "ready_to_ship":
        order.set_boxes([{"items": [{"id": n, "fullCount": c} for n, c in ((11, 1), (12, 2))]},
                         {"items": [{"id": 13, "fullCount": 1, "instances": [{"cis": CODE}]}]}], False)  # fmt: skip
    order.enter(*status.split("/"))
    order.code = "4321" if model == "express" else None
    await ym.see(order.number)
    if step == "cancellation_accept":
        market.buyer_cancels(order)
        await ym.see(order.number)
    for mark in marks:
        ym.record(mark, MARKS[mark], "1c/ut11", personal={"code": "4321"})
    requested = f.CommandRequested(command=step, target="ym", action=step)
    ym.record("command.requested", requested, "okno")
    return ym, order


def test_every_step_is_here() -> None:
    """A step without a case would be a step nobody tried; what Market can't be told has no call to try."""
    offered = {(model, step) for model in ("dbs", "fbs") for step in steps.STEPS[model]} | {("express", "verify_eac")}
    assert {(case.model, case.step) for case in CASES} == offered - set(steps.CANNOT)
    assert all(step in steps.STEPS[m] for m, t in steps.TRIGGERS.items() for names in t.values() for step in names)


@each
async def test_requests_pass_the_official_openapi(market: Market, hub: Hubs, spec: Spec, case: Case) -> None:
    """Method, path, query and body, by the current version of the method; nothing that is being switched off."""
    ym, _ = await prepared(market, hub, case)
    call = ym.yandex.request(ym.job(ym.command(case.step)), datetime.now(UTC))
    assert isinstance(call, port.Call)
    assert call.changes
    op = spec.find(call.method, call.path)
    assert op is not None
    assert not op.deprecated
    assert spec.request_faults(op, encode(call.body), "application/json", set(call.query)) == []


@each
async def test_a_lost_answer_is_read_back(market: Market, hub: Hubs, case: Case) -> None:
    """Before the call a read says not done; after it, done; and a repeat changes nothing at Market."""
    ym, order = await prepared(market, hub, case)
    if case.step not in TOLD_BY_REPEAT:
        assert await ym.finding(case.step) == port.NotApplied()
    job, now = ym.job(ym.command(case.step)), datetime.now(UTC)
    call = ym.yandex.request(job, now)
    assert isinstance(call, port.Call)
    assert isinstance(ym.yandex.judge(job, await ym.call(call), now), port.Sent)
    finding = await ym.finding(case.step)
    assert isinstance(finding, port.Unclear if case.step in TOLD_BY_REPEAT else port.Applied)
    after = _truth(order)
    again = ym.yandex.judge(job, await ym.call(call), now)
    assert isinstance(again, port.Sent | port.Refused)
    assert _truth(order) == after
    if case.step not in TOLD_BY_REPEAT:
        assert isinstance(await ym.finding(case.step), port.Applied)


@each
async def test_a_cancelled_order_takes_nothing(market: Market, hub: Hubs, case: Case) -> None:
    """What waits when Market cancels is overtaken; the wish to cancel itself is fulfilled."""
    ym, order = await prepared(market, hub, case)
    market.move(order, "CANCELLED", "USER_CHANGED_MIND")
    finding = await ym.finding(case.step)
    assert isinstance(finding, port.Applied if case.step == "cancel" else port.Overtaken)


async def test_what_was_done_before_the_cancellation(market: Market, hub: Hubs) -> None:
    """A lost answer is told from the order's own data even when the order was cancelled since."""
    ym, order = await prepared(market, hub, Case("dbs", "external_id", "PROCESSING/STARTED", ["order.registered"]))
    order.external_id = "УТ000004512"
    market.move(order, "CANCELLED", "USER_CHANGED_MIND")
    assert await ym.finding("external_id") == port.Applied("CANCELLED/USER_CHANGED_MIND")


async def test_what_market_answered_itself(market: Market, hub: Hubs) -> None:
    """A number Market holds already, ours or another; the same date again."""
    ym, order = await prepared(market, hub, Case("dbs", "external_id", "PROCESSING/STARTED", ["order.registered"]))
    order.external_id = "УТ000004512"
    assert await ym.send(ym.command("external_id")) == port.Sent()
    order.external_id = "other"
    refused = await ym.send(ym.command("external_id"))
    assert isinstance(refused, port.Refused)
    assert refused.final
    assert isinstance(await ym.finding("external_id"), port.Overtaken)
    ym, order = await prepared(market, hub, Case("dbs", "delivery_date", "PROCESSING/STARTED", ["order.rescheduled"]))
    order.to_date = TODAY + timedelta(days=5)
    assert await ym.send(ym.command("delivery_date")) == port.Sent()


async def test_an_order_nobody_shows(market: Market, hub: Hubs) -> None:
    """An order that can't be found decides nothing."""
    ym, _ = await prepared(market, hub, Case("dbs", "delivery", "PROCESSING/STARTED", ["order.shipped"]))
    assert isinstance(ym.yandex.finding(ym.job(ym.command("delivery")), None), port.Unclear)


@pytest.mark.parametrize("boxes", [1, 2, 3, 4, 7])
async def test_any_number_of_boxes(market: Market, hub: Hubs, boxes: int) -> None:
    """As many boxes as 1C says, every piece in one of them, more boxes than pieces too."""
    ym, order = await prepared(market, hub, Case("fbs", "boxes", "PROCESSING/STARTED", []))
    ym.record(
        "order.assembled", f.Assembled(lines=(f.Line(sku="CM-1", quantity=1, marks=(CODE,)),), boxes=boxes), "1c/ut11"
    )
    assert await ym.send(ym.command("boxes")) == port.Sent()
    assert len(order.boxes) == boxes
    assert [line.count for line in order.lines] == [1, 2, 1]
    assert await ym.finding("boxes") == port.Applied("PROCESSING/STARTED")


async def test_nothing_left_to_sell(market: Market, hub: Hubs) -> None:
    """1C confirms none of it: not sent, with what to do instead."""
    ym, _ = await prepared(market, hub, Case("dbs", "items", "PROCESSING/STARTED", []))
    ym.record("order.confirmed", f.Confirmed(lines=(f.Line(sku="OTHER", quantity=1),)), "1c/ut11")
    refused = await ym.send(ym.command("items"))
    assert isinstance(refused, port.Refused)
    assert refused.final
    assert "order.cancelled" in (refused.hint or "")


def _truth(order: Order) -> dict[str, Any]:
    own = dict(vars(order))
    del own["updated"]
    return {
        **own,
        "lines": [vars(line) for line in order.lines],
        "boxes": list(order.boxes),
        "tracks": list(order.tracks),
    }
