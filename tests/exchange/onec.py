"""A pretend 1C: it speaks «Обмен с сайтом» as stock configurations do, over any HTTP client of aiohttp's."""

import base64
import io
from typing import Any
from xml.etree.ElementTree import Element

import aiohttp
from defusedxml.ElementTree import fromstring

ADDRESS = "/exchange/1c/ym-msk"


class OneC:
    """One base. `version`: the one it names at `init`; None: the old protocol, without a sessid."""

    def __init__(
        self, client: Any, token: str, address: str = "/exchange/1c/ym-msk", version: str | None = None
    ) -> None:
        self.client, self.address, self.version = client, address, version
        self.login = "Basic " + base64.b64encode(f"Администратор:{token}".encode()).decode()
        self.cookie: str | None = None
        self.sessid: str | None = None
        self.limit = 0
        self.encoding = "ascii"

    async def ask(self, mode: str, *, data: bytes | None = None, **query: str) -> tuple[int, bytes]:
        """One request; status and body."""
        query = {"type": "sale", "mode": mode, **query}
        if self.sessid is not None and self.version is not None:
            query["sessid"] = self.sessid
        headers = {"Authorization": self.login}
        if self.cookie is not None:
            headers["Cookie"] = self.cookie
        method = self.client.get if data is None else self.client.post
        more = {} if data is None else {"data": io.BytesIO(data)}
        async with method(self.address, params=query, headers=headers, **more) as got:
            self.encoding = got.charset or "ascii"
            return got.status, await got.read()

    async def lines(self, mode: str, **more: Any) -> list[str]:
        """The lines of an answer that must be text."""
        status, body = await self.ask(mode, **more)
        assert status == 200, body
        return body.decode(self.encoding).removeprefix("\ufeff").splitlines()

    async def begin(self) -> list[str]:
        """`checkauth` and `init`; what `init` answered."""
        self.cookie = self.sessid = None
        success, name, value, *more = await self.lines("checkauth")
        assert success == "success"
        self.cookie = f"{name}={value}"
        self.sessid = more[0].removeprefix("sessid=") if more else None
        answer = await self.lines("init", **({"version": self.version} if self.version is not None else {}))
        self.limit = int(answer[1].removeprefix("file_limit="))
        return answer

    async def orders(self) -> list[Element]:
        """`query`: the documents, names without a namespace."""
        status, body = await self.ask("query")
        assert status == 200
        return documents(body)

    async def confirm(self) -> None:
        """`success`."""
        assert await self.lines("success") == ["success"]

    async def send(self, content: bytes, name: str = "orders.xml", piece: int | None = None) -> list[str]:
        """`file` in pieces, and `import` to its end where the protocol has it; the last answer."""
        size = piece or self.limit
        answer: list[str] = []
        for at in range(0, len(content), size):
            answer = await self.lines("file", data=content[at : at + size], filename=name)
            if answer != ["success"]:
                return answer
        if self.version is None:
            return answer
        while (answer := await self.lines("import", filename=name))[0] == "progress":
            pass
        return answer


def documents(body: bytes) -> list[Element]:
    """The documents in an answer."""
    root = fromstring(body, forbid_dtd=True)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return list(root.iter("Документ"))


def requisites(document: Element) -> dict[str, str]:
    """A document's requisites by name."""
    found = document.iterfind("ЗначенияРеквизитов/ЗначениеРеквизита")
    return {one.findtext("Наименование") or "": one.findtext("Значение") or "" for one in found}


def at(client: aiohttp.ClientSession, base: str) -> "_Based":
    """A client whose addresses begin with a hub's."""
    return _Based(client, base)


class _Based:
    def __init__(self, client: aiohttp.ClientSession, base: str) -> None:
        self._client, self._base = client, base

    def get(self, path: str, **more: Any) -> Any:
        """A GET."""
        return self._client.get(self._base + path, **more)

    def post(self, path: str, **more: Any) -> Any:
        """A POST."""
        return self._client.post(self._base + path, **more)
