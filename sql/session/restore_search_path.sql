-- Give the caller's transaction back the search_path that it had before transaction/05_pin_search_path.sql.
--
-- What follows in the same transaction may be another tool's. That tool finds its own tables by this search_path.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same values
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('vestige_sql.search_path'), true);
