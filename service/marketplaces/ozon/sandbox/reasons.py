"""Why a posting may be cancelled."""

from typing import Final

from service.marketplaces.ozon.sandbox.posting import Posting

REASONS: Final = {
    352: ("Товар закончился на складе продавца", "seller"),
    400: ("Остался только бракованный товар", "seller"),
    401: ("Продавец отклонил арбитраж", "seller"),
    402: ("Другое (вина продавца)", "seller"),
    665: ("Покупатель не забрал заказ", "buyer"),
    666: ("Возврат из службы доставки: нет доставки в указанный регион", "seller"),
    667: ("Заказ утерян службой доставки", "seller"),
}
OTHER: Final = 402
"""The one that needs words."""
BUYERS: Final = (507, "Покупатель передумал")
"""A buyer's own reason; the documents name no number for it."""
FORGOTTEN: Final = (508, "Истёк срок обработки отправления")
_BEFORE, _UNDER_WAY = (352, 400, 402), (402, 665, 666, 667)


def allowed(posting: Posting) -> tuple[int, ...]:
    """The numbers the seller may give for it now; none where it can't be cancelled by the seller."""
    if posting.status in ("awaiting_packaging", "awaiting_deliver"):
        return _BEFORE
    cancellable = posting.model == "rfbs" and posting.open and posting.substatus != "posting_conditionally_delivered"
    return _UNDER_WAY if cancellable else ()
