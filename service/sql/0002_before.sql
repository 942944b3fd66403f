-- What was seen of the order just before an attempt, as JSON: calls that add instead of set are judged against it. And
-- the last exchange, until its outcome is in the log.
ALTER TABLE okno.attempts ADD COLUMN before text, ADD COLUMN exchange bytea;
