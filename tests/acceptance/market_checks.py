"""What must be true of Yandex Market's side in the end."""

from collections.abc import Iterable, Iterator

from .checks import Findings
from .emulator import Truth
from .hooks import Hooks
from .market import Market
from .marks import script, storage_limit
from .order import Order
from .scenario import MOSCOW, ZONE, Scenario
from .wire import Message


def market_state(scenario: Scenario) -> set[str]:
    """Where the order may end at the marketplace."""
    if scenario.ending == "shop_cancel":
        if scenario.model != "dbs":
            return {"CANCELLED/SHOP_FAILED"}
        named = {"out_of_stock": {"SHOP_FAILED"}, "customer_changed_mind": {"USER_CHANGED_MIND"}}
        wanted = named.get(scenario.cancel_reason, {"SHOP_FAILED", "USER_CHANGED_MIND"})
        return {f"CANCELLED/{substatus}" for substatus in wanted}
    return {"CANCELLED/USER_CHANGED_MIND"} if scenario.cancelled else {"DELIVERED/DELIVERY_SERVICE_DELIVERED"}


def truth(order: Order, shadow: bool) -> Truth:
    """In shadow the order goes only where Market and the buyer move it."""
    scenario, ending = order.scenario, order.scenario.ending
    stages = {"cancelled"} if scenario.cancelled else {"completed"}
    stages |= {"returned"} if ending == "returned" else set()
    if shadow and ending.startswith("request"):
        stages = {"confirmed", "assembled", "shipped"}
    hears = {"order.placed": 1} | ({"order.cancelled": 1} if ending == "buyer_cancel" else {})
    some = {"order.returned"} if order.returns else set()
    if not shadow:
        hears |= {"order.cancellation_requested": 1} if ending.startswith("request") else {}
        some |= set() if scenario.cancelled else {"marketplace.accepted"}
    wanted = {"PROCESSING/STARTED"} if shadow and ending != "buyer_cancel" else market_state(scenario)
    kinds = frozenset(stages), frozenset({order.state}), hears, frozenset(some)
    return Truth(scenario.key, ending, order.state, frozenset(wanted), *kinds)


def lines(orders: Iterable[Order], found: Findings) -> Iterator[str]:
    """The hub shows no goods that the order never had."""
    for order in orders:
        shown = found.orders.get(order.scenario.key, {}).get("lines", [])
        if {line["sku"] for line in shown} - {line.sku for line in order.scenario.lines}:
            yield f"{order.scenario.key}: lines {shown}"


def details(order: Order, seed: int) -> Iterator[str]:
    """What besides the status must have reached the marketplace."""
    scenario, sent = order.scenario, [mark.type for mark in script(order.scenario, seed)]
    if scenario.ending in ("shop_cancel", "buyer_cancel", "request_accept"):
        return
    wanted = {line.id: count for line, count in zip(scenario.lines, scenario.kept, strict=True)}
    if order.counts != wanted:
        yield f"{scenario.key}: lines {order.counts}, wanted {wanted}"
    if scenario.registered and order.external_id != scenario.document_number and scenario.model == "dbs":
        yield f"{scenario.key}: external id {order.external_id!r}, wanted {scenario.document_number!r}"
    if scenario.moved_by and order.to_date != scenario.moved_date.isoformat():
        yield f"{scenario.key}: date {order.to_date}, wanted {scenario.moved_date}"
    if scenario.track and order.track != scenario.track:
        yield f"{scenario.key}: track {order.track!r}, wanted {scenario.track!r}"
    if scenario.keep_until and order.storage_limit != storage_limit(scenario):
        yield f"{scenario.key}: storage limit {order.storage_limit!r}, wanted {storage_limit(scenario)}"
    if scenario.ending == "request_decline" and order.accepted is not False:
        yield f"{scenario.key}: the buyer's request was not declined"
    if scenario.late and "order.delivered" in sent and not order.real_date:
        yield f"{scenario.key}: delivered the day before, but no realDeliveryDate"
    for line in scenario.lines if scenario.marked else ():
        given = sorted(str(i.get("cis", "")) for i in order.instances.get(line.id, []))
        if given != sorted(line.marks):
            yield f"{scenario.key}: marks of {line.sku}: {given}, wanted {sorted(line.marks)}"


def real_dates(orders: Iterable[Order], sent: Iterable[Message]) -> Iterator[str]:
    """realDeliveryDate is the day 1C named (the shop's zone or Market's), and only where that was not today."""
    days = {(m.order, day.astimezone(zone).date().isoformat())
            for m in sent if m.types & {"order.delivered", "order.arrived"} and (day := m.occurred)
            for zone in (MOSCOW, ZONE)}  # fmt: skip
    for order in orders:
        key = order.scenario.key
        if order.real_date and not order.scenario.late:
            yield f"{key}: realDeliveryDate {order.real_date}, though delivered the same day"
        elif order.real_date and (key, order.real_date) not in days:
            yield f"{key}: realDeliveryDate {order.real_date} is not the day 1C named"


def of_market(market: Market, hooks: Hooks, found: Findings, seed: int) -> Iterator[tuple[str, list[str]]]:
    """Its journal, its orders' details."""
    journal, orders = market.journal, market.orders.values()
    excused = {number for number, order in market.orders.items() if order.scenario.ending == "buyer_cancel"}
    yield "yandex: no goods in the hub that were not ordered", list(lines(orders, found))
    yield "yandex: no protocol violation", journal.violations
    yield "yandex: notifications answered as the documents ask", hooks.faults
    if found.shadow:
        yield "yandex: shadow, no call that changes anything", [call.line() for call in journal.changing()]
        return
    yield "yandex: lines, dates, marks, document numbers", [text for order in orders for text in details(order, seed)]
    yield "yandex: real delivery dates", list(real_dates(orders, found.sent))
    yield "yandex: every step done once", list(journal.sent_again())
    yield "yandex: nothing sent blindly after an unknown outcome", list(journal.blind())
    yield "yandex: no step refused as out of order", list(journal.refusals(excused))
    yield "yandex: one call at a time for an order", list(journal.overlapping())
