"""Documents on their way into the log: batches, repeats, two doors at once, a document's own key."""

import asyncio
from itertools import permutations
from typing import Any

import pytest

from events.log import Log
from events.order.state import OrderState, fold
from service.intake import Intake
from service.onec.cloudevents import Raw
from tests.intake.sending import DOC
from tests.onec.making import ORDER, body, raw

DOCUMENT = "1c/d-1"


def sent(number: int, status: str = "Заказ подтвержден", *, subject: str = ORDER, **data: Any) -> Raw:
    """A document as it stands at its version `number`."""
    whole = {"document": DOC, "status": status, "version": number, **data}
    return raw(body("order.snapshot", whole, id=f"s{number}", subject=subject))


def shipped(number: int, **data: Any) -> Raw:
    return sent(number, shipment={"number": "Р-1"}, **data)


async def types(log: Log, order: str = ORDER) -> list[str]:
    """What is in an order's history, in order."""
    return [event.type.removeprefix("order.") for event in (await log.histories([order]))[order]]


async def state(log: Log) -> OrderState:
    return fold(ORDER, (await log.histories([ORDER]))[ORDER])


async def test_one_append_for_a_document_and_what_follows(intake: Intake, log: Log) -> None:
    """The snapshot and its events come together, each from 1C, at its time; its body is kept with the first."""
    message = shipped(1)
    await intake.take([message])
    assert await types(log) == ["snapshot", "registered", "confirmed", "shipped"]
    events = (await log.histories([ORDER]))[ORDER]
    assert {(event.source, event.occurred_at) for event in events} == {(events[0].source, events[0].occurred_at)}
    assert [event.id for event in events] == ["s1", *(f"s1/{event.type}" for event in events[1:])]
    assert [await log.body(event.position) for event in events] == [message.body, None, None, None]


async def test_taken_twice_it_is_there_once(intake: Intake, log: Log) -> None:
    """A batch that comes again, whole or in part, in one batch or two, adds nothing."""
    batch = [sent(1), sent(1), shipped(2), sent(1)]
    await intake.take(batch)
    once = await types(log)
    await intake.take(batch)
    await intake.take([shipped(2)])
    assert await types(log) == once == ["snapshot", "registered", "confirmed", "snapshot", "shipped"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_marks_and_documents_in_one_batch(intake: Intake, log: Log, order: tuple[int, ...]) -> None:
    """Recorded in the order they came, each compared with what is before it; the end is the same."""
    said = [sent(1), raw(body("order.assembled", {"boxes": 2}, id="m")), shipped(2, boxes=2)]
    await intake.take([said[number] for number in order])
    found = await state(log)
    assert (found.shop_stage, found.boxes, found.attention[1:]) == ("shipped", 2, [])
    names = await types(log)
    assert names.count("shipped") == 1
    first = {0: "snapshot", 1: "assembled", 2: "snapshot"}[order[0]]
    assert names[0] == first


async def test_under_two_keys_in_one_batch(intake: Intake, log: Log) -> None:
    """The snapshot that links a document, and the next ones under the document's own key: all are the order's."""
    await intake.take([sent(1), sent(2, "Отменен", subject=DOCUMENT), sent(3, subject=DOCUMENT), shipped(4)])
    found = await state(log)
    assert (found.shop_stage, found.shop_cancelled) == ("shipped", None)
    assert await types(log, DOCUMENT) == []


async def test_linked_by_what_stands_beside_it(intake: Intake, log: Log) -> None:
    """An order known before, a snapshot that links its document, one under the document's key: the next is compared."""
    await intake.take([raw(body("order.rescheduled", {"date": "2026-03-09"}, id="m"))])
    async with asyncio.timeout(10):
        await intake.take([sent(1), shipped(2, subject=DOCUMENT)])
    assert await types(log) == ["rescheduled", "snapshot", "registered", "confirmed", "snapshot", "shipped"]


async def test_before_and_after_it_is_linked(intake: Intake, log: Log) -> None:
    """What came under the document's key counts once it is linked, and is known to what comes after."""
    await intake.take([sent(1, subject=DOCUMENT)])
    assert await types(log, DOCUMENT) == ["snapshot", "confirmed"]
    await intake.take([raw(body("order.registered", {"document": DOC}, id="r"))])
    await intake.take([sent(1), sent(2, subject=DOCUMENT, boxes=1)])
    assert await types(log) == ["snapshot", "confirmed", "registered", "snapshot"]


async def test_two_doors_at_once(intake: Intake, log: Log) -> None:
    """Of two that come at once the second is compared with the first: nothing twice, whatever comes first."""
    await asyncio.gather(*(intake.take([sent(1)]) for _ in range(4)), *(intake.take([shipped(2)]) for _ in range(4)))
    names = await types(log)
    assert sorted(names) == ["confirmed", "registered", "shipped", "snapshot", "snapshot"]


async def test_a_thousand_states_of_one_order(intake: Intake, log: Log) -> None:
    """One after the other, however many lie in a batch."""
    await intake.take([sent(number, boxes=number) for number in range(1, 401)])
    assert (await types(log)).count("snapshot") == 400
