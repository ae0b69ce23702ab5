-- Forget what models that run elsewhere said to a few texts.
--
-- Locks:        ACCESS EXCLUSIVE on the package's own table
-- Transaction:  required
-- Run again:    safe
-- Undo:         reembed_0008_encoder.sql; the vectors are remembered again when a model is next used

-- squawk-ignore-file ban-drop-table -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the lock, it is done
SET LOCAL lock_timeout = '10s';

DROP TABLE IF EXISTS vestige_sql.encoder_probe;
