"""Documents as 1C writes them in CommerceML, and the public files beside the checkout."""

from pathlib import Path
from typing import Any

import pytest

from service.onec.cloudevents import Message, Unreadable
from service.onec.reading import read
from service.settings import Settings
from service.understanding import understand
from tests.acceptance.spec import specs_dir
from tests.onec.making import SETTINGS

FROM_1C = "from_1c_cml31_documents_20_orders.xml"
SHORT = "official_example_cml203_orders_utf8.xml"
TO_1C = "site_to_1c_cml203_orders_windows1251.xml"


def public(name: str) -> bytes:
    """A public file, byte for byte."""
    path: Path = specs_dir() / "commerceml" / name
    if not path.exists():
        pytest.skip(f"no public file {path}: it is NOT checked")
    return path.read_bytes()


def requisites(said: dict[str, str]) -> str:
    """`ЗначенияРеквизитов`."""
    each = "".join(
        f"<ЗначениеРеквизита><Наименование>{name}</Наименование><Значение>{value}</Значение></ЗначениеРеквизита>"
        for name, value in said.items()
    )
    return f"<ЗначенияРеквизитов>{each}</ЗначенияРеквизитов>"


def goods(sku: str, quantity: str = "1", price: str = "100", sort: str = "Товар", more: str = "") -> str:
    """One line of goods."""
    return (
        f"<Товар><Ид>{sku}</Ид>{more}<Наименование>{sku}</Наименование><ЦенаЗаЕдиницу>{price}</ЦенаЗаЕдиницу>"
        f"<Количество>{quantity}</Количество>{requisites({'ТипНоменклатуры': sort})}</Товар>"
    )


def document(
    id: str = "ym-msk/48123456", said: dict[str, str] | None = None, lines: str = "", more: str = "",
    operation: str = "Заказ товара", tag: str = "Документ",
) -> str:  # fmt: skip
    """One document; `more` are further elements of it."""
    return (
        f"<{tag}><Ид>{id}</Ид><Номер>{id.rpartition('/')[2]}</Номер><Дата>2026-11-20</Дата><Время>10:00:00</Время>"
        f"<ХозОперация>{operation}</ХозОперация><Роль>Продавец</Роль>{more}"
        + (f"<Товары>{lines}</Товары>" if lines else "")
        + requisites(said or {})
        + f"</{tag}>"
    )


def file(
    *documents: str, formed: str = "2026-11-21T10:00:00", version: str = "2.08", more: str = "",
    encoding: str = "utf-8", containers: bool = False,
) -> bytes:  # fmt: skip
    """A file of documents; `more` are further attributes of its root."""
    held = [f"<Контейнер>{one}</Контейнер>" if containers else one for one in documents]
    space = ' xmlns="urn:1C.ru:commerceml_3"' if containers else ""
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n'
        f'<КоммерческаяИнформация{space} ВерсияСхемы="{version}" ДатаФормирования="{formed}" {more}>'
        + "".join(held)
        + "</КоммерческаяИнформация>\n"
    )
    return text.encode("utf-8-sig" if encoding == "utf-8" else encoding)


def said(body: bytes, settings: Settings = SETTINGS, /, **envelope: str) -> list[Message]:
    """The messages in a body, each of which must be understood."""
    found = read(body, envelope, settings)
    for message in found:
        assert not isinstance(message, Unreadable), message.detail
        understand(message, settings)
    return [message for message in found if isinstance(message, Message)]


def data(body: bytes, settings: Settings = SETTINGS, /, **envelope: str) -> Any:
    """The data of the one message in a body."""
    (message,) = said(body, settings, **envelope)
    return message.data
