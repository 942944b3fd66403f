-- The work tables forget with the log: requests and answers of an order that is erased are not kept here either. What was
-- seen before an attempt (`before`) stays: it is about goods, and calls that add are judged against it.
CREATE FUNCTION okno.forget_exchanges() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE okno.attempts a SET exchange = NULL WHERE a.order_key = new.order_key AND a.exchange IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_exchanges AFTER INSERT OR UPDATE ON okno.erased
    FOR EACH ROW EXECUTE FUNCTION okno.forget_exchanges();

-- Nor is what a call brings that was under way, or is made later. A trigger, because it looks after the row's lock is
-- granted: a statement that waited for the erasing to end would not see it.
CREATE FUNCTION okno.keep_no_exchange() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM okno.erased x WHERE x.order_key = new.order_key) THEN
        new.exchange := NULL;
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER keep_no_exchange BEFORE INSERT OR UPDATE ON okno.attempts
    FOR EACH ROW WHEN (new.exchange IS NOT NULL) EXECUTE FUNCTION okno.keep_no_exchange();
