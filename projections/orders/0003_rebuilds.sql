-- `code` is the fingerprint of the code that fills a rebuild's tables: what other code filled is never gone on with.
ALTER TABLE okno.projection_rebuilds ADD COLUMN code text NOT NULL DEFAULT '';

-- `columns` are those the live rows were made with, so that a changed shape is noticed though its version was not raised.
ALTER TABLE okno.projections ADD COLUMN columns text[];

-- `mended` counts how often orders of a slice were made anew without moving it on. A part of the followers'
-- compare-and-set: rows that one of them read before are thrown away.
ALTER TABLE okno.projection_progress ADD COLUMN mended bigint NOT NULL DEFAULT 0;
