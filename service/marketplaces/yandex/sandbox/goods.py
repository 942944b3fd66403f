"""Invented goods, buyers and addresses in Market's words."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Final

from service.marketplaces import invented

MARKED: Final = (invented.MARKED.sku, invented.MARKED.name, str(invented.MARKED.price))
"""Goods that need a marking code for every piece."""


@dataclass
class Line:
    """Goods in an order; `price` is for a piece, `points` the Plus points the buyer pays with, for a piece."""

    id: int
    sku: str
    name: str
    count: int
    price: Decimal
    points: Decimal = Decimal(0)
    marked: bool = False


def lines(number: int, random: Random, *, marked: bool = False) -> list[Line]:
    """One to three kinds of goods; where `marked`, one that needs codes besides."""
    return [
        Line(number * 10 + at, one.sku, one.name, count, one.price, marked=one.marked)
        for at, (one, count) in enumerate(invented.goods(random, marked=marked), 1)
    ]


def buyer(random: Random) -> dict[str, Any]:
    """A person of no country's registers."""
    person, number = invented.person(random), f"b{random.randrange(10**9):09d}"
    return {"id": number, "firstName": person.first, "lastName": person.last, "type": "PERSON", "phone": person.phone}


def address(random: Random) -> dict[str, Any]:
    """An address no map knows."""
    place = invented.place(random)
    return {
        "country": "Россия", "postcode": place.postcode, "city": place.city, "street": place.street,
        "house": place.house, "entrance": "1", "floor": "2", "apartment": place.flat,
    }  # fmt: skip
