"""An export holds exactly what the log and the API hold, in three formats, whatever the texts in it."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from events.log import Log
from events.order import facts as f
from projections.orders import queries
from service import people
from service.audit import event_json
from service.database import Pool
from service.exports import Asked, Export, NothingThere, events, orders, parquet
from tests.exports.planted import ANNA, HARD, KINDS, PLACED_AT, exported, plant, say
from tests.servers import project


@pytest.fixture(params=[20_000, 2])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one piece, and in many."""
    monkeypatch.setattr(events, "PIECE", request.param)
    monkeypatch.setattr(orders, "PAGE", request.param)
    monkeypatch.setattr(parquet, "ROW_GROUP", request.param * 2)


def positions(lines: bytes) -> list[int]:
    return [json.loads(line)["position"] for line in lines.splitlines()]


def rows_of(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" else text


async def test_json_lines_are_the_apis_events_to_the_byte(pool: Pool, log: Log, pieces: None) -> None:
    """Each line is what `GET /v1/events` and `okno events --json` write, in the log's order."""
    await plant(log)
    api = [msgspec.json.encode(event_json(event)) for event in await log.read(0)]
    assert (await exported(pool)).splitlines() == api
    assert len(api) == 5 + len(HARD)


async def test_csv_is_rfc_4180(pool: Pool, log: Log, pieces: None) -> None:
    """A column a field, ends of line as the RFC has them, any text within; nothing a spreadsheet would run."""
    await plant(log)
    raw = await exported(pool, format="csv")
    assert raw.startswith(b"position,order,version,type,source,id,cause,actor,occurred_at,recorded_at,data\r\n")
    assert raw.endswith(b"\r\n")
    api = [json.loads(msgspec.json.encode(event_json(event))) for event in await log.read(0)]
    found = rows_of(raw)
    assert len(found) == len(api)
    for row, event in zip(found, api, strict=True):
        assert json.loads(row["data"]) == event["data"]
        assert row["cause"] == ("" if event["cause"] is None else str(event["cause"]))
        for name in ("position", "order", "version", "type", "source", "id", "actor", "occurred_at", "recorded_at"):
            assert unguarded(row[name]) == str(event[name]), name
        assert row["id"][0] not in "=+-@\t\r\n"
    assert (await exported(pool, format="csv", bom=True)) == b"\xef\xbb\xbf" + raw


async def test_parquet_has_types(pool: Pool, log: Log, pieces: None) -> None:
    """Whole numbers, times in UTC to the microsecond, texts as they are; no cause is null, an empty text is not."""
    await plant(log)
    await say(log, "ym-msk/3", "", f.Completed())
    table = pq.read_table(io.BytesIO(await exported(pool, format="parquet")))
    kinds = {field.name: str(field.type) for field in table.schema}
    assert (kinds["position"], kinds["occurred_at"]) == ("int64", "timestamp[us, tz=UTC]")
    assert (kinds["data"], kinds["cause"]) == ("string", "int64")
    api = [event_json(event) for event in await log.read(0)]
    for row, event in zip(table.to_pylist(), api, strict=True):
        assert {k: v for k, v in row.items() if k != "data"} == {
            k: v for k, v in msgspec.structs.asdict(event).items() if k != "data"
        }
        assert row["data"] == bytes(event.data).decode()


async def test_only_what_is_asked_for(pool: Pool, log: Log, pieces: None) -> None:
    """An order with its documents' events, a channel with its orders' documents; a period without its end."""
    await plant(log)
    assert positions(await exported(pool, order="ym-msk/1")) == [1, 2, 3]
    assert positions(await exported(pool, channel="ym-msk")) == [1, 2, 3, *range(6, 6 + len(HARD))]
    assert positions(await exported(pool, channel="oz")) == [4, 5]
    recorded = [event.recorded_at for event in await log.read(0)]
    assert positions(await exported(pool, since=recorded[2], until=recorded[4])) == [3, 4]
    assert positions(await exported(pool, since=recorded[2], until=recorded[4], channel="oz")) == [4]
    assert await exported(pool, since=recorded[-1] + timedelta(seconds=1)) == b""
    assert await exported(pool, until=recorded[0]) == b""


async def test_a_misspelt_order_or_channel_is_no_empty_file(pool: Pool, log: Log) -> None:
    """Nobody must read "there are none" out of a slip."""
    await plant(log)
    await project(pool, log)
    for asked in ({"order": "ym-msk/9"}, {"channel": "ym"}, {"what": "orders", "order": "ym-msk/9"}):
        with pytest.raises(NothingThere):
            await exported(pool, **asked)
    assert await exported(pool, order="ym-msk/1", until=PLACED_AT - timedelta(days=9999)) == b""


async def test_personal_data_only_where_asked_for(pool: Pool, log: Log, pieces: None) -> None:
    """Beside the event they came with and in the order; null where there are none."""
    await plant(log)
    await project(pool, log)
    for what in ("events", "orders"):
        for form in ("jsonl", "csv"):
            assert "Анна" not in (await exported(pool, what=what, format=form)).decode()
            assert "Анна" in (await exported(pool, what=what, format=form, personal=True)).decode()
    told = [json.loads(line)["personal"] for line in (await exported(pool, personal=True)).splitlines()]
    assert (told[0], told[1]) == (ANNA, None)
    table = pq.read_table(io.BytesIO(await exported(pool, format="parquet", personal=True)))
    assert [json.loads(text) if text else text for text in table["personal"].to_pylist()[:2]] == [ANNA, None]


@pytest.mark.parametrize("personal", [False, True])
async def test_orders_are_the_apis_orders(pool: Pool, log: Log, pieces: None, personal: bool) -> None:
    """JSON lines: each as `GET /v1/orders/…` gives it, with kind and model out of the configuration."""
    await plant(log)
    await project(pool, log)
    api = []
    for key in ("oz/2", "ym-msk/1", "ym-msk/3"):
        found = await (people if personal else queries).one(pool, key)
        assert found is not None
        api.append(queries.present(found, KINDS))
    lines = (await exported(pool, what="orders", personal=personal)).splitlines()
    told = {json.loads(line)["order"]: line for line in lines}
    assert {order.order: msgspec.json.Encoder(decimal_format="string").encode(order) for order in api} == told


async def test_orders_in_columns(pool: Pool, log: Log, pieces: None) -> None:
    """Flat columns: money as decimals, lists within as JSON, attention as its codes, who cancelled and why."""
    await plant(log)
    await project(pool, log)
    raw = await exported(pool, what="orders", format="csv", personal=True)
    flat = {row["order"]: row for row in rows_of(raw)}
    table = pq.read_table(io.BytesIO(await exported(pool, what="orders", format="parquet", personal=True)))
    typed = {row["order"]: row for row in table.to_pylist()}
    assert set(flat) == set(typed) == {"ym-msk/1", "oz/2", "ym-msk/3"}
    first = typed["ym-msk/1"]
    assert (first["total"], flat["ym-msk/1"]["total"]) == (Decimal("77980.0000"), "77980.00")
    assert (first["placed_at"], flat["ym-msk/1"]["placed_at"]) == (PLACED_AT, "2026-03-01T09:30:00Z")
    assert (first["kind"], first["stage"], first["document_number"]) == ("yandex", "confirmed", "ЦСУТ-1")
    assert json.loads(first["lines"])[0]["sku"] == "=HYPERLINK(1)"
    assert json.loads(flat["ym-msk/1"]["customer"]) == ANNA["customer"]
    assert json.loads(first["address"]) == ANNA["address"]
    assert (typed["oz/2"]["cancelled_by"], flat["oz/2"]["cancelled_reason"]) == ("customer", "other")
    assert "order_unknown" in flat["ym-msk/3"]["attention"].split()
    assert "id_reused" not in flat["ym-msk/1"]["attention"]
    assert (typed["ym-msk/3"]["total"], flat["ym-msk/3"]["total"]) == (None, "")


async def test_orders_of_a_period_are_those_placed_in_it(pool: Pool, log: Log) -> None:
    """At its beginning yes, at its end no."""
    await plant(log)
    await project(pool, log)

    async def keys(**asked: Any) -> list[str]:
        return [json.loads(line)["order"] for line in (await exported(pool, what="orders", **asked)).splitlines()]

    day = timedelta(days=1)
    assert await keys(since=PLACED_AT, until=PLACED_AT + day) == ["ym-msk/1"]
    assert await keys(since=PLACED_AT + day, until=PLACED_AT + 2 * day) == ["oz/2"]
    assert await keys(channel="oz") == ["oz/2"]


async def test_nothing_is_held_when_the_reader_stops(pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """However early: all connections are idle again, though the next piece was on its way."""
    monkeypatch.setattr(events, "PIECE", 1)
    await plant(log)
    for stops in range(3):
        pieces = Export(pool, Asked(), KINDS).pieces()
        for _ in range(stops + 1):
            await anext(pieces)
        await pieces.aclose()
        assert pool.get_idle_size() == pool.get_size()
