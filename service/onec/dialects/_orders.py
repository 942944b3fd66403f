"""Whose order a document is: the key is looked for in this order, and the first that is one counts.

a mapped `order` that is a key of ours (`ym-msk/48123456`), or `1c/DOCUMENT-ID`
the routing key or subject, if it is one; `order.ut11.zakaz` is none
the marketplace's number, in the channel the message names, else the one configured, else the only one there is
`1c/DOCUMENT-ID`: it counts for the order whose document that is, once 1C has registered it
"""

import re

from service.onec.cloudevents import NAMELESS
from service.onec.dialects._values import same
from service.onec.dialects.port import Around

CHANNEL = re.compile(r"[a-z0-9-]+")


def key(text: str, around: Around) -> str:
    """The order's key in a text; empty where it is none of ours."""
    channel, slash, number = text.strip().partition("/")
    channel, number = channel.strip(), number.strip()
    known = channel == NAMELESS or channel in around.channels
    return f"{channel}/{number}" if slash and known and number else ""


def subject(around: Around, order: str, number: str, channel: str, document: str | None) -> str:
    """The order's key by all that is known of it; empty where nothing is.

    `order`, `number`, `channel`: as the message has them, empty for not; `document`: its order's id in 1C.
    """
    named, slash, rest = (part.strip() for part in order.partition("/"))
    its = _channel(named, around) if slash and named and rest else ""
    found = key(order, around) or (f"{its}/{rest}" if its else "") or key(around.envelope.get("subject", ""), around)
    if found:
        return found
    if slash and rest and CHANNEL.fullmatch(named):
        return f"{named}/{rest}"  # of a channel that is not there: refused under the name it has
    its, number = _channel(channel.strip(), around), order.strip() or number.strip()
    if its and number:
        return f"{its}/{number}"
    return f"{NAMELESS}/{document}" if document else ""


def _channel(named: str, around: Around) -> str:
    """The channel of this name, ours or 1C's; without a name the base's own, else the only one there is."""
    if not named:
        only = around.base.tells if around.base.tells is not None else sorted(around.channels)
        return around.base.channel or (only[0] if len(only) == 1 else "")
    if named in around.channels:
        return named
    return next((ours for its, ours in around.base.channels.items() if same(its, named)), "")
