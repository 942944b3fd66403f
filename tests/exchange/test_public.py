"""What 1C gets, judged by others: the official schema of 2.09, and a public parser of the protocol, run as it is."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree.ElementTree import Element, tostring
from zoneinfo import ZoneInfo

import pytest
import xmlschema

from events.order import facts as f
from events.order.state import OrderState
from service.exchange import answers, orders
from service.exchange.news import Order
from tests.exchange.conftest import LINES, PEOPLE, PLACED
from tests.exchange.onec import documents
from tests.onec.commerceml.making import public

ZONE = ZoneInfo("Europe/Samara")
NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
MADE = (
    Order(
        OrderState(
            order="ym-msk/48123456", number="48123456", version=4, placed=True, lines=LINES, currency="RUB",
            total=Decimal("39570.00"), placed_at=PLACED, updated_at=NOW, status="PROCESSING/STARTED",
            deadlines=(f.Deadline("shipped", NOW),), delivery=f.Delivery(type="courier", since=NOW, until=NOW),
        ),
        PEOPLE,
    ),
    Order(OrderState(order="oz/7-1", number="7-1", placed=True, updated_at=NOW, returned=True,
                     lines=(f.Line(sku="A", quantity=1),)), {}),
    Order(OrderState(order="mm/1", number="1", placed=True, updated_at=NOW, lines=LINES[:1]),
          {"customer": {"phone": "+70000000002"}, "comment": "<&>" * 2000}),
)  # fmt: skip
"""An order with everything, and two with as little as there may be."""


def written(version: str, encoding: str) -> bytes:
    """The answer to `query`."""
    return answers.xml(orders.document(MADE, version, ZONE, NOW), encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
@pytest.mark.parametrize("version", ["2.03", "2.09", "2.10"])
def test_the_official_schema_takes_it(version: str, encoding: str, tmp_path: Path) -> None:
    """Every element at its place, no text too long; the schema alone wants a namespace, which sites never write."""
    (tmp_path / "CML209.xsd").write_bytes(public("CML209.xsd"))
    schema = xmlschema.XMLSchema(str(tmp_path / "CML209.xsd"))
    root = Element("КоммерческаяИнформация", {"ВерсияСхемы": version, "ДатаФормирования": "2026-11-28T14:00:00"})
    root.extend(documents(written(version, encoding)))
    for element in root.iter():
        element.tag = f"{{urn:1C.ru:commerceml_2}}{element.tag}"
    assert [error.reason for error in schema.iter_errors(tostring(root, encoding="unicode"))] == []


def test_a_public_parser_reads_it(tmp_path: Path) -> None:
    """The parser `commerceml-parser` of npm finds each order, its number, day and what it is.

    `npm install --prefix FOLDER commerceml-parser@3.0.3`, and OKNO_NODE_MODULES=FOLDER/node_modules.
    """
    modules, node = os.environ.get("OKNO_NODE_MODULES"), shutil.which("node")
    if modules is None or node is None:
        pytest.skip("no OKNO_NODE_MODULES with commerceml-parser, or no node: the public parser is NOT asked")
    (tmp_path / "orders.xml").write_bytes(written("2.10", "utf-8"))
    script = tmp_path / "read.js"
    script.write_text("""
        const {OrdersParser} = require('commerceml-parser/dist/orders-parser');
        const parser = new OrdersParser(), found = [];
        parser.onCommercialInformation(about => { found.push(about.schemaVersion); });
        const of = one => [one.id, one.number, one.date, one.operation, one.role, one.currency];
        parser.onDocument(one => { found.push(of(one)); });
        parser.parse(require('fs').createReadStream(process.argv[2])).then(() => console.log(JSON.stringify(found)));
    """)
    words = [node, str(script), str(tmp_path / "orders.xml")]
    shown = subprocess.run(words, check=True, capture_output=True, text=True, env={"NODE_PATH": modules}).stdout
    day = f"{PLACED.astimezone(ZONE):%Y-%m-%d}"
    assert json.loads(shown) == [
        "2.10", ["ym-msk/48123456", "48123456", day, "Заказ товара", "Продавец", "RUB"],
        ["oz/7-1", "7-1", "2026-11-28", "Заказ товара", "Продавец", "RUB"],
        ["mm/1", "1", "2026-11-28", "Заказ товара", "Продавец", "RUB"],
    ]  # fmt: skip
