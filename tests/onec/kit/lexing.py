"""BSL, 1C's language, as tokens: what every check of the kit's modules begins with."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

PATTERN = re.compile(
    r"""
      (?P<comment>//[^\n]*)
    | (?P<directive>[#&][^\n]*)
    | (?P<text>"(?:[^"\n]|""|\n\s*(?://[^\n]*\n\s*)*\|)*")
    | (?P<date>'[^'\n]*')
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<name>[^\W\d]\w*)
    | (?P<sign><>|<=|>=|[-+*/%=<>()\[\]{},;.?:])
    | (?P<line>\n)
    | (?P<blank>[ \t\r\ufeff]+)
    """,
    re.VERBOSE,
)
CONTINUED = re.compile(r"\n\s*(?://[^\n]*\n\s*)*\|")


class Token(NamedTuple):
    """`kind`: text, date, number, name or sign. `value` of a text is what it says; a name is in small letters."""

    kind: str
    value: str
    line: int
    written: str


class NotBsl(Exception):
    """A module that 1C would not take, and where."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


@cache
def tokens(source: str) -> tuple[Token, ...]:
    """The tokens of a module, without comments, regions and blanks; `NotBsl` for a text that is never closed."""
    return tuple(_tokens(source))


def _tokens(source: str) -> Iterator[Token]:
    at, line = 0, 1
    while at < len(source):
        found = PATTERN.match(source, at)
        if found is None:
            raise NotBsl(line, f"{source[at]!r} begins nothing that is closed")
        written, kind = found[0], found.lastgroup or ""
        if kind == "text":
            yield Token(kind, CONTINUED.sub("\n", written[1:-1]).replace('""', '"'), line, written)
        elif kind in ("date", "number", "name", "sign"):
            yield Token(kind, written.casefold() if kind == "name" else written, line, written)
        line += written.count("\n")
        at = found.end()
