"""Everything that was asked of the marketplace, and what the journal proves about the asker."""

import datetime as dt
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

UNKNOWN = {"error_before", "error_after", "cut", "hang", "late"}
SERVER_TIMEOUT = 10.0


@dataclass
class Call:
    """One call: which orders it was about, which step it meant for each, what came of it; by the order's number."""

    at: float
    op: str
    changing: bool
    campaign: int
    steps: Mapping[Any, str] = field(default_factory=dict)
    body: Any = None
    fault: str = ""
    status: int = 0
    end: float = float("inf")
    applied: set[Any] = field(default_factory=set)
    refused: dict[Any, str] = field(default_factory=dict)
    seen: frozenset[Any] = frozenset()

    @property
    def learned(self) -> float:
        """When the caller can have known that the outcome is unknown, at the earliest."""
        return min(self.end, self.at + SERVER_TIMEOUT)

    def line(self) -> str:
        what = "; ".join(f"{o} {s}" for o, s in list(self.steps.items())[:3]) or self.op
        return f"{self.at:.2f} {what} -> {self.status or 'no answer'} {self.fault} {list(self.refused.values())[:1]}"


class Journal:
    """All calls in the order they came."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.violations: list[str] = []
        self.notes: dict[str, int] = defaultdict(int)

    def violation(self, text: str) -> None:
        self.violations.append(text)

    def changing(self) -> list[Call]:
        return [call for call in self.calls if call.changing]

    def by_order(self) -> dict[Any, list[Call]]:
        out: dict[Any, list[Call]] = defaultdict(list)
        for call in self.changing():
            for number in call.steps:
                out[number].append(call)
        return out

    def reads(self) -> dict[Any, list[float]]:
        """When reads began whose answer, given in full, held this order."""
        out: dict[Any, list[float]] = defaultdict(list)
        for call in self.calls:
            for number in call.seen:
                out[number].append(call.at)
        return out

    def sent_again(self) -> Iterator[str]:
        """Steps that were tried once more after they had been done."""
        for number, calls in self.by_order().items():
            done: dict[str, Call] = {}
            for call in calls:
                step = call.steps[number]
                if step in done and done[step].end <= call.at:
                    yield f"{number} {step}: done by a call of {done[step].at:.2f}, again at {call.at:.2f}"
                if number in call.applied:
                    done[step] = call

    def blind(self) -> Iterator[str]:
        """Calls sent for an order after an unknown outcome (or a 400) with no read of that order in between."""
        reads = self.reads()
        for number, calls in self.by_order().items():
            for before, after in pairwise(calls):
                unknown = before.fault in UNKNOWN
                same_after_refusal = before.steps[number] == after.steps[number] and before.fault != "limit"
                if (unknown or same_after_refusal) and not any(
                    before.learned - 0.05 <= at <= after.at for at in reads[number]
                ):
                    yield (f"{number}: {before.steps[number]} ({before.fault or before.status}) at {before.at:.2f}, "
                           f"then {after.steps[number]} at {after.at:.2f} without a read")  # fmt: skip

    def refusals(self, excused: Container[Any]) -> Iterator[str]:
        """Steps the marketplace refused though nobody but the shop had touched the order: wrong order or wrong body."""
        for call in self.changing():
            for number, reason in call.refused.items():
                if number not in excused and call.steps[number] != "external-id":
                    yield f"{number} {call.steps[number]}: {reason}"

    def overlapping(self) -> Iterator[str]:
        """Two changing calls in flight for one order at once."""
        for number, calls in self.by_order().items():
            for before, after in pairwise(calls):
                if before.fault not in UNKNOWN and before.end > after.at + 0.01:
                    yield f"{number}: {before.steps[number]} still running when {after.steps[number]} came"

    def history(self, number: Any) -> list[str]:
        return [call.line() for call in self.calls if number in call.steps]

    def summary(self) -> str:
        counts: dict[str, int] = defaultdict(int)
        faults: dict[str, int] = defaultdict(int)
        for call in self.calls:
            counts[call.op] += 1
            if call.fault:
                faults[call.fault] += 1
        return f"calls {dict(counts)}; faults {dict(faults)}; notes {dict(self.notes)}"


def rfc822(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
