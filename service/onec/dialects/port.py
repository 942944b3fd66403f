"""What a dialect of 1C's is to the hub. A module of this folder is one, found by looking:

    recognises(tree) -> bool                              by what a message looks like; cheap, and no CloudEvent
    parts(tree, around) -> Sequence[Part | Unreadable]    what it says; `Unreadable` is raised where nobody can tell

Of a message that says several things one may be `Unreadable` by itself, with its own bytes: the others are taken.
`tree` is what came, parsed: JSON as dicts, lists, texts and Decimals, or the root element where it was XML. All pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec

from service.onec.cloudevents import Unreadable
from service.onec.config import Onec, OnecSource
from service.onec.snapshots import TYPE


class Around(msgspec.Struct, frozen=True):
    """What is known of a message besides its body.

    `base`: what is configured of the sender; `source`: as `1c/ut11`, empty where nobody said; `envelope`: the routing
    key as `subject`, properties and headers; `zone`: of times without one; `channels`: the ones there are; `onec`: what
    is configured of all bases, for a message that names its own.
    """

    base: OnecSource
    source: str
    envelope: Mapping[str, str]
    zone: ZoneInfo
    channels: frozenset[str]
    onec: Onec = Onec()

    def of(self, source: str) -> "Around":
        """The same, where the message itself says that another base wrote it; `source` as `1c/ut11`."""
        return msgspec.structs.replace(self, source=source, base=self.onec.base(source))


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One document or mark in a message. Empty: as the envelope has it.

    `subject`: the order's key, or `1c/DOCUMENT-ID`. `data`: of `type`, the canonical snapshot if nothing else is said.
    `body`: the bytes that say just this, where the message says more.
    """

    subject: str = ""
    data: Any
    type: str = TYPE
    id: str = ""
    time: str = ""
    source: str = ""
    body: bytes | None = None


class Dialect(Protocol):
    """A module of this folder."""

    def recognises(self, tree: Any) -> bool:
        """Whether a message looks like this dialect."""

    def parts(self, tree: Any, around: Around) -> Sequence[Part | Unreadable]:
        """What it says."""
