"""One run: servers, marketplace, 1C and hubs together, mishaps on the way, checks in the end."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from . import checks, marks, megamarket, ozon, yandex
from .emulator import Emulator
from .faults import CALM, Faults, Rates
from .hub import POLL_SECONDS, Api, Hub, Places
from .megamarket.marks import script as megamarket_script
from .mishaps import mishaps, raise_if_ended
from .onec import OneC, Script
from .servers import Postgres, RabbitMQ
from .stating import StatingOneC

MARKETPLACES: dict[str, tuple[Callable[[Faults, int], Emulator], Script]] = {
    "yandex": (yandex.Emulator, marks.script),
    "ozon": (ozon.Emulator, ozon.script),
    "megamarket": (megamarket.Emulator, megamarket_script),
}
SEEN_WITHIN = 6 * POLL_SECONDS


@dataclass(frozen=True)
class Plan:
    """What is to be run: `orders` at each of the marketplaces in `only`."""

    okno: list[str]
    folder: Path
    only: tuple[str, ...] = tuple(MARKETPLACES)
    orders: int = 25
    kills: int = 1
    seed: int = 1
    two_hubs: bool = False
    shadow: bool = False
    broker: bool = True
    broker_restart: bool = False
    postgres_restart: bool = False
    storm: int = 0
    rate: float = 10.0
    pace: float = 0.4
    quiet: float = 300.0
    hang: float = 13.0
    hang_share: float = 0.1
    calm: bool = False
    snapshots: bool = False


@dataclass
class Run:
    """The parts of a run while it runs."""

    plan: Plan
    postgres: Postgres
    rabbit: RabbitMQ | None
    places: list[tuple[str, Emulator, list[Any]]]
    hubs: list[Hub]
    onec: OneC
    token: str
    all_placed: asyncio.Event = field(default_factory=asyncio.Event)
    report: checks.Report = field(default_factory=checks.Report)
    began: float = field(default_factory=time.monotonic)

    @property
    def emulators(self) -> list[Emulator]:
        return [emulator for _, emulator, _ in self.places]

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.began:7.1f}] {text}", flush=True)


def rates(plan: Plan) -> Rates:
    return CALM if plan.calm else Rates(hang_seconds=plan.hang, hang_share=plan.hang_share)


@contextlib.asynccontextmanager
async def servers(plan: Plan) -> AsyncIterator[tuple[Postgres, RabbitMQ | None]]:
    """Postgres with an empty database, RabbitMQ where the plan has one."""
    postgres, rabbit = Postgres(plan.folder), RabbitMQ(plan.folder) if plan.broker else None
    try:
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(postgres.create_database)
        if rabbit:
            await asyncio.to_thread(rabbit.start)
        yield postgres, rabbit
    finally:
        if rabbit:
            await asyncio.to_thread(rabbit.close)
        await asyncio.to_thread(postgres.close)


@contextlib.asynccontextmanager
async def marketplaces(plan: Plan) -> AsyncIterator[list[tuple[str, Emulator, list[Any]]]]:
    """Each with its scenarios, listening."""
    places: list[tuple[str, Emulator, list[Any]]] = []
    try:
        for name in plan.only:
            emulator = MARKETPLACES[name][0](Faults(plan.seed, rates(plan)), plan.seed)
            await emulator.start()
            places.append((name, emulator, list(emulator.scenarios(plan.orders, plan.seed))))
        yield places
    finally:
        for _, emulator, _ in places:
            await emulator.stop()


@contextlib.asynccontextmanager
async def started(plan: Plan) -> AsyncIterator[Run]:
    """Everything up: hubs ready, a token made, orders not yet coming."""
    async with servers(plan) as (postgres, rabbit), marketplaces(plan) as places:
        hubs: list[Hub] = []
        turns = itertools.count()

        def alive() -> Hub:
            up = [hub for hub in hubs if hub.alive()] or hubs
            return up[next(turns) % len(up)]

        mode = "shadow" if plan.shadow else "live"
        channels = "\n".join(one.tables(lambda channel: alive().hook(channel), mode) for _, one, _ in places)
        found = Places(postgres.url, rabbit.url if rabbit else None, channels)
        lives = [(life, MARKETPLACES[name][1]) for name, _, scenarios in places for life in scenarios]
        try:
            for name in ["hub1", "hub2"] if plan.two_hubs else ["hub1"]:
                hubs.append(Hub(plan.okno, plan.folder, name, found))
                hubs[-1].start()
                await hubs[-1].ready()
            token = await hubs[0].token("judge", "admin")
            onec = (StatingOneC if plan.snapshots else OneC)(
                lives, plan.seed, plan.pace, found.amqp, lambda: (alive().url, token)
            )
            yield Run(plan, postgres, rabbit, places, hubs, onec, token)
        finally:
            for hub in hubs:
                hub.close()


async def _place(run: Run) -> None:
    """Orders come at every marketplace at the plan's rate, each on its own; then it is quiet."""

    async def at(emulator: Emulator, scenarios: list[Any], rng: Random) -> None:
        for scenario in scenarios:
            emulator.place(scenario)
            await asyncio.sleep(rng.expovariate(run.plan.rate))

    await asyncio.gather(*(at(emulator, scenarios, Random(f"rate:{run.plan.seed}:{name}"))
                           for name, emulator, scenarios in run.places))  # fmt: skip
    run.all_placed.set()
    await asyncio.Event().wait()


