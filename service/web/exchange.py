"""`/exchange/1c/CHANNELS`: the exchange of orders that 1C's stock configurations speak; see `service.exchange`.

Who calls is known by Basic at `checkauth`, its password a token, and by the session's cookie then. Whatever goes wrong
is answered `failure` with a line that says why, with status 200, as public servers of this protocol do: 1C shows that
line to its user. A call without a login gets 401, for there are clients that send theirs only when they are asked.
"""

import base64
import binascii
import hmac
import tempfile
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element

import structlog
from aiohttp import web

from events.log import LogUnavailable
from service.door import Unavailable
from service.exchange import answers, news, orders
from service.exchange.answers import FAILURE, PROGRESS, SUCCESS, Failure
from service.exchange.directories import directories
from service.exchange.files import LARGEST, PIECE, Files, name
from service.exchange.sessions import COOKIE, Session, Sessions
from service.exchange.splitting import check_start, is_whole
from service.exchange.taking import SECONDS, Taking
from service.onec.config import Exchange
from service.tokens import Identity
from service.web.auth import KNOWN
from service.web.keys import HUB

logger = structlog.get_logger()

FILE_LIMIT: Final = 4 * 1024 * 1024
ALL: Final = "all"
AWAY: Final = "база данных узла сейчас недоступна: повторите обмен позже"


class Call:
    """One request, and what stands behind it. `encoding` is the base's, once it is known."""

    def __init__(self, request: web.Request) -> None:
        hub = request.app[HUB]
        if hub.storage is None:
            raise Unavailable("Postgres was not reached yet")
        self.request, self.settings, self.log = request, hub.settings, hub.storage.log
        self.sessions, self.files = Sessions(hub.storage.pool), Files(hub.storage.pool)
        self.taking = Taking(hub.door, self.log, self.files, hub.settings)
        self.asked = request.match_info["channels"].strip()
        self.own = Exchange()
        self.channels: Collection[str] = ()

    def query(self, key: str) -> str:
        """A parameter of the address; empty where there is none."""
        return self.request.query.get(key, "").strip()

    def of(self, source: str) -> str:
        """Takes what is set of a base, and its channels of those asked for; their spelling in its cursor."""
        base = self.settings.onec.base(source)
        self.own = base.exchange
        told = self.settings.channels if base.tells is None else base.tells
        if self.asked == ALL:
            self.channels = tuple(told)
            return ALL
        named = sorted({channel.strip() for channel in self.asked.split(",") if channel.strip()})
        for channel in named:
            if channel not in self.settings.channels:
                raise Failure(f"в адресе обмена канал {channel[:80]!r}, а такого нет в настройке узла: исправьте адрес")
            if channel not in told:
                raise Failure(f"база {source} не получает заказы канала {channel!r}: добавьте его в tells этой базы")
        if not named:
            raise Failure(f"в адресе обмена нет каналов: перечислите их через запятую, или {ALL}")
        self.channels = named
        return ",".join(named)

    def text(self, *lines: str, status: int = 200) -> web.Response:
        """An answer in lines."""
        return _text("\n".join(lines) + "\n", self.own.encoding, status)

    def xml(self, root: Element) -> web.Response:
        """An answer in CommerceML."""
        return _sent(answers.xml(root, self.own.encoding), "application/xml", self.own.encoding)


def _text(lines: str, encoding: str, status: int = 200) -> web.Response:
    return _sent(answers.text(lines, encoding), "text/plain", encoding, status)


def _sent(body: bytes, media: str, encoding: str, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}  # these are GETs that must reach us, with people's names in the answers
    return web.Response(body=body, status=status, content_type=media, charset=encoding, headers=headers)


async def exchange(request: web.Request) -> web.StreamResponse:
    """Answers one request of 1C's."""
    call = None
    try:
        call = Call(request)
        return await _answer(call)
    except Failure as failure:
        why = str(failure)
        logger.info(
            "1C's exchange refused", mode=request.query.get("mode", "")[:40], channels=call and call.asked, why=why
        )
    except (LogUnavailable, Unavailable) as error:
        logger.warning("1C's exchange waits for Postgres", error=str(error))
        why = AWAY
    except web.RequestPayloadError:
        why = "запрос оборвался: повторите обмен"
    except web.HTTPException:
        raise
    except Exception:
        logger.exception("1C's exchange failed", mode=request.query.get("mode", ""))
        why = "ошибка узла, подробности в его журнале: повторите обмен позже"
    return call.text(FAILURE, why) if call is not None else _text(f"{FAILURE}\n{why}\n", "utf-8")


async def _answer(call: Call) -> web.StreamResponse:
    if call.query("type") != "sale":
        raise Failure("здесь только обмен заказами (type=sale): снимите выгрузку товаров в настройке обмена")
    mode = call.query("mode")
    if mode == "checkauth":
        return await _checkauth(call)
    session = await _session(call)
    act = MODES.get(mode)
    if act is None:
        raise Failure(f"неизвестная команда mode={mode[:40]}: есть checkauth, {', '.join(MODES)}")
    return await act(call, session)


