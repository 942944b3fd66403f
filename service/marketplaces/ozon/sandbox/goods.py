"""What is bought, as Ozon numbers it, and for whom."""

from binascii import crc32
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from service.marketplaces import invented
from service.marketplaces.ozon.sandbox.posting import Exemplar, Line


def sku(offer_id: str) -> int:
    """Ozon's own number of goods the shop calls so; always the same."""
    return 1_000_000_000 + crc32(offer_id.encode()) % 900_000_000


def lines(chosen: list[tuple[invented.Goods, int]], exemplar: Callable[[], int]) -> list[Line]:
    """Goods with a numbered exemplar for every piece."""
    return [
        Line(
            sku(one.sku), one.sku, one.name, one.price, count, marked=one.marked,
            exemplars=[Exemplar(exemplar()) for _ in range(count)],
        )
        for one, count in chosen
    ]  # fmt: skip


def buyer(random: Random) -> dict[str, Any]:
    """A person of no country's registers at an address no map knows, as `customer` has them."""
    who, where = invented.person(random), invented.place(random)
    return {
        "customer_id": random.randrange(10**7, 10**8), "name": f"{who.first} {who.last[0]}.",
        "phone": who.phone.removeprefix("+"),
        "address": {
            "address_tail": f"г {where.city}, {where.street}, д {where.house}, кв {where.flat}", "city": where.city,
            "comment": "Позвонить за час", "country": "Россия", "district": "", "latitude": 53.1959,
            "longitude": 50.1002, "provider_pvz_code": "", "pvz_code": 0, "region": "Самарская область",
            "zip_code": where.postcode,
        },
    }  # fmt: skip


def dates(random: Random, now: datetime) -> tuple[datetime, tuple[datetime, datetime]]:
    """Pack until, and the buyer's interval."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = day + timedelta(days=random.choice([2, 3, 4]), hours=7)
    return day + timedelta(days=1, hours=15), (begins, begins + timedelta(hours=8))
