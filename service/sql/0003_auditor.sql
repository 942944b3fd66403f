-- okno_auditor reads everything, personal data and raw bodies included, and changes nothing; tokens are not its business.
-- GRANT okno_auditor TO somebody lets a login of Postgres do the same.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_auditor') THEN
        CREATE ROLE okno_auditor NOLOGIN;
    END IF;
    EXECUTE format('GRANT okno_auditor TO %I', current_user);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'okno: no right to create the role okno_auditor; auditors use the API';
WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another database of this server is being set up at the same moment
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_auditor') THEN
        GRANT USAGE ON SCHEMA okno TO okno_auditor;
        GRANT SELECT ON okno.migrations, okno.head, okno.events, okno.seals, okno.bodies, okno.personal, okno.documents,
            okno.rejected, okno.erased, okno.projections, okno.projection_progress, okno.projection_rebuilds,
            okno.projection_failures, okno.orders, okno.order_deadlines, okno.commands, okno.dispatch, okno.attempts,
            okno.reads, okno.leases, okno.progress TO okno_auditor;
        -- A rebuild puts new tables in place of the projections', which the hub then owns.
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub' AND pg_has_role(oid, 'member')) THEN
            ALTER DEFAULT PRIVILEGES FOR ROLE okno_hub IN SCHEMA okno GRANT SELECT ON TABLES TO okno_auditor;
        ELSE
            ALTER DEFAULT PRIVILEGES IN SCHEMA okno GRANT SELECT ON TABLES TO okno_auditor;
        END IF;
    END IF;
END $$;
