-- Let a role write only those rows of the package's tables that are about tables of its own.
--
-- The function is a trigger's. Many roles may have the right to write into the package's tables, each for its own tables. Without
-- this, any of them could name another model for another's vectors, or leave statements that another's run would carry out. The owner of
-- the schema may write any row. A row that says who wrote it says so truly, unless the owner
-- of the schema wrote it.
--
-- Whoever may read a table may judge it, and then writes the rows of that judging alone. Where the registry is at home, a role may only
-- note anew, as this_home() does: of what is noted already, all registered models depend.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.check_writer()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_rows jsonb[] := '{}';
    v_row jsonb;
    v_name text;
    v_owner oid;
BEGIN
    IF NOT pg_has_role((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'vestige_sql'), 'USAGE') THEN
        IF TG_OP <> 'INSERT' THEN
            v_rows := v_rows || to_jsonb(OLD);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            v_rows := v_rows || to_jsonb(NEW);
        END IF;
        IF TG_TABLE_NAME = 'home' THEN
            -- this_home() fills in the row that it has just made; by itself, such a row vouches for nothing
            IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND (OLD.place IS NOT NULL OR OLD.id <> NEW.id) THEN
                RAISE EXCEPTION 'role % may not change where the registry of this database is at home', quote_ident(current_user)
                    USING ERRCODE = 'insufficient_privilege', HINT = 'run as the owner of the schema vestige_sql';
            ELSIF TG_OP = 'INSERT' THEN
                NEW.id := gen_random_uuid();
                NEW.place := NULL;
            END IF;
            RETURN NEW;
        ELSIF TG_TABLE_NAME = 'encoder_probe' THEN
            IF TG_OP <> 'INSERT' THEN
                RAISE EXCEPTION 'role % may not change what a model answered', quote_ident(current_user)
                    USING ERRCODE = 'insufficient_privilege', HINT = 'run as the owner of the schema vestige_sql';
            END IF;
            NEW.remembered_by := session_user;
            RETURN NEW;
        END IF;
        FOREACH v_row IN ARRAY v_rows LOOP
            IF TG_TABLE_NAME = 'step' THEN
                SELECT to_jsonb(r) INTO v_row FROM vestige_sql.run r WHERE r.id = (v_row ->> 'run_id')::bigint;
            ELSIF TG_TABLE_NAME = 'bridge_row' THEN
                SELECT to_jsonb(b) INTO v_row FROM vestige_sql.bridge b WHERE b.id = (v_row ->> 'bridge')::bigint;
            ELSIF TG_TABLE_NAME LIKE 'judge\_%' THEN
                SELECT to_jsonb(j) INTO v_row FROM vestige_sql.judging j WHERE j.id = (v_row ->> 'judging')::bigint;
            END IF;
            -- a new judging becomes the role's own below
            CONTINUE WHEN TG_TABLE_NAME = 'judging' AND TG_OP = 'INSERT'
                OR TG_TABLE_NAME LIKE 'judg%' AND v_row ->> 'started_by' = session_user;
            v_name := format('%I.%I', v_row ->> 'table_schema', v_row ->> 'table_name');
            -- a table that was renamed since its run began is found by its number
            SELECT c.relowner INTO v_owner
            FROM pg_class c
            WHERE c.oid = coalesce((
                SELECT t.oid FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
                WHERE n.nspname = v_row ->> 'table_schema' AND t.relname = v_row ->> 'table_name'),
                (v_row ->> 'table_oid')::oid, (v_row #>> '{variables,oid}')::oid);
            CONTINUE WHEN FOUND AND pg_has_role(v_owner, 'USAGE');
            -- Who began a run may keep what it did and why it stopped, even where the table has another owner by now.
            IF v_row ->> 'started_by' IS DISTINCT FROM session_user OR NOT (
                TG_TABLE_NAME = 'step' AND TG_OP = 'INSERT'
                OR TG_TABLE_NAME = 'run' AND TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'last_error' = to_jsonb(OLD) - 'last_error')
            THEN
                RAISE EXCEPTION 'role % may not write into vestige_sql.% about %, which is no table of its own',
                    quote_ident(current_user), TG_TABLE_NAME, v_name
                    USING ERRCODE = 'insufficient_privilege', HINT = 'run as the owner of the table, or as a member of that role';
            END IF;
        END LOOP;
        -- Whose the row is from here on. The owner of the schema may restore what others wrote.
        IF TG_TABLE_NAME = 'saved_index' AND TG_OP <> 'DELETE' THEN
            NEW.saved_by := current_user;
        ELSIF TG_TABLE_NAME = 'judging' AND TG_OP = 'INSERT' THEN
            NEW.started_by := session_user;
        ELSIF TG_TABLE_NAME = 'run' AND TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR to_jsonb(NEW) -> 'variables' <> to_jsonb(OLD) -> 'variables') THEN
            NEW.started_by := session_user;
        ELSIF TG_TABLE_NAME = 'bridge' AND TG_OP = 'INSERT' THEN
            NEW.made_by := session_user;
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF TG_TABLE_NAME = 'saved_index' THEN
        -- An index lies in the schema of its table. A generated column cannot be in the key: nobody could update it where it is published.
        NEW.index_schema := coalesce(NEW.partition_schema, NEW.table_schema);
    END IF;
    RETURN NEW;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.check_writer FROM PUBLIC;
