-- append_batch from now on: 0002 with parts that are added as they are needed and probed by one index less (0004), seals
-- that reach back (0005), and nothing kept that may be erased for an order that was erased (0006).

-- Appends a batch under the lock of the head row and says what became of each event.
--
-- VOLATILE, called in autocommit: the lock is taken by the first statement, and each later statement sees what was
-- committed before the lock was granted. One row of `seals` a call. Arrays are parallel; a row's outcome is
--   appended   with its new position and version,
--   duplicate  a message of this source, id and digest is in the log already: position and version of the first one,
--   conflict   `expected` is not the order's version: all rows of that order that carry an expectation are refused.
-- A subject `1c/DOCUMENT` is resolved to its order where the document is linked, in this batch or before.
--
-- Numbering carries an event's place in the arrays and its order; the rest stays in the arrays until it is inserted.
-- Reads are probes of one index each, which no plan cached on the empty table can turn into anything else: the order's
-- last version is sought between bounds, since an equation would let Postgres walk the positions back instead. Planned
-- once for a session: to plan for each batch anew takes longer than to append one event.
CREATE OR REPLACE FUNCTION okno.append_batch(
    p_order text[], p_expected integer[], p_type text[], p_source text[], p_id text[], p_cause bigint[], p_actor text[],
    p_occurred timestamptz[], p_digest bytea[], p_data bytea[], p_body_hash bytea[], p_content bytea[],
    p_document text[], p_body bytea[], p_personal bytea[],
    r_id text[], r_via text[], r_reason text[], r_detail text[], r_body bytea[], r_envelope bytea[]
) RETURNS TABLE (ord bigint, outcome text, at_position bigint, at_version integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    prior okno.head%ROWTYPE;
    now_ timestamptz;
    recorded text;    -- now_ as a row's hash holds it
    link bigint;
    skip bytea;
    erased text[];    -- orders of this batch that were erased
    repeated text[];  -- ids that this batch holds more than once: next to always none
BEGIN
    SELECT * INTO STRICT prior FROM okno.head h WHERE h.log_id = 0 FOR UPDATE;
    now_ := greatest(prior.recorded_at, clock_timestamp());

    IF cardinality(r_id) > 0 THEN
        INSERT INTO okno.rejected (id, received_at, via, reason, detail, body, envelope)
        SELECT r.id, now_, r.via, r.reason, r.detail, r.body, r.envelope
        FROM unnest(r_id, r_via, r_reason, r_detail, r_body, r_envelope) AS r(id, via, reason, detail, body, envelope)
        ON CONFLICT DO NOTHING;
    END IF;

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
    recorded := '|' || (extract(epoch FROM now_) * 1000000)::bigint || '|';

    -- Lets the triggers tell this function from everybody else. Not a SET of the function's: that takes a superuser.
    PERFORM set_config('okno.appending', 'on', true);

    INSERT INTO okno.documents (document_id, order_key)
    SELECT d.document, d.order_key FROM unnest(p_document, p_order) AS d(document, order_key)
    WHERE d.document IS NOT NULL AND left(d.order_key, 3) <> '1c/'
    ON CONFLICT DO NOTHING;

    p_order := array(
        SELECT CASE WHEN left(i.order_key, 3) <> '1c/' THEN i.order_key ELSE coalesce(
            (SELECT d.order_key FROM okno.documents d WHERE d.document_id = substr(i.order_key, 4)), i.order_key) END
        FROM unnest(p_order) WITH ORDINALITY AS i(order_key, ord) ORDER BY i.ord);
    erased := array(SELECT x.order_key FROM okno.erased x WHERE x.order_key = ANY (p_order));
    repeated := array(SELECT i.id FROM unnest(p_source, p_id) AS i(source, id)
                      GROUP BY i.source, i.id HAVING count(*) > 1);

    RETURN QUERY
    WITH probed AS MATERIALIZED (
        SELECT i.ord, i.order_key,
               coalesce((SELECT e.version FROM okno.events e
                         WHERE e.order_key >= i.order_key AND e.order_key <= i.order_key
                         ORDER BY e.order_key DESC, e.position DESC LIMIT 1), 0) AS base,
               (SELECT true FROM okno.events e
                WHERE e.source = p_source[i.ord] AND e.id = p_id[i.ord] LIMIT 1) AS id_known
        FROM unnest(p_order) WITH ORDINALITY AS i(order_key, ord)
    ), checked AS MATERIALIZED (
        SELECT p.*, CASE WHEN p.id_known THEN (
                   SELECT e.position FROM okno.events e
                   WHERE e.source = p_source[p.ord] AND e.id = p_id[p.ord] AND e.digest = p_digest[p.ord] LIMIT 1)
               END AS old_position,
               p_expected[p.ord] IS NOT NULL AND p.order_key IN (
                   SELECT x.order_key FROM probed x WHERE p_expected[x.ord] <> x.base) AS refused
        FROM probed p
    ), judged AS MATERIALIZED (  -- the first of equal messages that is not refused is the one that stays
        SELECT c.ord, c.order_key, c.base, c.id_known, c.old_position, CASE
            WHEN c.old_position IS NOT NULL THEN 'duplicate'
            WHEN c.refused THEN 'conflict'
            WHEN p_id[c.ord] = ANY (repeated) AND (p_digest[c.ord], c.ord) NOT IN (
                SELECT p_digest[x.ord], min(x.ord) FROM checked x WHERE NOT x.refused GROUP BY 1) THEN 'duplicate'
            ELSE 'appended' END AS verdict
        FROM checked c
    ), numbered AS (
        SELECT j.*,
               prior.position + count(*) FILTER (WHERE j.verdict = 'appended') OVER everything AS new_position,
               (j.base + count(*) FILTER (WHERE j.verdict = 'appended') OVER one_order)::integer AS new_version,
               j.id_known IS NOT NULL OR p_id[j.ord] = ANY (repeated) AND (p_source[j.ord], p_id[j.ord], j.ord) NOT IN (
                   SELECT p_source[x.ord], p_id[x.ord], min(x.ord) FROM judged x WHERE x.verdict = 'appended'
                   GROUP BY 1, 2) AS id_reused
        FROM judged j
        WINDOW one_order AS (PARTITION BY j.order_key ORDER BY j.ord ROWS UNBOUNDED PRECEDING),
               everything AS (ORDER BY j.ord ROWS UNBOUNDED PRECEDING)
    ), hashed AS MATERIALIZED (
        SELECT n.*, CASE WHEN n.verdict = 'appended' THEN sha256(convert_to(
                   n.new_position || '|' || octet_length(n.order_key) || ':' || n.order_key || '|'
                   || n.new_version || '|' || octet_length(p_type[n.ord]) || ':' || p_type[n.ord] || '|'
                   || (extract(epoch FROM coalesce(p_occurred[n.ord], now_)) * 1000000)::bigint
                   || recorded || n.id_reused::integer || '|', 'UTF8') || p_content[n.ord]) END AS hash
        FROM numbered n ORDER BY n.ord
    ), fresh AS NOT MATERIALIZED (
        SELECT h.* FROM hashed h WHERE h.verdict = 'appended'
    ), events AS (
        INSERT INTO okno.events (position, order_key, version, type, source, id, cause, actor, occurred_at, recorded_at,
                                 bucket, id_reused, digest, data, body_hash, hash)
        SELECT n.new_position, n.order_key, n.new_version, p_type[n.ord], p_source[n.ord], p_id[n.ord], p_cause[n.ord],
               p_actor[n.ord], coalesce(p_occurred[n.ord], now_), now_,
               get_byte(sha256(convert_to(n.order_key, 'UTF8')), 0), n.id_reused, p_digest[n.ord], p_data[n.ord],
               p_body_hash[n.ord], n.hash
        FROM fresh n
    ), bodies AS (
        INSERT INTO okno.bodies (position, order_key, body)
        SELECT n.new_position, n.order_key, p_body[n.ord]
        FROM fresh n WHERE p_body[n.ord] IS NOT NULL AND n.order_key <> ALL (erased)
    ), personal AS (
        INSERT INTO okno.personal (position, order_key, data)
        SELECT n.new_position, n.order_key, p_personal[n.ord]
        FROM fresh n WHERE p_personal[n.ord] IS NOT NULL AND n.order_key <> ALL (erased)
    ), batch AS MATERIALIZED (
        SELECT min(n.new_position) AS first, max(n.new_position) AS last,
               sha256(string_agg(n.hash, ''::bytea ORDER BY n.new_position)) AS root
        FROM fresh n HAVING count(*) > 0
    ), sealed AS (
        INSERT INTO okno.seals (last_position, first_position, seal, recorded_at, number, root)
        SELECT b.last, b.first, okno.next_seal(prior.seal, skip, link, b.first, b.last, now_, b.root), now_, link,
               b.root
        FROM batch b
        RETURNING seals.last_position, seals.seal
    ), moved AS (
        UPDATE okno.head SET position = s.last_position, seal = s.seal, recorded_at = now_, links = link
        FROM sealed s WHERE head.log_id = 0
    )
    SELECT h.ord, h.verdict,
           CASE h.verdict WHEN 'appended' THEN h.new_position
                WHEN 'duplicate' THEN coalesce(
                    h.old_position,
                    (SELECT n.new_position FROM fresh n WHERE p_digest[n.ord] = p_digest[h.ord])) END,
           CASE h.verdict WHEN 'appended' THEN h.new_version
                WHEN 'duplicate' THEN coalesce(
                    (SELECT e.version FROM okno.events e WHERE e.position = h.old_position),
                    (SELECT n.new_version FROM fresh n WHERE p_digest[n.ord] = p_digest[h.ord]))
                ELSE h.base END
    FROM hashed h ORDER BY h.ord;

    PERFORM set_config('okno.appending', 'off', true);
END $$;
