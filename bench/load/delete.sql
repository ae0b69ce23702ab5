-- A row goes.
\set id random(1, :rows)
DELETE FROM documents WHERE id = :id;
