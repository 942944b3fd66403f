"""The HTTP client sends a call once, keeps to limits, and spares a marketplace that is down."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aioresponses import aioresponses

from service import backoff, http_client, settings
from service.http_client import Account, ChannelClient, Held, Sessions
from service.marketplaces.port import Call, CallFailed, Talk, Wanted

HOST = "https://market.test"
PUT = Call("PUT", "/v2/campaigns/1/orders/5/status", resource="orders/status", body={"order": {}}, changes=True)
OTHER = Call("PUT", "/v2/campaigns/1/orders/5/boxes", resource="orders/boxes", body={}, changes=True)
READ = Call("GET", "/v2/campaigns/1/orders", resource="orders")
STATUS = f"{HOST}{PUT.path}"


def client(sessions: Sessions, url: str = HOST, key: object = "secret") -> ChannelClient:
    own = {"business_id": 1, "campaign_id": 1, "api_key": key}
    table = {"kind": "yandex", "model": "dbs", "base_url": url, **own}
    marketplace = settings.parse({"channels": {"ym": table}}, Path()).channels["ym"].marketplace
    marketplace.call_timeout = 1.0
    return ChannelClient(sessions, marketplace)


@pytest.fixture
async def ym() -> AsyncIterator[ChannelClient]:
    async with http_client.sessions() as sessions:
        yield client(sessions)


@asynccontextmanager
async def cutting(answered: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers so many requests of all its connections, then reads each further one and cuts it."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                requests.append(head + await reader.readexactly(length))
                if len(requests) > answered:
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}")
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


@asynccontextmanager
async def any_session() -> AsyncIterator[Sessions]:
    """A session as it comes, for everything."""
    async with aiohttp.ClientSession() as session:
        yield Sessions(session, session)


@pytest.mark.parametrize("answered", [0, 1, 2])
@pytest.mark.parametrize("make", [http_client.sessions, any_session], ids=["own session", "any session"])
async def test_a_cut_connection_is_not_tried_again(
    answered: int, make: Callable[[], AbstractAsyncContextManager[Sessions]]
) -> None:
    """aiohttp repeats a PUT by itself when its connection is cut, new or kept alive; the hub's client does not."""
    async with cutting(answered) as (url, requests), make() as sessions:
        ym = client(sessions, url)
        for _ in range(answered):
            await ym.send(PUT)
        with pytest.raises(CallFailed) as failed:
            await ym.send(PUT)
        await asyncio.sleep(0.05)
        assert failed.value.sent is True
        assert len(requests) == answered + 1


@pytest.mark.parametrize(("call", "connections"), [(READ, 1), (PUT, 3)], ids=["reads", "changes"])
async def test_reads_share_a_connection(call: Call, connections: int) -> None:
    """To make one is most of what a read costs; a changing call must not meet one that is just being cut."""
    seen: set[object] = set()

    async def answer(request: web.Request) -> web.Response:
        seen.add(request.transport)
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    async with TestServer(app) as server, http_client.sessions() as sessions:
        ym = client(sessions, str(server.make_url("")))
        for _ in range(3):
            assert (await ym.send(call)).status == 200
    assert len(seen) == connections


async def test_a_read_whose_kept_connection_was_cut_is_made_again() -> None:
    """Nobody meant it, and reading twice changes nothing."""
    async with cutting(1) as (url, requests), http_client.sessions() as sessions:
        ym = client(sessions, url)
        await ym.send(READ)
        with pytest.raises(CallFailed):  # this server cuts the second one, too
            await ym.send(READ)
        assert len(requests) == 3


