"""The facts the hub adds itself: what it decides, what came of it, what its operators do. Names are kept as in
`facts`."""

from datetime import datetime

import msgspec

from events.order.values import Fact


class CommandRequested(Fact, frozen=True, kw_only=True):
    """Something must be done at a marketplace (`target` = the channel) or told to 1C (`target` = `1c`).

    `action` is the step's name at a marketplace, the message's type towards 1C. `stage` is what the order reached.
    `data` is what the message to 1C says besides what its cause holds.
    """

    command: str
    target: str
    action: str
    stage: str | None = None
    data: dict[str, str] = msgspec.field(default_factory=dict)


class CommandOutcome(Fact, frozen=True, kw_only=True):
    """What came of a command. `code`, `message`, `hint` are the marketplace's answer or our reason.

    `tried_at`: when the first try began, `sent_at`: the last one; None where nothing was tried. `trouble`: what the try
    before the last one met with.
    """

    command: str
    attempts: int = 0
    status: str | None = None
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    tried_at: datetime | None = None
    sent_at: datetime | None = None
    trouble: str | None = None


class CommandRetried(Fact, frozen=True, kw_only=True):
    """An operator brings a refused or given-up command back."""

    command: str


class DeadlineNear(Fact, frozen=True, kw_only=True):
    stage: str
    due: datetime


class AttentionCleared(Fact, frozen=True, kw_only=True):
    """An operator has looked: attention with this code, risen up to this position, is settled."""

    code: str
    until: int


class Erased(Fact, frozen=True, kw_only=True):
    """The order's personal data were destroyed; the counts are of what was, `rejected` of messages nobody understood.

    `reason` stays for ever: it names no person. `categories`: what kinds of data there were, out of a closed list.
    """

    reason: str
    bodies: int = 0
    personal: int = 0
    rejected: int = 0
    categories: tuple[str, ...] = ()
