"""What is done next, as tables and as properties of any history."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import command_id, encode
from events.order import facts as f
from events.order.reactions import Plan, Step
from events.order.state import OrderState, fold
from events.recorded import Recorded
from service.decisions import Attempt, Decision, End, Idle, ReadBack, Send, Wait, decide

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
LONG_AGO, GIVE_UP = NOW - timedelta(hours=1), timedelta(hours=72)

STEPS = [
    Step("number", needed=False), Step("delivery", moves=True), Step("track", needed=False),
    Step("delivered", moves=True), Step("date", needed=False), Step("cancel"), Step("answer"),
]  # fmt: skip
STAGES = {"number": "placed", "delivery": "shipped", "track": "shipped", "delivered": "delivered",
          "date": "rescheduled", "cancel": "cancelled", "answer": "cancellation_answered"}  # fmt: skip
PLAN = Plan(
    "ym",
    {step.name: step for step in STEPS},
    {"registered": ["number"], "shipped": ["delivery", "track"], "delivered": ["delivered"], "rescheduled": ["date"],
     "cancelled": ["cancel"], "cancellation_answered": ["answer"]},
)  # fmt: skip


class History:
    """An order's events, one after another."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []
        self.add("order.placed", f.Placed(number="1"), "channel/ym")

    def add(self, type: str, fact: f.Fact, source: str = "okno", at: datetime = LONG_AGO) -> "History":
        n = len(self.events) + 1
        self.events.append(
            Recorded(position=n, order="ym/1", version=n, type=type, source=source, id=str(n), cause=None, actor=source,
                     occurred_at=at, recorded_at=at, id_reused=False, data=encode(fact))
        )  # fmt: skip
        return self

    def ask(self, *actions: str, at: datetime = LONG_AGO) -> "History":
        for a in actions:
            self.add(
                "command.requested", f.CommandRequested(command=id_of(a), target="ym", action=a, stage=STAGES[a]), at=at
            )
        return self

    def again(self, action: str) -> "History":
        fact = f.CommandRequested(command=f"{action} again", target="ym", action=action, stage=STAGES[action])
        return self.add("command.requested", fact, at=NOW)

    def end(self, action: str, outcome: str) -> "History":
        return self.add(f"command.{outcome}", f.CommandOutcome(command=id_of(action)))

    def seen(self, stage: str) -> "History":
        return self.add("marketplace.seen", f.Seen(status=stage, stage=stage, began_at=LONG_AGO), "channel/ym")

    def cancelled(self, source: str) -> "History":
        return self.add("order.cancelled", f.Cancelled(by="shop"), source)

    def wish(self) -> "History":
        return self.add("order.cancellation_requested", f.CancellationRequested(), "channel/ym")

    def accepted(self) -> "History":
        return self.add("order.cancellation_accepted", f.CancellationAccepted(), "1c/ut11")

    @property
    def state(self) -> OrderState:
        return fold("ym/1", self.events)


def id_of(action: str) -> str:
    return command_id("ym/1", "ym", action)


def tried(attempts: int = 0, *, ago: float = 60, next_in: float = -1, open: bool = False) -> Attempt:
    return Attempt(attempts, NOW - timedelta(seconds=ago), NOW + timedelta(seconds=next_in), open)


def next_for(history: History, attempts: dict[str, Attempt], *, live: bool = True) -> Decision:
    rows = {id_of(action): attempt for action, attempt in attempts.items()}
    return decide(history.state, PLAN, rows, NOW, live=live, give_up_after=GIVE_UP)


def said(decision: Decision) -> str:
    """A decision in a few words."""
    match decision:
        case Idle():
            return "idle"
        case Wait(until):
            return f"wait {(until - NOW).total_seconds():g}"
        case End(commands, outcome):
            return " ".join([outcome, *(c.action for c in commands)])
        case ReadBack(command):
            return f"read {command.action}"
        case Send(command):
            return f"send {command.action}"


