"""The sandbox's orders as bytes, so that a sandbox that is started again goes on where it was."""

import msgspec

from service.marketplaces.megamarket.sandbox.market import Market
from service.marketplaces.megamarket.sandbox.order import Order


class _Kept(msgspec.Struct):
    next_number: int
    orders: list[Order]


def dump(market: Market) -> bytes:
    """Everything a market must not forget."""
    return msgspec.json.encode(_Kept(market.next_number, list(market.orders.values())))


def restore(market: Market, kept: bytes) -> None:
    """Gives a market its orders back; `ValueError` for bytes that are no such thing.

    Numbers never fall: the market goes on with its own where that is higher. Buyers' wishes that wait are told again,
    since no read shows them.
    """
    found = msgspec.json.decode(kept, type=_Kept)
    market.orders = {order.number: order for order in found.orders if order.channel in market.shops}
    market.next_number = max(market.next_number, found.next_number)
    market.ask_again()
