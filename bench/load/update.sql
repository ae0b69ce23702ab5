-- Another text for a row, with its vector of the registered model.
\set id random(1, :rows)
\set number random(1, :known)
UPDATE documents d
SET body = k.body, embedding = k.embedding
FROM known k JOIN vestige_sql.model m USING (model_hash)
WHERE k.number = :number AND m.table_name = 'documents' AND d.id = :id;
