-- append_batch from now on: 0007 in steps over whole arrays. What nearly no batch needs, to judge each event, is done only
-- for one that does, and from step to step go places, versions and hashes, not rows.

-- The seal of a link; events/seal.py computes the same. As in 0005, but such that Postgres writes it into the statement.
CREATE OR REPLACE FUNCTION okno.next_seal(
    p_before bytea, p_skip bytea, p_number bigint, p_first bigint, p_last bigint, p_at timestamptz, p_root bytea
) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.sha256(p_before || p_skip || pg_catalog.convert_to(
        '|' || p_number || '|' || p_first || '|' || p_last || '|' || (extract(epoch FROM p_at) * 1000000)::bigint || '|',
        'UTF8') || p_root)
$$;

-- An order erased before 1C registered it: what came under the document's own key goes as soon as the link is known. As in
-- 0006, but once for all links of an append.
DROP TRIGGER erased ON okno.documents;
CREATE OR REPLACE FUNCTION okno.erase_linked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    WITH late AS (
        INSERT INTO okno.erased (order_key, position)
        SELECT '1c/' || l.document_id, x.position FROM linked l JOIN okno.erased x ON x.order_key = l.order_key
        ON CONFLICT DO NOTHING RETURNING erased.order_key
    ), bodies AS (
        DELETE FROM okno.bodies b USING late WHERE b.order_key = late.order_key
    )
    DELETE FROM okno.personal p USING late WHERE p.order_key = late.order_key;
    RETURN NULL;
END $$;
CREATE TRIGGER erased AFTER INSERT ON okno.documents REFERENCING NEW TABLE AS linked
    FOR EACH STATEMENT EXECUTE FUNCTION okno.erase_linked();

