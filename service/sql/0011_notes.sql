-- What loops note of the log, each as a function, so that several are noted in one statement and one trip: the reactor
-- stands between a mark and its call.

-- Asks for a look at lanes, now.
CREATE FUNCTION okno.ask_lanes(p_order text[], p_target text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO okno.dispatch AS d (order_key, target, due_at)
    SELECT DISTINCT ON (k, t) k, t, clock_timestamp() FROM unnest(p_order, p_target) AS a(k, t) ORDER BY k, t
    ON CONFLICT (order_key, target) DO UPDATE
    SET asked = d.asked + 1, due_at = least(d.due_at, clock_timestamp())
$$;

-- Each command gets its row when it is asked for: one without a row later on means that the table was lost. What an
-- operator brings back (p_open) is read before it is sent; so is, for p_doubt, all that is asked for after the log was
-- restored from a backup: it may have been told before, in what was lost. Messages to 1C can't be read back.
CREATE FUNCTION okno.expect_commands(
    p_command text[], p_order text[], p_target text[], p_open boolean[], p_doubt interval
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO okno.attempts (command, order_key, target, attempts, attempted_at, next_at, open)
    SELECT c, k, t, 0, clock_timestamp(), clock_timestamp(),
           o OR (t <> '1c' AND coalesce(h.restored_at, '-infinity') > clock_timestamp() - p_doubt)
    FROM unnest(p_command, p_order, p_target, p_open) AS n(c, k, t, o), okno.head h WHERE h.log_id = 0
    ON CONFLICT DO NOTHING
$$;

-- Reads that are due p_seconds from now: the earliest time counts, and every hint ('' is none).
CREATE FUNCTION okno.ask_reads(p_order text[], p_seconds float8[], p_hint text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO okno.reads AS r (order_key, channel, due_at, hints)
    SELECT n.k, split_part(n.k, '/', 1), clock_timestamp() + make_interval(secs => min(n.s)),
           coalesce(array_agg(DISTINCT n.h) FILTER (WHERE n.h <> ''), '{}')
    FROM unnest(p_order, p_seconds, p_hint) AS n(k, s, h) GROUP BY n.k ORDER BY n.k
    ON CONFLICT (order_key) DO UPDATE
    SET asked = r.asked + 1, due_at = least(r.due_at, excluded.due_at), hints = (
        SELECT coalesce(array_agg(DISTINCT h), '{}') FROM unnest(r.hints || excluded.hints) AS h)
$$;

-- How far a loop has come; that alone does not wait for the disk.
CREATE FUNCTION okno.advance(p_name text, p_position bigint, p_moment timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO okno.progress AS p (name, position, moment)
    SELECT p_name, p_position, p_moment FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (name) DO UPDATE
    SET position = greatest(p.position, excluded.position), moment = excluded.moment
$$;
