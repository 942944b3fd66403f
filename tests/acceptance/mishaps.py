"""What happens to the hub and its servers while orders run: kills, restarts, a storm of restarts."""

import asyncio
import time
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Run


async def mishaps(run: "Run", actors: list[asyncio.Task[None]]) -> None:
    """Kills at random moments, restarts of broker and Postgres once each, the storm of restarts last."""
    plan, rng = run.plan, Random(f"chaos:{run.plan.seed}")
    span = plan.orders / plan.rate + 6 * plan.pace
    moments = [(rng.uniform(0.5, span), "kill") for _ in range(plan.kills)]
    moments += [(rng.uniform(0.3, 0.5) * span, "broker")] * (plan.broker_restart and run.rabbit is not None)
    moments += [(rng.uniform(0.5, 0.8) * span, "postgres")] * plan.postgres_restart
    begin = time.monotonic()
    for moment, what in sorted(moments):
        await asyncio.sleep(max(0.0, begin + moment - time.monotonic()))
        raise_if_ended(actors)
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


async def _storm(run: "Run") -> None:
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


def raise_if_ended(actors: list[asyncio.Task[None]]) -> None:
    """None of them ends by itself: one that has is an error to be seen."""
    for actor in actors:
        if actor.done():
            actor.result()
