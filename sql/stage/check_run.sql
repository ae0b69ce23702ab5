-- Check that the worker's run is still open and still for the worker's model.
--
-- The transaction of each chunk asks this, and the run's row stays locked until the chunk is committed. So nobody closes the
-- run during a chunk. A worker that nobody waits for any more cannot write into the next run's staging table.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is held already
-- Undo:         nothing to undo
-- Variables:    run_id, model_name, dimension, model_hash

SELECT vestige_sql.require(
    count(*) = 1,
    format('run %s is no longer open for %s (%s dimensions, hash %s), so this worker''s vectors are no longer wanted',
        :run_id, :'model_name'::text, :dimension, :'model_hash'::text),
    'nothing of this chunk was written; vestige-sql migrate status shows the run that is open now'
)
FROM (
    SELECT
    FROM vestige_sql.run r
    WHERE r.id = :run_id AND r.state IN ('staging', 'filling')
      AND r.to_name = :'model_name' AND r.to_dimension = :dimension AND r.to_hash = :'model_hash'
    FOR SHARE
) AS open_run;
