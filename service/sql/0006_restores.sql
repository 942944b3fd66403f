-- Restores from a backup: events behind `after` were recorded in this epoch, up to where the next one begins; the first
-- epoch has no row. What 1C is told carries it in its version, which so never falls.
CREATE TABLE okno.restores (
    epoch integer PRIMARY KEY,
    after bigint NOT NULL,
    at    timestamptz NOT NULL
);

-- The database was restored from a backup: the log may be behind what marketplaces and 1C were told. False where somebody
-- else has said so already.
--
-- Cursors of before end with the epoch; p_beyond is the highest that was ever seen, for the same backup may be restored
-- twice. Notes of attempts go: a command nobody has notes of is read back before it is sent, and what is requested from
-- now on is (attempts.EXPECT). Lanes are asked for anew; the projection that could bring them back may be as old as the
-- backup.
--
-- Whoever notes a command as never tried (Work.expect_in) does so before this, and the note is deleted here, or after it,
-- and sees when the log was restored: the lock on the tables parts the two. The head goes first, as everywhere.
CREATE FUNCTION okno.restored(p_epoch integer, p_beyond integer DEFAULT 0) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    WITH raised AS (
        UPDATE okno.head SET epoch = greatest(epoch, p_beyond) + 1, restored_at = clock_timestamp()
        WHERE log_id = 0 AND epoch = p_epoch
        RETURNING head.epoch, head.position, head.restored_at
    )
    INSERT INTO okno.restores (epoch, after, at) SELECT r.epoch, r.position, r.restored_at FROM raised r;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    LOCK TABLE okno.dispatch, okno.attempts IN SHARE ROW EXCLUSIVE MODE;
    UPDATE okno.dispatch SET owner = NULL, leased_until = NULL, due_at = clock_timestamp(), asked = asked + 1;
    DELETE FROM okno.attempts;
    RETURN true;
END $$;

-- Moves a part of the log to another tablespace while the hub works, and says how many events it holds. The events of a
-- part behind the head never change again, so they are copied beside it; the copy takes its place in an instant, which
-- is tried for p_seconds if somebody reads just then. For the database's owner, who may use the tablespace.
CREATE FUNCTION okno.move_part(p_part text, p_tablespace text, p_seconds integer DEFAULT 600) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part record;
    index_ text;
    copied bigint;
BEGIN
    SELECT c.oid, pg_get_expr(c.relpartbound, c.oid) AS bounds, pg_get_partition_constraintdef(c.oid) AS limits,
           pg_get_userbyid(c.relowner) AS owner
    INTO part FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE i.inhparent = 'okno.events'::regclass AND c.relname = p_part;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is no part of okno.events', p_part USING HINT = 'okno.events_1 is the oldest one';
    END IF;
    IF substring(part.bounds FROM 'TO \(''?(\d+)''?\)')::bigint > (SELECT h.position + 1 FROM okno.head h) THEN
        RAISE EXCEPTION 'events are still appended to %', p_part USING HINT = 'move older parts only';
    END IF;

    PERFORM set_config('default_tablespace', p_tablespace, true);
    CREATE TABLE okno.moving (LIKE okno.events);
    EXECUTE format('INSERT INTO okno.moving SELECT * FROM okno.%I ORDER BY position', p_part);
    GET DIAGNOSTICS copied = ROW_COUNT;
    ALTER TABLE okno.moving ADD PRIMARY KEY (position);
    FOR index_ IN SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = part.oid AND NOT i.indisprimary
    LOOP
        EXECUTE regexp_replace(index_, 'INDEX \S+ ON \S+', 'INDEX ON okno.moving');
    END LOOP;
    EXECUTE format('ALTER TABLE okno.moving OWNER TO %I', part.owner);
    EXECUTE format('ALTER TABLE okno.moving ADD CONSTRAINT within CHECK (%s)', part.limits);
    CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON okno.moving
        FOR EACH STATEMENT EXECUTE FUNCTION okno.refuse_change();
    ANALYZE okno.moving;

    PERFORM set_config('lock_timeout', '200ms', true);
    FOR try IN 1..p_seconds LOOP
        BEGIN
            LOCK TABLE okno.events IN ACCESS EXCLUSIVE MODE;
            EXECUTE format('ALTER TABLE okno.events DETACH PARTITION okno.%I', p_part);
            EXECUTE format('DROP TABLE okno.%I', p_part);
            EXECUTE format('ALTER TABLE okno.moving RENAME TO %I', p_part);
            EXECUTE format('ALTER TABLE okno.events ATTACH PARTITION okno.%I %s', p_part, part.bounds);
            EXECUTE format('ALTER TABLE okno.%I DROP CONSTRAINT within', p_part);
            RETURN copied;
        EXCEPTION WHEN lock_not_available THEN
            IF try = p_seconds THEN
                RAISE;
            END IF;
            PERFORM pg_sleep(0.8);
        END;
    END LOOP;
    RETURN copied;
END $$;

REVOKE ALL ON FUNCTION okno.restored, okno.move_part FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT ON okno.restores TO okno_hub;
        GRANT EXECUTE ON FUNCTION okno.restored TO okno_hub;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_auditor') THEN
        GRANT SELECT ON okno.restores TO okno_auditor;
    END IF;
END $$;
