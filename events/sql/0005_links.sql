-- Seals as links that also reach far back: link n holds the seal before it and that of link n - (n & -n), so that a few
-- dozen links prove an event to be in the log that a later seal stands for (`okno export proof`), however long the log.
-- Seals of before are made anew in this form; `root` is sha256 over the rows' hashes.

ALTER TABLE okno.head ADD COLUMN links bigint NOT NULL DEFAULT 0, ADD COLUMN restored_at timestamptz;
ALTER TABLE okno.seals ADD COLUMN number bigint, ADD COLUMN root bytea;

-- The seal of a link; events/seal.py computes the same.
CREATE FUNCTION okno.next_seal(
    p_before bytea, p_skip bytea, p_number bigint, p_first bigint, p_last bigint, p_at timestamptz, p_root bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(p_before || p_skip || convert_to(
        '|' || p_number || '|' || p_first || '|' || p_last || '|' || (extract(epoch FROM p_at) * 1000000)::bigint || '|',
        'UTF8') || p_root)
$$;

DO $$
DECLARE
    link record;
    n bigint := 0;
    seal_ bytea := decode(repeat('00', 32), 'hex');
    root_ bytea;
    skip_ bytea;
BEGIN
    ALTER TABLE okno.seals DISABLE TRIGGER append_only;
    CREATE TEMPORARY TABLE skips (number bigint PRIMARY KEY, seal bytea NOT NULL) ON COMMIT DROP;
    INSERT INTO skips VALUES (0, seal_);
    FOR link IN SELECT s.first_position, s.last_position, s.recorded_at FROM okno.seals s ORDER BY s.last_position LOOP
        n := n + 1;
        SELECT sha256(string_agg(e.hash, ''::bytea ORDER BY e.position)) INTO STRICT root_
        FROM okno.events e WHERE e.position BETWEEN link.first_position AND link.last_position;
        SELECT s.seal INTO STRICT skip_ FROM skips s WHERE s.number = n - (n & -n);
        seal_ := okno.next_seal(seal_, skip_, n, link.first_position, link.last_position, link.recorded_at, root_);
        INSERT INTO skips VALUES (n, seal_);
        UPDATE okno.seals SET number = n, root = root_, seal = seal_ WHERE last_position = link.last_position;
    END LOOP;
    UPDATE okno.head SET links = n, seal = seal_;
    ALTER TABLE okno.seals ENABLE TRIGGER append_only;
END $$;

ALTER TABLE okno.seals ALTER COLUMN number SET NOT NULL, ALTER COLUMN root SET NOT NULL;
CREATE UNIQUE INDEX seals_number ON okno.seals (number);

-- The last link recorded before a moment, 0 for none: times never fall from link to link, so it is found by halving.
CREATE FUNCTION okno.link_before(p_moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint := 0;
    high bigint := (SELECT h.links FROM okno.head h WHERE h.log_id = 0);
    middle bigint;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT s.recorded_at FROM okno.seals s WHERE s.number = middle) < p_moment THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;
