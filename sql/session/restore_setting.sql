-- Give a setting its former value back, inside the caller's transaction.
--
-- The value ends with that transaction, so that the session's own value is untouched.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    name, value

SELECT pg_catalog.set_config(:'name', :'value', true);
