-- Take the mean of each measure over all questions and over each slice, with the confidence interval of the difference.
--
-- The interval is the percentile one of a paired bootstrap (Efron and Tibshirani, 1993; for rankings: Sakai, 2006): as many questions
-- as there are, drawn with replacement, as often as resamples says, each with its two values. The draws are hashes of seed,
-- resample and place, so that the same questions give the same interval. The slice '' is all questions.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the rows from vestige_sql.judge_measure
-- Variables:    judging, seed, resamples, confidence

INSERT INTO vestige_sql.judge_measure (judging, slice, measure, questions, old_value, new_value, difference, low, high)
WITH grouped AS MATERIALIZED (
    SELECT
        g.slice, s.measure, count(*)::integer AS questions, avg(s.old_value) AS old_value, avg(s.new_value) AS new_value,
        array_agg(s.new_value - coalesce(s.old_value, 0) ORDER BY s.nr) AS differences,
        bool_and(s.old_value IS NOT NULL) AS is_compared
    FROM vestige_sql.judge_score s
    JOIN vestige_sql.judge_question q ON q.judging = s.judging AND q.nr = s.nr
    CROSS JOIN LATERAL (SELECT '' UNION SELECT q.slice WHERE q.slice IS NOT NULL) AS g (slice)
    WHERE s.judging = :judging
    GROUP BY g.slice, s.measure
),
drawn AS MATERIALIZED (
    SELECT n.questions, b.resample, array_agg(
        (1 + (hashint8extended(i.place, hashint8extended(b.resample, :seed)) & 9223372036854775807) % n.questions)::integer) AS places
    FROM (SELECT DISTINCT g.questions FROM grouped g) AS n
    CROSS JOIN generate_series(1::bigint, :resamples) AS b (resample)
    CROSS JOIN LATERAL generate_series(1, n.questions) AS i (place)
    GROUP BY n.questions, b.resample
),
resampled AS (
    SELECT g.slice, g.measure, m.mean
    FROM grouped g
    JOIN drawn d ON d.questions = g.questions
    CROSS JOIN LATERAL (SELECT avg(g.differences[p.place]) AS mean FROM unnest(d.places) AS p (place)) AS m
),
intervals AS (
    SELECT r.slice, r.measure,
        percentile_cont((1 - :confidence) / 2) WITHIN GROUP (ORDER BY r.mean) AS low,
        percentile_cont((1 + :confidence) / 2) WITHIN GROUP (ORDER BY r.mean) AS high
    FROM resampled r
    GROUP BY r.slice, r.measure
)
SELECT
    :judging, g.slice, g.measure, g.questions, g.old_value, g.new_value,
    CASE WHEN g.is_compared THEN g.new_value - g.old_value END, i.low, i.high
FROM grouped g
JOIN intervals i ON i.slice = g.slice AND i.measure = g.measure
ON CONFLICT DO NOTHING;
