"""Checks a file of `okno export proof` without the database: nothing but Python 3.8 or newer is needed.

    python check_proof.py FILE [--seal SEAL]

Exit code 0: all that is printed as proved is proved. 1: something is wrong, with the line. 2: used wrongly.

How it works. An append to the log is a link of a chain. A row's hash covers all that the row holds; a link's root its
rows' hashes in order; a link's seal its root, number, positions and time, the seal of the link before and that of link
n - (n & -n), so that few links lead over millions. The file holds events, the row hashes of the links they lie in, and
the links from there to the head of the log. All is computed anew here, so the last seal stands for all of it: who has
that seal, or one on the way, from elsewhere than the one who made the file, need trust nobody.
"""

from __future__ import annotations  # for old Pythons; nothing of the hub's is imported, since this file stands alone

import argparse
import json
import re
import sys
from datetime import date
from functools import lru_cache
from hashlib import sha256
from typing import Any, BinaryIO, Iterable, Iterator  # noqa: UP035  # as Python 3.8 has them

SPELLING: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}  # the one there is
GENESIS = "0" * 64
HEADER = {"okno", "form", "order", "since", "until", "head", "exported_at"}
LINK = {"link", "first", "last", "recorded_at", "before", "skip"}
EVENT = {"position", "order", "version", "type", "source", "id", "cause", "actor", "occurred_at", "recorded_at"}
EVENT |= {"id_reused", "digest", "body_hash", "data"}
HEX = re.compile("(?:[0-9a-f]{2})*")
TIME = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])[.]([0-9]{6})Z")
EPOCH = date(1970, 1, 1).toordinal()


class Wrong(Exception):
    """What is wrong in the line that was read last."""


def whole(value: Any, least: int = 0) -> int:
    """A whole number."""
    if type(value) is not int or value < least:
        raise Wrong(f"{value!r} is no number that can stand here")
    return value


def text(value: Any) -> bytes:
    """A text as UTF-8."""
    if type(value) is not str:
        raise Wrong(f"{value!r} is no text")
    return value.encode()


def raw(value: Any, size: int | None = 32) -> bytes:
    """Bytes in hexadecimal digits."""
    if type(value) is not str or not HEX.fullmatch(value) or (size is not None and len(value) != 2 * size):
        raise Wrong(f"{value!r} is no hash")
    return bytes.fromhex(value)


@lru_cache(1000)
def microseconds(value: Any) -> int:
    """A time, in microseconds since 1970."""
    found = TIME.fullmatch(text(value).decode())
    if found is None:
        raise Wrong(f"{value!r} is no time")
    year, month, day, hour, minute, second, micros = map(int, found.groups())
    days = date(year, month, day).toordinal() - EPOCH
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000000 + micros


def named(value: Any, names: set[str], what: str) -> dict[str, Any]:
    """An object with just these names."""
    if type(value) is not dict or set(value) != names:
        raise Wrong(f"this is no {what}")
    return value


def sized(value: Any) -> bytes:
    """A text with its length before it."""
    found = text(value)
    return b"%d:%b" % (len(found), found)


def row_hash(event: dict[str, Any]) -> bytes:
    """The hash of an event's row."""
    cause, body = event["cause"], event["body_hash"]
    content = sha256(b"".join((
        sized(event["source"]), sized(event["id"]), sized(event["actor"]),
        b"-:" if cause is None else b"%d:" % whole(cause), sha256(raw(event["digest"], None)).digest(),
        sha256(text(event["data"])).digest(), b"-" if body is None else b"+" + raw(body, None),
    ))).digest()  # fmt: skip
    if type(event["id_reused"]) is not bool:
        raise Wrong("id_reused is neither true nor false")
    return sha256(b"%d|%b|%d|%b|%d|%d|%d|" % (
        whole(event["position"], 1), sized(event["order"]), whole(event["version"], 1), sized(event["type"]),
        microseconds(event["occurred_at"]), microseconds(event["recorded_at"]), event["id_reused"],
    ) + content).digest()  # fmt: skip


def seal_of(link: dict[str, Any], root: bytes) -> str:
    """The seal of a link."""
    numbers = (link["link"], link["first"], link["last"], microseconds(link["recorded_at"]))
    return sha256(raw(link["before"]) + raw(link["skip"]) + b"|%d|%d|%d|%d|" % numbers + root).hexdigest()


