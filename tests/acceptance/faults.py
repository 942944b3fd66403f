"""Which calls go wrong, and how: decided by (seed, call), so that a run can be repeated."""

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass
from random import Random

from aiohttp import web


@dataclass(frozen=True)
class Rates:
    """Shares of calls. `error`: half of them done before the 5xx; `lost`: done, then no answer."""

    error: float = 0.05
    lost: float = 0.05
    limit: float = 0.01
    late: float = 0.005
    read_error: float = 0.02
    hang_share: float = 0.1
    hang_seconds: float = 13.0
    late_seconds: float = 3.0


CALM = Rates(error=0, lost=0, limit=0, late=0, read_error=0)


class Faults:
    """`pick` answers "" or one of error_before, error_after, cut, hang, late, limit."""

    def __init__(self, seed: int, rates: Rates) -> None:
        self.rates = rates
        self._seed = seed
        self._nth: dict[str, int] = defaultdict(int)

    def pick(self, what: str, changing: bool) -> str:
        nth = self._nth[what] = self._nth[what] + 1
        rng, rates = Random(f"{self._seed}:{what}:{nth}"), self.rates
        roll = rng.random()
        if not changing:
            names = [("error_before", rates.read_error), ("limit", rates.limit)]
        else:
            names = [("error_before", rates.error / 2), ("error_after", rates.error / 2), ("lost", rates.lost),
                     ("limit", rates.limit), ("late", rates.late)]  # fmt: skip
        for name, share in names:
            if roll < share:
                return ("hang" if rng.random() < rates.hang_share else "cut") if name == "lost" else name
            roll -= share
        return ""


async def no_answer(request: web.Request, hang_seconds: float) -> web.Response:
    """Cuts the connection, after `hang_seconds` of silence or as soon as the caller has given up."""
    for _ in range(math.ceil(hang_seconds / 0.05)):
        if request.transport is None or request.transport.is_closing():
            break
        await asyncio.sleep(0.05)
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
