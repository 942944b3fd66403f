"""What the API gives: the shapes of CONTRACT.md, pages without loss, answers to faulty questions."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from events.codec import encode, own_event
from events.order import facts as f
from events.recorded import NewEvent
from tests.web.served import Served

ORDER_KEYS = (
    "order channel kind model stage version position document cancelled total currency lines customer delivery"
    " marketplace deadlines attention placed_at updated_at"
)
EVENT_KEYS = "position order version type source id cause actor occurred_at recorded_at data"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def said(order: str, type: str, fact: f.Fact, source: str = "1c/ut11", **more: Any) -> NewEvent:
    """A fact of somebody's."""
    key = f"{order} {type} {source}".encode()
    return NewEvent(
        order=order, type=type, source=source, id=key.decode(), digest=key, data=encode(fact), actor=source, **more
    )


async def placed(web: Served, number: int) -> str:
    """An order seen at the marketplace, with a buyer and an address."""
    order = f"ym-msk/{number}"
    fact = f.Placed(number=str(number), lines=(f.Line(sku="KETTLE", quantity=1, name="Чайник"),))
    people = {"customer": {"name": "Анна", "phone": "+7"}, "address": "Тверская, 1"}
    await web.storage.log.append([
        said(order, "order.placed", fact, "channel/ym-msk", occurred_at=NOW, personal=encode(people), body=b"{}"),
        said(order, "order.confirmed", f.Confirmed(), occurred_at=NOW + timedelta(minutes=5)),
    ])  # fmt: skip
    return order


async def test_an_order_as_the_contract_writes_it(web: Served) -> None:
    """All keys are there, the buyer and the address too."""
    order = await placed(web, 48123456)
    await web.project()
    status, row = await web.get(f"/v1/orders/{order}")
    assert status == 200
    assert set(ORDER_KEYS.split()) <= set(row)
    said = [row[key] for key in ("order", "kind", "model", "stage", "version")]
    assert said == [order, "yandex", "dbs", "confirmed", 2]
    assert (row["customer"], row["delivery"]["address"]) == ({"name": "Анна", "phone": "+7"}, "Тверская, 1")


async def test_a_list_shows_orders_as_they_are_shown_alone(web: Served) -> None:
    """Value for value, except for what is personal; kind and model are there too, empty for a channel that is gone."""
    orders = [await placed(web, 5), await placed(web, 6)]
    gone = f.Placed(
        number="1", lines=(f.Line(sku="KETTLE", quantity=2, price=Decimal("1990.50")),), total=Decimal(3981)
    )
    await web.storage.log.append([said("was-here/1", "order.placed", gone, "channel/was-here", occurred_at=NOW)])
    await web.project()
    _, page = await web.get("/v1/orders")
    assert [row["order"] for row in page["items"]] == ["was-here/1", *orders[::-1]]
    assert [(row["kind"], row["model"]) for row in page["items"]] == [("", ""), ("yandex", "dbs"), ("yandex", "dbs")]
    for listed in page["items"]:
        _, alone = await web.get(f"/v1/orders/{listed['order']}")
        del alone["customer"], alone["delivery"]["address"]
        assert listed == alone


async def test_what_was_said_under_a_document_counts_for_its_order(web: Served) -> None:
    """Also before anybody knew whose document it is; what was said last is shown, and null where nobody said."""
    order = await placed(web, 7)
    early, document = encode({"customer": {"name": "Пётр"}}), f.Registered(document=f.Document(id="d7"))
    await web.storage.log.append([
        said("1c/d7", "order.assembled", f.Assembled(), personal=early),
        said(order, "order.registered", document, document="d7"),
        said("ym-msk/8", "order.registered", f.Registered(document=f.Document(id="d8")), document="d8"),
    ])  # fmt: skip
    await web.project()
    _, row = await web.get(f"/v1/orders/{order}")
    assert (row["customer"], row["delivery"]["address"]) == ({"name": "Пётр"}, "Тверская, 1")
    _, row = await web.get("/v1/orders/ym-msk/8")
    assert (row["customer"], row["delivery"]["address"]) == (None, None)


