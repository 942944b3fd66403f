"""What `okno reconcile` says: a line each or a table, sums, what is mended."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from service.cli.frame import say, table
from service.cli.values import shown

if TYPE_CHECKING:
    from service.reconcile import Faulty, Found, Mended, Plan, Summary

SHOWN = 200
FAULTS = 20
"""Documents nobody can read that are told of in a terminal."""


class Report:
    """Says what differs: a line each as it is found, or a table of the first ones at the end."""

    def __init__(self, limit: int, *, as_json: bool) -> None:
        self._limit, self._as_json = limit, as_json
        self._rows: list[tuple[str | None, ...]] = []
        self._faults = 0

    def found(self, found: "Found") -> None:
        import msgspec

        one = found.difference
        if self._as_json:
            say({"what": "difference", **msgspec.structs.asdict(one)})
        elif len(self._rows) < self._limit:
            self._rows.append((one.order, one.kind, one.onec, one.hub, one.document, one.fix))

    def faulty(self, fault: "Faulty") -> None:
        import msgspec

        self._faults += 1
        if self._as_json:
            say({"what": "unreadable", **msgspec.structs.asdict(fault)})
        elif self._faults <= FAULTS:
            click.echo(f"document {fault.number}: {fault.reason}: {fault.detail}", err=True)

    def end(self, summary: "Summary") -> None:
        if self._as_json:
            say({"what": "summary", **asdict(summary), "kinds": dict(sorted(summary.kinds.items()))})
            return
        if self._rows:
            table(("order", "what differs", "1C", "hub", "document", "--fix"), self._rows)
        count = sum(summary.kinds.values())
        if count > len(self._rows):
            click.echo(f"… and {count - len(self._rows)} more: --limit {count}")
        kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(summary.kinds.items()))
        click.echo(f"{summary.documents} documents, {summary.orders} orders of ours compared, {summary.elsewhere} "
                   f"documents of others; {kinds or 'no difference'}")  # fmt: skip
        if summary.changes:
            click.echo(f"{summary.changes} messages say what happened, not how it is, and were left out")
        if summary.since is None or summary.until is None:
            click.echo("what 1C lacks was not looked for: no document has a date, and --since names no time")
        else:
            span = f"{shown(summary.since)} to {shown(summary.until)}"
            click.echo(f"what 1C lacks was looked for among orders placed from {span}")


def planned(plan: "Plan") -> None:
    """What `--fix` is about to do."""
    click.echo(f"--fix: {plan.sends} documents of 1C's go in, {len(plan.reads)} orders are asked for at their "
               f"marketplace, 1C is told of {len(plan.tells)} orders again", err=True)  # fmt: skip


def mended(done: "Mended") -> None:
    """What it did."""
    click.echo(f"sent in {done.sent}, asked for {done.asked}, told again {done.told} orders ({done.messages} messages)")
    if done.told and not done.messages:
        how = "its «Обмен с сайтом» was set back" if done.set_back else "it reads GET /v1/outbox"
        click.echo(f"where {how}, 1C finds them behind the cursor {done.cursor}")


def verdict(summary: "Summary", plan: "Plan", left: int, *, fix: bool) -> str:
    unread = f", {summary.unreadable} documents can't be read" if summary.unreadable else ""
    if fix:
        return f"{left} differences want a person{unread}"
    mendable = sum(summary.kinds.values()) - plan.left
    return f"{left} differences in {summary.differing} orders{unread}; --fix mends {mendable} of them"
