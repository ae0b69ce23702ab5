-- Make the table that the former vectors are kept in, each with the hash of the text that it is of.
--
-- Locks:        none on the target
-- Transaction:  required
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it is made anew
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    kept_table, id_type, vector_type

-- squawk-ignore-file ban-drop-table -- the table is this package's own, and nothing is kept in it
DROP TABLE IF EXISTS vestige_sql.:"kept_table";

CREATE TABLE vestige_sql.:"kept_table" (
    id           :id_type PRIMARY KEY,
    content_hash bytea NOT NULL,
    embedding    :vector_type NOT NULL
);
