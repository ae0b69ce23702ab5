-- Give a setting of the session its former value back.
--
-- Locks:        none on the target
-- Transaction:  either
-- Rewrites:     nothing
-- Fires:        no triggers
-- Run again:    safe, it sets the same value
-- Undo:         ends with the session
-- Variables:    name, value

SELECT pg_catalog.set_config(:'name', :'value', false);
