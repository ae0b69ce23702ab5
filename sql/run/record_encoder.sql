-- Remember the vector that a model gives to a text, unless one is remembered.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, what is remembered stays
-- Undo:         DELETE FROM vestige_sql.encoder_probe WHERE ..
-- Variables:    model_name, dimension, model_hash, probe_text, probe_vector

INSERT INTO vestige_sql.encoder_probe (model_name, dimension, model_hash, probe_text, vector)
VALUES (:'model_name', :dimension, :'model_hash', :'probe_text', :'probe_vector'::real[])
ON CONFLICT DO NOTHING;
