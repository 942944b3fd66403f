"""What a channel can be told, and which stage tells it what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from events.order import facts as f
from events.order.state import OrderState

ONEC = "1c"
"""The target of messages to 1C."""


def always(_: OrderState) -> bool:
    """For every order."""
    return True


def nothing(_: OrderState) -> object:
    """A step that hands on nothing but its stage."""
    return None


@dataclass(frozen=True)
class Step:
    """One thing a marketplace can be told.

    `applies`: whether it makes sense for this order. `moves`: it brings the order to its stage over there, so an order
    that is already as far counts as told. `needed`: later steps wait for it; a failed one that is not holds nobody up.
    `announces`: 1C is told when the marketplace took it. `says`: what of 1C's words the step hands on; where a later
    mark changes that, the step is wanted once more.
    """

    name: str
    applies: Callable[[OrderState], bool] = always
    moves: bool = False
    needed: bool = True
    announces: bool = True
    says: Callable[[OrderState], object] = nothing


@dataclass(frozen=True)
class Plan:
    """A channel's steps and which of them each stage triggers; besides stages: `registered`, `rescheduled`,
    `cancelled`, `cancellation_answered`."""

    channel: str
    steps: Mapping[str, Step]
    triggers: Mapping[str, Sequence[str]]

    def at(self, trigger: str) -> list[Step]:
        """The steps a stage triggers, in order."""
        return [self.steps[name] for name in self.triggers.get(trigger, ())]


@dataclass(frozen=True)
class Request:
    """A command wanted, and the position of the fact it follows from."""

    fact: f.CommandRequested
    cause: int
