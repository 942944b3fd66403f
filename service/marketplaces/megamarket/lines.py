"""Lots as an order's lines: all lots of one offerId and price together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from service.marketplaces import values
from service.marketplaces.megamarket import statuses, wire


@dataclass(frozen=True)
class Goods:
    """Equal lots: one line of an order. `id`: their itemIndexes, joined by commas."""

    id: str
    sku: str
    items: Sequence[wire.Item]

    @property
    def price(self) -> Decimal | None:
        """What the buyer pays for a piece."""
        return paid(self.items[0])

    @property
    def name(self) -> str | None:
        """What order/get calls the goods."""
        data = self.items[0].goods_data
        return data.name if data is not None else None


def group(found: Iterable[tuple[str, wire.Item]]) -> list[Goods]:
    """Lots by itemIndex as lines, each where its first lot stands."""
    together: dict[tuple[str, Decimal | None, Decimal | None], list[tuple[str, wire.Item]]] = {}
    for index, item in found:
        same = (values.text(item.offer_id) or "", paid(item), values.money(item.price))
        together.setdefault(same, []).append((index, item))
    return [
        Goods(",".join(index for index, _ in lots), sku, [item for _, item in lots])
        for (sku, *_), lots in together.items()
    ]


def paid(item: wire.Item) -> Decimal | None:
    """What the buyer pays for a lot."""
    final = values.money(item.final_price)
    return final if final is not None else values.money(item.price)


def text(value: str | None) -> str:
    """A status without blanks around it; empty for none."""
    return (value or "").strip()


def lot_statuses(lines: Sequence[Goods]) -> list[str]:
    """The status of each lot, empty where none is told."""
    return [text(item.status) for line in lines for item in line.items]


def left(lines: Sequence[Goods]) -> list[tuple[Goods, int]]:
    """The lines with the lots that are not cancelled, none without any.

    Of an order that is cancelled whole, what there was to cancel: it stays as it was.
    """
    each = lot_statuses(lines)
    over = bool(each) and all(map(statuses.cancelled, each))
    last = statuses.CUSTOMER if statuses.CUSTOMER in each else statuses.MERCHANT

    def counts(status: str) -> bool:
        return status == last if over else not statuses.cancelled(status)

    found = [(line, sum(counts(text(item.status)) for item in line.items)) for line in lines]
    return [(line, count) for line, count in found if count]
