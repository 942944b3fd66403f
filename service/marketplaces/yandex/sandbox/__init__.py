"""A Yandex Market to try things on: the same calls, refusals, limits and notifications, with invented orders.

market   the cabinet: shops, orders, what Market does itself;  buyers: what they do by themselves
order    one order and what may be done with it;  forms: how it is written down;  goods: what is bought
methods  what each call does;  api: key, limits and faults around them;  notify: Market's calls to the shops
memory   all of it as bytes
cabinet  all of it with a shop of each model, as the demo wants it: `trial`
"""

from service.marketplaces.trial import Entry, Faults, MakeTrial
from service.marketplaces.yandex.sandbox.api import application
from service.marketplaces.yandex.sandbox.cabinet import Cabinet
from service.marketplaces.yandex.sandbox.market import Market
from service.marketplaces.yandex.sandbox.memory import dump, restore
from service.marketplaces.yandex.sandbox.order import OPEN, Order

__all__ = ["OPEN", "Cabinet", "Entry", "Faults", "Market", "Order", "application", "dump", "restore", "trial"]

trial: MakeTrial = Cabinet
