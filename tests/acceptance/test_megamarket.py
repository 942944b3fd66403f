"""Megamarket's judge judged: a careful hub is found without fault, whatever goes wrong; a careless one is found out."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import aiohttp
import pytest

from .faults import CALM, Faults, Rates
from .megamarket import Emulator
from .megamarket.careful import CarefulHub, until
from .megamarket.form import order_cancel, order_get, order_new
from .megamarket.marks import script
from .megamarket.scenario import ENDINGS, Scenario, scenario
from .megamarket.shipment import Shipment
from .spec import specs_dir

DELAY = 0.06
ROUGH = Rates(
    error=0.3, lost=0.2, limit=0.1, late=0.05, read_error=0.1, hang_share=0.2, hang_seconds=0.1, late_seconds=0.1
)
EVERY = [scenario(1, index) for index in range(600)]


def pick(**wanted: Any) -> Scenario:
    """The first scenario of seed 1 with these attributes."""
    return next(one for one in EVERY if all(getattr(one, name) == value for name, value in wanted.items()))


def of_every_kind(count: int) -> list[Scenario]:
    """Each ending of each model, the rest by chance."""
    kinds = [(model, ending) for model, endings in ENDINGS.items() for ending in endings]
    first = [pick(model=model, ending=ending) for model, ending in kinds]
    return first + Random(1).sample([one for one in EVERY if one not in first], count - len(first))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        yield session


async def failed(emulator: Emulator, hub: CarefulHub) -> dict[str, list[str]]:
    found = await hub.findings()
    return {name: offenders for name, offenders in emulator.checks(found) if offenders}


@pytest.mark.parametrize("rates", [CALM, ROUGH], ids=["calm", "rough"])
async def test_a_careful_hub_passes(rates: Rates, http: aiohttp.ClientSession) -> None:
    """Every ending of every model, with and without lost answers, errors and lies: no check finds an offender."""
    emulator = Emulator(Faults(1, rates), 1, delay=DELAY)
    await emulator.start()
    try:
        async with CarefulHub(emulator, http) as hub:
            async with asyncio.timeout(25):
                await asyncio.gather(*(hub.work(one) for one in of_every_kind(60)))
                await until(lambda: not emulator.unsettled())
            assert not await failed(emulator, hub)
    finally:
        await emulator.stop()


SAMPLES = specs_dir() / "megamarket" / "samples"


def paths(value: Any, at: str = "") -> set[str]:
    """The names of a document, lists as their items; what is in `label` and `discounts` is free."""
    if isinstance(value, dict):
        return {name for key, part in value.items() for name in paths(part, f"{at}.{key}")} | {at}
    if isinstance(value, list):
        return {name for part in value for name in paths(part, f"{at}[]")}
    return {at}


@pytest.mark.skipif(not SAMPLES.exists(), reason="no samples beside the checkout (OKNO_SPECS)")
@pytest.mark.parametrize(("sample", "model"), [("dbs", "dbs"), ("click_collect", "cnc"), ("fbs", "fbs")])
def test_callbacks_have_the_samples_names(sample: str, model: str) -> None:
    """Every name of the sample is in the callback, drift aside."""
    known = paths(json.loads((SAMPLES / f"order_new.{sample}.request.json").read_text("utf-8")))
    ours = set().union(*(paths(order_new(one)) for one in EVERY[:200] if one.model == model))
    assert not known - ours


@pytest.mark.skipif(not SAMPLES.exists(), reason="no samples beside the checkout (OKNO_SPECS)")
def test_other_forms_have_the_samples_names() -> None:
    """order/cancel and order/get likewise."""
    one = pick(model="fbs")
    asked = paths(json.loads((SAMPLES / "order_cancel.click_collect.request.json").read_text("utf-8")))
    assert not asked - set().union(*(paths(order_cancel(each, [1])) for each in EVERY[:50]))
    answer = json.loads((SAMPLES / "order_get.response.composed.json").read_text("utf-8"))
    shown = paths(answer["data"]["shipments"][0])
    ours = set().union(*(paths(order_get(Shipment(each, 1, 0.0), 9.0)) for each in EVERY[:50]))
    assert not shown - ours
    assert order_get(Shipment(one, 1, 0.0), 9.0)["items"][0]["status"] == "NEW"


def test_scripts_fit_their_endings() -> None:
    """1C names counts per sku that the order has, waits only for what will come, and says the same twice."""
    for one in EVERY:
        marks = script(one, 1)
        assert marks == script(one, 1)
        assert marks
        for mark in marks:
            counts = Counter({line["sku"]: int(float(str(line["quantity"]).replace(",", ".")))
                              for line in mark.data.get("lines", [])})  # fmt: skip
            assert counts <= one.ordered
            assert all(counts.values())
        assert any(mark.type == "order.cancelled" for mark in marks) == (
            one.ending in ("shop_cancel", "too_late", "stuck")
        )
        assert sum(ends.total() for ends in one.wanted().values()) == len(one.goods)


async def test_what_the_hub_says_wrongly_is_found(http: aiohttp.ClientSession) -> None:
    """An order told twice, a refusal invented, a status not true, a code shared, a wrong answer to a callback."""
    emulator = Emulator(Faults(1, CALM), 1, delay=DELAY)
    await emulator.start()
    try:
        async with CarefulHub(emulator, http) as hub:
            one, other = (
                pick(model="dbs", ending="completed", moved_by=""),
                pick(model="cnc", ending="completed", moved_by=""),
            )
            await asyncio.gather(hub.work(one), hub.work(other))
            assert not await failed(emulator, hub)
            hub.tell(one, "order.placed", lines=[])
            hub.tell(other, "marketplace.refused", stage="assembled", message="…")
            hub.stages[one.key] = "shipped"
            emulator.orders[one.number].codes.append("another")
            emulator.orders[one.number].date = "2020-01-01"
            hub.healthy = False
            await emulator.callbacks.once(one.channel, "order/new", order_new(one))
            found = await failed(emulator, hub)
            told = found["megamarket: what is told as refused was, with a hint"]
            assert [text.split(": ")[1].split(" (")[0] for text in told] == [
                "told as refused", "marketplace.refused without stage, message or hint"]  # fmt: skip
            assert set(found) == {
                "megamarket: 1C told what it must know of each order", "megamarket: lots told to 1C as its lines",
                "megamarket: what is told as refused was, with a hint", "megamarket: the hub shows what is true",
                "megamarket: orderCodes stable, one each, 1C's number in them",
                "megamarket: callbacks answered as the documents ask",
            }  # fmt: skip
    finally:
        await emulator.stop()
