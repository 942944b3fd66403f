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

-- Removes raw bodies up to a position, a limited number at a time, and messages resubmitted before a moment.
CREATE FUNCTION okno.drop_raw(p_upto bigint, p_before timestamptz, p_limit integer)
RETURNS TABLE (bodies bigint, rejected bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM okno.head h WHERE h.log_id = 0 FOR UPDATE;
    DELETE FROM okno.bodies b WHERE b.position IN (
        SELECT o.position FROM okno.bodies o WHERE o.position <= p_upto ORDER BY o.position LIMIT p_limit);
    GET DIAGNOSTICS bodies = ROW_COUNT;
    DELETE FROM okno.rejected r WHERE r.resubmitted_at < p_before AND r.received_at < p_before;
    GET DIAGNOSTICS rejected = ROW_COUNT;
    RETURN NEXT;
END $$;

REVOKE ALL ON FUNCTION okno.erase, okno.drop_raw FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT ON okno.erased TO okno_hub;
        GRANT EXECUTE ON FUNCTION okno.erase, okno.drop_raw TO okno_hub;
    END IF;
END $$;
