"""A sandbox marketplace as the demo and the contract suite meet it.

Every folder has a package `sandbox` that exports `trial(...) -> Trial`: one account of the marketplace with a shop of
each model, as strict as its documents are, with invented orders. Whoever serves it gives it an address and the hooks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol


@dataclass
class Faults:
    """How often a sandbox fails, as shares of 1.

    `error`: 503 and nothing done. `broken`: done, and 500. `lost`: done, and no answer at all for `hang` seconds.
    `limit`: its own answer to too many calls. Reads fail by `error` and `limit` only; where `reads` is False,
    not at all.
    """

    error: float = 0.0
    broken: float = 0.0
    lost: float = 0.0
    limit: float = 0.0
    hang: float = 15.0
    reads: bool = True

    def pick(self, random: Random, *, changes: bool) -> str | None:
        """The fault of this call, by name."""
        if not (changes or self.reads):
            return None
        roll = random.random()
        for name in ("error", "limit", "broken", "lost") if changes else ("error", "limit"):
            share: float = getattr(self, name)
            if roll < share:
                return name
            roll -= share
        return None


@dataclass
class Entry:
    """One call: what was asked, what came of it. `status` 0: no answer. `done`: the numbers of orders it changed."""

    at: datetime
    method: str
    path: str
    body: Any
    status: int = 0
    fault: str | None = None
    changes: bool = False
    done: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Way:
    """How a shop's goods reach the buyer, as far as the pretend 1C must know it.

    `shop`: the shop's own people bring them, or issue them where the buyer collects; else the marketplace delivers.
    `code`: the marketplace's courier gets them for the code he says (`Trial.code`). `partly`: at the door a buyer may
    take less than was shipped, and the marketplace is told.
    """

    shop: bool = False
    code: bool = False
    partly: bool = False


class Trial(Protocol):
    """One account of a sandbox marketplace.

    `title` is its name for people. `channels`: the shops by channel name, each with its table of `okno.toml` but
    `base_url` and `hook_secret`; `ways`: how each of them delivers. `journal` holds every call.
    """

    title: str
    channels: Mapping[str, Mapping[str, Any]]
    ways: Mapping[str, Way]
    journal: list[Entry]

    def application(self, hooks: Mapping[str, str]) -> Any:
        """The sandbox as an `aiohttp.web.Application`; `hooks`: the channels' callback addresses, looked up each time.

        It keeps its own clock and its callbacks going while it runs. It may be served as a sub-application under a
        path prefix, which `request.path` then begins with.
        """

    def place(self, channel: str) -> str:
        """A buyer places an order, of chance goods; its number."""

    def live(self, random: Random) -> None:
        """A look at what buyers do, once in some seconds: change their minds, ask to cancel, send back.

        Orders the shop has forgotten for long are ended, and of those that ended long ago the oldest forgotten.
        """

    def open(self) -> list[str]:
        """The keys (`CHANNEL/NUMBER`) of orders that have not ended, oldest first."""

    def code(self, number: str) -> str | None:
        """The code the marketplace's courier says at the door, once he is there; None before, and where none is."""

    def dump(self) -> bytes:
        """Everything it must not forget."""

    def restore(self, kept: bytes) -> None:
        """Gives it back; `ValueError` for bytes that are no such thing. Numbers never fall."""


class MakeTrial(Protocol):
    """What a folder's `sandbox` exports as `trial`."""

    def __call__(
        self, *, seed: int, faults: Faults | None = None, pace: timedelta = timedelta(seconds=5),
        left_lying: timedelta = timedelta(days=1), first: int = 1, changed: Callable[[], None] = lambda: None,
    ) -> Trial:  # fmt: skip
        """`pace`: how long the marketplace takes for each of its own moves. `left_lying`: after how long it ends an
        order that nobody moves. `first`: order numbers begin there. `changed` is called when orders have changed,
        before anybody is told."""
        ...
