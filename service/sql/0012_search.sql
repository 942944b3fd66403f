-- okno_auditor reads what orders are searched by, as it reads the orders.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_auditor') THEN
        GRANT SELECT ON okno.order_search TO okno_auditor;
    END IF;
END $$;
