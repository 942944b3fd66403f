"""A bucket streams by: every order once and whole, however the chunks fall."""

import pytest

from events.log import Log
from events.order import facts as f
from events.recorded import Recorded
from projections import bucket as buckets
from projections.bucket import streamed
from projections.projection import BUCKETS, bucket_of
from service.database import Pool
from tests.projections.shop import confirmed, event, orders, placed, registered


async def history_of_a_shop(log: Log) -> list[str]:
    """Orders with one to nine events, some of them sent under a document before it was linked."""
    keys = [*orders(60), "ым/заказ 1", "1b/x", "1d/x"]
    for n in range(9):
        await log.append([placed(key) if n == 0 else confirmed(key) for at, key in enumerate(keys) if at % 9 >= n])
    await log.append([event(f"1c/doc-{n}", "order.confirmed", f.Confirmed()) for n in range(20)])
    await log.append([registered(keys[n % 7], f"doc-{n}") for n in range(15)])
    return keys


@pytest.mark.parametrize("chunk", [1, 2, 5, 4000])
async def test_each_order_comes_once_and_whole(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """What streams by are the histories as the log gives them, marks under documents included, in the bucket's chunks;
    documents that are no order's are nowhere."""
    keys = await history_of_a_shop(log)
    monkeypatch.setattr(buckets, "CHUNK", chunk)
    found, most = dict[str, list[Recorded]](), 0
    async with pool.acquire() as connection:
        for bucket in range(BUCKETS):
            async with connection.transaction():
                async for histories in streamed(connection, bucket):
                    assert not found.keys() & histories.keys()
                    assert {bucket_of(order) for order in histories} == {bucket}
                    most = max(most, sum(map(len, histories.values())))
                    found |= histories
    assert found == await log.histories(keys)
    assert most <= chunk + 9 + 15


async def test_a_bucket_is_read_by_its_index(pool: Pool, log: Log) -> None:
    """No bucket costs a look at the whole log."""
    await log.append([placed(key) for key in orders(3000)])
    async with pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = on")
        plan = await connection.fetch(f"EXPLAIN {buckets.EVENTS.replace('$1', '7')}")
    text = "\n".join(row[0] for row in plan)
    assert "bucket_order_key_idx" in text
    assert "Seq Scan" not in text
