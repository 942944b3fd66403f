"""The command that tells an order's history: replay."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from service.cli.frame import Wrong, configured, main, opened, say
from service.cli.values import Moment, as_json

if TYPE_CHECKING:
    from service.settings import Settings


@main.command()
@click.argument("order")
@click.option("--at", type=Moment(), help="By when things occurred, in that order")
@click.option("--version", type=click.IntRange(min=1), help="Up to this version of the order")
@click.option("--known-at", type=Moment(), help="By when things were recorded; with --at or --version too")
@click.option("--raw", is_flag=True, help="With the messages as received, and the exchanges with marketplaces")
@as_json
@configured
async def replay(
    settings: "Settings", order: str, at: datetime | None, version: int | None, known_at: datetime | None, raw: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """An order's history, its state then, and who was late with what.

    ORDER is CHANNEL/NUMBER, or 1c/DOCUMENT once 1C has registered it.
    """
    import msgspec

    from projections.orders.queries import present
    from service import audit
    from service.cli.story import show

    if at is not None and version is not None:
        raise click.UsageError("--at and --version exclude each other; each goes with --known-at")
    async with opened(settings, reading=True) as (pool, log):
        found = await audit.replay(log, order, at=at, version=version, known_at=known_at, raw=raw, pool=pool)
    if not found.events:
        then = " by then" if at or known_at else ""
        raise Wrong(
            f"no events of {order}{then}: an order is named as CHANNEL/NUMBER, `okno events` shows what there is"
        )
    kinds = {name: (channel.kind, channel.model) for name, channel in settings.channels.items()}
    if found.state is not None:
        found = msgspec.structs.replace(found, state=present(found.state, kinds))
    if as_json:
        say(found)
    else:
        show(found)
