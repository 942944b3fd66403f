"""A SberMegaMarket to try things on: the same calls, refusals, callbacks and delays, with invented orders.

trial    a shop of each model;  market: shops, orders, buyers, faults, the journal of calls
order    one order and its lots;  goods: what is bought;  forms: how it is written down;  labels: what is stuck on boxes
steps    what a shop may do with lots;  methods: what each call does;  refusals: how it is refused
api      tokens, envelope and faults around the calls;  notify: the callbacks;  memory: all of it as bytes
"""

from service.marketplaces.megamarket.sandbox.api import PREFIX, application
from service.marketplaces.megamarket.sandbox.market import Market, Shop, Telling
from service.marketplaces.megamarket.sandbox.order import Lot, Order
from service.marketplaces.megamarket.sandbox.trial import SHOPS, Megamarket, trial

__all__ = ["PREFIX", "SHOPS", "Lot", "Market", "Megamarket", "Order", "Shop", "Telling", "application", "trial"]
