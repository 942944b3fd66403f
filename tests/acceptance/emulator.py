"""What a run asks of a marketplace's emulator, and what the shared parts (1C, hub, checks) know of its scenarios.

A marketplace is an `Emulator` and a `script` (what 1C says about one of its orders). The run starts it, writes its
`tables` into okno.toml, lets its scenarios come into being with `place`, waits until nothing is `unsettled` and the hub
shows what is true (`unseen`), and judges with `checks`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .checks import Findings
from .journal import Journal

HOOK_SECRET = "judge-hook-secret"
POLL_SECONDS = 5


@dataclass(frozen=True)
class Channel:
    """One shop of a marketplace as the hub's configuration names it."""

    name: str
    kind: str
    model: str


@dataclass(frozen=True)
class Truth:
    """What an order (`key`, with its scenario's `ending`) has come to and what must be known of it.

    `state` is where it stands at the marketplace, `wanted` where its scenario ends (any of them). `stages` and `seen`
    are what the hub may show as `stage` and as `marketplace.status`. `hears` counts the messages that 1C must get of a
    type, `hears_some` are types it must get at least once.
    """

    key: str
    ending: str
    state: str
    wanted: frozenset[str]
    stages: frozenset[str]
    seen: frozenset[str]
    hears: Mapping[str, int] = field(default_factory=dict)
    hears_some: frozenset[str] = frozenset()


class Emulator(Protocol):
    """A marketplace. Built as Emulator(faults, seed)."""

    @property
    def journal(self) -> Journal: ...

    async def start(self) -> None:
        """The HTTP server on a free port and the marketplace's own clock."""

    async def stop(self) -> None: ...

    def tables(self, url_hook: Callable[[str], str], mode: str) -> str:
        """The TOML of [channels.*]; `url_hook(channel)` is where callbacks go, asked each time: hubs come and go."""

    def scenarios(self, count: int, seed: int) -> Sequence[Any]:
        """`count` lives, decided by the seed."""

    def place(self, one: Any, /) -> None:
        """The order comes into being; the callback that says so may be lost, doubled or late."""

    def unsettled(self) -> list[str]:
        """Orders that are not yet where their scenario ends; in shadow only what needs no shop counts."""

    def unseen(self, found: Findings) -> list[str]:
        """Orders of which the hub shows something else than is true, or 1C was not told."""

    def checks(self, found: Findings) -> Iterator[tuple[str, list[str]]]:
        """Names and offenders."""


def unsettled(truths: Iterable[Truth]) -> Iterator[str]:
    """Orders that are not where their scenario ends."""
    for one in truths:
        if one.state not in one.wanted:
            yield f"{one.key} ({one.ending}): {one.state}, wanted {' or '.join(sorted(one.wanted))}"


def unseen(truths: Iterable[Truth], found: Findings) -> Iterator[str]:
    """What the hub shows of each order against what is true."""
    for one in truths:
        row = found.orders.get(one.key)
        if row is None:
            yield f"{one.key} ({one.ending}): not there"
            continue
        seen = (row.get("marketplace") or {}).get("status")
        if row["stage"] not in one.stages or seen not in one.seen:
            wanted = f"wanted {' or '.join(sorted(one.stages))}, {' or '.join(sorted(one.seen))}"
            yield f"{one.key} ({one.ending}): {row['stage']}, sees {seen}; {wanted}"


CHANGES = {"lines", "total", "delivery", "deadlines", "marketplace"}


def untold(truths: Iterable[Truth], found: Findings) -> Iterator[str]:
    """What 1C should have been told, or was told too often (by distinct ids)."""
    for one in truths:
        told: dict[str, set[str]] = {}
        for event in found.told(one.key):
            if not _details_only(event):  # a callback that comes after a poll adds what only it tells
                told.setdefault(event["type"], set()).add(event["id"])
        for kind, count in one.hears.items():
            if len(told.get(kind, ())) != count:
                yield f"{one.key} ({one.ending}): {kind} told {len(told.get(kind, ()))} times, wanted {count}"
        yield from (f"{one.key} ({one.ending}): {kind} never told" for kind in sorted(one.hears_some - told.keys()))


def _details_only(event: dict[str, Any]) -> bool:
    """A change that says nothing of goods, sums, delivery or deadlines."""
    said = {key for key, value in (event.get("data") or {}).items() if value is not None}
    return event["type"] == "order.changed" and "details" in said and not said & CHANGES
