"""Sandbox marketplaces in a process of their own, for hubs that are measured: `python -m tests.benchmarks.shops`.

Eight shops of three marketplaces, with so many orders each, placed at the start; no call fails, and no buyer does
anything afterwards.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from aiohttp import web

from service.demo import channels
from service.demo.trials import makers

SECRET = "a-long-random-word-of-the-hook"


@asynccontextmanager
async def running(orders: int) -> AsyncIterator[str]:
    """Starts them; their address."""
    words = ("-m", "tests.benchmarks.shops", "--orders", str(orders))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def tables(url: str, **more: object) -> Iterator[str]:
    """The shops as tables of `okno.toml`, at the sandboxes that answer at `url`."""
    for name, table in channels.shops().items():
        own = {**table, "hook_secret": SECRET, "base_url": channels.address(url, table["kind"]), **more}
        yield f"[channels.{name}]\n" + "".join(f"{key} = {value!r}\n" for key, value in own.items())


async def _serve(orders: int) -> None:
    app = web.Application(client_max_size=2**22)
    for kind, make in makers().items():
        trial = make(seed=1)
        for name in trial.channels:
            for _ in range(orders):
                trial.place(name)
        app.add_subapp(channels.address("", kind), trial.application({}))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=25, help="of each shop")
    asyncio.run(_serve(parser.parse_args().orders))


if __name__ == "__main__":
    main()
