"""What one order's history would have told, beside what it told; for the hub's own log there is no difference."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from events.codec import command_id, decode, encode
from events.order import facts as f
from events.order.reactions import ONEC, Plan, requests
from events.recorded import Recorded
from service.audit.supposing import Compared, Span, compare
from tests.events.given import (
    BUYER_ASKS,
    DOCUMENT,
    MOVED,
    OPEN,
    ORDER,
    PLACED,
    PLAN,
    REGISTERED,
    SHOP_CANCELS,
    START,
    TRIGGERS,
    Said,
    carried_out,
    event,
    history,
    hub,
    mark,
    market,
    outcome,
    seen,
    then,
)
from tests.events.test_imported import past
from tests.events.test_properties import MARKET_SAYS, ONEC_SAYS

SAYS = {
    "ship": lambda state: state.track,
    "pack": lambda state: state.boxes,
    "cancel": lambda state: state.shop_cancelled and state.shop_cancelled.reason,
}
SAYING = replace(PLAN, steps={name: replace(step, says=SAYS.get(name, step.says)) for name, step in PLAN.steps.items()})
"""A plan whose steps are told anew when 1C says something else by them."""


def supposed(events: Sequence[Recorded], plan: Plan = PLAN, after: int = 0, until: int | None = None) -> Compared:
    """A history compared with what this plan would have told."""
    return compare(ORDER, events, plan, Span(after, until if until is not None else events[-1].position))


def found(compared: Compared) -> list[tuple[str, str, str | None, str | None]]:
    """What differs: how, what of, and the stages it was for and would be for."""
    return [
        (d.what, d.action, d.was.stage if d.was else None, d.would.stage if d.would else None)
        for d in compared.differences
    ]


LIFE = carried_out(history(PLACED, OPEN, REGISTERED, mark("assembled"), MOVED, mark("delivered")))


def test_the_same_plan_differs_in_nothing() -> None:
    """What was told and what would be are counted alike."""
    compared = supposed(LIFE)
    assert found(compared) == []
    assert {what: (c.told, c.would) for what, c in compared.counts.items()} == dict.fromkeys(
        [(ONEC, "order.placed"), *(("shop", step) for step in ("number", "pack", "new_date", "ship", "hand_out"))],
        (1, 1),
    )


def test_a_stage_that_tells_less_or_more() -> None:
    """A step taken out of the map is fewer, one put in is more; because of which fact is said."""
    fewer = supposed(LIFE, replace(PLAN, triggers={**TRIGGERS, "shipped": ()}))
    assert found(fewer) == [("fewer", "ship", "shipped", None)]
    (told,) = fewer.differences
    assert told.was is not None
    assert told.was.because is not None
    assert (told.was.state, told.was.because.type) == ("waiting", "order.delivered")
    more = supposed(LIFE, replace(PLAN, triggers={**TRIGGERS, "assembled": ("pack", "answer")}))
    assert found(more) == [("more", "answer", None, "assembled")]


def test_a_step_told_at_another_stage_is_other() -> None:
    """The command is the same one, for another stage and because of another mark."""
    moved = replace(PLAN, triggers={**TRIGGERS, "assembled": ("pack", "ship"), "shipped": ()})
    assert found(supposed(LIFE, moved)) == [("other", "ship", "shipped", "assembled")]


def test_what_came_of_a_step_is_told_with_it() -> None:
    """A step that would not have been told would not have been answered either: one message to 1C fewer."""
    ended = carried_out(then(LIFE, outcome(LIFE, "ship", "done")))
    fewer = supposed(ended, replace(PLAN, triggers={**TRIGGERS, "shipped": ()}))
    assert found(fewer) == [("fewer", "ship", "shipped", None), ("fewer", "marketplace.accepted", "shipped", None)]
    assert [d.was.state for d in fewer.differences if d.was is not None] == ["done", "waiting"]


def test_withheld_is_told_of_as_such() -> None:
    """What shadow mode kept back counts as decided, and apart."""
    shadow = then(LIFE, outcome(LIFE, "pack", "withheld"))
    assert supposed(shadow).counts["shop", "pack"].withheld == 1
    assert found(supposed(shadow)) == []


def test_a_retried_command_is_one() -> None:
    """Refused, brought back and done: told once, in any plan that has it."""
    refused = carried_out(then(LIFE, outcome(LIFE, "pack", "refused")))
    command = next(
        fact.command for e in LIFE if isinstance(fact := decode(e), f.CommandRequested) and fact.action == "pack"
    )
    again = then(refused, hub("command.retried", f.CommandRetried(command=command)))
    done = carried_out(then(again, outcome(again, "pack", "done")))
    assert found(supposed(done)) == []


def test_a_changed_map_is_asked_about_a_span_only() -> None:
    """What was told before the span counts as told; marks of before are not walked again."""
    after = next(e.position for e in LIFE if e.type == "order.assembled")
    moved = replace(PLAN, triggers={**TRIGGERS, "assembled": ("answer",), "delivered": ("hand_out", "answer")})
    assert found(supposed(LIFE, moved, after)) == [("more", "answer", None, "delivered")]


def test_a_decision_does_not_depend_on_a_link_that_came_later() -> None:
    """What was said under a document is no part of the order until the link, also for who looks back from behind it."""
    told = history(PLACED, OPEN, mark("shipped", order=DOCUMENT), mark("assembled"), REGISTERED)
    visible = [e for e in told if e.order == ORDER]
    at_once = requests(ORDER, visible[:3], 3, PLAN)
    late = [r for r in requests(ORDER, told, 3, PLAN) if r.fact.action == "pack"]
    assert [(r.fact.action, r.cause) for r in at_once] == [("pack", 4)]
    assert late == at_once
    assert found(supposed(carried_out(told))) == []


def test_messages_of_older_logs_are_the_same_messages() -> None:
    """Their ids followed from the position alone; they are told of as they were."""
    older = [_older(one) for one in carried_out(then(LIFE, outcome(LIFE, "pack", "done")))]
    compared = supposed(older)
    assert (found(compared), compared.counts[ONEC, "order.placed"].told) == ([], 1)
    assert found(supposed(older, after=1)) == []


def _older(event: Recorded) -> Recorded:
    fact = decode(event)
    if not isinstance(fact, f.CommandRequested) or fact.target != ONEC:
        return event
    fact = msgspec.structs.replace(fact, command=command_id(ORDER, ONEC, fact.action, event.cause))
    return msgspec.structs.replace(event, data=encode(fact))


def test_an_order_of_a_channel_that_is_gone_is_only_counted() -> None:
    """Without a plan nothing can be said of what would be told."""
    compared = compare(ORDER, LIFE, None, Span(0, 99))
    assert found(compared) == []
    assert {count.would for count in compared.counts.values()} == {None}


def test_what_was_imported_was_told_by_nobody_here() -> None:
    """An imported life is not asked about, its commands neither."""
    compared = supposed(then(past(LIFE), mark("completed")))
    assert (found(compared), compared.counts) == ([], {})


LIVELY = (
    PLACED, OPEN, REGISTERED, MOVED, SHOP_CANCELS, BUYER_ASKS,
    *(mark(name) for name in ("confirmed", "assembled", "shipped", "delivered", "cancellation_declined")),
    *(mark("shipped", f.Shipped(track=track)) for track in "AB"), mark("assembled", f.Assembled(boxes=3)),
    *(mark(name, order=DOCUMENT) for name in ("assembled", "shipped")), MOVED._replace(order=DOCUMENT),
    mark("shipped", f.Shipped(track="C"), order=DOCUMENT), seen("shipped"), market("changed", f.Changed()),
    mark("cancelled", f.Cancelled(by="customer", reason="unreachable")),
    hub("deadline.near", f.DeadlineNear(stage="shipped", due=START)),
)  # fmt: skip
"""What a story is mostly made of; too much that ends an order makes dull ones."""

HAPPENS = st.one_of(
    st.tuples(st.just("said"), st.sampled_from(LIVELY)),
    st.tuples(st.just("said"), st.sampled_from(LIVELY)),
    st.tuples(st.just("said"), st.sampled_from((PLACED, OPEN))),
    st.tuples(st.just("said"), st.sampled_from((*ONEC_SAYS, *MARKET_SAYS))),
    st.tuples(st.just("ended"), st.tuples(st.integers(0, 9), st.sampled_from([*f.OUTCOMES, "command.retried"]))),
    st.tuples(st.just("react"), st.integers(1, 6)),
)


class Hub:
    """A log of one order, and a reactor that comes to it now and then, some events at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.log, self.reacted = plan, list[Recorded](), 0
        self.linked = False

    def said(self, said: Said, *, imported: bool = False) -> None:
        """Appends; what is said under a linked document is said of the order."""
        if said.order == DOCUMENT and self.linked:
            said = said._replace(order=ORDER)
        self.linked = self.linked or said.type == "order.registered"
        self.log.append(event(said, len(self.log) + 1))
        if imported:
            self.log[-1:] = past(self.log[-1:])

    def ended(self, which: int, type: str) -> None:
        """Something comes of one of the commands."""
        commands = [fact.command for e in self.log if isinstance(fact := decode(e), f.CommandRequested)]
        if commands:
            command = commands[which % len(commands)]
            fact = f.CommandRetried(command=command) if type == "command.retried" else f.CommandOutcome(command=command)
            self.said(hub(type, fact))

    def react(self, batch: int) -> None:
        """The reactor's step: it sees the whole history, and is done with a batch of it."""
        for one in requests(ORDER, self.history(), self.reacted, self.plan):
            self.said(hub("command.requested", one.fact, one.cause))
        self.reacted = min(self.reacted + batch, len(self.log))

    def history(self) -> list[Recorded]:
        """The order's history; marks under a document only once it is linked."""
        return [e for e in self.log if e.order == ORDER or self.linked]


@settings(max_examples=300)
@given(
    st.lists(HAPPENS, min_size=5, max_size=40),
    st.sampled_from([PLAN, SAYING]),
    st.integers(0, 40),
    st.sets(st.integers(0, 40)),
)
def test_a_hub_finds_nothing_in_its_own_log(
    happens: list[tuple[str, Any]], plan: Plan, after: int, imports: set[int]
) -> None:
    """Whatever happens, however the reactor lags: the same code and map find no difference, from any moment on."""
    shop = Hub(plan)
    for number, (what, value) in enumerate(happens):
        if what == "said":
            shop.said(value, imported=number in imports and not value.type.startswith("deadline"))
        elif what == "ended":
            shop.ended(*value)
        else:
            shop.react(value)
    shop.react(len(shop.log) - after // 8)
    seen_all = shop.history()
    if seen_all:
        assert found(supposed(seen_all, plan, until=shop.reacted)) == []
        assert found(supposed(seen_all, plan, min(after, shop.reacted), shop.reacted)) == []
