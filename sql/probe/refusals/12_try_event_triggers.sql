-- Try whether the database's event triggers let statements through such as a run makes, and remember what they say.
--
-- It is tried only where there are event triggers, something is to be written, and the role may create here. The step writes
-- the DO block, which makes a small table with all that belongs to it, and drops it again: in the package's schema, and in the
-- target's where the role may create there too. All of it is undone. The answer is remembered for this transaction, for
-- 20_of_the_server.sql.
--
-- An event trigger's function runs with the search_path of the session, which the steps pin. One that names its tables without
-- a schema finds them no more.
--
-- Locks:        none on the target
-- Transaction:  required
-- Run again:    safe, it sets the same value
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema, only_asking, verb

SELECT format('DO %L', format($try$
DECLARE
    v_schema text;
    v_statement text;
    v_message text;
    v_context text;
BEGIN
    BEGIN
        FOREACH v_schema IN ARRAY %L::text[] LOOP
            FOREACH v_statement IN ARRAY ARRAY[
                'CREATE TABLE %%1$I.vestige_sql_try (id integer, body text)',
                'CREATE INDEX vestige_sql_try_id ON %%1$I.vestige_sql_try (id)',
                'COMMENT ON INDEX %%1$I.vestige_sql_try_id IS ''tried''',
                'CREATE FUNCTION %%1$I.vestige_sql_try() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END''',
                'REVOKE ALL ON FUNCTION %%1$I.vestige_sql_try() FROM PUBLIC',
                'CREATE TRIGGER vestige_sql_try AFTER INSERT ON %%1$I.vestige_sql_try'
                    ' FOR EACH ROW EXECUTE FUNCTION %%1$I.vestige_sql_try()',
                'ALTER TABLE %%1$I.vestige_sql_try ADD COLUMN embedding real[]',
                'GRANT SELECT (embedding) ON %%1$I.vestige_sql_try TO CURRENT_USER',
                'ALTER TABLE %%1$I.vestige_sql_try ALTER COLUMN id TYPE bigint USING id + 1',
                'ALTER TABLE %%1$I.vestige_sql_try RENAME COLUMN body TO content',
                'ALTER INDEX %%1$I.vestige_sql_try_id RENAME TO vestige_sql_try_key',
                'DROP TRIGGER vestige_sql_try ON %%1$I.vestige_sql_try',
                'DROP FUNCTION %%1$I.vestige_sql_try()',
                'DROP INDEX %%1$I.vestige_sql_try_key',
                'ALTER TABLE %%1$I.vestige_sql_try DROP COLUMN content',
                'DROP TABLE %%1$I.vestige_sql_try'
            ] LOOP
                EXECUTE format(v_statement, v_schema);
            END LOOP;
        END LOOP;
        RAISE SQLSTATE 'VS002';
    EXCEPTION
        WHEN SQLSTATE 'VS002' THEN
            v_message := '';
            v_context := '';
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS v_message = MESSAGE_TEXT, v_context = PG_EXCEPTION_CONTEXT;
    END;
    PERFORM set_config('vestige_sql.event_triggers_say', v_message, true);
    PERFORM set_config('vestige_sql.event_triggers_context', v_context, true);
END
$try$, x.schemas))
FROM (
    SELECT array_agg(n.nspname ORDER BY n.nspname) AS schemas
    FROM pg_catalog.pg_namespace n
    WHERE n.nspname IN ('vestige_sql', :'schema') AND has_schema_privilege(n.oid, 'CREATE')
) AS x
WHERE NOT :only_asking AND :'verb' IN ('stage', 'apply', 'keep', 'online', 'back')
  AND 'vestige_sql' = ANY (x.schemas)
  AND NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean
  AND EXISTS (SELECT FROM pg_catalog.pg_event_trigger e WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login') \gexec
