"""A file alone shows that an order's or a period's events are in the log, and shows any change to it."""

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from events import seal
from events.log import Log
from events.order import facts as f
from service.audit.extract import Wanted, extracted
from service.audit.inclusion import NoProof, way
from service.database import Pool
from tests.audit.proofs import changed, checked, ended, refused, written
from tests.events.said import new

DOCUMENT = f.Registered(document=f.Document(id="D-1"))
ORDER = "shop/1"


@pytest_asyncio.fixture
async def shop(log: Log) -> Log:
    """A log of many links: an order whose events lie far apart, some of them sent under its document, among others."""
    await log.append([new("early", order="1c/d-1"), new("x", order="shop/2")])
    for number in range(40):
        batch = [
            new(f"{number}/{n}", order=f"shop/{2 + n}", cause=number or None, body=b"raw") for n in range(number % 4)
        ]
        if number in (3, 17, 18, 36):
            batch.insert(1, new(f"own {number}", order=ORDER, said="Привет\u2028\x7f"))
        if number == 17:
            batch.append(new("doc", order=ORDER, type="order.registered", fact=DOCUMENT, document="d-1"))
        if batch:
            await log.append(batch)
    return log


@given(st.integers(1, 10**12), st.integers(0, 10**6))
def test_the_way_from_link_to_link_is_short(begin: int, more: int) -> None:
    """Each step is to a link that holds the seal of the one before; there are few, however long the log."""
    numbers = [begin, *way(begin, begin + more)]
    assert numbers[-1] == begin + more
    for one, next_one in pairwise(numbers):
        assert one in (next_one - 1, seal.skipped_to(next_one))
    assert len(numbers) <= (begin + more).bit_length() * more.bit_length() + 2


async def test_an_orders_history_is_proved(pool: Pool, shop: Log) -> None:
    """Every event with its document's, in the log with the head's seal; the seals on the way are known again."""
    lines = await written(pool, order=ORDER)
    proof, head = checked(lines), await shop.head()
    assert (proof.versions, proof.seal) == ({ORDER: 5, "1c/d-1": 1}, head.seal.hex())
    assert proof.documents == {"1c/d-1"}
    said = "\n".join(proof.told())
    assert "5 events of shop/1, versions 1 to 5 without a gap" in said
    assert "1 events sent under its document 1c/d-1 (named by the order)" in said
    assert "whether the order has later events" in said
    assert checked(lines, head.seal.hex()).covered == 6
    assert refused(lines, "ab" * 32)


async def test_a_seal_kept_outside_is_passed_where_asked(pool: Pool, shop: Log) -> None:
    """With `through` the way leads over that link, and the file tells how many events it stands for."""
    links = await pool.fetch("SELECT number, last_position, seal FROM okno.seals ORDER BY number")
    lines = await written(pool, order=ORDER)
    for link in links:
        kept = link["seal"].hex()
        through = checked(await written(pool, order=ORDER, through=link["seal"]), kept)
        assert through.found == f"link {link['number']}, position {link['last_position']}"
        assert refused(lines, kept) or checked(lines, kept).found == through.found
    with pytest.raises(NoProof, match="no link has the seal"):
        await written(pool, order=ORDER, through=bytes(32))


async def test_a_log_that_grew_proves_the_same_order(pool: Pool, shop: Log) -> None:
    """The next day's file leads to the next day's head, and passes the old head where asked."""
    old = await shop.head()
    for number in range(30):
        await shop.append([new(f"later {number}", order="shop/9")])
    lines = await written(pool, order=ORDER, through=old.seal)
    assert checked(lines, old.seal.hex()).covered == 6
    assert checked(lines).seal == (await shop.head()).seal.hex()


@pytest_asyncio.fixture
async def times(pool: Pool, shop: Log) -> list[datetime]:
    """When each link was recorded."""
    return [row[0] for row in await pool.fetch("SELECT recorded_at FROM okno.seals ORDER BY number")]


async def test_any_period_is_proved_whole(pool: Pool, shop: Log, times: list[datetime]) -> None:
    """From and until any link, from the beginning, to the head, before, after and between: all that is in it."""
    tick, count = (
        timedelta(microseconds=1),
        "SELECT count(*) FROM okno.events WHERE recorded_at >= $1 AND recorded_at < $2",
    )
    first, last = times[0], times[-1]
    borders = [first - tick, first, first + tick, times[9], times[9] + tick, times[20], last, last + tick]
    for since in borders:
        for until in (one for one in borders if one > since):
            proof = checked(await written(pool, since=since, until=until))
            assert proof.events == await pool.fetchval(count, since, until), (since, until)
    total = (await shop.head()).position
    assert checked(await written(pool, since=first)).events == total
    assert checked(await written(pool, until=last + tick)).events == total
    assert checked(await written(pool, until=first)).events == 0
    kept = (await pool.fetchval("SELECT seal FROM okno.seals WHERE number = 5")).hex()
    for since in (times[2], times[20]):  # the seal kept lies in the period, and before it
        lines = await written(pool, since=since, until=times[22], through=bytes.fromhex(kept))
        assert checked(lines, kept).found.startswith("link 5,")


