"""The calls about what buyers send back, rFBS only."""

from datetime import UTC, datetime
from typing import Any, Final

from service.marketplaces.ozon.sandbox.asked import Asked, inner, texts, time, whole
from service.marketplaces.ozon.sandbox.refusal import missing
from service.marketplaces.ozon.sandbox.wishes import Return

_STATES: Final = {
    "New": ("ON_APPROVAL", "На проверке", "Не возвращены"),
    "Approved": ("MONEY_RETURNED", "Деньги возвращены", "Возвращены"),
}
_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def returns(asked: Asked) -> Any:
    """Returns by their ids. The schema says `returns` is an object, its example has a list: a list."""
    limit, after = whole(asked.body, "limit", 1, 1000), whole(asked.body, "last_id", 0, 2**63)
    wanted = inner(asked.body, "filter")
    groups, created = texts(wanted, "group_state", 0, 10), inner(wanted, "created_at")
    since, until = time(created, "from") or _BEGINNING, time(created, "to") or _END

    def fits(one: Return) -> bool:
        return (
            one.channel == asked.cabinet.channel and one.id > after and since <= one.created <= until
            and (not groups or "All" in groups or one.group in groups)
            and wanted.get("posting_number") in (None, "", one.posting)
            and wanted.get("offer_id") in (None, "", one.offer_id)
        )  # fmt: skip

    found = [one for one in asked.ozon.returns.values() if fits(one)]
    return {"returns": [_form(asked, one) for one in found[:limit]]}


def one_return(asked: Asked) -> Any:
    """One return with all about it. The schema has actions as {id, name}, the example as {action: {id, name}}."""
    found = asked.ozon.returns.get(whole(asked.body, "return_id", 1, 2**63))
    if found is None or found.channel != asked.cabinet.channel:
        raise missing("Return not found")
    action = {"id": 10, "name": "Одобрить"}
    form = _form(asked, found)
    del form["return_id"]
    form |= {
        "available_actions": [{"action": action, **action}] if found.group == "New" else [],
        "client_name": asked.ozon.postings[found.posting].buyer["name"], "client_photo": [],
        "client_return_method_type": {"id": 1, "name": "Возврат продавцу"}, "comment": "Не подошло",
        "rejection_comment": "", "rejection_reason": [], "return_method_description": "",
        "return_reason": {"id": 1, "is_defect": False, "name": "Не подошло"}, "ru_post_tracking_number": "",
        "state": {name: form["state"][name] for name in ("state", "state_name")},
        "warehouse_id": asked.cabinet.warehouse_id,
    }  # fmt: skip
    return {"returns": form}


def _form(asked: Asked, one: Return) -> dict[str, Any]:
    state, name, money = _STATES[one.group]
    return {
        "return_id": one.id, "return_number": f"RET-{one.id}", "posting_number": one.posting,
        "order_number": one.posting.rpartition("-")[0], "created_at": asked.ozon.hand.time(one.created),
        "product": {
            "sku": one.sku, "offer_id": one.offer_id, "name": one.name, "price": int(one.price), "currency_code": "RUB",
        },
        "state": {"group_state": one.group, "state": state, "state_name": name, "money_return_state_name": money},
    }  # fmt: skip
