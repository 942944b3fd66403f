"""What must be true in the end; each check is a name and its offenders."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .hooks import Hooks
from .market import Market
from .marks import script, storage_limit
from .onec import OneC
from .order import Order
from .scenario import MOSCOW, ZONE, Scenario
from .wire import REPEATED_LATER, SOURCE


@dataclass
class Report:
    """The table of checks."""

    rows: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, offenders: Iterable[str]) -> None:
        self.rows.append((name, list(offenders)))

    @property
    def failed(self) -> list[str]:
        return [name for name, offenders in self.rows if offenders]

    def __str__(self) -> str:
        lines = []
        for name, offenders in self.rows:
            lines.append(f"{'FAIL' if offenders else ' ok '}  {name}" + (f"  ({len(offenders)})" if offenders else ""))
            lines += [f"        {offender[:300]}" for offender in offenders[:5]]
        return "\n".join([*lines, *(f"note  {note}" for note in self.notes)])


@dataclass
class Findings:
    """What was read from the hub in the end."""

    orders: dict[str, dict[str, Any]]
    log: list[dict[str, Any]]
    outbox: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    commands: list[dict[str, Any]]


def market_state(scenario: Scenario) -> set[str]:
    """Where the order may end at the marketplace."""
    if scenario.ending == "shop_cancel":
        if scenario.model != "dbs":
            return {"CANCELLED/SHOP_FAILED"}
        named = {"out_of_stock": {"SHOP_FAILED"}, "customer_changed_mind": {"USER_CHANGED_MIND"}}
        wanted = named.get(scenario.cancel_reason, {"SHOP_FAILED", "USER_CHANGED_MIND"})
        return {f"CANCELLED/{substatus}" for substatus in wanted}
    return {"CANCELLED/USER_CHANGED_MIND"} if scenario.cancelled else {"DELIVERED/DELIVERY_SERVICE_DELIVERED"}


def unsettled(orders: Iterable[Order], shadow: bool) -> list[str]:
    """Orders that are not yet where they belong at the marketplace; in shadow only what needs no shop."""
    wrong = []
    for order in orders:
        scenario = order.scenario
        wanted = market_state(scenario)
        if shadow and scenario.ending != "buyer_cancel":
            wanted = {"PROCESSING/STARTED"}
        if order.state not in wanted:
            wrong.append(f"{scenario.key} ({scenario.ending}): {order.state}, wanted {' or '.join(sorted(wanted))}")
    return wrong


def details(order: Order, seed: int) -> Iterator[str]:
    """What besides the status must have reached the marketplace."""
    scenario, sent = order.scenario, [mark.type for mark in script(order.scenario, seed)]
    if scenario.ending in ("shop_cancel", "buyer_cancel", "request_accept"):
        return
    wanted = {line.id: count for line, count in zip(scenario.lines, scenario.kept, strict=True)}
    if order.counts != wanted:
        yield f"{scenario.key}: lines {order.counts}, wanted {wanted}"
    if scenario.registered and order.external_id != scenario.document_number and scenario.model == "dbs":
        yield f"{scenario.key}: external id {order.external_id!r}, wanted {scenario.document_number!r}"
    if scenario.moved_by and order.to_date != scenario.moved_date.isoformat():
        yield f"{scenario.key}: date {order.to_date}, wanted {scenario.moved_date}"
    if scenario.track and order.track != scenario.track:
        yield f"{scenario.key}: track {order.track!r}, wanted {scenario.track!r}"
    if scenario.keep_until and order.storage_limit != storage_limit(scenario):
        yield f"{scenario.key}: storage limit {order.storage_limit!r}, wanted {storage_limit(scenario)}"
    if scenario.ending == "request_decline" and order.accepted is not False:
        yield f"{scenario.key}: the buyer's request was not declined"
    if scenario.late and "order.delivered" in sent and not order.real_date:
        yield f"{scenario.key}: delivered the day before, but no realDeliveryDate"
    for line in scenario.lines if scenario.marked else ():
        given = sorted(str(i.get("cis", "")) for i in order.instances.get(line.id, []))
        if given != sorted(line.marks):
            yield f"{scenario.key}: marks of {line.sku}: {given}, wanted {sorted(line.marks)}"


def real_dates(orders: Iterable[Order], onec: OneC) -> Iterator[str]:
    """realDeliveryDate is the day 1C named (the shop's zone or Market's), and only where that was not today."""
    days = {(m.order, day.astimezone(zone).date().isoformat())
            for m in onec.sent.values() if m.type in ("order.delivered", "order.arrived") and (day := m.occurred)
            for zone in (MOSCOW, ZONE)}  # fmt: skip
    for order in orders:
        key = order.scenario.key
        if order.real_date and not order.scenario.late:
            yield f"{key}: realDeliveryDate {order.real_date}, though delivered the same day"
        elif order.real_date and (key, order.real_date) not in days:
            yield f"{key}: realDeliveryDate {order.real_date} is not the day 1C named"


def at_market(report: Report, market: Market, hooks: Hooks, onec: OneC, shadow: bool) -> None:
    """The marketplace's side: its orders and its journal."""
    journal, orders, seed = market.journal, market.orders, onec.seed
    excused = {number for number, order in orders.items() if order.scenario.ending == "buyer_cancel"}
    report.add("marketplace: every order where it belongs", unsettled(orders.values(), shadow))
    report.add("marketplace: no protocol violation", journal.violations)
    report.add("marketplace: notifications answered as the documents ask", hooks.faults)
    if shadow:
        report.add("shadow: no call that changes anything", (call.line() for call in journal.changing()))
        return
    wrong = (text for order in orders.values() for text in details(order, seed))
    report.add("marketplace: lines, dates, marks, document numbers", wrong)
    report.add("marketplace: real delivery dates", real_dates(orders.values(), onec))
    report.add("marketplace: every step done once", journal.sent_again())
    report.add("marketplace: nothing sent blindly after an unknown outcome", journal.blind())
    report.add("marketplace: no step refused as out of order", journal.refusals(excused))
    report.add("marketplace: one call at a time for an order", journal.overlapping())
    report.notes.append(journal.summary())


