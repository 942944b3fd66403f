"""The calls that take a posting on: assembly, statuses, track numbers, dates."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from service.marketplaces.ozon.sandbox.asked import MOST, Asked, inner, tables, text, texts, time, whole
from service.marketplaces.ozon.sandbox.posting import Posting
from service.marketplaces.ozon.sandbox.refusal import RefusalError, invalid, refused, repeated

LONGEST: Final = timedelta(days=30)
"""From order to buyer in rFBS."""
_WRONG_TPL: Final = "HAS_INCORRECT_TPL_INTEGRATION_TYPE"


def ship(asked: Asked) -> Any:
    """Accepts an assembly; each package beyond the first becomes a posting of its own."""
    posting = asked.posting()
    wanted = [_package(package) for package in tables(asked.body, "packages", 1)]
    _check_state(asked, posting)
    _check_pieces(posting, wanted)
    first, last = posting.number.rpartition("-")[0], int(posting.number.rpartition("-")[2])
    numbers = [f"{first}-{n}" for n in range(last + 1, last + len(wanted))]
    asked.ozon.accept(posting, "ship", asked.now, wanted, numbers)
    asked.done.append(posting.number)
    more = inner(asked.body, "with").get("additional_data") is True
    data = [_additional(posting, one, package) for one, package in zip([posting.number, *numbers], wanted, strict=True)]
    return {"result": [posting.number, *numbers], "additional_data": data if more else []}


def _package(package: dict[str, Any]) -> dict[int, int]:
    found: dict[int, int] = {}
    for product in tables(package, "products", 1):
        sku = whole(product, "product_id", 1, 2**63)
        found[sku] = found.get(sku, 0) + whole(product, "quantity", 1, 2**31)
    return found


def _check_state(asked: Asked, posting: Posting) -> None:
    offered = posting.actions(asked.now)
    if "ship" in offered:
        return
    if posting.status == "cancelled":
        raise repeated("POSTING_ALREADY_CANCELLED")
    if "ship_async_in_process" in offered or posting.status == "awaiting_deliver":
        raise repeated("POSTING_ALREADY_SHIPPED")
    if "ship_with_additional_info" in offered:
        raise refused("EXEMPLAR_INFO_NOT_FILLED_COMPLETELY")
    raise refused("HAS_INCORRECT_STATUS")


def _check_pieces(posting: Posting, packages: list[dict[int, int]]) -> None:
    there = {line.sku: line.quantity for line in posting.lines}
    packed: dict[int, int] = {}
    for package in packages:
        for sku, count in package.items():
            packed[sku] = packed.get(sku, 0) + count
    if set(packed) - set(there):
        raise refused("UNKNOW_PRODUCT")
    if packed != there:
        raise refused("HAS_INCORRECT_PRODUCT_QUANTITY")


def _additional(posting: Posting, number: str, package: dict[int, int]) -> dict[str, Any]:
    return {
        "posting_number": number,
        "products": [
            {
                "sku": line.sku, "offer_id": line.offer_id, "name": line.name, "price": f"{line.price:.4f}",
                "currency_code": "RUB", "quantity": package[line.sku],
                "mandatory_mark": [one.mark for one in line.exemplars if one.mark],
            }
            for line in posting.lines if line.sku in package
        ],
    }  # fmt: skip


def _rows(asked: Asked, wishes: list[tuple[str, Callable[[Posting], None]]], nothing: Any) -> Any:
    """Each posting has its own result; the answer is 200 whatever they are."""
    rows = []
    for number, act in wishes:
        posting, error = asked.find(number), ""
        try:
            if posting is None:
                error = "POSTING_NOT_FOUND"
            else:
                act(posting)
                asked.done.append(number)
        except RefusalError as refusal:
            error = refusal.message
        rows.append({"posting_number": number, "result": not error, "error": error or nothing})
    return {"result": rows}


def _advancing(what: str, action: str) -> Callable[[Asked], Any]:
    """A call that moves up to twenty rFBS postings; a repetition is not the posting's next step, so it is refused."""

    def advance(asked: Asked) -> Any:
        def one(posting: Posting) -> None:
            if posting.model != "rfbs":
                raise refused(_WRONG_TPL)
            if action not in posting.actions(asked.now):
                raise refused("TRANSITION_IS_NOT_POSSIBLE")
            asked.ozon.accept(posting, what, asked.now)

        # the documents say `error` is a string, their example has an empty list
        return _rows(asked, [(number, one) for number in texts(asked.body, "posting_number", 1, MOST)], [])

    return advance


delivering = _advancing("delivering", "non_int_delivering")
last_mile = _advancing("last_mile", "non_int_last_mile")
delivered = _advancing("delivered", "non_int_delivered")


def track_numbers(asked: Asked) -> Any:
    """Takes track numbers at once."""

    def of(track: str) -> Callable[[Posting], None]:
        def one(posting: Posting) -> None:
            _offered(asked, posting, "set_track_number")
            posting.track = track

        return one

    pairs = [
        (text(one, "posting_number"), of(text(one, "tracking_number")))
        for one in tables(asked.body, "tracking_numbers", 1, MOST)
    ]
    return _rows(asked, pairs, "")


def restrictions(asked: Asked) -> Any:
    """Where the delivery may be moved, and how often yet."""
    posting = asked.posting()
    if posting.model != "rfbs":
        raise refused(_WRONG_TPL)
    begin, end = asked.now, posting.placed + LONGEST
    interval = {"begin": asked.ozon.hand.time(begin), "end": asked.ozon.hand.time(end)}
    return {"delivery_interval": interval, "remaining_changes_count": posting.slot_moves}


def timeslot(asked: Asked) -> Any:
    """Moves the delivery; every call that is taken burns one of two moves, the same dates again too."""
    posting, slot = asked.posting(), inner(asked.body, "new_timeslot")
    begin, end = time(slot, "from"), time(slot, "to")
    if begin is None or end is None or begin >= end:
        raise invalid("Request validation error: invalid new_timeslot")
    if posting.model == "rfbs" and posting.slot_moves == 0:
        raise refused("TIMESLOT_CHANGES_LIMIT_EXCEEDED")  # the documents have no name for it
    _offered(asked, posting, "set_timeslot")
    if begin < asked.now or end > posting.placed + LONGEST:
        raise refused("TIMESLOT_IS_NOT_AVAILABLE")  # nor for this
    posting.slot_moves -= 1
    asked.ozon.move_delivery(posting, (begin, end))
    asked.done.append(posting.number)
    return {"result": True}


def cutoff(asked: Asked) -> Any:
    """Sets another `shipment_date`, as long as the present one is not past."""
    posting, until = asked.posting(), time(asked.body, "new_cutoff_date")
    if until is None or until <= asked.now:
        raise invalid("Request validation error: invalid new_cutoff_date")
    _offered(asked, posting, "set_cutoff")
    asked.ozon.move_cutoff(posting, until)
    asked.done.append(posting.number)
    return {"result": True}


def _offered(asked: Asked, posting: Posting, action: str) -> None:
    if posting.model != "rfbs":
        raise refused(_WRONG_TPL)
    if action not in posting.actions(asked.now):
        raise refused("HAS_INCORRECT_STATUS")
