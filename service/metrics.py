"""What `/metrics` shows."""

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter("okno_marketplace_calls", "Calls to marketplaces", ("channel", "resource", "status"))
CALL_SECONDS = Histogram(
    "okno_marketplace_call_seconds", "Time of calls to marketplaces", ("channel", "resource"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)  # fmt: skip
TAKEN = Counter("okno_messages_taken", "Messages taken in, by the way they came", ("via",))
OUTCOMES = Counter("okno_command_outcomes", "What came of commands", ("target", "outcome"))
HEAD = Gauge("okno_log_position", "Position of the last event in the log")
REACTOR_LAG = Gauge("okno_reactor_lag", "Events the reactor has still to look at")
PROJECTION_LAG = Gauge("okno_projection_lag", "Events a projection has still to show", ("projection",))
WAITING = Gauge("okno_lanes_waiting", "Orders with commands waiting, by target", ("target",))
OLDEST = Gauge("okno_oldest_waiting_seconds", "Age of the oldest lane that is due, by target", ("target",))