class Lines:
    """The file's lines, one by one; the last one holds a checksum over the others."""

    def __init__(self, file: BinaryIO) -> None:
        self.number, self._file, self._sum = 0, file, sha256()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self._file:
            self.number += 1
            value = json.loads(line.decode())
            if type(value) is not dict or line != json.dumps(value, **SPELLING).encode() + b"\n":
                raise Wrong("this is no whole line, or another program wrote it")
            if "end" in value:
                named(value, {"end", "sha256"}, "end")
                if value["end"] != self.number - 1 or value["sha256"] != self._sum.hexdigest():
                    raise Wrong("the lines before are not those the file was written with")
                if self._file.read(1):
                    raise Wrong("something stands behind the end")
                return
            self._sum.update(line)
            yield value
        self.number += 1
        raise Wrong("the file was cut off: its end is missing")


class Proof:
    """What the lines so far prove."""

    def __init__(self, header: dict[str, Any], kept: str | None) -> None:
        named(header, HEADER, "header: the file is not one of `okno export proof`")
        if header["okno"] != "proof" or header["form"] != 1:
            raise Wrong("the file has another form than this program knows: take the newer program")
        self.head = named(header["head"], {"position", "number", "seal", "recorded_at", "epoch"}, "head")
        self.order: str | None = header["order"]
        self.since, self.until = (None if header[n] is None else microseconds(header[n]) for n in ("since", "until"))
        if self.order is not None and (not text(self.order) or header["since"] or header["until"]):
            raise Wrong("the file is about an order or about a period")
        self.header, self.kept = header, kept
        self.link: dict[str, Any] | None = None
        self.seal, self.zone, self.found = "", "", ""
        self.events = self.covered = 0
        self.versions: dict[str, int] = {}
        self.documents: set[str] = set()
        self.ends: list[dict[str, Any]] = []

    def take(self, link: dict[str, Any], lines: Iterator[dict[str, Any]]) -> None:
        """Proves a link and the events that lie in it."""
        rows = "rows" in link
        named(link, LINK | {"rows" if rows else "root"}, "link")
        for name in ("link", "first", "last"):
            whole(link[name], 1)
        zone = self._follows(link)
        if rows != (zone == "in") and self.order is None:
            raise Wrong("the link has events though it is not of the period, or none though it is")
        root = sha256(b"".join(self._rows(link, lines))).digest() if rows else raw(link["root"])
        self.link, self.zone, self.seal = link, zone, seal_of(link, root)
        if self.seal == self.kept:
            self.found, self.covered = f"link {link['link']}, position {link['last']}", self.events

    def _follows(self, link: dict[str, Any]) -> str:
        """Proves that a link's place is right; says whether it lies before, in or after the period."""
        number, before, skip, last = link["link"], raw(link["before"]).hex(), raw(link["skip"]).hex(), self.link
        earlier, at = number - (number & -number), microseconds(link["recorded_at"])
        zone = "before" if self.since is not None and at < self.since else "in"
        zone = "after" if self.until is not None and at >= self.until else zone
        if link["last"] < link["first"]:
            raise Wrong("the link ends before it begins")
        if (number == 1 and (before, link["first"]) != (GENESIS, 1)) or (earlier == 0 and skip != GENESIS):
            raise Wrong("the link is not at the beginning of a log")
        if earlier == number - 1 and before != skip:
            raise Wrong("the link reaches back to two links that are one")
        if last is None:
            if self.order is None and number != 1 and zone != "before":
                raise Wrong("the beginning of the period is missing")
            return zone
        if not ((number - 1 == last["link"] and before == self.seal) or
                (earlier == last["link"] and skip == self.seal)):  # fmt: skip
            raise Wrong("the link does not hold the seal of the one before it in this file, or that one was altered")
        gap = link["first"] - last["last"] - 1
        if gap < 0 or (gap == 0) != (number - 1 == last["link"]) or at < microseconds(last["recorded_at"]):
            raise Wrong("the link's positions or its time can't be behind those of the one before it in this file")
        if self.order is None and gap and (zone == "in" or zone != self.zone):
            raise Wrong("links of the period are missing")
        return zone

    def _rows(self, link: dict[str, Any], lines: Iterator[dict[str, Any]]) -> Iterable[bytes]:
        """The row hashes of a link: those told, and those of the events that stand in the lines behind it."""
        rows = link["rows"]
        if type(rows) is not list or len(rows) != link["last"] - link["first"] + 1:
            raise Wrong("the link has not as many rows as positions")
        if self.order is None and any(row is not None for row in rows):
            raise Wrong("events are missing here")
        for position, row in enumerate(rows, link["first"]):
            if row is not None:
                yield raw(row)
                continue
            event = named(next(lines, None), EVENT, "event")
            if event["position"] != position or event["recorded_at"] != link["recorded_at"]:
                raise Wrong("the event's position or time is not that of its place in the link")
            yield row_hash(event)
            self._count(event)

    def _count(self, event: dict[str, Any]) -> None:
        """Counts an event; proves that none of the order is left out before it."""
        self.events += 1
        self.ends = [*self.ends[:1], event]
        if self.order is None:
            return
        key = event["order"]
        if key != self.order and not key.startswith("1c/"):
            raise Wrong(f"the event is of {key}, not of {self.order}")
        version = self.versions.get(key, 0) + 1
        if event["version"] != version:
            raise Wrong(f"version {version} of {key} is missing")
        self.versions[key] = version
        if key == self.order and event["type"] == "order.registered":
            try:
                self.documents.add("1c/" + json.loads(event["data"])["document"]["id"].casefold())
            except (ValueError, LookupError, TypeError, AttributeError):
                return  # it names no document

    def end(self) -> None:
        """Proves that the last link is the head the file speaks of."""
        link = self.link or {}
        told = {"number": link.get("link"), "position": link.get("last"), "recorded_at": link.get("recorded_at"),
                "seal": self.seal, "epoch": whole(self.head["epoch"])}  # fmt: skip
        if told != self.head:
            raise Wrong("the links do not lead to the head the file begins with")
        if self.order is not None and self.order not in self.versions:
            raise Wrong(f"no event of {self.order} is here")

    def told(self) -> Iterator[str]:
        """What is proved, and what can't be."""
        number = self.versions.get(self.order or "", 0)
        if self.order is None:
            since, until = self.header["since"] or "the beginning", self.header["until"] or "the head"
            yield f"proved: all {self.events} events recorded from {since} until {until}"
        else:
            yield f"proved: {number} events of {self.order}, versions 1 to {number} without a gap"
        for key in sorted(set(self.versions) - {self.order}):
            by = "named by the order" if key in self.documents else "no event here names it"
            yield f"        {self.versions[key]} events sent under its document {key} ({by})"
        if self.ends:
            first, last = ("position {position}, recorded {recorded_at}".format(**self.ends[n]) for n in (0, -1))
            yield f"        {first}, to {last}"
        head = "link {number}, position {position}, recorded {recorded_at}".format(**self.head)
        yield f"        in the log with this seal ({head}):"
        yield f"seal {self.seal}"
        kept = f"the seal kept outside is of {self.found}: it stands for {self.covered} of {self.events} events"
        yield kept if self.kept else "compare it with one kept outside (--seal): alone, a file only agrees with itself"
        if self.order is not None:
            yield "no such file can show whether the order has later events than these"


