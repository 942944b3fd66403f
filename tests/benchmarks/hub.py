"""The hub as it runs: a configuration file and processes of `okno run`, for benchmarks that look from outside."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

OKNO = (sys.executable, "-c", "from service.cli import main; main()")
STOP_SECONDS = 20


def configure(folder: Path, name: str, parts: Sequence[str]) -> Path:
    """Writes a configuration of these pieces of TOML; where it lies."""
    path = folder / f"{name}.toml"
    path.write_text("\n".join([f'timezone = "Europe/Samara"\ndata_dir = "{folder / name}"', *parts]) + "\n")
    return path


@asynccontextmanager
async def running(
    config: Path, roles: str = "", *, log: Path, okno: Sequence[str] = OKNO
) -> AsyncIterator[psutil.Process]:
    """One process of the hub with these roles, all of them unless named; ended in good order. `okno` starts it."""
    chosen = ["--role", roles] if roles else []
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *okno, "run", "--config", str(config), *chosen, stdout=output, stderr=output, start_new_session=True
        )  # fmt: skip
    try:
        yield psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def cpu(process: psutil.Process) -> float:
    """CPU seconds a process has taken so far, its children not counted."""
    times = process.cpu_times()
    return float(times.user + times.system)
