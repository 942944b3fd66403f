"""Ozon's pushes are answered as Ozon requires, and become hints to read the posting."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from service.marketplaces.ozon import make
from service.marketplaces.port import HookAnswer
from tests.ozon.official import sample

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENTS = (
    "04_push_new_posting.json", "05_push_posting_cancelled.json", "06_push_state_changed.json",
    "07_push_cutoff_date_changed.json", "08_push_delivery_date_changed.json",
)  # fmt: skip


def pushed(body: Any, model: str = "rfbs") -> HookAnswer:
    ozon = make("oz", model=model, base_url=None, options={"client_id": 1, "api_key": "k"})
    return ozon.hook("", {}, body if isinstance(body, bytes) else json.dumps(body).encode(), NOW)


@pytest.mark.parametrize("name", EVENTS)
def test_every_type_is_taken(name: str) -> None:
    """200 and `{"result": true}`; the notice names the posting, and a repeat of it has the same key."""
    told = sample(name)
    answer = pushed(told)
    assert (answer.status, answer.body) == (200, {"result": True})
    (notice,) = answer.notices
    assert (notice.number, notice.notice) == (told["posting_number"], told["message_type"])
    assert notice.key == pushed(dict(reversed(told.items()))).notices[0].key
    assert notice.key != pushed({**told, "posting_number": "1-1-1"}).notices[0].key


def test_what_changed_makes_another_notice() -> None:
    """Another state, time or date is news; the time is the event's own."""
    state, cutoff = sample(EVENTS[2]), sample(EVENTS[3])
    other = {**state, "new_state": "posting_received"}
    moved = {**cutoff, "new_cutoff_date": ""}
    keys = {pushed(told).notices[0].key for told in (state, other, cutoff, moved)}
    assert len(keys) == 4
    notice = pushed(state).notices[0]
    assert (notice.status, notice.at) == ("posting_delivered", datetime(2021, 2, 2, 15, 7, 46, 765000, UTC))


def test_a_ping_is_answered_with_who_we_are() -> None:
    """`version`, `name` and the time in UTC, and no notice."""
    answer = pushed(sample("03_push_ping.json"))
    assert (answer.status, answer.notices) == (200, ())
    assert answer.body == {"version": answer.body["version"], "name": "okno", "time": "2026-11-24T12:00:00.000Z"}
    assert set(answer.body) == set(sample("09_push_expected_replies.json")["ping_ok_200"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "ERROR_UNKNOWN"),
        (b"\xff", "ERROR_UNKNOWN"),
        ([], "ERROR_UNKNOWN"),
        ({}, "ERROR_PARAMETER_VALUE_MISSED"),
        ({"message_type": ""}, "ERROR_PARAMETER_VALUE_MISSED"),
        ({"message_type": "TYPE_STATE_CHANGED"}, "ERROR_PARAMETER_VALUE_MISSED"),
        ({"message_type": "TYPE_STATE_CHANGED", "posting_number": "../x"}, "ERROR_PARAMETER_VALUE_MISSED"),
    ],
)
def test_a_broken_push_gets_the_documents_error(body: Any, code: str) -> None:
    """400 and `{"error": {"code", "message", "details"}}`."""
    answer = pushed(body)
    assert (answer.status, answer.body["error"]["code"], answer.notices) == (400, code, ())
    assert set(answer.body["error"]) == set(sample("09_push_expected_replies.json")["error_4xx_5xx"]["error"])


def test_types_nobody_knows() -> None:
    """With a posting's number it is a hint like the others; without, or from Ozon's own warehouse, it is answered."""
    known = pushed({"message_type": "TYPE_NOVELTY", "posting_number": "1-1-1", "x": 1})
    assert [notice.notice for notice in known.notices] == ["TYPE_NOVELTY"]
    assert pushed({"message_type": "TYPE_NOVELTY", "posting_number": "1-1-1", "x": 2}).notices != known.notices
    for told in ({"message_type": "TYPE_NOVELTY"}, {"message_type": "TYPE_FBO_NEW", "posting_number": "1-1-1"}):
        answer = pushed(told)
        assert (answer.status, answer.body, answer.notices) == (200, {"result": True}, ())


def test_a_new_posting_of_the_other_model_is_left_to_its_own_channel() -> None:
    """Answered well, and not noted; one that does not say whose it is is noted by both."""
    told = sample(EVENTS[0])
    assert (len(pushed(told).notices), len(pushed(told, "fbs").notices)) == (1, 0)
    del told["tpl_integration_type"]
    assert (len(pushed(told).notices), len(pushed(told, "fbs").notices)) == (1, 1)
