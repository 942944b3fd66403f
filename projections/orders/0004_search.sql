-- What orders are searched by stands in a table of its own: it changes only with an order's numbers and articles, while
-- a row of okno.orders is written anew with each of its events. `grams` are the runs of three letters in `search`.
-- `body` is passed on as it was stored, so it is json, and what only settings know is no longer in it.
-- Nobody writes in between, and a rebuild of the former shape, done by half or still at work, begins anew.
LOCK TABLE okno.orders IN ACCESS EXCLUSIVE MODE;
DROP TABLE IF EXISTS okno.orders_next, okno.order_deadlines_next;
DELETE FROM okno.projection_rebuilds WHERE projection = 'orders';

-- Indexes are made at once behind the rows, in more memory than a session usually takes.
SET LOCAL maintenance_work_mem = '256MB';
CREATE TABLE okno.order_search (order_key text NOT NULL, search text NOT NULL, grams text[] NOT NULL);
INSERT INTO okno.order_search (order_key, search, grams) SELECT order_key, search, grams FROM okno.orders;
ALTER TABLE okno.order_search ADD PRIMARY KEY (order_key);
CREATE INDEX ON okno.order_search USING gin (grams);

-- One statement writes the rows anew once. The constraint keeps out what jsonb could not hold: U+0000.
ALTER TABLE okno.orders
    DROP COLUMN search,
    DROP COLUMN grams,
    ALTER COLUMN body TYPE json USING (body - 'kind' - 'model')::json,
    ADD CHECK (strpos(body::text, '\u0000') = 0 OR body::jsonb IS NOT NULL);
-- A stage of a channel has an index of its own now.
CREATE INDEX ON okno.orders (channel, stage, position);

-- The rows are those that this program makes: they want no rebuild, unless they did before.
UPDATE okno.projections
SET columns = array_remove(array_remove(columns, 'orders.search'), 'orders.grams')
              || '{order_search.order_key, order_search.search, order_search.grams}'::text[]
WHERE name = 'orders' AND columns IS NOT NULL;

DO $$
BEGIN
    -- Searches are planned by what the columns hold; of a table that is still empty nothing is to be learned.
    IF EXISTS (SELECT FROM okno.order_search) THEN
        ANALYZE okno.orders, okno.order_search;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'okno_hub' AND pg_has_role(oid, 'member')) THEN
        ALTER TABLE okno.order_search OWNER TO okno_hub;
    END IF;
END $$;
