"""Which database: the order of the sources, and what is said when none fits."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support import FakeEmbedder, seed

from vestige_sql import run_reembed
from vestige_sql.database.settings import (
    CONNECTIONS_OF_A_RUN,
    connection_limit,
    resolve_conninfo,
)
from vestige_sql.errors import UsageError


@pytest.fixture(autouse=True)
def _no_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "vestige.toml"
    path.write_text('[storage.postgres]\nurl = "postgresql://file/db"\n')
    return path


def test_the_order_is_argument_environment_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_conninfo(None, config=config) == "postgresql://file/db"
    monkeypatch.setenv("DATABASE_URL", "postgresql://environment/db")
    assert resolve_conninfo(None, config=config) == "postgresql://environment/db"
    assert resolve_conninfo("postgresql://argument/db", config=config) == "postgresql://argument/db"


def test_an_empty_string_says_nothing(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert resolve_conninfo("", config=config) == "postgresql://file/db"


def test_what_is_named_goes_before_the_embedded_server(config: Path, tmp_path: Path) -> None:
    assert resolve_conninfo(None, embedded=tmp_path / "server", config=config) == "postgresql://file/db"
    assert not (tmp_path / "server").exists()


def test_none_named_names_every_way(tmp_path: Path) -> None:
    config = tmp_path / "vestige.toml"
    with pytest.raises(UsageError) as caught:
        resolve_conninfo(None, config=config)
    for way in ("--postgres-url", "DATABASE_URL", "[storage.postgres]", str(config), "vestige-sql[embedded]"):
        assert way in caught.value.hint


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_a_driver_in_the_scheme_is_dropped(scheme: str) -> None:
    assert resolve_conninfo(f"{scheme}://u:p@h:1/d?sslmode=require") == "postgresql://u:p@h:1/d?sslmode=require"


@pytest.mark.parametrize(
    "scheme",
    ["jdbc:postgresql", "r2dbc:postgresql", "postgresql+asyncpg", "postgresql+psycopg_async", "postgis", "pgsql"],
)
def test_an_address_of_another_client_is_the_same_address(scheme: str) -> None:
    assert resolve_conninfo(f"{scheme}://u:p%3F@h:1/d") == "postgresql://u:p%3F@h:1/d"


@pytest.mark.parametrize(
    ("query", "read"),
    [
        # Prisma, Supabase and Vercel
        ("pgbouncer=true&connection_limit=1&pool_timeout=20", {}),
        ("sslmode=require&supa=base-pooler.x", {"sslmode": "require"}),
        ("workaround=supabase-pooler.vercel&statement_cache_size=0", {}),
        ("schema=public", {"options": '-csearch_path="public"'}),
        ("schema=My%20app%22s", {"options": '-csearch_path="My\\ app""s"'}),
        ("schema=a&options=-c%20geqo%3Doff", {"options": '-c geqo=off -csearch_path="a"'}),
        ("sslaccept=accept_invalid_certs", {"sslmode": "require"}),
        ("sslaccept=strict&sslmode=verify-ca", {"sslmode": "verify-ca"}),
        # asyncpg, node-postgres, Heroku, Go, MySQL's words
        ("ssl=require", {"sslmode": "require"}),
        ("ssl=true", {"sslmode": "require"}),
        ("ssl=0", {"sslmode": "disable"}),
        ("ssl=verify-full", {"sslmode": "verify-full"}),
        ("ssl=true&sslmode=verify-full", {"sslmode": "verify-full"}),
        ("sslmode=no-verify", {"sslmode": "require"}),
        ("sslmode=verify_full", {"sslmode": "verify-full"}),
        ("sslmode=REQUIRED", {"sslmode": "require"}),
        ("sslMode=verify_identity", {"sslmode": "verify-full"}),
        ("pool_max_conns=10&default_query_exec_mode=simple_protocol&search_path=app,public",
         {"options": "-csearch_path=app,public"}),
        ("binary_parameters=yes&timezone=Europe%2FBerlin", {}),
        # JDBC
        ("currentSchema=app&ApplicationName=me&targetServerType=primary&connectTimeout=5&prepareThreshold=0",
         {"options": "-csearch_path=app", "application_name": "me", "target_session_attrs": "primary",
          "connect_timeout": "5"}),
        ("loginTimeout=7&connect_timeout=3", {"connect_timeout": "3"}),
        # SQLAlchemy, Django and Doctrine
        ("host=/run/postgresql&pool_size=5&max_overflow=2&pool_pre_ping=true", {"host": "/run/postgresql"}),
        ("conn_max_age=600&charset=utf8&serverVersion=16", {}),
    ],
)  # fmt: skip
def test_parameters_of_other_clients_are_understood(query: str, read: dict[str, str]) -> None:
    conninfo = resolve_conninfo(f"postgresql://u:p@h:1/d?{query}")
    found = psycopg.conninfo.conninfo_to_dict(conninfo)
    assert found == {"user": "u", "password": "p", "host": "h", "port": "1", "dbname": "d"} | read
    # It is read once more where the connection is made.
    assert resolve_conninfo(conninfo) == conninfo


def test_a_password_that_looks_like_parameters_stays_the_password() -> None:
    conninfo = resolve_conninfo("postgresql://u:hunter?pool=2&ssl=true&2@h/d?pool=5&schema=app")
    assert psycopg.conninfo.conninfo_to_dict(conninfo) == {
        "user": "u", "password": "hunter?pool=2&ssl=true&2", "host": "h", "dbname": "d",
        "options": '-csearch_path="app"',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("conninfo", "said"),
    [
        ("postgresql://u:p@h/d?hunter2=1", r"has a parameter after the \? that libpq does not know"),
        ("postgresql://u:p@h/d?pgbouncer=hunter2@h", r"has a parameter after the \?|has an @ where"),
        ("postgresql://u:p@h/d?sslmode=hunter2", "has an sslmode that libpq does not know"),
        ("host=h sslmode=hunter2", "has an sslmode that libpq does not know"),
        ("prisma://accelerate.example/?api_key=hunter2", "is the address of Prisma's proxy"),
        ("prisma+postgres://accelerate.example/?api_key=hunter2", "is the address of Prisma's proxy"),
        ("mysql://u:hunter2@h/d?ssl=true", "cannot be read by libpq"),
    ],
)
def test_what_libpq_does_not_know_is_said_and_not_repeated(conninfo: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        resolve_conninfo(conninfo)
    assert "hunter" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "conninfo",
    ["host=/run/postgresql dbname=d", "service=live", "postgresql:///d?host=%2Frun%2Fpostgresql", ""],
)
def test_any_other_conninfo_is_left_alone(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    assert resolve_conninfo(conninfo) == (conninfo or "postgresql://h/d")


def test_variables_in_the_file_are_expanded(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('[storage.postgres]\nurl = "postgresql://${WHO}:${SECRET}@h/d"\n')
    monkeypatch.setenv("WHO", "me")
    monkeypatch.setenv("SECRET", "${WHO}")
    assert resolve_conninfo(None, config=config) == "postgresql://me:${WHO}@h/d"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("$${WHO}", "${WHO}"),
        ("$$${WHO}", "$${WHO}"),
        ("$WHO", "$WHO"),
        ("pa$$word$", "pa$$word$"),
        ("${WHO}${WHO}", "meme"),
        ("{WHO}", "{WHO}"),
    ],
)
def test_a_dollar_is_a_dollar_but_before_a_brace(
    config: Path, monkeypatch: pytest.MonkeyPatch, written: str, read: str
) -> None:
    monkeypatch.setenv("WHO", "me")
    config.write_text(f'[storage.postgres]\nurl = "host=h password={written}"\n')
    assert resolve_conninfo(None, config=config) == f"host=h password={read}"


@pytest.mark.parametrize("wrong", ["${}", "${A B}", "${1A}", "${WHO", "${A-b}"])
def test_braces_without_a_name_are_an_error(config: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("WHO", "me")
    config.write_text(f'[storage.postgres]\nurl = "postgresql://u:hunter2{wrong}@h/d"\n')
    with pytest.raises(UsageError, match=r"url under \[storage\.postgres\] has a \$\{ that begins no") as caught:
        resolve_conninfo(None, config=config)
    assert str(config) in str(caught.value)
    assert "hunter2" not in str(caught.value) + caught.value.hint
    assert "$${" in caught.value.hint


def test_an_unset_variable_is_named_with_its_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('[storage.postgres]\nurl = "postgresql://me:${NOWHERE_SET}@h/d"\n')
    monkeypatch.delenv("NOWHERE_SET", raising=False)
    with pytest.raises(UsageError, match="NOWHERE_SET is not set") as caught:
        resolve_conninfo(None, config=config)
    assert str(config) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[storage.postgres\n", "cannot be read"),
        ("storage = 1\n", "storage is not a table"),
        ("[storage]\npostgres = 'postgresql://h/d'\n", "postgres is not a table"),
        ("[storage.postgres]\nurl = 5432\n", "is not a string"),
        ("[storage]\nbackend = true\n", r"backend under \[storage\] is not a string"),
        *(
            (f"[storage.postgres]\nmax_connections = {value}\n", "max_connections .* is not a whole number")
            for value in ("8.0", "true", '"8"', '"many"', "[8]")
        ),
        *(
            (f"[storage.postgres]\nmax_connections = {value}\n", f"max_connections .* is {value}, and a run needs 3")
            for value in (2, 0, -1)
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_an_error_that_names_it(config: Path, text: str, said: str) -> None:
    config.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        resolve_conninfo(None, config=config)
    assert str(config) in str(caught.value)


def test_a_file_about_other_things_says_nothing(config: Path) -> None:
    config.write_text("[server]\nurl = 'x'\n[storage]\nbackend = 'postgres'\n[storage.sqlite]\npath = 'x'\n")
    with pytest.raises(UsageError, match="no database was named"):
        resolve_conninfo(None, config=config)


@pytest.mark.parametrize(
    ("text", "named", "meant"),
    [
        ("[storage.postgres]\nURL = 'x'\n", "URL under [storage.postgres]", "did you mean url?"),
        ("[storage.postgres]\nmax_conections = 8\n", "max_conections", "did you mean max_connections?"),
        ("[storage.postgres]\npassword = 'x'\n", "password", "the known keys are url, max_connections;"),
        ("[storage.postgres.pool]\nsize = 1\n", "pool under [storage.postgres]", "the known keys are"),
        ("[storage.postgresql]\nurl = 'x'\n", "postgresql under [storage]", "did you mean postgres?"),
        ("[storage]\nurl = 'x'\n", "url under [storage]", "the known keys are backend, postgres, sqlite;"),
        ("[storage]\nback-end = 'postgres'\n", "back-end", "did you mean backend?"),
        ("[Storage.postgres]\nurl = 'x'\n", "Storage", "did you mean storage?"),
        ("[storge]\nbackend = 'x'\n", "storge", "did you mean storage?"),
    ],
)
def test_an_unknown_key_is_named_with_what_was_meant(config: Path, text: str, named: str, meant: str) -> None:
    config.write_text(text)
    for ask in (lambda: resolve_conninfo(None, config=config), lambda: connection_limit(config)):
        with pytest.raises(UsageError) as caught:
            ask()
        assert str(caught.value).startswith(f"{config}: unknown key {named}")
        assert meant in caught.value.hint


@pytest.mark.parametrize(
    ("backend", "hint"), [("sqlite", "--postgres-url or DATABASE_URL"), ("postgresql", 'did you mean "postgres"?')]
)
def test_another_backend_is_refused_where_the_file_names_the_database(config: Path, backend: str, hint: str) -> None:
    config.write_text(f'[storage]\nbackend = "{backend}"\npostgres.url = "postgresql://file/db"\n')
    with pytest.raises(UsageError, match=f'backend under .storage. is "{backend}"') as caught:
        resolve_conninfo(None, config=config)
    assert hint in caught.value.hint
    assert resolve_conninfo("postgresql://argument/db", config=config) == "postgresql://argument/db"


def test_max_connections(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection_limit(config) is None
    assert connection_limit(config.with_name("none.toml")) is None
    # Where the database is named makes no difference, nor whether the file could name it.
    monkeypatch.setenv("DATABASE_URL", "postgresql://environment/db")
    monkeypatch.setenv("POOL", "12")
    for value, read in ((3, 3), (40, 40), ('"${POOL}"', 12)):
        config.write_text(f"[storage.postgres]\nurl = '${{NOWHERE_SET}}'\nmax_connections = {value}\n")
        assert connection_limit(config) == read


def test_a_run_has_as_many_connections_as_is_said(db: str) -> None:
    most = []
    with psycopg.connect(db, autocommit=True) as conn:
        seed(conn, 20, FakeEmbedder("old", 8))

        def count(*_: object) -> None:
            row = conn.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'vestige-sql'"
            ).fetchone()
            assert row is not None
            most.append(row[0])

        run_reembed(db, FakeEmbedder("new", 12, hook=count))
    assert max(most) == CONNECTIONS_OF_A_RUN


@pytest.mark.parametrize("bad", ["postgresql://u:hunter%2@h/d", "hunter2", "host=h password='hunter2"])
def test_a_bad_string_is_not_repeated(bad: str) -> None:
    with pytest.raises(UsageError, match="--postgres-url") as caught:
        resolve_conninfo(bad)
    assert "hunter" not in str(caught.value) + caught.value.hint
    # Nor by a traceback: what libpq said, which repeats the string, is no part of it.
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_the_embedded_server_is_started(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(server_folder)
    from vestige_sql.database import embedded

    conninfo = resolve_conninfo(None, embedded=Path(".vestige"))
    try:
        with psycopg.connect(conninfo) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
    finally:
        embedded.stop(Path(".vestige"))
