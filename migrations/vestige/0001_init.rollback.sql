-- Drop Vestige's memory schema, with every memory in it.
--
-- Locks:        ACCESS EXCLUSIVE on Vestige's tables
-- Transaction:  required
-- Run again:    safe
-- Undo:         none: restore from a backup
--
-- Only `yoyo rollback` runs this, at a person's word. The extensions stay, since other tables may use them. Without
-- CASCADE on purpose: a view or foreign key of yours on these tables stops it, with its name, and nothing is dropped.

-- squawk-ignore-file ban-drop-table, ban-drop-function -- that is what it is for, at a person's word
-- squawk-ignore-file require-statement-timeout -- once it has the locks, it is done
SET LOCAL lock_timeout = '10s';

DROP TABLE IF EXISTS review_events, edges, scheduling, knowledge_nodes, domains, embedding_model, group_memberships,
                     groups, users;

DROP FUNCTION IF EXISTS vestige_set_updated_at();

DROP FUNCTION IF EXISTS vestige_tags_text(text[]);
