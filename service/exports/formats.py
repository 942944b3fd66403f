"""The formats: what stands before, between and after the blocks of an export.

CSV is RFC 4180 in UTF-8. A text that would be a formula to a spreadsheet (`=`, `+`, `-`, `@`, a tab or a line's end in
front) gets an apostrophe before it, since outsiders choose ids, types and numbers; JSON lines and Parquet hold all
texts as they are.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

FORMULA = "=+-@\t\r\n"
"""What makes a cell a formula when it stands first."""

BOM = b"\xef\xbb\xbf"


class Writer(Protocol):
    """Turns blocks into bytes. `slow`: it computes, and does so in a thread of its own."""

    slow: bool

    def begin(self) -> bytes:
        """What stands in front."""
        ...

    def add(self, block: Any) -> bytes:
        """A block's bytes, as far as they are ready."""
        ...

    def end(self) -> bytes:
        """What is left, and what stands behind."""
        ...


class Plain:
    """Blocks that are bytes already, behind a head."""

    slow = False

    def __init__(self, head: bytes = b"") -> None:
        self._head = head

    def begin(self) -> bytes:
        """The head."""
        return self._head

    def add(self, block: bytes) -> bytes:
        """The block."""
        return block

    def end(self) -> bytes:
        """Nothing."""
        return b""


def parquet(kinds: Mapping[str, str], *, of_csv: bool) -> Writer:
    """A writer of Parquet, of blocks that are rows or Postgres' CSV. `kinds`: text, whole, time, date or money."""
    from service.exports.parquet import Parquet, of_rows, of_text  # noqa: PLC0415  # pyarrow takes its time and memory

    return Parquet(kinds, of_text if of_csv else of_rows)


def cells(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as CSV; None is an empty cell."""
    made = io.StringIO()
    csv.writer(made).writerows([_guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return made.getvalue().encode()


def _guarded(text: str) -> str:
    return f"'{text}" if text[:1] and text[0] in FORMULA else text
