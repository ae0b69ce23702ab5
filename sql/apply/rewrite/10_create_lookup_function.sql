-- Create the function with which the rewrite looks up a row's staged vector.
--
-- USING takes no subquery, but it takes a function.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    refused, the function is there
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    lookup_function, id_sql_type, vector_type, staging_table, id_schema

CREATE FUNCTION vestige_sql.:"lookup_function"(p_id :id_sql_type)
RETURNS :vector_type
LANGUAGE sql
STABLE STRICT
BEGIN ATOMIC
    SELECT s.embedding FROM vestige_sql.:"staging_table" s WHERE s.id OPERATOR(:"id_schema".=) p_id;
END;
