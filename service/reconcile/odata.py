"""Orders as 1C's OData interface lists them (the platform's own, version 3), page by page.

    GET …/standard.odata/Document_ЗаказКлиента?$format=json&$orderby=Date,Number&$top=200&$skip=0
        &$filter=Date ge datetime'2026-11-01T00:00:00'         where it refuses that, dates are looked at here
    GET …/Catalog_Номенклатура?$select=Ref_Key,Артикул,Code&$filter=Ref_Key eq guid'…' or …
                                                               goods are references there: their articles are put in

Reads only. Which document holds the orders is found by trying, unless it is configured or stands in the address. Login
and password are sent to the address they are configured for, and to no other. A page that fails is asked for again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import aiohttp
import msgspec

from events import codec
from service.onec.config import OData

ENTITIES = ("Document_ЗаказКлиента", "Document_ЗаказПокупателя")
"""Where orders are: in УТ, КА, ERP; in УНФ, Розница."""

GOODS, ITEM, ARTICLE, CODE = "Catalog_Номенклатура", "Номенклатура_Key", "Артикул", "Code"
TABLES = ("Товары", "Запасы")
PAGE = 200
GOODS_AT_ONCE = 20
"""So many references make an address of some 1,500 characters; web servers before 1C take no very long ones."""

PAUSES = (1.0, 4.0, 15.0)
"""Seconds before the second, third and fourth try."""

TIMEOUT = aiohttp.ClientTimeout(total=120, sock_connect=10)
AWAY = (aiohttp.ClientError, TimeoutError, OSError)
NO_REFERENCE = "00000000-0000-0000-0000-000000000000"

Document = dict[str, Any]


class ODataError(Exception):
    """1C does not give what was asked for: what, where, what to do. `status` None: no answer that makes sense."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class _Way(msgspec.Struct, frozen=True):
    """How pages are asked for: of which document, since when, in an order of theirs or not."""

    entity: str
    since: datetime | None
    ordered: bool


