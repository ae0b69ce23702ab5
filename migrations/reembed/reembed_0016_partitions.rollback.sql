-- Save indexes without saying which partition they belong to, as before.
--
-- Locks:        ACCESS EXCLUSIVE on vestige_sql.saved_index
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0016_partitions.sql
--
-- It is refused while indexes of one name in two schemas are still to be built.

-- squawk-ignore-file ban-drop-column, ban-drop-constraint, adding-serial-primary-key-field, constraint-missing-not-valid -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the lock, it is done
SET LOCAL lock_timeout = '10s';

ALTER TABLE vestige_sql.saved_index DROP CONSTRAINT IF EXISTS saved_index_pkey;
ALTER TABLE vestige_sql.saved_index ADD CONSTRAINT saved_index_pkey PRIMARY KEY (table_schema, table_name, index_name);

ALTER TABLE vestige_sql.saved_index
    DROP COLUMN IF EXISTS index_schema,
    DROP COLUMN IF EXISTS partition_schema,
    DROP COLUMN IF EXISTS partition_name,
    DROP COLUMN IF EXISTS attached_to;
