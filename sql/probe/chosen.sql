-- Show how statements say whether a row is one of the target's rows, and how they say it for people.
--
-- row_filter is the condition that chooses them, as PostgreSQL writes it back, and empty where all rows are meant. In is_chosen
-- t is a row of the target. A name in the condition is then a column of that row, whatever else the statement has. chosen_here
-- is for statements with that table alone, in which the server finds the index of these rows.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it only reads
-- Undo:         nothing to undo
-- Variables:    row_filter

SELECT CASE :'row_filter' WHEN '' THEN 'true'
    ELSE format('(SELECT (%s) IS TRUE FROM (SELECT t.*) AS t)', :'row_filter'::text) END AS is_chosen,
    CASE :'row_filter' WHEN '' THEN 'true' ELSE :'row_filter' END AS chosen_here
\gset
