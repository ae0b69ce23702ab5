-- One row by its key.
\set id random(1, :rows)
SELECT id, body, updated_at FROM documents WHERE id = :id;
