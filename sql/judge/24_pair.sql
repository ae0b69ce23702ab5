-- Let rows ask: each question is a row, and its answers are the rows whose texts have most of its rare words.
--
-- No model is asked, so it does where the old model is not at hand. Each space is asked with the vector that it has of the row. The
-- hash of seed and key picks 5,000 rows, among them those that ask. Two texts are compared by the cosine of their words, each
-- weighed by its rarity (tf-idf, Salton and Buckley, 1988). At most three rows answer, each with a cosine of 0.1 or more. A row
-- of the same text is no answer.
--
-- It tells whether rows of similar words are neighbours. A wrong prompt for questions is not seen: docs/judge.md.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the questions from vestige_sql.judge_question
-- Variables:    key, content, seed, schema, table, staging_table, id_schema, embedding_column, derive, judging

WITH pool AS MATERIALIZED (
    SELECT
        :key::text AS key,
        left(:content, 10000) AS text,
        hashtextextended(:key::text COLLATE "C", :seed) AS dice
    FROM :"schema".:"table" t
    JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) :key
    WHERE t.:"embedding_column" IS NOT NULL
      AND vestige_sql.content_hash(:content) = s.content_hash
    ORDER BY dice, key
    LIMIT 5000
),
words AS MATERIALIZED (
    SELECT p.key, w.word
    FROM pool p
    CROSS JOIN LATERAL unnest(tsvector_to_array(to_tsvector('pg_catalog.simple', p.text))) AS w (word)
),
weights AS MATERIALIZED (
    SELECT w.word, count(*) AS rows, ln((1 + (SELECT count(*) FROM pool)) / count(*)::double precision) ^ 2 AS weight
    FROM words w
    GROUP BY w.word
),
weighed AS MATERIALIZED (
    SELECT w.key, w.word, v.weight, v.rows FROM words w JOIN weights v ON v.word = w.word
),
lengths AS MATERIALIZED (
    SELECT w.key, sqrt(sum(w.weight)) AS length FROM weighed w GROUP BY w.key
),
texts AS MATERIALIZED (
    SELECT l.key, l.length, sha256(convert_to(p.text, 'UTF8')) AS hash FROM lengths l JOIN pool p ON p.key = l.key
),
asking AS MATERIALIZED (
    SELECT p.* FROM pool p ORDER BY p.dice, p.key LIMIT 2 * :derive + 20
),
-- A word that every tenth of many rows has tells nothing of two of them.
shared AS (
    SELECT a.key AS of_key, o.key, sum(o.weight) AS weight
    FROM asking a
    JOIN weighed m ON m.key = a.key AND m.rows <= greatest(100, (SELECT count(*) FROM pool) / 10)
    JOIN weighed o ON o.word = m.word AND o.key <> a.key
    GROUP BY a.key, o.key
),
ranked AS (
    SELECT s.of_key, s.key,
        row_number() OVER (PARTITION BY s.of_key ORDER BY s.weight / (a.length * o.length) DESC, s.key COLLATE "C") AS place
    FROM shared s
    JOIN texts a ON a.key = s.of_key
    JOIN texts o ON o.key = s.key
    WHERE s.weight / (a.length * o.length) >= 0.1 AND a.hash <> o.hash
),
answers AS MATERIALIZED (
    SELECT r.of_key, r.key FROM ranked r WHERE r.place <= 3
),
chosen AS MATERIALIZED (
    SELECT a.key, left(a.text, 200) AS question, row_number() OVER (ORDER BY a.dice, a.key)::integer AS nr
    FROM asking a
    WHERE EXISTS (SELECT FROM answers x WHERE x.of_key = a.key)
    ORDER BY nr
    LIMIT :derive
),
asked AS (
    INSERT INTO vestige_sql.judge_question (judging, nr, question, stand_in)
    SELECT :judging, c.nr, c.question, c.key FROM chosen c
    ON CONFLICT DO NOTHING
)
INSERT INTO vestige_sql.judge_answer (judging, nr, key)
SELECT :judging, c.nr, a.key FROM chosen c JOIN answers a ON a.of_key = c.key
ON CONFLICT DO NOTHING;
