"""The command that asks what would have been told: whatif."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.frame import Wrong, configured, main, opened, say, table
from service.cli.values import Moment, as_json, shown

if TYPE_CHECKING:
    from service.audit.supposing import Difference, Span, Told
    from service.audit.whatif import Failed, Summary
    from service.settings import Settings

SHOWN = 20


@main.command()
@click.option("--since", type=Moment(), help="Only what was recorded at or behind this time")
@click.option("--channel", help="Only this channel's orders")
@click.option(
    "--triggers", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML with [channels.NAME.triggers] to try in place of those stages' triggers now",
)  # fmt: skip
@click.option("--order", help="Only this order")
@click.option("--limit", type=click.IntRange(0, 1_000_000), help=f"Differences shown; {SHOWN}, with --json all")
@as_json
@configured
async def whatif(
    settings: "Settings", since: datetime | None, channel: str | None, triggers: Path | None, order: str | None,
    limit: int | None, as_json: bool,
) -> None:  # fmt: skip
    """What today's code and trigger map would have told for past events, beside what was told; sends nothing."""
    from service.audit import whatif as w
    from service.cli.progress import bar
    from service.plans import plan_of, triggers_in

    if channel is not None and channel not in settings.channels:
        known = ", ".join(sorted(settings.channels)) or "none"
        raise click.UsageError(f"--channel {channel!r} is not in the configuration; there are {known}")
    instead = triggers_in(triggers, settings.channels) if triggers is not None else {}
    plans = {name: plan_of(one, instead.get(name)) for name, one in settings.channels.items()}
    most = limit if limit is not None else None if as_json else SHOWN
    summary, first, failed = w.Summary(), list["Difference"](), list["Failed"]()
    async with opened(settings, reading=True) as (pool, log):
        if order is not None and not (await log.histories([order]))[order]:
            raise Wrong(f"no events of {order}: an order is named as CHANNEL/NUMBER, `okno events` shows what there is")
        asked = await w.span(pool, log, since)
        with bar("what if", unit="events", quiet=as_json) as progress:
            found = w.whatif(pool, log, plans, asked, channel=channel, order=order, progress=progress)
            async for one in found:
                summary.add(one)
                if isinstance(one, w.Failed):
                    failed = [*failed, one][:SHOWN]
                    if as_json:
                        say({"what": "failed", "order": one.order, "error": one.error})
                    continue
                for difference in one.differences if most is None else one.differences[: max(most - len(first), 0)]:
                    if as_json:
                        say(difference)
                    if most is not None:
                        first.append(difference)
    if as_json:
        say(_sums(summary, asked))
    else:
        _show(summary, first, failed)


def _sums(summary: "Summary", asked: "Span") -> dict[str, object]:
    from dataclasses import asdict

    steps = [
        {"channel": channel, "target": target, "action": action, **asdict(count)}
        for (channel, target, action), count in sorted(summary.counts.items())
    ]
    return {
        "what": "summary", "after": asked.after, "until": asked.until, "orders": summary.orders,
        "events": summary.events, "differing": summary.differing, "failed": summary.failed, "steps": steps,
    }  # fmt: skip


def _show(summary: "Summary", first: "list[Difference]", failed: "list[Failed]") -> None:
    table(
        ("channel", "to", "what", "told", "withheld", "would be told", "more", "fewer", "other"),
        [(channel, target, action, c.told, c.withheld or None, "?" if c.would is None else c.would, c.more or None,
          c.fewer or None, c.other or None) for (channel, target, action), c in sorted(summary.counts.items())],
    )  # fmt: skip
    for channel in sorted({name for (name, _, _), c in summary.counts.items() if c.would is None}):
        click.echo(f"{channel} is not in the configuration any more: what was told is not compared")
    for one in failed:
        click.echo(f"{one.order}: today's code fails on it: {one.error}")
    if first:
        click.echo()
        table(
            ("order", "what", "to", "what of", "was told", "would be told"),
            [(d.order, d.what, d.target, d.action, _told(d.was), _told(d.would)) for d in first],
        )  # fmt: skip
    many = sum(c.more + c.fewer + c.other for c in summary.counts.values())
    if many > len(first):
        click.echo(f"… and {many - len(first)} more: --limit {max(many, SHOWN)}")
    verdict = f"{many} differences in {summary.differing} orders" if many else "no difference"
    click.echo(f"\n{verdict}; {summary.events} events of {summary.orders} orders; nothing was sent or recorded")


def _told(one: "Told | None") -> str | None:
    """A command in a line: what for, because of what, what came of it."""
    if one is None:
        return None
    stage = [f"for {one.stage}"] if one.stage is not None else []
    cause = one.because
    because = [] if cause is None else [f"{cause.type} from {cause.source}", f"position {cause.position}",
                                        shown(cause.recorded_at)]  # fmt: skip
    return ", ".join([*stage, *because]) + (f": {one.state}" if one.state is not None else "")
