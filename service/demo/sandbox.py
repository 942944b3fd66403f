"""The sandbox marketplaces over HTTP: one account of each, every one under its own path of one port.

Their orders are kept in `data_dir/sandbox-KIND.json`, since the hub's log, which speaks of them, is kept too. A file is
written before anybody is told of a change, so a killed sandbox goes on where the hub believes it to be. Without the
file, or with one that can't be read, it starts afresh, with order numbers that were never used before. One process at
a time holds `sandbox.owner`; the lock goes with it, however it ends.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from aiohttp import web

from service.demo import buyers, channels
from service.demo.keeping import Kept, Running, alone
from service.demo.pace import Pace, pace
from service.demo.trials import makers
from service.loops import forever
from service.marketplaces.trial import Faults, MakeTrial, Trial
from service.settings import Settings
from service.web.server import AddressTaken

HOST: Final = "127.0.0.1"
BIGGEST: Final = 2**22
"""Bytes of a call: the sandboxes refuse what is too big for them in their own words."""

LEFT_LYING: Final = 900.0
"""Seconds after which a marketplace itself ends an order that nobody moves."""

NUMBERS_BEGIN: Final = 1_700_000_000
"""Order numbers count thousandths of a second since then (2023), and no start takes so short a time
that it could give one of the last start's."""


@dataclass(frozen=True)
class Sandbox:
    """The running sandboxes, by kind.

    `hooks`: the address of each one's channels, once the hub's is known. `tell` leaves a note about what runs here.
    """

    trials: Mapping[str, Trial]
    url: str
    secret: str
    hooks: Mapping[str, dict[str, str]]
    tell: Callable[[Running], None]

    def notify(self, hub: str) -> None:
        """From now on the marketplaces' callbacks go to the hub at this address."""
        for kind, trial in self.trials.items():
            self.hooks[kind].update({name: f"{hub}/hooks/{name}/{self.secret}" for name in trial.channels})

    def code(self, key: str) -> str | None:
        """What the marketplace's courier says when he comes for an order."""
        channel, _, number = key.partition("/")
        trial = next((trial for trial in self.trials.values() if channel in trial.channels), None)
        return trial.code(number) if trial is not None else None

    def newest(self) -> str | None:
        """An order that was placed just now, of any marketplace."""
        return next((orders[-1] for trial in self.trials.values() if (orders := trial.open())), None)


async def serve(settings: Settings, port: int | None, stop: asyncio.Event, echo: Callable[[str], None]) -> None:
    """Serves until `stop` is set, for a hub at the address of the settings."""
    async with opened(settings.data_dir, [channels.SANDBOX_PORT if port is None else port], pace()) as sandbox:
        hub = f"http://{settings.http.host}:{settings.http.port}"
        sandbox.notify(hub)
        for kind, trial in sandbox.trials.items():
            echo(f"sandbox {trial.title}: {channels.address(sandbox.url, kind)}")
            for name, table in trial.channels.items():
                echo(f"  {name}: " + ", ".join(f"{key} {value}" for key, value in table.items() if key != "kind"))
        echo(f"notifications go to {hub}/hooks/CHANNEL/…")
        echo(f"buyers place orders by themselves, {buyers.MOST_OPEN} open at most at each; some calls fail on purpose")
        await stop.wait()


@asynccontextmanager
async def opened(data_dir: Path, ports: Sequence[int], at: Pace) -> AsyncIterator[Sandbox]:
    """Sandboxes that serve, and whose buyers buy, until left: at the first of these ports that is free; 0 is any."""
    with alone(data_dir) as home:
        random = Random(time.time_ns())  # noqa: S311  # chance, not secrets
        first = int((time.time() - NUMBERS_BEGIN) * 1000)
        files = {kind: home.kept(kind) for kind in makers()}
        trials = {kind: _begun(make, files[kind], at, first) for kind, make in makers().items()}

        def save() -> None:
            for kind, trial in trials.items():
                files[kind].save(trial)

        hooks: dict[str, dict[str, str]] = {kind: {} for kind in trials}
        runner = web.AppRunner(_together(trials, hooks), access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            url = await _listen(runner, ports)
            for trial in trials.values():
                buyers.shop([trial], random, buyers.AT_ONCE)
            save()
            everyone = list(trials.values())
            living = asyncio.create_task(forever("buyers", lambda: buyers.live(everyone, random, at, save)))
            try:
                home.tell(Running(os.getpid(), url))
                yield Sandbox(trials, url, channels.hook_secret(data_dir), hooks, home.tell)
            finally:
                living.cancel()
        finally:
            await runner.cleanup()
            save()


def _begun(make: MakeTrial, kept: Kept, at: Pace, first: int) -> Trial:
    """A sandbox with the orders it was closed with. A few calls fail, so that it is seen how they are tried again.

    Limits are hit seldom: after some of them a hub keeps away for minutes.
    """
    faults = Faults(error=0.03, broken=0.01, lost=0.02, limit=0.005, hang=2.0, reads=False)
    trial = make(
        seed=time.time_ns(), faults=faults, pace=at.marketplace, left_lying=timedelta(seconds=at(LEFT_LYING)),
        first=first, changed=lambda: kept.save(trial),
    )  # fmt: skip
    kept.load(trial)
    return trial


def _together(trials: Mapping[str, Trial], hooks: Mapping[str, Mapping[str, str]]) -> web.Application:
    """All of them in one application; none knows of another's channels."""
    app = web.Application(client_max_size=BIGGEST)
    for kind, trial in trials.items():
        app.add_subapp(channels.address("", kind), trial.application(hooks[kind]))
    return app


async def _listen(runner: web.AppRunner, ports: Sequence[int]) -> str:
    first, *others = ports
    try:
        await web.TCPSite(runner, HOST, first).start()
    except OSError as error:
        if others:
            return await _listen(runner, others)
        raise AddressTaken(
            f"can't listen on {HOST}:{first} ({error.strerror}): name another port with --port, and the same in the "
            "channels' base_url"
        ) from error
    return f"http://{HOST}:{runner.addresses[0][1]}"
