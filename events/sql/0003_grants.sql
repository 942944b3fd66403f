-- The hub works as okno_hub, which may read the log and append through the function, and nothing else to it.
-- Where the database's owner may not create roles, the trigger alone keeps the log append-only.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        CREATE ROLE okno_hub NOLOGIN;
    END IF;
    EXECUTE format('GRANT okno_hub TO %I', current_user);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'okno: no right to create the role okno_hub; the log is guarded by its trigger only';
WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of this server is being set up at the same moment
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA okno FROM PUBLIC;
REVOKE ALL ON FUNCTION okno.append_batch FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT USAGE, CREATE ON SCHEMA okno TO okno_hub;
        GRANT SELECT ON okno.head, okno.events, okno.seals, okno.bodies, okno.personal, okno.documents, okno.rejected
            TO okno_hub;
        GRANT UPDATE (resubmitted_at) ON okno.rejected TO okno_hub;
        GRANT EXECUTE ON FUNCTION okno.append_batch TO okno_hub;
    END IF;
END $$;
