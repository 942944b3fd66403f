-- When a hub was at work, and when a marketplace let it tell nothing: what a report on a late mark needs besides the log.
-- A process notes itself every few seconds while it reaches Postgres; between two rows no hub was at work. A few rows a
-- day, never removed.
CREATE TABLE okno.runs (
    owner      text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    roles      text[] NOT NULL,
    host       text NOT NULL,
    PRIMARY KEY (owner, started_at)
);
CREATE INDEX runs_seen ON okno.runs (seen_at);

-- While a channel's calls were held back: they failed one after another, or a limit was hit. `reason`: the last failure.
CREATE TABLE okno.outages (
    channel    text NOT NULL,
    owner      text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (channel, owner, started_at)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT, INSERT, UPDATE ON okno.runs, okno.outages TO okno_hub;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_auditor') THEN
        GRANT SELECT ON okno.runs, okno.outages TO okno_auditor;
    END IF;
END $$;
