"""`/hooks/CHANNEL/SECRET`: durable, then answered exactly as the marketplace asks."""

import pytest

from tests.web.served import SECRET, Served

CREATED = {
    "notificationType": "ORDER_CREATED", "campaignId": 2, "orderId": 48123456,
    "createdAt": "2026-01-16T10:09:49.759084017Z", "items": [{"offerId": "A", "count": 1}],
}  # fmt: skip
ADDRESS = f"/hooks/ym-msk/{SECRET}/notification"


async def test_a_notification_is_in_the_log_before_the_answer(web: Served) -> None:
    """A repeat is the same fact; the answer names the hub and the time."""
    for _ in range(2):
        async with web.client.post(ADDRESS, json=CREATED) as answer:
            told = await answer.json()
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert set(told) == {"version", "name", "time"}
    [stored] = await web.storage.log.read(0)
    assert (stored.order, stored.type, stored.source) == ("ym-msk/48123456", "marketplace.notified", "channel/ym-msk")
    assert await web.storage.log.body(stored.position) is not None


async def test_a_ping_leaves_nothing(web: Served) -> None:
    """Answered, not recorded."""
    async with web.client.post(ADDRESS, json={"notificationType": "PING", "time": "2026-01-16T10:09:49Z"}) as answer:
        assert answer.status == 200
    assert await web.storage.log.read(0) == []


@pytest.mark.parametrize(
    "path", ["/hooks/ym-msk/wrong/notification", f"/hooks/other/{SECRET}/notification", "/hooks/ym-msk/"]
)
async def test_a_wrong_secret_and_a_wrong_channel_look_the_same(web: Served, path: str) -> None:
    """404, and nothing is recorded."""
    async with web.client.post(path, json=CREATED) as answer:
        assert answer.status == 404
    assert await web.storage.log.read(0) == []


async def test_what_is_no_notification_is_not_asked_for_again(web: Served) -> None:
    """400 in Market's own words, which Market does not repeat."""
    async with web.client.post(ADDRESS, data=b"{") as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (400, "WRONG_EVENT_FORMAT")


async def test_market_is_asked_to_come_again_while_nothing_can_be_kept(web: Served) -> None:
    """503 makes Market repeat; nothing is lost."""
    web.hub.door.intake = None
    async with web.client.post(ADDRESS, json=CREATED) as answer:
        assert answer.status == 503
