-- Give the verdict by the rules, and keep it with its reasons: GO, NO-GO or INCONCLUSIVE.
--
-- A rule has kind, measure, slice and value. The slice '' is all questions, and * is each slice. With the interval of the difference:
-- max_drop holds where no drop of more than value is in it, and fails where every value in it is such a drop. min_gain holds
-- where each value in it is such a gain, and fails where none is. max_p95_ms holds where a setting of the new index has a p95
-- of at most value, and fails where none has. One that neither holds nor fails is open. So is one of fewer than min_questions
-- questions, and one whose measure is not there.
--
-- One rule that fails makes NO-GO, else one that is open makes INCONCLUSIVE. Where all hold it is GO.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it gives the same verdict
-- Undo:         UPDATE vestige_sql.judging, so that the verdict is NULL
-- Variables:    rules, min_questions, judging

WITH rules AS MATERIALIZED (
    SELECT r.nr, r.rule ->> 'kind' AS kind, r.rule ->> 'measure' AS measure, r.rule ->> 'slice' AS slice,
        (r.rule ->> 'value')::double precision AS value
    FROM jsonb_array_elements(:'rules'::jsonb) WITH ORDINALITY AS r (rule, nr)
),
compared AS (
    SELECT r.nr, r.kind, r.measure, coalesce(m.slice, r.slice) AS slice, r.value, m.questions, m.old_value, m.new_value,
        m.low, m.high,
        CASE
            WHEN m.questions IS NULL OR m.questions < :min_questions THEN 'open'
            WHEN r.kind = 'max_drop' AND m.low >= -r.value OR r.kind = 'min_gain' AND m.low >= r.value THEN 'holds'
            WHEN r.kind = 'max_drop' AND m.high < -r.value OR r.kind = 'min_gain' AND m.high < r.value THEN 'fails'
            ELSE 'open'
        END AS outcome
    FROM rules r
    LEFT JOIN vestige_sql.judge_measure m
        ON m.judging = :judging AND m.measure = r.measure
        AND CASE r.slice WHEN '*' THEN m.slice <> '' ELSE m.slice = r.slice END
    WHERE r.kind IN ('max_drop', 'min_gain')
),
timed AS (
    SELECT r.nr, r.kind, r.value, s.setting, s.p95_ms, s.recall,
        CASE WHEN s.setting IS NULL THEN 'open' WHEN s.p95_ms <= r.value THEN 'holds' ELSE 'fails' END AS outcome
    FROM rules r
    -- of the settings that are fast enough the one that finds most, else the fastest
    LEFT JOIN LATERAL (
        SELECT format('%s = %s of %s', s.setting, s.value, s.index_name) AS setting, s.p95_ms, s.recall
        FROM vestige_sql.judge_speed s
        WHERE s.judging = :judging AND s.space = 'new'
        ORDER BY s.p95_ms <= r.value DESC, CASE WHEN s.p95_ms <= r.value THEN -s.recall ELSE s.p95_ms END, s.p95_ms
        LIMIT 1
    ) AS s ON true
    WHERE r.kind = 'max_p95_ms'
),
reasons AS (
    SELECT c.nr, c.slice, c.kind, c.outcome, format('%s of %s: %s', c.measure,
        CASE c.slice WHEN '' THEN 'all questions' WHEN '*' THEN 'each slice' ELSE format('the slice %s', c.slice) END,
        CASE
            WHEN c.questions IS NULL THEN 'there is no such slice or measure'
            ELSE format('%s to %s over %s questions, the difference is between %s and %s%s', round(c.old_value::numeric, 3),
                round(c.new_value::numeric, 3), c.questions, round(c.low::numeric, 3), round(c.high::numeric, 3),
                CASE WHEN c.questions < :min_questions THEN format(', and a verdict takes %s questions', :min_questions) ELSE '' END)
        END) || format(' (%s %s)', CASE c.kind WHEN 'max_drop' THEN 'at most it may drop by' ELSE 'at least it must gain' END, c.value)
        AS reason
    FROM compared c
    UNION ALL
    SELECT t.nr, '', t.kind, t.outcome, CASE
        WHEN t.setting IS NULL THEN format('the p95 of a search was not measured, and at most %s ms are allowed', t.value)
        ELSE format('the p95 of a search is %s ms with %s, which finds %s of what an exact search finds (at most %s ms are allowed)',
            round(t.p95_ms::numeric, 2), t.setting, round(t.recall::numeric, 3), t.value) END
    FROM timed t
)
UPDATE vestige_sql.judging j
SET rules = :'rules'::jsonb,
    reasons = v.reasons,
    verdict = v.verdict,
    finished_at = now()
FROM (
    SELECT
        CASE
            WHEN bool_or(r.outcome = 'fails') THEN 'NO-GO'
            WHEN bool_and(r.outcome = 'holds') THEN 'GO'
            ELSE 'INCONCLUSIVE'
        END AS verdict,
        coalesce(jsonb_agg(jsonb_build_object('kind', r.kind, 'outcome', r.outcome, 'reason', r.reason) ORDER BY r.nr, r.slice), '[]') AS reasons
    FROM reasons r
) AS v
WHERE j.id = :judging
RETURNING j.verdict, j.reasons;
