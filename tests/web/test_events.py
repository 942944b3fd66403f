"""`POST /v1/events`: durable before the answer, and one fault refuses the whole request."""

import json
from typing import Any

from tests.web.served import Served

ORDER = "ym-msk/48123456"


def event(**changes: Any) -> dict[str, Any]:
    """A CloudEvent of 1C's."""
    return {"specversion": "1.0", "id": "1", "source": "1c/ut11", "type": "order.confirmed", "subject": ORDER,
            "time": "2022-11-28T10:00:00", "data": {}} | changes  # fmt: skip


async def log(web: Served) -> list[tuple[str, str]]:
    """Order and type of everything in the log."""
    return [(e.order, e.type) for e in await web.storage.log.read(0)]


async def test_a_structured_event_is_in_the_log_before_the_answer(web: Served) -> None:
    """202 with the count, and the event with 1C's time taken in the configured zone."""
    status, body = await web.post(
        "/v1/events", event(), role="onec", headers={"Content-Type": "application/cloudevents+json"}
    )
    assert (status, body) == (202, {"accepted": 1})
    [stored] = await web.storage.log.read(0)
    assert (stored.order, stored.type, stored.source, stored.id) == (ORDER, "order.confirmed", "1c/ut11", "1")
    assert stored.occurred_at.isoformat() == "2022-11-28T07:00:00+00:00"  # Moscow is the default


async def test_a_batch_is_taken_in_order_and_duplicates_count(web: Served) -> None:
    """Sent twice, a batch is accepted twice and stored once."""
    batch = [event(), event(id="2", type="order.assembled")]
    for _ in range(2):
        status, body = await web.post(
            "/v1/events", batch, headers={"Content-Type": "application/cloudevents-batch+json"}
        )
        assert (status, body) == (202, {"accepted": 2})
    assert await log(web) == [(ORDER, "order.confirmed"), (ORDER, "order.assembled")]


async def test_binary_mode_takes_attributes_from_headers(web: Served) -> None:
    """`ce-` headers name the event, the body is its data."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "7",
        "ce-source": "1c/ut11",
        "ce-type": "order.shipped",
        "ce-subject": ORDER,
    }
    status, _ = await web.post("/v1/events", {"track": "RR1"}, headers=headers)
    assert status == 202
    [stored] = await web.storage.log.read(0)
    assert (stored.type, stored.id, json.loads(stored.data)) == ("order.shipped", "7", {"track": "RR1"})


async def test_one_fault_refuses_the_whole_request(web: Served) -> None:
    """Each fault is named by a pointer; nothing of the request is taken or rejected."""
    batch = [event(), event(subject="nobody/1"), event(type="order.cancelled", data={})]
    status, body = await web.post("/v1/events", batch)
    assert status == 400
    assert [error["pointer"] for error in body["errors"]] == ["/1/subject", "/2/data/by"]
    assert all(error["detail"] for error in body["errors"])
    assert (await log(web), await web.get("/v1/rejected")) == ([], (200, {"items": [], "next": None}))


async def test_what_is_no_json_is_answered_with_a_problem(web: Served) -> None:
    """Broken JSON, an empty body, no object: 400 with what is wrong."""
    for body in (b"{", b"", b"7", b"\xff\xfe"):
        status, told = await web.post("/v1/events", body)
        assert (status, told["title"]) == (400, "Bad Request")
        assert told["errors"][0]["detail"]


async def test_nobody_speaks_for_a_marketplace_or_the_hub(web: Served) -> None:
    """Sources and types that are the hub's own are refused from outside."""
    for changes in (
        {"source": "channel/ym-msk", "type": "marketplace.notified"},
        {"source": "okno"},
        {"type": "command.done"},
    ):
        status, _ = await web.post("/v1/events", event(**changes))
        assert status == 400, changes
    assert await log(web) == []


async def test_a_body_too_large_is_413(web: Served) -> None:
    """Larger than the limit: refused before it is read whole."""
    status, _ = await web.post("/v1/events", b" " * (9 * 1024 * 1024))
    assert status == 413


async def test_503_while_neither_broker_nor_log_can_take_it(web: Served) -> None:
    """The sender is told to come again, and readiness says the same."""
    await web.headers("onec")
    await web.post("/v1/events", event(), role="onec")
    web.hub.storage, web.hub.door.intake = None, None
    status, told = await web.post("/v1/events", event(id="2"), role="onec")
    assert (status, told["title"]) == (503, "Service Unavailable")
    async with web.client.get("/readyz") as answer:
        assert (answer.status, await answer.json()) == (503, {"broker": None, "log": False, "lag": None})
