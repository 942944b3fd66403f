"""Marking codes and serial numbers, a set for every piece: Ozon's "exemplars".

v6 set replaces everything, so the full set is sent each time, and sending it again is harmless [I]; facts 9. 1C knows
no customs declarations: where Ozon wants one, "there is none" is said. `failed` without an error code means that Ozon
did not manage to check [S]: it is sent again.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from events.order.state import OrderState
from service.marketplaces import goods
from service.marketplaces.ozon import values, wire
from service.marketplaces.port import Refused

AVAILABLE: Final = ("ship_available", "update_available", "update_not_available")
"""The pieces' data are in order; the last two are said of a posting that is packed."""
CHECKING: Final = "validation_in_process"

CODES: Final = "send order.assembled again with a right mark for every piece of {}"
BY_HAND: Final = "enter it in Ozon's cabinet, where the posting is packed; then: okno retry"

_SEPARATOR: Final = re.compile(r"\\u001d|\\x1d|<GS>", re.IGNORECASE)
_BY_HAND: Final = ("weight",)
POSSIBLE: Final = "possible"
"""Stands among the kinds of goods that may have a marking code and need none."""

Units = Mapping[str, Sequence[str]]
"""The ids of each SKU's pieces, both as text."""


def clean(code: str) -> str:
    """A code with the real group separator; Ozon takes it once escaped, never twice [S]; facts 5."""
    return _SEPARATOR.sub("\x1d", code.strip())


def same(one: str | None, other: str) -> bool:
    """Whether two spellings are one code: what stands before the first separator names the piece."""
    return clean(one or "").split("\x1d")[0] == clean(other).split("\x1d")[0]


def units(told: wire.Exemplars) -> dict[str, list[str]]:
    """The ids of each SKU's pieces, as create-or-get gives them."""
    found: dict[str, list[str]] = {}
    for product in told.products or ():
        sku = values.text(product.product_id) if product is not None else None
        if product is not None and sku is not None:
            ids = [values.text(one.exemplar_id) for one in product.exemplars or () if one is not None]
            found.setdefault(sku, []).extend(id for id in ids if id is not None)
    return found


def needs(told: wire.Exemplars) -> dict[str, tuple[str, ...]]:
    """What each SKU's pieces need, as create-or-get tells."""
    found: dict[str, tuple[str, ...]] = {}
    for product in told.products or ():
        sku = values.text(product.product_id) if product is not None else None
        if product is None or sku is None:
            continue
        flags = {
            "mandatory_mark": product.is_mandatory_mark_needed, "jw_uin": product.is_jw_uin_needed,
            "gtd": product.is_gtd_needed, "rnpt": product.is_rnpt_needed, "weight": product.is_weight_needed,
            POSSIBLE: product.is_mandatory_mark_possible,
        }  # fmt: skip
        found[sku] = tuple(kind for kind, needed in flags.items() if needed)
    return found


def lacking(state: OrderState, wanted: Mapping[str, Sequence[str]]) -> Refused | None:
    """A refusal where 1C sent too few codes, or Ozon wants what 1C can't send; it names the skus."""
    short, by_hand = [], []
    for line, count in goods.kept(state).items():
        sku, kinds = _sku(state, line), wanted.get(line, ())
        have = _said(state, line, kinds)
        if any(len(have[kind]) < count for kind in kinds if kind in have):
            short.append(sku)
        if any(kind in _BY_HAND for kind in kinds):
            by_hand.append(sku)
    if short:
        names = ", ".join(dict.fromkeys(short))
        what = f"1C sent too few marking codes or serial numbers for {names}"
        return Refused("EXEMPLAR_INFO_NOT_FILLED_COMPLETELY", what, CODES.format(names), final=True)
    if by_hand:
        what = f"Ozon wants the weight of each piece of {', '.join(by_hand)}, which 1C does not send"
        return Refused("WEIGHT_IS_REQUIRED", what, BY_HAND, final=True)
    return None


