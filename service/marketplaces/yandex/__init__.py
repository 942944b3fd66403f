"""Yandex Market: the models DBS, FBS and Express.

    settings       what a channel needs in okno.toml
    wire           what Market sends;  lenient, values: how it is read
    statuses       its statuses in our words
    incoming       orders and returns as they were seen;  notifications: its callbacks
    reading        the calls behind a read, a poll, a check of the key;  survey: what a live shop shows that is unknown
    steps          what it can be told, and which stage tells it
    outgoing       the call each step becomes;  boxes: goods dealt out into boxes
    answers        what an answer means;  findings: what a later read means;  limits: what headers tell
    adapter        all of it as the hub's port wants it
    sandbox        a Yandex Market to try things on; imported only by who runs it

README.md names every call that is made and every step.
"""

from service.marketplaces.yandex.adapter import KIND, Yandex, make
from service.marketplaces.yandex.settings import MODELS, Settings

__all__ = ["KIND", "MODELS", "Settings", "Yandex", "make"]
