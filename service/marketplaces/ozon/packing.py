"""Goods taken out of a posting, their codes, and its packing: what a posting shows before each of these steps."""

from collections.abc import Mapping
from typing import Final

from service.marketplaces import goods, lenient
from service.marketplaces.ozon import asking, details, exemplars, incoming, values, wire
from service.marketplaces.ozon.ending import reason
from service.marketplaces.ozon.looking import AS_RETURN, CABINET, Look, wait
from service.marketplaces.ozon.statuses import reached
from service.marketplaces.ozon.steps import IN_EXEMPLARS
from service.marketplaces.port import Applied, Overtaken, Preparation, Ready, Refused, Talk

SHIP: Final = frozenset(("ship", "ship_async", "ship_async_retry"))
ASSEMBLING: Final = "ship_async_in_process"
ASKS_MORE: Final = "ship_with_additional_info"


def product_cancel(look: Look) -> Preparation:
    """What is to be taken out is what is there and not kept; a count that changed by itself is nobody's to guess."""
    state = look.job.state
    if (strange := goods.unlike(state)) is not None:
        return strange
    return _less(look, goods.kept(state), "out_of_stock", too_late="assembled")


def goods_back(look: Look) -> Talk[Preparation]:
    state = look.job.state
    if (strange := goods.other(state, state.delivered_lines, "order.delivered")) is not None:
        return strange
    if reached(look.posting, "delivered"):
        return Overtaken("delivered", f"the posting is {look.status} at Ozon", AS_RETURN)
    found = _less(look, goods.left(state, state.delivered_lines), "handed_back", too_late="delivered")
    if isinstance(found, Ready):
        number = yield from reason(look, 402)
        return number if isinstance(number, Refused) else Ready({**found.before, "reason": number})
    return found


def _less(look: Look, keep: Mapping[str, int], why: str, *, too_late: str) -> Preparation:
    now_there, before = incoming.counted(look.posting), look.job.before
    if not any(keep.values()):
        hint = "send order.cancelled from 1C"
        return Refused("nothing_left", "1C keeps none of the ordered goods", hint, final=True)
    if all(count <= keep.get(sku, 0) for sku, count in now_there.items()):
        return Applied(look.status)
    earlier = lenient.inside(before, "left")
    if isinstance(earlier, Mapping) and now_there != {sku: values.whole(count) for sku, count in earlier.items()}:
        what = "the posting's goods changed meanwhile, and are not what 1C keeps"
        return Refused("changed_meanwhile", what, CABINET, final=True)
    if "product_cancel" in look.actions or (not look.actions and not reached(look.posting, too_late)):
        return Ready({"left": now_there, "why": why})
    hint = "take the goods out in Ozon's cabinet, or cancel the whole posting with order.cancelled"
    refused = Refused(
        "product_cancel_not_offered", f"Ozon lets no goods be taken out ({look.status})", hint, final=True
    )
    if reached(look.posting, too_late) or too_late == "delivered":
        return refused
    return wait(look.job, look.now, refused.message, refused)


def codes(look: Look) -> Talk[Preparation]:
    state, number = look.job.state, look.posting.posting_number
    if reached(look.posting, "assembled"):
        hint = "change the codes in Ozon's cabinet"
        return Overtaken("too_late", f"the posting is {look.status} already", hint)
    if look.posting.status != "awaiting_packaging":
        why = f"the posting is {look.status} at Ozon"
        return wait(look.job, look.now, why, Refused("not_packing", why, CABINET))
    told = lenient.read(wire.Exemplars, (yield from asking.ask(asking.EXEMPLARS, {"posting_number": number})))
    checked = yield from asking.ask_or_none(asking.EXEMPLAR_STATUS, {"posting_number": number})
    status = lenient.read(wire.Exemplars, checked)
    told = told or wire.Exemplars()
    wanted = _wanted(look.posting, told)
    if (short := exemplars.lacking(state, wanted)) is not None:
        return short
    if not exemplars.anything(state, wanted):
        return Applied(look.status)
    if status is not None and exemplars.there(state, status, wanted):
        if status.status in exemplars.AVAILABLE:
            return Applied(look.status)
        if exemplars.checking(status) and look.job.before is None:
            why = "Ozon checks the codes"
            return wait(look.job, look.now, why, Refused("checking", why, CABINET))
    ids = exemplars.units(told)
    if not ids:
        why = "Ozon names no pieces to give codes to"
        return wait(look.job, look.now, why, Refused("no_exemplars", why, CABINET))
    return Ready({"units": ids, "wanted": wanted, "multibox": bool(look.posting.is_multibox)})


def _wanted(posting: wire.Posting, told: wire.Exemplars) -> dict[str, list[str]]:
    """What each SKU's pieces need or may have, as far as an exemplar can hold it: both answers tell."""
    may = dict.fromkeys(details.possible(posting), (exemplars.POSSIBLE,))
    named, flagged = details.needs(posting), exemplars.needs(told)
    both = {sku: [*named.get(sku, ()), *flagged.get(sku, ()), *may.get(sku, ())] for sku in {**named, **flagged, **may}}
    return {sku: [kind for kind in (*IN_EXEMPLARS, exemplars.POSSIBLE) if kind in kinds] for sku, kinds in both.items()}


def ship(look: Look) -> Preparation:
    """One package always: more would split the posting."""
    posting, offered = look.posting, look.actions
    if reached(posting, "assembled"):
        return Applied(look.status)
    if not SHIP & offered and (offered or posting.status != "awaiting_packaging"):
        return _not_offered(look)
    there, keep = incoming.counted(posting), goods.kept(look.job.state)
    told = any(c.action == "product_cancel" and c.state == "done" for c in look.job.state.commands.values())
    if told and any(count > keep.get(sku, count) for sku, count in there.items()):
        why = "the goods 1C does not have are not taken out at Ozon yet"
        return wait(look.job, look.now, why, Refused("goods_not_out", why, CABINET))
    return Ready({"left": there})


def _not_offered(look: Look) -> Preparation:
    posting, offered, why = look.posting, look.actions, f"Ozon does not offer to assemble it ({look.status})"
    hint = CABINET
    if ASSEMBLING in offered:
        why = "Ozon is assembling the posting"
    elif ASKS_MORE in offered:
        why = "Ozon wants more about the goods before it lets the posting be assembled"
        wanted = _wanted(posting, wire.Exemplars())
        if (short := exemplars.lacking(look.job.state, wanted)) is not None:
            return short
        hint = "enter what is missing (country, declarations, weight) in Ozon's cabinet; then: okno retry"
    due = values.moment(posting.shipment_date)
    if due is not None and due < look.now and not offered & {ASSEMBLING, ASKS_MORE}:
        hint = "Ozon lets a posting be assembled until shipment_date only: cancel it, or ask Ozon's support"
    return wait(look.job, look.now, why, Refused("ship_not_offered", why, hint))
