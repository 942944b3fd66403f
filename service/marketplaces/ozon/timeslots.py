"""Moving the delivery: at most two moves a posting, and a repeat burns one [I]; facts 4 and 9.

So before each try Ozon is asked how many moves are left. A move that was used up since the last try was ours or
somebody else's: the posting's interval tells, and it is never sent again on a guess.
"""

from datetime import datetime, time
from typing import Any

from service.marketplaces import lenient
from service.marketplaces.ozon import asking, values, wire
from service.marketplaces.ozon.looking import CABINET, Look, wait
from service.marketplaces.ozon.statuses import reached
from service.marketplaces.port import Applied, Overtaken, Preparation, Ready, Refused, Talk

_DAY_END = time(23, 59)
AGAIN = "Ozon lets a delivery be moved once the posting is assembled: it is asked again with order.assembled"
NO_MOVES = "Ozon lets no further moves: deliver in time, agree with the buyer in Ozon's chat, or cancel"


def timeslot(look: Look) -> Talk[Preparation]:
    """The wanted interval is kept with the attempt: 1C may say another one meanwhile."""
    wanted = _wanted(look)
    if wanted is None:
        return Refused("no_date", "1C named no new date", final=True)
    if shows(look.posting, *wanted):
        return Applied(look.status)
    if reached(look.posting, "delivered"):
        return Overtaken("delivered", f"the posting is {look.status} at Ozon", "nothing is left to be moved")
    told = yield from asking.ask_or_none(asking.RESTRICTIONS, {"posting_number": look.posting.posting_number})
    found = lenient.read(wire.Restrictions, told) or wire.Restrictions()
    left = values.number(found.remaining_changes_count)
    if (used := _used(look.job.before, left)) is not None:
        return used
    if left is not None and left <= 0:
        return Refused("no_moves_left", "the posting's delivery can't be moved any more", NO_MOVES, final=True)
    if (outside := _outside(found, *wanted, look)) is not None:
        return outside
    if look.actions and "set_timeslot" not in look.actions:
        why = f"Ozon does not offer to move the delivery now ({look.status})"
        if not reached(look.posting, "assembled"):
            return Refused("not_assembled", why, AGAIN, final=True)
        return wait(look.job, look.now, why, Refused("set_timeslot_not_offered", why, CABINET))
    since, until = (values.iso(moment) for moment in wanted)
    return Ready({"left": int(left) if left is not None else None, "from": since, "to": until})


def shows(posting: wire.Posting, since: datetime, until: datetime) -> bool:
    """Whether the posting's interval is this one.

    [I] a move shows in analytics_data.delivery_date_begin and _end, as TYPE_DELIVERY_DATE_CHANGED suggests; facts 7.
    """
    told = posting.analytics_data or wire.Analytics()
    return (values.moment(told.delivery_date_begin), values.moment(told.delivery_date_end)) == (since, until)


def _wanted(look: Look) -> tuple[datetime, datetime] | None:
    """1C's day; its hours, where it names none those the posting has now, else the whole day."""
    move, told = look.job.state.move, look.posting.analytics_data or wire.Analytics()
    if move is None:
        return None
    now = (values.moment(told.delivery_date_begin), values.moment(told.delivery_date_end))
    opens, closes = (moment.astimezone(look.zone).time() if moment is not None else None for moment in now)
    if move.interval is not None:
        opens = _hour(move.interval.since) or opens
        closes = _hour(move.interval.until) or closes
    opens, closes = opens or time(), closes or _DAY_END
    if closes <= opens:
        closes = _DAY_END
    return values.at(move.date, opens, look.zone), values.at(move.date, closes, look.zone)


def _hour(value: str | None) -> time | None:
    try:
        return time.fromisoformat((value or "").strip())
    except ValueError:
        return None


def _used(before: Any, left: Any) -> Refused | None:
    """A refusal where a move was used up since the last try, or nobody can tell; the wanted interval is not there."""
    if before is None:
        return None
    earlier = values.number(lenient.inside(before, "left"))
    if earlier is not None and left is not None and left >= earlier:
        return None
    what = "a move of the delivery was used up since the last try, and the posting shows another interval"
    return Refused("move_used", what, CABINET, final=True)


def _outside(found: wire.Restrictions, since: datetime, until: datetime, look: Look) -> Refused | None:
    """By days: whether the hours of the first and the last one count is not documented."""
    days = found.delivery_interval or wire.Interval()
    first, last = (values.moment(day) for day in (days.begin, days.end))
    early = first is not None and since.astimezone(look.zone).date() < first.astimezone(look.zone).date()
    late = last is not None and until.astimezone(look.zone).date() > last.astimezone(look.zone).date()
    if not early and not late:
        return None
    names = [f"{day.astimezone(look.zone):%d.%m.%Y}" if day is not None else "any day" for day in (first, last)]
    what = f"Ozon lets the delivery be moved to {names[0]} - {names[1]} only"
    return Refused("date_not_offered", what, "agree with the buyer on a day in that range", final=True)