-- Appends a batch under the lock of the head row and says what became of each event.
--
-- VOLATILE, called in autocommit: the lock is taken by the first statement, and each later statement sees what was
-- committed before the lock was granted. One row of `seals` a call. Arrays are parallel; a row's outcome is
--   appended   with its new position and version,
--   duplicate  a message of this source, id and digest is in the log already: position and version of the first one,
--   conflict   `expected` is not the order's version: all rows of that order that carry an expectation are refused.
-- A subject `1c/DOCUMENT` is resolved to its order where the document is linked, in this batch or before.
--
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
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    prior okno.head%ROWTYPE;
    now_ timestamptz;
    recorded text;       -- now_ as a row's hash holds it
    last bigint;         -- where the log ends after this
    link bigint;
    skip bytea;
    root_ bytea;
    guard text;          -- what the triggers go by
    erased text[];       -- orders of this batch that were erased
    verdicts text[];     -- by place in the batch: the outcome,
    positions bigint[];  -- where it is recorded, now or since long,
    reused boolean[];    -- is its id known for something else?
    bases integer[];     -- the version its order had
    fresh integer[];     -- the places of those that are appended, in order,
    versions integer[];  -- their versions
    hashes bytea[];      -- and hashes
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

    -- Lets the triggers tell this function from everybody else. Not a SET of the function's: that takes a superuser.
    guard := set_config('okno.appending', 'on', true);

    IF array_remove(p_document, NULL) <> '{}' THEN
        INSERT INTO okno.documents (document_id, order_key)
        SELECT d.document, d.order_key FROM unnest(p_document, p_order) AS d(document, order_key)
        WHERE d.document IS NOT NULL AND left(d.order_key, 3) <> '1c/'
        ON CONFLICT DO NOTHING;
    END IF;
    IF p_order::text LIKE '%1c/%' THEN
        p_order := array(
            SELECT CASE WHEN left(o.order_key, 3) <> '1c/' THEN o.order_key ELSE coalesce(
                (SELECT d.order_key FROM okno.documents d WHERE d.document_id = substr(o.order_key, 4)), o.order_key) END
            FROM unnest(p_order) WITH ORDINALITY AS o(order_key, place) ORDER BY o.place);
    END IF;

    WITH placed AS (
        SELECT o.place, o.order_key, row_number() OVER (PARTITION BY o.order_key ORDER BY o.place) AS nth
        FROM unnest(p_order) WITH ORDINALITY AS o(order_key, place)
    ), based AS (  -- looked up once an order
        SELECT p.*, CASE WHEN p.nth = 1 THEN coalesce((
                   SELECT e.version FROM okno.events e WHERE e.order_key >= p.order_key AND e.order_key <= p.order_key
                   ORDER BY e.order_key DESC, e.position DESC LIMIT 1), 0) END AS found
        FROM placed p
    ), numbered AS (
        SELECT b.place, b.nth, max(b.found) OVER (PARTITION BY b.order_key) AS base FROM based b
    )
    SELECT array_agg(n.base ORDER BY n.place), array_agg((n.base + n.nth)::integer ORDER BY n.place)
    INTO STRICT bases, versions FROM numbered n;

    -- Where every expectation holds and no id is known or repeated, all are appended. One search for all ids of a source.
    IF array_remove(p_expected, NULL) <> '{}'
        AND EXISTS (SELECT FROM unnest(p_expected, bases) AS e(expected, base) WHERE e.expected <> e.base)
    OR EXISTS (
        SELECT FROM (SELECT i.source, array_agg(DISTINCT i.id) AS ids, count(*) AS all_ids
                     FROM unnest(p_source, p_id) AS i(source, id) GROUP BY i.source) s
        WHERE cardinality(s.ids) < s.all_ids
              OR EXISTS (SELECT FROM okno.events e WHERE e.source = s.source AND e.id = ANY (s.ids))
    ) THEN
        WITH probed AS MATERIALIZED (
            SELECT n AS place, p_order[n] AS order_key, p_source[n] AS source, p_id[n] AS id, p_digest[n] AS digest,
                   (SELECT true FROM okno.events e WHERE e.source = p_source[n] AND e.id = p_id[n] LIMIT 1) AS id_known,
                   (SELECT e.position FROM okno.events e
                    WHERE e.source = p_source[n] AND e.id = p_id[n] AND e.digest = p_digest[n] LIMIT 1) AS old_position,
                   p_expected[n] IS NOT NULL
                   AND bool_or(p_expected[n] <> bases[n]) OVER (PARTITION BY p_order[n]) AS refused
            FROM generate_subscripts(p_order, 1) AS n
        ), judged AS (  -- the first of equal messages that is not refused is the one that stays
            SELECT p.*, CASE
                WHEN p.old_position IS NOT NULL THEN 'duplicate'
                WHEN p.refused THEN 'conflict'
                WHEN row_number() OVER (PARTITION BY p.source, p.id, p.digest, p.refused ORDER BY p.place) > 1
                THEN 'duplicate' ELSE 'appended' END AS verdict
            FROM probed p
        ), numbered AS (
            SELECT j.*, j.verdict = 'appended' AS stays,
                   row_number() OVER (PARTITION BY j.verdict ORDER BY j.place) AS nth,
                   row_number() OVER (PARTITION BY j.verdict, j.order_key ORDER BY j.place) AS nth_of_order,
                   row_number() OVER (PARTITION BY j.verdict, j.source, j.id ORDER BY j.place) AS nth_of_id
            FROM judged j
        ), stated AS (
            SELECT n.*, CASE WHEN n.verdict <> 'conflict' THEN
                       max(CASE WHEN n.stays THEN prior.position + n.nth ELSE n.old_position END)
                       OVER (PARTITION BY n.source, n.id, n.digest) END AS stands_at
            FROM numbered n
        )
        SELECT array_agg(s.verdict ORDER BY s.place), array_agg(s.stands_at ORDER BY s.place),
               array_agg(s.id_known IS NOT NULL OR s.nth_of_id > 1 ORDER BY s.place),
               coalesce(array_agg(s.place ORDER BY s.place) FILTER (WHERE s.stays), '{}'),
               array_agg((bases[s.place] + s.nth_of_order)::integer ORDER BY s.place) FILTER (WHERE s.stays)
        INTO STRICT verdicts, positions, reused, fresh, versions FROM stated s;
    ELSE
        fresh := array(SELECT n FROM generate_subscripts(p_order, 1) AS n);
    END IF;

    IF fresh <> '{}' THEN
        link := prior.links + 1;
        recorded := '|' || (extract(epoch FROM now_) * 1000000)::bigint || '|';
        WITH hashed AS (
            SELECT f.n, sha256(convert_to(
                       prior.position + f.n || '|' || octet_length(p_order[f.place]) || ':' || p_order[f.place] || '|'
                       || versions[f.n] || '|' || octet_length(p_type[f.place]) || ':' || p_type[f.place] || '|'
                       || (extract(epoch FROM coalesce(p_occurred[f.place], now_)) * 1000000)::bigint || recorded
                       || coalesce(reused[f.place], false)::integer || '|', 'UTF8') || p_content[f.place]) AS hash
            FROM unnest(fresh) WITH ORDINALITY AS f(place, n) ORDER BY f.n
        )
        SELECT array_agg(h.hash ORDER BY h.n), sha256(string_agg(h.hash, ''::bytea ORDER BY h.n)),
               (SELECT s.seal FROM okno.seals s WHERE s.number = link - (link & -link)),
               array(SELECT x.order_key FROM okno.erased x WHERE x.order_key = ANY (p_order))
        INTO STRICT hashes, root_, skip, erased FROM hashed h;
        skip := coalesce(skip, decode(repeat('00', 32), 'hex'));  -- before the first link

        INSERT INTO okno.events (position, order_key, version, type, source, id, cause, actor, occurred_at, recorded_at,
                                 bucket, id_reused, digest, data, body_hash, hash)
        SELECT prior.position + f.n, p_order[f.place], versions[f.n], p_type[f.place], p_source[f.place], p_id[f.place],
               p_cause[f.place], p_actor[f.place], coalesce(p_occurred[f.place], now_), now_,
               get_byte(sha256(convert_to(p_order[f.place], 'UTF8')), 0), coalesce(reused[f.place], false),
               p_digest[f.place], p_data[f.place], p_body_hash[f.place], hashes[f.n]
        FROM unnest(fresh) WITH ORDINALITY AS f(place, n);

        IF array_remove(p_body_hash, NULL) <> '{}' THEN
            INSERT INTO okno.bodies (position, order_key, body)
            SELECT prior.position + f.n, p_order[f.place], p_body[f.place]
            FROM unnest(fresh) WITH ORDINALITY AS f(place, n)
            WHERE p_body[f.place] IS NOT NULL AND p_order[f.place] <> ALL (erased);
        END IF;
        IF array_remove(p_personal, NULL) <> '{}' THEN
            INSERT INTO okno.personal (position, order_key, data)
            SELECT prior.position + f.n, p_order[f.place], p_personal[f.place]
            FROM unnest(fresh) WITH ORDINALITY AS f(place, n)
            WHERE p_personal[f.place] IS NOT NULL AND p_order[f.place] <> ALL (erased);
        END IF;

        last := prior.position + cardinality(fresh);
        WITH sealed AS (
            INSERT INTO okno.seals (last_position, first_position, seal, recorded_at, number, root)
            VALUES (last, prior.position + 1,
                    okno.next_seal(prior.seal, skip, link, prior.position + 1, last, now_, root_), now_, link, root_)
            RETURNING seals.seal
        )
        UPDATE okno.head SET position = last, seal = s.seal, recorded_at = now_, links = link
        FROM sealed s WHERE head.log_id = 0;
    END IF;

    guard := set_config('okno.appending', 'off', true);

    IF verdicts IS NULL THEN
        RETURN QUERY SELECT v.n, 'appended', prior.position + v.n, v.version
        FROM unnest(versions) WITH ORDINALITY AS v(version, n);
    ELSE
        RETURN QUERY SELECT n::bigint, verdicts[n], positions[n],
            CASE WHEN verdicts[n] = 'conflict' THEN bases[n]
                 WHEN positions[n] > prior.position THEN versions[positions[n] - prior.position]
                 ELSE (SELECT e.version FROM okno.events e WHERE e.position = positions[n]) END
        FROM generate_subscripts(p_order, 1) AS n;
    END IF;
END $$;
