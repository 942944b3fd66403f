"""Every address of the API: who may call it, what it takes and returns. `openapi.json` is made from this table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from projections.commands.queries import CommandRow
from projections.orders.project import OrderRow
from projections.status import ProjectionStatus
from service.audit import EventJson
from service.channels import ChannelRow
from service.erasing import Act
from service.onec.silence_status import OnecStatus
from service.rejected import RejectedRow
from service.web import acting, erasing, exporting, health, incoming, openapi, proving, reading, schemas
from service.web.schemas import Page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

READERS: Final = ("auditor", "operator")
EVERYBODY: Final = ("onec", "auditor", "operator")
OPEN: Final = None
"""For everybody, without a token."""


@dataclass(frozen=True)
class Route:
    """One call. `roles` None: for everybody. `query` names its parameters, `returns` the shape of a good answer."""

    method: str
    path: str
    handler: Handler
    roles: tuple[str, ...] | None
    returns: Any
    status: int = 200
    query: dict[str, str] = field(default_factory=dict)
    media: str = "application/json"
    body: Any = None


PAGED: Final = {"after": "the `next` of the page before", "limit": "how many at most"}

ROUTES: Final = (
    Route("POST", "/v1/events", incoming.post_events, ("onec", "operator"), schemas.Accepted, 202,
          body=openapi.CLOUDEVENTS),
    Route("GET", "/v1/events", reading.events, READERS, EventJson, media="application/x-ndjson",
          query={"after": "a position; 0 or nothing for the beginning", "limit": "how many at most"}),
    Route("GET", "/v1/orders", reading.order_list, READERS, Page[OrderRow],
          query={"stage": "a stage", "channel": "a channel", "attention": "`any` or a code",
                 "q": "part of a number, a document's number or an article", **PAGED}),
    Route("GET", "/v1/orders/{channel}/{number}", reading.one_order, READERS, OrderRow),
    Route("GET", "/v1/orders/{channel}/{number}/history", reading.history, READERS, schemas.History,
          query={"at": "by when things occurred", "known_at": "by when they were recorded",
                 "version": "up to that one", "raw": "1: with the bodies, for auditors"}),
    Route("GET", "/v1/orders/{channel}/{number}/proof", proving.proof, READERS, bytes, media="application/x-ndjson"),
    Route("GET", "/v1/orders/{channel}/{number}/label", acting.label, ("onec", "operator"), bytes,
          media="application/pdf"),
    Route("POST", "/v1/orders/{channel}/{number}/attention/{code}/clear", acting.clear_attention, ("operator",),
          schemas.Done, 202),
    Route("POST", "/v1/orders/{channel}/{number}/erase", erasing.erase, ("admin",), Act, body=erasing.Wish),
    Route("GET", "/v1/export/{what}", exporting.export, READERS, EventJson, media="application/x-ndjson",
          query={"format": "jsonl (if nothing is said), csv or parquet", "order": "an order's key",
                 "channel": "a channel", "since": "events recorded, orders placed at this time or later",
                 "until": "events recorded, orders placed before this time",
                 "personal": "1: with names, phones and addresses", "bom": "1: CSV with Excel's mark of UTF-8"}),
    Route("GET", "/v1/seal", proving.seal, READERS, schemas.HeadSeal),
    Route("GET", "/v1/channels", reading.channel_list, READERS, Page[ChannelRow]),
    Route("GET", "/v1/onec", reading.onec_status, READERS, OnecStatus),
    Route("GET", "/v1/outbox", reading.outbox_page, ("onec", "auditor", "operator"), schemas.OutboxPage,
          query={"after": "the `cursor` of the page before", "limit": "how many at most"}),
    Route("GET", "/v1/rejected", reading.rejected_list, READERS, Page[RejectedRow], query=PAGED),
    Route("POST", "/v1/rejected/{id}/resubmit", acting.resubmit, ("operator",), schemas.Done, 202),
    Route("GET", "/v1/commands", reading.command_list, READERS, Page[CommandRow],
          query={"state": "a state; `failed` is refused or given_up", "order": "an order's key", **PAGED}),
    Route("POST", "/v1/commands/{id}/retry", acting.retry, ("operator",), schemas.Done, 202),
    Route("GET", "/v1/projections", reading.projections, READERS, Page[ProjectionStatus]),
    Route("POST", "/v1/projections/{name}/rebuild", acting.rebuild_projection, ("operator",), schemas.Done, 202),
    Route("GET", "/healthz", health.healthz, OPEN, schemas.Health),
    Route("GET", "/readyz", health.readyz, OPEN, schemas.Readiness),
    Route("GET", "/metrics", health.numbers, EVERYBODY, str, media="text/plain"),
)  # fmt: skip
