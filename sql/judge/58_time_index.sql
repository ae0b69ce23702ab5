-- Measure an index by its search setting: how much it finds of what an exact search finds, and how long a search takes.
--
-- setting_values has the settings as a list, such as 10,40,160, of hnsw.ef_search or ivfflat.probes. At most 100 questions are asked.
-- Each takes one scan of the table besides. The times are those of this server now, inside it, without the network.
--
-- Locks:        ACCESS SHARE on the target
-- Transaction:  either
-- Run again:    safe, what is there stays
-- Undo:         DELETE the rows from vestige_sql.judge_speed
-- Variables:    judging, space, index_oid, id_columns, setting_values

INSERT INTO vestige_sql.judge_speed (judging, space, index_name, setting, value, questions, recall, p50_ms, p95_ms)
SELECT :judging, :'space', s.index_name, s.setting, s.value, s.questions, s.recall, s.p50_ms, s.p95_ms
FROM vestige_sql.index_speed(:index_oid::oid::regclass, :'id_columns'::text[], :judging, :'space', ARRAY[:setting_values]) AS s
ON CONFLICT DO NOTHING;
