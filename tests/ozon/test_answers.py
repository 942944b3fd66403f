"""What Ozon's answers mean, whatever form they come in, and what reads say afterwards."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.codec import command_id
from events.order import facts as f
from events.order.shapes import Command
from events.order.state import OrderState
from service.marketplaces import port
from service.marketplaces.ozon import Ozon, incoming, make
from service.marketplaces.ozon.settings import settings
from tests.ozon.official import sample
from tests.ozon.test_reading import rfbs_posting

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NUMBER = "48173252-0033-2"
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def ozon(model: str = "rfbs") -> Ozon:
    return make("oz", model=model, base_url=None, options={"client_id": 1, "api_key": "k"})


def job(action: str, *, since: datetime = NOW, number: str = NUMBER, before: Any = None) -> port.Job:
    """A command for a posting with one line."""
    command = Command(command_id("oz/1", "oz", f"{action}{number}"), "oz", action, "shipped", 1, 2, 2, since, since)
    line = f.Line(sku="00-00012345", quantity=1, id="1904686181")
    return port.Job(command, OrderState(order=f"oz/{number}", number=number, lines=(line,)), {}, before)


def reply(status: int, body: Any, **headers: str) -> port.Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return port.Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def error(message: str, code: int = 9) -> dict[str, Any]:
    return {"code": code, "message": message, "details": []}


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (401, sample("13_errors.json")["http_401"], port.Later, "make a new one"),
        (403, error("Offer not signed", 7), port.Later, "sign it"),
        (403, error("Api-Key is missing a required role for a method", 7), port.Later, "Posting FBS"),
        (403, error("Invalid Api-Key, please check the key and try again", 7), port.Later, "make a new one"),
        (400, error("permission denied", 7), port.Later, "no right"),
        (429, sample("13_errors.json")["http_429"], port.Later, "limit"),
        (400, sample("13_errors.json")["http_429"], port.Later, "limit"),
        (500, error("Circle is open", 2), port.Later, "Circle is open"),
        (502, HTML, port.Unknown, "502"),
        (500, error("internal", 13), port.Unknown, "internal"),
        (408, b"", port.Unknown, "408"),
        (302, b"", port.Unknown, "302"),
        (400, error("TRANSITION_IS_NOT_POSSIBLE"), port.Refused, "TRANSITION_IS_NOT_POSSIBLE"),
        (409, error("rpc error: desc = POSTING_ALREADY_CANCELLED: no"), port.Refused, "POSTING_ALREADY_CANCELLED"),
        (404, error("not here", 5), port.Refused, "not here"),
        (400, {"error": {"code": "X", "message": "HAS_INCORRECT_STATUS", "data": []}}, port.Refused, "HAS_INCORRECT"),
        (400, HTML, port.Refused, "no reason given"),
        (400, sample("13_errors.json")["http_400_ship_repeated"], port.Accepted, "POSTING_ALREADY_SHIPPED"),
        (200, sample("12_ship_v4_response.json"), port.Accepted, "assembling"),
        (200, b"", port.Accepted, "assembling"),
    ],
)
def test_answers_to_ship(status: int, body: Any, kind: type, says: str) -> None:
    """Every status and envelope has one meaning; the message decides, not the status."""
    outcome = ozon().judge(job("ship"), reply(status, body), NOW)
    assert isinstance(outcome, kind)
    assert says in str(outcome)


def test_too_many_calls_are_told_apart() -> None:
    """A closed method rests three minutes; a 429 has no header and says nothing, but one that is there is used."""
    market = ozon()
    closed = reply(503, error("Circle is open", 14))
    rest = NOW + timedelta(seconds=30)
    assert market.limit(closed, NOW) == port.Limit(0, rest)
    assert market.judge(job("ship"), closed, NOW) == port.Later("Circle is open", until=rest, limit=True)
    full = sample("13_errors.json")["http_429"]
    assert market.limit(reply(429, full), NOW) is None
    assert market.limit(reply(429, full, retry_after="7"), NOW) == port.Limit(0, NOW + timedelta(seconds=7))
    assert market.limit(reply(200, {}, ratelimit_remaining="3"), NOW) == port.Limit(3, NOW + timedelta(seconds=1))
    assert market.limit(reply(200, {"message": "Circle is open"}), NOW) is None


def test_rows_decide_for_each_posting() -> None:
    """An HTTP 200 with refused rows is ordinary; a row that is missing says nothing of its posting."""
    told = sample("11_delivered_response_partial.composed.json")
    numbers = ["48173252-0033-2", "48173252-0034-1", "48173252-0035-1", "48173252-0036-1"]
    jobs = [job("delivered", number=number) for number in numbers]
    outcomes = [ozon().judge_batch(jobs, reply(200, told), NOW)[one.command.id] for one in jobs]
    assert [type(outcome) for outcome in outcomes] == [port.Accepted, port.Refused, port.Refused, port.Unknown]
    refused = outcomes[2]
    assert isinstance(refused, port.Refused)
    assert (refused.final, refused.hint) == (True, "this posting is delivered by Ozon: configure the channel as fbs")


@pytest.mark.parametrize("error", ["TRANSITION_IS_NOT_POSSIBLE", ["TRANSITION_IS_NOT_POSSIBLE"], None, [], ""])
def test_a_rows_error_is_text_or_a_list_or_nothing(error: Any) -> None:
    """Refused all the same, and not for good: the read says what it means."""
    told = {"result": [{"posting_number": NUMBER, "result": False, "error": error}]}
    outcome = ozon().judge(job("last_mile"), reply(200, told), NOW)
    assert isinstance(outcome, port.Refused)
    assert not outcome.final
    assert outcome.code == ("TRANSITION_IS_NOT_POSSIBLE" if error else "refused")


def test_a_good_row_of_a_status_is_no_proof() -> None:
    """Statuses change in Ozon's own time; a track number is set at once."""
    told = sample("10_delivering_response_ok.json")
    number = told["result"][0]["posting_number"]
    assert isinstance(ozon().judge(job("delivering", number=number), reply(200, told), NOW), port.Accepted)
    assert isinstance(ozon().judge(job("track", number=number), reply(200, told), NOW), port.Sent)


