"""The command that holds what 1C has against the hub: reconcile."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from service.cli.frame import Wrong, configured, main, opened, say
from service.cli.reconcile_report import SHOWN, Report, mended, planned, verdict
from service.cli.values import Moment, as_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.reconcile import Mended, Plan, Scope, Summary
    from service.settings import Settings

SETTLING = timedelta(minutes=10)
"""An order placed so lately may be on its way to 1C yet."""


@main.group()
def reconcile() -> None:
    """Holds what others say they have against the hub."""


@reconcile.command()
@click.argument("place", metavar="[FILE|URL]", required=False)
@click.option("--source", metavar="BASE", help="The base it is from; not needed where there is only one")
@click.option("--since", type=Moment(), help="Only orders that 1C dates at or behind this time")
@click.option("--limit", type=click.IntRange(0, 1_000_000), default=SHOWN, show_default=True, help="Rows of the table")
@click.option("--fix", is_flag=True, help="Mend what can be mended, after showing it and asking")
@click.option("--yes", is_flag=True, help="With --fix: don't ask")
@as_json
@configured
async def onec(
    settings: "Settings", place: str | None, source: str | None, since: datetime | None, limit: int, fix: bool,
    yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """What 1C says it has, beside what the hub knows: orders missing here or there, other stages, goods or sums.

    FILE: documents in anything that the hub reads from 1C; - for stdin. URL: of 1C's OData interface; without
    either, the one configured for the base. Changes nothing without --fix, and never makes up a mark.
    """
    from service.reconcile import Plan

    if fix and as_json and not yes:
        raise click.UsageError("--json with --fix asks nothing: say --yes as well")
    base = _base(settings, source)
    place = _place(settings, place, base)
    plan = Plan()
    try:
        summary = await _compare(settings, place, base, since, limit, plan, as_json=as_json)
        mended = await _mend(settings, plan, base, yes=yes, as_json=as_json) if fix else None
    finally:
        plan.close()
    left = plan.left if mended is not None else sum(summary.kinds.values())
    if left or summary.unreadable:
        raise Wrong(verdict(summary, plan, left, fix=fix))


def _base(settings: "Settings", source: str | None) -> str:
    """The base's name; empty where none is configured, and the messages say it themselves."""
    known = sorted(settings.onec.sources)
    if source is not None and known and source not in known:
        raise click.UsageError(f"--source {source!r} is not in [onec.sources]; there are: {', '.join(known)}")
    if source is None and len(known) > 1:
        raise click.UsageError(f"say which base it is from: --source, one of {', '.join(known)}")
    return source or (known[0] if known else "")


def _place(settings: "Settings", place: str | None, base: str) -> str:
    odata = settings.onec.base(base).odata
    if place is None and odata is None:
        raise click.UsageError("name a file or a URL, or set `url` in [onec.sources.NAME.odata]")
    found = place or (odata.url if odata is not None else "")
    if not _is_url(found) and found != "-" and not Path(found).is_file():
        raise click.UsageError(f"{found!r} is no file, and no address that begins with http:// or https://")
    return found


def _is_url(place: str) -> bool:
    return place.startswith(("http://", "https://"))


async def _compare(
    settings: "Settings", place: str, base: str, since: datetime | None, limit: int, plan: "Plan", *, as_json: bool
) -> "Summary":  # fmt: skip
    from service.cli.progress import bar
    from service.reconcile import BrokenFile, Faulty, ODataError, Reconciling, Scope

    tells = settings.onec.base(base).tells
    until = datetime.now(UTC) - SETTLING if _is_url(place) else None
    source = f"1c/{base}" if base else ""
    scope = Scope(source, frozenset(settings.channels if tells is None else tells), since, until)
    report = Report(limit, as_json=as_json)
    async with AsyncExitStack() as stack:
        pool, log = await stack.enter_async_context(opened(settings, reading=True))
        progress = stack.enter_context(bar("comparing", unit="documents" if _is_url(place) else "bytes", quiet=as_json))
        run = Reconciling(pool, log, settings, scope)
        try:
            bodies = await _bodies(settings, place, base, scope, stack, progress)
            async for one in run.all(bodies):
                if isinstance(one, Faulty):
                    report.faulty(one)
                else:
                    report.found(one)
                    plan.add(one)
        except (BrokenFile, ODataError) as error:
            raise Wrong(f"{place if not _is_url(place) else 'OData'}: {error}") from error
    report.end(run.summary)
    return run.summary


async def _bodies(
    settings: "Settings", place: str, base: str, scope: "Scope", stack: AsyncExitStack,
    progress: "Callable[[int, int], None]",
) -> AsyncIterator[bytes]:  # fmt: skip
    from service.reconcile import Orders, messages

    if _is_url(place):
        listed = Orders(place, settings.onec.base(base).odata, settings.zone(scope.source))
        orders = await stack.enter_async_context(listed)
        return orders.bodies(scope.since, lambda count: progress(count, count))
    file = stack.enter_context(click.open_file(place, "rb"))

    async def read() -> AsyncIterator[bytes]:
        done = 0
        for message in messages(cast("BinaryIO", file)):
            done += len(message)
            progress(done, done)
            yield message

    return read()


async def _mend(settings: "Settings", plan: "Plan", base: str, *, yes: bool, as_json: bool) -> "Mended | None":
    """What was done; None where nothing could be, or nobody wanted it."""
    from service.onec.amqp import BrokerUnavailable
    from service.reconcile import mend

    if not (plan.sends or plan.reads or plan.tells):
        return None
    planned(plan)
    if not yes and not (sys.stdin.isatty() and click.confirm("go on?", err=True)):
        raise Wrong("nothing was changed: --yes goes on without asking")
    async with opened(settings) as (pool, log):
        try:
            done = await mend(plan, settings, pool, log, f"1c/{base}" if base else "")
        except BrokerUnavailable as error:
            why = f"RabbitMQ did not take it ({error}): what was not reached differs still, run it again"
            raise Wrong(why) from error
    if as_json:
        say({"what": "mended", **asdict(done)})
    else:
        mended(done)
    return done
