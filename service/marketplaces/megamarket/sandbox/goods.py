"""What is bought: invented goods, each piece a lot; in some orders their delivery is one more."""

import zlib
from datetime import datetime
from decimal import Decimal
from random import Random

from service.marketplaces import invented
from service.marketplaces.invented import Goods
from service.marketplaces.megamarket.sandbox.order import DELIVERY, Discount, Lot

_DELIVERY_GOODS = "100029275905"


def lots(chosen: list[tuple[Goods, int]], now: datetime, *, delivery: Decimal | None = None) -> list[Lot]:
    """One lot for each piece, numbered from "1"; `delivery`: the price of the lot that stands for it."""
    pieces = [goods for goods, count in chosen for _ in range(count)]
    found = [
        Lot(str(at), _goods_id(one.sku), one.sku, one.name, one.price, now, marked=one.marked)
        for at, one in enumerate(pieces, 1)
    ]
    if delivery is not None:
        found.append(Lot(str(len(found) + 1), _DELIVERY_GOODS, DELIVERY, "Доставка", delivery, now))
    return found


def chance(random: Random, now: datetime, *, marked: bool, delivery: bool) -> list[Lot]:
    """Goods as they come; sometimes four alike, sometimes at a discount."""
    if not marked and random.random() < 0.1:
        chosen = [(random.choice(invented.CATALOGUE), 4)]
    else:
        chosen = invented.goods(random, marked=marked)
    found = lots(chosen, now, delivery=Decimal(random.choice([300, 800])) if delivery else None)
    if random.random() < 0.3:
        first = found[0]
        first.discounts = [
            Discount("BPG20", "BPG20", (first.price / 10).quantize(Decimal(1))),
            Discount("LOY", "Скидка БР", (first.price / 20).quantize(Decimal("0.1"))),
        ]
    return found


def _goods_id(sku: str) -> str:
    return f"1000{zlib.crc32(sku.encode()) % 10**8:08d}"
