-- Let the next rows whose text changed during the run go of their former vectors: one batch, one short transaction.
--
-- Such a row's former vector is of another text, and a rollback must not bring it back. The step returns how many notes are left. It
-- waits for no row that another session has locked, so it can never be part of a deadlock: such a row is left for the next time.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  alone
-- Fires:        no triggers, while online/quiet/ keeps them off
-- Run again:    safe, it goes on with the next rows
-- Undo:         embed the rows again, with the former model
-- Variables:    outdated_table, batch_rows, key, schema, table, key_is_k, kept_column, id_schema

WITH batch AS MATERIALIZED (
    SELECT DISTINCT o.id
    FROM vestige_sql.:"outdated_table" o
    -- the table's own triggers run with this search_path, where any fires; this statement's names are read already
    WHERE (SELECT pg_catalog.set_config('search_path', coalesce(
        nullif(pg_catalog.current_setting('vestige_sql.search_path', true), ''), pg_catalog.current_setting('search_path')), true)) IS NOT NULL
    LIMIT :batch_rows
),
locked AS MATERIALIZED (
    SELECT :key AS id
    FROM batch k
    JOIN :"schema".:"table" t ON :key_is_k
    FOR NO KEY UPDATE OF t SKIP LOCKED
),
cleared AS (
    UPDATE :"schema".:"table" t
    SET :"kept_column" = NULL
    FROM locked k
    WHERE :key_is_k AND t.:"kept_column" IS NOT NULL
),
forgotten AS (
    DELETE FROM vestige_sql.:"outdated_table" o
    USING batch k
    WHERE o.id OPERATOR(:"id_schema".=) k.id
      AND (k.id OPERATOR(:"id_schema".=) ANY (SELECT l.id FROM locked l)
           OR NOT EXISTS (SELECT FROM :"schema".:"table" t WHERE :key_is_k))
    RETURNING o.id
)
SELECT (SELECT count(*) FROM vestige_sql.:"outdated_table") - (SELECT count(*) FROM forgotten) AS notes_left;
