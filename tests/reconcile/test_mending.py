"""`--fix`: 1C's documents go in, the marketplace is asked, 1C is told again; nothing is made up, and twice is once."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

from events.codec import encode, own_event
from events.order import facts as f
from service import database
from service.exchange.sessions import Sessions
from service.outbox import page
from service.reconcile import Found, Plan, Reconciling, Scope, mend, messages
from tests.onec.broker import Rabbit
from tests.reconcile.seeded import Hub, snapshot


async def types(hub: Hub, order: str) -> list[str]:
    """What the log holds of an order, but what the hub told."""
    history = (await hub.log.histories([order]))[order]
    return [event.type for event in history if not event.type.startswith(("command.", "marketplace."))]


async def reads(hub: Hub) -> list[str]:
    """Orders that are to be read at their marketplace."""
    return [row[0] for row in await hub.pool.fetch("SELECT order_key FROM okno.reads ORDER BY 1")]


async def cursors(hub: Hub) -> dict[str, int]:
    """How far bases of the exchange were told."""
    rows = await hub.pool.fetch("SELECT source, position FROM okno.exchange_cursors")
    return {row["source"]: row["position"] for row in rows}


async def test_1cs_documents_go_in(hub: Hub) -> None:
    """The hub derives what follows, as if 1C had sent them; the second run finds nothing and exits 0."""
    await hub.place(1, 2)
    await hub.say(snapshot(2))
    listed = hub.file(snapshot(1, shipment={"number": "РТ-1"}), snapshot(2, cancelled=True))
    result = await hub.okno(listed, "--fix", "--yes")
    assert (result.exit_code, "sent in 2" in result.stdout) == (0, True), result.output
    assert await types(hub, "ym-msk/1") == [
        "order.placed", "order.snapshot", "order.registered", "order.confirmed", "order.shipped",
    ]  # fmt: skip
    cancelled = (await hub.state("ym-msk/2")).shop_cancelled
    assert cancelled is not None
    sources = {event.source for event in (await hub.log.histories(["ym-msk/1"]))["ym-msk/1"][1:]}
    assert "1c/ut11" in sources
    seal = (await hub.log.head()).seal
    assert (await hub.okno(listed)).exit_code == 0
    assert (await hub.okno(listed, "--fix", "--yes")).exit_code == 0
    assert (await hub.log.head()).seal == seal


async def test_a_document_that_was_taken_meanwhile_adds_nothing(hub: Hub) -> None:
    """1C sent it by itself between the comparison and the mending: equal is equal."""
    await hub.place(1)
    listed = hub.file(snapshot(1))
    plan = Plan()

    async def bodies() -> AsyncIterator[bytes]:
        with listed.open("rb") as file:
            for body in messages(file):
                yield body

    run = Reconciling(hub.pool, hub.log, hub.settings, Scope("1c/ut11", frozenset(hub.settings.channels)))
    async for found in run.all(bodies()):
        assert isinstance(found, Found)
        plan.add(found)
    await hub.say({**snapshot(1), "id": "another"})
    before = await types(hub, "ym-msk/1")
    for _ in range(2):  # killed at its end, and run again
        await mend(plan, hub.settings, hub.pool, hub.log, "1c/ut11")
    assert await types(hub, "ym-msk/1") == before
    plan.close()


async def test_orders_that_only_1c_has_are_asked_for(hub: Hub) -> None:
    """Its document is recorded, a read is due: what the order is the marketplace says."""
    await hub.say({**snapshot(7), "type": "order.registered"})
    result = await hub.okno(hub.file(snapshot(7, status="НеСогласован"), snapshot(8)), "--fix", "--yes")
    assert "asked for 2" in result.stdout
    assert await reads(hub) == ["ym-msk/7", "ym-msk/8"]
    assert not (await hub.state("ym-msk/8")).placed


async def test_a_person_is_left_what_nothing_mends(hub: Hub) -> None:
    """Exit 1 says so."""
    await hub.agreed(1)
    lines = [{**line, "price": "99"} for line in snapshot(1)["data"]["lines"]]
    result = await hub.okno(hub.file(snapshot(1, lines=lines)), "--fix", "--yes")
    assert (result.exit_code, "1 differences want a person" in result.stderr) == (1, True)


async def test_without_a_yes_nothing_is_changed(hub: Hub) -> None:
    """What would be done is shown first."""
    await hub.place(1)
    before = (await hub.log.head()).seal
    result = await hub.okno(hub.file(snapshot(1)), "--fix")
    assert (result.exit_code, "--yes goes on" in result.stderr) == (1, True)
    assert "1 documents of 1C's go in" in result.stderr
    assert (await hub.log.head()).seal == before


async def test_a_base_that_reads_the_outbox_is_told_from_where(hub: Hub) -> None:
    """It keeps its cursor itself: behind the one that is said lies everything it lacks."""
    await hub.agreed(1)
    await hub.place(2, 3)
    said = await hub.said(hub.file(snapshot(1)), "--fix", "--yes")
    assert {k: v for k, v in said[-1].items() if k != "cursor"} == {
        "what": "mended", "sent": 0, "asked": 0, "told": 2, "messages": 0, "set_back": 0,
    }  # fmt: skip
    items, _ = await page(hub.log, said[-1]["cursor"], 100)
    assert [item["subject"] for item in items] == ["ym-msk/2", "ym-msk/3"]


async def test_a_base_of_the_exchange_is_set_back(hub: Hub) -> None:
    """Its next session asks for the order again."""
    await hub.place(2)
    await hub.agreed(1)
    head = await hub.log.head()
    moved = "INSERT INTO okno.exchange_cursors (source, channels, epoch, position, began) VALUES ($1, 'all', $2, $3, 0)"
    for source in ("1c/ut11", "1c/unf"):
        await hub.pool.execute(moved, source, head.epoch, head.position)
    said = await hub.said(hub.file(snapshot(1)), "--fix", "--yes")
    epoch, _, position = said[-1]["cursor"].partition("-")
    places = {"1c/ut11": int(position), "1c/unf": head.position}
    assert await cursors(hub) == places
    assert (said[-1]["set_back"], int(epoch)) == (1, head.epoch)
    assert await Sessions(hub.pool).set_back("1c/ut11", head.position) == 1  # never forward
    assert await cursors(hub) == places


async def test_over_the_broker(database_url: str, tmp_path: Path, rabbit: Rabbit, amqp_url: str) -> None:
    """What an order was told goes into that base's queue alone, under the ids and versions it always had; and 1C's
    documents go the way they always go."""
    more = f'[onec.sources.unf]\n[rabbitmq]\nurl = "{amqp_url}"'
    hub = await Hub.at(database_url, tmp_path, more)
    await hub.place(1, 2, 3)
    change = own_event("ym-msk/2", "order.changed", "ch", f.Changed(total=None), None)
    await hub.log.append([change])
    await hub.tell("ym-msk/2")
    known = [item for item in (await page(hub.log, None, 100))[0] if item["subject"] == "ym-msk/2"]
    assert [item["type"] for item in known] == ["order.placed", "order.changed"]
    await hub.say(snapshot(3))

    said = await hub.said(hub.file(snapshot(1), snapshot(3)), "--source", "ut11", "--fix", "--yes")
    assert (said[-1]["sent"], said[-1]["told"], said[-1]["messages"]) == (1, 1, 2)
    waiting = [await rabbit.waiting(queue) for queue in ("okno.1c", "okno.1c.ut11", "okno.1c.unf", "okno.in.0")]
    assert waiting == [0, 2, 0, 1]
    found = await rabbit.take("okno.1c.ut11", 2)
    assert [json.loads(message.body) for message in found] == json.loads(encode(known))
    assert [message.message_id for message in found] == [item["id"] for item in known]
    assert [(m.headers["version"], m.headers["attempt"]) for m in found] == [(item["version"], 2) for item in known]
    [document] = await rabbit.take("okno.in.0", 1)
    assert document.routing_key == "ym-msk/1"
    await database.close(hub.pool)


async def test_a_broker_that_is_away(database_url: str, tmp_path: Path) -> None:
    """One line, exit 1, and nothing half said: the next run finds the same."""
    hub = await Hub.at(database_url, tmp_path, '[rabbitmq]\nurl = "amqp://guest:guest@127.0.0.1:9/"')
    await hub.place(1)
    result = await hub.okno(hub.file(snapshot(1)), "--fix", "--yes")
    assert (result.exit_code, "RabbitMQ did not take it" in result.stderr) == (1, True)
    assert await types(hub, "ym-msk/1") == ["order.placed"]
    await database.close(hub.pool)
