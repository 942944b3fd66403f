"""What all lists have in common: cursors, and texts that can be asked for."""

import re

LAST = 2**63 - 1
"""The largest position there may be: behind everything."""


def position(after: str | None) -> int | None:
    """The position a cursor stands for; `ValueError` for a text that is none."""
    if after is None:
        return None
    if re.fullmatch(r"[0-9]{1,19}", after) is None or int(after) > LAST:
        raise ValueError(f"{after[:40]!r} is no cursor: pass `next` of the page before as it came")
    return int(after)


def storable(*texts: str | None) -> bool:
    """Whether Postgres can hold these texts at all; one that it can't is in no row."""
    return all(text is None or ("\0" not in text and _is_unicode(text)) for text in texts)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
