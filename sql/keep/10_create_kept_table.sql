-- Create the table that keeps the former vectors, each with the hash of its text.
--
-- Short rows stay in line, as in stage/create/.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, a table that is there stays
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    kept_table, id_type, vector_type

CREATE TABLE IF NOT EXISTS vestige_sql.:"kept_table" (
    id           :id_type PRIMARY KEY,
    content_hash bytea NOT NULL,
    embedding    :vector_type NOT NULL
) WITH (toast_tuple_target = 4080);
