"""Commands that only look: replay, events, verify, commands."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from service.cli.frame import Wrong, configured, main, opened, say, table

if TYPE_CHECKING:
    from service.audit import Replay
    from service.settings import Settings


class Moment(click.ParamType[datetime]):
    """A time; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """ISO 8601."""
        from datetime import UTC

        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-01-31T12:00:00Z", param, ctx)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


as_json = click.option("--json", "as_json", is_flag=True, help="JSON, stable")


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
    async with opened(settings) as (_, log):
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
        rows.append((event.position, event.version, _time(event.occurred_at), _time(event.recorded_at), event.type,
                     event.actor, event.cause, answers or _brief(event.data)))  # fmt: skip
    table(("position", "version", "occurred", "recorded", "type", "actor", "cause", "what"), rows)
    if (state := found.state) is not None:
        click.echo(
            f"\n{state.order}: {state.stage}, version {state.version}; at the marketplace {state.marketplace.status}"
        )
        for attention in state.attention:
            click.echo(f"attention {attention.code}: {attention.message} (since {_time(attention.since)})")


def _brief(data: Any) -> str:
    text = bytes(data).decode()
    return text if len(text) <= 80 else text[:79] + "…"


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


@main.command()
@click.option("--after", type=click.IntRange(0, 2**63 - 1), default=0, help="Position to begin behind")
@click.option("--follow", is_flag=True, help="Go on with what is appended")
@as_json
@configured
async def events(settings: "Settings", after: int, follow: bool, as_json: bool) -> None:
    """The log, in order."""
    import asyncio

    from service.audit import event_json

    async with opened(settings) as (_, log):
        while True:
            async for batch in log.follow(after):
                for event in batch:
                    if as_json:
                        say(event_json(event))
                    else:
                        click.echo(f"{event.position:>8}  {_time(event.recorded_at)}  {event.order}  v{event.version}  "
                                   f"{event.type}  {event.actor}  {_brief(event.data)}")  # fmt: skip
                after = batch[-1].position
            if not follow:
                return
            await asyncio.sleep(0.5)


@main.command()
@as_json
@configured
async def verify(settings: "Settings", as_json: bool) -> None:
    """Proves that the log is whole and unaltered, and prints the seal to keep outside."""
    from service import audit
    from service.body_key import body_key
    from service.cli.progress import bar

    async with opened(settings) as (pool, _):
        with bar("verifying", unit="events", quiet=as_json) as progress:
            verdict = await audit.verify(pool, progress, body_key(settings.data_dir))
    if as_json:
        say(verdict)
    elif verdict.whole:
        click.echo(f"whole and unaltered: {verdict.events} events\nseal {verdict.seal}")
    if not verdict.whole:
        raise Wrong(f"the log is not as it was written: at position {verdict.position}, {verdict.fault}")


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
    async with opened(settings) as (pool, _):
        rows, after = await queries.listed(pool, state=state, order=order, limit=limit)
    if as_json:
        for row in rows:
            say(row)
        return
    table(
        ("id", "order", "action", "to", "state", "attempts", "next try", "why", "what to do"),
        [(r.id, r.order, r.action, r.target, r.state, r.attempts, r.next_at and _time(r.next_at),
          (r.answer and (r.answer.message or r.answer.code)) or r.reason, r.answer and r.answer.hint) for r in rows],
    )  # fmt: skip
    if after is not None:
        click.echo(f"… and more: --limit {limit * 10}")
