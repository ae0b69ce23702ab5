"""The model changes online under load, goes back and forward again: no statement fails, and no row is left stale.

The load and the checks are those of bench/online.py: pgbench with the scripts in bench/load/, and a writer in Python.
"""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from online import Changes, HashEncoder, load, make_table, pgbench
from support import Conn, FakeEmbedder, Points, check_space, seed, wait_for

from vestige_sql import ReembedPlan, run_reembed
from vestige_sql.errors import UsageError
from vestige_sql.reembed import apply, online

OLD = HashEncoder("old", 16)
NEW = HashEncoder("new", 24)
ROWS, KNOWN = 5_000, 300


def test_forth_back_and_forth_again_under_load(db: str) -> None:
    try:
        pgbench()
    except UsageError as error:
        pytest.skip(str(error))
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


def test_a_writer_that_has_read_before_is_in_no_deadlock(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits while writers are held off, and the switch must not wait for it in turn."""
    seed(conn, 20, FakeEmbedder("old", 8))
    # Nothing is caught up with before writers are held off.
    monkeypatch.setattr(online, "_ROUNDS", 0)
    monkeypatch.setattr(apply, "_FIRST_PAUSE_SECS", 0.1)
    failed: list[str] = []

    def write() -> None:
        time.sleep(0.1)
        try:
            writer.execute("UPDATE knowledge_nodes SET content = 'read, then written' WHERE content LIKE '%number 1'")
        except psycopg.Error as error:
            failed.append(str(error))
        writer.rollback()

    points = Points(monkeypatch)
    writes = threading.Thread(target=write)
    points.before("lock/writers/20_lock_target.sql", lambda: writer.execute("SELECT FROM knowledge_nodes FOR UPDATE"))
    points.after("online/write_changed/10_write_changed.sql", writes.start)
    new = FakeEmbedder("new", 12)
    with psycopg.connect(db) as writer:
        run_reembed(db, new, ReembedPlan(online=True, lock_timeout_secs=0.5))
        writes.join()
    assert failed == []
    check_space(conn, new)


def test_who_waits_for_the_whole_table_while_writers_are_held_off_is_in_no_deadlock(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VACUUM FULL waits for the run's lock, and the run's other sessions would wait behind it, unseen by the server."""
    seed(conn, 20, FakeEmbedder("old", 8))
    monkeypatch.setattr(online, "_ROUNDS", 0)
    monkeypatch.setattr(apply, "_FIRST_PAUSE_SECS", 0.1)
    failed: list[str] = []

    def vacuum() -> None:
        try:
            vacuumer.execute("VACUUM FULL knowledge_nodes")
        except psycopg.Error as error:
            failed.append(str(error))

    def begin() -> None:
        vacuums.start()
        wait_for(conn, "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'knowledge_nodes'::regclass")

    vacuums = threading.Thread(target=vacuum)
    Points(monkeypatch).after("lock/writers/20_lock_target.sql", begin)
    new = FakeEmbedder("new", 12)
    with psycopg.connect(db, autocommit=True) as vacuumer:
        vacuumer.execute("SET lock_timeout = '8s'")
        run_reembed(db, new, ReembedPlan(online=True, lock_timeout_secs=0.3))
        vacuums.join()
    assert failed == []
    check_space(conn, new)
