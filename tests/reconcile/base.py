"""A base of 1C that shows its orders over OData, as the platform does, and as it does on a bad day."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestServer

LOGIN, PASSWORD = "обмен", "пароль"  # a stand-in's own
WASHER, DRYER = "aaaaaaaa-0001-11ef-a850-cc52afc9fc6f", "aaaaaaaa-0002-11ef-a850-cc52afc9fc6f"
ARTICLES = {WASHER: "A-1", DRYER: "B-7"}
ROOT = "/ut/odata/standard.odata"


def document(number: int, order: str, date: str = "2022-11-28T10:00:00", **changed: Any) -> dict[str, Any]:
    """One «Заказ клиента» as it is shown: goods by reference, numbers of lines as texts."""
    return {
        "Ref_Key": f"e3f1d9b6-{number:04}-11ef-a850-cc52afc9fc6f", "DataVersion": "AAAAAQAAAAA=",
        "DeletionMark": False, "Number": f"ЦСУТ-{number:06}", "Date": date, "Posted": True, "Статус": "КОтгрузке",
        "НомерПоДаннымКлиента": order,
        "Товары": [
            {"LineNumber": "1", "Номенклатура_Key": WASHER, "Количество": 2, "Цена": 10.5, "Отменено": False},
            {"LineNumber": "2", "Номенклатура_Key": DRYER, "Количество": 1, "Цена": 5, "Отменено": False},
        ],
        **changed,
    }  # fmt: skip


class Base:
    """What it has and how it behaves. `faults`: statuses it answers before it is well; `asked`: queries it got."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.entity = "Document_ЗаказКлиента"
        self.takes_dates = self.takes_order = self.knows_skip = self.shows_goods = True
        self.faults: list[int] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.instead: str | None = None
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As the platform answers."""
        entity, query = request.match_info["entity"], dict(request.query)
        self.asked.append((entity, query))
        assert "+" not in request.rel_url.raw_query_string
        if self.instead is not None:
            return web.Response(text=self.instead)
        if self.faults:
            return _error(self.faults.pop(0), "Внутренняя ошибка")
        if request.headers.get("Authorization") != encode_basic_auth(LOGIN, PASSWORD, encoding="utf-8"):
            return web.Response(status=401, text="Идентификация пользователя не выполнена")
        if entity == "Catalog_Номенклатура" and self.shows_goods:
            keys = re.findall(r"Ref_Key eq guid'([^']+)'", query["$filter"])
            return _page(entity, [{"Ref_Key": k, "Артикул": f"{ARTICLES[k]}   ", "Code": "1"} for k in keys])
        if entity != self.entity:
            return _error(404, f"Сущность '{entity}' не найдена")
        found = self.documents
        if "$filter" in query:
            match = re.fullmatch(r"Date ge datetime'(.+)'", query["$filter"])
            if match is None or not self.takes_dates:
                return _error(400, "Ошибка при разборе опции запроса")
            found = [one for one in found if datetime.fromisoformat(one["Date"]) >= datetime.fromisoformat(match[1])]
        if "$orderby" in query:
            if not self.takes_order:
                return _error(400, "Ошибка при разборе опции запроса")
            found = sorted(found, key=lambda one: (one["Date"], one["Number"]))
        skip = int(query["$skip"]) if self.knows_skip else 0
        return _page(entity, found[skip : skip + int(query["$top"])])


def _page(entity: str, found: list[dict[str, Any]]) -> web.Response:
    return web.json_response(
        {"odata.metadata": f"http://h{ROOT}/$metadata#{entity}", "value": found},
        content_type="application/json", dumps=lambda value: "\ufeff" + _dumps(value),
    )  # fmt: skip


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _error(status: int, text: str) -> web.Response:
    error = {"odata.error": {"code": "6", "message": {"lang": "ru", "value": text}}}
    return web.Response(status=status, text=_dumps(error), content_type="application/json")


@asynccontextmanager
async def published(change: Callable[[Base], None] = lambda _: None) -> AsyncIterator[Base]:
    """A base on a port of its own."""
    base = Base()
    change(base)
    app = web.Application()
    app.router.add_get(ROOT + "/{entity}", base.answer)
    async with TestServer(app) as server:
        base.url = str(server.make_url(ROOT))
        yield base
