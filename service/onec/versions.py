"""Which of two snapshots of a document was taken first. Pure."""

import base64
import binascii
import re
from typing import Any
from zoneinfo import ZoneInfo

from events.order import facts as f
from service.onec import marks

_ZONE = ZoneInfo("UTC")
"""A version's time needs no zone of its own: it is compared with its like."""


def older(fact: f.Snapshot, known: f.Snapshot) -> bool:
    """Whether a snapshot was taken before the newest one: by its version, else by the sender's clock."""
    if fact.version is not None and known.version is not None and fact.version != known.version:
        new, old = _comparable(fact.version), _comparable(known.version)
        if new is not None and old is not None and new[0] == old[0]:
            return bool(new[1] < old[1])
    return fact.at is not None and known.at is not None and fact.at < known.at


def _comparable(version: str) -> tuple[object, Any] | None:
    """What a version is compared by, after the kind it must share: a number, a time, or 1C's version of data.

    That one is 8 bytes in base64, by all signs two whole numbers; nothing tells how the second one counts.
    """
    if re.fullmatch(r"\d+", version):
        return "number", int(version)
    moment = marks.moment(version, _ZONE)
    if moment is not None:
        return "time", moment
    try:
        raw = base64.b64decode(version, validate=True)
    except (binascii.Error, ValueError):
        return None
    return (raw[4:], raw[:4]) if len(raw) == 8 else None
