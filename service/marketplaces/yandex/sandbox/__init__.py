"""A Yandex Market to try things on: the same calls, refusals, limits and notifications, with invented orders.

market   the cabinet: shops, orders, buyers, faults, the journal of calls
order    one order and what may be done with it;  forms: how it is written down;  goods: what is bought
methods  what each call does;  api: key, limits and faults around them;  notify: Market's calls to the shops
memory   all of it as bytes
"""

from service.marketplaces.yandex.sandbox.api import application
from service.marketplaces.yandex.sandbox.market import Entry, Faults, Market
from service.marketplaces.yandex.sandbox.memory import dump, restore
from service.marketplaces.yandex.sandbox.order import OPEN, Order

__all__ = ["OPEN", "Entry", "Faults", "Market", "Order", "application", "dump", "restore"]
