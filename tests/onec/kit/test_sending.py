"""The kit's sender, run against a hub: every event arrives once, and one that is faulty stops no other."""

import asyncio
import json
from typing import Any

import pytest

from tests.onec.kit.conftest import Talking
from tests.onec.kit.making import order
from tests.onec.kit.platform import Answer, Connection
from tests.onec.kit.running import Raised
from tests.web.shop import Shop

KEY = "ym-msk/48123456"
POST = "РежимЗаписиДокумента.проведение"


def rows(talking: Talking) -> list[dict[str, Any]]:
    """The outbox."""
    return talking.base.rows("ОчередьСобытийОкно")


async def logged(shop: Shop) -> list[tuple[str, str]]:
    """Order and type of every event in the log."""
    return [(event.order, event.type) for event in await shop.log.read(0, 1000)]


async def test_a_posted_order_is_confirmed_at_the_hub(shop: Shop, talking: Talking) -> None:
    """Its snapshot is recorded, and what follows from it: the shop has the order, and will fulfil it."""
    document = order(talking.base, KEY, ("BOSCH", 2))
    document.fields["статус"] = "КОтгрузке"
    document.записать(POST)
    await talking.send()
    assert await logged(shop) == [(KEY, "order.snapshot"), (KEY, "order.registered"), (KEY, "order.confirmed")]
    assert [(row["отправлено"], row["ошибка"], row["попыток"]) for row in rows(talking)] == [(True, "", 1)]
    (event,) = await shop.log.read(0, 1)
    assert event.source == "1c/ut11"


async def test_faulty_events_are_set_aside_alone(shop: Shop, talking: Talking) -> None:
    """The hub takes nothing and names the culprits by their places; the others go, they wait with the reason."""
    numbers = {number: "no-such-shop" if number in (0, 10) else "ym-msk" for number in range(12)}
    for number, channel in numbers.items():
        order(talking.base, f"{channel}/{number}", ("BOSCH", 1)).записать(POST)
    await talking.send()
    assert {key for key, _ in await logged(shop)} == {f"ym-msk/{number}" for number in numbers if number not in (0, 10)}
    for number, row in enumerate(rows(talking)):
        assert (row["отправлено"], row["неисправно"]) == (number not in (0, 10), number in (0, 10))
    assert rows(talking)[0]["ошибка"].startswith("/0/subject: channel 'no-such-shop'")
    assert rows(talking)[10]["ошибка"].startswith("/10/subject: channel 'no-such-shop'")


async def test_an_event_that_is_too_large_is_found_among_the_others(shop: Shop, talking: Talking) -> None:
    """413 names nobody: the batch is halved until the culprit stands alone."""
    for number in range(5):
        order(talking.base, f"ym-msk/{number}", ("BOSCH", 1)).записать(POST)
    large = rows(talking)[3]
    event = json.loads(large["телоjson"])
    large["телоjson"] = json.dumps({**event, "note": "x" * 9_000_000})
    talking.base.registers["очередьсобытийокно"].rows[(large["идентификатор"],)] = large
    await talking.send()
    assert {key for key, _ in await logged(shop)} == {"ym-msk/0", "ym-msk/1", "ym-msk/2", "ym-msk/4"}
    assert [row["неисправно"] for row in rows(talking)] == [False, False, False, True, False]


async def test_without_a_hub_everything_waits(shop: Shop, talking: Talking) -> None:
    """No connection, and a token that is refused: the events stay, under their ids, and arrive once it is mended."""
    order(talking.base, KEY, ("BOSCH", 1)).записать(POST)
    address, (row,) = str(shop.client.make_url("/")), rows(talking)
    talking.set("Адрес", "http://127.0.0.1:9")
    await talking.send()
    talking.set("Адрес", address)
    token = talking.base.registers["настройкиокно"].rows[("Токен",)]["значение"]
    talking.set("Токен", "another")
    await talking.send()
    (waiting,) = rows(talking)
    assert (waiting["отправлено"], waiting["неисправно"], waiting["попыток"]) == (False, False, 2)
    assert waiting["ошибка"].startswith("HTTP 401")
    talking.set("Токен", token)
    await talking.send()
    (event, *_) = await shop.log.read(0, 1)
    assert event.id == str(row["идентификатор"])


async def test_an_answer_that_is_lost_doubles_nothing(
    shop: Shop, talking: Talking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub has the event, 1C does not know: it comes again under the same id, and is recorded once."""
    order(talking.base, KEY, ("BOSCH", 1)).записать(POST)
    asked, lost = Connection._asked, list[int]()

    def lossy(self: Connection, *arguments: Any) -> Answer:
        answer = asked(self, *arguments)
        if not lost:
            lost.append(1)
            raise Raised("Соединение разорвано")
        return answer

    monkeypatch.setattr(Connection, "_asked", lossy)
    await talking.send()
    assert len(await logged(shop)) == 2
    await talking.send()
    assert len(await logged(shop)) == 2
    assert rows(talking)[0]["отправлено"] is True


@pytest.mark.parametrize("status", [400, 404, 502])
async def test_what_is_no_hub_is_not_believed(talking: Talking, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """A proxy's own page leaves the events where they are: none is taken for sent, none for faulty."""
    order(talking.base, KEY, ("BOSCH", 1)).записать(POST)
    monkeypatch.setattr(Connection, "_asked", lambda *_: Answer(status, b"<html>nginx</html>"))
    await talking.send()
    assert [(row["отправлено"], row["неисправно"]) for row in rows(talking)] == [(False, False)]
    assert "<html>nginx</html>" in rows(talking)[0]["ошибка"]


async def test_the_checkup_says_what_is_missing(shop: Shop, talking: Talking) -> None:
    """Settings are listed for whoever fills them; a wrong token, and an event that waits for a person, are said."""
    base = talking.base
    base.call("ОкноПроверка", "ЗаполнитьНастройки")
    assert {row["ключ"] for row in base.rows("НастройкиОкно")} >= {"База", "Адрес", "Токен", "БрокерОчередь"}

    async def said() -> str:
        return str(await asyncio.to_thread(base.call, "ОкноПроверка", "Проверить"))

    assert "НЕТ" not in await said()
    talking.set("Токен", "another")
    assert "НЕТ  хаб не принял токен" in await said()
    order(base, KEY, ("", 1)).записать(POST)
    assert "НЕТ  отложено событий: 1" in await said()
    del base.registers["ЗаказыОкно".casefold()].empty["версия"]
    assert await said() == "НЕТ  ЗаказыОкно.Версия: добавьте это поле"
