-- Say of a saved index which partition of the table it belongs to, and which partitioned index it is a part of.
--
-- Locks:        ACCESS EXCLUSIVE on vestige_sql.saved_index
-- Transaction:  required
-- Run again:    safe, adds only what is missing
-- Undo:         reembed_0016_partitions.rollback.sql
--
-- depends: reembed_0001_schema reembed_0006_writers
--
-- Partitions may lie in several schemas, and so may indexes of one name.

-- squawk-ignore-file require-statement-timeout -- once it has the lock, it is done
-- squawk-ignore-file adding-serial-primary-key-field, ban-drop-constraint, constraint-missing-not-valid -- the table has no row but while a run is under way
SET LOCAL lock_timeout = '10s';

ALTER TABLE vestige_sql.saved_index
    -- NULL for an index of the table itself
    ADD COLUMN IF NOT EXISTS partition_schema text,
    ADD COLUMN IF NOT EXISTS partition_name text,
    -- a partitioned index, as SQL writes its name
    ADD COLUMN IF NOT EXISTS attached_to text,
    -- the schema of the index; the function check_writer fills it in
    ADD COLUMN IF NOT EXISTS index_schema text;

UPDATE vestige_sql.saved_index SET index_schema = coalesce(partition_schema, table_schema) WHERE index_schema IS NULL;

ALTER TABLE vestige_sql.saved_index DROP CONSTRAINT IF EXISTS saved_index_pkey;
ALTER TABLE vestige_sql.saved_index
    ADD CONSTRAINT saved_index_pkey PRIMARY KEY (table_schema, table_name, index_schema, index_name);
