-- What judge asks and finds: questions with known answers, what each space finds for them, the measures, the verdict.
--
-- Locks:        none on any table of yours
-- Transaction:  required
-- Run again:    safe, creates only what is missing
-- Undo:         reembed_0013_judge.rollback.sql, which forgets all questions and verdicts
--
-- depends: reembed_0004_version
--
-- Questions may be parts of a table's texts, and answers are its keys. So each row here is seen and written only by who may read
-- the whole table that it is about: SELECT on it, and no row level security that hides a row. The owner of these tables
-- sees them all. The table is known by its number. Another table that takes its name later shows nothing.

-- squawk-ignore-file require-lock-timeout, require-statement-timeout -- it makes what is new, and waits for nobody
-- squawk-ignore-file prefer-bigint-over-int -- questions, ranks and milliseconds are few

-- One row a judging. It stays, with the verdict. Questions, answers and findings go with the next judging of the column.
CREATE TABLE IF NOT EXISTS vestige_sql.judging (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_oid       oid NOT NULL,
    table_schema    text NOT NULL,
    table_name      text NOT NULL,
    column_name     text NOT NULL,
    run_id          bigint NOT NULL,
    from_name       text,
    from_dimension  integer,
    from_hash       text,
    to_name         text NOT NULL,
    to_dimension    integer NOT NULL,
    to_hash         text NOT NULL,
    -- staged: the staging table, by exact search; online: the second column, through its index
    place           text NOT NULL CHECK (place IN ('staged', 'online')),
    -- given by a person, derived from a part of a row's text, or paired: a row asks, and the row of the most similar text answers
    questions       text NOT NULL CHECK (questions IN ('given', 'derived', 'paired')),
    -- whether the question itself was encoded, or a row stands in for it
    asked_by        text NOT NULL CHECK (asked_by IN ('model', 'row')),
    -- vestige_sql.staged_fingerprint() of the staging table
    fingerprint     text NOT NULL,
    settings        jsonb NOT NULL DEFAULT '{}',
    rules           jsonb,
    reasons         jsonb,
    verdict         text CHECK (verdict IN ('GO', 'NO-GO', 'INCONCLUSIVE')),
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at     timestamptz,
    started_by      text NOT NULL DEFAULT session_user,
    package_version text NOT NULL
);

CREATE INDEX IF NOT EXISTS judging_column_idx ON vestige_sql.judging (table_schema, table_name, column_name);

COMMENT ON TABLE vestige_sql.judging IS 'One row a judging of staged vectors: models, rules, verdict and reasons';

-- The vectors are float4 arrays, so that they are the model's own to the last bit, in a database whose pgvector is in any schema.
CREATE TABLE IF NOT EXISTS vestige_sql.judge_question (
    judging    bigint NOT NULL REFERENCES vestige_sql.judging ON DELETE CASCADE,
    nr         integer NOT NULL,
    question   text NOT NULL,
    slice      text,
    -- the key of the row that stands in for the question
    stand_in   text,
    old_vector real[],
    new_vector real[],
    PRIMARY KEY (judging, nr)
);

COMMENT ON TABLE vestige_sql.judge_question IS 'The questions of the last judging of a column, with their vectors in both spaces';

-- A grade of 0 says that the row was looked at and is no answer.
CREATE TABLE IF NOT EXISTS vestige_sql.judge_answer (
    judging bigint NOT NULL,
    nr      integer NOT NULL,
    key     text NOT NULL,
    grade   double precision NOT NULL DEFAULT 1 CHECK (grade >= 0 AND grade < 'Infinity'),
    PRIMARY KEY (judging, nr, key),
    FOREIGN KEY (judging, nr) REFERENCES vestige_sql.judge_question ON DELETE CASCADE
);

COMMENT ON TABLE vestige_sql.judge_answer IS 'The rows that answer a question, by their keys as text, with grades';

