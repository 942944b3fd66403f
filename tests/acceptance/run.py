"""One run: servers, marketplace, 1C and hubs together, mishaps on the way, checks in the end."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from . import checks
from .faults import CALM, Rates
from .hooks import Hooks
from .hub import POLL_SECONDS, Api, Hub, Places
from .market import Market
from .onec import OneC
from .scenario import CHANNELS, scenario
from .servers import Postgres, RabbitMQ
from .world import World


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    okno: list[str]
    folder: Path
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


@dataclass
class Run:
    """The parts of a run while it runs."""

    plan: Plan
    postgres: Postgres
    rabbit: RabbitMQ | None
    market: Market
    hooks: Hooks
    hubs: list[Hub]
    onec: OneC
    world: World
    token: str
    report: checks.Report = field(default_factory=checks.Report)
    began: float = field(default_factory=time.monotonic)

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
async def started(plan: Plan) -> AsyncIterator[Run]:
    """Everything up: hubs ready, a token made, orders not yet coming."""
    async with servers(plan) as (postgres, rabbit), Market(plan.seed, rates(plan)) as market:
        places = Places(postgres.url, rabbit.url if rabbit else None, market.url, market.api_key, plan.shadow)
        names = ["hub1", "hub2"] if plan.two_hubs else ["hub1"]
        hubs = [Hub(plan.okno, plan.folder, name, places) for name in names]
        turns = itertools.count()

        def alive() -> Hub:
            up = [hub for hub in hubs if hub.alive()] or hubs
            return up[next(turns) % len(up)]

        scenarios = [scenario(plan.seed, index) for index in range(plan.orders)]
        try:
            for hub in hubs:
                hub.start()
                await hub.ready()
            token = await hubs[0].token("judge", "admin")
            onec = OneC(scenarios, plan.seed, plan.pace, places.amqp, lambda: (alive().url, token))
            async with Hooks(lambda channel: alive().hook(channel), plan.seed) as hooks:
                world = World(market, hooks, scenarios, plan.seed, plan.rate)
                yield Run(plan, postgres, rabbit, market, hooks, hubs, onec, world, token)
        finally:
            for hub in hubs:
                hub.close()


async def drive(plan: Plan) -> checks.Report:
    """The whole run; the report says what was found."""
    async with started(plan) as run:
        await _first_calls(run)
        actors = [asyncio.create_task(run.world.run()), asyncio.create_task(run.onec.run())]
        try:
            await _mishaps(run, actors)
            await _quiet(run, actors)
            found = await _read(run)
        finally:
            for actor in actors:
                actor.cancel()
            await asyncio.gather(*actors, return_exceptions=True)
        checks.at_market(run.report, run.market, run.hooks, run.onec, plan.shadow)
        checks.in_hub(run.report, found, run.market, run.onec, plan.shadow)
        checks.told_onec(run.report, found, run.market, run.onec, plan.shadow)
        await _commands(run)
        return run.report


async def _first_calls(run: Run) -> None:
    """PING within a second; a wrong secret and a missing token get nothing."""
    hooks, hub = run.hooks, run.hubs[0]
    wrong = []
    for channel in CHANNELS.values():
        body = {"notificationType": "PING", "time": "2025-01-16T10:09:49.759084017Z"}
        if not await hooks.once(channel, body):
            wrong.append(f"PING to {channel} not taken")
    url = hooks.url
    hooks.url = lambda channel: f"{hub.url}/hooks/{channel}/not-the-secret"
    if await hooks.once("ym-dbs", {"notificationType": "PING", "time": "2025-01-16T10:09:49Z"}):
        wrong.append("a notification with a wrong secret was taken")
    hooks.url, hooks.faults = url, []
    async with Api(hub.url, "no-such-token") as api:
        status, _ = await api.get("/v1/orders")
        if status != 401:
            wrong.append(f"GET /v1/orders with an unknown token: {status}, wanted 401")
    run.report.add("hub: PING, hook secrets, tokens", wrong)


async def _mishaps(run: Run, actors: list[asyncio.Task[None]]) -> None:
    """Kills at random moments, restarts of broker and Postgres once each, the storm of restarts last."""
    plan, rng = run.plan, Random(f"chaos:{run.plan.seed}")
    span = plan.orders / plan.rate + 6 * plan.pace
    moments = [(rng.uniform(0.5, span), "kill") for _ in range(plan.kills)]
    moments += [(rng.uniform(0.3, 0.5) * span, "broker")] * (plan.broker_restart and run.rabbit is not None)
    moments += [(rng.uniform(0.5, 0.8) * span, "postgres")] * plan.postgres_restart
    begin = time.monotonic()
    for moment, what in sorted(moments):
        await asyncio.sleep(max(0.0, begin + moment - time.monotonic()))
        _raise_if_ended(actors)
        if what == "kill":
            hub = rng.choice(run.hubs)
            run.say(f"SIGKILL {hub.name}")
            await hub.kill()
            await asyncio.sleep(rng.choice([0.0, 0.2, 3.0]))
            hub.start()
        elif what == "broker" and run.rabbit:
            run.say("RabbitMQ restarts")
            await asyncio.to_thread(run.rabbit.stop)
            await asyncio.to_thread(run.rabbit.start)
        else:
            run.say("Postgres restarts")
            await asyncio.to_thread(run.postgres.stop)
            await asyncio.sleep(1)
            await asyncio.to_thread(run.postgres.start)
    if plan.storm:
        await _storm(run)


async def _storm(run: Run) -> None:
    """Postgres away while the hub is started and killed again and again, messages waiting in the broker."""
    run.say(f"Postgres away, {run.plan.storm} restarts of the hub")
    await asyncio.to_thread(run.postgres.stop)
    hub = run.hubs[0]
    for _ in range(run.plan.storm):
        await hub.kill()
        hub.start()
        await asyncio.sleep(1.5)
    await asyncio.to_thread(run.postgres.start)
    await hub.kill()
    hub.start()


def _raise_if_ended(actors: list[asyncio.Task[None]]) -> None:
    for actor in actors:
        if actor.done():
            actor.result()


def _open(run: Run) -> list[str]:
    """What is still missing at both sides, seen from outside the hub."""
    onec, shadow = run.onec, run.plan.shadow
    missing = checks.unsettled(run.market.orders.values(), shadow)
    for key, one in onec.scenarios.items():
        waits = shadow and one.ending.startswith("request")
        if key not in onec.finished and not waits:
            missing.append(f"{key}: 1C has not come to the end")
        if one.ending == "buyer_cancel" and "order.cancelled" not in onec.heard(key):
            missing.append(f"{key}: 1C does not know of the buyer's cancellation")
        if one.ending == "returned" and not shadow and "order.returned" not in onec.heard(key):
            missing.append(f"{key}: 1C does not know of the return")
    return missing


async def _quiet(run: Run, actors: list[asyncio.Task[None]]) -> None:
    """Until nothing is missing and nothing waits in the hub, or the time is up."""
    until, calls, last_said = time.monotonic() + run.plan.quiet, -1, 0.0
    while time.monotonic() < until:
        _raise_if_ended(actors)
        dead = [hub for hub in run.hubs if not hub.alive()]
        for hub in dead:
            run.report.add(f"{hub.name} stays up", [hub.tail()])
            hub.start()
        missing = [] if not run.world.all_placed.is_set() else _open(run)
        changed = len(run.market.journal.changing()) + len(run.onec.told) + len(run.onec.sent)
        if run.world.all_placed.is_set() and not missing and changed == calls and not await _waiting(run):
            run.say("quiet")
            return
        calls = changed
        if time.monotonic() - last_said > 15:
            last_said = time.monotonic()
            placed, finished = len(run.market.orders), len(run.onec.finished)
            run.say(f"{placed} orders placed, {finished} worked through, {len(missing)} open")
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
    """What the hub says in the end; what the marketplace did last may be found by the next poll only."""
    until = time.monotonic() + 3 * POLL_SECONDS
    while True:
        found = await _read_once(run)
        unseen = list(checks.stages(found, run.market, run.plan.shadow))
        if not unseen or time.monotonic() > until:
            return found
        await asyncio.sleep(1)


async def _read_once(run: Run) -> checks.Findings:
    await run.hubs[0].ready()
    async with Api(run.hubs[0].url, run.token) as api:
        rows = {}
        for scenario_key in run.onec.scenarios:
            status, row = await api.get(f"/v1/orders/{scenario_key}")
            if status == 200:
                rows[scenario_key] = row
        return checks.Findings(
            orders=rows, log=await api.log(), outbox=await api.outbox(),
            rejected=[item async for item in api.items("/v1/rejected")],
            commands=[item async for item in api.items("/v1/commands")],
        )  # fmt: skip


async def _commands(run: Run) -> None:
    """verify, rebuild --check, replay and events from the command line, then SIGTERM."""
    hub = run.hubs[0]
    some_order = next(iter(run.onec.scenarios))
    for args in (["verify"], ["rebuild", "--all", "--check"], ["replay", some_order], ["replay", some_order, "--json"],
                 ["events", "--json"], ["commands"], ["doctor"]):  # fmt: skip
        exit_code, text = await hub.cli(*args)
        run.report.add(f"okno {' '.join(args)} exits 0", [f"exit {exit_code}: {text[-300:]}"] if exit_code else [])
    slow = []
    for one in run.hubs:
        took, code = await one.terminate()
        if code != 0 or took > 10:
            slow.append(f"{one.name}: exit {code} after {took:.1f} s: {one.tail()[-200:]}")
    run.report.add("SIGTERM ends the hub within 10 s, exit 0", slow)
