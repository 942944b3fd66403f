"""Destroys an order's personal data, for an admin; the answer is the act."""

import msgspec
from aiohttp import web

from service import erasing
from service.erasing import BadReason, Looked
from service.operators import NothingToDo
from service.web.acting import actor
from service.web.keys import HUB, storage
from service.web.reading import order_key
from service.web.schemas import json


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why; `also`, `spare`: ids of rejected messages that belong to the order too, or do not."""

    reason: str
    also: list[str] = []
    spare: list[str] = []


async def erase(request: web.Request) -> web.StreamResponse:
    """`POST /v1/orders/CHANNEL/NUMBER/erase`: destroys its personal data; where none are left, the act of last time."""
    place, settings, key = storage(request), request.app[HUB].settings, order_key(request)
    try:
        wish = msgspec.json.decode(await request.read(), type=Wish)
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=f'send {{"reason": "…"}}: {error}') from error
    looked = await erasing.look(place.log, place.pool, key, settings.channels)
    if not looked.known and looked.holdings.nothing and not wish.also:
        raise web.HTTPNotFound(text=f"no order {key}: nobody ever spoke of it")
    try:
        position = await erasing.erase(
            place.log, place.pool, looked, wish.reason, actor(request), also=wish.also, spare=wish.spare
        )
    except BadReason as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except NothingToDo as error:
        raise web.HTTPNotFound(text=str(error)) from error
    acts = await erasing.acts(place.log, place.pool, looked.order, _asked(looked, position), settings.timezone)
    if not acts:
        raise web.HTTPConflict(text=f"nothing of {looked.order} can be erased: no personal data ever came")
    return json(acts[-1])


def _asked(looked: Looked, position: int | None) -> tuple[int, ...]:
    return looked.erased if position is None else (position,)
