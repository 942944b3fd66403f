-- «Обмен с сайтом»: 1C asks for orders and sends its documents in sessions of several requests, each perhaps to another
-- process of the hub. Losing these tables costs 1C a session, and orders it had are told once more.

-- How far in the log each base was told, by the channels it asks for; behind `position` of that `epoch` nothing was. It
-- had nothing of what was told up to `began`.
CREATE TABLE okno.exchange_cursors (
    source       text NOT NULL,
    channels     text NOT NULL,
    epoch        integer NOT NULL,
    position     bigint NOT NULL,
    began        bigint NOT NULL,
    confirmed_at timestamptz,
    PRIMARY KEY (source, channels)
);

-- A session, by the hash of its cookie. It ends with its token, or when nothing was asked for some time. `version`: the
-- one 1C named, null for the old protocol; `sent_*`: up to where the last answer to `query` tells.
CREATE TABLE okno.exchange_sessions (
    id            bytea PRIMARY KEY,
    token         text NOT NULL REFERENCES okno.tokens (name) ON DELETE CASCADE,
    token_hash    bytea NOT NULL,
    source        text NOT NULL,
    channels      text NOT NULL,
    sessid        text NOT NULL,
    version       text,
    sent_epoch    integer,
    sent_position bigint,
    seen_at       timestamptz NOT NULL DEFAULT now()
);

-- Files as they come, in pieces; a name is a name here and nowhere a path. `sound`: known to be well-formed; `taken`: so
-- many of its parts were; `ended`: it was taken, or can't be, and `fault` says why.
CREATE TABLE okno.exchange_files (
    session bytea NOT NULL REFERENCES okno.exchange_sessions (id) ON DELETE CASCADE,
    name    text NOT NULL,
    bytes   bigint NOT NULL DEFAULT 0,
    sound   boolean NOT NULL DEFAULT false,
    taken   bigint NOT NULL DEFAULT 0,
    ended   boolean NOT NULL DEFAULT false,
    fault   text,
    PRIMARY KEY (session, name)
);
CREATE TABLE okno.exchange_pieces (
    session bytea NOT NULL,
    name    text NOT NULL,
    number  integer NOT NULL,
    piece   bytea NOT NULL,
    PRIMARY KEY (session, name, number),
    FOREIGN KEY (session, name) REFERENCES okno.exchange_files (session, name) ON DELETE CASCADE
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE
            ON okno.exchange_cursors, okno.exchange_sessions, okno.exchange_files, okno.exchange_pieces TO okno_hub;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_auditor') THEN
        -- What came as it came; sessions hold hashes of secrets, as tokens do.
        GRANT SELECT ON okno.exchange_cursors, okno.exchange_files, okno.exchange_pieces TO okno_auditor;
    END IF;
END $$;
