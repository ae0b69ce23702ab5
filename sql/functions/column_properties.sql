-- Return the statements that move a column's properties to another column.
--
-- The properties are default, NOT NULL, CHECK constraints about the column alone, storage, statistics target, options, comment and labels. The first column is left
-- without them. A kept column with a default would get vectors that are not of its rows' texts, and one with NOT NULL would
-- refuse rows. A partition has properties of its own: those of the partitioned table go to no partition, but for NOT NULL. Both
-- columns get the grants, since a role with no more than these needs them on both for SELECT *.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.column_properties(p_table regclass, p_from name, p_to name)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_from pg_attribute;
    v_to pg_attribute;
    v_alter_from text;
    v_alter_to text;
    v_name text;
    v_more text;
    v_said text;
    v_other text;
    v_is_held boolean;
    v_only text := (SELECT CASE c.relkind WHEN 'p' THEN 'ONLY ' ELSE '' END FROM pg_class c WHERE c.oid = p_table);
    v_is_inherited boolean := EXISTS (
        SELECT FROM pg_inherits i
        JOIN pg_attribute a ON a.attrelid = i.inhparent AND a.attname = p_from AND a.attnotnull
        WHERE i.inhrelid = p_table);
BEGIN
    SELECT * INTO STRICT v_from FROM pg_attribute
    WHERE attrelid = p_table AND attname = p_from AND NOT attisdropped;
    -- not there yet where the statements are only to be shown; it is added with the same storage
    SELECT * INTO v_to FROM pg_attribute
    WHERE attrelid = p_table AND attname = p_to AND NOT attisdropped;
    v_alter_from := format('ALTER TABLE %s%s ALTER COLUMN %I ', v_only, p_table, p_from);
    v_alter_to := format('ALTER TABLE %s%s ALTER COLUMN %I ', v_only, p_table, p_to);

    -- Whoever has the placeholder for a default is a second column that is NOT NULL from its beginning.
    v_is_held := EXISTS (
        SELECT FROM pg_attrdef
        WHERE adrelid = p_table AND adnum = v_to.attnum
          AND starts_with(pg_get_expr(adbin, adrelid), quote_literal(vestige_sql.placeholder(v_to.atttypmod)) || '::'));
    IF v_is_held THEN
        RETURN NEXT v_alter_to || 'DROP DEFAULT';
    END IF;
    RETURN QUERY
        SELECT unnest(ARRAY[v_alter_to || 'SET DEFAULT ' || d.definition, v_alter_from || 'DROP DEFAULT'])
        FROM vestige_sql.column_default(p_table, p_from, nullif(v_to.atttypmod, -1)) AS d;

    -- From PostgreSQL 18 on NOT NULL is a constraint with a name, which the other column takes over. Before it none is found.
    SELECT c.conname, substring(pg_get_constraintdef(c.oid) FROM '(?: NO INHERIT)?(?: NOT VALID)?$'), obj_description(c.oid, 'pg_constraint')
    INTO v_name, v_more, v_said
    FROM pg_constraint c
    WHERE c.conrelid = p_table AND c.contype = 'n' AND c.conkey = ARRAY[v_from.attnum];
    SELECT conname INTO v_other FROM pg_constraint
    WHERE conrelid = p_table AND contype = 'n' AND conkey = ARRAY[v_to.attnum];
    IF v_from.attnotnull AND NOT v_is_inherited THEN
        IF v_name IS NULL THEN
            -- No row is looked at where the column is NOT NULL already.
            IF v_to.attnotnull IS NOT TRUE THEN
                RETURN NEXT format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', p_table, p_to);
            END IF;
            RETURN NEXT format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', p_table, p_from);
        ELSE
            RETURN NEXT format('ALTER TABLE %s DROP CONSTRAINT %I', p_table, v_name);
            IF v_other IS NULL THEN
                RETURN NEXT format('ALTER TABLE %s ADD CONSTRAINT %I NOT NULL %I%s', p_table, v_name, p_to, v_more);
            ELSE
                RETURN NEXT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', p_table, v_other, v_name);
            END IF;
            IF v_said IS NOT NULL THEN
                RETURN NEXT format('COMMENT ON CONSTRAINT %I ON %s IS %L', v_name, p_table, v_said);
            END IF;
        END IF;
    ELSIF v_is_held AND NOT v_from.attnotnull THEN
        RETURN NEXT v_alter_to || 'DROP NOT NULL';
    END IF;

    -- What CHECK constraints say of this column alone. They are made anew where no run has made them beforehand.
    RETURN QUERY
        SELECT s.statement
        FROM vestige_sql.column_checks(p_table, p_from, p_to, nullif(v_to.atttypmod, -1)) AS k
        LEFT JOIN pg_constraint m ON m.conrelid = p_table AND m.conname = k.made_as
        CROSS JOIN LATERAL (VALUES
            (1, true, format('ALTER TABLE %s DROP CONSTRAINT %I', p_table, k.check_name)),
            (2, NOT k.is_made, format('ALTER TABLE %s ADD CONSTRAINT %I %s%s', p_table, k.check_name, k.definition,
                CASE WHEN k.is_valid THEN '' ELSE ' NOT VALID' END)),
            (2, k.is_made, format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', p_table, k.made_as, k.check_name)),
            (3, k.is_made AND k.is_valid AND NOT m.convalidated, format('ALTER TABLE %s VALIDATE CONSTRAINT %I', p_table, k.check_name)),
            (4, k.said IS NOT NULL, format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.check_name, p_table, k.said))
        ) AS s (step, is_due, statement)
        WHERE s.is_due
        ORDER BY k.check_name, s.step;
    -- One that a run has made for the second column, and that the first has no more.
    RETURN QUERY
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', p_table, m.conname)
        FROM pg_constraint m
        WHERE m.conrelid = p_table AND m.contype = 'c' AND m.conkey = ARRAY[v_to.attnum] AND m.conname ~ '(^|_)reembed_[0-9a-f]{16}$'
          AND NOT EXISTS (
              SELECT FROM vestige_sql.column_checks(p_table, p_from, p_to, nullif(v_to.atttypmod, -1)) AS k WHERE k.made_as = m.conname)
        ORDER BY m.conname;

    IF v_from.attstorage <> v_to.attstorage THEN
        RETURN NEXT v_alter_to || 'SET STORAGE '
            || CASE v_from.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END;
    END IF;
    IF v_from.attcompression <> v_to.attcompression THEN
        RETURN NEXT v_alter_to || 'SET COMPRESSION '
            || CASE v_from.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE 'default' END;
    END IF;
    IF v_from.attstattarget >= 0 THEN
        RETURN NEXT v_alter_to || 'SET STATISTICS ' || v_from.attstattarget;
        RETURN NEXT v_alter_from || 'SET STATISTICS -1';
    END IF;
    IF v_from.attoptions IS NOT NULL THEN
        RETURN NEXT v_alter_to || 'SET (' || array_to_string(v_from.attoptions, ', ') || ')';
        RETURN NEXT v_alter_from || 'RESET ('
            || (SELECT string_agg(split_part(name, '=', 1), ', ') FROM unnest(v_from.attoptions) AS name) || ')';
    END IF;
    IF col_description(p_table, v_from.attnum) IS NOT NULL THEN
        RETURN NEXT format('COMMENT ON COLUMN %s.%I IS %L', p_table, p_to, col_description(p_table, v_from.attnum));
        RETURN NEXT format('COMMENT ON COLUMN %s.%I IS NULL', p_table, p_from);
    END IF;

    RETURN QUERY SELECT vestige_sql.column_grants(p_table, p_from, p_to);

    -- A label of a security module, such as those of pgaudit or anonymizer extensions.
    RETURN QUERY
        SELECT format('SECURITY LABEL FOR %I ON COLUMN %s.%I IS %s', s.provider, p_table, x.name, x.label)
        FROM pg_seclabel s
        CROSS JOIN LATERAL (VALUES (1, p_to, quote_literal(s.label)), (2, p_from, 'NULL')) AS x (place, name, label)
        WHERE s.classoid = 'pg_class'::regclass AND s.objoid = p_table AND s.objsubid = v_from.attnum
        ORDER BY s.provider, x.place;
END
$function$;

REVOKE ALL ON FUNCTION vestige_sql.column_properties FROM PUBLIC;
