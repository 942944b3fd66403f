"""A file may be written in anything that the hub reads from 1C: the same document says the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from service import database
from tests.onec.dialects.making import GUID, odata, rdv, xdto
from tests.reconcile.seeded import LINES, Hub

NUMBER = "48123456"
GOODS = [{"Артикул": line["sku"], "Количество": line["quantity"], "Цена": line["price"]} for line in LINES]
HEAD = {"Номер": "ЦСУТ-004512", "Дата": "2022-11-28T10:00:00", "НомерПоДаннымКлиента": NUMBER}
FLAT = """
dialect = "flat"
[onec.sources.ut11.mapping]
"Заказ" = "order"
"Документ" = "document.number"
"Проведён" = "posted"
"Строки[].Код" = "lines.sku"
"Строки[].Штук" = "lines.quantity"
"Строки[].Цена" = "lines.price"
"""
XML = f"""<?xml version="1.0" encoding="windows-1251"?>
<КоммерческаяИнформация ВерсияСхемы="2.08" ФорматСуммы="ЧРД=,"><Документ>
<Ид>ym-msk/{NUMBER}</Ид><Номер>{NUMBER}</Номер><ХозОперация>Заказ товара</ХозОперация><Товары>
<Товар><Ид>1</Ид><Артикул>A-1   </Артикул><Количество>2</Количество><ЦенаЗаЕдиницу>10,5</ЦенаЗаЕдиницу></Товар>
<Товар><Ид>2</Ид><Артикул>B-7</Артикул><Количество>1</Количество><ЦенаЗаЕдиницу>5,00</ЦенаЗаЕдиницу></Товар>
</Товары><ЗначенияРеквизитов>
<ЗначениеРеквизита><Наименование>Номер по 1С</Наименование><Значение>ЦСУТ-004512</Значение></ЗначениеРеквизита>
<ЗначениеРеквизита><Наименование>Проведен</Наименование><Значение>true</Значение></ЗначениеРеквизита>
</ЗначенияРеквизитов></Документ>
<Документ><Ид>{GUID}</Ид><Номер>00000077</Номер><ХозОперация>Заказ товара</ХозОперация></Документ>
</КоммерческаяИнформация>"""


def clean() -> bytes:
    """CloudEvents, one a line."""
    data = {"document": {"number": "ЦСУТ-004512"}, "posted": True, "lines": LINES}
    event = {"specversion": "1.0", "type": "order.snapshot", "subject": f"ym-msk/{NUMBER}", "data": data}
    return json.dumps(event).encode() + b"\n"


def page() -> bytes:
    """A page of OData."""
    document = json.loads(odata({"Статус": "КОтгрузке", "НомерПоДаннымКлиента": NUMBER, "Товары": GOODS}))
    head = {"odata.metadata": document.pop("odata.metadata").removesuffix("/@Element")}
    return json.dumps({**head, "value": [document]}, indent=2).encode()


def flat() -> bytes:
    """Somebody's own JSON."""
    lines = [{"Код": line["sku"], "Штук": line["quantity"], "Цена": line["price"]} for line in LINES]
    return json.dumps([{"Заказ": NUMBER, "Документ": "ЦСУТ-004512", "Проведён": "Да", "Строки": lines}]).encode()


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (clean(), ""),
        (rdv({**HEAD, "Проведен": True, "Статус": {"_Значение": "КОтгрузке"}, "Товары": GOODS}, baseid="ut11"), ""),
        (xdto({**HEAD, "Number": HEAD["Номер"], "Статус": "КОтгрузке", "Товары": GOODS}, "ЗаказКлиента"), ""),
        (page(), ""),
        (flat(), FLAT),
        (XML.encode("windows-1251"), ""),
    ],
    ids=["cloudevents", "rdv-mi", "xdto", "odata", "flat", "commerceml"],
)
async def test_the_same_in_each(database_url: str, tmp_path: Path, body: bytes, more: str) -> None:
    """The document and the stage differ, the goods and the sum don't; mended, nothing does."""
    hub = await Hub.at(database_url, tmp_path, more)
    await hub.place(int(NUMBER))
    path = tmp_path / "file"
    path.write_bytes(body)
    said: list[dict[str, Any]] = [one for one in await hub.said(path) if one["what"] == "difference"]
    stages = [one for one in said if one["kind"] == "stage"]
    assert {one["kind"] for one in said} <= {"document", "stage"}, said
    assert [(one["order"], one["fix"]) for one in stages] == [(f"ym-msk/{NUMBER}", "send")]
    assert "confirmed" in stages[0]["onec"]
    assert (await hub.okno(path, "--fix", "--yes")).exit_code == 0
    assert (await hub.okno(path)).exit_code == 0
    assert (await hub.state(f"ym-msk/{NUMBER}")).stage == "confirmed"
    await database.close(hub.pool)
