"""What auditors keep and give away: the head seal, and an order's history with the proof that it is in the log."""

from contextlib import aclosing

from aiohttp import web

from service.audit.extract import Wanted, extracted
from service.audit.inclusion import NoProof
from service.web.exporting import sent
from service.web.keys import storage
from service.web.reading import order_key
from service.web.schemas import HeadSeal, json


async def seal(request: web.Request) -> web.StreamResponse:
    """`GET /v1/seal`: the seal to keep outside of the database."""
    head = await storage(request).log.head()
    return json(HeadSeal(head.position, head.seal.hex(), head.links, head.epoch, head.recorded_at))


async def proof(request: web.Request) -> web.StreamResponse:
    """`GET /v1/orders/CHANNEL/NUMBER/proof`: for the program of `okno export verifier`; it holds no personal data."""
    wanted = Wanted(order=order_key(request))
    async with aclosing(extracted(storage(request).pool, wanted)) as parts:
        try:
            first = await anext(parts)
        except NoProof as error:
            raise web.HTTPNotFound(text=str(error)) from error
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        if request.method != "HEAD":
            await sent(request, response, first, parts)
    return response
