"""Lines as they become rows: what of an import needs no log, so that a process beside can do it. Pure.

Everything here goes through a pipe as MessagePack: bytes, texts and times as they are.
"""

from datetime import datetime

import msgspec

from events import codec, seal
from events.order import facts as f
from service.importing.lines import Past, Skipped, understood
from service.onec.cloudevents import Unreadable
from service.settings import Settings


class Fault(msgspec.Struct, frozen=True):
    """A line that can't be taken: which, why, and what to do. As a line of the file of rejected ones."""

    line: int
    reason: str
    detail: str
    body: str
    pointer: str = ""


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An event of a line as it is staged, in the order of the columns; `exported`: by a hub, perhaps this one."""

    order: str
    type: str
    source: str
    id: str
    actor: str
    occurred_at: datetime
    digest: bytes
    data: bytes
    body_hash: bytes | None
    content: bytes
    document: str | None
    body: bytes | None
    personal: bytes | None
    exported: bool

    def stale(self) -> "Row":
        """A status that was read before the one that is known."""
        data = codec.encode(msgspec.structs.replace(msgspec.json.decode(self.data, type=f.Seen), stale=True))
        content = seal.content_hash(self.source, self.id, self.actor, None, self.digest, data, self.body_hash)
        return msgspec.structs.replace(self, data=data, content=content)


class Lines(msgspec.Struct, array_like=True):
    """Lines of a file as they are: their texts, the byte behind each, the number of the first and the byte it begins
    at; `large`: those whose text was too long to be kept, by number."""

    first: int
    begin: int
    texts: list[bytes]
    ends: list[int]
    large: dict[int, Fault]


class Part(msgspec.Struct, array_like=True):
    """Some lines of a file, understood; `end`: the byte behind them. `stopped`: that is before a bad one."""

    rows: list[Row]
    lines_of: list[int]
    faults: list[Fault]
    skipped: dict[str, int]
    lines: int
    end: int
    stopped: bool = False


class Reading(msgspec.Struct, frozen=True):
    """How lines are read: by whose configuration, for whom, and with which key their bodies are hashed. `strict`: up to
    the first fault."""

    settings: Settings
    actor: str
    body_key: bytes
    strict: bool = False

    def part(self, lines: Lines) -> Part:
        """What the lines mean."""
        part, end = Part([], [], [], {}, 0, 0), lines.begin
        for number, (text, behind) in enumerate(zip(lines.texts, lines.ends, strict=True), lines.first):
            if number in lines.large:
                part.faults.append(lines.large[number])
            else:
                self._take(part, number, text.strip())
            part.lines += 1
            if self.strict and part.faults:
                part.stopped = True
                break
            end = behind
        part.end = end
        return part

    def _take(self, part: Part, number: int, text: bytes) -> None:
        if not text:
            return
        for one in understood(text, self.settings, self.actor):
            if isinstance(one, Past):
                part.rows.append(self._row(one))
                part.lines_of.append(number)
            elif isinstance(one, Skipped):
                part.skipped[one.type] = part.skipped.get(one.type, 0) + 1
            else:
                part.faults.append(_fault(number, one, text))

    def _row(self, one: Past) -> Row:
        e = one.event
        assert e.occurred_at is not None
        hashed = None if e.body is None else seal.body_hash(self.body_key, e.body)
        content = seal.content_hash(e.source, e.id, e.actor, None, e.digest, e.data, hashed)
        return Row(
            e.order, e.type, e.source, e.id, e.actor, e.occurred_at, e.digest, e.data, hashed, content, e.document,
            e.body, e.personal, one.exported,
        )  # fmt: skip


def _fault(number: int, error: Unreadable, text: bytes) -> Fault:
    body = (error.body or text).decode(errors="backslashreplace")
    return Fault(number, error.reason, error.detail, body, error.pointer)