async def _session(call: Call) -> Session:
    """The session of a cookie; it goes for one address, and with its sessid where one was given."""
    session = await call.sessions.find(call.request.cookies.get(COOKIE, ""))
    if session is None:
        raise Failure("сеанс обмена не начат или истёк: начните обмен заново (mode=checkauth)")
    if call.of(session.source) != session.channels:
        raise Failure("сеанс начат для других каналов: начните обмен заново (mode=checkauth)")
    sessid = call.query("sessid")
    if not sessid and session.version is None:  # older ones don't know it
        return session
    if not hmac.compare_digest(sessid.encode(), session.sessid.encode()):
        raise Failure("sessid не от этого сеанса: начните обмен заново (mode=checkauth)")
    return session


async def _checkauth(call: Call) -> web.StreamResponse:
    token = _password(call.request.headers.get("Authorization", ""))
    if token is None:
        response = call.text(FAILURE, "нужны логин и пароль: пароль — токен, его даёт okno token add", status=401)
        response.headers["WWW-Authenticate"] = 'Basic realm="okno"'
        return response
    who: Identity | None = await call.request.app[KNOWN].whose(call.request, token) if token else None
    if who is None or not who.may("onec"):
        raise Failure("неверный пароль: укажите токен с ролью onec (okno token add ИМЯ --role onec --source БАЗА)")
    call.request.app[HUB].heard.said(who.base)  # an exchange that has no news is one all the same
    channels = call.of(who.base)
    cookie, sessid = await call.sessions.begin(who, channels)
    return call.text(SUCCESS, COOKIE, cookie, f"sessid={sessid}")


def _password(header: str) -> str | None:
    """The password of a Basic header; None where there is no such header, empty where it can't be read."""
    scheme, _, said = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(said, validate=True).decode("utf-8", "replace").partition(":")[2].strip()
    except binascii.Error:
        return ""


async def _init(call: Call, session: Session) -> web.StreamResponse:
    asked = call.query("version") or None
    await call.files.clear(session)
    await call.sessions.speaks(session, asked[:20] if asked else None)
    lines = ["zip=no", f"file_limit={FILE_LIMIT}"]
    if asked:
        lines += [f"sessid={session.sessid}", f"version={answers.version(asked, call.own.version)}"]
    return call.text(*lines)


async def _query(call: Call, session: Session) -> web.StreamResponse:
    found = await news.since(call.log, await call.sessions.cursor(session), call.channels)
    version, zone = answers.version(session.version, call.own.version), call.settings.zone(session.source)
    answer = call.xml(orders.document(found.orders, version, zone, datetime.now(UTC)))
    await call.sessions.told(session, found.place)
    if not found.orders:  # there is nothing to lose, and there are bases that confirm only what they got
        await call.sessions.confirm(session, found.place)
    logger.info("orders given to 1C", source=session.source, channels=session.channels, orders=len(found.orders))
    return answer


async def _success(call: Call, session: Session) -> web.StreamResponse:
    if session.sent is not None:
        await call.sessions.confirm(session, session.sent)
    return call.text(SUCCESS)


async def _file(call: Call, session: Session) -> web.StreamResponse:
    if call.request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Failure("тело запроса сжато: отключите сжатие в настройке обмена")
    filename = name(call.query("filename"))
    known = await call.files.find(session, filename)
    fresh = known is None or known.ended or not known.bytes
    with tempfile.SpooledTemporaryFile(max_size=PIECE) as body:
        size, blank = 0, True
        async for piece in call.request.content.iter_chunked(PIECE):
            if fresh and size == 0:
                check_start(piece)
            size, blank = size + len(piece), blank and not piece.strip()
            if size > LARGEST:
                raise Failure(f"файл больше {LARGEST // PIECE} МБ: выгружайте заказы за меньший период")
            body.write(piece)
        if size == 0:
            raise Failure("в запросе нет файла: его байты передаются телом POST")
        if fresh and blank:  # what is left of a file that was whole before
            return call.text(SUCCESS)
        body.seek(0)
        await call.files.add(session, filename, body)
    if session.version is None and is_whole(await call.files.tail(session, filename)):
        kept = await call.files.find(session, filename)
        assert kept is not None
        await call.taking.take(session, kept, call.channels, None)
    return call.text(SUCCESS)


async def _import(call: Call, session: Session) -> web.StreamResponse:
    filename = name(call.query("filename"))
    file = await call.files.find(session, filename)
    if file is None:
        raise Failure(f"файла {filename!r} в этом сеансе не было: передайте его командой mode=file")
    if file.fault is not None:
        raise Failure(file.fault)
    if file.ended or await call.taking.take(session, file, call.channels, SECONDS):
        return call.text(SUCCESS)
    return call.text(PROGRESS)


async def _info(call: Call, _: Session) -> web.StreamResponse:
    return call.xml(directories())


MODES: Final[dict[str, Callable[[Call, Session], Awaitable[web.StreamResponse]]]] = {
    "init": _init, "query": _query, "success": _success, "file": _file, "import": _import, "info": _info,
}  # fmt: skip


def add_routes(app: web.Application) -> None:
    """The addresses of the exchange; people paste paths of other sites behind theirs."""
    for path in ("/exchange/1c/{channels}", "/exchange/1c/{channels}/{tail:.*}"):
        app.router.add_get(path, exchange, allow_head=False)
        app.router.add_post(path, exchange)
