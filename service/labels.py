"""The labels of an order's boxes, asked of its marketplace whenever somebody wants to print them."""

from events.log import Log
from events.order.state import fold
from service import http_client
from service.http_client import ChannelClient
from service.marketplaces.port import Label, Refused
from service.settings import Channel


async def label(log: Log, channel: Channel, order: str) -> Label | Refused | None:
    """The labels, or why there are none; None where this marketplace gives none. `CallFailed` without an answer."""
    history = (await log.histories([order]))[order]
    state = fold(order, history)
    if not state.placed:
        return Refused("unknown_order", f"nobody placed an order {order} yet")
    talk = channel.marketplace.label(state)
    if talk is None:
        return None
    async with http_client.sessions() as sessions:
        return await ChannelClient(sessions, channel.marketplace).run(talk)