def check(file: BinaryIO, kept: str | None = None) -> Proof:
    """Proves a file; `Wrong` says in which line it fails."""
    lines = Lines(file)
    try:
        each = iter(lines)
        proof = Proof(next(each), kept)
        for line in each:
            proof.take(line, each)
        proof.end()
    except (Wrong, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Wrong(f"line {lines.number}: {' '.join(str(error).split())}") from None
    if kept and not proof.found:
        raise Wrong(f"the seal {kept} is not on the way to the head: the log was recomputed, or the file does not pass "
                    "that seal (`okno export proof --through SEAL` makes one that does)")  # fmt: skip
    return proof


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description="Checks a file of `okno export proof` without the database.")
    parser.add_argument("file")
    parser.add_argument("--seal", help="a seal kept outside, to be found on the way to the head")
    given = parser.parse_args()
    kept = given.seal and given.seal.lower()
    if kept and not re.fullmatch("[0-9a-f]{64}", kept):
        parser.error("--seal: a seal has 64 hexadecimal digits")
    try:
        with open(given.file, "rb") as file:  # noqa: PTH123  # one import less
            print("\n".join(check(file, kept).told()))
    except OSError as error:
        parser.error(f"{given.file}: {error.strerror}")
    except Wrong as error:
        print(f"{given.file} is no proof: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
