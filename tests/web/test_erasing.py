"""An admin erases over HTTP: the act is the answer, and everybody sees that the buyer is gone."""

from datetime import UTC, datetime

import pytest

from events.codec import own_event
from events.order import facts as f
from tests.erasing.planted import ADDRESS, DOCUMENT_NUMBER, KEYS, NAME, PHONE, REASON, plant
from tests.onec.making import ORDER
from tests.web.served import Served

PATH = f"/v1/orders/{ORDER}"


async def filled(web: Served) -> None:
    """The planted order, and its rows."""
    intake = web.hub.door.intake
    assert intake is not None
    await plant(intake, web.storage.log, web.storage.pool)
    await web.project()


async def test_the_answer_is_the_act(web: Served) -> None:
    """Who, why, what; the order shows no buyer any more; asked again, the same act and no second fact."""
    await filled(web)
    before = (await web.get(PATH))[1]
    assert (before["customer"]["name"], before["delivery"]["address"]) == (NAME, ADDRESS)
    status, act = await web.post(f"{PATH}/erase", {"reason": REASON}, role="admin")
    assert status == 200, act
    assert (act["order"], act["actor"], act["reason"]) == (ORDER, "admin/a-admin", REASON)
    assert (act["document"]["number"], act["extract"]["personal"], act["extract"]["bodies"]) == (DOCUMENT_NUMBER, 4, 7)
    assert act["text"].startswith("АКТ № ")
    await web.project()
    after = (await web.get(PATH))[1]
    assert (after["customer"], after["delivery"]["address"]) == (None, None)
    assert (after["stage"], after["lines"]) == (before["stage"], before["lines"])
    assert await web.post(f"{PATH}/erase", {"reason": REASON}, role="admin") == (200, act)
    assert await web.post(f"/v1/orders/{KEYS[1]}/erase", {"reason": REASON}, role="admin") == (200, act)
    history = (await web.get(f"{PATH}/history"))[1]["items"]
    assert [e["actor"] for e in history if e["type"] == "order.erased"] == ["admin/a-admin"]
    assert "erased" not in {row["reason"] for row in (await web.get("/v1/rejected"))[1]["items"]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400), ({"reason": ""}, 400), ({"reason": f"звонил {PHONE}"}, 400), ({"reason": REASON, "why": 1}, 400),
        (b"{", 400), ({"reason": REASON, "also": ["none"]}, 404),
    ],
)  # fmt: skip
async def test_a_faulty_wish_destroys_nothing(web: Served, body: object, status: int) -> None:
    """What is wrong is said, and the buyer is there as before."""
    await filled(web)
    assert (await web.post(f"{PATH}/erase", body, role="admin"))[0] == status
    assert (await web.get(PATH))[1]["customer"]["name"] == NAME


@pytest.mark.parametrize("role", ["onec", "operator", "auditor"])
async def test_only_an_admin_may(web: Served, role: str) -> None:
    """403 for everybody else."""
    assert (await web.post(f"{PATH}/erase", {"reason": REASON}, role=role))[0] == 403


async def test_what_is_unknown_or_has_no_buyer(web: Served) -> None:
    """404 for an order nobody spoke of; 409 for one of which nothing can be erased."""
    assert (await web.post("/v1/orders/ym-msk/9/erase", {"reason": REASON}, role="admin"))[0] == 404
    fact = f.DeadlineNear(stage="shipped", due=datetime(2026, 3, 1, tzinfo=UTC))
    await web.storage.log.append([own_event("ym-msk/9", "deadline.near", "1", fact, None)])
    assert (await web.post("/v1/orders/ym-msk/9/erase", {"reason": REASON}, role="admin"))[0] == 409


async def test_the_page_says_so(web: Served) -> None:
    """Where the buyer stood, it says when his data were destroyed and by whom."""
    await filled(web)
    headers = {**await web.headers("operator"), "Accept": "text/html", "Accept-Language": "ru"}
    shown = []
    for _ in range(2):
        async with web.client.get(f"/orders/{ORDER}", headers=headers) as answer:
            shown.append(await answer.text())
        await web.post(f"{PATH}/erase", {"reason": REASON}, role="admin")
    assert (NAME in shown[0], NAME in shown[1]) == (True, False)
    assert "Персональные данные уничтожены" not in shown[0]
    assert all(part in shown[1] for part in ("Персональные данные уничтожены", "admin/a-admin", REASON))