async def drive(plan: Plan) -> checks.Report:
    """The whole run; the report says what was found."""
    async with started(plan) as run:
        await _first_calls(run)
        actors = [asyncio.create_task(_place(run)), asyncio.create_task(run.onec.run())]
        try:
            await mishaps(run, actors)
            await _quiet(run, actors)
            found = await _read(run)
        finally:
            for actor in actors:
                actor.cancel()
            await asyncio.gather(*actors, return_exceptions=True)
        for name, emulator, _ in run.places:
            for check, offenders in emulator.checks(found):
                run.report.add(check, offenders)
            run.report.notes.append(f"{name}: {emulator.journal.summary()}")
        checks.in_hub(run.report, found, run.onec, plan.shadow)
        checks.told_onec(run.report, found, run.onec)
        await _commands(run)
        return run.report


async def _first_calls(run: Run) -> None:
    """An unknown token gets nothing."""
    async with Api(run.hubs[0].url, "no-such-token") as api:
        status, _ = await api.get("/v1/orders")
    wrong = [] if status == 401 else [f"GET /v1/orders with an unknown token: {status}, wanted 401"]
    run.report.add("hub: an unknown token gets nothing", wrong)


def _open(run: Run) -> list[str]:
    """What is still missing at both sides, seen from outside the hub."""
    missing = [text for emulator in run.emulators for text in emulator.unsettled()]
    stuck = (key for key in run.onec.lives if key not in run.onec.finished)
    missing += [f"{key}: 1C has not come to the end" for key in stuck if not (run.plan.shadow and run.onec.waits(key))]
    return missing


async def _quiet(run: Run, actors: list[asyncio.Task[None]]) -> None:
    """Until nothing is missing and nothing waits in the hub, or the time is up."""
    until, calls, last_said = time.monotonic() + run.plan.quiet, -1, 0.0
    while time.monotonic() < until:
        raise_if_ended(actors)
        dead = [hub for hub in run.hubs if not hub.alive()]
        for hub in dead:
            run.report.add(f"{hub.name} stays up", [hub.tail()])
            hub.start()
        missing = _open(run) if run.all_placed.is_set() else []
        changed = sum(len(one.journal.changing()) for one in run.emulators) + len(run.onec.told) + len(run.onec.sent)
        if run.all_placed.is_set() and not missing and changed == calls and not await _waiting(run):
            run.say("quiet")
            return
        calls = changed
        if time.monotonic() - last_said > 15:
            last_said = time.monotonic()
            run.say(f"{len(run.onec.finished)} of {len(run.onec.lives)} orders worked through, {len(missing)} open")
        await asyncio.sleep(2)
    run.report.add("quiet in time", [f"not quiet after {run.plan.quiet:.0f} s", *_open(run)])


async def _waiting(run: Run) -> bool:
    with contextlib.suppress(Exception):
        async with Api(run.hubs[0].url, run.token) as api:
            async for command in api.items("/v1/commands", state="waiting"):
                if command["state"] in ("waiting", "sending"):
                    return True
            return False
    return True


async def _read(run: Run) -> checks.Findings:
    """What the hub says in the end; what the marketplace did last may be found by a later poll only."""
    until = time.monotonic() + SEEN_WITHIN
    while True:
        found = await _read_once(run)
        if not any(emulator.unseen(found) for emulator in run.emulators) or time.monotonic() > until:
            await asyncio.sleep(1)
            return await _read_once(run)
        await asyncio.sleep(1)


async def _read_once(run: Run) -> checks.Findings:
    await run.hubs[0].ready()
    async with Api(run.hubs[0].url, run.token) as api:
        rows = {}
        for key in run.onec.lives:
            status, row = await api.get(f"/v1/orders/{key}")
            if status == 200:
                rows[key] = row
        return checks.Findings(
            orders=rows, log=await api.log(), outbox=await api.outbox(),
            rejected=[item async for item in api.items("/v1/rejected")],
            commands=[item async for item in api.items("/v1/commands")],
            sent=run.onec.sent.values(), shadow=run.plan.shadow,
        )  # fmt: skip


async def _commands(run: Run) -> None:
    """verify, rebuild --check, replay, events and whatif from the command line, then SIGTERM."""
    hub = run.hubs[0]
    some_order = next(iter(run.onec.lives))
    for args in (["verify"], ["rebuild", "--all", "--check"], ["replay", some_order], ["replay", some_order, "--json"],
                 ["events", "--json"], ["commands"], ["doctor"]):  # fmt: skip
        exit_code, text = await hub.cli(*args)
        run.report.add(f"okno {' '.join(args)} exits 0", [f"exit {exit_code}: {text[-300:]}"] if exit_code else [])
    exit_code, text = await hub.cli("whatif", "--json")
    differing = [line for line in text.splitlines() if '"what":"summary"' not in line]
    run.report.add("okno whatif finds no difference to what the hub itself told", differing if text else ["no answer"])
    slow = []
    for one in run.hubs:
        took, code = await one.terminate()
        if code != 0 or took > 10:
            slow.append(f"{one.name}: exit {code} after {took:.1f} s: {one.tail()[-200:]}")
    run.report.add("SIGTERM ends the hub within 10 s, exit 0", slow)
