-- All that the reactor notes of some events, in one trip and one commit: it stands between a mark and its call.
--
-- Lanes are asked for, and where p_claim says that this process works them off itself, and nobody else has them, they are
-- its own at once: returned are those. Locked in the order of their keys, and before attempts: else two could wait for
-- each other. It waits for the disk, other than `advance` by itself: the reactor goes on from its memory, and would not
-- learn that Postgres came back without the lanes.
CREATE FUNCTION okno.reacted(
    p_order text[], p_target text[], p_claim boolean[], p_owner text, p_lease interval,
    p_command text[], p_command_order text[], p_command_target text[], p_open boolean[], p_doubt interval,
    p_read text[], p_seconds float8[], p_hint text[], p_name text, p_position bigint
) RETURNS TABLE (order_key text, target text, asked bigint, claimed_at timestamptz) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := clock_timestamp();
    v_until timestamptz := v_now + p_lease;
BEGIN
    INSERT INTO okno.dispatch AS d (order_key, target, due_at, owner, leased_until)
    SELECT a.k, a.t, v_now, CASE WHEN a.c THEN p_owner END, CASE WHEN a.c THEN v_until END
    FROM unnest(p_order, p_target, p_claim) AS a(k, t, c) ORDER BY a.k, a.t
    ON CONFLICT (order_key, target) DO UPDATE
    SET asked = d.asked + 1, due_at = least(d.due_at, v_now),
        owner = CASE WHEN d.leased_until >= v_now THEN d.owner ELSE coalesce(excluded.owner, d.owner) END,
        leased_until = CASE WHEN d.leased_until >= v_now THEN d.leased_until
                            ELSE coalesce(excluded.leased_until, d.leased_until) END;
    IF p_command <> '{}' THEN
        PERFORM okno.expect_commands(p_command, p_command_order, p_command_target, p_open, p_doubt);
    END IF;
    IF p_read <> '{}' THEN
        PERFORM okno.ask_reads(p_read, p_seconds, p_hint);
    END IF;
    PERFORM okno.advance(p_name, p_position, NULL);
    PERFORM set_config('synchronous_commit', 'on', true);
    IF true = ANY (p_claim) THEN  -- claimed behind the moment from which its commands may be tried
        RETURN QUERY SELECT d.order_key, d.target, d.asked, clock_timestamp()
        FROM unnest(p_order, p_target) AS a(k, t) JOIN okno.dispatch d ON d.order_key = a.k AND d.target = a.t
        WHERE d.owner = p_owner AND d.leased_until = v_until;
    END IF;
END $$;
