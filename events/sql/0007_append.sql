-- append_batch from now on: 0002 with parts that are added as they are needed, seals that reach back (0005), and nothing
-- kept that may be erased for an order that was erased (0006).
--
-- Appends a batch under the lock of the head row and says what became of each event.
--
-- VOLATILE, called in autocommit: the lock is taken by the first statement, and each later statement sees what was
-- committed before the lock was granted. One row of `seals` a call. Arrays are parallel; a row's outcome is
--   appended   with its new position and version,
--   duplicate  the digest is in the log already: position and version of the first one,
--   conflict   `expected` is not the order's version: all rows of that order that carry an expectation are refused.
-- A subject `1c/DOCUMENT` is resolved to its order where the document is linked, in this batch or before.
-- Joins are pinned to index probes: a plan cached on the empty table stayed four times slower for ever.
CREATE OR REPLACE FUNCTION okno.append_batch(
    p_order text[], p_expected integer[], p_type text[], p_source text[], p_id text[], p_cause bigint[], p_actor text[],
    p_occurred timestamptz[], p_digest bytea[], p_data bytea[], p_body_hash bytea[], p_content bytea[],
    p_document text[], p_body bytea[], p_personal bytea[],
    r_id text[], r_via text[], r_reason text[], r_detail text[], r_body bytea[], r_envelope bytea[]
) RETURNS TABLE (ord bigint, outcome text, at_position bigint, at_version integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    prior okno.head%ROWTYPE;
    now_ timestamptz;
    link bigint;
    skip bytea;
BEGIN
    SELECT * INTO STRICT prior FROM okno.head h WHERE h.log_id = 0 FOR UPDATE;
    now_ := greatest(prior.recorded_at, clock_timestamp());

    INSERT INTO okno.rejected (id, received_at, via, reason, detail, body, envelope)
    SELECT r.id, now_, r.via, r.reason, r.detail, r.body, r.envelope
    FROM unnest(r_id, r_via, r_reason, r_detail, r_body, r_envelope) AS r(id, via, reason, detail, body, envelope)
    ON CONFLICT DO NOTHING;

    IF cardinality(p_order) = 0 THEN
        RETURN;
    END IF;

    WHILE prior.position + cardinality(p_order) >= prior.room LOOP
        PERFORM okno.add_part();
        prior.room := prior.room + prior.part_size;
    END LOOP;
    link := prior.links + 1;
    SELECT s.seal INTO skip FROM okno.seals s WHERE s.number = link - (link & -link);
    skip := coalesce(skip, decode(repeat('00', 32), 'hex'));  -- before the first link

    -- Lets the triggers tell this function from everybody else. Not a SET of the function's: that takes a superuser.
    PERFORM set_config('okno.appending', 'on', true);

    INSERT INTO okno.documents (document_id, order_key)
    SELECT d.document, d.order_key FROM unnest(p_document, p_order) AS d(document, order_key)
    WHERE d.document IS NOT NULL AND left(d.order_key, 3) <> '1c/'
    ON CONFLICT DO NOTHING;

    RETURN QUERY
    WITH input AS MATERIALIZED (
        SELECT i.ord, coalesce(linked.order_key, i.order_key) AS order_key, i.expected, i.type, i.source, i.id, i.cause,
               i.actor, coalesce(i.occurred_at, now_) AS occurred_at, i.digest, i.data, i.body_hash, i.content,
               CASE WHEN NOT gone.erased THEN i.body END AS body,
               CASE WHEN NOT gone.erased THEN i.personal END AS personal
        FROM unnest(p_order, p_expected, p_type, p_source, p_id, p_cause, p_actor, p_occurred, p_digest, p_data,
                    p_body_hash, p_content, p_body, p_personal) WITH ORDINALITY
             AS i(order_key, expected, type, source, id, cause, actor, occurred_at, digest, data,
                  body_hash, content, body, personal, ord)
        LEFT JOIN LATERAL (
            SELECT d.order_key FROM okno.documents d
            WHERE left(i.order_key, 3) = '1c/' AND d.document_id = substr(i.order_key, 4)
        ) linked ON true
        CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM okno.erased x WHERE x.order_key = coalesce(linked.order_key, i.order_key)) AS erased
        ) gone
    ), probed AS MATERIALIZED (
        SELECT i.*, old.position AS old_position, old.version AS old_version, coalesce(tip.version, 0) AS base,
               known.id IS NOT NULL AS id_known
        FROM input i
        LEFT JOIN LATERAL (SELECT e.position, e.version FROM okno.events e WHERE e.digest = i.digest) old ON true
        LEFT JOIN LATERAL (SELECT e.version FROM okno.events e WHERE e.order_key = i.order_key
                           ORDER BY e.position DESC LIMIT 1) tip ON true
        LEFT JOIN LATERAL (SELECT e.id FROM okno.events e WHERE e.source = i.source AND e.id = i.id LIMIT 1) known ON true
    ), checked AS MATERIALIZED (
        SELECT p.*, p.old_position IS NULL AND p.expected IS NOT NULL
               AND bool_or(p.expected <> p.base) OVER (PARTITION BY p.order_key) AS refused
        FROM probed p
    ), judged AS MATERIALIZED (  -- the first of equal messages that is not refused is the one that stays
        SELECT c.*, CASE
            WHEN c.refused THEN 'conflict'
            WHEN c.old_position IS NOT NULL
                 OR row_number() OVER (PARTITION BY c.digest, c.refused ORDER BY c.ord) > 1 THEN 'duplicate'
            ELSE 'appended' END AS verdict
        FROM checked c
    ), numbered AS MATERIALIZED (
        SELECT j.*,
               prior.position + row_number() OVER (PARTITION BY j.verdict ORDER BY j.ord) AS new_position,
               (j.base + row_number() OVER (PARTITION BY j.verdict, j.order_key ORDER BY j.ord))::integer AS new_version,
               j.id_known OR row_number() OVER (PARTITION BY j.verdict, j.source, j.id ORDER BY j.ord) > 1 AS id_reused
        FROM judged j
    ), hashed AS MATERIALIZED (
        SELECT n.*, sha256(convert_to(
            n.new_position || '|' || octet_length(n.order_key) || ':' || n.order_key || '|' || n.new_version || '|'
            || octet_length(n.type) || ':' || n.type || '|' || (extract(epoch FROM n.occurred_at) * 1000000)::bigint || '|'
            || (extract(epoch FROM now_) * 1000000)::bigint || '|' || n.id_reused::integer || '|', 'UTF8') || n.content) AS hash
        FROM numbered n WHERE n.verdict = 'appended'
    ), events AS (
        INSERT INTO okno.events (position, order_key, version, type, source, id, cause, actor, occurred_at, recorded_at,
                                 bucket, id_reused, digest, data, body_hash, hash)
        SELECT h.new_position, h.order_key, h.new_version, h.type, h.source, h.id, h.cause, h.actor, h.occurred_at, now_,
               get_byte(sha256(convert_to(h.order_key, 'UTF8')), 0), h.id_reused, h.digest, h.data, h.body_hash, h.hash
        FROM hashed h ORDER BY h.ord
    ), bodies AS (
        INSERT INTO okno.bodies (position, order_key, body)
        SELECT h.new_position, h.order_key, h.body FROM hashed h WHERE h.body IS NOT NULL
    ), personal AS (
        INSERT INTO okno.personal (position, order_key, data)
        SELECT h.new_position, h.order_key, h.personal FROM hashed h WHERE h.personal IS NOT NULL
    ), batch AS MATERIALIZED (
        SELECT min(h.new_position) AS first, max(h.new_position) AS last,
               sha256(string_agg(h.hash, ''::bytea ORDER BY h.new_position)) AS root
        FROM hashed h HAVING count(*) > 0
    ), sealed AS (
        INSERT INTO okno.seals (last_position, first_position, seal, recorded_at, number, root)
        SELECT b.last, b.first, okno.next_seal(prior.seal, skip, link, b.first, b.last, now_, b.root), now_, link, b.root
        FROM batch b
        RETURNING seals.last_position, seals.seal
    ), moved AS (
        UPDATE okno.head SET position = s.last_position, seal = s.seal, recorded_at = now_, links = link
        FROM sealed s WHERE head.log_id = 0
    )
    SELECT n.ord, n.verdict,
           CASE n.verdict WHEN 'appended' THEN n.new_position
                WHEN 'duplicate' THEN coalesce(n.old_position, min(n.new_position) FILTER (WHERE n.verdict = 'appended')
                                                               OVER (PARTITION BY n.digest)) END,
           CASE n.verdict WHEN 'appended' THEN n.new_version
                WHEN 'duplicate' THEN coalesce(n.old_version, min(n.new_version) FILTER (WHERE n.verdict = 'appended')
                                                              OVER (PARTITION BY n.digest))
                ELSE n.base END
    FROM numbered n ORDER BY n.ord;

    PERFORM set_config('okno.appending', 'off', true);
END $$;
