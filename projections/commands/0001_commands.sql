-- Commands and their outcomes. okno_hub owns the table, because a rebuild puts a new one in its place.
CREATE TABLE okno.commands (
    id           text PRIMARY KEY,
    order_key    text NOT NULL,
    target       text NOT NULL,
    action       text NOT NULL,
    stage        text,
    state        text NOT NULL,
    cause        bigint NOT NULL,
    position     bigint NOT NULL,
    attempts     integer NOT NULL,
    rounds       integer NOT NULL,
    code         text,
    message      text,
    hint         text,
    requested_at timestamptz NOT NULL,
    finished_at  timestamptz
);
CREATE INDEX ON okno.commands (order_key);
CREATE INDEX ON okno.commands (position);
CREATE INDEX ON okno.commands (state, position);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub' AND pg_has_role(oid, 'member')) THEN
        ALTER TABLE okno.commands OWNER TO okno_hub;
    END IF;
END $$;
