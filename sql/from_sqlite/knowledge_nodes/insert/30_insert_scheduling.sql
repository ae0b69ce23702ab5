-- Insert the scheduling of the staged memories where it is missing.
--
-- retrievability comes from retrieval_strength, and last_review is when the memory was last accessed.
--
-- Locks:        ROW SHARE on the target, ROW EXCLUSIVE on scheduling
-- Transaction:  required
-- Run again:    safe, there is nothing new
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema

INSERT INTO :"schema".scheduling (
    memory_id, stability, difficulty, retrievability, last_review, next_review, reps, lapses
)
SELECT
    vestige_sql.read_uuid(s.id),
    vestige_sql.read_number(s.stability),
    vestige_sql.read_number(s.difficulty),
    vestige_sql.read_number(s.retrieval_strength),
    vestige_sql.read_timestamp(s.last_accessed),
    vestige_sql.read_timestamp(s.next_review),
    coalesce(vestige_sql.read_integer(s.reps), 0),
    coalesce(vestige_sql.read_integer(s.lapses), 0)
FROM pg_temp.copy_knowledge_nodes s
WHERE s.problem IS NULL
ORDER BY s.place
ON CONFLICT (memory_id) DO NOTHING;
