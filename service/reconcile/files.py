"""Files of 1C's documents, message by message, however large: memory holds one message and a piece of the file.

    [ … ]                     an array: its elements
    { … }\\n{ … }              one message a line
    {"value": [ … ], …}       a page of OData: pages of one document each, for its other keys say what they are
    { … }                     one message, over any number of lines
    <КоммерческаяИнформация>  CommerceML: its documents and containers, each as a file of its own

What stands in a message is `service.onec.reading`'s matter; here only where one ends and the next begins.
"""

import codecs
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import BinaryIO

from service.exchange.answers import Failure
from service.exchange.splitting import Splitter
from service.onec.dialects import _commerceml as cml

BOM = codecs.BOM_UTF8
CHUNK = 1 << 20
FIRST_LINE = 1 << 20
"""Bytes in which the end of a first message must come for the file to be one message a line."""

MOST = 64 << 20
"""Characters of one message; more is no document of an order."""

PAGE = "value"
_BLANKS = " \t\r\n"


class BrokenFile(Exception):
    """The file can't be read to its end, so that nothing can be said of what is not in it."""


def messages(file: BinaryIO) -> Iterator[bytes]:
    """The messages in a file, each as the bytes a base of 1C might have sent."""
    head = file.read(FIRST_LINE).removeprefix(BOM)
    kind = head.lstrip()[:1]
    line, end, _ = head.lstrip().partition(b"\n")
    if kind == b"<":
        yield from _commerceml(head, file)
    elif kind == b"{" and end and _complete(line):
        yield from _lines(head, file)
    elif kind in (b"[", b"{"):
        yield from _values(_Text(head, file))
    elif kind:
        raise BrokenFile("neither JSON nor XML: save it as a JSON array in UTF-8, one message a line, or CommerceML")


def _values(text: "_Text") -> Iterator[bytes]:
    while (kind := text.next()) != "":
        yield from _array(text) if kind == "[" else _object(text)


def _commerceml(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    splitter, chunk = Splitter(), head
    try:
        while chunk:
            for unit in splitter.feed(chunk):
                yield cml.written(cml.alone(splitter.root, unit))
            chunk = file.read(CHUNK)
        splitter.close()
    except Failure as error:
        raise BrokenFile(str(error)) from error


def _complete(line: bytes) -> bool:
    try:
        JSONDecoder().decode(line.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _lines(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    """One message a line; a line that is none is a message nobody can read, and no harm to the next one."""
    rest = head
    while rest:
        *lines, rest = rest.split(b"\n")
        yield from (line for line in lines if line.strip())
        more = file.read(CHUNK)
        if not more:
            break
        rest += more
    if rest.strip():
        yield rest


class _Text:
    """JSON that is read piece by piece, as text."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._file, self._passed = file, 0
        self._text, self._at = "", 0
        self._scan = JSONDecoder().raw_decode
        self._take(head)

    def next(self, skipped: str = "") -> str:
        """The next character but blanks and `skipped`; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANKS + skipped:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def expect(self, wanted: str) -> None:
        """Passes this character, which must be next."""
        if self.next() != wanted:
            raise self.broken(f"{wanted!r} is expected")
        self._at += 1

    def value(self) -> str:
        """The next value, whole."""
        self.next()
        while True:
            try:
                _, end = self._scan(self._text, self._at)
            except JSONDecodeError as error:
                if len(self._text) - self._at > MOST or not self._more():
                    raise self.broken(error.msg) from error
            except RecursionError as error:
                raise self.broken("nested too deep") from error
            else:
                if end < len(self._text) or self._text[self._at] in '{["' or not self._more():
                    found, self._at = self._text[self._at : end], end
                    return found

    def broken(self, what: str) -> BrokenFile:
        """The error that says where."""
        return BrokenFile(f"broken JSON: {what}, at character {self._passed + self._at + 1}: what follows is unknown")

    def _more(self) -> bool:
        """Reads on; whether there was anything."""
        chunk = self._file.read(max(CHUNK, len(self._text) - self._at))  # as much again: each try begins anew
        if chunk:
            self._take(chunk)
        return bool(chunk)

    def _take(self, chunk: bytes) -> None:
        try:
            more = self._decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise BrokenFile(f"byte {error.start} of what follows is not UTF-8: save it as UTF-8") from error
        self._passed += self._at
        self._text, self._at = self._text[self._at :] + more, 0


def _array(text: _Text, before: str = "", behind: str = "") -> Iterator[bytes]:
    text.expect("[")
    while text.next(",") != "]":
        yield f"{before}{text.value()}{behind}".encode()
    text.expect("]")


def _object(text: _Text) -> Iterator[bytes]:
    """One object; of a page its documents, each as a page of its own."""
    members: list[str] = []
    text.expect("{")
    while text.next(",") != "}":
        key = text.value()
        text.expect(":")
        if key == f'"{PAGE}"' and text.next() == "[":
            before = "".join(f"{member}," for member in members)
            yield from _array(text, f'{{{before}"{PAGE}":[', "]}")
            members = []
        else:
            members.append(f"{key}:{text.value()}")
    text.expect("}")
    if members:
        yield f"{{{','.join(members)}}}".encode()
