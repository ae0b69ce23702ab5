-- Read the rows of a chunk once it is committed, while they are in memory.
--
-- The first reader of a row after its transaction notes in the row that it is committed. Under data checksums, which
-- PostgreSQL 18 has on by default, or wal_log_hints, the note logs the whole block. Only a block written since the last
-- checkpoint is spared. Hours later, when the gate is prepared, the notes would log all that is staged a second time.
--
-- pages is how many of the last blocks are read.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, there is nothing left to note
-- Undo:         nothing to undo
-- Variables:    staging_table, pages

SELECT count(*) AS rows
FROM vestige_sql.:"staging_table" s
WHERE s.ctid >= (
    SELECT pg_catalog.format('(%s,0)', greatest(0, x.blocks - :pages))::tid
    FROM (
        SELECT pg_catalog.pg_relation_size(pg_catalog.format('vestige_sql.%I', :'staging_table'::text)::regclass)
            / current_setting('block_size')::integer AS blocks
    ) AS x);
