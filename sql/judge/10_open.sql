-- Begin a judging: one row in vestige_sql.judging, with the models of both spaces and the fingerprint of what is staged.
--
-- place is staged or online. questions is given, derived or paired. asked_by is model, or row where rows stand in.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, it goes on with a judging of its own
-- Undo:         DELETE the row from vestige_sql.judging
-- Variables:    oid, schema, table, embedding_column, run_id, from_name, from_dimension, from_hash, model_name, dimension, model_hash, place, questions, asked_by, staging_table, settings, package_version

INSERT INTO vestige_sql.judging (
    table_oid, table_schema, table_name, column_name, run_id, from_name, from_dimension, from_hash, to_name, to_dimension, to_hash,
    place, questions, asked_by, fingerprint, settings, package_version
)
SELECT
    :oid::oid, :'schema', :'table', :'embedding_column', :run_id, :from_name, :from_dimension, :from_hash,
    :'model_name', :dimension, :'model_hash', :'place', :'questions', :'asked_by',
    vestige_sql.staged_fingerprint(pg_catalog.format('vestige_sql.%I', :'staging_table'::text)::regclass),
    :'settings', :'package_version'
RETURNING id, fingerprint;
