"""How far an order is."""

from typing import Final

PATH: Final = ("placed", "confirmed", "assembled", "shipped", "arrived", "handed_over", "delivered", "completed")
"""The way of an order from the buyer's click to the end, in order; a pickup order skips `handed_over`."""

ASIDE: Final = ("cancelled", "returned")
"""Where an order leaves the path."""

STAGES: Final = PATH + ASIDE

RANK: Final = {stage: number for number, stage in enumerate(PATH)}
"""Place on the path, 0 for `placed`; stages aside have none."""


def rank(stage: str | None) -> int:
    """Place on the path; -1 for nothing known and for what stands aside."""
    return RANK.get(stage, -1) if stage is not None else -1


def further(one: str | None, other: str | None) -> str | None:
    """The one of two stages on the path that is further."""
    return one if rank(one) >= rank(other) else other