def test_codes_under_check_are_waited_for_and_then_asked_for() -> None:
    """An early `ship` waits for the check, with growing pauses, an hour at most."""
    told, early, late = error("EXEMPLAR_INFO_NOT_FILLED_COMPLETELY"), timedelta(minutes=4), timedelta(hours=2)
    soon = ozon().judge(job("ship", since=NOW - early), reply(400, told), NOW)
    assert soon == port.Later("EXEMPLAR_INFO_NOT_FILLED_COMPLETELY", until=NOW + early / 4)
    over = ozon().judge(job("ship", since=NOW - late), reply(400, told), NOW)
    assert isinstance(over, port.Refused)
    assert over.hint == "send order.assembled again with a right mark for every piece of the goods that need one"


@pytest.mark.parametrize(
    ("action", "status", "actions", "found"),
    [
        ("delivering", "awaiting_deliver/x", ["non_int_delivering"], port.NotApplied),
        ("delivering", "awaiting_deliver/x", [], port.NotApplied),
        ("delivering", "awaiting_deliver/x", ["cancel"], port.Pending),
        ("delivering", "delivering/posting_on_way_to_city", [], port.Applied),
        ("delivering", "awaiting_deliver/x", ["non_int_last_mile"], port.Applied),
        ("last_mile", "delivering/posting_on_way_to_city", ["non_int_last_mile"], port.NotApplied),
        ("last_mile", "driver_pickup/posting_driver_pick_up", [], port.Applied),
        ("last_mile", "delivering/posting_in_pickup_point", [], port.Applied),
        ("delivered", "delivering/posting_in_courier_service", ["non_int_delivered"], port.NotApplied),
        ("delivered", "delivering/posting_conditionally_delivered", [], port.Applied),
        ("delivered", "cancelled/posting_canceled", [], port.Overtaken),
        ("ship", "awaiting_packaging/ship_failed", ["ship", "ship_async_retry"], port.NotApplied),
        ("ship", "awaiting_packaging/posting_created", ["ship_async_in_process"], port.Pending),
        ("ship", "awaiting_registration/x", [], port.Applied),
        ("cancel", "cancelled/posting_canceled", [], port.Applied),
        ("cancel", "delivered/posting_received", [], port.Overtaken),
        ("cancel", "awaiting_deliver/x", ["cancel"], port.NotApplied),
        ("courier_code", "delivering/x", [], port.Unclear),
    ],
)
def test_what_a_read_says(action: str, status: str, actions: list[str], found: type) -> None:
    """At the target or past it: done; offered: not done; not offered: Ozon is at it; cancelled: overtaken."""
    where, _, closer = status.partition("/")
    seen = incoming.seen(rfbs_posting(status=where, substatus=closer, available_actions=actions), "rfbs")
    assert isinstance(ozon().finding(job(action), seen), found)


