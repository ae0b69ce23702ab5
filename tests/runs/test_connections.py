"""Connections that the server refuses or limits: each has its own way out, and is noticed before the first write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, Said, check_space, granted, seed

from vestige_sql import Target, run_reembed, stage_reembed
from vestige_sql.database.connection import connect, kept_open
from vestige_sql.database.migrations import migrate_up
from vestige_sql.database.unreachable import what_to_do
from vestige_sql.errors import ServerError, TargetError
from vestige_sql.look.status import status

ROOT = Path(__file__).parents[2]
NEW = FakeEmbedder("new", 12)

Vestige = Callable[..., Said]


@pytest.fixture
def role(db: str, conn: Conn) -> Iterator[str]:
    """A plain role that owns the memories and may do everything here but be a superuser."""
    name = f"vestige_limited_{os.getpid()}_{conn.info.backend_pid}"
    conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")  # type: ignore[call-overload]
    for grant in (
        grant for verb in ("apply", "rollback, finalize, abort") for grant in granted(verb, name, only="vestige_sql")
    ):
        conn.execute(grant)  # type: ignore[call-overload]
    conn.execute(f"GRANT CREATE ON SCHEMA public TO {name}")  # type: ignore[call-overload]
    conn.execute(f"GRANT ALL ON embedding_model TO {name}")  # type: ignore[call-overload]
    conn.execute(f"ALTER TABLE knowledge_nodes OWNER TO {name}")  # type: ignore[call-overload]
    yield name
    for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {} CASCADE", "DROP ROLE {}"):
        conn.execute(statement.format(name))  # type: ignore[call-overload]


def check_hint(conninfo: str, said: str, hint: str) -> None:
    """Every way into the package says what libpq says, and this way out."""
    for opens in (lambda: connect(conninfo).__enter__(), lambda: migrate_up(conninfo)):
        with pytest.raises(ServerError, match=said) as caught:
            opens()
        assert hint in caught.value.hint


def test_each_refused_connection_has_its_own_way_out(db: str, conn: Conn, role: str) -> None:
    check_hint(
        make_conninfo(db, user="nobody_of_that_name"), "does not exist", "check the user in the connection string"
    )
    check_hint(make_conninfo(db, dbname="nowhere"), "does not exist", "has no such database")
    check_hint(make_conninfo(db, host="/nowhere"), "No such file", "no server listens there")
    mine = make_conninfo(db, user=role, password="secret")
    conn.execute(f"ALTER ROLE {role} NOLOGIN")  # type: ignore[call-overload]
    check_hint(mine, "not permitted to log in", "ALTER ROLE .. LOGIN")
    conn.execute(f"ALTER ROLE {role} LOGIN CONNECTION LIMIT 0")  # type: ignore[call-overload]
    check_hint(mine, "too many connections for role", "ALTER ROLE .. CONNECTION LIMIT")
    conn.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")  # type: ignore[call-overload]
    conn.execute(f"REVOKE CONNECT ON DATABASE {conn.info.dbname} FROM PUBLIC")  # type: ignore[call-overload]
    check_hint(mine, "permission denied for database", "GRANT CONNECT ON DATABASE")


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ('FATAL:  password authentication failed for user "app"', "the password is wrong or missing"),
        ("fe_sendauth: no password supplied", "the password is wrong or missing"),
        ('FATAL:  Peer authentication failed for user "app"', "run as that user"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "app", database "d", no encryption', "sslmode=require"),
        ("FATAL:  sorry, too many clients already", "a run needs 3 connections"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "a run needs 3"),
        ("FATAL:  the database system is starting up", "wait a moment"),
        ("server does not support SSL, but SSL was required", "the server has no TLS"),
        ("SSL error: certificate verify failed", "sslrootcert"),
        (
            'could not translate host name "db.example" to address: Name or service not known',
            "the host's name is unknown",
        ),
        ("connection to server at 1.2.3.4, port 5432 failed: Connection refused", "no server listens there"),
        ("connection timeout expired", "no server answered in time"),
        ("server is not in hot standby mode", "target_session_attrs"),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", "check that the server is running"),
    ],
)
def test_each_message_of_libpq_has_its_way_out(message: str, hint: str) -> None:
    assert hint in what_to_do(message)


@pytest.mark.parametrize("of", ["ROLE", "DATABASE"])
def test_a_limit_of_connections_is_noticed_before_the_first_write(db: str, conn: Conn, role: str, of: str) -> None:
    texts = seed(conn, 6)
    mine = make_conninfo(db, user=role, password="secret")
    name = role if of == "ROLE" else conn.info.dbname
    # This session is one of the database's.
    limit = 2 if of == "ROLE" else 3
    conn.execute(f"ALTER {of} {name} CONNECTION LIMIT {limit}")  # type: ignore[call-overload]
    model = FakeEmbedder("new", 12)
    for run in (run_reembed, stage_reembed):
        with pytest.raises(TargetError) as caught:
            run(mine, model)
        assert f"encoding takes 2 more connections, and {of.lower()} {name} (CONNECTION LIMIT {limit}) " in str(
            caught.value
        )
        assert str(caught.value).endswith("lets this role have 1")
        assert f"ALTER {of} {name} CONNECTION LIMIT {limit + 1}" in caught.value.hint
    assert model.calls == 0
    assert status(mine)["open_run"] is None
    conn.execute(f"ALTER {of} {name} CONNECTION LIMIT {limit + 1}")  # type: ignore[call-overload]
    run_reembed(mine, model)
    assert len(model.texts) == len(texts)
    check_space(conn, NEW)


def test_a_superuser_is_held_up_by_no_limit_but_the_servers(db: str, conn: Conn) -> None:
    seed(conn, 3)
    conn.execute(f"ALTER DATABASE {conn.info.dbname} CONNECTION LIMIT 1")  # type: ignore[call-overload]
    run_reembed(db, NEW)
    check_space(conn, NEW)


@pytest.mark.parametrize("path", ["app", "app, public", '"$user", app'])
def test_a_schema_that_an_administrator_made_is_enough(empty_db: str, path: str) -> None:
    """As on managed servers: no CREATE on the database nor on public, and pgvector in a schema of its own."""
    name = f"vestige_managed_{os.getpid()}"
    with psycopg.connect(empty_db, autocommit=True) as admin:
        database = admin.info.dbname
        for statement in (
            f"CREATE ROLE {name} LOGIN PASSWORD 'secret'",
            'CREATE SCHEMA "Ext Tensions"',
            'CREATE EXTENSION vector SCHEMA "Ext Tensions"',
            f'GRANT USAGE ON SCHEMA "Ext Tensions" TO {name}',
            f"CREATE SCHEMA app AUTHORIZATION {name}",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            f"ALTER ROLE {name} IN DATABASE {database} SET search_path = ''",
        ):
            admin.execute(statement)  # type: ignore[call-overload]
        mine = make_conninfo(empty_db, user=name, password="secret")
        try:
            with pytest.raises(ServerError, match="no schema has been selected") as caught:
                migrate_up(mine, vestige=False)
            assert "SET search_path = .." in caught.value.hint
            admin.execute(f"ALTER ROLE {name} IN DATABASE {database} SET search_path = {path}")  # type: ignore[call-overload]
            with pytest.raises(ServerError, match="permission denied for database") as caught:
                migrate_up(mine, vestige=False)
            assert "CREATE SCHEMA vestige_sql AUTHORIZATION" in caught.value.hint
            admin.execute(f"CREATE SCHEMA vestige_sql AUTHORIZATION {name}")  # type: ignore[call-overload]
            assert "reembed_0001_schema" in migrate_up(mine, vestige=False).applied
            assert migrate_up(mine, vestige=False).applied == []
            with psycopg.connect(mine, autocommit=True) as own:
                own.execute(
                    'CREATE TABLE app.notes (id int PRIMARY KEY, content text, embedding "Ext Tensions".vector(4))'
                )
                own.execute("INSERT INTO app.notes VALUES (1, 'one'), (2, 'two')")
                notes = Target("app.notes")
                run_reembed(mine, NEW, target=notes)
                assert status(mine, target=notes)["model"] == NEW.signature()
        finally:
            for statement in (f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}"):
                admin.execute(statement)  # type: ignore[call-overload]


def test_connections_that_are_kept_open_are_as_new(db: str, conn: Conn) -> None:
    seed(conn, 3, FakeEmbedder("old", 8))
    own = "SELECT current_setting('search_path'), current_setting('lock_timeout'), current_setting('work_mem')"
    with connect(db) as fresh:
        as_new = fresh.execute(own).fetchone()
    with kept_open():
        with connect(db) as first:
            pid = first.info.backend_pid
            first.execute("SET lock_timeout = '7s'; SET work_mem = '77MB'; SET search_path = public")
            first.execute("SELECT pg_advisory_lock(77)")
        with connect(db) as second, connect(db) as third, connect(db, read_only=True) as reader:
            # It is the same session, without the claims and the settings of its former user.
            assert second.info.backend_pid == pid
            assert len({pid, third.info.backend_pid, reader.info.backend_pid}) == 3
            assert second.execute(own).fetchone() == as_new
            assert conn.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
        # One that was ended meanwhile, or that somebody left inside a transaction or with an error, is not given on.
        conn.execute("SELECT pg_terminate_backend(%s)", [pid])
        with connect(db) as fourth:
            assert fourth.info.backend_pid != pid
            fourth.execute("BEGIN")
            left = fourth.info.backend_pid
        with pytest.raises(ZeroDivisionError), connect(db) as fifth:
            assert fifth.info.backend_pid != left
            failed = fifth.info.backend_pid
            raise ZeroDivisionError
        with connect(db) as sixth:
            assert sixth.info.backend_pid not in (left, failed)
        assert run_reembed(db, NEW).rows_updated == run_reembed(db, FakeEmbedder("next", 20)).rows_updated == 3
    # Nothing is left open.
    for _ in range(100):
        if conn.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vestige-sql'"
                        " AND datname = current_database()").fetchone() == (0,):  # fmt: skip
            break
        time.sleep(0.05)
    else:
        raise AssertionError("a connection stays open")