NEW = tried()
ONEC, MARKET = "1c/ut11", "channel/ym"
TABLE: list[tuple[str, History, dict[str, Attempt], str]] = [
    ("nothing waits", History(), {}, "idle"),
    ("all is told", History().ask("delivery").end("delivery", "done"), {}, "idle"),
    ("the first of two", History().ask("delivery", "delivered"), {"delivery": NEW, "delivered": NEW}, "send delivery"),
    ("a needed step in its pause holds the next", History().ask("delivery", "delivered"),
     {"delivery": tried(1, next_in=9), "delivered": NEW}, "wait 9"),
    ("one that is not needed holds nobody", History().ask("number", "delivery"),
     {"number": tried(1, next_in=9), "delivery": NEW}, "send delivery"),
    ("it goes before them for a minute", History().ask("number", "delivery", at=NOW - timedelta(seconds=20)),
     {"number": tried(1, next_in=9), "delivery": NEW}, "wait 9"),
    ("the earliest of several pauses", History().ask("number", "delivery"),
     {"number": tried(1, next_in=9), "delivery": tried(1, next_in=20)}, "wait 9"),
    ("unknown, and it is time to look", History().ask("delivery"), {"delivery": tried(1, open=True)}, "read delivery"),
    ("unknown, and looked at lately", History().ask("delivery"),
     {"delivery": tried(1, next_in=30, open=True)}, "wait 30"),
    ("an unknown later step stops the earlier ones", History().ask("number", "delivery"),
     {"number": NEW, "delivery": tried(1, open=True)}, "read delivery"),
    ("said anew since: the older one goes", History().ask("delivery").again("delivery"),
     {"delivery": NEW}, "withdrawn delivery"),
    ("brought back: read at once", History().ask("delivery"),
     {"delivery": tried(0, ago=0, open=True)}, "read delivery"),
    ("not to be looked for before its turn", History().ask("delivery", "delivered"),
     {"delivery": NEW, "delivered": tried(0, open=True)}, "send delivery"),
    ("which hides no attempt of a later one", History().ask("delivery", "track", "delivered"),
     {"delivery": NEW, "delivered": tried(1, open=True)}, "read delivered"),
    ("and then it is", History().ask("delivery", "delivered").end("delivery", "done"),
     {"delivered": tried(0, open=True)}, "read delivered"),
    ("nor behind a step that failed", History().ask("delivery", "delivered").end("delivery", "refused"),
     {"delivered": tried(0, open=True)}, "wait 600"),
    ("a step nobody needs does not hold the look", History().ask("number", "delivery"),
     {"number": NEW, "delivery": tried(0, open=True)}, "read delivery"),
    ("no row, old: the table was lost", History().ask("delivery"), {}, "read delivery"),
    ("no row, young: it is about to come", History().ask("delivery", at=NOW), {}, "wait 0.05"),
    ("a refused step holds what needs it", History().ask("delivery", "delivered").end("delivery", "refused"),
     {"delivered": NEW}, "wait 600"),
    ("a given up one too", History().ask("delivery", "delivered").end("delivery", "given_up"),
     {"delivered": NEW}, "wait 600"),
    ("unless the order got there by itself",
     History().ask("delivery", "delivered").end("delivery", "refused").seen("shipped"),
     {"delivered": NEW}, "send delivered"),
    ("or was not there yet", History().ask("delivery", "delivered").end("delivery", "refused").seen("confirmed"),
     {"delivered": NEW}, "wait 600"),
    ("a refused step that is not needed holds nobody", History().ask("number", "delivery").end("number", "refused"),
     {"delivery": NEW}, "send delivery"),
    ("a move waits for no stage", History().ask("delivery", "date").end("delivery", "refused"),
     {"date": NEW}, "send date"),
    ("the shop cancelled", History().ask("delivery", "delivered", "cancel").cancelled(ONEC),
     {"delivery": NEW, "delivered": NEW, "cancel": NEW}, "withdrawn delivery delivered"),
    ("the cancellation itself", History().ask("delivery", "cancel").end("delivery", "withdrawn").cancelled(ONEC),
     {"cancel": NEW}, "send cancel"),
    ("the shop cancelled, an attempt is unknown", History().ask("delivery", "cancel").cancelled(ONEC),
     {"delivery": tried(1, open=True), "cancel": NEW}, "read delivery"),
    ("Market cancelled", History().ask("delivery").cancelled(MARKET), {"delivery": NEW}, "withdrawn delivery"),
    ("both cancelled", History().ask("delivery", "cancel").cancelled(ONEC).cancelled(MARKET),
     {"delivery": NEW, "cancel": NEW}, "done cancel"),
    ("the yes to the buyer came true",
     History().wish().accepted().ask("answer").cancelled(MARKET),
     {"answer": tried(1, open=True)}, "done answer"),
    ("out of time, and tried since", History().ask("delivery", at=NOW - GIVE_UP - timedelta(hours=1)),
     {"delivery": tried(80, ago=60)}, "given_up delivery"),
    ("out of time, not tried since", History().ask("delivery", at=NOW - GIVE_UP - timedelta(hours=1)),
     {"delivery": tried(2, ago=7200)}, "send delivery"),
    ("out of time, never tried", History().ask("delivery", at=NOW - GIVE_UP * 2), {"delivery": NEW}, "send delivery"),
    ("out of time, unknown: read first", History().ask("delivery", at=NOW - GIVE_UP * 2),
     {"delivery": tried(80, open=True)}, "read delivery"),
]  # fmt: skip


