"""Runs that are killed, cut off, raced and held up: the column is in one space at every instant, and the next run ends
what was begun."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import (
    BUILDER,
    HNSW,
    HNSW_DEFINITION,
    Conn,
    FakeEmbedder,
    Points,
    catalog,
    check_search,
    check_space,
    connected,
    everything,
    index_definition,
    killed_run,
    literal,
    rows,
    seed,
    space_of,
    terminate,
    wait_for,
    writing,
)
from support.killed_run import Point, kill

from vestige_sql import ReembedPlan, ReembedReport, Target, run_reembed, stage_reembed, steps
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import (
    CheckFailed,
    IndexInvalid,
    LockNotAvailable,
    RunInProgress,
    StagedForAnother,
    VestigeError,
)
from vestige_sql.look.status import status
from vestige_sql.reembed import apply, stage
from vestige_sql.reembed.target import probe
from vestige_sql.reembed.verbs import abort_reembed, apply_staged

WAYS = ("rewrite", "widen", "swap")

# The name says which of the two models it is, the rest is theirs to differ in.
OLD = FakeEmbedder("old", 64)
NEW = FakeEmbedder("new", 96)

ROWS = 20


def plan(**fields: Any) -> ReembedPlan:
    return ReembedPlan(**fields)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of five rows, so that a small table has many; and no time is lost waiting for others."""
    monkeypatch.setattr(stage, "PAGE_ROWS", 5)
    monkeypatch.setattr(apply, "_FIRST_PAUSE_SECS", 0.1)


def staged(conn: Conn) -> int:
    """How many vectors are staged."""
    table = conn.execute(
        "SELECT oid::regclass::text FROM pg_class"
        " WHERE relnamespace = 'vestige_sql'::regnamespace AND relname LIKE 'stage\\_%'"
    ).fetchone()
    if table is None:
        return 0
    row = conn.execute(f"SELECT count(*) FROM {table[0]}").fetchone()
    assert row is not None
    return int(row[0])


def check_done(conn: Conn, model: FakeEmbedder) -> None:
    """Everything is as if no run had ever been killed."""
    check_space(conn, model)
    assert index_definition(conn) == HNSW_DEFINITION
    check_search(conn, model, ["memory number 7"])
    assert not conn.execute("SELECT FROM vestige_sql.saved_index").fetchall()
    assert not conn.execute("SELECT FROM pg_class WHERE relname LIKE 'stage\\_%'").fetchall()
    assert not conn.execute("SELECT FROM vestige_sql.run WHERE state NOT IN ('done', 'aborted')").fetchall()


def finish(db: str, conn: Conn, model: FakeEmbedder, **fields: Any) -> ReembedReport:
    """Check the space that the dead run left, run again, and check that only what was left is encoded."""
    space = space_of(conn, [OLD, NEW])
    left = ROWS - staged(conn) if space is not model else 0
    again = FakeEmbedder(model.model_name, model.dimension)
    report = run_reembed(db, again, plan(**fields))
    assert len(again.texts) == left
    check_done(conn, model)
    return report


# --- Killed ---


@pytest.mark.parametrize("call", [1, 2, 4])
def test_killed_in_a_call_of_the_model(victims: Any, db: str, conn: Conn, call: int) -> None:
    seed(conn, ROWS, OLD)
    before, described = rows(conn), catalog(conn)
    kill(victims, db, NEW, {}, Point("embed", number=call))
    assert space_of(conn, [OLD, NEW]) is OLD
    assert (rows(conn), catalog(conn)) == (before, described)
    # The chunk that was being encoded is lost, and no other.
    assert staged(conn) == 5 * (call - 1)
    report = finish(db, conn, NEW)
    assert report.rows_updated == ROWS
    assert rows(conn) == before


