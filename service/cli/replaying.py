"""The command that tells an order's history: replay."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from service.cli.frame import Wrong, configured, main, opened, say, table
from service.cli.values import Moment, as_json, brief, shown

if TYPE_CHECKING:
    from service.audit import Replay
    from service.settings import Settings


@main.command()
@click.argument("order")
@click.option("--at", type=Moment(), help="State by when things occurred")
@click.option("--version", type=click.IntRange(min=1), help="State after this version of the order")
@click.option("--known-at", type=Moment(), help="State by when things were recorded")
@as_json
@configured
async def replay(
    settings: "Settings", order: str, at: datetime | None, version: int | None, known_at: datetime | None, as_json: bool
) -> None:
    """An order's history and its state then."""
    from projections.orders.queries import present
    from service import audit

    if sum(given is not None for given in (at, version, known_at)) > 1:
        raise click.UsageError("--at, --version and --known-at exclude each other")
    async with opened(settings, reading=True) as (_, log):
        found = await audit.replay(log, order, at=at, version=version, known_at=known_at)
    if not found.events:
        then = " by then" if at or known_at else ""
        raise Wrong(
            f"no events of {order}{then}: an order is named as CHANNEL/NUMBER, `okno events` shows what there is"
        )
    kinds = {name: (channel.kind, channel.model) for name, channel in settings.channels.items()}
    found = type(found)(found.events, present(found.state, kinds) if found.state is not None else None)
    if as_json:
        say(found)
    else:
        _show(found)


def _show(found: "Replay") -> None:
    rows = []
    for event in found.events:
        answers = "; ".join(
            f"{a.action} to {a.target}: {a.state}" + (f" ({a.message})" if a.message else "") for a in event.answers
        )
        rows.append((event.position, event.version, shown(event.occurred_at), shown(event.recorded_at), event.type,
                     event.actor, event.cause, answers or brief(event.data)))  # fmt: skip
    table(("position", "version", "occurred", "recorded", "type", "actor", "cause", "what"), rows)
    if (state := found.state) is not None:
        click.echo(
            f"\n{state.order}: {state.stage}, version {state.version}; at the marketplace {state.marketplace.status}"
        )
        for attention in state.attention:
            click.echo(f"attention {attention.code}: {attention.message} (since {shown(attention.since)})")
