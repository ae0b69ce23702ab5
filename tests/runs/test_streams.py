"""The standard streams of the command line: closed, full, cut off, in ASCII; and what others write into a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support import Conn, FakeEmbedder, Said, check_space, dsn, seed

from vestige_sql import apply_staged, stage_reembed
from vestige_sql.errors import LockNotAvailable
from vestige_sql.plan import ReembedPlan, Target

ROOT = Path(__file__).parents[2]
OLD, NEW = FakeEmbedder("old", 16), FakeEmbedder("new", 24)
COMMAND = f"{sys.executable} -m vestige_sql migrate"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x7f"

Vestige = Callable[..., Said]


def sh(db: str, script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``script``, in which ``$V`` stands for the command line, with the exit code of its first part."""
    return subprocess.run(
        ["bash", "-c", f'V="{COMMAND}"; {script}; exit ${{PIPESTATUS[0]}}'],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DATABASE_URL": db} | environment,
    )


@pytest.mark.parametrize(
    "streams",
    ["2>&-", "<&- >&- 2>&-", "2>/dev/full", "2>&1 | head -1", "2> >(true)"],
)
def test_the_work_is_done_whatever_stderr_is(db: str, conn: Conn, streams: str) -> None:
    seed(conn, embedder=OLD)
    stage_reembed(db, NEW)
    done = sh(db, f"$V apply --no-confirm {streams}")
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stdout + done.stderr
    check_space(conn, NEW)
    # What failed has its exit code all the same.
    assert sh(db, f"$V status --table nowhere {streams}").returncode == 1


@pytest.mark.parametrize("verb", ["status --json", "sql", "--help"])
def test_an_answer_that_cannot_be_written(db: str, conn: Conn, verb: str) -> None:
    seed(conn, embedder=OLD)
    stage_reembed(db, NEW)
    full = b"vestige-sql: the answer could not be written to stdout: No space left on device\n"
    for streams, code, said in (
        (">&-", 0, b""), ("| true", 0, b""), ("| head -1", 0, b""),
        (">/dev/full", 1, full), (">/dev/full 2>&1", 1, b""),
    ):  # fmt: skip
        done = sh(db, f"$V {verb} {streams}")
        assert (done.returncode, done.stderr[: len(said) or None]) == (code, said)


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=str,
)
def test_a_terminal_in_ascii(db: str, conn: Conn, environment: dict[str, str], psql: str) -> None:
    # Without UTF-8 mode Python cannot take such a name as an argument at all, and says so.
    table = "app.memory" if "PYTHONUTF8" in environment else 'app."Gedächtnis ☃"'
    conn.execute("CREATE SCHEMA app")
    conn.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, content text, embedding vector(16))")  # type: ignore[arg-type]
    conn.execute(f"INSERT INTO {table} VALUES (1, 'Zoë ☃ 日本'), (2, 'ab')")  # type: ignore[arg-type]
    target = Target(table, "id", "content", "embedding")
    stage_reembed(db, NEW, target=target)
    named = f"--table '{table}'"
    for verb in ("status", "preview --sample 2"):
        done = sh(db, f"$V {verb} {named}", **environment)
        assert (done.returncode, done.stderr) == (0, b"")
        if "PYTHONIOENCODING" in environment:
            assert b"\\u2603" in done.stdout
    for verb in ("status --table 'no ☃'", f"status --id-column ☃ {named}"):
        done = sh(db, f"$V {verb}", **environment)
        assert done.returncode in (1, 2)
        assert b"Traceback" not in done.stderr
        assert b"vestige-sql:" in done.stderr
    # The script is a file, and psql reads it as UTF-8.
    script = sh(db, f"$V sql {named}", **environment).stdout.decode()
    assert table in script
    run = subprocess.run([psql, "-X", db], input=script, text=True, capture_output=True, check=True)
    assert "done" in run.stdout
    check_space(conn, NEW, target)


# --- What others wrote ---


def test_texts_and_names_reach_no_terminal_raw(db: str, conn: Conn, vestige: Vestige) -> None:
    table = f'app."t{ESCAPES}\nmodel       another"'
    conn.execute("CREATE SCHEMA app")
    conn.execute(f"CREATE TABLE {table} (id text PRIMARY KEY, content text, embedding vector(16))")  # type: ignore[arg-type]
    conn.execute(
        sql.SQL("INSERT INTO {} VALUES ({}, {}), ('b', 'ab')").format(
            sql.SQL(table),
            f"k{ESCAPES}",
            f"{ESCAPES}\u202etext\nphase       done",  # type: ignore[arg-type]
        )
    )
    target = Target(table, "id", "content", "embedding")
    stage_reembed(db, OLD, target=target)
    apply_staged(db, target=target)
    stage_reembed(db, NEW, target=target)
    at = ("--postgres-url", db, "--table", table, "--id-column", "id")
    for verb in (
        ("status",), ("probe",), ("preview", "--sample", "2"), ("gate",), ("abort",),
        ("apply", "--no-confirm"), ("gate",), ("probe", "--embedding-column", f"e{ESCAPES}"),
    ):  # fmt: skip
        said = vestige("migrate", *verb, *at)
        assert said.out + said.err
        for character in "\x1b\x07\x7f\u202e":
            assert character not in said.out + said.err, verb
        for forged in ("model       another", "phase       done"):
            assert forged not in (said.out + said.err).splitlines(), verb


def test_another_sessions_query_reaches_no_terminal_raw(
    db: str, conn: Conn, vestige: Vestige, psql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vestige_sql.reembed.apply._LONGEST_PAUSE_SECS", 0.01)
    monkeypatch.setattr("vestige_sql.reembed.apply._FIRST_PAUSE_SECS", 0.01)
    seed(conn, embedder=OLD)
    stage_reembed(db, NEW)
    with psycopg.connect(dsn(conn), client_encoding="UTF8") as other:
        other.execute("LOCK TABLE knowledge_nodes IN ACCESS SHARE MODE")
        other.execute(f"SELECT 1 /* {ESCAPES}\r\nreembed: 20 rows updated */")  # type: ignore[arg-type]
        with pytest.raises(LockNotAvailable) as caught:
            apply_staged(db, ReembedPlan(lock_attempts=1, lock_timeout_secs=0.05))
        assert "owned" in str(caught.value)
        said = vestige("migrate", "apply", "--no-confirm", "--lock-timeout", "0.01", "--postgres-url", db)
        assert said.code == 1
        assert "owned" in said.err
        assert "\x1b" not in said.err
        assert "reembed: 20 rows updated */" not in [line.strip() for line in said.err.splitlines()]
        shown = by_psql(psql, db, "sql/probe/sessions.sql")
        assert "owned" in shown
        assert not set("\x1b\x07\x7f\r") & set(shown)


def test_a_check_of_psql_shows_control_characters(db: str, psql: str) -> None:
    done = subprocess.run(
        [psql, "-X", "-d", db, "-c", f"SELECT vestige_sql.require(false, 'key {ESCAPES}', 'see {ESCAPES}')"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "key \u241b]0;owned\u2407\u241b[2J\u2421" in done.stderr
    assert not set("\x1b\x07\x7f") & set(done.stderr)


def by_psql(psql: str, db: str, *files: str) -> Any:
    return subprocess.run(
        [psql, "-XAt", "-d", db, "-v", "ON_ERROR_STOP=1", "-v", "target=knowledge_nodes"]
        + ["-v", "content_column=content"]
        + [argument for file in ("sql/target.psql", *files) for argument in ("-f", file)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
