-- How far each projection has come. Buckets of orders are followed in slices, a progress row each, moved on by
-- compare-and-set in the same transaction as the rows: whoever was overtaken, or works for a generation that a rebuild
-- has replaced, changes nothing.
CREATE TABLE okno.projections (
    name    text PRIMARY KEY,
    version integer NOT NULL
);
CREATE TABLE okno.projection_progress (
    projection text NOT NULL,
    slice      smallint NOT NULL,
    generation integer NOT NULL,
    position   bigint NOT NULL,
    PRIMARY KEY (projection, slice)
);

-- A rebuild under way: a row a bucket, without a position while it is to do.
CREATE TABLE okno.projection_rebuilds (
    projection text NOT NULL,
    bucket     smallint NOT NULL,
    generation integer NOT NULL,
    version    integer NOT NULL,
    position   bigint,
    PRIMARY KEY (projection, bucket)
);

-- Orders set aside because their rows could not be made; tried again with the order's next event and by a rebuild.
CREATE TABLE okno.projection_failures (
    projection text NOT NULL,
    generation integer NOT NULL,
    order_key  text NOT NULL,
    position   bigint NOT NULL,
    error      text NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, generation, order_key)
);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE
            ON okno.projections, okno.projection_progress, okno.projection_rebuilds, okno.projection_failures TO okno_hub;
    END IF;
END $$;
