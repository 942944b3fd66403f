-- Work tables: what the running hub needs to get on with it. They are not projections, and not the truth: losing them
-- costs reads, never an effect.

-- One lane per order and target: commands of a lane are worked off one after another. `asked` grows with each new
-- reason to look, so that a lane is never dropped between a look and a new command.
CREATE TABLE okno.dispatch (
    order_key    text NOT NULL,
    target       text NOT NULL,
    due_at       timestamptz NOT NULL,
    asked        bigint NOT NULL DEFAULT 1,
    owner        text,
    leased_until timestamptz,
    PRIMARY KEY (order_key, target)
);
CREATE INDEX dispatch_due ON okno.dispatch (target, due_at);

-- Attempts at a command; a row comes with the request. open: bytes may have left and no outcome is in the log; whoever
-- holds the lane reads the order back before anything else is sent for it. refusals: that no read could explain.
CREATE TABLE okno.attempts (
    command      text PRIMARY KEY,
    order_key    text NOT NULL,
    target       text NOT NULL,
    attempts     integer NOT NULL,
    attempted_at timestamptz NOT NULL,
    next_at      timestamptz NOT NULL,
    open         boolean NOT NULL,
    refusals     integer NOT NULL DEFAULT 0,
    reason       text
);
CREATE INDEX attempts_lane ON okno.attempts (order_key, target);

-- Orders to be read at a marketplace.
CREATE TABLE okno.reads (
    order_key text PRIMARY KEY,
    channel   text NOT NULL,
    due_at    timestamptz NOT NULL,
    hints     text[] NOT NULL DEFAULT '{}',
    attempts  integer NOT NULL DEFAULT 0,
    asked     bigint NOT NULL DEFAULT 1
);
CREATE INDEX reads_due ON okno.reads (channel, due_at);

-- Named leases of processes: partitions, pollers, followers.
CREATE TABLE okno.leases (
    name         text PRIMARY KEY,
    owner        text NOT NULL,
    leased_until timestamptz NOT NULL
);

-- How far each loop has come, and what it keeps for the next time.
CREATE TABLE okno.progress (
    name     text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    moment   timestamptz
);

CREATE TABLE okno.tokens (
    name       text PRIMARY KEY,
    role       text NOT NULL,
    hash       bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE
            ON okno.dispatch, okno.attempts, okno.reads, okno.leases, okno.progress, okno.tokens TO okno_hub;
    END IF;
END $$;