CREATE TABLE IF NOT EXISTS vestige_sql.judge_found (
    judging  bigint NOT NULL,
    nr       integer NOT NULL,
    space    text NOT NULL CHECK (space IN ('old', 'new')),
    key      text NOT NULL,
    distance double precision NOT NULL,
    PRIMARY KEY (judging, nr, space, key),
    FOREIGN KEY (judging, nr) REFERENCES vestige_sql.judge_question ON DELETE CASCADE
);

COMMENT ON TABLE vestige_sql.judge_found IS 'The nearest rows of each question, by their keys as text, in the old space and in the new one';

-- overlap@10 and rbo compare the two spaces: they have no old value.
CREATE TABLE IF NOT EXISTS vestige_sql.judge_score (
    judging   bigint NOT NULL,
    nr        integer NOT NULL,
    measure   text NOT NULL,
    old_value double precision,
    new_value double precision NOT NULL,
    PRIMARY KEY (judging, nr, measure),
    FOREIGN KEY (judging, nr) REFERENCES vestige_sql.judge_question ON DELETE CASCADE
);

COMMENT ON TABLE vestige_sql.judge_score IS 'The measures of each question in both spaces';

-- The slice '' is all questions. low and high bound the difference, or the value itself where there is no old one.
CREATE TABLE IF NOT EXISTS vestige_sql.judge_measure (
    judging    bigint NOT NULL REFERENCES vestige_sql.judging ON DELETE CASCADE,
    slice      text NOT NULL,
    measure    text NOT NULL,
    questions  integer NOT NULL,
    old_value  double precision,
    new_value  double precision NOT NULL,
    difference double precision,
    low        double precision NOT NULL,
    high       double precision NOT NULL,
    PRIMARY KEY (judging, slice, measure)
);

COMMENT ON TABLE vestige_sql.judge_measure IS 'The mean of each measure by slice, and the confidence interval of the difference';

CREATE TABLE IF NOT EXISTS vestige_sql.judge_speed (
    judging    bigint NOT NULL REFERENCES vestige_sql.judging ON DELETE CASCADE,
    space      text NOT NULL CHECK (space IN ('old', 'new')),
    index_name text NOT NULL,
    setting    text NOT NULL,
    value      integer NOT NULL,
    questions  integer NOT NULL,
    recall     double precision NOT NULL,
    p50_ms     double precision NOT NULL,
    p95_ms     double precision NOT NULL,
    PRIMARY KEY (judging, space, index_name, setting, value)
);

COMMENT ON TABLE vestige_sql.judge_speed IS 'How much an index finds of what an exact search finds, and how fast, by its search setting';

-- A role without SELECT on the table sees no row; nor does one from which row level security hides any of the table's.
DO $do$
DECLARE
    v_table text;
BEGIN
    EXECUTE 'ALTER TABLE vestige_sql.judging ENABLE ROW LEVEL SECURITY';
    EXECUTE 'DROP POLICY IF EXISTS who_reads_the_table ON vestige_sql.judging';
    EXECUTE 'CREATE POLICY who_reads_the_table ON vestige_sql.judging'
        ' USING (pg_catalog.has_table_privilege(table_oid, ''SELECT'') AND NOT pg_catalog.row_security_active(table_oid))';
    FOREACH v_table IN ARRAY ARRAY[
        'judge_question', 'judge_answer', 'judge_found', 'judge_score', 'judge_measure', 'judge_speed']
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE vestige_sql.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE pg_catalog.format('DROP POLICY IF EXISTS who_reads_the_table ON vestige_sql.%I', v_table);
        -- the policy of judging applies in here
        EXECUTE pg_catalog.format(
            'CREATE POLICY who_reads_the_table ON vestige_sql.%I'
            ' USING (EXISTS (SELECT FROM vestige_sql.judging j WHERE j.id OPERATOR(pg_catalog.=) judging))', v_table);
    END LOOP;
END
$do$;
