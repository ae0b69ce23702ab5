-- Let the planner know how many vectors are staged before the gate joins them with the target.
--
-- It is the number of rows that matters, which a tenth of the usual sample tells: with a sample of the usual size most of the
-- pages would be read for it. Outside a transaction, as in psql, SET LOCAL warns and the usual sample is taken.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe
-- Undo:         nothing to undo
-- Variables:    staging_table

SET LOCAL default_statistics_target = 10;
ANALYZE vestige_sql.:"staging_table" (id, content_hash);
