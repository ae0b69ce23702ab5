-- A new row, with its vector of the registered model.
\set number random(1, :known)
INSERT INTO documents (body, embedding)
SELECT k.body, k.embedding
FROM known k JOIN vestige_sql.model m USING (model_hash)
WHERE k.number = :number AND m.table_name = 'documents';
