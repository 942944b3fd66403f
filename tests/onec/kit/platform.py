"""1C's platform as far as the kit uses it: values, texts, JSON and HTTP."""
# ruff: noqa: PLC2401  # members are named as in 1C

import http.client
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from tests.onec.kit.running import Fields, Raised
from tests.onec.kit.values import Array, Map, Names, Structure, filled, kind, text_of

ZONE = ZoneInfo("Europe/Moscow")
"""The session's time zone."""


class Writer:
    """ЗаписьJSON."""

    text = ""

    def установитьстроку(self, _: Any = None) -> None:
        self.text = ""

    def закрыть(self) -> str:
        return self.text


class Reader:
    """ЧтениеJSON."""

    text = ""

    def установитьстроку(self, text: str) -> None:
        self.text = text

    def закрыть(self) -> None:
        self.text = ""


def write_json(writer: Writer, value: Any, settings: Fields) -> None:
    """ЗаписатьJSON; what it can't write (references, unique identifiers) is a fault."""
    assert settings.fields["вариантзаписидаты"].endswith("локальнаядата")
    writer.text = json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Map):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Array):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{value!r} can't be written as JSON")


def read_json(reader: Reader, as_map: bool = False) -> Any:
    """ПрочитатьJSON into Соответствие and Массив."""
    assert as_map
    try:
        return _known(json.loads(reader.text, parse_float=Decimal))
    except ValueError as error:
        raise Raised(f"Непредвиденный символ при чтении JSON: {error}") from error


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return Map({key: _known(item) for key, item in value.items()})
    return Array(map(_known, value)) if isinstance(value, list) else value


class Request(Fields):
    """HTTPЗапрос."""

    def __init__(self, path: str, headers: Map) -> None:
        super().__init__({"Заголовки": headers})
        self.path, self.body = path, b""

    def установитьтелоизстроки(self, text: str, coding: str, mark: str) -> None:
        assert coding.endswith("utf8")
        assert mark.endswith("неиспользовать")
        self.body = text.encode()


class Answer(Fields):
    """HTTPОтвет."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__({"КодСостояния": status})
        self._body = body

    def получитьтелокакстроку(self, _: str) -> str:
        return self._body.decode()


class Connection:
    """HTTPСоединение."""

    def __init__(self, host: str, port: int, *rest: Any) -> None:
        self._host, self._port, self._timeout = host, port, rest[3]

    def отправитьдляобработки(self, request: Request) -> Answer:
        return self._asked("POST", request)

    def получить(self, request: Request) -> Answer:
        return self._asked("GET", request)

    def _asked(self, method: str, request: Request) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, request.path, request.body or None, dict(request.fields["заголовки"].items()))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        except OSError as error:
            raise Raised(f"Ошибка работы с Интернет: {error}") from error
        finally:
            connection.close()


def filled_in(template: str, *values: Any) -> str:
    """СтрШаблон."""
    for number, value in enumerate(values, 1):
        template = template.replace(f"%{number}", text_of(value))
    return template


def split(text: str, signs: str, blanks: bool = True) -> Array:
    """СтрРазделить."""
    for sign in signs[1:]:
        text = text.replace(sign, signs[0])
    return Array(part for part in text.split(signs[0]) if part or blanks)


def from_xml(shape: str, text: str) -> Decimal | int:
    """XMLЗначение, of numbers."""
    assert shape == "число"
    return Decimal(text) if "." in text else int(text)


def day(*given: Any) -> datetime:
    """Дата: of a year, a month and a day, or of a text as 20221128."""
    return datetime.strptime(given[0], "%Y%m%d") if isinstance(given[0], str) else datetime(*given)  # noqa: DTZ001, DTZ007  # 1C's have none


def moment(text: str, _: str) -> datetime:
    """ПрочитатьДатуJSON: in the session's zone, without it."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).astimezone(ZONE).replace(tzinfo=None)


def formatted(number: Any, how: str) -> str:
    """Формат: of whole numbers; without ЧГ=0 they are grouped, without ЧН a zero is nothing."""
    if number == 0 and "ЧН=" not in how:
        return ""
    return str(number) if "ЧГ=0" in how else f"{number:,}".replace(",", "\xa0")


def milliseconds() -> int:
    """ТекущаяУниверсальнаяДатаВМиллисекундах: since the year 1."""
    return time.time_ns() // 1_000_000 + 62_135_596_800_000


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "XMLЗначение": from_xml,
    "XMLСтрока": text_of,
    "Дата": day,
    "ЗаписатьJSON": write_json,
    "ЗначениеЗаполнено": filled,
    "КодироватьСтроку": lambda text, _: quote(text, safe=""),
    "Лев": lambda text, count: text[:count],
    "Макс": max,
    "Мин": min,
    "НРег": str.lower,
    "ПрочитатьJSON": read_json,
    "ПрочитатьДатуJSON": moment,
    "ПустаяСтрока": lambda text: not text.strip(),
    "СокрЛП": lambda text: text_of(text).strip(),
    "СтрДлина": len,
    "СтрЗаменить": str.replace,
    "СтрНайти": lambda text, part: text.find(part) + 1,
    "СтрНачинаетсяС": str.startswith,
    "СтрРазделить": split,
    "СтрСоединить": lambda parts, by: by.join(parts),
    "СтрШаблон": filled_in,
    "Строка": text_of,
    "ТекущаяДатаСеанса": lambda: datetime.now(ZONE).replace(tzinfo=None, microsecond=0),
    "Тип": str.casefold,
    "ТипЗнч": kind,
    "УстановитьПривилегированныйРежим": lambda _: None,
    "Формат": formatted,
}

OBJECTS: dict[str, Any] = {
    "ВариантЗаписиДатыJSON": Names("вариантзаписидатыjson"),
    "ИспользованиеByteOrderMark": Names("использованиеbyteordermark"),
    "КодировкаТекста": Names("кодировкатекста"),
    "ПереносСтрокJSON": Names("переносстрокjson"),
    "РежимЗаписиДокумента": Names("режимзаписидокумента"),
    "Символы": Fields({"ПС": "\n"}),
    "СпособКодированияСтроки": Names("способкодированиястроки"),
    "ТипВнешнейКомпоненты": Names("типвнешнейкомпоненты"),
    "УровеньЖурналаРегистрации": Names("уровеньжурналарегистрации"),
    "ФорматДатыJSON": Names("форматдатыjson"),
}

TYPES: dict[str, Callable[..., Any]] = {
    "HTTPЗапрос": Request,
    "HTTPСоединение": Connection,
    "ЗаписьJSON": Writer,
    "Массив": Array,
    "НастройкиСериализацииJSON": lambda: Fields({"ФорматСериализацииДаты": None, "ВариантЗаписиДаты": None}),
    "ПараметрыЗаписиJSON": lambda _: None,
    "Соответствие": Map,
    "Структура": Structure,
    "УникальныйИдентификатор": uuid.uuid4,
    "ЧтениеJSON": Reader,
}
