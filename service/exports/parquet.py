"""Parquet, made by pyarrow: tables of blocks, joined into row groups."""

import io
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

ROW_GROUP = 100_000
"""Rows that readers take at a time; so many are held in memory."""

TYPES = {
    "text": pa.string(), "whole": pa.int64(), "time": pa.timestamp("us", "UTC"), "date": pa.date32(),
    "money": pa.decimal128(38, 4),
}  # fmt: skip

KOPECKS = Decimal("0.0001")

Made: TypeAlias = Callable[[Any, pa.Schema], pa.Table]


class Parquet:
    """Makes tables of blocks, and of tables the file."""

    slow = True

    def __init__(self, kinds: Mapping[str, str], made: Made) -> None:
        self._schema = pa.schema([(name, TYPES[kind]) for name, kind in kinds.items()])
        self._made = made
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._held: list[pa.Table] = []

    def begin(self) -> bytes:
        """The file's first bytes."""
        return self._sink.taken()

    def add(self, block: Any) -> bytes:
        """A row group, once there are rows enough for one."""
        self._held.append(self._made(block, self._schema))
        if sum(table.num_rows for table in self._held) >= ROW_GROUP:
            self._write()
        return self._sink.taken()

    def end(self) -> bytes:
        """The last row group and the index of all."""
        self._write()
        self._writer.close()
        return self._sink.taken()

    def _write(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held), row_group_size=2 * ROW_GROUP)
            self._held = []


class _Sink(io.RawIOBase):
    """A file that is handed on as it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def of_text(raw: bytes, schema: pa.Schema) -> pa.Table:
    """Postgres' CSV as a table; what is empty and not quoted is null."""
    if not raw:
        return schema.empty_table()
    return csv.read_csv(
        pa.BufferReader(raw),
        csv.ReadOptions(column_names=schema.names, use_threads=False, block_size=len(raw) + 1),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            timestamp_parsers=[csv.ISO8601],
        ),
    )  # fmt: skip


def of_rows(rows: list[list[Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table."""
    arrays = [
        pa.array([_money(cell) if isinstance(cell, Decimal) else cell for cell in column], field.type)
        for field, column in zip(schema, zip(*rows, strict=True), strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _money(amount: Decimal) -> Decimal | None:
    """A sum as its column holds it; none that a shop has ever seen is too large for it."""
    try:
        return amount.quantize(KOPECKS)
    except InvalidOperation:
        return None
