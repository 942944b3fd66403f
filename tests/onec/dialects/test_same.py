"""One document, whatever dialect it is written in: the same events follow."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from service.settings import Settings
from tests.onec.dialects.making import (
    GUID,
    NUMBER,
    WASHER,
    Order,
    base,
    facts,
    odata,
    rdv,
    written,
    xdto,
)  # fmt: skip

GOODS = (("A-1", 2, False), ("B-7", 1, False))
STORY: tuple[dict[str, Any], ...] = (
    {"status": "НеСогласован", "posted": False, "goods": GOODS},
    {"status": "НеСогласован", "posted": True, "goods": GOODS},
    {"status": "К обеспечению", "posted": True, "goods": (GOODS[0], ("B-7", 1, True))},
    {"status": "К обеспечению", "posted": False, "goods": (GOODS[0], ("B-7", 1, True))},
    {"status": "КОтгрузке", "posted": True, "goods": (GOODS[0], ("B-7", 1, True))},
    {"status": "КОтгрузке", "posted": True, "goods": (("A-1", 2, True), ("B-7", 1, True))},
    {"status": "КОтгрузке", "posted": True, "goods": GOODS},
    {"status": "КОтгрузке", "posted": True, "deleted": True, "goods": GOODS},
    {"status": "Закрыт", "posted": True, "goods": GOODS},
)
"""A document's life, as it stood each time it was sent."""


def _rows(at: dict[str, Any], **item: str) -> list[dict[str, Any]]:
    return [{"Артикул": f"{sku}    ", **item, "Количество": n, "Отменено": gone} for sku, n, gone in at["goods"]]


def as_rdv(at: dict[str, Any], number: int) -> bytes:
    """Without what is false; tabs; Cyrillic keys."""
    rows = [{key: value for key, value in row.items() if value} for row in _rows(at)]
    flags = {"Проведен": at["posted"], "ПометкаУдаления": at.get("deleted")}
    data = {
        "Номер": "Ц-1",
        "Дата": "2022-11-28T10:00:00",
        "НомерПоДаннымКлиента": NUMBER,
        "Статус": {"_Значение": at["status"]},
        "Товары": rows,
    }
    data |= {key: value for key, value in flags.items() if value}
    return rdv(data, id=f"m{number}", timestamp=1669629600000 + number)


def as_xdto(at: dict[str, Any], number: int) -> bytes:
    """All keys; the zeros of an empty reference."""
    del number
    value = {"Posted": at["posted"], "DeletionMark": at.get("deleted", False), "Number": "Ц-1   "}
    value |= {"НомерПоДаннымКлиента": NUMBER, "Товары": _rows(at, Номенклатура=WASHER)}
    return xdto(
        {**value, "Статус": {"#type": "jcfg:EnumRef.СтатусыЗаказовКлиентов", "#value": at["status"]}}, "ЗаказКлиента"
    )


def as_odata(at: dict[str, Any], number: int) -> bytes:
    """With 1C's version of data."""
    version = {"DataVersion": f"AAAAA{'ABCDEFGHI'[number]}AAAAA="}
    value = {"Posted": at["posted"], "DeletionMark": at.get("deleted", False), "Number": "Ц-1", "Статус": at["status"]}
    return odata({**value, **version, "НомерПоДаннымКлиента": NUMBER, "Товары": _rows(at, Номенклатура_Key=WASHER)})


def as_flat(at: dict[str, Any], number: int) -> bytes:
    """Latin keys of somebody's own, and Да and Нет."""
    words = {True: "Да", False: "Нет", None: "Нет"}
    tree = {"n": number, "key": NUMBER, "ref": GUID, "no": "Ц-1", "date": "2022-11-28T10:00:00", "state": at["status"]}
    goods = [{"art": sku, "qty": f"{n},000", "gone": words[gone]} for sku, n, gone in at["goods"]]
    return written({**tree, "on": words[at["posted"]], "off": words[at.get("deleted")], "goods": goods})


FLAT = {
    "n": "version", "key": "order", "ref": "document.id", "no": "document.number", "date": "document.date",
    "state": "status", "on": "posted", "off": "deleted", "goods.art": "lines.sku", "goods.qty": "lines.quantity",
    "goods.gone": "lines.cancelled",
}  # fmt: skip

EXPECTED = [
    ["order.registered"], [], ["order.confirmed"], ["order.unposted"], ["order.posted"], ["order.cancelled"],
    ["order.uncancelled", "order.confirmed"], ["order.cancelled"], ["order.uncancelled"],
]  # fmt: skip


@pytest.mark.parametrize(
    ("spelt", "settings"),
    [
        (as_rdv, base()),
        (as_xdto, base()),
        (as_odata, base()),
        (as_flat, base("flat", mapping=FLAT)),
    ],
)
def test_the_same_events_follow(spelt: Callable[[dict[str, Any], int], bytes], settings: Settings) -> None:
    """Of a whole life of a document, step by step, with the same facts as from RDV-MI."""
    known, first = Order(settings), Order(base())
    told = [known.follows(spelt(at, number), source="trade", id=f"m{number}") for number, at in enumerate(STORY)]
    assert told == EXPECTED
    for number, at in enumerate(STORY):
        first.send(as_rdv(at, number), source="trade")
    assert facts(known) == facts(first)


@pytest.mark.parametrize(("spelt", "settings"), [(as_rdv, base()), (as_xdto, base()), (as_odata, base())])
def test_an_equal_document_says_nothing(spelt: Callable[[dict[str, Any], int], bytes], settings: Settings) -> None:
    """Its keys in another order, other spaces, a BOM before it: nothing is recorded."""
    known = Order(settings)
    body = spelt(STORY[1], 1)
    known.send(body, source="trade", id="m1")
    again = json.dumps(json.loads(body), ensure_ascii=False, sort_keys=True, indent="\t").replace("\n", "\r\n")
    assert known.send(b"\xef\xbb\xbf" + again.encode(), source="trade", id="m2") == []