class Orders:
    """The orders that one address lists; `base`: what is configured of its base, times are by `zone`."""

    def __init__(self, url: str, base: OData | None, zone: ZoneInfo, *, page: int = PAGE) -> None:
        self.root, entity, login = _address(url)
        self._zone, self._page = zone, page
        if base is not None and login is None and base.login and _origin(base.url) == _origin(url):
            login = base.login, base.password
        entity = entity or (base.entity if base is not None else None)
        self._entities = (entity,) if entity is not None else ENTITIES
        self._login = login
        self._articles: dict[str, str] = {}
        self._shows_goods = True
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        login = self._login
        headers = {"Authorization": aiohttp.encode_basic_auth(*login, encoding="utf-8")} if login is not None else {}
        jar = aiohttp.DummyCookieJar()
        self._session = aiohttp.ClientSession(timeout=TIMEOUT, headers=headers, cookie_jar=jar)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        assert self._session is not None
        await self._session.close()

    async def bodies(self, since: datetime | None, progress: Callable[[int], None]) -> AsyncIterator[bytes]:
        """Every order since a time, each as a page of one; `progress` is told how many there were so far."""
        way, page = await self._found(since)
        head = {"odata.metadata": f"{self.root}/$metadata#{way.entity}"}
        count, before = 0, ""
        while page:
            if _id(page[0]) == before:
                raise ODataError(f"{self.root}/{way.entity} gives the same page again: it does not know $skip")
            before = _id(page[0])
            await self._name_goods(page)
            for document in page:
                if way.since is not None or since is None or not self._older(document, since):
                    yield codec.canonical({**head, "value": [document]})
            count += len(page)
            progress(count)
            page = await self._documents(way, count)

    async def _found(self, since: datetime | None) -> tuple[_Way, list[Document]]:
        """A way that this base understands, and the first page by it."""
        refused: list[ODataError] = []
        for entity in self._entities:
            ways = [_Way(entity, since, True), _Way(entity, None, True), _Way(entity, None, False)]
            for way in ways if since is not None else ways[1:]:
                try:
                    return way, await self._documents(way, 0)
                except ODataError as error:
                    if error.status in (None, 401, 403):
                        raise
                    refused.append(error)
                    if error.status == 404:
                        break
        raise next((error for error in refused if error.status != 404), refused[0])

    async def _documents(self, way: _Way, skip: int) -> list[Document]:
        query = {"$format": "json", "$top": str(self._page), "$skip": str(skip)}
        if way.ordered:
            query["$orderby"] = "Date,Number"
        if way.since is not None:
            query["$filter"] = f"Date ge datetime'{way.since.astimezone(self._zone):%Y-%m-%dT%H:%M:%S}'"
        return await self._asked(way.entity, query)

    def _older(self, document: Mapping[str, Any], since: datetime) -> bool:
        try:
            date = datetime.fromisoformat(str(document.get("Date", "")))
        except ValueError:
            return False
        return date.replace(tzinfo=date.tzinfo or self._zone) < since

    async def _name_goods(self, page: list[Document]) -> None:
        """Puts the articles of goods into lines that only refer to them; none where 1C does not show its goods."""
        tables = [document.get(table) for document in page for table in TABLES]
        lines = [line for rows in tables if isinstance(rows, list) for line in rows if isinstance(line, dict)]
        wanted = {str(line[ITEM]) for line in lines if line.get(ITEM) not in (None, "", NO_REFERENCE)}
        unknown = sorted(wanted - set(self._articles))
        for first in range(0, len(unknown), GOODS_AT_ONCE):
            if self._shows_goods:
                await self._look_up(unknown[first : first + GOODS_AT_ONCE])
        for line in lines:
            article = self._articles.get(str(line.get(ITEM)))
            if article and ARTICLE not in line:
                line[ARTICLE] = article

    async def _look_up(self, keys: list[str]) -> None:
        query = {"$format": "json", "$select": f"Ref_Key,{ARTICLE},{CODE}"}
        query["$filter"] = " or ".join(f"Ref_Key eq guid'{key}'" for key in keys)
        try:
            found = await self._asked(GOODS, query)
        except ODataError as error:
            if error.status is None:
                raise
            self._shows_goods = False  # not published, or not this user's to read
            return
        self._articles |= dict.fromkeys(keys, "")
        self._articles |= {_id(goods): str(goods.get(ARTICLE) or goods.get(CODE) or "").strip() for goods in found}

    async def _asked(self, entity: str, query: Mapping[str, str]) -> list[Document]:
        """The answer to one question; a fault of the server's, or of the way to it, is waited out."""
        # A query's own spelling of a blank is a plus sign, which 1C does not take for one.
        text = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
        url, where = f"{self.root}/{quote(entity)}?{text}", f"{self.root}/{entity}"
        for pause in (*PAUSES, None):
            status, body = await self._got(url)
            if status == 200:
                return _value(body, where)
            if pause is None or (status is not None and status < 500 and status != 429):
                raise ODataError(f"{where}{_refused(status, body)}", status)
            await asyncio.sleep(pause)
        raise AssertionError("the last try raises or returns")

    async def _got(self, url: str) -> tuple[int | None, bytes]:
        """Status and body of an answer; None and the reason where there was none."""
        assert self._session is not None
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                return answer.status, await answer.read()
        except AWAY as error:
            return None, (str(error) or type(error).__name__).encode()


def _address(url: str) -> tuple[str, str | None, tuple[str, str] | None]:
    """The interface's own address, the document it names at its end, login and password where it holds them."""
    parts = urlsplit(url)
    path, _, last = parts.path.rstrip("/").rpartition("/")
    entity = unquote(last) if unquote(last).startswith("Document_") else None
    path = path if entity is not None else parts.path.rstrip("/")
    root = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
    login, password = unquote(parts.username or ""), unquote(parts.password or "")
    return root, entity, (login, password) if login else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _value(body: bytes, where: str) -> list[Document]:
    try:
        value = codec.loads(body.removeprefix(b"\xef\xbb\xbf").decode())["value"]
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
    except (KeyError, TypeError, ValueError, msgspec.DecodeError):
        pass
    raise ODataError(f"{where} gives no OData in JSON: the address must be …/odata/standard.odata of a base")


def _refused(status: int | None, body: bytes) -> str:
    said = " ".join(body[:300].decode("utf-8", "replace").split())
    if status is None:
        return f" does not answer ({said}): check the address and the web server"
    if status == 401:
        return ": 401: login and password stand in [onec.sources.NAME.odata], for its own address alone"
    if status == 404:
        return ": 404: let 1C's OData interface show this document, or name another one with `entity`"
    return f": {status}: {said}"


def _id(document: Mapping[str, Any]) -> str:
    return str(document.get("Ref_Key", ""))
