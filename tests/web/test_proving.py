"""What auditors keep and give away, over HTTP."""

from io import BytesIO

import jsonschema
import pytest

from service.audit import check_proof
from tests.events.said import new
from tests.web.served import Served


async def test_the_head_seal(web: Served) -> None:
    """As the log has it, and as openapi says."""
    await web.storage.log.append([new(1), new(2)])
    head = await web.storage.log.head()
    status, found = await web.get("/v1/seal")
    assert status == 200
    assert (found["position"], found["seal"], found["links"], found["epoch"]) == (2, head.seal.hex(), 1, 1)
    assert found["recorded_at"].startswith(head.recorded_at.isoformat()[:19])
    _, document = await web.get("/openapi.json")
    media = document["paths"]["/v1/seal"]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {**media["schema"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(found)


@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("operator", 200), ("admin", 200), ("onec", 403)])
async def test_an_orders_proof(web: Served, role: str, status: int) -> None:
    """For who may read: lines the verifier proves, without personal data."""
    for number in range(5):
        await web.storage.log.append([new(number, order="ym-msk/1", body=b"Ivan", personal=b'{"name":"Ivan"}')])
    headers = await web.headers(role)
    async with web.client.get("/v1/orders/ym-msk/1/proof", headers=headers) as answer:
        body = await answer.read()
        assert answer.status == status
        if status != 200:
            return
        assert answer.content_type == "application/x-ndjson"
    proof = check_proof.check(BytesIO(body), (await web.storage.log.head()).seal.hex())
    assert (proof.versions, proof.covered) == ({"ym-msk/1": 5}, 5)
    assert b"Ivan" not in body
    async with web.client.head("/v1/orders/ym-msk/1/proof", headers=headers) as answer:
        assert answer.status == 200


async def test_no_proof_of_what_is_not_there(web: Served) -> None:
    """An empty log, an order nobody spoke of: 404 that says so."""
    for wanted in ("the log is empty", "no events of ym-msk/7"):
        status, told = await web.get("/v1/orders/ym-msk/7/proof")
        assert (status, wanted in told["detail"]) == (404, True)
        await web.storage.log.append([new(1)])
