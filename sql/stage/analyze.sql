-- Let the planner know how many vectors are staged before they are joined with the target.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe
-- Undo:         nothing to undo
-- Variables:    staging_table

ANALYZE vestige_sql.:"staging_table" (id, content_hash);
