"""What holds for every history, whoever said what, in whatever order and however often."""

from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from events.order import facts as f
from events.order.reactions import ONEC
from events.order.stages import STAGES
from events.recorded import Recorded
from projections.orders.project import order_row
from tests.events.given import (
    BUYER_ASKS,
    DOCUMENT,
    MARKET_CANCELS,
    MOVED,
    OPEN,
    ORDER,
    PLACED,
    REGISTERED,
    SHOP_CANCELS,
    START,
    Said,
    asked,
    carried_out,
    history,
    hub,
    mark,
    market,
    outcome,
    seen,
    state,
    steps,
    then,
)

LINE = f.Line(sku="A", quantity=1, marks=("m",))
ONEC_SAYS = [
    REGISTERED,
    *(mark(name) for name in ("confirmed", "assembled", "shipped", "arrived", "handed_over", "delivered", "completed")),
    mark("confirmed", f.Confirmed(lines=(LINE,))),
    mark("assembled", f.Assembled(lines=(LINE,), boxes=2)),
    mark("shipped", f.Shipped(track="T")),
    mark("delivered", f.Delivered(lines=())),
    mark("assembled", order=DOCUMENT),
    mark("returned"),
    mark("snapshot"),
    mark("snapshot", f.Snapshot(content="1", means="order.shipped", status="s", posted=True)),
    mark("snapshot", f.Snapshot(content="2", means="order.cancelled", status="c", missing=("m",))),
    mark("snapshot", f.Snapshot(content="3", lines=(LINE,), deleted=True, stale=True)),
    mark("uncancelled"),
    mark("unposted"),
    mark("posted"),
    mark("status", f.Status(status="?")),
    mark("cancellation_accepted"),
    mark("cancellation_declined"),
    MOVED,
    SHOP_CANCELS,
    Said("order.invented", f.Completed(), "1c/ut"),
    Said("order.shipped", f.Status(status="no fact of its type"), "1c/ut"),
]
MARKET_SAYS = [
    OPEN,
    *(seen(stage) for stage in (*STAGES, None)),
    seen("confirmed", request=True),
    seen("delivered", stale=True),
    market("changed", f.Changed(lines=(LINE,))),
    market("returned", f.Returned(lines=(LINE,), id="r1", status="NEW")),
    market("returned", f.Returned()),
    BUYER_ASKS,
    MARKET_CANCELS,
    Said("marketplace.notified", f.Notified(notice="n"), "channel/shop"),
    PLACED,
]
HUB_SAYS = [
    *(hub(type, f.CommandOutcome(command="c")) for type in f.OUTCOMES),
    hub("command.requested", f.CommandRequested(command="c", target="shop", action="pack", stage="assembled")),
    hub("command.retried", f.CommandRetried(command="c")),
    hub("deadline.near", f.DeadlineNear(stage="shipped", due=START)),
    hub("deadline.near", f.DeadlineNear(stage="cancelled", due=START)),
    hub("attention.cleared", f.AttentionCleared(code="contradiction", until=99)),
]
SAID = st.sampled_from(ONEC_SAYS + MARKET_SAYS + HUB_SAYS)
HISTORIES = st.lists(SAID, max_size=25).map(lambda said: history(*said))


@given(HISTORIES, st.randoms())
def test_every_history_can_be_folded(events: list[Recorded], random: Random) -> None:
    """Any events in any order give a state, and the state a row: nothing that was said can stop the hub."""
    shuffled = list(events)
    random.shuffle(shuffled)
    found = state(shuffled)
    assert found.version == max((e.version for e in events if e.order == found.order), default=0)
    assert found.stage in STAGES
    assert {a.code for a in found.attention} <= {
        "unmapped", "order_unknown", "contradiction", "cancellation_requested", "refused", "given_up", "deadline",
        "unposted",
    }  # fmt: skip
    assert order_row(found).stage == found.stage


@given(HISTORIES)
def test_what_was_requested_is_not_wanted_again(events: list[Recorded]) -> None:
    """Asked again after its own requests were appended, the reactor wants nothing."""
    assert asked(carried_out(events)) == []


@given(HISTORIES)
def test_a_command_does_not_depend_on_when_it_was_asked_for(events: list[Recorded]) -> None:
    """A reactor that saw each event as it came wants nothing else, under no other id, than one that comes late."""
    at_once = {request.fact.command for request in asked(events)}
    one_by_one = set[str]()
    for number, recorded in enumerate(events, 1):
        one_by_one |= {request.fact.command for request in asked(events[:number], recorded.position - 1)}
    assert one_by_one == at_once


@example([REGISTERED, mark("assembled", order=DOCUMENT), PLACED])
@given(st.lists(st.sampled_from([*ONEC_SAYS, PLACED, OPEN]), max_size=25))
def test_a_mark_said_twice_asks_for_nothing_more(said: list[Said]) -> None:
    """1C's marks doubled as new messages want no step twice, and no new one."""
    grown = carried_out(history(*said, OPEN))
    doubled = [one for one in said if one.type in f.ONEC_STAGES and one.order == ORDER]
    assert steps(then(grown, *doubled), len(grown)) == []


@given(HISTORIES)
def test_a_command_is_for_one_thing(events: list[Recorded]) -> None:
    """No id twice; messages to 1C follow from one fact each, which lies in the history."""
    wanted = asked(events)
    assert len({r.fact.command for r in wanted}) == len(wanted)
    assert {r.cause for r in wanted} <= {e.position for e in events}
    messages = [r for r in wanted if r.fact.target == ONEC]
    assert len({r.cause for r in messages}) == len(messages)


@given(HISTORIES)
def test_nothing_is_asked_of_an_order_not_shown(events: list[Recorded]) -> None:
    """Without `order.placed` no step is wanted, whatever 1C says."""
    assert steps([e for e in events if e.type != "order.placed"]) == []


@given(HISTORIES, st.sampled_from(ONEC_SAYS))
def test_a_cancelled_order_is_asked_for_nothing_but_the_cancellation(events: list[Recorded], said: Said) -> None:
    """Once the shop has cancelled, no mark wants a step; once the marketplace has, not even the cancellation."""
    cancelled = carried_out(then(events, PLACED, OPEN, SHOP_CANCELS))
    if said.type == "order.uncancelled":
        return
    assert set(steps(then(cancelled, said), len(cancelled))) <= {"cancel"}
    over = carried_out(then(cancelled, MARKET_CANCELS))
    assert steps(then(over, said), len(over)) == []


@given(st.lists(st.sampled_from([*f.OUTCOMES, "command.retried", "command.requested"]), max_size=5))
def test_what_was_done_stays_done(later: list[str]) -> None:
    """After a command was done, no other outcome, no retry and no second request changes it."""
    asked_for = carried_out(history(PLACED, OPEN, mark("assembled")))
    done = then(asked_for, outcome(asked_for, "pack", "done"))
    command = next(c for c in state(done).commands.values() if c.action == "pack")
    facts: dict[str, f.Fact] = {name: f.CommandOutcome(command=command.id, code="LATE") for name in f.OUTCOMES}
    facts |= {"command.retried": f.CommandRetried(command=command.id)}
    facts |= {"command.requested": f.CommandRequested(command=command.id, target="shop", action="pack")}
    said = [hub(name, facts[name]) for name in later]
    assert state(then(done, *said)).commands[command.id] == command
