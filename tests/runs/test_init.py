"""``vestige-sql init``: the file that it writes is one that every verb reads, whatever the table is called."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Conn

from vestige_sql import cli
from vestige_sql.cli.parser import make_parser


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, db: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", db)
    return tmp_path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*argv: str) -> tuple[int, str, str]:
        code = cli.main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def make(conn: Conn, table: str = "documents", columns: str = "") -> None:
    conn.execute(f"CREATE TABLE {table} (key bigint PRIMARY KEY, body text, vec vector(3){columns})")  # type: ignore[arg-type]


def typed(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Let somebody sit at a terminal and type ``answers``."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    left: Iterator[str] = iter(answers)

    def ask(_: str) -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", ask)


def test_the_file_names_the_table_its_columns_and_the_model(folder: Path, conn: Conn, said: Any) -> None:
    conn.execute("DROP TABLE knowledge_nodes, domains CASCADE")
    make(conn)
    code, out, err = said("init", "--model", "BAAI/bge-base-en-v1.5", "--dimension", "768")
    assert code == 0, err
    assert tomllib.loads((folder / "vestige.toml").read_text()) == {
        "storage": {"postgres": {"url": "${DATABASE_URL}"}},
        "targets": {
            "documents": {
                "table": "public.documents", "id_column": "key", "content_column": "body", "embedding_column": "vec",
                "model": "BAAI/bge-base-en-v1.5", "dimension": 768,
            }
        },
    }  # fmt: skip
    assert "target      public.documents.vec, vector(3), about 0 rows" in out
    commands = [line.removeprefix("next").strip() for line in out.splitlines() if line.startswith("next")]
    assert commands[-1] == "vestige-sql migrate reembed documents"
    for command in commands:
        args = make_parser().parse_args(shlex.split(command)[1:])
        assert (args.table, args.model, args.embedding_column) == ("public.documents", "BAAI/bge-base-en-v1.5", "vec")
    assert said("migrate", "status", "documents")[1].startswith("target      public.documents.vec")


@pytest.mark.parametrize(
    "table", ["docs", '"My Docs"', '"a.b"', '"it\'s"', '"a""b"', '"\\"', '"\u00e9\u4e2d"', '"x\x7f\x01"', '"${HOME}"']
)
def test_any_name_survives_the_file(folder: Path, conn: Conn, said: Any, table: str) -> None:
    make(conn, table)
    code, out, err = said("init", "--table", table, "--json")
    assert code == 0, err
    name = json.loads(out)["target"]
    code, out, err = said("migrate", "probe", name, "--json")
    assert code == 0, err
    assert (
        json.loads(out)["table"]["table"]
        == conn.execute("SELECT relname FROM pg_class WHERE oid = %s::regclass", [table]).fetchone()[0]
    )  # type: ignore[index]


def test_a_file_that_is_there_keeps_what_it_says(folder: Path, conn: Conn, db: str, said: Any) -> None:
    make(conn)
    (folder / "vestige.toml").write_text("# ours\n[storage.postgres]\nurl = '${DATABASE_URL}'  # theirs")
    assert said("init", "--table", "documents", "--name", "docs")[0] == 0
    assert said("init", "--table", "knowledge_nodes")[0] == 0
    text = (folder / "vestige.toml").read_text()
    assert text.startswith("# ours\n[storage.postgres]\nurl = '${DATABASE_URL}'  # theirs\n\n[targets.docs]\n")
    assert list(tomllib.loads(text)["targets"]) == ["docs", "knowledge_nodes"]
    code, _, err = said("init", "--table", "documents", "--name", "docs")
    assert (code, (folder / "vestige.toml").read_text()) == (2, text)
    assert "has a target docs already" in err


def test_several_tables_are_listed_and_one_is_asked_for(
    folder: Path, conn: Conn, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(conn)
    code, _, err = said("init")
    assert code == 2
    assert "public.documents, " in err
    assert ", public.knowledge_nodes" in err
    assert "vestige-sql init --table public.documents" in err
    assert not (folder / "vestige.toml").exists()
    typed(monkeypatch, "9", "", "1", "BAAI/bge-base-en-v1.5", "many", "768")
    code, out, _ = said("init")
    assert code == 0
    assert "  1  public.documents: vec vector(3)" in out
    found = tomllib.loads((folder / "vestige.toml").read_text())["targets"]["documents"]
    assert (found["model"], found["dimension"]) == ("BAAI/bge-base-en-v1.5", 768)


def test_an_input_that_ends_writes_nothing(folder: Path, conn: Conn, said: Any, monkeypatch: Any) -> None:
    make(conn)
    typed(monkeypatch, "1")
    code, _, err = said("init")
    assert (code, list(folder.iterdir())) == (2, [])
    assert "nobody answered" in err


def test_what_the_table_does_not_say_is_named(folder: Path, conn: Conn, said: Any) -> None:
    make(conn, columns=", title text, other vector(3)")
    code, _, err = said("init", "--table", "documents")
    assert code == 1
    assert "--embedding-column" in err
    assert said("init", "--table", "documents", "--embedding-column", "other", "--content-column", "title")[0] == 0
    found = tomllib.loads((folder / "vestige.toml").read_text())["targets"]["documents"]
    assert (found["content_column"], found["embedding_column"]) == ("title", "other")


def test_a_database_without_vectors_is_named(folder: Path, conn: Conn, said: Any) -> None:
    conn.execute("DROP EXTENSION vector CASCADE")
    code, _, err = said("init")
    assert code == 1
    assert "no table in this database has a column of pgvector's" in err


def test_a_password_stays_out_of_the_file(folder: Path, db: str, conn: Conn, said: Any, monkeypatch: Any) -> None:
    make(conn)
    monkeypatch.delenv("DATABASE_URL")
    assert said("init", "--table", "documents", "--postgres-url", db)[0] == 0
    assert tomllib.loads((folder / "vestige.toml").read_text())["storage"]["postgres"]["url"] == db
    (folder / "vestige.toml").unlink()
    assert said("init", "--table", "documents", "--postgres-url", f"{db}&password=secret")[0] == 0
    assert "secret" not in (folder / "vestige.toml").read_text()
    assert "${DATABASE_URL}" in (folder / "vestige.toml").read_text()