async def test_what_is_not_there_is_said(pool: Pool, log: Log) -> None:
    """An empty log, an order nobody knows."""
    with pytest.raises(NoProof, match="the log is empty"):
        await anext(extracted(pool, Wanted(order=ORDER)))
    await log.append([new(1)])
    with pytest.raises(NoProof, match="no events of shop/7"):
        await anext(extracted(pool, Wanted(order="shop/7")))


@pytest.fixture(params=["order", "period"])
def wanted(request: pytest.FixtureRequest, times: list[datetime]) -> dict[str, Any]:
    """What is exported."""
    return {"order": ORDER} if request.param == "order" else {"since": times[12], "until": times[19]}


async def test_any_other_byte_is_found(pool: Pool, wanted: dict[str, Any]) -> None:
    """Bytes changed, taken out or put in anywhere, lines lost, doubled or in another order, the end cut off."""
    lines, chance = await written(pool, **wanted), random.Random(7)
    assert not refused(lines)
    for number, text in enumerate(lines):
        for at in chance.sample(range(len(text)), min(len(text), 12)):
            for other in (bytes([text[at] ^ 1 << chance.randrange(8)]), b"", text[at : at + 1] * 2):
                forged = text[:at] + other + text[at + 1 :]
                assert refused([*lines[:number], forged, *lines[number + 1 :]]), (number, at, other)
        assert refused(lines[:number] + lines[number + 1 :])
        assert refused([*lines[:number], text, *lines[number:]])
        assert refused(lines[:number])
        if number:
            assert refused([*lines[: number - 1], text, lines[number - 1], *lines[number + 1 :]])
    assert refused([*lines, b"\n"])


SAID_ONLY = {"exported_at", "epoch"}
"""What the hub says in the first line without a seal over it."""


def other(value: Any, name: str) -> Any:
    """Another value of its kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return [*value[1:], value[0]] if len(set(value)) > 1 else value[1:]
    if isinstance(value, dict):
        return {**value, "position": value["position"] + 1}
    if value is None:
        return 1 if name == "cause" else "00"
    if name in ("since", "until", "occurred_at", "recorded_at"):
        return f"{int(value[:4]) - 1}{value[4:]}"
    return value[:-1] + ("0" if value[-1] != "0" else "1")


async def test_a_forger_who_mends_the_checksum_is_found_by_the_seals(pool: Pool, wanted: dict[str, Any]) -> None:
    """Each value of each line changed, each line taken out, with an end that fits: found all the same."""
    lines = await written(pool, **wanted)
    for number, text in enumerate(lines[:-1]):
        values = json.loads(text)
        for name, value in values.items():
            if name not in SAID_ONLY:
                assert refused(changed(lines, number, **{name: other(value, name)})), (number, name, value)
        assert refused(changed(lines, number, more=1))
        assert refused(ended(lines[:number] + lines[number + 1 : -1])), number
    for name in ("number", "seal", "recorded_at"):
        head = json.loads(lines[0])["head"]
        assert refused(changed(lines, 0, head={**head, name: other(head[name], name)})), name


async def test_events_kept_back_are_missed(pool: Pool, shop: Log, times: list[datetime]) -> None:
    """An event shown as its hash only is missed: in a period always, of an order where a later one is shown."""
    hashes = {row["position"]: row["hash"].hex() for row in await pool.fetch("SELECT position, hash FROM okno.events")}

    def without(lines: list[bytes], position: int) -> list[bytes]:
        forged = []
        for values in map(json.loads, lines[:-1]):
            if "rows" in values and values["first"] <= position <= values["last"]:
                values["rows"][position - values["first"]] = hashes[position]
            if values.get("position") != position:
                forged.append(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        return ended(forged)

    lines = await written(pool, order=ORDER)
    own = [json.loads(text)["position"] for text in lines if b'"data"' in text]
    mine = [event.position for event in (await shop.histories([ORDER]))[ORDER] if event.order == ORDER]
    assert set(mine) < set(own)
    assert [refused(without(lines, position)) for position in mine] == [True, True, True, True, False]
    period = await written(pool, since=times[12], until=times[19])
    for text in period:
        if b'"data"' in text:
            assert refused(without(period, json.loads(text)["position"]))


async def test_a_period_can_not_be_widened_or_narrowed(pool: Pool, times: list[datetime]) -> None:
    """Another time in the first line than the one the links were chosen for is found."""
    lines = await written(pool, since=times[12], until=times[19])
    spelt = [one.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") for one in times]
    for name, at in (("since", 11), ("since", 10), ("since", 13), ("until", 18), ("until", 20), ("until", 22)):
        assert refused(changed(lines, 0, **{name: spelt[at]})), (name, at)
    for name in ("since", "until"):
        assert refused(changed(lines, 0, **{name: None})), name
    assert refused(changed(lines, 0, order=ORDER))
