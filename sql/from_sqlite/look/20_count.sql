-- Count the rows in the tables that a copy goes to, and the memories that have a vector.
--
-- The step reads all of these rows.
--
-- Locks:        ACCESS SHARE on the target, ACCESS SHARE on users, ACCESS SHARE on groups, ACCESS SHARE on group_memberships, ACCESS SHARE on domains, ACCESS SHARE on edges, ACCESS SHARE on review_events
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    schema

SELECT
    (SELECT count(*) FROM :"schema".users) AS users,
    (SELECT count(*) FROM :"schema".groups) AS groups,
    (SELECT count(*) FROM :"schema".group_memberships) AS group_memberships,
    (SELECT count(*) FROM :"schema".domains) AS domains,
    k.memories AS knowledge_nodes,
    k.vectors AS node_embeddings,
    (SELECT count(*) FROM :"schema".edges) AS memory_connections,
    (SELECT count(*) FROM :"schema".review_events) AS review_events
FROM (SELECT count(*), count(n.embedding) FROM :"schema".knowledge_nodes n) AS k (memories, vectors);
