"""What a live cabinet shows that this folder does not know: names of fields and words of enums, nothing personal."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from service.marketplaces import lenient
from service.marketplaces.ozon import asking, going, packing, reading, statuses, values, wire
from service.marketplaces.port import Talk

LATELY: Final = timedelta(days=30)
PAGE: Final = 50

ACTIONS: Final = frozenset(
    {
        "arbitration", "awaiting_delivery", "can_create_chat", "cancel", "click_track_number",
        "customer_phone_available", "has_weight_products", "hide_region_and_city", "invoice_get", "invoice_send",
        "invoice_update", "label_download_big", "label_download_small", "label_download", "product_cancel",
        "set_cutoff", "set_timeslot", "set_track_number", "update_cis", "has_barcode_for_printing",
        "add_additional_info", "pack", packing.ASSEMBLING, packing.ASKS_MORE, *packing.SHIP,
        *(move.action for move in going.MOVES.values()),
    }
)  # fmt: skip


def survey(model: str, now: datetime) -> Talk[list[str]]:
    """A page of late postings, one of them by get, and whether the filter by change is heeded at all."""
    window = {"since": values.iso(now - LATELY), "to": values.iso(now + reading.OVERLAP)}
    asked = {"filter": window, "limit": PAGE, "sort_dir": "DESC", "cursor": "", "with": asking.WITH}
    told = yield from asking.ask(asking.LIST, asked)
    found = ["v4 lists come under `result`"] if "result" in told else []
    postings = [one for one in asking.rows(told.get("result", told), "postings") if isinstance(one, dict)]
    if not postings:
        return [*found, "no posting of the last 30 days: nothing could be compared"]
    own = next((one for one in postings if reading.mine(one, model)), None)
    if own is not None:
        whole = yield from asking.posting(str(own.get("posting_number")))
        found += [f"get: {line}" for line in _strange([whole])]
    found += [f"lists: {line}" for line in _strange(postings)]
    return found + (yield from _filter_heeded(window, now))


def _filter_heeded(window: Mapping[str, str], now: datetime) -> Talk[list[str]]:
    """A misspelled filter is likely ignored in silence [I]: no posting changed in a second of the future."""
    future = now + timedelta(days=1)
    changed = {"from": values.iso(future), "to": values.iso(future + timedelta(seconds=1))}
    asked = {"filter": {**window, "last_changed_status_date": changed}, "limit": 1, "sort_dir": "ASC", "cursor": ""}
    told = yield from asking.ask(asking.LIST, asked)
    heeded = not asking.rows(told.get("result", told), "postings")
    return [] if heeded else ["last_changed_status_date is not heeded by /v4/posting/fbs/list: polls read everything"]


def _strange(postings: Iterable[Any]) -> list[str]:
    found: list[str] = []
    for value in postings:
        found += [
            f"field {name} is not known here ({kind})" for name, kind in _fields(lenient.leftover(value, wire.Posting))
        ]
        posting = lenient.read(wire.Posting, value)
        if posting is None:
            found.append("a posting has no posting_number or status")
            continue
        found += _words("status", [posting.status], statuses.STAGES)
        found += _words("substatus", [posting.substatus], statuses.SUBSTATUSES)
        models = {*statuses.MODEL_OF, *statuses.UNDECIDED, ""}
        found += _words("tpl_integration_type", [posting.tpl_integration_type], models)
        found += _words("integration_type_flow", [posting.integration_type_flow], models)
        found += _words("action", posting.available_actions or (), ACTIONS)
    return list(dict.fromkeys(found))


def _words(what: str, said: Iterable[str | None], known: Iterable[str]) -> list[str]:
    return [f"{what} {word!r} is not known here" for word in said if word is not None and word not in set(known)]


def _fields(extra: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    for name, value in extra.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", type(value).__name__
