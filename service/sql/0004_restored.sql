-- The database was restored from a backup: the log may be behind what marketplaces and 1C were told.
--
-- Cursors of before end with the epoch. The work tables are emptied: a command nobody has notes of is read back before
-- it is sent, and so is, from now on, what is requested for an order known here (Work.restored). False where somebody
-- else has said so already.
CREATE FUNCTION okno.restored(p_epoch integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE okno.head SET epoch = epoch + 1, restored_at = clock_timestamp() WHERE log_id = 0 AND epoch = p_epoch;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM okno.dispatch;
    DELETE FROM okno.attempts;
    DELETE FROM okno.reads;
    DELETE FROM okno.leases;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION okno.restored FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT EXECUTE ON FUNCTION okno.restored TO okno_hub;
    END IF;
END $$;
