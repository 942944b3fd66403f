-- The base of 1C that a token speaks for, by its name in [onec.sources.NAME]; null: for any.
ALTER TABLE okno.tokens ADD COLUMN source text;
