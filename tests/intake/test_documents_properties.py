"""What holds for every life of a document, however its states are joined, repeated and delayed."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from events.order.reactions import Reacting, requests
from events.order.state import OrderState
from events.recorded import Recorded
from tests.events.given import LINES, ORDER, PLAN, carried_out, state
from tests.intake.sending import DOC, GOODS, SHOWN, sends

PATH = ["Не согласован", "Заказ подтверждён", "Собран", "Отгружен", "В пункте выдачи", "Вручён"]
CHANGES = (*["next"] * 3, "cut", "restore", "delete", "undelete", "cancel", "uncancel", "unpost", "post")


def walk(steps: list[str]) -> list[dict[str, Any]]:
    """A document's states, one after each change; its version grows with each."""
    at, cut, flags = 0, False, {"deleted": False, "cancelled": False, "posted": True}
    states: list[dict[str, Any]] = []
    for number, step in enumerate(steps, 1):
        match step:
            case "next":
                at = min(at + 1, len(PATH) - 1)
            case "cut" | "restore" if at < PATH.index("Отгружен"):  # later less of them is what the buyer took
                cut = step == "cut"
            case "delete" | "undelete":
                flags["deleted"] = step == "delete"
            case "cancel" | "uncancel":
                flags["cancelled"] = step == "cancel"
            case "unpost" | "post":
                flags["posted"] = step == "post"
        lines = [{**GOODS[0], "quantity": 1}, GOODS[1]] if cut else GOODS
        found: dict[str, Any] = {"document": DOC, "version": number, "status": PATH[at], **flags, "lines": lines}
        found |= {"receipt": {"number": "7", "total": "100"}} if PATH[at] == "Вручён" else {}
        states.append(found)
    return states


WALKS = st.lists(st.sampled_from(CHANGES), min_size=1, max_size=14).map(walk)


def sent(states: list[dict[str, Any]]) -> list[Recorded]:
    """The history of an order of which these states came."""
    events = SHOWN
    for one in states:
        events = sends(events, one)
    return events


def end(found: OrderState) -> tuple[object, ...]:
    """What the hub works by: how far, what of it, whether at all."""
    cancelled = found.shop_cancelled is not None
    return found.shop_stage, pieces(found), cancelled, found.receipt, found.document, found.unposted


def pieces(found: OrderState) -> dict[str, int]:
    """The goods that are left, by what was confirmed or else ordered."""
    return {line.sku: line.quantity for line in found.confirmed_lines or LINES}


@given(WALKS, st.data())
def test_joined_states_end_the_same(states: list[dict[str, Any]], data: st.DataObject) -> None:
    """Every state sent, or any of them and always the last: the order ends where it ends."""
    kept = data.draw(st.lists(st.booleans(), min_size=len(states) - 1, max_size=len(states) - 1))
    some = [one for one, keep in zip(states, [*kept, True], strict=True) if keep]
    whole, joined = state(sent(states)), state(sent(some))
    assert (whole.shop_cancelled is None) == (joined.shop_cancelled is None)
    if whole.shop_cancelled is None and states[-1]["posted"]:
        assert (joined.shop_stage, pieces(joined), joined.receipt) == (whole.shop_stage, pieces(whole), whole.receipt)
        assert joined.unposted == whole.unposted == frozenset()


@given(WALKS, st.data())
def test_repeated_and_late_states_change_nothing(states: list[dict[str, Any]], data: st.DataObject) -> None:
    """Any state sent again at any later moment, with an id of its own: neither the end nor what follows is another."""
    events = SHOWN
    for number, one in enumerate(states):
        events = sends(events, one)
        for old in data.draw(st.lists(st.sampled_from(states[: number + 1]), max_size=2)):
            again = sends(events, old)
            assert [event.type for event in again[len(events) :]] in ([], ["order.snapshot"])
            events = again
    assert end(state(events)) == end(state(sent(states)))
    follow = [event.type for event in events if event.type != "order.snapshot"]
    assert follow == [event.type for event in sent(states) if event.type != "order.snapshot"]


@given(WALKS)
def test_all_that_follows_is_wanted_once(states: list[dict[str, Any]]) -> None:
    """The reactor, asked again after its requests were appended, wants nothing; event by event it wants the same."""
    events = sent(states)
    assert requests(ORDER, carried_out(events), 0, PLAN) == []
    at_once = {request.fact.command for request in requests(ORDER, events, 0, PLAN)}
    reacting, one_by_one = Reacting(ORDER, PLAN), set[str]()
    for event, following in zip(events, [*events[1:], None], strict=True):
        one_by_one |= {request.fact.command for request in reacting.take(event, following)}
    assert one_by_one == at_once