def body(state: OrderState, ids: Units, wanted: Mapping[str, Sequence[str]], *, boxes: int | None) -> dict[str, Any]:
    """The full set of v6 set."""
    products = []
    for sku, pieces in ids.items():
        kinds = wanted.get(sku, ())
        said = _said(state, sku, kinds)
        ones = [_one(id, n, kinds, said) for n, id in enumerate(pieces)]
        products.append({"product_id": int(sku), "exemplars": ones})
    found: dict[str, Any] = {"posting_number": state.number, "products": products}
    return {**found, "multi_box_qty": boxes} if boxes is not None else found


def anything(state: OrderState, wanted: Mapping[str, Sequence[str]]) -> bool:
    """Whether there is anything to tell Ozon of the pieces."""
    needed = any(kind != POSSIBLE for kinds in wanted.values() for kind in kinds)
    return needed or any(codes for sku, kinds in wanted.items() for codes in _said(state, sku, kinds).values())


def there(state: OrderState, told: wire.Exemplars, wanted: Mapping[str, Sequence[str]]) -> bool:
    """Whether Ozon holds every code 1C sent for these goods."""
    for product in told.products or ():
        if product is None:
            continue
        marks = [m.mark for one in product.exemplars or () if one is not None for m in one.marks or () if m is not None]
        sku = values.text(product.product_id) or ""
        for codes in _said(state, sku, wanted.get(sku, ())).values():
            sent = codes[: len(product.exemplars or ())]
            if any(not any(same(mark, code) for mark in marks) for code in sent):
                return False
    return bool(told.products)


def faults(told: wire.Exemplars) -> list[str]:
    """What Ozon found wrong with the codes; nothing while it checks, or did not manage to."""
    found: list[str] = []
    for product in told.products or ():
        for one in (product.exemplars if product is not None else None) or ():
            if one is None:
                continue
            lists = [one.gtd_error_codes, one.rnpt_error_codes, one.weight_error_codes]
            lists += [mark.error_codes for mark in one.marks or () if mark is not None]
            found += [code for codes in lists for code in codes or () if code]
    return list(dict.fromkeys(found))


def checking(told: wire.Exemplars) -> bool:
    """Whether Ozon is still at it."""
    marks = [
        mark
        for product in told.products or () if product is not None
        for one in product.exemplars or () if one is not None
        for mark in one.marks or () if mark is not None
    ]  # fmt: skip
    return told.status == CHECKING or any(mark.check_status == "processing" for mark in marks)


def _one(id: str, n: int, kinds: Sequence[str], said: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    marks = [{"mark": codes[n], "mark_type": kind} for kind, codes in said.items() if n < len(codes)]
    found: dict[str, Any] = {"exemplar_id": int(id), "marks": marks}
    if "gtd" in kinds:
        found["is_gtd_absent"] = True
    if "rnpt" in kinds:
        found["is_rnpt_absent"] = True
    return found


def _said(state: OrderState, line: str, kinds: Sequence[str]) -> dict[str, list[str]]:
    """1C's codes for a line (by its id) under the kinds it may have: marks are codes, serial numbers are IMEIs.

    What goods may not have is not sent: Ozon refuses it (MANDATORY_MARK_REDUNDANT).
    """
    sku, before = _sku(state, line), 0
    for id, count in goods.kept(state).items():
        if id == line:
            break
        before += count if _sku(state, id) == sku else 0
    named = [one for one in state.assembled_lines or () if one.sku.strip() == sku]
    marks = [clean(mark) for one in named for mark in one.marks][before:]
    serials = [serial.strip() for one in named for serial in one.serials][before:]
    found: dict[str, list[str]] = {}
    if "jw_uin" in kinds:
        found["jw_uin"] = marks
    elif "mandatory_mark" in kinds or POSSIBLE in kinds:
        found["mandatory_mark"] = marks
    if "imei" in kinds:
        found["imei"] = serials
    return found


def _sku(state: OrderState, line: str) -> str:
    return next((one.sku.strip() for one in state.lines if one.id == line), line)
