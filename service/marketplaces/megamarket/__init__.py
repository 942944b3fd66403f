"""SberMegaMarket: the models DBS, C&C and FBS.

    settings       what a channel needs in okno.toml
    wire           what Megamarket sends;  envelope: how calls and answers are wrapped
    statuses       its statuses in our words
    lots, lines    single pieces, and the lines they make;  order_code: 1C's number in its letters
    incoming       orders as they were seen;  details, people: parts of them;  notifications: its callbacks
    reading        the calls behind a read, a poll, a check of the token;  surveying: what differs in a live account
    steps          what it can be told, and which stage tells it;  unable: what it can't
    preparing      what is read before a step;  outgoing: the call it becomes;  labels: what is stuck on boxes
    answers        what an answer means;  findings: what a read means
    adapter        all of it as the hub's port wants it
    sandbox        a Megamarket to try things on; imported only by who runs it

README.md names every call that is made and every step.
"""

from service.marketplaces.megamarket.adapter import KIND, Megamarket, make
from service.marketplaces.megamarket.settings import MODELS, Settings

__all__ = ["KIND", "MODELS", "Megamarket", "Settings", "make"]
