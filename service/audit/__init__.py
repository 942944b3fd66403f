"""The audit: what happened to an order, what was known when, whether the log is whole. Reads the log, and only it."""

from service.audit.changes import Change
from service.audit.history import Answer, Erasure, EventJson, HistoryEvent, Replay, event_json, explained, replay
from service.audit.legs import Leg
from service.audit.proof import Kept, Verdict, verify
from service.audit.verdicts import Mark

__all__ = [
    "Answer", "Change", "Erasure", "EventJson", "HistoryEvent", "Kept", "Leg", "Mark", "Replay", "Verdict",
    "event_json", "explained", "replay", "verify",
]  # fmt: skip
