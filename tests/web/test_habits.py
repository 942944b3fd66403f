"""What an HTTP client may take for granted: HEAD, percent-encoding, and errors that say what to do."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.web.served import Served


async def test_binary_headers_are_percent_encoded(web: Served) -> None:
    """CloudEvents' HTTP binding encodes what is not printable ASCII; the log holds what was meant."""
    said = {"ce-id": "Док №1", "ce-source": "1c/УТ", "ce-type": "order.shipped", "ce-subject": "ym-msk/Заказ 1%/2"}
    assert (await web.post("/v1/events", {}, headers={name: quote(value) for name, value in said.items()}))[0] == 202
    [stored] = await web.storage.log.read(0)
    assert (stored.order, stored.source, stored.id) == ("ym-msk/Заказ 1%/2", "1c/УТ", "Док №1")


async def test_whatever_can_be_got_can_be_headed(web: Served) -> None:
    """HEAD is answered as GET without a body; load balancers probe with it."""
    for path in ("/healthz", "/readyz", "/v1/orders", "/v1/events"):
        async with web.client.head(path, headers=await web.headers("auditor")) as answer:
            assert (path, answer.status, await answer.read()) == (path, 200, b"")
    async with web.client.head("/v1/orders") as answer:
        assert answer.status == 401


async def test_a_body_that_is_not_as_its_header_says_is_the_senders_fault(web: Served) -> None:
    """400, not 500: nothing of the hub's is broken."""
    status, told = await web.post("/v1/events", b"{}", headers={"Content-Encoding": "gzip"})
    assert (status, "Content-Encoding" in told["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("/v1/rejected", {"after": "zz"}, "'zz' is no cursor"),
        ("/v1/rejected", {"after": "0001-01-01T00:00:00+14:00_x"}, "is no cursor"),
        ("/v1/outbox", {"after": "x"}, "'x' is no cursor: pass `cursor`"),
        ("/v1/outbox", {"after": "1-"}, "'1-' is no cursor"),
        ("/v1/orders", {"limit": "x"}, "limit is 'x', it must be a whole number"),
        ("/v1/orders", {"limit": "٣"}, "it must be a whole number"),
        ("/v1/orders", {"stage": "sent"}, "there are placed, confirmed"),
        ("/v1/commands", {"state": "stuck"}, "there are waiting, sending"),
    ],
)
async def test_a_faulty_question_is_named(web: Served, path: str, query: dict[str, Any], says: str) -> None:
    """400 with what was asked wrongly; a misspelt filter does not read as an empty list."""
    status, told = await web.get(path, **query)
    assert (status, says in told["detail"]) == (400, True), told


async def test_what_is_not_there_is_404_and_a_wrong_method_says_the_right_one(web: Served) -> None:
    """An unknown command is not a conflict, and no error says only its own number."""
    assert (await web.post("/v1/commands/nope/retry"))[0] == 404
    status, told = await web.get("/v1/nope")
    assert (status, told["detail"]) == (404, "there is no such address: /openapi.json lists them")
    status, told = await web.post("/v1/orders")
    assert (status, "it takes GET" in told["detail"]) == (405, True)
