"""What Megamarket's answers mean: `success`, `data.result`, `error` as an object and as an array."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.order import facts as f
from events.order.shapes import Answer
from events.order.state import Command, OrderState
from service.marketplaces import port
from service.marketplaces.megamarket import make

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MM = make("mm", model="dbs", base_url=None, options={"merchant_id": 1, "token": "t"})


def job(action: str = "packing", state: OrderState | None = None, before: Any = None) -> port.Job:
    command = Command("1", "mm", action, "assembled", 1, 2, 2, NOW, NOW - timedelta(minutes=5))
    return port.Job(command, state or OrderState(order="mm/8"), {}, before)


def judged(status: int, body: Any, action: str = "packing", **more: Any) -> port.Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return MM.judge(job(action, **more), port.Reply(status, {}, raw), NOW)


@pytest.mark.parametrize(
    "body",
    [
        {"success": 1, "meta": {}, "data": {"result": 1}}, {"success": "1", "data": {"result": "1"}},
        {"success": True, "data": {"result": True}}, {"success": 1, "data": {}}, {"success": 1},
    ],
)  # fmt: skip
def test_taken(body: Any) -> None:
    """Taken, not done: the lots must show it; a missing data.result says nothing."""
    assert isinstance(judged(200, body), port.Accepted)


def test_what_no_read_shows_is_done_when_it_is_taken() -> None:
    """A moved date, which may be fined again, and a declined wish."""
    good = {"success": 1, "data": {"result": 1}}
    declined, accepted = OrderState(order="mm/8"), OrderState(order="mm/8")
    declined.answer = Answer(1, False, None)
    accepted.answer = Answer(1, True, None)
    assert judged(200, good, "move_date") == port.Sent()
    assert judged(200, good, "cancel_result", state=declined) == port.Sent()
    assert isinstance(judged(200, good, "cancel_result", state=accepted), port.Accepted)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"success": 0, "error": {"code": 1, "message": "нет"}}, "1", "нет"),
        ({"success": 0, "error": [{"code": "E", "message": "нет", "itemIndex": "1"}]}, "E", "нет (lot 1)"),
        (
            {"success": 0, "error": [{"errorText": "один", "description": "x"}, {"message": "два", "itemIndex": 2}]},
            "refused", "один; два (lot 2)",
        ),
        ({"success": 0, "error": [{"description": "слова"}, None, {}]}, "refused", "слова"),
        ({"success": 0, "error": "нет"}, "refused", "нет"),
        ({"success": 0}, "refused", "Megamarket gives no reason"),
        ({"success": 1, "data": {"result": 0}}, "refused", "Megamarket gives no reason"),
    ],
)  # fmt: skip
def test_refused(body: Any, code: str, message: str) -> None:
    """With HTTP 200 too; the read that follows decides, so it is not final."""
    outcome = judged(200, body)
    assert isinstance(outcome, port.Refused)
    assert (outcome.code, outcome.message, outcome.final) == (code, message, False)
    assert outcome.hint


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"success": 0, "error": {"message": "Неверный токен"}}, port.Later),
        (403, b"<html>forbidden</html>", port.Later),
        (200, {"success": 0, "error": [{"message": "Invalid token"}]}, port.Later),
        (429, b"", port.Later),
        (400, {"success": 0, "error": {"message": "bad"}}, port.Refused),
        (404, b"<html>not found</html>", port.Refused),
        (408, b"", port.Unknown),
        (500, b"Internal Server Error", port.Unknown),
        (502, b"<html>bad gateway</html>", port.Unknown),
        (200, b"<html>maintenance</html>", port.Unknown),
        (200, b"", port.Unknown),
        (200, {"meta": {}}, port.Unknown),
        (302, b"", port.Unknown),
    ],
)
def test_by_http_status(status: int, body: Any, kind: type) -> None:
    """A token is waited for with what to do, a limit as a limit; what says nothing is unknown."""
    outcome = judged(status, body)
    assert isinstance(outcome, kind)
    if isinstance(outcome, port.Later):
        assert outcome.limit == (status == 429)
        assert outcome.limit or "check token" in outcome.reason


def test_too_late_is_believed_at_once() -> None:
    """Where the lots had expired before the attempt, its refusal is final."""
    before = {"lots": {"1": "PACKING_EXPIRED"}, "offers": {"1": "A"}}
    outcome = judged(200, {"success": 0, "error": {"message": "поздно"}}, before=before)
    assert isinstance(outcome, port.Refused)
    assert (outcome.message, outcome.final) == ("поздно", True)


def test_marks_are_named_where_they_may_be_the_reason() -> None:
    """A packing refused for goods that need codes says so."""
    state = OrderState(order="mm/8", details={"marking.1": "CIS"})
    outcome = judged(200, {"success": 0, "error": {"message": "нет"}}, state=state)
    assert isinstance(outcome, port.Refused)
    assert outcome.hint is not None
    assert outcome.hint.startswith("check the marking codes")
    sent = OrderState(order="mm/8", assembled_lines=(f.Line(sku="A", quantity=1, marks=("x",)),))
    assert isinstance(marked := judged(200, {"success": 0}, state=sent), port.Refused)
    assert "marking codes" in (marked.hint or "")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"success": 0, "error": {"message": "x"}}', b'{"data": []}'])
def test_a_read_that_fails_says_so(body: bytes) -> None:
    """No order is made up of a bad answer, and none is taken for missing."""
    talk = MM.read([port.Wanted("8")])
    next(talk)
    with pytest.raises(port.AnswerFailed):
        talk.send(port.Reply(200, {}, body))


def test_a_limit_ends_a_read_as_a_limit() -> None:
    """429 is told to the hub."""
    talk = MM.read([port.Wanted("8")])
    next(talk)
    with pytest.raises(port.AnswerFailed) as raised:
        talk.send(port.Reply(429, {}, b""))
    assert raised.value.limit
