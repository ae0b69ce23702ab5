-- Stream the rows of a map in: its number, the row's number, the bias and the weights.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    refused, each row of a map is there once
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    none

COPY vestige_sql.bridge_row (bridge, nr, bias, weights) FROM STDIN (FORMAT binary);
