-- Check that the transaction is READ COMMITTED, so that each statement sees the rows committed before it began.
--
-- Under REPEATABLE READ and SERIALIZABLE the gate would miss a row that came between the transaction's first statement and
-- the lock. That row would be left without its vector.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema, table

SELECT vestige_sql.require(
    current_setting('transaction_isolation') IN ('read committed', 'read uncommitted'),
    format('this transaction is %s, so the gate does not see every row of %I.%I; the table is as it was',
        upper(current_setting('transaction_isolation')), :'schema'::text, :'table'::text),
    'begin it with BEGIN ISOLATION LEVEL READ COMMITTED, or set default_transaction_isolation for this session or tool'
);
