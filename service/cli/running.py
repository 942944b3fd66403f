"""Commands that run: run, demo, sandbox, doctor."""

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from service.cli.frame import Wrong, configured, main

if TYPE_CHECKING:
    from service.settings import Settings

ROLES = ("intake", "react", "project", "dispatch", "poll", "web")
HELP = f"Of {','.join(ROLES)}; default: all. react does what project does, too"


class Roles(click.ParamType[frozenset[str]]):
    """Roles, parted by commas."""

    name = "roles"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        """The set of them."""
        if isinstance(value, frozenset):
            return value
        found = frozenset(part.strip() for part in str(value).split(",") if part.strip())
        if not found or found - set(ROLES):
            self.fail(f"{value!r}: there are {', '.join(ROLES)}", param, ctx)
        return found


@main.command()
@click.option("--role", "roles", type=Roles(), default=frozenset(ROLES), help=HELP)
@configured
async def run(settings: "Settings", roles: frozenset[str]) -> None:
    """The hub: all roles in one process unless named."""
    from service import app
    from service.logs import set_up

    set_up()
    await app.run(
        settings, roles, stopped(), lambda url: click.echo(f"okno: listening on {url}" if url else "okno: running")
    )


def stopped() -> asyncio.Event:
    """Set by SIGTERM or Ctrl-C; a second one ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    return stop


@main.command()
@click.option("--rabbitmq", metavar="URL", help="This broker instead of a private one; none: without")
@configured
async def demo(settings: "Settings", rabbitmq: str | None) -> None:
    """The hub with sandbox marketplaces and a pretend 1C, so that something real is seen in a minute."""
    from service.demo.demo import show
    from service.logs import set_up

    set_up(quiet=True)
    await show(settings, rabbitmq, stopped(), click.echo)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Default: 8090")
@configured
async def sandbox(settings: "Settings", port: int | None) -> None:
    """Only the sandbox marketplaces."""
    from service.demo.sandbox import serve
    from service.logs import set_up

    set_up()
    await serve(settings, port, stopped(), click.echo)


@main.command()
@click.option("--channel", metavar="NAME", help="Only this one, and what its account shows that is not known here")
@configured
async def doctor(settings: "Settings", channel: str | None) -> None:
    """Checks configuration, Postgres, RabbitMQ, each channel's key and reach; says what to do about each failure."""
    from service.doctor import examine

    if channel is not None and channel not in settings.channels:
        known = ", ".join(settings.channels) or "none"
        raise click.UsageError(f"--channel: {channel!r} is not in the configuration; there are: {known}")

    faults = 0
    async for finding in examine(settings, channel):
        faults += not finding.good
        click.echo(f"{'ok  ' if finding.good else 'FAIL'}  {finding.what}: {finding.says}")
    if faults:
        raise Wrong(f"{faults} found wrong")
