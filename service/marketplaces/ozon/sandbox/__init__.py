"""An Ozon to try things on: the same calls, refusals, limits and pushes, with invented orders.

market   cabinets, postings, buyers, the journal of calls;  account: two cabinets as the demo meets them
posting  one posting and what may be done with it;  clock: what Ozon does by itself, and what it applies later
methods  every call: moving, marking, ending, returning, reading;  forms: how a posting is written down
api      keys, limits and faults around the calls;  pushes, notify: Ozon's calls to the shops
chances  what Ozon does one way now and another way then;  memory: all of it as bytes
"""

from service.marketplaces.ozon.sandbox.account import OzonTrial, cabinets, trial
from service.marketplaces.ozon.sandbox.api import application
from service.marketplaces.ozon.sandbox.chances import Chances
from service.marketplaces.ozon.sandbox.clock import work
from service.marketplaces.ozon.sandbox.market import Ozon
from service.marketplaces.ozon.sandbox.posting import Posting

__all__ = ["Chances", "Ozon", "OzonTrial", "Posting", "application", "cabinets", "trial", "work"]
