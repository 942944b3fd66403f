"""Invented orders of an appliance shop: real kinds of goods, nobody's phone or address."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

CATALOGUE = (
    ("BOSCH-WAN24260OE", "Стиральная машина Bosch WAN24260OE", "38990.00"),
    ("LG-GA-B509", "Холодильник LG GA-B509CAQM", "64990.00"),
    ("CANDY-CDI-1L38", "Посудомоечная машина Candy CDI 1L38", "21490.00"),
    ("BALLU-BSAG-09", "Сплит-система Ballu BSAG-09HN8", "27990.00"),
    ("HAIER-HWX-45", "Духовой шкаф Haier HWX-L15T5", "33490.50"),
    ("VITEK-VT7022", "Чайник электрический Vitek VT-7022", "2390.00"),
    ("HOSE-15-25", "Шланг заливной 2,5 м", "590.00"),
    ("КРОНШТЕЙН-600", "Кронштейны для кондиционера 600 мм", "1149.90"),
    ("FILTER-UP-6", "Фильтр сетевой, 6 розеток, 5 м", "899.00"),
)
MARKED = ("COFFEE-DL-EC685", "Кофемашина De'Longhi EC685", "19990.00")
"""Goods that need a marking code for every piece."""

_STREETS = ("Примерная", "Образцовая", "Пробная", "Вымышленная")
_NAMES = (("Анна", "Образцова"), ("Пётр", "Примеров"), ("Мария", "Пробная"), ("Иван", "Тестов"))


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
    """One to three kinds of goods."""
    chosen = random.sample(CATALOGUE, random.choice([1, 2, 2, 3]))
    found = [
        Line(number * 10 + at, sku, name, random.choice([1, 1, 1, 2]), Decimal(price))
        for at, (sku, name, price) in enumerate(chosen, 1)
    ]
    if marked:
        found.append(Line(number * 10 + 9, MARKED[0], MARKED[1], 1, Decimal(MARKED[2]), marked=True))
    return found


def buyer(random: Random) -> dict[str, Any]:
    """A person of no country's registers: the phone's number is 900 000-00-xx."""
    first, last = random.choice(_NAMES)
    number, phone = f"b{random.randrange(10**9):09d}", f"+7900000{random.randrange(100):04d}"
    return {"id": number, "firstName": first, "lastName": last, "type": "PERSON", "phone": phone}


def address(random: Random) -> dict[str, Any]:
    """An address no map knows."""
    return {
        "country": "Россия", "postcode": "443000", "city": "Самара",
        "street": f"{random.choice(_STREETS)} улица", "house": str(random.randrange(1, 100)),
        "entrance": "1", "floor": "2", "apartment": str(random.randrange(1, 99)),
    }  # fmt: skip
