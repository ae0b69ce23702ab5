-- Score each question in both spaces, from its answers and what was found: nDCG@10, recall@1, recall@10, MRR, overlap@10 and RBO.
--
-- With rel(i) the grade of the row at rank i, 0 where it is no answer: DCG@10 is the sum of rel(i) / log2(i + 1) over the first 10,
-- and nDCG@10 is that divided by the DCG@10 of the answers in their best order (Jarvelin and Kekalainen, 2002, with the grade as
-- gain). recall@k is the share of the answers, those with a grade above 0, among the first k. mrr is 1 / the rank of the first
-- answer, 0 where none was found. overlap@10 is the share of the first 10 that both spaces have. rbo is the extrapolated
-- rank-biased overlap with p = 0.9, over as many ranks as both spaces have (Webber, Moffat and Zobel, 2010, equation 32).
--
-- Of two rows at the same distance the later key comes first, by its bytes. trec_eval does the same.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the rows from vestige_sql.judge_score
-- Variables:    judging

INSERT INTO vestige_sql.judge_score (judging, nr, measure, old_value, new_value)
WITH answers AS MATERIALIZED (
    SELECT a.nr, a.key, a.grade, row_number() OVER (PARTITION BY a.nr ORDER BY a.grade DESC) AS best_rank
    FROM vestige_sql.judge_answer a
    WHERE a.judging = :judging AND a.grade > 0
),
best AS (
    SELECT a.nr, count(*)::double precision AS answers,
        sum(a.grade / (ln(a.best_rank + 1.0::double precision) / ln(2.0::double precision))) FILTER (WHERE a.best_rank <= 10) AS gain
    FROM answers a
    GROUP BY a.nr
),
found AS MATERIALIZED (
    SELECT f.nr, f.space, f.key,
        row_number() OVER (PARTITION BY f.nr, f.space ORDER BY f.distance, f.key COLLATE "C" DESC) AS rank
    FROM vestige_sql.judge_found f
    WHERE f.judging = :judging
),
scored AS (
    SELECT b.nr, s.space,
        coalesce(sum(a.grade / (ln(f.rank + 1.0::double precision) / ln(2.0::double precision))) FILTER (WHERE f.rank <= 10), 0) / b.gain AS ndcg,
        count(a.key) FILTER (WHERE f.rank <= 1) / b.answers AS recall_1,
        count(a.key) FILTER (WHERE f.rank <= 10) / b.answers AS recall_10,
        coalesce(1 / min(f.rank) FILTER (WHERE a.key IS NOT NULL)::double precision, 0) AS reciprocal
    FROM best b
    CROSS JOIN (VALUES ('old'), ('new')) AS s (space)
    LEFT JOIN found f ON f.nr = b.nr AND f.space = s.space
    LEFT JOIN answers a ON a.nr = f.nr AND a.key = f.key
    GROUP BY b.nr, s.space, b.gain, b.answers
),
-- As many ranks as both spaces have.
depths AS (
    SELECT b.nr, least(count(*) FILTER (WHERE f.space = 'old'), count(*) FILTER (WHERE f.space = 'new')) AS depth
    FROM best b
    LEFT JOIN found f ON f.nr = b.nr
    GROUP BY b.nr
),
-- A row that both have is shared from the deeper of its two ranks on. There is no join here, which would take long where the
-- server does not know how many rows there are.
shared AS MATERIALIZED (
    SELECT f.nr, max(f.rank) AS rank
    FROM found f
    GROUP BY f.nr, f.key
    HAVING count(*) = 2
),
-- The sum of p^d / d up to each rank. A row that is shared from rank m on stands in the sum of equation 32 from m on.
sums AS MATERIALIZED (
    SELECT i.rank, sum(CASE WHEN i.rank > 0 THEN 0.9::double precision ^ i.rank / i.rank ELSE 0 END) OVER (ORDER BY i.rank) AS total
    FROM generate_series(0, (SELECT coalesce(max(d.depth), 0) FROM depths d)) AS i (rank)
),
agreements AS (
    SELECT
        d.nr,
        coalesce(count(s.rank) FILTER (WHERE s.rank <= 10) / nullif(least(d.depth, 10), 0)::double precision, 0) AS overlap,
        coalesce(
            count(s.rank) / nullif(d.depth, 0)::double precision * 0.9::double precision ^ d.depth
            + (1 - 0.9::double precision) / 0.9::double precision * sum(upto.total - before.total), 0) AS agreement
    FROM depths d
    LEFT JOIN shared s ON s.nr = d.nr AND s.rank <= d.depth
    LEFT JOIN sums upto ON upto.rank = d.depth
    LEFT JOIN sums before ON before.rank = s.rank - 1
    GROUP BY d.nr, d.depth
)
SELECT :judging, v.nr, v.measure, v.old_value, v.new_value
FROM (
    SELECT n.nr, m.measure, m.old_value, m.new_value
    FROM scored o
    JOIN scored n ON n.nr = o.nr AND n.space = 'new'
    CROSS JOIN LATERAL (VALUES
        ('ndcg@10', o.ndcg, n.ndcg),
        ('recall@1', o.recall_1, n.recall_1),
        ('recall@10', o.recall_10, n.recall_10),
        ('mrr', o.reciprocal, n.reciprocal)
    ) AS m (measure, old_value, new_value)
    WHERE o.space = 'old'
    UNION ALL
    SELECT p.nr, m.measure, NULL, m.new_value
    FROM agreements p
    CROSS JOIN LATERAL (VALUES ('overlap@10', p.overlap), ('rbo', p.agreement)) AS m (measure, new_value)
) AS v
ON CONFLICT DO NOTHING;
