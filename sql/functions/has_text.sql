-- Say whether a text can be embedded: it is not NULL, not empty, and not only white space.
--
-- White space is Unicode's and the four separators of ASCII. Python's str.isspace() says the same, so an application can ask
-- the same question.
--
-- The package asks this and content_hash() for every row. A function that sets a search_path is called for each row, which
-- takes 5 us more (PostgreSQL 18 on the machine of docs/benchmarks.md). The bodies of these two stand in the query itself.
-- Most texts begin with a printing character of ASCII, which answers the question at once. The operators compare bytes,
-- whatever the collation.
--
-- Locks:        none on the target
-- Transaction:  either
-- Run again:    safe, it is replaced by itself
-- Undo:         this file of the former version
-- Variables:    none

CREATE OR REPLACE FUNCTION vestige_sql.has_text(p_text text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN
    p_text IS NOT NULL AND (
        p_text OPERATOR(pg_catalog.~>=~) '!' AND p_text OPERATOR(pg_catalog.~<~) E'\x7f'
        OR pg_catalog.octet_length(pg_catalog.btrim(
            p_text,
            E' \t\n\u000b\f\r\u001c\u001d\u001e\u001f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'
        )) OPERATOR(pg_catalog.>) 0
    );

REVOKE ALL ON FUNCTION vestige_sql.has_text FROM PUBLIC;
