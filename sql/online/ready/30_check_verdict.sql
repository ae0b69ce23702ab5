-- Check that the last judging of the run says GO, where a verdict is required.
--
-- When the second column was added, what was staged was judged. A judging since then counts too: it has searched that column
-- through its index.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    require_verdict, schema, table, embedding_column

SELECT vestige_sql.check_verdict(:require_verdict, :'schema', :'table', :'embedding_column');
