-- The events in parts of ten million positions, each a table of its own: an old one can lie on slower disks
-- (ALTER TABLE okno.events_1 SET TABLESPACE …) and is read and verified as before. What is unique over the whole log (an
-- order's version, a digest) is held by append_batch, which decides both under the head's lock; an index over all parts
-- could not be told to.
--
-- An order's events are found by position, not by version: Postgres then looks into the newest part first and stops there.
-- One index finds both an id that was used before and the very message, for a digest covers its message's source and id;
-- digests alone lie all over an index, and cost each append a page of its own.

ALTER TABLE okno.head ADD COLUMN room bigint NOT NULL DEFAULT 1, ADD COLUMN part_size bigint NOT NULL DEFAULT 10000000;
COMMENT ON COLUMN okno.head.room IS 'the first position that no part has room for yet';

ALTER TABLE okno.events RENAME TO events_1;
DROP INDEX okno.events_order_version, okno.events_digest, okno.events_source_id, okno.events_bucket_order, okno.events_commands;
ALTER TABLE okno.events_1 RENAME CONSTRAINT events_pkey TO events_1_pkey;

CREATE TABLE okno.events (LIKE okno.events_1) PARTITION BY RANGE (position);
ALTER TABLE okno.events ADD PRIMARY KEY (position);
CREATE INDEX events_order ON okno.events (order_key, position);
CREATE INDEX events_message ON okno.events (source, id, digest);
CREATE INDEX events_bucket_order ON okno.events (bucket, order_key);
CREATE INDEX events_commands ON okno.events (position) WHERE type = 'command.requested';
CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON okno.events
    FOR EACH STATEMENT EXECUTE FUNCTION okno.refuse_change();

DO $$
BEGIN
    UPDATE okno.head SET room = (position / part_size + 1) * part_size + 1;
    EXECUTE format('ALTER TABLE okno.events ATTACH PARTITION okno.events_1 FOR VALUES FROM (MINVALUE) TO (%s)',
                   (SELECT h.room FROM okno.head h WHERE h.log_id = 0));
END $$;

-- Adds the next part, within an append that needs it: attached, because that waits for nobody who reads.
CREATE FUNCTION okno.add_part() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    prior okno.head%ROWTYPE;
    part text;
BEGIN
    SELECT * INTO STRICT prior FROM okno.head h WHERE h.log_id = 0;
    part := 'events_' || prior.room;
    EXECUTE format('CREATE TABLE okno.%I (LIKE okno.events INCLUDING INDEXES)', part);
    EXECUTE format('CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON okno.%I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION okno.refuse_change()', part);
    EXECUTE format('ALTER TABLE okno.events ATTACH PARTITION okno.%I FOR VALUES FROM (%s) TO (%s)',
                   part, prior.room, prior.room + prior.part_size);
    UPDATE okno.head SET room = prior.room + prior.part_size WHERE log_id = 0;
END $$;
REVOKE ALL ON FUNCTION okno.add_part FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT ON okno.events TO okno_hub;
    END IF;
END $$;
