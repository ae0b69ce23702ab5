"""The model changes online under load, goes back and forward again: no statement fails, and no row is left stale.

The load and the checks are those of bench/online.py: pgbench with the scripts in bench/load/, and a writer in Python.
"""

from __future__ import annotations

import time

import psycopg
import pytest
from online import Changes, HashEncoder, load, make_table, pgbench

from vestige_sql import ReembedPlan
from vestige_sql.errors import UsageError

OLD = HashEncoder("old", 16)
NEW = HashEncoder("new", 24)
ROWS, KNOWN = 5_000, 300


@pytest.fixture(autouse=True)
def _pgbench() -> None:
    try:
        pgbench()
    except UsageError as error:
        pytest.skip(str(error))


def test_forth_back_and_forth_again_under_load(db: str) -> None:
    make_table(db, OLD, NEW, ROWS, KNOWN)
    changes = Changes(db, ReembedPlan(online=True))
    with load(db, ROWS, KNOWN, clients=3, rate=200) as work:
        changes.online(NEW, "the switch")
        changes.back(OLD, "the rollback")
        changes.back(NEW, "the second switch")
    assert work.failed == []
    assert all(work.done.values()), work.done
    for change in changes.changes:
        assert (change.stale, change.lost) == (0, 0), change
    assert changes.fill(NEW) == (0, 0)


def test_an_autovacuum_gives_way(db: str) -> None:
    make_table(db, OLD, NEW, 1_000, 1)
    # One that takes as long as it would on a large table.
    slow = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 0"
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute(f"ALTER TABLE documents SET (autovacuum_vacuum_scale_factor = 0, {slow})")
        conn.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        conn.execute("SELECT pg_reload_conf()")
        try:
            conn.execute("UPDATE documents SET body = body")
            deadline = time.monotonic() + 60
            while not conn.execute("SELECT FROM pg_stat_progress_vacuum WHERE relid = 'documents'::regclass").rowcount:
                assert time.monotonic() < deadline, "autovacuum does not come"
                time.sleep(0.05)
        finally:
            conn.execute("ALTER SYSTEM RESET autovacuum_naptime")
            conn.execute("SELECT pg_reload_conf()")
    changes = Changes(db, ReembedPlan(online=True, lock_attempts=1))
    changes.online(NEW)
    changes.back(OLD, "the rollback")
