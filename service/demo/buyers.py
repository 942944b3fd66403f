"""What people do at the sandboxes: they buy, change their minds, send things back."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from service.demo.pace import Pace
from service.marketplaces.trial import Trial

MOST_OPEN: Final = 12
"""So many orders at once at each marketplace; nobody buys there while they wait to be worked off."""

AT_ONCE: Final = 1
"""Orders placed at each marketplace right at the start, so that there is something to see."""


async def live(trials: Sequence[Trial], random: Random, pace: Pace, save: Callable[[], None]) -> None:
    """Goes on until cancelled; `save` is called after each thing done, before anybody is told."""
    while True:
        await asyncio.sleep(pace(random.uniform(2, 6)))
        shop(trials, random, 1)
        random.choice(trials).live(random)
        save()


def shop(trials: Sequence[Trial], random: Random, most: int) -> None:
    """Up to so many orders are placed, in any shop; the emptier a marketplace, the likelier there."""
    room = [trial for trial in trials for _ in range(MOST_OPEN - len(trial.open()))]
    for trial in random.sample(room, min(most, len(room))):
        trial.place(random.choice(list(trial.channels)))