def test_nothing_is_concluded_from_what_can_not_be_read() -> None:
    """No posting, or something that is none: a person decides."""
    seen = incoming.seen(rfbs_posting(), "rfbs")
    assert seen is not None
    for odd in (None, replace(seen, raw=b"{}"), replace(seen, raw=b"\xff")):
        assert isinstance(ozon().finding(job("ship"), odd), port.Unclear)


def checked(status: str, check: str, codes: list[str]) -> Any:
    mark = {"mark": "0104", "mark_type": "mandatory_mark", "check_status": check, "error_codes": codes}
    return {
        "status": status,
        "products": [{"product_id": 1904686181, "exemplars": [{"exemplar_id": 1, "marks": [mark]}]}],
    }


@pytest.mark.parametrize(
    ("exemplars", "found"),
    [
        (checked("ship_available", "passed", []), port.Applied),
        (checked("validation_in_process", "processing", []), port.Pending),
        (checked("ship_not_available", "failed", ["GONE"]), port.Overtaken),
        (checked("ship_not_available", "failed", []), port.NotApplied),
        ({"status": "ship_not_available", "products": []}, port.NotApplied),
        (None, port.NotApplied),
    ],
)
def test_what_a_check_of_codes_says(exemplars: Any, found: type) -> None:
    """`failed` without a reason means that Ozon did not manage to check: the codes are sent again."""
    one = job("exemplars", before={"units": {"1904686181": ["1"]}, "wanted": {"1904686181": ["mandatory_mark"]}})
    one.state.assembled_lines = (f.Line(sku="00-00012345", quantity=1, marks=("0104",)),)
    posting = rfbs_posting(status="awaiting_packaging", available_actions=["ship_with_additional_info"])
    seen = incoming.seen(posting, "rfbs", exemplars=exemplars)
    assert isinstance(ozon().finding(one, seen), found)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"api_key": "k"}, "client_id: is missing"),
        ({"client_id": "abc", "api_key": "k"}, "client_id: must be a number"),
        ({"client_id": 1}, "api_key: is missing"),
        ({"client_id": 1, "api_key": ""}, "api_key: must be a text"),
        ({"client_id": 1, "api_key": "k", "timezone": "Mars/Base"}, "timezone: is no time zone"),
        ({"client_id": 1, "api_key": "k", "shop": 1}, "shop: unknown, take it out"),
    ],
)
def test_options_say_what_is_wrong(options: dict[str, Any], says: str) -> None:
    """Each with its path and what to do."""
    with pytest.raises(ValueError, match=says):
        settings("rfbs", options)
    with pytest.raises(ValueError, match="model: 'dbs' is none of Ozon's"):
        settings("dbs", options)


def test_a_changed_secret_is_taken_up() -> None:
    """A key from a file is asked for with each call, and the client's number goes with it."""
    keys = iter(["old", "new"])
    market = make("oz", model="fbs", base_url="http://x/", options={"client_id": "12", "api_key": lambda: next(keys)})
    assert [market.headers()["Api-Key"] for _ in range(2)] == ["old", "new"]
    assert (market.headers is not None, market.account, market.base_url) == (True, "http://x 12", "http://x")
