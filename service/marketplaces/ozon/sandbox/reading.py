"""The calls that read: one posting, lists of them, the key, the warehouse."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from service.marketplaces.ozon.sandbox.asked import Asked, Table, inner, items, period, texts, whole
from service.marketplaces.ozon.sandbox.forms import Form
from service.marketplaces.ozon.sandbox.posting import TPL, Posting
from service.marketplaces.ozon.sandbox.refusal import invalid

Key = tuple[str, str, str]


def get(asked: Asked) -> Any:
    """One posting, with all about it."""
    return {"result": _form(asked, asked.posting()).v3()}


def unfulfilled(asked: Asked) -> Any:
    """What is not delivered yet, by one of two dates: the one to pack by, or that of the hand-over."""
    wanted = inner(asked.body, "filter")
    cutoff = period(wanted, "cutoff_from", "cutoff_to")
    handed = period(wanted, "delivering_date_from", "delivering_date_to")
    if cutoff is None and handed is None:
        raise invalid("either filter.cutoff or filter.delivering_date must be specified")
    if cutoff is not None and handed is not None:
        raise invalid("only one of filter.cutoff and filter.delivering_date may be specified")
    found = [
        posting for posting in _matching(asked, wanted)
        if posting.open and (_within(posting.shipment, cutoff) if cutoff else _within(posting.handed_over, handed))
    ]  # fmt: skip
    first = "osp.cutoff" if cutoff else "osp.delivering_date"
    page = _page(asked, found, first, lambda one: one.shipment if cutoff else one.handed_over or one.placed)
    return _enveloped(asked, {**page, "count": len(found)})


def listed(asked: Asked) -> Any:
    """Any postings, by the time their processing began."""
    wanted = inner(asked.body, "filter")
    began = period(wanted, "since", "to")
    if began is None:
        raise invalid("Request validation error: invalid filter: since and to must be specified")
    orders, flows = texts(wanted, "order_numbers", 0, 100), texts(wanted, "integration_type_flow", 0, 100)
    found = [
        posting for posting in _matching(asked, wanted)
        if _within(posting.placed, began) and (not orders or posting.order_number in orders)
        and (not flows or TPL[posting.model] in flows)
        and str(wanted.get("order_id") or 30_000_000_000 + posting.id) == str(30_000_000_000 + posting.id)
    ]  # fmt: skip
    return _enveloped(asked, _page(asked, found, "osp.in_process_at", lambda one: one.placed))


def roles(asked: Asked) -> Any:
    """What the key may, and until when."""
    methods = ["/v2/posting/fbs", "/v3/posting/fbs", "/v4/posting/fbs"]
    names = [{"name": name, "methods": methods} for name in asked.cabinet.roles]
    return {"expires_at": asked.ozon.hand.time(asked.cabinet.expires_at), "roles": names}


def warehouses(asked: Asked) -> Any:
    """The cabinet's one warehouse."""
    whole(asked.body, "limit", 1, 200)
    cabinet = asked.cabinet
    one = {
        "warehouse_id": cabinet.warehouse_id, "name": cabinet.warehouse, "is_rfbs": cabinet.model == "rfbs",
        "is_auto_assembly": False, "is_express": False, "is_kgt": False, "sla_cut_in": 2880, "status": "created",
        "warehouse_type": "", "pause_at": None,
    }  # fmt: skip
    return {"warehouses": [one], "cursor": "", "has_next": False}


def _form(asked: Asked, posting: Posting) -> Form:
    return Form(posting, asked.cabinet, asked.ozon.hand, inner(asked.body, "with"), asked.now)


def _matching(asked: Asked, wanted: Table) -> Iterable[Posting]:
    """What both lists filter by. Ids come as text or as numbers; a filter that is spelt wrong filters nothing."""
    statuses, changed = texts(wanted, "statuses", 0, 100), inner(wanted, "last_changed_status_date")
    within = period(changed, "from", "to")
    places = [
        {str(id) for id in items(wanted, name, 0, 1000)}
        for name in ("warehouse_ids", "delivery_method_ids")
        if wanted.get(name)
    ]
    for posting in asked.ozon.postings.values():
        if (
            posting.channel == asked.cabinet.channel
            and (not statuses or posting.status in statuses)
            and (within is None or _within(posting.updated, within))
            and all(str(asked.cabinet.warehouse_id) in ids for ids in places)
        ):
            yield posting


def _within(moment: datetime | None, ends: tuple[datetime, datetime] | None) -> bool:
    return moment is not None and ends is not None and ends[0] <= moment <= ends[1]


def _page(asked: Asked, found: list[Posting], first: str, date: Callable[[Posting], datetime]) -> Table:
    """A page by keys: what changes its key meanwhile may be skipped or come twice."""
    limit, sort = whole(asked.body, "limit", 1, 100), asked.body.get("sort_dir") or "ASC"
    if sort not in ("ASC", "DESC"):
        raise invalid(f'proto: syntax error: invalid value for enum field sort_dir: "{sort}"')

    def key(posting: Posting) -> Key:
        return _utc(date(posting)), _utc(posting.placed), f"{posting.id:020d}"

    ordered = sorted(found, key=key, reverse=sort == "DESC")
    cursor = asked.body.get("cursor") or ""
    if cursor:
        after = _after(cursor, first, sort)
        ordered = [one for one in ordered if (key(one) > after if sort == "ASC" else key(one) < after)]
    page = ordered[:limit]
    return {
        "postings": [_form(asked, posting).v4() for posting in page], "has_next": len(ordered) > limit,
        "cursor": _cursor(key(page[-1]), first, sort) if page else cursor,
    }  # fmt: skip


def _utc(moment: datetime) -> str:
    """With microseconds, so that text sorts as time does."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _cursor(key: Key, first: str, sort: str) -> str:
    names = (first, "osp.in_process_at", "osp.id")
    fields = [{"name": name, "dir": sort.lower(), "val": value} for name, value in zip(names, key, strict=True)]
    return b64encode(json.dumps({"fields": fields}).encode()).decode()


def _after(cursor: str, first: str, sort: str) -> Key:
    try:
        fields = json.loads(b64decode(cursor, validate=True))["fields"]
        one, two, three = (str(field["val"]) for field in fields)
        fits = fields[0]["name"] == first and fields[0]["dir"] == sort.lower()
    except (ValueError, KeyError, TypeError, IndexError):
        fits, one, two, three = False, "", "", ""
    if not fits:
        raise invalid("Request validation error: invalid cursor")
    return one, two, three


def _enveloped(asked: Asked, answer: Table) -> Table:
    """The documents have the page at the top; somebody has seen it under `result`."""
    return {"result": answer} if asked.ozon.hand.happens("wrapped") else answer
