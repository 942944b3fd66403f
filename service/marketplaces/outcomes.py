"""What came of a step, in four places.

Preparation   what a read before the call says: go on, or not          Ready, Applied, Overtaken, Refused, Later
Outcome       what the answer to the call means                        Sent, Accepted, Refused, Later, Unknown
Finding       what a later read says of a call                         Applied, Pending, NotApplied, Overtaken, Unclear
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Ready:
    """The step may be sent. `before`: what was seen before it, as JSON holds it; it comes back as `Job.before`.

    It is kept with the attempt, so that a later read can be compared with it, whoever reads. No personal data in it.
    """

    before: Any = None


@dataclass(frozen=True)
class Sent:
    """Done, as the marketplace says. `status`: the order's status there now, if the answer tells."""

    status: str | None = None


@dataclass(frozen=True)
class Accepted:
    """Taken, but not applied yet: the order is read until it shows. `reason` says what is waited for."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """The marketplace will not. `final`: no point in trying again even where a read shows the order unmoved.

    `hint` says what a person can do, in the cabinet or in 1C.
    """

    code: str
    message: str
    hint: str | None = None
    final: bool = False


@dataclass(frozen=True)
class Later:
    """Certainly not done; try again, not before `until` where that is known. `limit`: its own limit was hit."""

    reason: str
    until: datetime | None = None
    limit: bool = False


@dataclass(frozen=True)
class Unknown:
    """Nobody knows whether it was done: read the order before anything else is sent for it."""

    reason: str


@dataclass(frozen=True)
class Applied:
    """The read shows that the step is done, or was overtaken by a later one."""

    status: str | None = None


@dataclass(frozen=True)
class Pending:
    """The read shows that the marketplace is still at it: look again."""

    reason: str


@dataclass(frozen=True)
class NotApplied:
    """The read shows the order as it was before; the step may be sent (again)."""


@dataclass(frozen=True)
class Overtaken:
    """The step can't be done any more (the order is cancelled, or gone a way this step is not on)."""

    code: str
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Unclear:
    """The read can't tell; an operator decides."""

    reason: str


Preparation: TypeAlias = Ready | Applied | Overtaken | Refused | Later
Outcome: TypeAlias = Sent | Accepted | Refused | Later | Unknown
Finding: TypeAlias = Applied | Pending | NotApplied | Overtaken | Unclear
