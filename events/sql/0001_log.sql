-- The log. Nobody writes events but append_batch; nobody changes or deletes them at all, the owner included.

CREATE TABLE okno.head (
    log_id      smallint PRIMARY KEY,
    position    bigint NOT NULL,
    seal        bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    epoch       integer NOT NULL
);
INSERT INTO okno.head VALUES (0, 0, decode(repeat('00', 32), 'hex'), '1970-01-01Z', 1);

CREATE TABLE okno.events (
    position    bigint PRIMARY KEY,
    order_key   text NOT NULL,
    version     integer NOT NULL,
    type        text NOT NULL,
    source      text NOT NULL,
    id          text NOT NULL,
    cause       bigint,
    actor       text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    bucket      smallint NOT NULL,
    id_reused   boolean NOT NULL,
    digest      bytea NOT NULL,
    data        bytea NOT NULL,
    body_hash   bytea,
    hash        bytea NOT NULL
);
CREATE UNIQUE INDEX events_order_version ON okno.events (order_key, version);
CREATE UNIQUE INDEX events_digest ON okno.events (digest);
CREATE INDEX events_source_id ON okno.events (source, id);
CREATE INDEX events_bucket_order ON okno.events (bucket, order_key);
CREATE INDEX events_commands ON okno.events (position) WHERE type = 'command.requested';

CREATE TABLE okno.seals (
    last_position  bigint PRIMARY KEY,
    first_position bigint NOT NULL,
    seal           bytea NOT NULL,
    recorded_at    timestamptz NOT NULL
);

-- Side tables: what may be erased order by order.
CREATE TABLE okno.bodies (position bigint PRIMARY KEY, order_key text NOT NULL, body bytea NOT NULL);
CREATE INDEX bodies_order ON okno.bodies (order_key);
CREATE TABLE okno.personal (position bigint PRIMARY KEY, order_key text NOT NULL, data bytea NOT NULL);
CREATE INDEX personal_order ON okno.personal (order_key, position);

CREATE TABLE okno.documents (
    document_id text PRIMARY KEY,
    order_key   text NOT NULL
);
CREATE INDEX documents_order ON okno.documents (order_key);

CREATE TABLE okno.rejected (
    id             text PRIMARY KEY,
    received_at    timestamptz NOT NULL,
    via            text NOT NULL,
    reason         text NOT NULL,
    detail         text NOT NULL,
    body           bytea NOT NULL,
    envelope       bytea NOT NULL,
    resubmitted_at timestamptz
);
CREATE INDEX rejected_received ON okno.rejected (received_at, id);

CREATE FUNCTION okno.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND current_setting('okno.appending', true) = 'on' THEN
        RETURN NULL;  -- append_batch, which has this setting while it runs
    END IF;
    RAISE EXCEPTION '% on %.% refused: the log is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON okno.events
    FOR EACH STATEMENT EXECUTE FUNCTION okno.refuse_change();
CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON okno.seals
    FOR EACH STATEMENT EXECUTE FUNCTION okno.refuse_change();
CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON okno.documents
    FOR EACH STATEMENT EXECUTE FUNCTION okno.refuse_change();
