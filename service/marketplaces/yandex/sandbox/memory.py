"""The sandbox's orders as bytes, so that a sandbox that is started again goes on where it was."""

import msgspec

from service.marketplaces.yandex.sandbox.market import Market
from service.marketplaces.yandex.sandbox.order import Order


class _Kept(msgspec.Struct):
    next_number: int
    next_return: int
    orders: list[Order]


def dump(market: Market) -> bytes:
    """Everything a market must not forget."""
    return msgspec.json.encode(_Kept(market.next_number, market.next_return, list(market.orders.values())))


def restore(market: Market, kept: bytes) -> None:
    """Gives a market its orders back; `ValueError` for bytes that are no such thing.

    Numbers never fall: the market goes on with its own where that is higher.
    """
    found = msgspec.json.decode(kept, type=_Kept)
    market.orders = {order.number: order for order in found.orders if order.campaign in market.shops}
    market.next_number = max(market.next_number, found.next_number)
    market.next_return = max(market.next_return, found.next_return)