def in_hub(report: Report, found: Findings, market: Market, onec: OneC, shadow: bool) -> None:
    """The hub's side: orders, log, rejected, commands."""
    report.add("hub: every order where it belongs", stages(found, market, shadow))
    report.add("hub: versions per order without gaps, positions without gaps", _numbering(found.log))
    report.add("hub: every order placed once", _placed_once(found.log, onec))
    report.add("hub: every message of 1C in the log exactly once", _in_log(found.log, onec))
    report.add("hub: times of 1C without a zone understood", _times(found.log, onec))
    report.add("hub: every broken message among the rejected, nothing else", _rejected(found.rejected, onec))
    report.add("hub: commands are listed", [] if found.commands else ["GET /v1/commands gives none"])
    states = Counter(str(command["state"]) for command in found.commands)
    report.notes.append(f"commands by state {dict(states)}")
    open_states = ("waiting", "sending", "given_up")
    report.add("hub: no command left over", (str(c)[:200] for c in found.commands if c["state"] in open_states))
    if shadow:
        sent = (str(c)[:200] for c in found.commands if c["target"] not in ("1c", "onec") and c["state"] == "done")
        report.add("shadow: every command for a marketplace withheld", sent)


def stages(found: Findings, market: Market, shadow: bool) -> Iterator[str]:
    for order in market.orders.values():
        scenario = order.scenario
        row = found.orders.get(scenario.key)
        if row is None:
            yield f"{scenario.key}: not there"
            continue
        stages = {"cancelled"} if scenario.cancelled else {"completed"}
        stages |= {"returned"} if scenario.ending == "returned" else set()
        if shadow and scenario.ending.startswith("request"):
            stages = {"confirmed", "assembled", "shipped"}
        seen = (row.get("marketplace") or {}).get("status")
        if row["stage"] not in stages or seen != order.state:
            yield f"{scenario.key} ({scenario.ending}): {row['stage']}, sees {seen}; wanted {stages}, {order.state}"
        if {line["sku"] for line in row["lines"]} - {line.sku for line in scenario.lines}:
            yield f"{scenario.key}: lines {row['lines']}"


def _numbering(log: list[dict[str, Any]]) -> Iterator[str]:
    versions: dict[str, int] = defaultdict(int)
    for at, event in enumerate(log, 1):
        if event["position"] != at:
            yield f"position {event['position']} where {at} was due"
            return
        key = event["order"]
        versions[key] += 1
        if key and event["version"] != versions[key]:
            yield f"{key}: version {event['version']} where {versions[key]} was due at position {at}"


def _placed_once(log: list[dict[str, Any]], onec: OneC) -> Iterator[str]:
    placed = Counter(event["order"] for event in log if event["type"] == "order.placed")
    for key in onec.scenarios:
        if placed[key] != 1:
            yield f"{key}: order.placed {placed[key]} times"


def _in_log(log: list[dict[str, Any]], onec: OneC) -> Iterator[str]:
    """By source, id and type; a message without an id by order and type."""
    events = [event for event in log if event["source"] == SOURCE]
    by_id = Counter((event["id"], event["type"]) for event in events)
    by_order = Counter((event["order"], event["type"]) for event in events)
    for message in onec.sent.values():
        count = (sum(by_id[message.id, kind] for kind in message.types) if message.id
                 else sum(by_order[message.order, kind] for kind in message.types))  # fmt: skip
        if count != 1:
            yield f"{message.order} {message.type} {message.id or 'without id'}: {count} times"
    if len(events) != len(onec.sent):
        yield f"{len(events)} events of {SOURCE} in the log, {len(onec.sent)} messages sent"


