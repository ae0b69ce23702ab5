-- Limit the questions of the transaction: how long each may run, and how long it may wait for a lock.
--
-- A question that is stopped is no harm. It has read some pages, and nobody waits for it.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same values
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    question_timeout

SELECT
    set_config('statement_timeout', :'question_timeout', true) AS statement_timeout,
    set_config('lock_timeout', '1s', true) AS lock_timeout,
    -- compiling takes longer than most of the questions
    set_config('jit', 'off', true) AS jit;
