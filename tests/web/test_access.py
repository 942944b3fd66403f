"""Who may do what, and how a browser signs in."""

import asyncio

import pytest

from service import tokens
from service.web.routes import ROUTES
from tests.web.served import Served


async def test_without_a_token_nothing_is_answered_but_health_and_hooks(web: Served) -> None:
    """Every other address says 401, whether or not there is something behind it."""
    for route in ROUTES:
        path = route.path.replace("{channel}", "ym-msk").replace("{number}", "1").replace("{id}", "1")
        path = path.replace("{name}", "orders").replace("{code}", "x").replace("{what}", "events")
        async with web.client.request(route.method, path) as answer:
            assert (answer.status == 401) == (route.roles is not None), (route.path, answer.status)
    async with web.client.get("/openapi.json") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        ("onec", "POST", "/v1/events", 400), ("onec", "GET", "/v1/outbox", 200), ("onec", "GET", "/v1/orders", 403),
        ("onec", "GET", "/v1/events", 403), ("onec", "POST", "/v1/commands/1/retry", 403),
        ("auditor", "GET", "/v1/orders", 200), ("auditor", "GET", "/v1/events", 200),
        ("auditor", "POST", "/v1/events", 403),
        ("auditor", "POST", "/v1/commands/1/retry", 403), ("auditor", "POST", "/v1/rejected/1/resubmit", 403),
        ("auditor", "POST", "/v1/projections/orders/rebuild", 403),
        ("operator", "GET", "/v1/orders", 200), ("operator", "POST", "/v1/commands/1/retry", 404),
        ("operator", "POST", "/v1/rejected/1/resubmit", 404), ("admin", "POST", "/v1/commands/1/retry", 404),
        ("admin", "GET", "/metrics", 200),
    ],
)  # fmt: skip
async def test_roles(web: Served, role: str, method: str, path: str, status: int) -> None:
    """Each role does what CONTRACT.md says and no more."""
    async with web.client.request(method, path, headers=await web.headers(role)) as answer:
        assert answer.status == status, await answer.text()


async def test_a_new_token_ends_the_old_one_of_that_name(web: Served) -> None:
    """Only the hash is kept, and a name has one token."""
    old = await tokens.add(web.storage.pool, "1c", "onec")
    new = await tokens.add(web.storage.pool, "1c", "onec")
    statuses = []
    for token in (old, new):
        async with web.client.get("/v1/outbox", headers={"Authorization": f"Bearer {token}"}) as answer:
            statuses.append(answer.status)
    assert statuses == [401, 200]
    stored = await web.storage.pool.fetch("SELECT * FROM okno.tokens")
    assert not any(new in str(value) for row in stored for value in row.values())


async def test_a_token_in_use_ends_though_it_was_remembered(web: Served) -> None:
    """What was looked up a moment ago is looked up again: the old token stops, and the new one has its own role."""
    old = await tokens.add(web.storage.pool, "me", "auditor")
    headers = {"Authorization": f"Bearer {old}"}

    async def status() -> int:
        async with web.client.get("/v1/orders", headers=headers) as answer:
            return answer.status

    assert await status() == 200
    new = await tokens.add(web.storage.pool, "me", "onec")
    async with asyncio.timeout(60):
        while await status() == 200:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.05)
    assert await status() == 401
    headers["Authorization"] = f"Bearer {new}"
    assert await status() == 403


async def test_a_link_signs_a_browser_in_and_the_page_signs_it_out(web: Served) -> None:
    """The cookie is the browser's alone; what it may do is what the token may."""
    token = await tokens.add(web.storage.pool, "me", "operator")
    async with web.client.get("/login", params={"token": token}, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    async with web.client.get("/v1/orders") as answer:
        assert answer.status == 200
    async with web.client.post("/logout", allow_redirects=False) as answer:
        assert answer.status == 303
    async with web.client.get("/v1/orders") as answer:
        assert answer.status == 401


async def test_another_sites_page_cannot_act_with_our_cookie(web: Served) -> None:
    """A POST with the cookie is taken from our own pages only."""
    token = await tokens.add(web.storage.pool, "me", "operator")
    async with web.client.get("/login", params={"token": token}, allow_redirects=False):
        pass
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": str(web.client.make_url("")).rstrip("/")}, 404), ({}, 404),
    ):  # fmt: skip
        async with web.client.post("/v1/commands/1/retry", headers=headers) as answer:
            assert answer.status == status, headers


async def test_a_wrong_token_does_not_sign_in(web: Served) -> None:
    """401 with the sign-in page, and no cookie."""
    async with web.client.get("/login", params={"token": "x"}, headers={"Accept": "text/html"}) as answer:
        assert (answer.status, "Set-Cookie" in answer.headers) == (401, False)