def test_nothing_is_encoded_while_a_chunk_is_on_its_way(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    staged_before_call: list[int] = []

    def hold_up(call: int, _: object) -> None:
        staged_before_call.append(staged(conn))
        # Pages can be read, and the chunk that comes of this call waits for a while.
        slow = psycopg.connect(db)
        (name,) = slow.execute(
            "SELECT relname FROM pg_class WHERE relname LIKE 'stage\\_%' AND relkind = 'r'"
        ).fetchone()
        slow.execute(f"LOCK TABLE vestige_sql.{name} IN SHARE MODE")
        threading.Timer(0.3, slow.close).start()

    run_reembed(db, FakeEmbedder("new", 96, hook=hold_up))
    # Whoever is killed in a call loses what that call is for, and no more.
    assert staged_before_call == [0, 5, 10, 15]
    check_done(conn, NEW)


@pytest.mark.parametrize("chunk", [1, 3, 4])
def test_killed_right_after_a_chunk_was_committed(victims: Any, db: str, conn: Conn, chunk: int) -> None:
    seed(conn, ROWS, OLD)
    kill(victims, db, NEW, {}, Point("chunk", number=chunk))
    assert space_of(conn, [OLD, NEW]) is OLD
    assert staged(conn) >= 5 * chunk
    found = status(db)["open_run"]
    assert (found["name"], found["state"], found["rows_staged"]) == ("new", "staging", staged(conn))
    finish(db, conn, NEW)


def test_killed_twice(victims: Any, db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    kill(victims, db, NEW, {}, Point("chunk", number=1))
    first = staged(conn)
    kill(victims, db, NEW, {}, Point("chunk", number=1))
    assert staged(conn) > first
    finish(db, conn, NEW)
    assert len(status(db)["last_runs"]) == 1


def test_killed_in_the_first_embedding(victims: Any, db: str, conn: Conn) -> None:
    seed(conn, ROWS)
    kill(victims, db, NEW, {}, Point("chunk", number=2))
    assert space_of(conn, [OLD, NEW]) is None
    finish(db, conn, NEW)


# These write nothing, so that the next has them covered.
READ_ONLY = re.compile(
    r"^(probe|session|transaction|gate/[0-3]|lock/\w+/1|index/\w+/10_set|triggers/disable/1|stage/page)|record_step"
)

# Where the same steps run in every way, one way is enough.
OF_EVERY_WAY = re.compile(r"^(run|stage|lock|gate|index|registry)/")

KILLS = {
    "rewrite": ({"apply": "rewrite"}, None),
    "widen": ({"apply": "widen"}, OF_EVERY_WAY),
    "swap": ({"apply": "swap"}, OF_EVERY_WAY),
    "concurrently": ({"concurrent_index": True}, re.compile(r"^(?!index/|run/|stage/drop)")),
}


@pytest.mark.parametrize("case", KILLS)
def test_killed_after_each_step(victims: Any, db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    fields, left_out = KILLS[case]
    seed(conn, ROWS, OLD)
    before = rows(conn)
    with monkeypatch.context() as patch:
        points = Points(patch)
        run_reembed(db, FakeEmbedder("new", 96), plan(**fields))
    names = [
        name
        for name in dict.fromkeys(points.ran[points.ran.index("run/open.sql") :])
        if not READ_ONLY.search(name) and (left_out is None or not left_out.match(name))
    ]
    assert len(names) > 5
    source, model = NEW, OLD
    before_commit: tuple[str, ...] = (
        "stage/",
        "lock/",
        "gate/",
        "triggers/",
        "apply/",
        "registry/",
        "run/record_applied",
    )
    if not fields.get("concurrent_index"):
        before_commit += ("index/c",)
    for name in names:
        kill(victims, db, model, fields, Point("after", name))
        space = space_of(conn, [OLD, NEW])
        assert space in (source, model)
        # Up to the last step before COMMIT nothing is in place.
        if name.startswith(before_commit):
            assert space is source, name
        finish(db, conn, model, **fields)
        assert rows(conn) == before, name
        source, model = model, source


@pytest.mark.parametrize("fields", [{}, {"concurrent_index": True}], ids=["offline", "concurrently"])
def test_killed_around_the_commit(victims: Any, db: str, conn: Conn, fields: dict[str, Any]) -> None:
    seed(conn, ROWS, OLD)
    last = "stage/drop.sql"
    kill(victims, db, NEW, fields, Point("after", last))
    assert space_of(conn, [OLD, NEW]) is OLD
    finish(db, conn, NEW, **fields)

    kill(victims, db, OLD, fields, Point("commit", last))
    deadline = time.monotonic() + 10
    # The server has the COMMIT, and nobody to tell.
    while space_of(conn, [OLD, NEW]) is not OLD:
        assert time.monotonic() < deadline
    finish(db, conn, OLD, **fields)

    after = "run/record_report.sql" if not fields else "index/concurrently/10_set_build_limits.sql"
    kill(victims, db, NEW, fields, Point("before", after, number=2 if not fields else 1))
    assert space_of(conn, [OLD, NEW]) is NEW
    # What is in place is known, and the index is all that there is left to do.
    if fields:
        found = status(db)
        assert found["open_run"]["state"] == "applied"
        assert [index["name"] for index in found["indexes_to_build"]] == [HNSW]
        report = finish(db, conn, NEW)
        assert (report.way, report.rows_encoded) == ("index", 0)
    else:
        assert run_reembed(db, FakeEmbedder("new", 96)).nothing_to_do


def test_killed_while_rows_that_lack_a_vector_are_filled(
    victims: Any, db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, 6, OLD)
    for name in (
        "chunk",
        "lock/writers/20_lock_target.sql",
        "apply/fill/10_fill_missing.sql",
        "run/record_applied.sql",
    ):
        seed(conn, texts=[f"late, for {name}, {i}" for i in range(8)])
        before = rows(conn)
        point = Point("chunk") if name == "chunk" else Point("after", name)
        kill(victims, db, OLD, {}, point)
        assert space_of(conn, [OLD, NEW]) is OLD
        left = 8 - staged(conn)
        again = FakeEmbedder("old", 64)
        assert run_reembed(db, again).rows_updated == 8
        assert len(again.texts) == left
        check_space(conn, OLD)
        assert rows(conn) == before


def test_killed_while_filling_what_somebody_else_fills_then(victims: Any, db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    seed(conn, texts=["late 1", "late 2"])
    kill(victims, db, OLD, {}, Point("chunk"))
    for text in ("late 1", "late 2"):
        conn.execute("UPDATE knowledge_nodes SET embedding = %s WHERE content = %s", (literal(OLD.vector(text)), text))
    again = FakeEmbedder("old", 64)
    report = run_reembed(db, again)
    assert (report.rows_updated, again.texts) == (0, [])
    # Nothing is left of the run that died.
    check_done(conn, OLD)
    assert run_reembed(db, again).nothing_to_do


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch, db: str, conn: Conn) -> Iterator[Callable[[], None]]:
    """Lets an open transaction hold up the concurrent build; what is returned ends it."""
    seed(conn, ROWS, OLD)
    points = Points(monkeypatch)
    block = writing(db)
    points.before("index/concurrently/30_create_indexes.sql", block.__enter__)
    ended = False

    def end() -> None:
        nonlocal ended
        if not ended:
            ended = True
            block.__exit__(None, None, None)

    yield end
    end()


def test_killed_in_the_concurrent_build(victims: Any, db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vestige_sql.reembed.session._CLAIM_SECS", 0.1)
    seed(conn, ROWS, OLD)
    kill(victims, db, NEW, {"concurrent_index": True}, Point("before", "index/concurrently/10_set_build_limits.sql"))
    with writing(db):
        process = victims.Process(
            target=killed_run.run, args=(db, "new", 96, {"concurrent_index": True}, Point("never"))
        )
        process.start()
        pid = wait_for(conn, BUILDER)
        process.kill()
        process.join()
        assert space_of(conn, [OLD, NEW]) is NEW
        # The server does not know yet that nobody waits, and builds on; until then the target is taken.
        with pytest.raises(RunInProgress, match=f"pid {pid} "):
            run_reembed(db, FakeEmbedder("new", 96), plan(concurrent_index=True))
    wait_for(conn, f"SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})")
    finish(db, conn, NEW, concurrent_index=True)


def test_a_fast_encoder_is_at_work_while_a_chunk_is_copied(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PAGE_ROWS", 6), ("FAST_ROWS", 0), ("FEWEST_ROWS", 1)):
        monkeypatch.setattr(stage, name, value)
    seed(conn, 30, OLD)
    uncommitted: list[int] = []
    with psycopg.connect(db) as other:

        def hook(call: int, texts: Any) -> None:
            uncommitted.append(len(new.texts) + len(texts) - staged(conn))
            if call == 3:
                other.execute("SET idle_in_transaction_session_timeout = '10s'")
                (name,) = (
                    other.execute("SELECT relname FROM pg_class WHERE relname ~ '^stage_[0-9a-f]+$'").fetchone() or ()
                )
                other.execute(f"LOCK TABLE vestige_sql.{name} IN SHARE MODE")  # type: ignore[arg-type]
            elif call == 4:
                # The third chunk is being copied, and this is the fourth.
                waits = "wait_event_type = 'Lock' AND query LIKE '%COPY vestige_sql.%'"
                wait_for(conn, f"SELECT pid FROM pg_stat_activity WHERE {waits}")
                other.rollback()
            elif call == 6:
                raise KeyboardInterrupt

        new = FakeEmbedder("new", 96, hook=hook)
        with pytest.raises(KeyboardInterrupt):
            run_reembed(db, new)
    assert max(uncommitted) == 6
    assert staged(conn) == len(new.texts) == 21
    monkeypatch.setattr(new, "hook", None)
    run_reembed(db, new)
    assert len(new.texts) == 30
    check_done(conn, new)


# --- Cut off, and held up, by the server ---


@pytest.mark.parametrize(
    "step",
    [
        "stage/create/20_describe_staging_table.sql",
        "lock/exclusive/20_lock_target.sql",
        "gate/20_staged_is_complete.sql",
        "apply/rewrite/20_rewrite_column.sql",
        "stage/drop.sql",
    ],
)
def test_sessions_terminated_after_a_step(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    seed(conn, ROWS, OLD)
    with monkeypatch.context() as patch:
        Points(patch).after(step, lambda: terminate(conn))
        with pytest.raises(VestigeError, match=r"terminat|closed|lost"):
            run_reembed(db, FakeEmbedder("new", 96))
    assert space_of(conn, [OLD, NEW]) is OLD
    finish(db, conn, NEW)


def test_sessions_terminated_while_encoding(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    with pytest.raises(VestigeError, match=r"terminat|closed|lost") as stopped:
        run_reembed(db, FakeEmbedder("new", 96, hook=lambda call, _: terminate(conn) if call == 3 else None))
    # What went wrong first, and not that the audit could not be told.
    assert "record_error" not in str(stopped.value)
    assert space_of(conn, [OLD, NEW]) is OLD
    assert staged(conn) >= 5
    finish(db, conn, NEW)


def test_the_server_crashes_while_encoding(server_folder: Path) -> None:
    # A server of its own, for a crash takes everybody's sessions with it.
    db = embedded.start(server_folder)
    try:
        migrate_up(db)
        with psycopg.connect(db, autocommit=True) as conn:
            seed(conn, ROWS, OLD)
            before = rows(conn)

        def crash(call: int, _: object) -> None:
            if call == 4:
                with psycopg.connect(db) as doomed:
                    os.kill(doomed.info.backend_pid, signal.SIGKILL)

        with pytest.raises(VestigeError):
            run_reembed(db, FakeEmbedder("new", 96, hook=crash))
        with connected(db) as conn:
            assert space_of(conn, [OLD, NEW]) is OLD
            # A table that is not logged would be empty by now.
            assert staged(conn) >= 10
            finish(db, conn, NEW)
            assert rows(conn) == before
    finally:
        embedded.stop(server_folder)


def test_any_error_of_the_model_leaves_a_run_that_goes_on(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)

    def fail(call: int, _: object) -> None:
        if call == 3:
            raise RuntimeError("out of memory, say")

    with pytest.raises(RuntimeError, match="out of memory"):
        run_reembed(db, FakeEmbedder("new", 96, hook=fail))
    assert space_of(conn, [OLD, NEW]) is OLD
    # Also the chunk that was on its way.
    assert staged(conn) == 10
    finish(db, conn, NEW)


def test_the_concurrent_build_terminated(held_up: Callable[[], None], db: str, conn: Conn) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            run_reembed(db, FakeEmbedder("new", 96), plan(concurrent_index=True))
        except VestigeError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(conn, BUILDER)
    terminate(conn)
    thread.join()
    held_up()
    assert len(failed) == 1
    assert "vectors and registry are in place" in failed[0].hint  # type: ignore[attr-defined]
    assert space_of(conn, [OLD, NEW]) is NEW

    # The build left an INVALID index, which this mode never drops on its own.
    before = everything(conn)
    with pytest.raises(IndexInvalid) as stopped:
        run_reembed(db, FakeEmbedder("new", 96), plan(concurrent_index=True))
    assert everything(conn) == before
    drop = re.search(r"DROP INDEX [^;]*;", stopped.value.hint)
    assert drop is not None
    conn.execute(drop[0])
    finish(db, conn, NEW, concurrent_index=True)


def test_a_lock_timeout_of_the_role_leaves_no_invalid_index(held_up: Callable[[], None], db: str, conn: Conn) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET lock_timeout = '50ms'")  # type: ignore[arg-type]
    threading.Thread(target=lambda: (wait_for(conn, BUILDER), time.sleep(0.3), held_up())).start()
    run_reembed(db, FakeEmbedder("new", 96), plan(concurrent_index=True))
    check_done(conn, NEW)


@pytest.mark.parametrize("mode", ["ACCESS SHARE", "ROW EXCLUSIVE"])
def test_the_table_is_locked_by_another_session(db: str, conn: Conn, mode: str) -> None:
    seed(conn, ROWS, OLD)
    new = FakeEmbedder("new", 96)
    with psycopg.connect(db) as other:
        other.execute(f"LOCK TABLE knowledge_nodes IN {mode} MODE")  # type: ignore[arg-type]
        with pytest.raises(LockNotAvailable, match=f"pid {other.info.backend_pid} ") as stopped:
            run_reembed(db, new, plan(lock_timeout_secs=0.1, lock_attempts=2))
        assert "2 attempts of 0.1 s" in str(stopped.value)
        assert "ends nobody's session" in stopped.value.hint
        assert str(stopped.value).startswith("public.knowledge_nodes could not be locked")
        # And it did not.
        other.execute("SELECT 1")
    assert space_of(conn, [OLD, NEW]) is OLD
    assert len(new.texts) == ROWS
    finish(db, conn, NEW)


def test_a_locked_table_is_named_as_sql_names_it(db: str, conn: Conn) -> None:
    conn.execute('CREATE TABLE "My Notes" (id bigserial PRIMARY KEY, content text, embedding vector(3))')
    with psycopg.connect(db) as other:
        other.execute('LOCK TABLE "My Notes" IN ACCESS SHARE MODE')
        with pytest.raises(LockNotAvailable, match=r'^public\."My Notes" could not be locked'):
            run_reembed(
                db, FakeEmbedder("new", 96), plan(lock_timeout_secs=0.1, lock_attempts=1), target=Target('"My Notes"')
            )


def test_the_lock_is_tried_again_until_the_table_is_free(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    new = FakeEmbedder("new", 96)
    with psycopg.connect(db) as other:
        other.execute("SELECT FROM knowledge_nodes LIMIT 1")
        free = threading.Timer(1, other.commit)
        free.start()
        run_reembed(db, new, plan(lock_timeout_secs=0.1))
        free.join()
    check_done(conn, NEW)
    assert len(new.texts) == ROWS


def test_the_table_is_locked_when_only_the_index_is_to_be_built(db: str, conn: Conn) -> None:
    seed(conn, 5, OLD, index=False)
    with psycopg.connect(db) as other:
        other.execute("LOCK TABLE knowledge_nodes IN ROW EXCLUSIVE MODE")
        with pytest.raises(LockNotAvailable, match=f"pid {other.info.backend_pid} "):
            run_reembed(db, OLD, plan(lock_timeout_secs=0.1, lock_attempts=2))
        free = threading.Timer(0.5, other.commit)
        free.start()
        run_reembed(db, OLD, plan(lock_timeout_secs=0.1))
        free.join()
    check_space(conn, OLD)
    assert index_definition(conn) == HNSW_DEFINITION


@pytest.mark.parametrize("attempts", [1, 5])
def test_too_little_shared_memory_for_parallel_workers(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    seed(conn, ROWS, OLD)

    def full() -> None:
        raise psycopg.errors.DiskFull("could not resize shared memory segment: No space left on device")

    Points(monkeypatch).before("index/create/20_create_indexes.sql", full)
    run_reembed(db, FakeEmbedder("new", 96), plan(lock_attempts=attempts))
    check_done(conn, NEW)


# --- Rows that change meanwhile ---


def change(db: str, model: FakeEmbedder, tag: str) -> None:
    """Do to the table what applications do, with vectors of the model that they know."""
    with psycopg.connect(db) as conn:
        conn.execute(
            "INSERT INTO knowledge_nodes (content, embedding) VALUES (%s, %s)",
            (f"inserted {tag}", literal(model.vector(f"inserted {tag}"))),
        )
        conn.execute("INSERT INTO knowledge_nodes (content) VALUES (%s)", (f"inserted {tag} without a vector",))
        conn.execute("INSERT INTO knowledge_nodes (content) VALUES (E' \\n')")
        for number in (1, 13):
            text = f"updated {tag} {number}"
            conn.execute(
                "UPDATE knowledge_nodes SET content = %s, embedding = %s WHERE content = %s",
                (text, literal(model.vector(text)), f"memory number {number}"),
            )
        conn.execute("UPDATE knowledge_nodes SET node_type = 'touched' WHERE content = 'memory number 5'")
        conn.execute("UPDATE knowledge_nodes SET content = '', embedding = NULL WHERE content = 'memory number 9'")
        conn.execute("DELETE FROM knowledge_nodes WHERE content IN ('memory number 2', 'memory number 17')")


CHANGED = 4
"""How many texts of ``change`` are new."""


@pytest.mark.parametrize("way", [*WAYS, "concurrently"])
@pytest.mark.parametrize("when", ["while staging", "before the lock"])
def test_rows_that_change_during_the_run(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, way: str, when: str
) -> None:
    seed(conn, ROWS, OLD)
    changed: list[dict[str, str]] = []

    def act() -> None:
        change(db, OLD, when)
        changed.append(rows(conn))

    hook = None
    if when == "while staging":
        # Some keys are behind this page, and some before it.
        hook = lambda call, _: act() if call == 2 else None  # noqa: E731
    else:
        Points(monkeypatch).before("lock/exclusive/20_lock_target.sql", act)
    new = FakeEmbedder("new", 96, hook=hook)
    report = run_reembed(db, new, plan(concurrent_index=True) if way == "concurrently" else plan(apply=way))
    check_done(conn, NEW)
    check_search(conn, NEW, [f"inserted {when}", f"updated {when} 13"])
    assert (report.rows_updated, report.rows_blank) == (ROWS + 2 - 2 - 1, 2)
    assert [rows(conn)] == changed
    assert len(new.texts) <= ROWS + CHANGED


def test_rows_that_change_while_missing_vectors_are_filled(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, ROWS, OLD)
    seed(conn, texts=[f"late {i}" for i in range(12)])

    def act() -> None:
        with psycopg.connect(db) as other:
            other.execute("UPDATE knowledge_nodes SET content = 'late and changed' WHERE content = 'late 3'")
            other.execute("DELETE FROM knowledge_nodes WHERE content = 'late 4'")
            other.execute("INSERT INTO knowledge_nodes (content) VALUES ('later')")
            # Somebody else fills one in.
            other.execute(
                "UPDATE knowledge_nodes SET embedding = %s WHERE content = 'late 5'", (literal(OLD.vector("late 5")),)
            )

    Points(monkeypatch).before("lock/writers/20_lock_target.sql", act)
    report = run_reembed(db, FakeEmbedder("old", 64))
    check_space(conn, OLD)
    # Of twelve one was deleted, one filled by somebody else, and one came late.
    assert report.rows_updated == 11
    assert status(db)["last_runs"][0]["rows_written"] == 11


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_row_that_changes_before_the_lock_is_seen_at_any_isolation(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    seed(conn, 5, OLD)
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET default_transaction_isolation = '{isolation}'")  # type: ignore[arg-type]
    Points(monkeypatch).before(
        "lock/exclusive/20_lock_target.sql",
        lambda: conn.execute("UPDATE knowledge_nodes SET content = 'changed' WHERE content = 'memory number 1'"),
    )
    run_reembed(db, FakeEmbedder("new", 96))
    check_space(conn, NEW)


def test_more_changes_than_a_batch_are_staged_first(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, ROWS, OLD)
    calls_under_lock: list[int] = []
    points = Points(monkeypatch)

    def many() -> None:
        conn.execute("UPDATE knowledge_nodes SET content = 'changed: ' || content")

    points.before("lock/exclusive/20_lock_target.sql", many)
    points.after("gate/20_staged_is_complete.sql", lambda: calls_under_lock.append(new.calls))
    new = FakeEmbedder("new", 96)
    run_reembed(db, new, plan(batch_size=4))
    check_space(conn, NEW)
    assert points.ran.count("lock/exclusive/20_lock_target.sql") == 2
    assert len(new.texts) == 2 * ROWS


def test_a_row_that_changes_while_others_are_staged_costs_them_nothing(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, ROWS, OLD)
    new = FakeEmbedder("new", 96)
    stage_reembed(db, new)
    conn.execute("INSERT INTO knowledge_nodes (content) SELECT 'late ' || n FROM generate_series(1, 3) n")
    Points(monkeypatch).after(
        "stage/extent.sql",
        lambda: conn.execute("UPDATE knowledge_nodes SET content = 'changed' WHERE content = 'memory number 1'"),
    )
    run_reembed(db, new)
    check_space(conn, NEW)
    assert len(new.texts) == len(set(new.texts)) == ROWS + 4


def test_a_run_that_goes_on_encodes_first_what_nobody_has_encoded(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    stage_reembed(db, NEW)
    conn.execute("UPDATE knowledge_nodes SET content = 'changed' WHERE content = 'memory number 1'")
    conn.execute("DELETE FROM knowledge_nodes WHERE content = 'memory number 2'")
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('late')")
    new = FakeEmbedder("new", 96)
    run_reembed(db, new)
    assert new.texts == ["late", "changed"]
    check_space(conn, NEW)


@pytest.mark.parametrize(
    ("staged", "missing", "begins"),
    [
        ([], False, [None]),
        ([1], False, ["1"]),
        # row 3 has no text, and row 2 comes before it
        ([1, 2], False, ["3"]),
        ([2, 4], False, [None]),
        ([1, 2, 4, 5], False, []),
        # rows 1, 2 and 4 have a vector
        ([], True, ["4"]),
        ([5], True, []),
    ],
)
def test_where_a_pass_begins(db: str, conn: Conn, staged: list[int], missing: bool, begins: list[str | None]) -> None:
    conn.execute("CREATE TABLE notes (id integer PRIMARY KEY, content text, embedding vector(2))")
    conn.execute(
        "INSERT INTO notes SELECT i, CASE i WHEN 3 THEN ' ' ELSE 'note ' || i END FROM generate_series(1, 5) i"
    )
    conn.execute("UPDATE notes SET embedding = '[1, 2]' WHERE id IN (1, 2, 4)")
    values = probe(conn, Target("notes")).values | {"only_missing": missing, "dimension": 3}
    for step in steps.folder("stage/create"):
        steps.run(conn, step, values)
    conn.execute(
        f"INSERT INTO vestige_sql.{values['staging_table']} SELECT i, '', '[1, 2, 3]' FROM unnest(%s::integer[]) i",  # type: ignore[arg-type]
        (staged,),
    )
    assert [row["after"] for row in steps.query(conn, "stage/first_pending.sql", values)] == begins


def test_a_table_that_changes_faster_than_it_is_encoded(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vestige_sql.reembed.job._ROUNDS", 2)
    seed(conn, ROWS, OLD)
    points = Points(monkeypatch)

    def many() -> None:
        conn.execute("UPDATE knowledge_nodes SET content = content || '.', embedding = NULL")
        points.before("lock/exclusive/20_lock_target.sql", many)

    many()
    with pytest.raises(CheckFailed, match="changes faster"):
        run_reembed(db, FakeEmbedder("new", 96), plan(batch_size=4))
    assert space_of(conn, [OLD, NEW]) is OLD


# --- Two at once, and another model ---


def test_another_model_than_the_one_staged_for(victims: Any, db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    kill(victims, db, NEW, {}, Point("chunk", number=2))
    before = everything(conn)
    for other in (FakeEmbedder("another", 96), FakeEmbedder("new", 97), FakeEmbedder("new", 96, salt="tuned")):
        for way in (run_reembed, stage_reembed):
            with pytest.raises(StagedForAnother) as refused:
                way(db, other)
            for signature in (NEW.signature(), other.signature()):
                assert str(signature) in str(refused.value)
            assert "abort" in refused.value.hint
        assert other.calls == 0
    assert everything(conn) == before
    assert abort_reembed(db)
    assert not abort_reembed(db)
    assert space_of(conn, [OLD, NEW]) is OLD
    assert staged(conn) == 0
    tuned = FakeEmbedder("new", 96, salt="tuned")
    run_reembed(db, tuned)
    assert len(tuned.texts) == ROWS
    check_done(conn, tuned)
    assert [run["state"] for run in status(db)["last_runs"]] == ["done", "aborted"]


def test_staged_by_one_process_and_applied_by_another(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    before, described = rows(conn), catalog(conn)
    new = FakeEmbedder("new", 96)
    assert stage_reembed(db, new).rows_encoded == ROWS
    assert stage_reembed(db, new).rows_encoded == 0
    assert space_of(conn, [OLD, NEW]) is OLD
    assert (rows(conn), catalog(conn)) == (before, described)
    # Without a model, a row that changed since is an error.
    conn.execute("UPDATE knowledge_nodes SET content = 'changed' WHERE content = 'memory number 1'")
    with pytest.raises(CheckFailed, match=r"1 rows.*no staged vector"):
        apply_staged(db)
    assert stage_reembed(db, new).rows_encoded == 1
    assert apply_staged(db).rows_updated == ROWS
    check_done(conn, NEW)
    after = everything(conn)
    assert apply_staged(db).nothing_to_do
    assert everything(conn) == after


def test_a_second_run_on_the_same_target(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vestige_sql.reembed.session._CLAIM_SECS", 0.3)
    seed(conn, ROWS, OLD)
    refused: list[str] = []

    def second(call: int, _: object) -> None:
        if call == 2:
            pid = conn.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'").fetchone()
            assert pid is not None
            # Also under another name of the same table, and for the other phases.
            for target in (Target(), Target("public.knowledge_nodes")):
                with pytest.raises(RunInProgress, match=f"pid {pid[0]} "):
                    run_reembed(db, FakeEmbedder("new", 96), target=target)
            with pytest.raises(RunInProgress):
                abort_reembed(db)
            refused.append("yes")

    run_reembed(db, FakeEmbedder("new", 96, hook=second))
    assert refused
    check_done(conn, NEW)


@pytest.mark.parametrize("fields", [{}, {"concurrent_index": True}], ids=["offline", "concurrently"])
def test_two_targets_at_once(db: str, conn: Conn, fields: dict[str, Any]) -> None:
    seed(conn, ROWS, OLD)
    conn.execute("CREATE TABLE notes (id bigserial PRIMARY KEY, content text, embedding vector(3))")
    conn.execute("INSERT INTO notes (content) SELECT 'note ' || i FROM generate_series(1, 20) AS i")
    both = threading.Barrier(2, timeout=20)
    failed: list[BaseException] = []

    def run(target: Target) -> None:
        try:
            hook = lambda call, _: both.wait() if call in (1, 4) else None  # noqa: E731
            run_reembed(db, FakeEmbedder("new", 96, hook=hook), plan(**fields), target=target)
        except BaseException as error:
            failed.append(error)
            both.abort()

    threads = [threading.Thread(target=run, args=(target,)) for target in (Target(), Target("notes"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    check_done(conn, NEW)
    check_space(conn, NEW, Target("notes"))


# --- A reader ---


@pytest.mark.parametrize("way", [*WAYS, "concurrently"])
def test_a_reader_never_sees_two_models(db: str, conn: Conn, way: str) -> None:
    seed(conn, ROWS, OLD)
    before = rows(conn)
    stop = threading.Event()
    seen: list[str] = []
    failed: list[BaseException] = []

    def read() -> None:
        try:
            with psycopg.connect(db, autocommit=True) as reader:
                while not stop.is_set():
                    model = space_of(reader, [OLD, NEW])
                    assert model is not None
                    seen.append(model.model_name)
                    count = reader.execute("SELECT count(*), count(embedding) FROM knowledge_nodes", prepare=False)
                    assert count.fetchone() == (ROWS, ROWS)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    fields = {"concurrent_index": True} if way == "concurrently" else {"apply": way}
    # The reader looks at least once at every stage of staging.
    slow = lambda *_: time.sleep(0.05)  # noqa: E731
    run_reembed(db, FakeEmbedder("new", 96, hook=slow), plan(**fields))
    run_reembed(db, FakeEmbedder("old", 64, hook=slow), plan(**fields))
    time.sleep(0.1)
    stop.set()
    thread.join()
    if failed:
        raise failed[0]
    changes = [name for name, earlier in zip(seen, [None, *seen], strict=False) if name != earlier]
    assert changes == ["old", "new", "old"]
    check_done(conn, OLD)
    assert rows(conn) == before
