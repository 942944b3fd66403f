"""The kit over the add-in, run: each message under its own id, acknowledged only once it is kept."""

import json
from typing import Any

import pytest

from service.onec.cloudevents import Message
from service.onec.reading import read
from tests.onec.kit.add_in import Broker
from tests.onec.kit.base import Base
from tests.onec.kit.making import made, order
from tests.onec.kit.running import Raised
from tests.onec.making import SETTINGS

KEY = "ym-msk/48123456"
POST = "РежимЗаписиДокумента.проведение"


@pytest.fixture
def broker() -> Broker:
    """A base set up for RabbitMQ, and what stands behind its add-in."""
    broker = Broker(made())
    broker.base.client = broker.make
    broker.base.call("ОкноПараметры", "Установить", "Способ", "RabbitMQ")
    return broker


def queue(base: Base, *keys: str) -> None:
    """Orders are posted, one event each."""
    for key in keys:
        order(base, key, ("BOSCH", 1)).записать(POST)


def rows(broker: Broker) -> list[dict[str, Any]]:
    """The outbox."""
    return broker.base.rows("ОчередьСобытийОкно")


def send(broker: Broker) -> None:
    """The job ОкноОтправка."""
    broker.base.call("ОкноОтправка", "Отправить")


def receive(broker: Broker) -> None:
    """The job ОкноПолучение."""
    broker.base.call("ОкноПолучение", "Получить")


def test_each_event_is_published_under_its_own_id(broker: Broker) -> None:
    """To okno.in, by its order's key, to be kept; and the hub reads in it what the body says."""
    queue(broker.base, KEY, "ym-msk/2")
    send(broker)
    assert [(each.exchange, each.key, each.persistent) for each in broker.published] == [
        ("okno.in", KEY, True), ("okno.in", "ym-msk/2", True),
    ]  # fmt: skip
    for each, row in zip(broker.published, rows(broker), strict=True):
        assert each.properties["messageid"] == str(row["идентификатор"])
        assert (each.properties["appid"], each.properties["type"]) == ("1c/ut11", "order.snapshot")
        envelope = {"subject": "stale/1", "id": "stale", "source": "1c/stale", "type": "order.stale"}
        (message,) = read(each.body.encode(), envelope, SETTINGS)
        assert isinstance(message, Message)
        assert (message.id, message.subject, message.type) == (str(row["идентификатор"]), each.key, "order.snapshot")
    assert all(row["отправлено"] for row in rows(broker))


@pytest.mark.parametrize("taken", [True, False], ids=["the broker has it", "the broker has it not"])
def test_a_timeout_is_tried_again_with_a_new_object(broker: Broker, taken: bool) -> None:
    """Nobody knows whether the broker took it: a new object, the same id, and the events behind it go too."""
    queue(broker.base, KEY, "ym-msk/2", "ym-msk/3")
    broker.fails = {1: taken}
    send(broker)
    ids = [each.properties["messageid"] for each in broker.published]
    wanted = [str(row["идентификатор"]) for row in rows(broker)]
    assert ids == [wanted[0], *wanted[1:2] * (2 if taken else 1), wanted[2]]
    assert len(broker.objects) == 2
    assert all(row["отправлено"] for row in rows(broker))


def test_a_broker_that_is_away_leaves_the_queue_as_it_is(broker: Broker) -> None:
    """The job ends quietly, the reason stands at the event, and the next run sends it."""
    queue(broker.base, KEY, "ym-msk/2")
    broker.up = False
    send(broker)
    assert [(row["отправлено"], row["ошибка"]) for row in rows(broker)] == [(False, "Connection refused"), (False, "")]
    broker.up = True
    send(broker)
    assert all(row["отправлено"] for row in rows(broker))
    assert len({each.properties["messageid"] for each in broker.published}) == 2


def test_a_faulty_add_in_is_said(broker: Broker) -> None:
    """Where it can't be connected nothing is lost, and the checkup says what to look at."""
    queue(broker.base, KEY)
    broker.base.client = None
    send(broker)
    assert "PinkRabbitMQ не подключилась" in rows(broker)[0]["ошибка"]
    assert "НЕТ  RabbitMQ" in broker.base.call("ОкноПроверка", "Проверить")


def message(id: str, version: int) -> str:
    """A message of the hub's."""
    told = {"id": id, "type": "order.deadline", "subject": KEY, "version": version, "data": {"stage": "shipped"}}
    return json.dumps({"specversion": "1.0", "source": "okno", **told})


def test_what_was_read_is_acknowledged_once_it_is_kept(broker: Broker) -> None:
    """Twice the same, as after a lost acknowledgement: both are acknowledged, one is applied."""
    broker.waiting.extend([(1, message("a", 1)), (2, message("a", 1)), (3, message("b", 2))])
    receive(broker)
    assert broker.acked == [1, 2, 3]
    assert [row["обработано"] for row in broker.base.rows("ВходящиеСообщенияОкно")] == [True, True]
    assert broker.base.later >= 3 * 60 * 1000, "it goes on for three minutes, and then has a new object"


def test_what_cannot_be_kept_is_not_acknowledged(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database fails: neither acknowledged nor rejected, so that the broker delivers it again."""

    def full(*_: Any) -> None:
        raise Raised("Ошибка СУБД")

    monkeypatch.setattr(broker.base.registers["входящиесообщенияокно"], "создатьменеджерзаписи", full)
    broker.waiting.append((1, message("a", 1)))
    receive(broker)
    assert (broker.acked, broker.rejected) == ([], [])
    assert any("Ошибка СУБД" in line for line in broker.base.journal)


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "{}", '"text"', '{"id": ""}'])
def test_what_the_hub_never_wrote_goes_to_the_dead_letters(broker: Broker, body: str) -> None:
    """It must not hold up what comes behind it."""
    broker.waiting.extend([(1, body), (2, message("a", 1))])
    receive(broker)
    assert (broker.rejected, broker.acked) == ([1], [2])
