"""Every call that is served: its path, what it does, whether it changes anything."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from service.marketplaces.ozon.sandbox import ending, marking, moving, reading, returning
from service.marketplaces.ozon.sandbox.asked import Asked

Act: TypeAlias = Callable[[Asked], Any]

READING: Final[dict[str, Act]] = {
    "/v3/posting/fbs/get": reading.get,
    "/v4/posting/fbs/unfulfilled/list": reading.unfulfilled,
    "/v4/posting/fbs/list": reading.listed,
    "/v6/fbs/posting/product/exemplar/create-or-get": marking.create_or_get,
    "/v5/fbs/posting/product/exemplar/status": marking.status,
    "/v5/fbs/posting/product/exemplar/validate": marking.validate,
    "/v1/posting/fbs/timeslot/change-restrictions": moving.restrictions,
    "/v1/posting/fbs/cancel-reason": ending.reasons_of,
    "/v2/posting/fbs/cancel-reason/list": ending.reasons,
    "/v2/conditional-cancellation/list": ending.requests,
    "/v2/returns/rfbs/list": returning.returns,
    "/v2/returns/rfbs/get": returning.one_return,
    "/v1/roles": reading.roles,
    "/v2/warehouse/list": reading.warehouses,
}
CHANGING: Final[dict[str, Act]] = {
    "/v4/posting/fbs/ship": moving.ship,
    "/v6/fbs/posting/product/exemplar/set": marking.put,
    "/v2/fbs/posting/delivering": moving.delivering,
    "/v2/fbs/posting/last-mile": moving.last_mile,
    "/v2/fbs/posting/delivered": moving.delivered,
    "/v2/fbs/posting/tracking-number/set": moving.track_numbers,
    "/v1/posting/fbs/timeslot/set": moving.timeslot,
    "/v1/posting/cutoff/set": moving.cutoff,
    "/v2/posting/fbs/cancel": ending.cancel,
    "/v2/posting/fbs/product/cancel": ending.cancel_products,
    "/v2/conditional-cancellation/approve": ending.approve,
    "/v2/conditional-cancellation/reject": ending.reject,
}
