-- Insert the staged reviews that are missing from PostgreSQL, under new ids.
--
-- Reviews that are there may have the old ids by now. A review is there if one has the same memory, time, rating and states.
--
-- Locks:        ROW SHARE on the target, ROW EXCLUSIVE on review_events
-- Transaction:  required
-- Run again:    safe, there is nothing new
-- Undo:         ROLLBACK, while the transaction is open
-- Variables:    schema

WITH staged AS (
    SELECT
        min(s.place) AS place, vestige_sql.read_uuid(s.memory_id) AS memory_id,
        vestige_sql.read_timestamp(s.timestamp) AS timestamp, vestige_sql.read_integer(s.rating) AS rating,
        vestige_sql.read_json(s.prior_state) AS prior_state, vestige_sql.read_json(s.new_state) AS new_state
    FROM pg_temp.copy_review_events s
    WHERE s.problem IS NULL
    GROUP BY 2, 3, 4, 5, 6
),
inserted AS (
    INSERT INTO :"schema".review_events (memory_id, timestamp, rating, prior_state, new_state)
    SELECT s.memory_id, s.timestamp, s.rating, s.prior_state, s.new_state
    FROM staged s
    WHERE NOT EXISTS (
        SELECT
        FROM :"schema".review_events e
        WHERE e.memory_id = s.memory_id AND e.timestamp = s.timestamp AND e.rating = s.rating
          AND e.prior_state IS NOT DISTINCT FROM s.prior_state AND e.new_state IS NOT DISTINCT FROM s.new_state)
    ORDER BY s.place
    RETURNING id
)
SELECT count(*) AS new FROM inserted;
