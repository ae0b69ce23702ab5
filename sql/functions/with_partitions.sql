-- Return a table and all its partitions, or a partitioned index and those of the partitions, each with what it is a part of.
--
-- The first row is the table itself. A table that is not partitioned has no other row. level counts the steps from it. is_leaf
-- says that rows lie in it. A partition that is being detached is left out: nobody finds it through the table.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.with_partitions(p_relation regclass)
RETURNS TABLE (relation regclass, part_of regclass, level integer, is_leaf boolean)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH RECURSIVE tree (oid, part_of, level, relkind) AS (
        SELECT c.oid, NULL::oid, 0, c.relkind FROM pg_class c WHERE c.oid = p_relation
        UNION ALL
        SELECT c.oid, t.oid, t.level + 1, c.relkind
        FROM tree t
        JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE t.relkind IN ('p', 'I')
    )
    SELECT t.oid::regclass, t.part_of::regclass, t.level, t.relkind NOT IN ('p', 'I') FROM tree t
$function$;

REVOKE ALL ON FUNCTION vestige_sql.with_partitions FROM PUBLIC;
