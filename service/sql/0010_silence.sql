-- Signs of life of 1C, and what is amiss with it now. None of it is truth: losing it costs what was learned of it.

-- Minutes in which somebody gave a sign, a bit each (the hour's first minute is bit 0), so that noting one twice changes
-- nothing. `sign`: said (who: a source, 1c/ut11), read (who: a queue that was read, or was empty), polled (who: a source
-- that read the outbox over HTTP, `position` how far it has come), down (who: rabbitmq, out of reach).
CREATE TABLE okno.talk (
    sign     text NOT NULL,
    who      text NOT NULL,
    hour     timestamptz NOT NULL,
    minutes  bigint NOT NULL,
    last_at  timestamptz NOT NULL,
    position bigint,
    PRIMARY KEY (sign, who, hour)
);
CREATE INDEX talk_hour ON okno.talk (hour);

-- What was found at the last look: `usual` null where too little is known to say.
CREATE TABLE okno.talkers (
    sign      text NOT NULL,
    who       text NOT NULL,
    last_at   timestamptz NOT NULL,
    usual     interval,
    PRIMARY KEY (sign, who)
);

-- Queues as they were last seen; `depths`: the messages at the last looks, the newest last; `read_at`: when a reader, or
-- its work, was last seen.
CREATE TABLE okno.queues (
    queue     text PRIMARY KEY,
    messages  integer NOT NULL,
    readers   integer NOT NULL,
    depths    integer[] NOT NULL,
    looked_at timestamptz NOT NULL,
    read_at   timestamptz
);

-- What calls for a person now; a row goes when its reason is gone. `usual`: the usual gap; `messages` that wait.
CREATE TABLE okno.onec_warnings (
    code     text NOT NULL,
    about    text NOT NULL,
    since    timestamptz NOT NULL,
    usual    interval,
    messages integer,
    readers  integer,
    PRIMARY KEY (code, about)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON okno.talk, okno.talkers, okno.queues, okno.onec_warnings TO okno_hub;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_auditor') THEN
        GRANT SELECT ON okno.talk, okno.talkers, okno.queues, okno.onec_warnings TO okno_auditor;
    END IF;
END $$;
