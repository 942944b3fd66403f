"""The key: until when it is good and what it may do. `/v1/roles` tells both."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from service.marketplaces import lenient
from service.marketplaces.ozon import answers, asking, failures, outgoing, values
from service.marketplaces.port import Talk

SOON: Final = timedelta(days=14)
ADMIN: Final = "admin"
NEW_KEY: Final = "make a new one in the cabinet (Настройки → Seller API) and put it where api_key points"

_BOTH: Final = (
    asking.GET, asking.UNFULFILLED, asking.LIST, asking.EXEMPLARS, asking.EXEMPLAR_STATUS, asking.CANCEL_REASONS,
    outgoing.SHIP, outgoing.EXEMPLARS, outgoing.PRODUCT_CANCEL, outgoing.CANCEL,
)  # fmt: skip
METHODS: Final = {
    "fbs": _BOTH,
    "rfbs": (
        *_BOTH, *outgoing.STATUS.values(), outgoing.TRACK, outgoing.TIMESLOT, outgoing.APPROVE, outgoing.REJECT,
        asking.RESTRICTIONS, asking.WISHES, asking.RETURNS,
    ),
}  # fmt: skip
"""Every method a channel of a model calls, but for /v1/roles."""


def check(model: str, now: datetime) -> Talk[list[str]]:
    """What is wrong with the key, each with what to do."""
    reply = yield asking.call(asking.ROLES, {})
    if failures.key_refused(reply):
        why = failures.failure(reply).message or "no reason given"
        return [f"api_key: {answers.why_refused(reply)} ({reply.status}: {why}); check client_id too"]
    told = asking.good(reply, asking.ROLES)
    wrong = [*_lacking(told, METHODS[model])]
    until = values.moment(values.text(told.get("expires_at")))
    if until is not None and until - now < SOON:
        wrong.append(f"api_key: expires at {until:%Y-%m-%d %H:%M} UTC: {NEW_KEY}")
    return wrong


def key_until() -> Talk[datetime | None]:
    """Until when the key is good: months, not years; Ozon may revoke it earlier."""
    told = yield from asking.ask(asking.ROLES, {})
    return values.moment(values.text(told.get("expires_at")))


def _lacking(told: Any, methods: Sequence[str]) -> list[str]:
    """[S] a role's `methods` holds `/v1/posting` in the example: a method counts as given by any beginning of it."""
    roles = asking.rows(told, "roles")
    if not roles or any((values.text(lenient.inside(role, "name")) or "").lower() == ADMIN for role in roles):
        return []
    given = tuple(str(method).rstrip("/") for role in roles for method in lenient.inside(role, "methods") or ())
    lacking = [method for method in methods if not any(method == one or method.startswith(f"{one}/") for one in given)]
    return [f"api_key: may not call {', '.join(lacking)}: {answers.ROLE}"] if lacking else []
