"""What `/metrics` shows."""

from prometheus_client import Counter, Gauge, Histogram, Info

CALLS = Counter("okno_marketplace_calls", "Calls to marketplaces", ("channel", "resource", "status"))
CALL_SECONDS = Histogram(
    "okno_marketplace_call_seconds", "Time of calls to marketplaces", ("channel", "resource"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)  # fmt: skip
CIRCUIT_OPEN = Gauge("okno_circuit_open", "1 while a channel's calls are held back because they failed", ("channel",))
KEY_REFUSED = Gauge("okno_key_refused", "1 while a marketplace refuses a channel's key or a right of it", ("channel",))
KEY_UNTIL = Gauge("okno_key_until_timestamp_seconds", "When a channel's key ends, where known", ("channel",))
TAKEN = Counter("okno_messages_taken", "Messages taken in, by the way they came", ("via",))
OUTCOMES = Counter("okno_command_outcomes", "What came of commands", ("target", "outcome"))
HEAD = Gauge("okno_log_position", "Position of the last event in the log")
LINKS = Gauge("okno_log_links", "Appends that made the log: position a link is the size of batches")
REACTOR_LAG = Gauge("okno_reactor_lag", "Events the reactor has still to look at")
PROJECTION_LAG = Gauge("okno_projection_lag", "Events a projection has still to show", ("projection",))
WAITING = Gauge("okno_lanes_waiting", "Orders with commands waiting, by target", ("target",))
OLDEST = Gauge("okno_oldest_waiting_seconds", "Age of the oldest lane that is due, by target", ("target",))
LOOP_FAILURES = Counter("okno_loop_failures", "Loops that failed unforeseen and were begun again", ("loop",))
REJECTED = Gauge("okno_rejected", "Messages nobody understood, waiting for somebody to look")
RAW_REMOVED = Counter("okno_raw_removed", "Raw messages removed for their age (raw_retention_days)", ("kind",))
ONEC_QUIET = Gauge("okno_onec_quiet", "1 while a base of 1C is quiet for much longer than usual", ("source",))
ONEC_LAST = Gauge("okno_onec_last_message_timestamp_seconds", "When a base of 1C last said something", ("source",))
ONEC_MESSAGES = Gauge("okno_onec_queue_messages", "Messages ready in a queue, at the last look", ("queue",))
ONEC_READERS = Gauge("okno_onec_queue_readers", "Readers of a queue, at the last look", ("queue",))
ONEC_WARNINGS = Gauge("okno_onec_warnings", "Warnings about 1C that stand, by code", ("code",))
SEAL = Info("okno_head_seal", "The head seal as it was published last, once a day")
