"""What happens at the marketplace by itself: orders come, couriers drive, buyers change their minds, goods return."""

import asyncio
from random import Random

from .hooks import Hooks
from .market import Market
from .order import Order, now
from .scenario import Scenario


class World:
    """Plays the marketplace's and the buyer's part in the orders that were placed."""

    def __init__(self, market: Market, hooks: Hooks, seed: int) -> None:
        self.market, self.hooks = market, hooks
        self._rng = Random(f"world:{seed}")
        self._due: dict[int, float] = {}

    def place(self, scenario: Scenario) -> None:
        order = Order(scenario)
        self.market.orders[scenario.number] = order
        self.hooks.created(order)
        if scenario.ending == "buyer_cancel":
            self._due[scenario.number] = self.market.clock() + self._rng.uniform(0.3, 5)

    async def live(self) -> None:
        """Never ends: cancel it."""
        while True:
            for number, order in list(self.market.orders.items()):
                due = self._due.get(number)
                if due is None and self._next(order):
                    self._due[number] = self.market.clock() + self._rng.uniform(0.2, 3)
                elif due is not None and due <= self.market.clock():
                    self._due[number] = float("inf") if order.scenario.ending == "buyer_cancel" else due
                    self._step(order, self._next(order))
                    if order.scenario.ending != "buyer_cancel":
                        del self._due[number]
            await asyncio.sleep(0.1)

    def _next(self, order: Order) -> str:
        """What the marketplace will do to this order now, if anything."""
        scenario = order.scenario
        if order.status == "CANCELLED":
            return ""
        if scenario.ending == "buyer_cancel":
            return "cancel"
        if scenario.ending in ("request_accept", "request_decline") and order.accepted is None:
            return "request" if order.status in ("DELIVERY", "PICKUP") and not order.cancel_requested else ""
        if scenario.ending == "returned" and order.status == "DELIVERED" and not order.returns:
            return "return"
        if scenario.model != "dbs" and scenario.ending != "shop_cancel":
            return {"READY_TO_SHIP": "courier", "COURIER_FOUND": "drive", "DELIVERY_SERVICE_RECEIVED": "deliver"}.get(
                order.substatus, "")  # fmt: skip
        return ""

    def _step(self, order: Order, what: str) -> None:
        at, number = self.market.clock(), order.scenario.number
        match what:
            case "cancel":
                order.market_moves_to(at, "CANCELLED", "USER_CHANGED_MIND")
            case "request":
                order.cancel_requested = True
                order.touch()
                self.hooks.cancellation_request(order)
                return
            case "return":
                line = next(line for line in order.scenario.lines if order.counts[line.id])
                order.returns.append({"id": number % 10**9, "at": now(), "type": "RETURN", "sku": line.sku, "count": 1,
                                      "amount": line.unit})  # fmt: skip
                order.touch()
                self.hooks.returned(order, order.returns[-1])
                return
            case "courier" if order.scenario.model == "express":
                order.eac_code = str(1000 + number % 9000)
                order.market_moves_to(at, "DELIVERY", "COURIER_FOUND")
            case "courier" | "drive":
                order.market_moves_to(at, "DELIVERY", "DELIVERY_SERVICE_RECEIVED")
            case "deliver":
                order.market_moves_to(at, "DELIVERED", "DELIVERY_SERVICE_DELIVERED")
            case _:
                return
        self.hooks.status(order)
