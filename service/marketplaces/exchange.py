"""One HTTP exchange with a marketplace, and talks of several.

An adapter never sends. Whatever needs several calls is a `Talk`, a generator that yields a `Call` and is sent its
`Reply`. A transport failure is thrown into the generator as `CallFailed`; an adapter that does not catch it lets the
whole talk fail, and the hub tries again later.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request. `path` is joined to the channel's base URL; `resource` names the limit it counts against.

    `shared`: that limit is the account's, not the channel's alone.
    """

    method: str
    path: str
    resource: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    changes: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Reply:
    """One answer, whatever its status. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class CallFailed(Exception):
    """No answer. `sent`: bytes may have reached the marketplace, so whether it acted is unknown."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class AnswerFailed(CallFailed):
    """An answer a read can't go on with: a limit, a refused key, a fault over there. `limit`, `until` as in `Later`."""

    def __init__(self, message: str, *, status: int, limit: bool = False, until: datetime | None = None) -> None:
        super().__init__(message, sent=True)
        self.status, self.limit, self.until = status, limit, until


Talk: TypeAlias = Generator[Call, Reply, T]
