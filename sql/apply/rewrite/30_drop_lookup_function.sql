-- Drop the lookup function, which has done its work.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it is gone
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    lookup_function, id_sql_type

-- squawk-ignore-file ban-drop-function -- the function was made by this very transaction
DROP FUNCTION IF EXISTS vestige_sql.:"lookup_function"(:id_sql_type);
