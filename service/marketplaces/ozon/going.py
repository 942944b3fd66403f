"""Statuses the seller sets while the goods are on their way, and the track number."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from events.order.stages import rank
from service.marketplaces.ozon import statuses, values, wire
from service.marketplaces.ozon.looking import AS_FBS, CABINET, Look, actions, wait
from service.marketplaces.ozon.statuses import reached
from service.marketplaces.port import Applied, Job, Later, Overtaken, Preparation, Ready, Refused


@dataclass(frozen=True)
class Move:
    """A status the seller sets: its action, the stage it leads to, the stage it starts from."""

    action: str
    to: str
    start: str


MOVES: Final[Mapping[str, Move]] = {
    "delivering": Move("non_int_delivering", "shipped", "assembled"),
    "last_mile": Move("non_int_last_mile", "arrived", "shipped"),
    "delivered": Move("non_int_delivered", "delivered", "shipped"),
}
"""In the order they are made. A posting at a pickup point is past the last mile."""


def moved(posting: wire.Posting, step: str) -> bool:
    """Whether a posting is where a step leads or past it; one for which only a later step is offered is past it."""
    steps, offered = list(MOVES), actions(posting)
    later = {MOVES[name].action for name in steps[steps.index(step) + 1 :]}
    return reached(posting, MOVES[step].to) or (MOVES[step].action not in offered and bool(later & offered))


def move(look: Look) -> Preparation:
    wanted, posting = MOVES[look.job.command.action], look.posting
    if moved(posting, look.job.command.action):
        return Applied(look.status)
    if not statuses.mine(posting.integration_type_flow, posting.tpl_integration_type, "rfbs"):
        return Refused("HAS_INCORRECT_TPL_INTEGRATION_TYPE", "Ozon delivers this posting", AS_FBS, final=True)
    if wanted.action == "non_int_delivered" and _part_comes_back(look.job):
        return Later("what the buyer gave back is taken out first", until=look.now + timedelta(seconds=2))
    fallback = not look.actions and rank(statuses.stage(posting)) >= rank(wanted.start)
    if wanted.action in look.actions or fallback:
        return Ready()
    why = f"Ozon does not offer this step now ({look.status})"
    return wait(look.job, look.now, why, Refused(f"{wanted.action}_not_offered", why, CABINET))


def _part_comes_back(job: Job) -> bool:
    return any(c.action == "goods_back" and c.state == "waiting" for c in job.state.commands.values())


def track(look: Look) -> Preparation:
    if values.text(look.posting.tracking_number) == look.job.state.track:
        return Applied(look.status)
    if "set_track_number" in look.actions or (not look.actions and not reached(look.posting, "delivered")):
        return Ready()
    if reached(look.posting, "delivered"):
        return Overtaken("delivered", f"the posting is {look.status} at Ozon", "nothing is left to be told")
    why = f"Ozon takes no track number now ({look.status})"
    return wait(look.job, look.now, why, Refused("track_not_offered", why, "enter the track in Ozon's cabinet"))
