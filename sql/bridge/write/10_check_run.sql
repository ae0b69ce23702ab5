-- Check that the run whose vectors a map was fitted on is still open, and that neither of its two models has changed.
--
-- The run's row is locked, so that the run cannot end before the map is there.
--
-- Locks:        none on the target, ACCESS SHARE on embedding_model
-- Transaction:  required
-- Run again:    safe, it locks the same row
-- Undo:         nothing to undo
-- Variables:    model_name, dimension, model_hash, from_name, from_dimension, from_hash, run_id, oid, embedding_column, schema, table

SELECT vestige_sql.require(
    coalesce((
        SELECT (r.to_name, r.to_dimension, r.to_hash) = (:'model_name', :dimension, :'model_hash')
            AND (m.model_name, m.dimension, m.model_hash) = (:from_name, :from_dimension, :from_hash)
        FROM (SELECT o.* FROM vestige_sql.run o WHERE o.id = :run_id AND o.state IN ('staging', 'filling') FOR SHARE) AS r
        CROSS JOIN LATERAL vestige_sql.registered_model(:oid::oid::regclass, :'embedding_column') AS m
    ), false),
    format('run %s, whose staged vectors of %I.%I.%I the map was fitted on, has ended meanwhile',
        :run_id, :'schema'::text, :'table'::text, :'embedding_column'::text),
    'no map was written; vestige-sql migrate status says what is staged now'
);
