"""Beside others: writers of every kind, stricter isolation, a logical subscriber and a physical standby."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import Conn, Points, check_space, literal, typmod, vectors, wait_for
from test_any_table import DOCUMENTS, NEW, OLD, make, one, run_sql

from vestige_sql import ReembedPlan, finalize, register_model, rollback, run_reembed
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import VestigeError
from vestige_sql.reembed.target import probe

ROWS = 400
ONLINE = ReembedPlan(online=True, lock_attempts=20)
FILL = "online/fill/10_fill_batch.sql"
SWITCHED = "online/switch/55_rename_new_column.sql"

_MAY_FAIL = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


def fill(conn: Conn, rows: int = ROWS) -> None:
    make(conn, keys=range(rows), texts=[f"document number {i}" for i in range(rows)])
    run_sql(conn, "CREATE INDEX documents_hnsw ON documents USING hnsw (embedding vector_cosine_ops)")
    register_model(make_conninfo(conn.info.dsn, password=conn.info.password or None), OLD.signature(), target=DOCUMENTS)


def small_steps(monkeypatch: pytest.MonkeyPatch, rows: int = 20) -> None:
    """So that others come between pages and batches as they would in a large table."""
    monkeypatch.setattr("vestige_sql.reembed.stage.PAGE_ROWS", rows)
    for name in ("_FEWEST_ROWS", "_FIRST_ROWS", "_MOST_ROWS"):
        monkeypatch.setattr(f"vestige_sql.reembed.online.{name}", rows)


class Writer(threading.Thread):
    """Does one of ``ways`` after another until it is ended, each in a transaction at ``isolation``.

    What plain PostgreSQL makes a client do again at that isolation is done again; ``again`` counts how often. ``whole``
    is how often the table is written anew by VACUUM FULL as well, about once a second.
    """

    def __init__(self, conninfo: str, isolation: str = "READ COMMITTED", *, seed: int = 0, whole: int = 0) -> None:
        super().__init__(daemon=True)
        self.done: dict[str, int] = {}
        self.again = 0
        self.failed: list[str] = []
        self._conninfo, self._isolation, self._whole = conninfo, isolation, whole
        self._random = random.Random(seed)
        self._ends = threading.Event()

    def run(self) -> None:
        ways = [self.insert, self.change, self.delete, self.range_, self.blank, self.key]
        due = time.monotonic()
        with psycopg.connect(self._conninfo, autocommit=True) as conn:
            while not self._ends.wait(0.005):
                way = self._random.choice(ways)
                if self._whole and time.monotonic() > due:
                    way, due, self._whole = self.anew, time.monotonic() + 1, self._whole - 1
                try:
                    self._do(conn, way)
                except psycopg.Error as error:
                    self.failed.append(f"{way.__name__}: {error.sqlstate} {error}")
                self.done[way.__name__] = self.done.get(way.__name__, 0) + 1

    def _do(self, conn: Conn, way: Callable[[Conn], object]) -> None:
        if way == self.anew:
            way(conn)
            return
        while True:
            try:
                with conn.transaction():
                    conn.execute(f"SET TRANSACTION ISOLATION LEVEL {self._isolation}".encode())
                    way(conn)
                return
            except _MAY_FAIL as error:
                if self._isolation == "READ COMMITTED":
                    raise
                assert error.sqlstate in ("40001", "40P01")
                self.again += 1

    def _text(self) -> str:
        return f"written {self._random.getrandbits(40)}"

    def insert(self, conn: Conn) -> None:
        conn.execute(
            "INSERT INTO documents (id, body) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET body = excluded.body,"
            " embedding = NULL", (self._random.randrange(ROWS, 2 * ROWS), self._text()),
        )  # fmt: skip

    def change(self, conn: Conn) -> None:
        found = conn.execute("SELECT count(*) FROM documents WHERE body LIKE 'written%'").fetchone()
        conn.execute(
            "UPDATE documents SET body = %s, embedding = NULL WHERE id = %s",
            (f"{self._text()} after {found}", self._random.randrange(ROWS)),
        )

    def delete(self, conn: Conn) -> None:
        conn.execute("DELETE FROM documents WHERE id = %s", (self._random.randrange(2 * ROWS),))

    def range_(self, conn: Conn) -> None:
        """A range of ids goes as a partition would, and comes back as another's."""
        low = 10 * self._random.randrange(ROWS // 10)
        conn.execute("DELETE FROM documents WHERE id >= %s AND id < %s", (low, low + 10))
        conn.execute(
            "INSERT INTO documents (id, body) SELECT i, 'again ' || i FROM generate_series(%s::bigint, %s, 2) i"
            " ON CONFLICT DO NOTHING", (low, low + 9),
        )  # fmt: skip

    def blank(self, conn: Conn) -> None:
        conn.execute("UPDATE documents SET body = ' ', embedding = NULL WHERE id = %s", (self._random.randrange(ROWS),))

    def key(self, conn: Conn) -> None:
        low, high = self._random.randrange(ROWS), 2 * ROWS + self._random.getrandbits(40)
        conn.execute("DELETE FROM documents WHERE id = %s", (high,))
        conn.execute("UPDATE documents SET id = %s WHERE id = %s", (high, low))

    def anew(self, conn: Conn) -> None:
        conn.execute("VACUUM FULL documents")


@contextmanager
def writing(*writers: Writer) -> Iterator[None]:
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        for writer in writers:
            writer._ends.set()
        for writer in writers:
            writer.join()
    assert [failure for writer in writers for failure in writer.failed] == []
    for writer in writers:
        assert len(writer.done) >= 6, writer.done


def until_done(work: Callable[[], object]) -> list[str]:
    """Do it again where it was stopped with nothing lost, as its message says, and return what stopped it."""
    stopped = []
    for _ in range(6):
        try:
            work()
            return stopped
        except VestigeError as error:
            stopped.append(f"{error} {error.hint}")
    raise AssertionError(stopped)


# --- Writers ---


@pytest.mark.parametrize("way", ["rewrite", "swap", "widen"])
def test_offline_beside_writers(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Who writes a vector of the old model meanwhile would mix; these write none, and leave it to the run."""
    fill(conn)
    small_steps(monkeypatch)
    with writing(Writer(db, whole=4), Writer(db, seed=1)):
        stopped = until_done(lambda: run_reembed(db, NEW, ReembedPlan(apply=way), target=DOCUMENTS))
    assert stopped == []
    run_reembed(db, NEW, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)


def test_online_beside_writers(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(conn)
    small_steps(monkeypatch)
    with writing(Writer(db, whole=4), Writer(db, seed=1)):
        stopped = until_done(lambda: run_reembed(db, NEW, ONLINE, target=DOCUMENTS))
        stopped += until_done(lambda: rollback(db, target=DOCUMENTS))
        stopped += until_done(lambda: rollback(db, target=DOCUMENTS))
    # VACUUM FULL and CREATE INDEX CONCURRENTLY can wait for each other, and the server then ends one of them
    assert [message for message in stopped if "deadlock" not in message] == []
    run_reembed(db, NEW, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_online_beside_stricter_writers(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, isolation: str) -> None:
    """They do nothing again that they would not have to beside any other client that updates rows."""
    fill(conn)
    small_steps(monkeypatch)
    writers = [Writer(db, isolation, seed=seed) for seed in range(2)]
    with writing(*writers):
        run_reembed(db, NEW, ONLINE, target=DOCUMENTS)
        rollback(db, target=DOCUMENTS)
    run_reembed(db, OLD, target=DOCUMENTS)
    check_space(conn, OLD, DOCUMENTS)


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_row_filled_since_the_snapshot(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, isolation: str) -> None:
    """A transaction that has read before goes on reading; a row filled since it cannot update, as after any UPDATE."""
    fill(conn, 200)
    new = probe(conn, DOCUMENTS).values["new_column"]
    points = Points(monkeypatch)
    with psycopg.connect(db) as client:
        client.isolation_level = psycopg.IsolationLevel[isolation.replace(" ", "_")]

        def before() -> None:
            client.execute("SELECT count(*) FROM documents")

        def after() -> None:
            assert client.execute("SELECT count(*) FROM documents").fetchone() == (200,)
            assert client.execute("SELECT count(embedding) FROM documents").fetchone() == (200,)
            row = one(conn, f"SELECT min(id) FROM documents WHERE {new} IS NOT NULL")
            with pytest.raises(psycopg.errors.SerializationFailure):
                client.execute("UPDATE documents SET body = 'late' WHERE id = %s", (row,))
            client.rollback()
            client.execute("UPDATE documents SET body = 'late', embedding = NULL WHERE id = 3")
            client.commit()

        points.before(FILL, before)
        # The next step after the batches have been committed.
        points.before("index/save/10_save_definitions.sql", after)
        run_reembed(db, NEW, ONLINE, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)
    assert {text for text, _ in vectors(conn, DOCUMENTS).values()} >= {"late"}


def test_a_snapshot_from_before_the_switch(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees the old registry and the new column, as docs/online.md says; in READ COMMITTED one statement sees one."""
    fill(conn, 30)
    points = Points(monkeypatch)
    query = (
        "SELECT (SELECT model_name FROM vestige_sql.model), array_agg(DISTINCT vector_dims(embedding)),"
        " count(embedding) FROM documents"
    )
    with psycopg.connect(db) as strict, psycopg.connect(db) as usual:
        strict.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

        def snapshot() -> None:
            # No lock on the table, or the switch would wait for it.
            strict.execute("SELECT count(*) FROM vestige_sql.run")
            usual.execute("SELECT count(*) FROM vestige_sql.run")

        points.after("online/verify/20_remember_verified.sql", snapshot)
        run_reembed(db, NEW, ONLINE, target=DOCUMENTS)
        assert strict.execute(query).fetchone() == ("old", [16], 30)
        assert usual.execute(query).fetchone() == ("new", [16], 30)


# --- Replicas ---


def caught_up(conn: Conn, position: str, slot: str) -> None:
    wait_for(
        conn, f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{slot}' AND confirmed_flush_lsn >= '{position}'"
    )


def position(conn: Conn) -> str:
    return str(one(conn, "SELECT pg_current_wal_lsn()"))


@pytest.fixture
def subscriber(primary: tuple[str, Path]) -> Iterator[tuple[str, Conn, Conn]]:
    """The publisher's conninfo, and a connection to it and to its subscriber, another database of the same server."""
    url, _ = primary
    with psycopg.connect(url, autocommit=True) as admin:
        for name in ("published", "subscribed"):
            admin.execute(f"CREATE DATABASE {name}".encode())
    published, subscribed = (make_conninfo(url, dbname=name) for name in ("published", "subscribed"))
    try:
        migrate_up(published, vestige=False)
        with (
            psycopg.connect(published, autocommit=True) as conn,
            psycopg.connect(subscribed, autocommit=True) as there,
        ):
            fill(conn)
            run_sql(
                there, "CREATE EXTENSION vector",
                "CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding vector(8))",
                "CREATE INDEX documents_hnsw ON documents USING hnsw (embedding vector_cosine_ops)",
            )  # fmt: skip
            run_sql(
                conn, "CREATE PUBLICATION documents FOR TABLE documents",
                "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
            )  # fmt: skip
            # In one cluster CREATE SUBSCRIPTION would wait for itself to create the slot.
            link = make_conninfo(published).replace("'", "''")
            run_sql(
                there, f"CREATE SUBSCRIPTION s CONNECTION '{link}' PUBLICATION documents WITH (create_slot = false)"
            )
            wait_for(there, "SELECT 1 FROM pg_subscription_rel WHERE srsubstate = 'r'")
            yield published, conn, there
            run_sql(
                there,
                "ALTER SUBSCRIPTION s DISABLE",
                "ALTER SUBSCRIPTION s SET (slot_name = NONE)",
                "DROP SUBSCRIPTION s",
            )
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            wait_for(
                admin, "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 's' AND active)"
            )
            admin.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 's'")
            for name in ("published", "subscribed"):
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_logical_subscriber_ends_up_equal(
    subscriber: tuple[str, Conn, Conn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the advice of docs/online.md: there and back, with a writer all the time."""
    published, conn, there = subscriber
    small_steps(monkeypatch)
    names = probe(conn, DOCUMENTS).values
    new, kept = names["new_column"], names["kept_column"]
    # the warning prints this statement
    told: list[str] = []
    run_sql(there, f"ALTER TABLE documents ADD COLUMN {new} vector(16)")
    writer = Writer(published)
    with writing(writer):
        run_reembed(published, NEW, ONLINE, target=DOCUMENTS, before_write=told.append)
        assert f"ADD COLUMN {new} public.vector(16)" in told[0]
        # What was sent before the switch arrives under the old names, and the first change after it stops the worker.
        wait_for(
            there,
            "SELECT 1 FROM pg_stat_subscription_stats WHERE subname = 's' AND apply_error_count > 0",
        )
        run_sql(
            there,
            f"CREATE INDEX documents_new ON documents USING hnsw ({new} vector_cosine_ops)",
            "BEGIN",
            f"ALTER TABLE documents RENAME COLUMN embedding TO {kept}",
            f"ALTER TABLE documents RENAME COLUMN {new} TO embedding",
            "COMMIT",
        )
    caught_up(conn, position(conn), "s")
    assert vectors(there, DOCUMENTS) == vectors(conn, DOCUMENTS)
    assert typmod(there, DOCUMENTS) == NEW.dimension

    rollback(published, target=DOCUMENTS)
    run_sql(
        conn,
        "UPDATE documents SET body = 'after the rollback', embedding = NULL WHERE id = (SELECT min(id) FROM documents)",
    )
    time.sleep(0.5)
    run_sql(
        there,
        "BEGIN",
        f"ALTER TABLE documents RENAME COLUMN embedding TO {new}",
        f"ALTER TABLE documents RENAME COLUMN {kept} TO embedding",
        f"ALTER TABLE documents RENAME COLUMN {new} TO {kept}",
        "COMMIT",
    )
    caught_up(conn, position(conn), "s")
    assert vectors(there, DOCUMENTS) == vectors(conn, DOCUMENTS)
    finalize(published, target=DOCUMENTS)
    run_sql(there, f"ALTER TABLE documents DROP COLUMN {kept}")
    run_reembed(published, OLD, target=DOCUMENTS)
    caught_up(conn, position(conn), "s")
    assert vectors(there, DOCUMENTS) == vectors(conn, DOCUMENTS)
    check_space(conn, OLD, DOCUMENTS)


def test_a_physical_standby_ends_up_equal(
    standby: tuple[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its lag is followed while the column is filled, and the index serves there."""
    db, replica = standby
    small_steps(monkeypatch)
    monkeypatch.setattr("vestige_sql.reembed.online._LAG_POLL_SECS", 0.05)
    migrate_up(db, vestige=False)
    with psycopg.connect(db, autocommit=True) as conn, psycopg.connect(replica, autocommit=True) as there:

        def catches_up() -> None:
            wait_for(there, f"SELECT 1 WHERE pg_last_wal_replay_lsn() >= '{position(conn)}'")

        fill(conn)
        catches_up()
        run_sql(there, "SELECT pg_wal_replay_pause()")
        resumed = threading.Timer(1.0, lambda: run_sql(there, "SELECT pg_wal_replay_resume()"))
        points = Points(monkeypatch)
        points.after(FILL, resumed.start)
        caplog.set_level(logging.INFO, "vestige_sql")
        started = time.monotonic()
        with writing(Writer(db)):
            run_reembed(db, NEW, ReembedPlan(online=True, max_lag_bytes=1_000), target=DOCUMENTS)
        assert "a replica is" in caplog.text and time.monotonic() - started > 1
        resumed.join()
        rollback(db, target=DOCUMENTS)
        finalize(db, target=DOCUMENTS)
        run_reembed(db, NEW, ReembedPlan(apply="rewrite"), target=DOCUMENTS)
        check_space(conn, NEW, DOCUMENTS)
        catches_up()
        assert vectors(there, DOCUMENTS) == vectors(conn, DOCUMENTS)
        for table in ("model", "run", "step", "kept"):
            query = f"SELECT t::text FROM vestige_sql.{table} t ORDER BY 1"
            assert there.execute(query.encode()).fetchall() == conn.execute(query.encode()).fetchall()
        run_sql(there, "SET enable_seqscan = off")
        text = "document number 399"
        found = "SELECT body FROM documents ORDER BY embedding <=> '{}' LIMIT 1"
        run_sql(
            conn, f"INSERT INTO documents VALUES (-1, '{text}', '{literal(NEW.vector(text))}') ON CONFLICT DO NOTHING"
        )
        catches_up()
        query = found.format(literal(NEW.vector(text)))
        assert "documents_hnsw" in str(there.execute(f"EXPLAIN {query}".encode()).fetchall())
        assert one(there, query) == text