async def test_pages_lose_and_double_nothing(web: Served) -> None:
    """Following `next` through small pages gives every order once."""
    orders = {await placed(web, number) for number in range(7)}
    await web.project()
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        _, page = await web.get("/v1/orders", limit="3", **after)
        seen += [row["order"] for row in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert sorted(seen) == sorted(orders)


async def test_a_history_and_the_state_as_of_then(web: Served) -> None:
    """`at` goes by when things occurred; with it comes the state."""
    order = await placed(web, 1)
    _, whole = await web.get(f"/v1/orders/{order}/history")
    assert [e["type"] for e in whole["items"]] == ["order.placed", "order.confirmed"]
    assert "state" not in whole
    _, then = await web.get(f"/v1/orders/{order}/history", at="2026-01-01T12:01:00+00:00")
    assert ([e["type"] for e in then["items"]], then["state"]["stage"]) == (["order.placed"], "placed")
    _, known = await web.get(f"/v1/orders/{order}/history", known_at="2020-01-01T00:00:00Z")
    assert (known["items"], known["state"]) == ([], None)


async def test_the_log_as_lines(web: Served) -> None:
    """NDJSON behind a position, each line as the contract writes an event."""
    await placed(web, 1)
    async with web.client.get("/v1/events", params={"after": "1"}, headers=await web.headers("auditor")) as answer:
        lines = (await answer.text()).splitlines()
        assert answer.content_type == "application/x-ndjson"
    assert len(lines) == 1
    assert set(json.loads(lines[0])) == set(EVENT_KEYS.split())


async def test_the_outbox_goes_on_from_its_cursor(web: Served) -> None:
    """Each message once, in order, the same id each time; the cursor at the end stays good."""
    order = await placed(web, 1)
    fact = f.CommandRequested(command="c1", target="1c", action="order.placed")
    step = f.CommandRequested(command="c2", target="ym-msk", action="delivery", stage="shipped")
    await web.storage.log.append([own_event(order, "command.requested", one.command, one, 1) for one in (step, fact)])
    _, page = await web.get("/v1/outbox", role="onec")
    [message] = page["items"]
    assert (message["id"], message["type"], message["subject"]) == ("c1", "order.placed", order)
    assert message["data"]["customer"] == {"name": "Анна", "phone": "+7"}
    assert await web.get("/v1/outbox", role="onec") == (200, page)
    assert await web.get("/v1/outbox", role="onec", after=page["cursor"]) == (
        200,
        {"items": [], "cursor": page["cursor"]},
    )


async def test_a_cursor_from_before_a_restore_gets_the_way_on(web: Served, database_url: str) -> None:
    """410 with a cursor to begin with; ids are as they were."""
    import asyncpg

    owner = await asyncpg.connect(database_url)
    await owner.execute("UPDATE okno.head SET epoch = epoch + 1")
    await owner.close()
    status, told = await web.get("/v1/outbox", role="onec", after="1-5")
    assert (status, told["cursor"]) == (410, "2-0")
    assert (await web.get("/v1/outbox", role="onec", after=told["cursor"]))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/orders?limit=x", "/v1/orders?q=%00", "/v1/orders/ym-msk/%00", "/v1/events?after=99999999999999999999",
        "/v1/orders?limit=0", "/v1/orders?after=x", "/v1/events?after=x", "/v1/outbox?after=x",
        "/v1/commands?after=x", "/v1/rejected?after=x", "/v1/orders/ym-msk/1/history?at=yesterday",
        "/v1/orders/ym-msk/1/history?at=2026-01-01T00:00:00",
    ],
)  # fmt: skip
async def test_a_faulty_question_is_400(web: Served, path: str) -> None:
    """The answer says what is wrong with it."""
    async with web.client.get(path, headers=await web.headers("admin")) as answer:
        assert (answer.status, answer.content_type) == (400, "application/problem+json")
        assert (await answer.json())["detail"]


async def test_what_is_not_there_is_404(web: Served) -> None:
    """Orders, histories and addresses nobody knows."""
    for path in ("/v1/orders/ym-msk/9", "/v1/orders/ym-msk/9/history", "/v1/nothing"):
        assert (await web.get(path))[0] == 404, path


async def test_answers_are_what_openapi_says(web: Served) -> None:
    """The document is made from the types; real answers pass it."""
    _, document = await web.get("/openapi.json")
    order = await placed(web, 1)
    await web.project()
    for path, template in (
        ("/v1/orders", "/v1/orders"), (f"/v1/orders/{order}", "/v1/orders/{channel}/{number}"),
        (f"/v1/orders/{order}/history", "/v1/orders/{channel}/{number}/history"), ("/v1/outbox", "/v1/outbox"),
        ("/v1/commands", "/v1/commands"), ("/v1/rejected", "/v1/rejected"), ("/v1/projections", "/v1/projections"),
        ("/readyz", "/readyz"), ("/healthz", "/healthz"),
    ):  # fmt: skip
        status, answer = await web.get(path, role="admin")
        media = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]
        schema = {**media["schema"], "components": document["components"]}
        assert status == 200
        jsonschema.Draft202012Validator(schema).validate(answer)
