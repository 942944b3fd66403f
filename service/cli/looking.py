"""Commands that only look: events, commands."""

from typing import TYPE_CHECKING

import click

from service.cli.frame import configured, main, opened, say, table
from service.cli.values import as_json, brief, shown

if TYPE_CHECKING:
    from service.settings import Settings


@main.command()
@click.option("--after", type=click.IntRange(0, 2**63 - 1), default=0, help="Position to begin behind")
@click.option("--follow", is_flag=True, help="Go on with what is appended")
@as_json
@configured
async def events(settings: "Settings", after: int, follow: bool, as_json: bool) -> None:
    """The log, in order."""
    import asyncio

    from service.audit import event_json

    async with opened(settings, reading=True) as (_, log):
        while True:
            async for batch in log.follow(after):
                for event in batch:
                    if as_json:
                        say(event_json(event))
                    else:
                        click.echo(f"{event.position:>8}  {shown(event.recorded_at)}  {event.order}  v{event.version}  "
                                   f"{event.type}  {event.actor}  {brief(event.data)}")  # fmt: skip
                after = batch[-1].position
            if not follow:
                return
            await asyncio.sleep(0.5)


@main.command()
@click.option(
    "--state", help="waiting, sending, done, refused, given_up, withdrawn, withheld; failed: refused or given_up"
)
@click.option("--order", help="Of this order only")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@as_json
@configured
async def commands(settings: "Settings", state: str | None, order: str | None, limit: int, as_json: bool) -> None:
    """What must still be done or told, and why it is stuck."""
    from projections.commands import queries
    from service.operators import STATES

    if state is not None and state not in STATES:
        raise click.UsageError(f"--state {state!r}: there are {', '.join(STATES)}")
    async with opened(settings, reading=True) as (pool, _):
        rows, after = await queries.listed(pool, state=state, order=order, limit=limit)
    if as_json:
        for row in rows:
            say(row)
        return
    table(
        ("id", "order", "action", "to", "state", "attempts", "next try", "why", "what to do"),
        [(r.id, r.order, r.action, r.target, r.state, r.attempts, r.next_at and shown(r.next_at),
          (r.answer and (r.answer.message or r.answer.code)) or r.reason, r.answer and r.answer.hint) for r in rows],
    )  # fmt: skip
    if after is not None:
        click.echo(f"… and more: --limit {limit * 10}")
