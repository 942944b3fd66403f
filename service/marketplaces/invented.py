"""Invented orders of an appliance shop, for sandboxes: real kinds of goods, nobody's phone or address."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final


@dataclass(frozen=True)
class Goods:
    """One kind of goods; `marked`: every piece needs a marking code."""

    sku: str
    name: str
    price: Decimal
    marked: bool = False


CATALOGUE: Final = tuple(
    Goods(sku, name, Decimal(price))
    for sku, name, price in (
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
)
MARKED: Final = Goods("COFFEE-DL-EC685", "Кофемашина De'Longhi EC685", Decimal("19990.00"), marked=True)

_STREETS: Final = ("Примерная", "Образцовая", "Пробная", "Вымышленная")
_NAMES: Final = (("Анна", "Образцова"), ("Пётр", "Примеров"), ("Мария", "Пробная"), ("Иван", "Тестов"))


@dataclass(frozen=True)
class Person:
    """Somebody who is in no country's registers; the phone's number is 900 000-xx-xx."""

    first: str
    last: str
    phone: str


@dataclass(frozen=True)
class Place:
    """An address no map knows."""

    postcode: str
    city: str
    street: str
    house: str
    flat: str


def goods(random: Random, *, marked: bool = False) -> list[tuple[Goods, int]]:
    """One to three kinds of goods and how many of each; where `marked`, one of a kind that needs codes besides."""
    chosen = [(one, random.choice([1, 1, 1, 2])) for one in random.sample(CATALOGUE, random.choice([1, 2, 2, 3]))]
    return [*chosen, (MARKED, 1)] if marked else chosen


def person(random: Random) -> Person:
    """A buyer."""
    first, last = random.choice(_NAMES)
    return Person(first, last, f"+7900000{random.randrange(10000):04d}")


def place(random: Random) -> Place:
    """Where the buyer lives."""
    street, house, flat = (
        f"{random.choice(_STREETS)} улица",
        str(random.randrange(1, 100)),
        str(random.randrange(1, 99)),
    )
    return Place("443000", "Самара", street, house, flat)
