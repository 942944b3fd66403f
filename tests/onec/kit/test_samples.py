"""The kit's samples are what its modules write, and the hub understands each of them."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from events.codec import decode
from service.onec.reading import read
from service.understanding import understand
from tests.onec.kit.base import Base, Document
from tests.onec.kit.making import made, order
from tests.onec.kit.modules import CONFIGURATIONS, KIT, sources, words_of_the_readme
from tests.onec.kit.values import Map
from tests.onec.making import SETTINGS
from tests.web.shop import Shop

KEY = "ym-msk/48123456"
POST = "РежимЗаписиДокумента.проведение"
SAMPLES = {path.stem: path.read_text() for path in sorted((KIT / "samples").glob("*.json"))}
OWN = re.compile(r'"(id|number|time|version)": "[^"]*"')
"""What differs from run to run, and from base to base."""

WAY = ("order_placed", "registered", "order", "shipment", "receipt", "return")
"""Samples that take an order along its way, told in turn."""


def posted(configuration: str) -> tuple[Base, Document]:
    """A base with one order that is posted."""
    base = made(configuration)
    document = order(base, KEY, ("BOSCH-WAN24260OE", 1), ("HOSE-15", 2), configuration=configuration)
    if configuration == "УНФ":
        state = base.add("СправочникСсылка.СостоянияЗаказовПокупателей", наименование="В работе")
        document.fields |= {"состояниезаказа": state, "вариантзавершения": "успешно"}
        document.записать(POST)
    return base, document


def placed(status: str) -> tuple[Base, Document]:
    """The same in УТ 11, with a status."""
    base, document = posted("УТ11")
    document.fields["статус"] = status
    document.записать("РежимЗаписиДокумента.запись" if status == "НеСогласован" else POST)
    return base, document


def last(base: Base) -> str:
    """The event that was queued last."""
    return str(base.call("ОкноОчередь", "КОтправке", 100)[-1].fields["телоjson"])


def order_placed() -> str:
    return last(placed("НеСогласован")[0])


def order_confirmed() -> str:
    return last(placed("КОтгрузке")[0])


def order_of_unf() -> str:
    return last(posted("УНФ")[0])


def line_cancelled() -> str:
    base, document = placed("КОтгрузке")
    document.fields["товары"][1].fields["отменено"] = True
    document.записать(POST)
    return last(base)


def deleted() -> str:
    base, document = placed("КОтгрузке")
    document.fields["пометкаудаления"] = True
    document.записать("РежимЗаписиДокумента.отменапроведения")
    return last(base)


def shipment() -> str:
    base, document = placed("КОтгрузке")
    shipped = base.new("РеализацияТоваровУслуг")
    for line in document.fields["товары"]:
        given = {name: line.fields[name] for name in ("номенклатура", "количество", "цена")}
        shipped.fields["товары"].добавить().fields |= {**given, "заказклиента": document.fields["ссылка"]}
    shipped.записать(POST)
    return last(base)


def declined() -> str:
    base, document = placed("КОтгрузке")
    base.call("ОкноОчередь", "ОтветитьОбОтмене", document.fields["ссылка"], False)
    return last(base)


def registered() -> str:
    base, document = placed("НеСогласован")
    mark = base.machine.call("ОкноСобытия", "Документ", document)
    base.call("ОкноОчередь", "ДобавитьОтметку", document.fields["ссылка"], "order.registered", Map(document=mark))
    return last(base)


WRITTEN: dict[str, Callable[[], str]] = {
    "order_placed": order_placed, "order": order_confirmed, "order_unf": order_of_unf,
    "order_line_cancelled": line_cancelled, "order_deleted": deleted, "shipment": shipment,
    "cancellation_declined": declined, "registered": registered,
}  # fmt: skip
"""What the kit's own modules write; the other samples are of what a shop adds."""


def plain(text: str) -> Any:
    """A sample without what is its own."""
    return json.loads(OWN.sub(r'"\1": "…"', json.dumps(json.loads(text), ensure_ascii=False)))


@pytest.mark.parametrize("name", WRITTEN)
def test_a_sample_is_what_the_kit_writes(name: str) -> None:
    """Key by key, but for ids, numbers and times."""
    assert plain(SAMPLES[name]) == plain(WRITTEN[name]())


@pytest.mark.parametrize("name", SAMPLES)
def test_the_hub_understands_a_sample(name: str) -> None:
    """None of its fields is set aside as unknown."""
    (message,) = read(SAMPLES[name].encode(), {}, SETTINGS)
    event = understand(message, SETTINGS)
    assert event.order == KEY
    assert b"extra" not in (event.personal or b"")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_says_what_the_page_explains(name: str) -> None:
    """Every key of a snapshot stands in the page's table."""
    said = json.loads(SAMPLES[name])
    if said["type"] == "order.snapshot":
        rows = [line for line in words_of_the_readme().splitlines() if line.startswith("|")]
        explained = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", "\n".join(rows)))))
        assert set(said["data"]) <= explained
        assert {key for line in said["data"].get("lines", ()) for key in line} <= explained


def test_every_type_the_modules_name_is_sent_or_told() -> None:
    """No message type is misspelt in the modules."""
    known = {json.loads(text)["type"] for text in SAMPLES.values()} | {
        "order.placed", "order.changed", "order.cancellation_requested", "order.cancellation_accepted",
        "order.cancelled", "order.deadline", "order.returned", "marketplace.refused", "marketplace.accepted",
    }  # fmt: skip
    for configuration in CONFIGURATIONS:
        said = set(re.findall(r'"((?:order|marketplace)\.\w+)"', "\n".join(sources(configuration).values())))
        assert said - known == set()


async def test_samples_told_in_turn_take_an_order_along_its_way(shop: Shop) -> None:
    """From the order 1C has made to the goods that came back: each is accepted, and what follows is derived."""
    await shop.place(KEY)
    for name in WAY:
        status, answer = await shop.served.post("/v1/events", SAMPLES[name].encode(), "onec")
        assert (status, answer) == (202, {"accepted": 1}), name
    events = await shop.log.read(1, 100)
    told = [event.type for event in events if event.type != "order.snapshot"]
    assert told[0] == "order.registered"
    assert [type for type in dict.fromkeys(told) if type != "order.registered"] == [
        "order.confirmed", "order.shipped", "order.delivered", "order.returned",
    ]  # fmt: skip
    assert all(decode(event) is not None for event in events)
