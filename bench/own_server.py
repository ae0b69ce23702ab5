"""A server of a benchmark's own, with settings that need a restart."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

from vestige_sql.database import embedded


@contextmanager
def server_with(settings: Mapping[str, str]) -> Iterator[str]:
    """Run an embedded server under ``settings``, and give its conninfo. It is gone afterwards, and its data with it."""
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        conninfo = embedded.start(folder)
        try:
            with psycopg.connect(conninfo, autocommit=True) as conn:
                for name, value in settings.items():
                    conn.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value))
            embedded.stop(folder)
            yield embedded.start(folder)
        finally:
            embedded.stop(folder)
