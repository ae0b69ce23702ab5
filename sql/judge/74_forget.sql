-- Delete the questions of a column's judgings, with their answers and what was found. The measures and verdicts stay.
--
-- keep_judging is the number of one that keeps its questions, 0 for none. Questions of another role stay, unless this role could act as
-- the owner of the table, or owns the package's tables.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, the second time there is nothing left to delete
-- Undo:         nothing to undo
-- Variables:    schema, table, embedding_column, keep_judging

DELETE FROM vestige_sql.judge_question q
USING vestige_sql.judging j
WHERE j.id = q.judging AND j.table_schema = :'schema' AND j.table_name = :'table' AND j.column_name = :'embedding_column'
  AND j.id <> :keep_judging
  AND (
      j.started_by = session_user
      OR pg_has_role((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'vestige_sql'), 'USAGE')
      OR EXISTS (SELECT FROM pg_class c WHERE c.oid = j.table_oid AND pg_has_role(c.relowner, 'USAGE')));
