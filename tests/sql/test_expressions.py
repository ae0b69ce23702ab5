"""Expressions over a row: what PostgreSQL reads in them, what is refused, and that nothing of it is executed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql
from support import Conn

from vestige_sql import steps
from vestige_sql.reembed.refusals import TRY_EXPRESSIONS

ODD = """Odd %s: 'x' "y" :n"""
TABLE = f"""
CREATE SCHEMA app;
CREATE TABLE app.documents (
    id bigint PRIMARY KEY, gone text, title varchar(40), body text COLLATE "C", payload jsonb, j json, x xml, b bytea,
    tags text[], n integer, at timestamptz, "{ODD.replace('"', '""')}" text, embedding vector(3),
    made text GENERATED ALWAYS AS (title::text || body) STORED);
ALTER TABLE app.documents DROP COLUMN gone;
CREATE TABLE app.ran (what text);
CREATE FUNCTION app.f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION app.tells(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE EXCEPTION ''ran''; END';
"""

READ = {
    "title || ' ' || body": ("(((title)::text || ' '::text) || body)", ["title", "body"]),
    "documents.title": ("title", ["title"]),
    "payload ->> 'data'": ("(payload ->> 'data'::text)", ["payload"]),
    "payload #>> '{a,b}' -- a comment": ("(payload #>> '{a,b}'::text[])", ["payload"]),
    "coalesce(title, '') || E'\\n' || 'größe'": (
        "(((COALESCE(title, ''::character varying))::text || '\n'::text) || 'größe'::text)",
        ["title"],
    ),
    "case when n > 3 then body end": ("CASE\n    WHEN (n > 3) THEN body\n    ELSE NULL::text\nEND", ["body", "n"]),
    'body || $$it\'s 100% :n "q" \\$$': ("(body || 'it''s 100% :n \"q\" \\'::text)", ["body"]),
    f'"{ODD.replace(chr(34), chr(34) * 2)}"': (f'"{ODD.replace(chr(34), chr(34) * 2)}"', [ODD]),
    "body || ' AS \"vestige_sql value\" FROM x'": ("(body || ' AS \"vestige_sql value\" FROM x'::text)", ["body"]),
    "app.f(body)": ("app.f(body)", ["body"]),
    "made": ("made", ["made"]),
    "e'a'\n'b\\' , ' || body": ("('ab'' , '::text || body)", ["body"]),
}
"""Expressions, what PostgreSQL makes of each, and the columns."""

REFUSED = {
    "format('%s: %s', title, body)": "it is not immutable: the same row may give something else under other settings "
    'or at another time, because of format(text,"any")',
    "at::text": "it is not immutable: the same row may give something else under other settings or at another time",
    "body || now()": "it is not immutable: ",
    "body || random()": "it is not immutable: ",
    "current_user || body": "it is not immutable: ",
    "n": "it gives integer and not text",
    "payload": "it gives jsonb and not text",
    "payload -> 'data'": "it gives jsonb and not text",
    "j": "it gives json and not text",
    "x": "it gives xml and not text",
    "b": "it gives bytea and not text",
    "tags": "it gives text[] and not text",
    "title is null": "it gives boolean and not text",
    "'always'": "it reads no column of app.documents",
    "embedding::text": "it reads the column with the vectors",
    "body || ctid": "it reads a system column",
    "body || tableoid::text": "it reads a system column",
    "documents::text": "it reads the row as a whole",
    "body || documents::text": "it reads the row as a whole",
    "body || app.made_of(documents)": "function app.made_of(documents) does not exist",
    "(SELECT body FROM app.ran)": "cannot use subquery",
    "body || (SELECT max(what) FROM app.ran)": "cannot use subquery",
    "max(body)": "aggregate functions are not allowed",
    "string_agg(body, '') OVER ()": "window functions are not allowed",
    "unnest(tags)": "set-returning functions are not allowed",
    "(tags[1:n])[1]": "it has an array slice",
    "titel": 'column "titel" does not exist',
    "f(body)": "function f(text) does not exist",
    "title, body": "it gives several values",
    "(title, body)": "it gives several values",
    "documents.*": "it gives several values",
    "body AS b": 'syntax error at or near "AS"',
    "body LIMIT 1": 'syntax error at or near "LIMIT"',
    "body; DROP TABLE app.documents": 'syntax error at or near ";"',
    "body) FROM app.documents; DROP TABLE app.documents; SELECT (body": 'syntax error at or near ")"',
    "body) FROM app.documents; DROP TABLE app.documents; --": 'syntax error at or near ")"',
    "body] FROM app.documents; DROP TABLE app.documents; SELECT ARRAY[body": 'syntax error at or near "]"',
    "body /* more": 'unterminated /* comment at or near "/* more"',
    "e'a'\n'b\\' , '; DROP TABLE app.documents; --' || body": 'syntax error at or near ";"',
    "éE'a\\'; DROP TABLE app.documents; --'": 'syntax error at or near ";"',
    "$1": "there is no parameter $1",
    " ": 'syntax error at or near ")"',
}
"""Expressions, and how the reason begins."""


def read(conn: Conn, expression: str) -> dict[str, Any]:
    """What the step remembers of an expression."""
    values = {
        "schema": "app",
        "table": "documents",
        "embedding_column": "embedding",
        "content_expression": expression,
        "row_condition": "",
        "expressions_read": "",
    }
    with conn.transaction():
        conn.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        steps.run(conn, steps.load(TRY_EXPRESSIONS), values)
        row = conn.execute("SELECT current_setting('vestige_sql.expressions')").fetchone()
    assert row is not None
    (found,) = json.loads(row[0])
    assert (found["of"], found["given"]) == ("content", expression)
    return dict(found)


def test_what_is_read(db: str, conn: Conn) -> None:
    conn.execute(TABLE)
    for given, (expression, columns) in READ.items():
        found = read(conn, given)
        assert found.get("expression") == expression, found
        assert found["columns"] == columns
        # What PostgreSQL makes of its own text is the same.
        assert read(conn, expression) == found | {"given": expression}
        # A statement may have other tables, with columns of the same names.
        conn.execute(f"SELECT {found['of_t']} FROM app.documents t, app.documents s")  # type: ignore[call-overload]

    odd = read(conn, "title || ' ' || body")
    assert odd["of_new"] == "(((new.title)::text || ' '::text) || new.body)"
    assert odd["of_old"] == odd["of_new"].replace("new.", "old.")
    # A column that is renamed is the same one, and two that change their names are not.
    conn.execute("ALTER TABLE app.documents RENAME title TO heading")
    assert read(conn, "heading || ' ' || body")["numbered"] == odd["numbered"]
    conn.execute("ALTER TABLE app.documents RENAME body TO title")
    assert read(conn, "title || ' ' || heading")["numbered"] != odd["numbered"]
    # It may have the names that the step itself uses, too.
    conn.execute('ALTER TABLE app.documents RENAME title TO "vestige_sql value"')
    assert "expression" in read(conn, """heading || "vestige_sql value" || 'x'""")


def test_what_is_refused(db: str, conn: Conn) -> None:
    conn.execute(TABLE)
    before = conn.execute("SELECT count(*) FROM pg_class").fetchone()
    for given, reason in REFUSED.items():
        found = read(conn, given)
        assert found.get("reason", "").startswith(reason), (given, found)
        assert found["hint"].endswith("; nothing was written"), found
        assert "of_t" not in found
    assert conn.execute("SELECT count(*) FROM pg_class").fetchone() == before
    assert conn.execute("SELECT to_regclass('app.documents')").fetchone() != (None,)


@pytest.fixture
def roles(db: str, conn: Conn) -> Iterator[tuple[str, str]]:
    """An owner of the table, and somebody else who may make functions; none of them is trusted by the other."""
    conn.execute(TABLE)
    names = [f"{conn.info.dbname}_{name}" for name in ("owner", "mallory")]
    for name in names:
        role = sql.Identifier(name)
        conn.execute(sql.SQL("CREATE ROLE {}").format(role))
        conn.execute(sql.SQL("GRANT ALL ON SCHEMA app TO {}").format(role))
    conn.execute(sql.SQL("ALTER TABLE app.documents OWNER TO {}").format(sql.Identifier(names[0])))
    yield names[0], names[1]
    conn.execute("RESET ROLE")
    for name in names:
        conn.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(name)))
        conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_nothing_of_another_role_is_executed(conn: Conn, roles: tuple[str, str]) -> None:
    owner, mallory = roles
    conn.execute("""
        CREATE DOMAIN app.short AS text CHECK (app.tells(VALUE) IS NOT NULL);
        CREATE FUNCTION app.takes_two(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT app.tells($1)';
        CREATE OPERATOR app.+ (FUNCTION = app.takes_two, LEFTARG = text, RIGHTARG = text);
        CREATE TYPE app.pair AS (a text);
        CREATE FUNCTION app.pair_as_text(app.pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT app.tells(($1).a)';
        CREATE CAST (app.pair AS text) WITH FUNCTION app.pair_as_text;
        """)
    for what in ("FUNCTION app.tells", "DOMAIN app.short", "FUNCTION app.takes_two", "FUNCTION app.pair_as_text"):
        conn.execute(f'ALTER {what} OWNER TO "{mallory}"')  # type: ignore[call-overload]
    # The name of PostgreSQL's own is never another's.
    conn.execute("CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT app.tells($1)'")
    assert read(conn, "lower(title)")["expression"] == "lower((title)::text)"
    for given, what in {
        "app.tells(body)": "function app.tells(text)",
        # PostgreSQL works out what is constant when it plans
        "app.tells('x') || body": "function app.tells(text)",
        "body OPERATOR(app.+) 'x'": "operator app.+(text,text)",
        "CAST(ROW('x')::app.pair AS text) || body": "function app.pair_as_text(app.pair)",
        "'x'::app.short || body": "type app.short",
    }.items():
        for role in (None, owner):
            conn.execute(f'SET ROLE "{role}"' if role else "RESET ROLE")  # type: ignore[call-overload]
            found = read(conn, given)
            assert found.get("reason", "").startswith("it uses "), (given, found)
            assert f"{what} of role " in found["reason"]
            assert "does not trust; " not in found["reason"]
    # Whoever could act as the owner of the table is trusted anyway, and so is this role.
    conn.execute("RESET ROLE")
    conn.execute(f'ALTER FUNCTION app.tells OWNER TO "{owner}"')  # type: ignore[call-overload]
    assert read(conn, "app.tells(body)")["expression"] == "app.tells(body)"


def test_a_role_of_few_rights(conn: Conn, roles: tuple[str, str]) -> None:
    owner, _ = roles
    row = conn.execute("SELECT quote_ident(current_database())").fetchone()
    assert row is not None
    conn.execute(f"REVOKE TEMPORARY ON DATABASE {row[0]} FROM PUBLIC")  # type: ignore[call-overload]
    conn.execute(f'SET ROLE "{owner}"')  # type: ignore[call-overload]
    found = read(conn, "title || body")
    assert "permission denied to create temporary tables" in found["reason"]
    assert f"GRANT TEMPORARY ON DATABASE {row[0]} TO " in found["hint"]
    conn.execute("RESET ROLE")
    conn.execute(f"GRANT TEMPORARY ON DATABASE {row[0]} TO PUBLIC")  # type: ignore[call-overload]
    # It needs no right on the table, so its owner may be another.
    conn.execute(f'REVOKE ALL ON app.documents FROM "{owner}"')  # type: ignore[call-overload]
    conn.execute(f'SET ROLE "{owner}"')  # type: ignore[call-overload]
    assert read(conn, "title || body")["columns"] == ["title", "body"]
    conn.execute("RESET ROLE")
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        found = read(conn, "title || body")
    assert "in a read-only transaction" in found["reason"]
    assert "ask on the primary" in found["hint"]


def test_psql_by_hand_reads_the_same(db: str, conn: Conn, psql: str) -> None:
    conn.execute(TABLE)
    conn.execute("ALTER TABLE app.documents DROP COLUMN j, DROP COLUMN x, DROP COLUMN b")
    files = [
        a
        for name in ("target.psql", "probe/refusals/13_try_expressions.sql", "probe/refusals/30_of_the_table.sql")
        for a in ("-f", str(steps.files.resource_dir("sql") / name))
    ]

    def said(given: str) -> str:
        options = ["-v", "target=app.documents", "-v", f"content_expression={given}", "-v", "n=:'gotcha'"]
        done = subprocess.run(
            [psql, "-XAtq1", *options, *files, db], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for given in ("body || $$it's 100% :n :'n' \"q\" größe\n \\$$", "documents.title"):
        assert "|expression|" not in said(given)
    for given in ("format('%s: %s', title, body)", "body; DROP TABLE app.documents"):
        reason = f"--content-expression '{given}' cannot be used: {read(conn, given)['reason']}"
        assert f"|expression|app.documents|{reason}|" in said(given)
    # What nobody has looked at is refused.
    files[2:4] = ["-c", "SELECT WHERE set_config('vestige_sql.expressions', '', true) IS NULL"]
    assert "--content-expression 'title' was not looked at|" in said("title")
