"""The command that proves the log: verify."""

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from service.cli.frame import Wrong, configured, main, opened, say
from service.cli.values import as_json, shown

if TYPE_CHECKING:
    from service.audit import Verdict
    from service.settings import Settings

OUTSIDE = """
What no walk over the log itself can find: an end cut off with the head put back, or a chain recomputed as a whole. Keep
this seal outside the database (the hub's log line `head seal` does, daily), and give it to `okno verify --since` later.
""".strip()


class Seal(click.ParamType[bytes]):
    """A seal as it is printed: 64 hexadecimal digits."""

    name = "seal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Its 32 bytes."""
        if isinstance(value, bytes):
            return value
        text = str(value).strip()
        try:
            found = bytes.fromhex(text)
        except ValueError:
            found = b""
        if len(found) != 32 or len(text) != 64:
            self.fail(f"{text[:80]!r} is no seal: 64 hexadecimal digits, as `okno verify` prints them", param, ctx)
        return found


@main.command()
@click.option("--since", type=Seal(), help="A seal kept outside: proves that the log still passes through it")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes; default: one a core, at most 4")
@as_json
@configured
async def verify(settings: "Settings", since: bytes | None, workers: int | None, as_json: bool) -> None:
    """Proves that the log is whole and unaltered, and prints the seal to keep outside."""
    from service import audit, database
    from service.body_key import body_key
    from service.cli.progress import bar

    workers = workers or min(os.cpu_count() or 1, 4)
    async with (
        database.server(settings.postgres.url, settings.data_dir) as url,
        opened(settings, reading=True) as (pool, _),
    ):
        with bar("verifying", unit="events", quiet=as_json) as progress:
            verdict = await audit.verify(
                pool, progress, body_key(settings.data_dir), since=since, workers=workers,
                connect=partial(database.open_reader, url, size=1),
            )  # fmt: skip
    if as_json:
        say(verdict)
    elif verdict.whole:
        click.echo(_told(verdict))
    if not verdict.whole:
        raise Wrong(f"the log is not as it was written: at position {verdict.position}, {verdict.fault}")
    if verdict.since is not None and not verdict.since.holds:
        raise Wrong(
            f"the seal {verdict.since.seal} is not in the log: it was recomputed, cut, or the seal is of another log"
        )


def _told(verdict: "Verdict") -> str:
    """What was proved, in words."""
    lines = [f"whole and unaltered: {verdict.events} events", f"seal {verdict.seal}"]
    if verdict.links and verdict.recorded_at is not None:
        where = f"position {verdict.events}, link {verdict.links}, recorded {shown(verdict.recorded_at)}"
        lines.append(f"     {where}, epoch {verdict.epoch}")
    if verdict.since is not None and verdict.since.holds:
        kept = verdict.since
        lines.append(f"the seal kept outside holds: link {kept.link}, position {kept.position}")
    return "\n".join((*lines, "", OUTSIDE))
