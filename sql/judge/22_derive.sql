-- Derive questions from the rows: each is a part of a row's text, and its answer is that row.
--
-- The hash of seed and key picks the rows and the places. The part is two fifths of the words, 12 at most, one after another.
-- Of a text of one word it is two fifths of the characters. Every row whose text has this very part is an answer too. A part
-- that more than 10 rows have is no question.
--
-- Such a question has words of its answer, so both models find more than for the questions of people. It tells whether a model
-- works on these texts. It says little about which of two good models is the better one: docs/judge.md.
--
-- The step reads the table three times.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on the staging table
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the questions from vestige_sql.judge_question
-- Variables:    key, content, seed, schema, table, staging_table, id_schema, embedding_column, derive, judging

WITH picked AS MATERIALIZED (
    SELECT
        :key::text AS key,
        btrim(regexp_replace(:content, '\s+', ' ', 'g')) AS text,
        hashtextextended(:key::text COLLATE "C", :seed) AS dice
    FROM :"schema".:"table" t
    JOIN vestige_sql.:"staging_table" s ON s.id OPERATOR(:"id_schema".=) :key
    WHERE t.:"embedding_column" IS NOT NULL
      AND vestige_sql.content_hash(:content) = s.content_hash
    ORDER BY dice, key
    LIMIT 2 * :derive + 20
),
counted AS (
    SELECT p.*, string_to_array(p.text, ' ') AS words, abs(p.dice % 1000003) AS place FROM picked p
),
measured AS (
    SELECT c.*, cardinality(c.words) AS n,
        CASE
            WHEN cardinality(c.words) = 1 THEN greatest(2, char_length(c.text) * 2 / 5)
            WHEN cardinality(c.words) < 4 THEN cardinality(c.words) - 1
            ELSE greatest(2, least(12, cardinality(c.words) * 2 / 5))
        END AS size
    FROM counted c
    WHERE char_length(c.text) > 3
),
cut AS MATERIALIZED (
    SELECT m.key, m.dice,
        CASE
            WHEN m.n = 1 THEN substr(m.text, (1 + m.place % (char_length(m.text) - m.size + 1))::integer, m.size)
            ELSE array_to_string(m.words[1 + m.place % (m.n - m.size + 1) : m.place % (m.n - m.size + 1) + m.size], ' ')
        END AS question
    FROM measured m
),
-- What every row has is counted, and not collected. The questions are unnested for each row, so that its text is made flat once.
counts AS MATERIALIZED (
    SELECT p.place, count(*) AS answers
    FROM :"schema".:"table" t
    CROSS JOIN LATERAL (SELECT regexp_replace(:content, '\s+', ' ', 'g') AS text OFFSET 0) AS flat
    CROSS JOIN LATERAL unnest(CASE WHEN flat.text <> '' THEN (SELECT array_agg(c.question ORDER BY c.dice, c.key) FROM cut c) END)
        WITH ORDINALITY AS p (question, place)
    WHERE strpos(flat.text, p.question) > 0
    GROUP BY p.place
),
chosen AS MATERIALIZED (
    SELECT c.question, row_number() OVER (ORDER BY c.place)::integer AS nr
    FROM (SELECT c.question, row_number() OVER (ORDER BY c.dice, c.key) AS place FROM cut c) AS c
    JOIN counts n ON n.place = c.place
    WHERE n.answers <= 10
    ORDER BY nr
    LIMIT :derive
),
answers AS MATERIALIZED (
    SELECT p.nr::integer AS nr, :key::text AS key
    FROM :"schema".:"table" t
    CROSS JOIN LATERAL (SELECT regexp_replace(:content, '\s+', ' ', 'g') AS text OFFSET 0) AS flat
    CROSS JOIN LATERAL unnest(CASE WHEN flat.text <> '' THEN (SELECT array_agg(c.question ORDER BY c.nr) FROM chosen c) END)
        WITH ORDINALITY AS p (question, nr)
    WHERE strpos(flat.text, p.question) > 0
),
asked AS (
    INSERT INTO vestige_sql.judge_question (judging, nr, question)
    SELECT :judging, c.nr, c.question FROM chosen c
    ON CONFLICT DO NOTHING
)
INSERT INTO vestige_sql.judge_answer (judging, nr, key)
SELECT :judging, a.nr, a.key FROM answers a
ON CONFLICT DO NOTHING;
