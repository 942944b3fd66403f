"""What is to be exported, and as what."""

from datetime import datetime

import msgspec

WHAT = ("events", "orders")

FORMATS = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
"""Each format's media type."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which events or orders, and in which format.

    `since` and `until`, without `until` itself: of events, when they were recorded; of orders, when they were placed.
    `personal`: with the buyer's name, phone and address as far as they are not erased. `bom`: a mark in front of CSV by
    which Excel knows UTF-8.
    """

    what: str = "events"
    format: str = "jsonl"
    order: str | None = None
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    personal: bool = False
    bom: bool = False


class NothingThere(Exception):
    """Nobody ever spoke of the order or channel that is asked for; the message says what to do."""
