"""What must be true in the end; each check is a name and its offenders."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import stating
from .onec import OneC
from .wire import REPEATED_LATER, SOURCE, Message


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
    """What was read from the hub in the end; `sent` is what 1C had sent, in `shadow` nothing may change."""

    orders: dict[str, dict[str, Any]]
    log: list[dict[str, Any]]
    outbox: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    commands: list[dict[str, Any]]
    sent: Collection[Message] = ()
    shadow: bool = False

    def told(self, key: str) -> list[dict[str, Any]]:
        """What 1C was told about one order, in order."""
        return [event for event in self.outbox if event.get("subject") == key]


def in_hub(report: Report, found: Findings, onec: OneC, shadow: bool) -> None:
    """The hub's side: log, rejected, commands."""
    report.add("hub: versions per order without gaps, positions without gaps", _numbering(found.log))
    report.add("hub: every order placed once", _placed_once(found.log, onec))
    in_log = stating.in_log(found.log, onec) if isinstance(onec, stating.StatingOneC) else _in_log(found.log, onec)
    report.add("hub: every message of 1C in the log exactly once", in_log)
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
    for key in onec.lives:
        if placed[key] != 1:
            yield f"{key}: order.placed {placed[key]} times"
    yield from (f"{key}: placed, though there is no such order" for key in placed.keys() - onec.lives.keys())


def _in_log(log: list[dict[str, Any]], onec: OneC) -> Iterator[str]:
    """By source, id and type; a message without an id by order and type. An id may stand for two marks: it sticks."""
    events = [event for event in log if event["source"] == SOURCE]
    by_id = Counter((event["id"], event["type"]) for event in events)
    by_order = Counter((event["order"], event["type"]) for event in events)
    for message in onec.sent.values():
        count = (sum(by_id[message.id, kind] for kind in message.types) if message.id
                 else sum(by_order[message.order, kind] for kind in message.types))  # fmt: skip
        if count != onec.marks[message.identity]:
            yield f"{message.order} {message.type} {message.id or 'without id'}: {count} times"
    if len(events) != onec.marks.total():
        yield f"{len(events)} events of {SOURCE} in the log, {onec.marks.total()} messages sent"


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


def told_onec(report: Report, found: Findings, onec: OneC) -> None:
    """1C's side: what it was told, how often, in which order."""
    report.add("1C: messages well formed, ids with one content each", onec.faults)
    report.add("1C: told everything that is in the outbox", (
        f"{item['type']} of {item.get('subject')} ({item['id']}) never arrived"
        for item in found.outbox if item["id"] not in onec.by_id))  # fmt: skip
    known = {item["id"] for item in found.outbox}
    strange = (f"{told.type} of {told.order} ({told.id})" for told in onec.by_id.values() if told.id not in known)
    report.add("1C: told nothing that is not in the outbox", strange)
    report.add("1C: in order per order", _in_order(found.outbox, onec))
    report.notes.append(f"1C: {len(onec.told)} deliveries of {len(onec.by_id)} messages; {len(onec.sent)} sent")


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
