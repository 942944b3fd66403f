"""Ozon: the models rFBS (the seller delivers) and FBS (Ozon does).

    settings       what a channel needs in okno.toml
    wire           what Ozon sends;  values: its sums and times;  failures: how it says no
    statuses       its statuses in our words
    incoming       postings as they were seen, details among them;  returns;  notifications: its pushes
    asking         one question to Ozon;  reading: the calls behind a read and a poll
    steps          what it can be told, and which stage tells it
    preparing      what is read just before a step: looking, and packing, going, timeslots, ending by kind of step
    outgoing       the call each step becomes;  exemplars: codes of single pieces
    answers        what an answer means;  findings: what a later read means
    rights         the key: until when, for what;  survey: what a live cabinet shows that is not known here
    adapter        all of it as the hub's port wants it
    sandbox        an Ozon to try things on; imported only by who runs it

README.md names every call that is made and every step.
"""

from service.marketplaces.ozon.adapter import KIND, Ozon, make
from service.marketplaces.ozon.settings import MODELS, Settings

__all__ = ["KIND", "MODELS", "Ozon", "Settings", "make"]
