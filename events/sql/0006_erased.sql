-- Orders whose personal data were destroyed, and the position of the event that says so. What comes for them later is
-- recorded without it.
CREATE TABLE okno.erased (
    order_key text PRIMARY KEY,
    position  bigint NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Destroys what stands beside the log about some orders: raw bodies, personal data, and the rejected messages named.
--
-- Called in the transaction of the append that records it, after that append: the head is locked, as by everybody who
-- writes these tables. p_keys are the order's keys, its documents' ones included; the first is the order's own.
CREATE FUNCTION okno.erase(p_keys text[], p_position bigint, p_rejected text[])
RETURNS TABLE (bodies bigint, personal bigint, rejected bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM okno.head h WHERE h.log_id = 0 FOR UPDATE;
    INSERT INTO okno.erased (order_key, position) SELECT k, p_position FROM unnest(p_keys) AS k
    ON CONFLICT (order_key) DO UPDATE SET position = excluded.position, erased_at = excluded.erased_at;
    DELETE FROM okno.bodies b WHERE b.order_key = ANY(p_keys);
    GET DIAGNOSTICS bodies = ROW_COUNT;
    DELETE FROM okno.personal p WHERE p.order_key = ANY(p_keys);
    GET DIAGNOSTICS personal = ROW_COUNT;
    UPDATE okno.rejected r
    SET body = '', envelope = '{}', reason = 'erased', detail = 'destroyed with ' || p_keys[1],
        resubmitted_at = coalesce(r.resubmitted_at, clock_timestamp())
    WHERE r.id = ANY(p_rejected);
    GET DIAGNOSTICS rejected = ROW_COUNT;
    RETURN NEXT;
END $$;

-- Takes the lock that whoever writes to the log takes first, and says where the log ends: until the transaction is over
-- nobody else appends, erases or drops, so that what is counted now is what is destroyed.
CREATE FUNCTION okno.lock_head() RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.position FROM okno.head h WHERE h.log_id = 0 FOR UPDATE
$$;

-- An order erased before 1C registered it: what came under the document's own key goes as soon as the link is known.
CREATE FUNCTION okno.erase_linked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO okno.erased (order_key, position)
    SELECT '1c/' || new.document_id, x.position FROM okno.erased x WHERE x.order_key = new.order_key
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        DELETE FROM okno.bodies b WHERE b.order_key = '1c/' || new.document_id;
        DELETE FROM okno.personal p WHERE p.order_key = '1c/' || new.document_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER erased AFTER INSERT ON okno.documents FOR EACH ROW EXECUTE FUNCTION okno.erase_linked();

-- Removes raw bodies behind one position and up to another, the oldest first and a limited number at a time, so that
-- appends need not wait long; `reached` is where to go on, p_upto at the end.
CREATE FUNCTION okno.drop_raw(p_after bigint, p_upto bigint, p_limit integer)
RETURNS TABLE (bodies bigint, reached bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM okno.head h WHERE h.log_id = 0 FOR UPDATE;
    SELECT count(*), max(o.position) INTO bodies, reached FROM (
        SELECT b.position FROM okno.bodies b WHERE b.position > p_after AND b.position <= p_upto
        ORDER BY b.position LIMIT p_limit) o;
    IF bodies < p_limit THEN
        reached := p_upto;
    END IF;
    IF bodies > 0 THEN
        DELETE FROM okno.bodies b WHERE b.position > p_after AND b.position <= reached;
    END IF;
    RETURN NEXT;
END $$;

-- Removes messages that were rejected and taken in on another try before a moment, a limited number at a time. What was
-- erased is empty, and stays as a trace.
CREATE FUNCTION okno.drop_resubmitted(p_before timestamptz, p_limit integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    PERFORM FROM okno.head h WHERE h.log_id = 0 FOR UPDATE;
    DELETE FROM okno.rejected r WHERE r.id IN (
        SELECT o.id FROM okno.rejected o
        WHERE o.received_at < p_before AND o.resubmitted_at < p_before AND o.reason <> 'erased' LIMIT p_limit);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

REVOKE ALL ON FUNCTION okno.lock_head, okno.erase, okno.erase_linked, okno.drop_raw, okno.drop_resubmitted FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT ON okno.erased TO okno_hub;
        GRANT EXECUTE ON FUNCTION okno.lock_head, okno.erase, okno.drop_raw, okno.drop_resubmitted TO okno_hub;
    END IF;
END $$;
