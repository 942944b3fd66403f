"""The reference of reading: `python -m tests.benchmarks.memory FILE` serves over HTTP what a file holds.

An aiohttp server set as the hub's is; its one handler returns bytes from memory, as many as the hub returned for the
same address. Prints its address.
"""

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
from aiohttp import web


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An answer's headers and body."""

    headers: dict[str, str]
    body: bytes


async def serve(answers: dict[str, Kept]) -> None:
    """Answers by path and query until the process is told to end."""

    async def kept(request: web.Request) -> web.Response:
        answer = answers[request.path_qs]
        return web.Response(body=answer.body, headers=answer.headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", kept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=dict[str, Kept])))