def _times(log: list[dict[str, Any]], onec: OneC) -> Iterator[str]:
    """`occurred_at` is what 1C wrote, taken as Samara time; a repeat may carry a later time and come first."""
    occurred = {(e["id"], e["type"]): e["occurred_at"] for e in log if e["source"] == SOURCE}
    for message in onec.sent.values():
        stored = next((occurred[message.id, kind] for kind in message.types if (message.id, kind) in occurred), None)
        if message.occurred is None or stored is None or not message.id:
            continue
        late = (dt.datetime.fromisoformat(stored) - message.occurred).total_seconds()
        if late not in (0, REPEATED_LATER):
            yield f"{message.order} {message.type}: occurred_at {stored}, wanted {message.occurred.isoformat()}"


def _rejected(rejected: list[dict[str, Any]], onec: OneC) -> Iterator[str]:
    bodies = [item["body"] if isinstance(item["body"], str) else str(item["body"] or "") for item in rejected]
    if onec.over_http:  # over HTTP the sender is told at once
        for message in onec.broken:
            answer = onec.http_refusals.get(f"broken {message.name}", "202")
            if not answer.startswith("400"):
                yield f"{message.name}: answered {answer}"
    else:
        for message in onec.broken:
            hits = [b for b in bodies if (message.marker in b if len(message.marker) > 4 else b == message.marker)]
            if len(hits) != 1:
                yield f"{message.name}: {len(hits)} times among the rejected"
        if len(rejected) != len(onec.broken):
            yield f"{len(rejected)} rejected, {len(onec.broken)} were broken: {[i['reason'] for i in rejected][:12]}"
    for name, answer in onec.http_refusals.items():
        if not name.startswith("broken "):
            yield f"a good message was refused over HTTP: {name}: {answer}"


def told_onec(report: Report, found: Findings, market: Market, onec: OneC, shadow: bool) -> None:
    """1C's side: what it was told, how often, in which order."""
    report.add("1C: messages well formed, ids with one content each", onec.faults)
    report.add("1C: told everything that is in the outbox", (
        f"{item['type']} of {item.get('subject')} ({item['id']}) never arrived"
        for item in found.outbox if item["id"] not in onec.by_id))  # fmt: skip
    known = {item["id"] for item in found.outbox}
    strange = (f"{told.type} of {told.order} ({told.id})" for told in onec.by_id.values() if told.id not in known)
    report.add("1C: told nothing that is not in the outbox", strange)
    report.add("1C: told what it must know of each order", _must_know(market, onec, shadow))
    report.add("1C: in order per order", _in_order(found.outbox, onec))
    report.notes.append(f"1C: {len(onec.told)} deliveries of {len(onec.by_id)} messages; {len(onec.sent)} sent")


def _must_know(market: Market, onec: OneC, shadow: bool) -> Iterator[str]:
    counts = Counter((told.order, told.type) for told in onec.by_id.values())
    for order in market.orders.values():
        scenario = order.scenario
        wanted = ["order.placed"]
        if scenario.ending == "buyer_cancel":
            wanted.append("order.cancelled")
        if scenario.ending.startswith("request") and not shadow:
            wanted.append("order.cancellation_requested")
        for kind in wanted:
            if counts[scenario.key, kind] != 1:
                yield f"{scenario.key}: {kind} told {counts[scenario.key, kind]} times (distinct ids)"
        if scenario.ending == "returned" and order.returns and not counts[scenario.key, "order.returned"]:
            yield f"{scenario.key}: order.returned never told"
        if not shadow and not scenario.cancelled and not counts[scenario.key, "marketplace.accepted"]:
            yield f"{scenario.key}: marketplace.accepted never told"


def _in_order(outbox: list[dict[str, Any]], onec: OneC) -> Iterator[str]:
    """First deliveries of an order come in the outbox's order, and their version never falls."""
    place = {item["id"]: at for at, item in enumerate(outbox)}
    last: dict[str, tuple[int, int, str]] = {}
    for told in onec.by_id.values():
        at = place.get(told.id, -1)
        before = last.get(told.order)
        if before and at >= 0 and (before[0] > at or (told.version >= 0 and before[1] > told.version)):
            yield f"{told.order}: {told.type} (version {told.version}) after {before[2]} (version {before[1]})"
        last[told.order] = (at, told.version, told.type)


def rows_by_key(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["order"]: row for row in rows}