async def test_what_never_connected_was_not_sent(ym: ChannelClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is told apart from a lost answer, and so is a key file that is gone."""
    async with http_client.sessions() as sessions:
        with pytest.raises(CallFailed) as failed:
            await client(sessions, "http://127.0.0.1:1").send(PUT)
        assert failed.value.sent is False
    monkeypatch.setattr(ym._marketplace, "headers", lambda: Path("/gone").read_text())
    with pytest.raises(CallFailed, match="can't be read") as failed:
        await ym.send(PUT)
    assert failed.value.sent is False


async def test_a_key_in_a_file_is_read_for_each_call(tmp_path: Path, http_mock: aioresponses) -> None:
    """A key that was renewed in its file is used by the very next call."""
    file = tmp_path / "key"
    file.write_text("old\n")
    async with http_client.sessions() as sessions:
        ym = client(sessions, key={"file": str(file)})
        http_mock.put(STATUS, status=401)
        http_mock.put(STATUS, status=200)
        await ym.send(PUT)
        file.write_text("new\n")
        await ym.send(PUT)
        (calls,) = http_mock.requests.values()
        assert [call.kwargs["headers"]["Api-Key"] for call in calls] == ["old", "new"]


def limit_headers(left: int, until: datetime) -> dict[str, str]:
    return {
        "X-RateLimit-Resource-Remaining": str(left),
        "X-RateLimit-Resource-Until": format_datetime(until.astimezone(UTC), usegmt=True),
    }


async def test_a_limit_with_its_end(ym: ChannelClient, http_mock: aioresponses) -> None:
    """A method whose limit is used up is left alone until the moment the answer names; others go on."""
    until = (datetime.now(UTC) + timedelta(minutes=10)).replace(microsecond=0)
    http_mock.put(STATUS, status=420, headers=limit_headers(0, until))
    http_mock.put(f"{HOST}{OTHER.path}", status=200)
    await ym.send(PUT)
    assert ym.held_until(PUT.resource) == until
    with pytest.raises(Held) as held:
        await ym.send(PUT)
    assert (held.value.until, held.value.sent) == (until, False)
    assert (await ym.send(OTHER)).status == 200


async def test_a_limit_without_an_end(ym: ChannelClient, http_mock: aioresponses) -> None:
    """Too many calls at once: everything pauses for a moment with jitter, though calls are left."""
    hour = datetime.now(UTC) + timedelta(hours=1)
    http_mock.put(STATUS, status=420, headers=limit_headers(500, hour))
    await ym.send(PUT)
    held = ym.held_until(OTHER.resource)
    assert held is not None
    assert held - datetime.now(UTC) < timedelta(seconds=0.2)


async def test_the_last_call_before_a_limit_is_heeded(ym: ChannelClient, http_mock: aioresponses) -> None:
    """An answer that says none is left holds the method back before Market has to refuse."""
    until = (datetime.now(UTC) + timedelta(minutes=10)).replace(microsecond=0)
    http_mock.put(STATUS, status=200, headers=limit_headers(0, until))
    await ym.send(PUT)
    assert ym.held_until(PUT.resource) == until


async def test_reads_wait_out_a_short_limit(ym: ChannelClient, http_mock: aioresponses) -> None:
    """A read that meets a limit of a moment asks again by itself."""
    orders = f"{HOST}/v1/businesses/1/orders?limit=50"
    http_mock.post(orders, status=420)
    http_mock.post(orders, status=200, body=b'{"orders": []}')
    assert await ym.run(ym._marketplace.read([Wanted("5")])) == []


async def failing(ym: ChannelClient, http_mock: aioresponses, times: int, status: int) -> None:
    for _ in range(times):
        http_mock.put(STATUS, status=status)
        await ym.send(PUT)


async def test_a_shop_that_is_switched_off_holds_up_no_other(ym: ChannelClient, http_mock: aioresponses) -> None:
    """403 opens the channel's own circuit; another channel of the account goes on. An outage is everybody's."""
    account = Account()
    shut, other = (ChannelClient(ym._sessions, ym._marketplace, account) for _ in range(2))
    await failing(shut, http_mock, backoff.BREAKER_FAILURES, 403)
    assert (shut.held_until("x") is not None, other.held_until("x")) == (True, None)
    await failing(other, http_mock, backoff.BREAKER_FAILURES, 503)
    assert other.held_until("x") is not None
    assert ChannelClient(ym._sessions, ym._marketplace, account).held_until("x") is not None


@pytest.mark.parametrize("status", [503, 401])
async def test_circuit(ym: ChannelClient, http_mock: aioresponses, status: int) -> None:
    """Failures in a row, a refused key among them, open it for all calls; then one tries; when it works it closes."""
    await failing(ym, http_mock, backoff.BREAKER_FAILURES - 1, status)
    assert ym.held_until(OTHER.resource) is None
    await failing(ym, http_mock, 1, status)
    first = ym.circuit.until
    assert first is not None
    with pytest.raises(Held):
        await ym.send(OTHER)
    await asyncio.sleep((first - datetime.now(UTC)).total_seconds() + 0.01)
    await failing(ym, http_mock, 1, status)
    assert ym.circuit.until is not None
    assert ym.circuit.until - datetime.now(UTC) > timedelta(seconds=backoff.BREAKER_SECONDS[0]), "longer each time"
    await asyncio.sleep((ym.circuit.until - datetime.now(UTC)).total_seconds() + 0.01)
    http_mock.put(STATUS, status=400)
    await ym.send(PUT)
    assert ym.circuit.until is None
    assert ym.held_until(OTHER.resource) is None


async def test_half_open_lets_one_call_through(ym: ChannelClient, http_mock: aioresponses) -> None:
    """While the one that tries is under way, the others are held back."""
    await failing(ym, http_mock, backoff.BREAKER_FAILURES, 503)
    assert ym.circuit.until is not None
    await asyncio.sleep((ym.circuit.until - datetime.now(UTC)).total_seconds() + 0.01)
    answer = asyncio.Event()

    async def slow(*_: object, **__: object) -> None:
        await answer.wait()

    http_mock.put(STATUS, status=200, callback=slow)
    trial = asyncio.create_task(ym.send(PUT))
    await asyncio.sleep(0.02)
    with pytest.raises(Held):
        await ym.send(OTHER)
    answer.set()
    assert (await trial).status == 200
    assert ym.held_until(OTHER.resource) is None


async def test_a_talk_hears_of_what_holds_it(ym: ChannelClient, http_mock: aioresponses) -> None:
    """A read that may not be made now fails inside the talk, where an adapter can catch it."""
    await failing(ym, http_mock, backoff.BREAKER_FAILURES, 503)
    caught: list[CallFailed] = []

    def talk() -> Talk[str]:
        try:
            yield PUT
        except CallFailed as error:
            caught.append(error)
        return "none"

    assert await ym.run(talk()) == "none"
    assert isinstance(caught[0], Held)
