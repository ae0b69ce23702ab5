-- The ten nearest rows. The question's vector is that of the registered model, looked up in the same statement, so that it
-- is of the right model at every instant, the switch included.
\set number random(1, :known)
SELECT d.id
FROM documents d
ORDER BY d.embedding <=> (
    SELECT k.embedding
    FROM known k JOIN vestige_sql.model m USING (model_hash)
    WHERE k.number = :number AND m.table_name = 'documents')
LIMIT 10;
