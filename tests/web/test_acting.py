"""What a person can do: retry, resubmit, rebuild, settle attention; who did it stands in the log."""

import asyncio

from events.codec import own_event
from events.order import facts as f
from service.onec.cloudevents import Raw
from tests.web.served import Served
from tests.web.test_reading import placed


async def refused(web: Served, order: str) -> None:
    """A step the marketplace refused."""
    wanted = f.CommandRequested(command="c1", target="ym-msk", action="delivery", stage="shipped")
    outcome = f.CommandOutcome(command="c1", attempts=3, code="STATUS_NOT_ALLOWED", message="No transition found")
    await web.storage.log.append([
        own_event(order, "command.requested", "c1", wanted, 1),
        own_event(order, "command.refused", "c1/0/refused", outcome, 3),
    ])  # fmt: skip
    await web.project()


async def test_a_refused_command_is_brought_back_once(web: Served) -> None:
    """202 and a fact with the operator's name; a second retry finds nothing to do."""
    order = await placed(web, 1)
    await refused(web, order)
    status, page = await web.get("/v1/commands", state="failed")
    [row] = page["items"]
    assert (status, row["id"], row["state"], row["answer"]["code"]) == (200, "c1", "refused", "STATUS_NOT_ALLOWED")
    assert (await web.post("/v1/commands/c1/retry"))[0] == 202
    assert (await web.post("/v1/commands/c1/retry"))[0] == 409
    retried = [e for e in await web.storage.log.read(0) if e.type == "command.retried"]
    assert [e.actor for e in retried] == ["operator/a-operator"]
    await web.project()
    assert (await web.get(f"/v1/orders/{order}"))[1]["attention"] == []


async def test_attention_is_settled_by_a_person(web: Served) -> None:
    """The order wants nobody any more, and the log says who looked."""
    order = await placed(web, 1)
    await refused(web, order)
    assert [a["code"] for a in (await web.get(f"/v1/orders/{order}"))[1]["attention"]] == ["refused"]
    assert (await web.post(f"/v1/orders/{order}/attention/refused/clear"))[0] == 202
    await web.project()
    assert (await web.get(f"/v1/orders/{order}"))[1]["attention"] == []
    assert (await web.post(f"/v1/orders/{order}/attention/refused/clear"))[0] == 409


async def test_a_rejected_message_is_taken_once_its_cause_is_gone(web: Served) -> None:
    """Still faulty: 409 and it stays. Mended: it is in the log and gone from the list."""
    intake = web.hub.door.intake
    assert intake is not None
    envelope = {"type": "order.confirmed", "subject": "ym-spb/5", "source": "1c/ut11"}
    await intake.take([Raw(b"{}", envelope, "amqp")])
    [row] = (await web.get("/v1/rejected"))[1]["items"]
    assert (row["reason"], row["via"], row["body"]) == ("unknown_channel", "amqp", "{}")
    status, told = await web.post(f"/v1/rejected/{row['id']}/resubmit")
    assert (status, "ym-spb" in told["detail"]) == (409, True)
    web.hub.settings.channels["ym-spb"] = web.hub.settings.channels["ym-msk"]
    assert (await web.post(f"/v1/rejected/{row['id']}/resubmit"))[0] == 202
    assert (await web.get("/v1/rejected"))[1]["items"] == []
    assert [e.order for e in await web.storage.log.read(0)] == ["ym-spb/5"]
    assert (await web.post("/v1/rejected/nothing/resubmit"))[0] == 404


async def test_a_rebuild_runs_beside_and_shows_its_progress(web: Served) -> None:
    """202 at once; in the end the rows are there again, made anew."""
    order = await placed(web, 1)
    await web.project()
    await web.storage.pool.execute("UPDATE okno.orders SET stage = 'completed'")
    assert (await web.post("/v1/projections/orders/rebuild"))[0] == 202
    assert (await web.post("/v1/projections/nothing/rebuild"))[0] == 404
    async with asyncio.timeout(30):
        while (await web.get("/v1/orders", stage="completed"))[1]["items"]:  # noqa: ASYNC110  # as a person would look
            await asyncio.sleep(0.05)
    items = {row["name"]: row for row in (await web.get("/v1/projections"))[1]["items"]}
    assert [row["order"] for row in (await web.get("/v1/orders", stage="confirmed"))[1]["items"]] == [order]
    assert {"name", "position", "lag", "rows", "rebuild"} <= set(items["orders"])


async def test_numbers_for_prometheus(web: Served) -> None:
    """Position, lags and what waits for a person are there."""
    await placed(web, 1)
    await web.project()
    async with web.client.get("/metrics", headers=await web.headers("auditor")) as answer:
        text = await answer.text()
    assert "okno_log_position 2.0" in text
    assert 'okno_projection_lag{projection="orders"} 0.0' in text
    assert "okno_rejected 0.0" in text
