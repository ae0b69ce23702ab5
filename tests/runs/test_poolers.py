"""Poolers: one that shares sessions is noticed and refused before anything is set; one that does not may be used."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import Conn, FakeEmbedder, check_space, seed
from support.pgbouncer import pgbouncer

from vestige_sql import ReembedPlan, dry_run_reembed, run_reembed, search, stage_reembed
from vestige_sql.database import pooler
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import TargetError
from vestige_sql.look.status import status

ROOT = Path(__file__).parents[2]
OLD, NEW = FakeEmbedder("old", 8), FakeEmbedder("new", 12)

_SETTINGS = (
    *("search_path", "session_replication_role", "row_security", "statement_timeout", "lock_timeout"),
    *("maintenance_work_mem", "DateStyle", "quote_all_identifiers", "default_transaction_read_only"),
)
_LEFT = f"""
SELECT s.name, current_setting(s.name) FROM pg_settings s
WHERE s.name = ANY (ARRAY[{", ".join(repr(name) for name in _SETTINGS)}]) AND s.source = 'session'
UNION ALL
SELECT 'vestige_sql.' || n, current_setting('vestige_sql.' || n, true)
FROM unnest(ARRAY['search_path', 'filling', 'refusals']) AS n WHERE current_setting('vestige_sql.' || n, true) <> ''
"""


@contextmanager
def _sessions(through: str, size: int) -> Iterator[list[Conn]]:
    """All of a pool's sessions at once, each kept busy by an open transaction."""
    clients: list[Conn] = []
    try:
        for _ in range(size):
            clients.append(psycopg.connect(through))
            clients[-1].execute("SELECT 1")
        yield clients
    finally:
        for client in clients:
            client.close()


def _check_nothing_left(conn: Conn, through: str, size: int) -> None:
    with _sessions(through, size) as clients:
        for client in clients:
            assert client.execute(_LEFT).fetchall() == []  # type: ignore[call-overload]
    claims = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory'"
    claims += " AND datname = current_database()"
    assert conn.execute(claims).fetchone() == (0,)


def _verbs(through: str) -> dict[str, Any]:
    return {
        "reembed": lambda: run_reembed(through, NEW),
        "online": lambda: run_reembed(through, NEW, ReembedPlan(online=True)),
        "dry run": lambda: dry_run_reembed(through, NEW),
        "status": lambda: status(through),
        "up": lambda: migrate_up(through),
        "search": lambda: search(through, "memory", mode="text"),
    }


@pytest.mark.parametrize(
    ("mode", "size", "more"),
    [
        ("transaction", 1, {}),
        ("transaction", 4, {}),
        ("transaction", 4, {"server_round_robin": 1}),
        ("statement", 2, {}),
    ],
    ids=["one session", "the last one first", "in turn", "statements"],
)
def test_a_pooler_that_shares_sessions_is_refused(
    db: str, conn: Conn, mode: str, size: int, more: dict[str, Any]
) -> None:
    seed(conn, embedder=OLD)
    with pgbouncer(db, mode, size, **more) as through:
        if mode == "transaction" and size > 1:
            # The pool has all its sessions, idle, as after some hours of an application's.
            with _sessions(through, size):
                pass
        for name, verb in _verbs(through).items():
            encoded = NEW.calls
            wanted = "transaction blocks not allowed" if mode == "statement" else "each transaction another session"
            with pytest.raises(TargetError, match=wanted) as caught:
                verb()
            assert "session mode" in caught.value.hint, name
            assert encoded == NEW.calls
        if mode == "transaction":
            _check_nothing_left(conn, through, size)
    check_space(conn, OLD)


def test_a_busy_pool_is_noticed_too(db: str, conn: Conn) -> None:
    seed(conn, embedder=OLD)
    stop = threading.Event()

    def work(through: str) -> None:
        with psycopg.connect(through, autocommit=True, prepare_threshold=None) as client:
            while not stop.is_set():
                client.execute("SELECT pg_sleep(0.002)")

    with pgbouncer(db, "transaction", 3) as through:
        workers = [threading.Thread(target=work, args=(through,)) for _ in range(5)]
        for worker in workers:
            worker.start()
        try:
            for _ in range(5):
                with pytest.raises(TargetError, match="each transaction another session"):
                    status(through)
        finally:
            stop.set()
            for worker in workers:
                worker.join()


def test_through_session_mode_all_works_and_nothing_stays_behind(db: str, conn: Conn) -> None:
    seed(conn, embedder=OLD)
    # A pooler that clears nothing between its clients is the worst case.
    with pgbouncer(db, "session", 8, server_reset_query="") as through:
        run_reembed(through, NEW)
        check_space(conn, NEW)
        run_reembed(through, OLD, ReembedPlan(online=True))
        check_space(conn, OLD)
        status(through)
        _check_nothing_left(conn, through, 8)


def test_a_pooler_with_one_session_is_told(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, embedder=OLD)
    monkeypatch.setattr(pooler, "_PATIENCE_SECS", 0.5)
    with pgbouncer(db, "session", 1) as through, pytest.raises(TargetError, match="a second connection failed"):
        run_reembed(through, NEW)
    check_space(conn, OLD)


def test_a_direct_connection_costs_no_other(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a second connection was opened")

    monkeypatch.setattr(pooler, "check_keeps_session", never)
    status(db)


@pytest.mark.parametrize("way", ["rewrite", "swap", "online fill quiet"])
def test_by_hand_nothing_outlives_the_transaction(db: str, conn: Conn, psql: str, way: str) -> None:
    seed(conn, embedder=OLD)
    stage_reembed(db, NEW, ReembedPlan(online=True))
    steps = ["-f", "sql/transaction/10_set_limits.sql", "-f", "sql/variables.psql"]
    plan = subprocess.run(
        ["sql/plan", *way.split()], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    before = []
    if way.startswith("online"):
        prepare = ["sql/plan", "online", "prepare"]
        before = subprocess.run(prepare, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    # The pool's one session is the next client's.
    with pgbouncer(db, "transaction", 1) as through:
        for these in filter(None, (before, plan)):
            command = [psql, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", through, *steps]
            claim = ["-f", "sql/transaction/20_claim_run.sql"]
            done = subprocess.run([*command, *claim, *these], cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            _check_nothing_left(conn, through, 1)
