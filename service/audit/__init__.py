"""The audit: what happened to an order, what was known when, whether the log is whole. Reads the log, and only it."""

from service.audit.history import Answer, EventJson, HistoryEvent, Replay, event_json, explained, replay
from service.audit.proof import BATCH, Verdict, verify

__all__ = [
    "BATCH", "Answer", "EventJson", "HistoryEvent", "Replay", "Verdict", "event_json", "explained", "replay", "verify",
]  # fmt: skip
