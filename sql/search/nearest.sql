-- Return the rows of any target that are nearest to a vector, nearest first, through the column's own index.
--
-- The vector is of the model that is named. If another one is registered for the column at the moment of the search, the search is
-- refused, for the order would mean nothing. operator and search_type are those of the index, so that it is used; without
-- one every row is compared, and so is where the index brings too few rows. text is the beginning of the row's text. Equal
-- distances come in the order of the keys.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on embedding_model
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    vector, search_type, dimension, model_name, model_hash, schema, table, embedding_column, row_filter, vector_schema, operator, chosen_here, limit, key_columns, key_record, content

WITH question AS MATERIALIZED (
    SELECT CAST(nullif(:'vector', '') AS :search_type(:dimension)) AS vector
),
-- This reads in the snapshot of the search, so that no change of the model can come between the two.
checked AS MATERIALIZED (
    SELECT vestige_sql.require(
        (r.model_name, r.dimension, r.model_hash) IS NOT DISTINCT FROM (:'model_name'::text, :'dimension'::integer, :'model_hash'::text),
        pg_catalog.format(
            'the question is encoded with %s (%s dimensions, hash %s), and the registered model of %I.%I.%I is %s',
            :'model_name'::text, :'dimension'::text, pg_catalog.left(:'model_hash'::text, 12),
            :'schema'::text, :'table'::text, :'embedding_column'::text,
            CASE WHEN r.model_hash IS NULL THEN 'none, or not known' ELSE
                pg_catalog.format('%s (%s dimensions, hash %s)', r.model_name, r.dimension, pg_catalog.left(r.model_hash, 12)) END),
        'encode it with the registered model; nothing was searched for'
    ) IS NOT NULL AS holds
    FROM question q
    LEFT JOIN vestige_sql.rows_model(
        pg_catalog.format('%I.%I', :'schema'::text, :'table'::text)::regclass, :'embedding_column'::name, :'row_filter') AS r ON true
    WHERE q.vector IS NOT NULL
),
-- The planner treats this as if its text stood where it is used.
compared AS NOT MATERIALIZED (
    SELECT
        t.ctid AS place, t.tableoid AS part,
        CAST(t.:"embedding_column" AS :search_type(:dimension))
            OPERATOR(:"vector_schema".:operator) (SELECT q.vector FROM question q) AS distance
    FROM :"schema".:"table" t
    WHERE (SELECT c.holds FROM checked c) AND t.:"embedding_column" IS NOT NULL AND (:chosen_here)
),
by_index AS MATERIALIZED (
    SELECT c.* FROM compared c ORDER BY c.distance LIMIT :limit
),
-- This runs only where the index brought too few rows. Adding 0 keeps the index out of it.
by_scan AS (
    SELECT c.* FROM compared c WHERE (SELECT count(*) < :limit FROM by_index) ORDER BY c.distance + 0 LIMIT :limit
),
nearest AS (
    SELECT i.* FROM by_index i WHERE (SELECT count(*) = :limit FROM by_index)
    UNION ALL
    SELECT s.* FROM by_scan s
)
SELECT
    row_number() OVER (ORDER BY n.distance, :key_columns) AS rank,
    (:key_record)::text AS key,
    pg_catalog.left(:content, 1000) AS text,
    n.distance
FROM nearest n
JOIN :"schema".:"table" t ON t.ctid = n.place AND t.tableoid = n.part
ORDER BY 1;
