"""What 1C may ask and Megamarket's API has no call for: refused, with what to do instead."""

from collections.abc import Mapping, Sequence

from service.marketplaces.port import Refused

UNABLE: Mapping[str, Sequence[str]] = {
    "dbs": ("courier_code",),
    "cnc": ("move_date", "courier_code", "storage_limit"),
    "fbs": ("move_date", "cancel_result", "courier_code", "goods_back"),
}
"""The steps there is no call for, by model. [OFF] the titles of each model's methods; facts 2"""

_WHY: Mapping[str, tuple[str, str]] = {
    "move_date": (
        "the API of this model can't move a date",
        "agree with the buyer and move it in Megamarket's cabinet, or through its support; it may be fined",
    ),
    "cancel_result": (
        "at FBS the buyer cancels without asking",
        "nothing is to be answered; to cancel the order send order.cancelled",
    ),
    "courier_code": ("Megamarket's API takes no code", "check the code yourself; nothing else depends on it"),
    "storage_limit": (
        "Megamarket's API can't keep a reserve for longer",
        "hand the goods over before the reserve ends, or prolong it in Megamarket's cabinet or through its support",
    ),
    "goods_back": (
        "at FBS Megamarket hands the goods over and takes them back itself",
        "look for the return in Megamarket's cabinet, and send order.returned once the goods are here",
    ),
}


def refusal(action: str, model: str) -> Refused | None:
    """The answer to a step there is no call for."""
    if action not in UNABLE[model]:
        return None
    message, hint = _WHY[action]
    return Refused("not_offered", message, hint, final=True)