@pytest.mark.parametrize(("history", "rows", "expected"), [pytest.param(*row, id=name) for name, *row in TABLE])
def test_table(history: History, rows: dict[str, Attempt], expected: str) -> None:
    """Each line of the module's picture, and its borders."""
    assert said(next_for(history, rows)) == expected


def test_shadow() -> None:
    """In shadow everything that waits ends at once, whatever else is true."""
    assert said(next_for(History().ask("delivery", "track"), {}, live=False)) == "withheld delivery track"


ACTIONS = [step.name for step in STEPS if step.name != "cancel"]
ROWS = st.builds(
    tried,
    st.integers(0, 3),
    ago=st.sampled_from([1, 30, 7200]),
    next_in=st.sampled_from([-1, 0, 5]),
    open=st.booleans(),
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[History, dict[str, Attempt]]:
    """Any set of steps in any order, some with outcomes, cancelled or not, with any rows."""
    history = History()
    actions = draw(st.lists(st.sampled_from(ACTIONS), unique=True, min_size=1))
    history.ask(*actions)
    for action in actions:
        outcome = draw(st.sampled_from([None, None, "done", "refused", "given_up"]))
        if outcome is not None:
            history.end(action, outcome)
    stage = draw(st.sampled_from([None, "confirmed", "shipped", "delivered"]))
    if stage is not None:
        history.seen(stage)
    if draw(st.booleans()):
        history.cancelled(ONEC).ask("cancel")
        actions.append("cancel")
    rows = {action: row for action in actions if (row := draw(st.none() | ROWS)) is not None}
    return history, rows


@given(situations())
def test_never_a_send_while_anything_is_unknown(situation: tuple[History, dict[str, Attempt]]) -> None:
    """While an attempt of the order is open, that is what is looked into; so is a command of which no attempt is known,
    but for what goes before it."""
    history, rows = situation
    decision = next_for(history, rows)
    unknown = [c for c in history.state.waiting("ym") if c.action not in rows or rows[c.action].open]
    if isinstance(decision, Send):
        assert all(c.action not in rows or not rows[c.action].attempts for c in unknown)
        assert all(c.position > decision.command.position for c in unknown)


@given(situations())
def test_after_the_shop_cancelled_only_the_cancellation_is_sent(
    situation: tuple[History, dict[str, Attempt]],
) -> None:
    """Whatever else waits is withdrawn or read, never sent."""
    history, rows = situation
    decision = next_for(history, rows)
    if history.state.shop_cancelled is not None and isinstance(decision, Send):
        assert decision.command.action == "cancel"


@given(situations())
def test_sends_follow_the_order_of_requests(situation: tuple[History, dict[str, Attempt]]) -> None:
    """No step is sent while a needed one requested before it waits."""
    history, rows = situation
    decision = next_for(history, rows)
    if isinstance(decision, Send):
        before = [c for c in history.state.waiting("ym") if c.position < decision.command.position]
        assert [c.action for c in before if PLAN.steps[c.action].needed] == []


@given(situations())
def test_a_decision_is_about_commands_that_wait(situation: tuple[History, dict[str, Attempt]]) -> None:
    """What has its outcome is left alone, and a wait lies ahead."""
    history, rows = situation
    waiting = {c.id for c in history.state.waiting("ym")}
    match next_for(history, rows):
        case Send(command) | ReadBack(command):
            assert command.id in waiting
        case End(commands):
            assert {c.id for c in commands} <= waiting
        case Wait(until):
            assert until > NOW
        case Idle():
            assert not waiting
