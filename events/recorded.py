"""An event as it goes into the log and as it comes out."""

from datetime import datetime

import msgspec


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A fact on its way into the log.

    `digest` decides what counts as the same message (32 bytes). `expected` is the order's version this fact was decided
    on; None for facts from outside, which are never refused. `document` links a document of 1C to the order.
    `body` is the message as received, `personal` what may be erased: both go to side tables in the same append.
    """

    order: str
    type: str
    source: str
    id: str
    digest: bytes
    data: bytes
    actor: str
    occurred_at: datetime | None = None
    cause: int | None = None
    expected: int | None = None
    document: str | None = None
    body: bytes | None = None
    personal: bytes | None = None


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A message nobody understands, whole.

    `envelope` is how it came (routing key, properties), so that it can be resubmitted.
    """

    id: str
    via: str
    reason: str
    detail: str
    body: bytes
    envelope: dict[str, str]


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fact in the log. Positions have no gaps; versions count per order; both start at 1.

    `cause` is the position of the event this one follows from. `occurred_at` is the sender's clock, `recorded_at` ours.
    """

    position: int
    order: str
    version: int
    type: str
    source: str
    id: str
    cause: int | None
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    id_reused: bool
    data: bytes


class Appended(msgspec.Struct, frozen=True):
    """What became of one event of a batch.

    `appended`; `duplicate`, with the position and version of the first one; `conflict`, with position 0 and the version
    the order really has.
    """

    outcome: str
    position: int
    version: int
