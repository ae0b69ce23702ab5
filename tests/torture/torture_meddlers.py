"""What others do to a table, and beside it, between a kill and the command that goes on.

An exchange puts another table under the target's name, or leaves the name without one. Whatever the command then says,
it must not do its work on the stranger. A role with no more than the grants for staging plants tables, functions and
rows where the package will look for its own. A superuser goes on, and must not carry out a word of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support import Conn
from torture_check import Table

MALLORY = "torture_mallory"

AWAY = "the table that was exchanged"


def _digest(conn: Conn, table: sql.Identifier) -> tuple[object, ...]:
    """The columns of ``table``, and a digest of its rows."""
    columns = conn.execute(
        "SELECT string_agg(format('%%s %%s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)"
        " FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        [table.as_string(conn)],
    ).fetchone()
    rows = conn.execute(
        sql.SQL("SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {} AS t").format(table)
    ).fetchone()
    assert columns is not None and rows is not None
    return (*columns, *rows)


@contextmanager
def exchanged(conn: Conn, table: Table, rng: random.Random) -> Iterator[list[str]]:
    """Put a stranger with some of the rows under the name of ``table``, or nothing, and afterwards the table again.

    The list says at the end what was done to the two of them meanwhile. It ought to be empty.
    """
    away = sql.Identifier(table.schema, AWAY)
    complaints: list[str] = []
    with conn.transaction():
        conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(table.identifier, sql.Identifier(AWAY)))
        names = {"table": table.identifier, "away": away}
        is_stranger = rng.random() < 0.75
        if is_stranger:
            columns = conn.execute(
                "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
                [away.as_string(conn)],
            ).fetchone()
            assert columns is not None
            conn.execute(sql.SQL("CREATE TABLE {table} (LIKE {away} INCLUDING ALL)").format(**names))
            conn.execute(
                sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {away} LIMIT 7").format(
                    columns=sql.SQL(columns[0]), **names
                )
            )
    tables = [(AWAY, away), *([(table.name, table.identifier)] if is_stranger else [])]
    before = [_digest(conn, identifier) for _, identifier in tables]
    yield complaints
    complaints += [
        f"{name} was {was} and is {now} after a command that met the exchange"
        for (name, identifier), was in zip(tables, before, strict=True)
        if (now := _digest(conn, identifier)) != was
    ]
    with conn.transaction():
        if is_stranger:
            conn.execute(sql.SQL("DROP TABLE {}").format(table.identifier))
        conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(away, sql.Identifier(table.name)))


EVIL = (
    " LANGUAGE plpgsql AS $$ BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)"
    f" THEN EXECUTE 'ALTER ROLE {MALLORY} SUPERUSER'; END IF; RETURN NULL; END $$"
)
"""The rest of a function that makes the role a superuser, if one calls it."""

GRANTS = (
    "GRANT USAGE, CREATE ON SCHEMA vestige_sql, public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON vestige_sql.run, vestige_sql.step, vestige_sql.model,"
    " vestige_sql.saved_index, vestige_sql.kept, vestige_sql.home, vestige_sql.encoding TO {role}",
)
"""More than any verb needs, and all that a role gets that others' tables do not belong to."""

PLANTS = (
    "CREATE TABLE vestige_sql.{staging_table} (id text, embedding text, content_hash bytea);"
    " CREATE TRIGGER evil BEFORE INSERT ON vestige_sql.{staging_table} FOR EACH ROW"
    " EXECUTE FUNCTION public.evil_trigger()",
    "CREATE TABLE vestige_sql.{changed_table} (id text);"
    " CREATE TRIGGER evil BEFORE INSERT ON vestige_sql.{changed_table} FOR EACH ROW"
    " EXECUTE FUNCTION public.evil_trigger()",
    "CREATE TABLE vestige_sql.{kept_table} (id text, embedding text);"
    " CREATE TRIGGER evil BEFORE INSERT ON vestige_sql.{kept_table} FOR EACH ROW"
    " EXECUTE FUNCTION public.evil_trigger()",
    "CREATE TABLE vestige_sql.{outdated_table} (id text)",
    "CREATE FUNCTION vestige_sql.{lookup_function}(bigint) RETURNS text {evil}",
    "CREATE FUNCTION vestige_sql.{lookup_function}(text) RETURNS text {evil}",
    "CREATE FUNCTION vestige_sql.{track_function}() RETURNS trigger {evil}",
    "CREATE FUNCTION vestige_sql.{keep_function}() RETURNS trigger {evil}",
    "CREATE FUNCTION vestige_sql.content_hash(varchar) RETURNS bytea {evil}",
    "CREATE FUNCTION vestige_sql.has_text(varchar) RETURNS boolean {evil}",
    'UPDATE vestige_sql.run SET variables = variables || \'{{"vector_type": "vector); SELECT public.evil(); --"}}\'',
    "UPDATE vestige_sql.run SET state = 'aborted'",
    "UPDATE vestige_sql.saved_index SET definition = 'SELECT public.evil()'",
    "UPDATE vestige_sql.model SET model_hash = repeat('0', 64)",
    "UPDATE vestige_sql.kept SET kept_column = 'embedding'",
    "DELETE FROM vestige_sql.home",
    "DELETE FROM vestige_sql.run",
)


def grant(conn: Conn) -> None:
    """Give the role its grants in this database, and make the functions that it would have others call."""
    if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [MALLORY]).fetchone() is None:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(MALLORY)))
    for statement in GRANTS:
        conn.execute(sql.SQL(statement).format(role=sql.Identifier(MALLORY)))


def meddle(db: str, rng: random.Random) -> int:
    """Do three of the deeds as the role, and return how many it was let."""
    with psycopg.connect(db) as conn:
        # The names follow from the target, and anybody who reads the sources knows how.
        row = conn.execute("SELECT variables FROM vestige_sql.run ORDER BY id DESC LIMIT 1").fetchone()
    names = {
        name: sql.Identifier(value).as_string(None)
        for name, value in (row[0] if row else {}).items()
        if isinstance(value, str) and name.endswith(("_table", "_function"))
    }
    done = 0
    with psycopg.connect(make_conninfo(db, user=MALLORY), autocommit=True) as mallory:
        with suppress(psycopg.errors.DuplicateFunction):
            mallory.execute("CREATE FUNCTION public.evil() RETURNS text " + EVIL)  # type: ignore[arg-type]
            mallory.execute("CREATE FUNCTION public.evil_trigger() RETURNS trigger " + EVIL)  # type: ignore[arg-type]
        for deed in rng.sample(PLANTS, 3):
            with suppress(psycopg.Error, KeyError):
                mallory.execute(deed.format(evil=EVIL, **names))  # type: ignore[arg-type]
                done += 1
    return done


def is_let_in(conn: Conn) -> bool:
    row = conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [MALLORY]).fetchone()
    return bool(row and row[0])


def undo(conn: Conn) -> None:
    """Drop what the role has made, as the messages of the package say, and give it its grants again."""
    conn.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(MALLORY)))
    grant(conn)
