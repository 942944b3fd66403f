"""Exports of events and orders as JSON lines, CSV or Parquet: streamed, with flat memory whatever the log's size."""

from service.exports.asked import FORMATS, WHAT, Asked, NothingThere
from service.exports.streams import Export

__all__ = ["FORMATS", "WHAT", "Asked", "Export", "NothingThere"]
