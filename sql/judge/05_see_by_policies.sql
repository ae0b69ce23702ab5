-- Let the policies of judge's tables decide which rows this session sees, where other steps would have it be an error.
--
-- session/10_set_limits.sql switches row security off, so that no row of a target is hidden without a word. A target that hides rows
-- from the role is refused before this.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it sets the same value
-- Undo:         SET row_security = off
-- Variables:    none

SET row_security = on;
