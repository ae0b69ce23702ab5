-- Let nobody switch the model until the transaction ends.
--
-- Each switch, apply and rollback needs a lock that this one keeps off, and the other way round. Readers and writers go on.
--
-- Locks:        ROW EXCLUSIVE on the target
-- Transaction:  required
-- Run again:    safe, it is held already
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, table

LOCK TABLE ONLY :"schema".:"table" IN ROW EXCLUSIVE MODE;
