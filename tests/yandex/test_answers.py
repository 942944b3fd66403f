"""What each answer of Market means."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from events.order import facts as f
from events.order.shapes import Mark
from events.order.state import Command, OrderState
from service.marketplaces import port
from service.marketplaces.yandex import answers, make

NOW = datetime(2026, 9, 9, 15, tzinfo=UTC)
UNTIL = datetime(2026, 9, 9, 15, 18, tzinfo=UTC)
LIMITS = {"x-ratelimit-resource-remaining": "0", "x-ratelimit-resource-until": "Wed, 09 Sep 2026 15:18:00 GMT"}
YANDEX = make("ym", model="dbs", base_url=None, options={"business_id": 1, "campaign_id": 2, "api_key": "k"})


def job(action: str = "delivery", number: str = "7") -> port.Job:
    state = OrderState(order=f"ym/{number}", number=number, document=f.Document("1", "УТ-1"))
    command = Command(
        id=f"id-{number}", target="ym", action=action, stage="shipped", cause=1, position=2, version=2,
        requested_at=NOW, since=NOW,
    )  # fmt: skip
    return port.Job(command, state, {})


def judged(status: int, code: str = "X", message: str = "", headers: dict[str, str] | None = None) -> port.Outcome:
    body = {"status": "ERROR", "errors": [{"code": code, "message": message}]}
    return YANDEX.judge(job(), port.Reply(status, headers or {}, json.dumps(body).encode()), NOW)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 499, 302])
def test_it_may_have_acted(status: int) -> None:
    """Faults over there and answers nobody promised: the order is read before anything else."""
    assert isinstance(judged(status), port.Unknown)


@pytest.mark.parametrize(
    ("status", "word"), [(401, "api_key"), (403, "inventory-and-order-processing"), (423, "moving")]
)
def test_not_done_and_why(status: int, word: str) -> None:
    """A key, a right, a lock: later, with what to do."""
    outcome = judged(status)
    assert isinstance(outcome, port.Later)
    assert word in outcome.reason
    assert not outcome.limit


def test_limits() -> None:
    """420 waits until the headers say; too many calls at once has no such time, whatever the headers say."""
    assert judged(420, message="m", headers=LIMITS) == port.Later("m", until=UNTIL, limit=True)
    at_once = judged(420, message="m", headers={**LIMITS, "x-ratelimit-resource-remaining": "9000"})
    assert at_once == port.Later("m", limit=True)
    assert judged(429, message="m") == port.Later("m", limit=True)
    assert YANDEX.limit(port.Reply(200, LIMITS, b""), NOW) == port.Limit(0, UNTIL)
    assert YANDEX.limit(port.Reply(200, {}, b""), NOW) is None
    assert YANDEX.limit(port.Reply(200, {**LIMITS, "x-ratelimit-resource-until": "soon"}, b""), NOW) is None


@pytest.mark.parametrize(
    "body", [b"<html>bad gateway</html>", b"", b"[]", b'{"errors": null}', b'{"errors": [null, 5]}']
)
def test_answers_nobody_can_read(body: bytes) -> None:
    """The status alone decides."""
    assert isinstance(YANDEX.judge(job(), port.Reply(400, {}, body), NOW), port.Refused)
    assert isinstance(YANDEX.judge(job(), port.Reply(502, {}, body), NOW), port.Unknown)
    assert isinstance(YANDEX.judge(job(), port.Reply(200, {}, body), NOW), port.Sent)


def test_an_error_in_a_good_answer() -> None:
    """200 with status ERROR is a refusal, judged by what it says like any other; an unknown one says what to do too."""
    body = b'{"status": "ERROR", "errors": [{"code": "BAD_REQUEST", "message": "no"}]}'
    assert YANDEX.judge(job(), port.Reply(200, {}, body), NOW) == port.Refused("BAD_REQUEST", "no", answers.LOOK)
    same = b'{"status": "ERROR", "errors": [{"code": "SAME_DELIVERY_DATES", "message": "the same"}]}'
    assert YANDEX.judge(job("delivery_date"), port.Reply(200, {}, same), NOW) == port.Sent()


def test_marking_codes_under_check() -> None:
    """The same code stands for «wait» and «no»: the words decide."""
    wait = judged(400, "STATUS_NOT_ALLOWED", "Order requires valid CIS")
    assert wait == port.Later("Order requires valid CIS", until=NOW + answers.AGAIN)
    refused = judged(400, "STATUS_NOT_ALLOWED", "No permission to set status 'DELIVERED' for order '7' with status 'X'")
    assert isinstance(refused, port.Refused)
    assert not refused.final, "a read decides"


def test_missing_codes_are_told_at_once() -> None:
    """Market waits for codes 1C never sent, or for wrong ones: somebody must know, not after three days."""
    valid = json.dumps({"errors": [{"code": "STATUS_NOT_ALLOWED", "message": "Order requires valid CIS"}]}).encode()
    waiting = job("ready_to_ship")
    waiting.state.lines = (f.Line(sku="A", quantity=2, id="11"),)
    waiting.state.details = {"marking.11": "CIS"}
    for marks, now, told in (
        (("a",), NOW, True),
        (("a", "b"), NOW, False),
        (("a", "b"), NOW + timedelta(hours=2), True),
    ):
        waiting.state.assembled_lines = (f.Line(sku="A", quantity=2, marks=marks),)
        outcome = YANDEX.judge(waiting, port.Reply(400, {}, valid), now)
        assert isinstance(outcome, port.Refused) == told
        assert not isinstance(outcome, port.Refused) or (outcome.final, outcome.hint) == (True, answers.CODES)


@pytest.mark.parametrize("kind", ["completed", "delivered"])
def test_the_day_of_a_stage_that_1c_skipped(kind: str) -> None:
    """What was skipped was done by the time of the next mark, so a late one carries that day too."""
    one = job("pickup" if kind == "delivered" else "delivered")
    days = {"shipped": 5, "completed": 1, kind: 2}
    one.state.marks = {stage: Mark(3, NOW - timedelta(days=ago)) for stage, ago in days.items()}
    call = YANDEX.request(one, NOW)
    assert isinstance(call, port.Call)
    assert call.body["order"]["delivery"] == {"dates": {"realDeliveryDate": "2026-09-07"}}
    one.state.marks = {kind: Mark(3, NOW + timedelta(days=2))}
    assert YANDEX.batchable(one, NOW), "a mark from the future is today's"


def test_known_refusals_are_known_by_their_words_too() -> None:
    """Batch rows bring words without a code."""
    told = {"id": 7, "updateStatus": "ERROR", "errorDetails": "No transition found: 'A' -> 'B'"}
    rows = [told, {"id": 8, "updateStatus": "OK", "status": "DELIVERY"}, None]
    reply = port.Reply(200, {}, json.dumps({"status": "OK", "result": {"orders": rows}}).encode())
    outcomes = YANDEX.judge_batch([job(number="7"), job(number="8"), job(number="9")], reply, NOW)
    refused = outcomes["id-7"]
    assert isinstance(refused, port.Refused)
    assert (refused.code, bool(refused.hint)) == ("STATUS_NOT_ALLOWED", True)
    assert outcomes["id-8"] == port.Sent("DELIVERY")
    assert isinstance(outcomes["id-9"], port.Unknown), "an order the answer is silent about"


def test_a_batch_that_failed_as_a_whole() -> None:
    """Its answer counts for every order in it."""
    jobs = [job(number="7"), job(number="8")]
    outcomes = YANDEX.judge_batch(jobs, port.Reply(500, {}, b""), NOW)
    assert all(isinstance(outcomes[one.command.id], port.Unknown) for one in jobs)


def test_every_known_refusal_can_be_reached() -> None:
    """By its code where it has one; nothing in the table hides behind something else."""
    for known in answers.KNOWN:
        if known.code:
            assert answers.recognise(known.code, "words nobody knows") is known
    assert answers.recognise(None, "words nobody knows") is None


def test_only_status_steps_share_a_call() -> None:
    """30 orders at once for a status, one by one for everything else."""
    assert [YANDEX.batch_limit(step) for step in ("delivery", "pickup", "delivered", "cancel", "track")] == [
        30,
        30,
        30,
        1,
        1,
    ]
    assert YANDEX.batchable(job(), NOW + timedelta(days=9))
