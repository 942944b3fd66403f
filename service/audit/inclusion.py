"""The lines of a proof that events are in the log: `check_proof` reads them.

    {"okno": "proof", …}                    what the file is about, and the head of the log it leads to
    {"link": 17, …, "root": …}              a link on the way
    {"link": 18, …, "rows": [null, "…"]}    a link events lie in: a row's hash, or null for an event on a line behind
    {"position": …, "data": "…"}            such an event: every column, `data` as the text it is
    {"end": 4, "sha256": …}                 the number of lines before, and a checksum over them

Links ascend, and each holds the seal of the one before it in the file; from link to link it takes few that are not
wanted for themselves (`way`). Every line has one spelling only, that of `line`.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from events import seal
from events.log import Head


class NoProof(Exception):
    """There is nothing to prove, or the log is not whole; the message says what to do."""


def way(begin: int, end: int) -> list[int]:
    """The links that lead from one to a later one, that one included: a number squared in the digits of `end`."""
    found = []
    while end > begin:
        found.append(end)
        end = seal.skipped_to(end) if seal.skipped_to(end) >= begin else end - 1
    return found[::-1]


def line(value: dict[str, Any]) -> bytes:
    """A line of the file."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def time(moment: datetime) -> str:
    """A time as the lines have it: UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def header(
    head: Head, now: datetime, *, order: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> bytes:
    """The first line."""
    return line({
        "okno": "proof", "form": 1, "order": order, "since": since and time(since), "until": until and time(until),
        "head": {"position": head.position, "number": head.links, "seal": head.seal.hex(),
                 "recorded_at": time(head.recorded_at), "epoch": head.epoch},
        "exported_at": time(now),
    })  # fmt: skip


def link(row: Any, rows: Iterable[bytes | None] | None = None) -> bytes:
    """A link; with `rows` one that events lie in, None for each of them."""
    if row["before"] is None or row["skip"] is None:
        raise NoProof(f"link {row['number']} does not follow from those before it: `okno verify` says what is wrong")
    found = {
        "link": row["number"], "first": row["first_position"], "last": row["last_position"],
        "recorded_at": time(row["recorded_at"]), "before": row["before"].hex(), "skip": row["skip"].hex(),
    }  # fmt: skip
    if rows is None:
        return line({**found, "root": row["root"].hex()})
    return line({**found, "rows": [None if one is None else one.hex() for one in rows]})


def event(row: Any) -> bytes:
    """An event with all that its row's hash covers."""
    try:
        data = row["data"].decode()
    except UnicodeDecodeError as error:
        raise NoProof(f"the event at {row['position']} holds no text: `okno verify` says what is wrong") from error
    return line({
        "position": row["position"], "order": row["order_key"], "version": row["version"], "type": row["type"],
        "source": row["source"], "id": row["id"], "cause": row["cause"], "actor": row["actor"],
        "occurred_at": time(row["occurred_at"]), "recorded_at": time(row["recorded_at"]),
        "id_reused": row["id_reused"], "digest": row["digest"].hex(),
        "body_hash": None if row["body_hash"] is None else row["body_hash"].hex(), "data": data,
    })  # fmt: skip


class Ending:
    """Counts what goes by, for the last line."""

    def __init__(self) -> None:
        self._lines, self._sum = 0, sha256()

    def pass_on(self, lines: bytes) -> bytes:
        """Takes whole lines, gives them back."""
        self._lines += lines.count(b"\n")
        self._sum.update(lines)
        return lines

    def line(self) -> bytes:
        """The last line."""
        return line({"end": self._lines, "sha256": self._sum.hexdigest()})
