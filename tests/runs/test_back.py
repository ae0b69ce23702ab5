"""Online runs that are stopped anywhere go on or are undone; what was switched is taken back, what is kept let go."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg
import pytest
import support
from psycopg import sql
from psycopg.pq import TransactionStatus
from support import (
    BUILDER,
    HNSW,
    HNSW_DEFINITION,
    Conn,
    FakeEmbedder,
    Points,
    catalog,
    check_space,
    connected,
    index_definition,
    key_of,
    killed_run,
    literal,
    patch_run,
    registered,
    seed,
    space_of,
    table_name,
    terminate,
    vectors,
    wait_for,
    writing,
)
from support.killed_run import Point, kill
from test_any_table import GRANTS, Role, role, run_sql

from vestige_sql import (
    VESTIGE,
    ReembedPlan,
    Target,
    abort_reembed,
    apply_reembed,
    apply_staged,
    cli,
    dry_run_reembed,
    finalize,
    rollback,
    run_reembed,
    stage_reembed,
    steps,
)
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import CheckFailed, LockNotAvailable, StagedForAnother, TargetError, UsageError, VestigeError
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.look.target import ask_gate
from vestige_sql.reembed import online, stage
from vestige_sql.resources import resource_dir
from vestige_sql.steps import plans

__all__ = ["role"]

OLD, NEW = FakeEmbedder("old", 24), FakeEmbedder("new", 32)
ONLINE_FIELDS = {"online": True, "recall_sample": 5}
ONLINE = ReembedPlan(**ONLINE_FIELDS)  # type: ignore[arg-type]
ROWS = 12

FILL = "online/fill/10_fill_batch.sql"

Databases = Callable[[], AbstractContextManager[str]]


def old() -> FakeEmbedder:
    """The old model, with its own count of texts."""
    return FakeEmbedder("old", 24)


def new() -> FakeEmbedder:
    return FakeEmbedder("new", 32)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small pages, and logging as it was after a command line."""
    monkeypatch.setattr(stage, "PAGE_ROWS", 5)
    log = logging.getLogger("vestige_sql")
    before = log.handlers, log.propagate, log.level
    yield
    log.handlers, log.propagate = before[:2]
    log.setLevel(before[2])


# --- Looking, with SQL that shares nothing with the runner's ---


def others(conn: Conn, target: Target = VESTIGE) -> dict[str, str]:
    """Every column of every row that holds no vector, as text, by key."""
    columns = conn.execute(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND format_type(atttypid, -1) NOT IN ('vector', 'halfvec')",
        (target.table,),
    ).fetchone()
    assert columns is not None
    found = conn.execute(
        sql.SQL("SELECT {}::text, (SELECT row(x)::text FROM (SELECT {}) AS x) FROM {}").format(
            key_of(target),
            sql.SQL(columns[0]),
            table_name(target),
        )
    )
    return dict(found.fetchall())


def package(conn: Conn) -> dict[str, list[Any]]:
    """What there is in the package's schema, apart from the audit."""
    asked = {
        "relations": "SELECT relname FROM pg_class WHERE relnamespace = 'vestige_sql'::regnamespace",
        "functions": "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'vestige_sql'::regnamespace",
        "indexes to build": "SELECT index_name, built_as, definition FROM vestige_sql.saved_index",
        "kept": "SELECT table_name, column_name, place, model_name, dimension, model_hash FROM vestige_sql.kept",
        "open runs": "SELECT state, filled_to, verified_at IS NOT NULL FROM vestige_sql.run"
        " WHERE state NOT IN ('done', 'aborted')",
    }
    return {what: conn.execute(f"{query} ORDER BY 1").fetchall() for what, query in asked.items()}  # type: ignore[arg-type]


def everything(conn: Conn) -> dict[str, Any]:
    """What must be the same after a run that was undone."""
    return {
        "catalog": catalog(conn),
        "others": others(conn),
        "vectors": vectors(conn),
        "registered": registered(conn),
        "package": package(conn),
    }


def indexes(conn: Conn) -> list[Any]:
    """The indexes of the table, valid or not."""
    return conn.execute(
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
        " WHERE indrelid = 'knowledge_nodes'::regclass ORDER BY 1"
    ).fetchall()


def unembedded(conn: Conn) -> int:
    """How many rows have text and no vector."""
    row = conn.execute("SELECT count(*) FROM knowledge_nodes WHERE content ~ '\\S' AND embedding IS NULL").fetchone()
    assert row is not None
    return int(row[0])


def second_column(conn: Conn) -> dict[str, Any] | None:
    """The texts and vectors of the column that is filled, None where it is not there."""
    row = conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'knowledge_nodes'::regclass AND attname ~ '^embedding_'"
    ).fetchone()
    return vectors(conn, Target(embedding_column=row[0])) if row else None


# --- Stopping ---


class Stopped(Exception):
    """What a run is stopped by: nothing that it knows."""


def stop() -> None:
    raise Stopped


def change(conn: Conn) -> None:
    """What an application does, which knows nothing of the run: a text changes, a row comes, and one goes."""
    conn.execute(
        "UPDATE knowledge_nodes SET content = 'changed', embedding = %s WHERE content = 'memory number 3'",
        (literal(OLD.vector("changed")),),
    )
    conn.execute("INSERT INTO knowledge_nodes (content, embedding) VALUES ('late', %s)", (literal(OLD.vector("late")),))
    conn.execute("DELETE FROM knowledge_nodes WHERE content = 'memory number 4'")


@dataclass(frozen=True)
class Boundary:
    """A step of a run after which it may die: one that commits by itself, or the first or last of its transaction."""

    name: str
    changes: bool
    """What is left when it dies there is not what was left one boundary before."""


@pytest.fixture(scope="module")
def boundaries(databases: Databases) -> list[Boundary]:
    """The steps of an online run that write, in the order in which they first ran."""
    ran: list[tuple[str, object, object]] = []
    run = steps.run

    def watched(conn: Conn, step: steps.Step, values: Mapping[str, steps.Value]) -> steps.StepRun:
        done = run(conn, step, values)
        if step.header["Run again"] != "safe, it only reads":
            # By when it began: one transaction may follow another at once.
            inside = (
                conn.info.transaction_status == TransactionStatus.INTRANS and conn.execute("SELECT now()").fetchone()
            )
            ran.append((step.name, inside, (package(observer), indexes(observer))))
        return done

    with databases() as db, psycopg.connect(db, autocommit=True) as observer, pytest.MonkeyPatch.context() as patch:
        seed(observer, ROWS, OLD)
        patch_run(patch, watched)
        points = Points(patch)
        # Before the second batch: the first one's rows are locked until it commits.
        points.after(FILL, lambda: points.before(FILL, lambda: change(observer)))
        run_reembed(db, new(), ONLINE)
    for folder in (resource_dir("sql") / "online").iterdir():
        assert {step.name for step in steps.folder(f"online/{folder.name}")} <= set(points.ran)
    kept: dict[str, Boundary] = {}
    left: object = None
    for inside, group in groupby(ran, key=lambda each: each[1]):
        those = [each for each in group if not inside or each[0] != "run/record_step.sql"]
        for name, _, after in those[:1] + those[-1:] if inside else those:
            kept.setdefault(name, Boundary(name, after != left or name.startswith("online/")))
            left = after
    return list(kept.values())


def run_until(
    db: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    model: FakeEmbedder,
    action: Callable[[], object] = stop,
    *,
    when: str = "after",
) -> bool:
    """Run online, with ``action`` before or after the step ``name``. Returns whether the run was stopped."""
    with monkeypatch.context() as patch:
        getattr(Points(patch), when)(name, action)
        try:
            run_reembed(db, model, ONLINE)
        except (Stopped, VestigeError):
            return True
    return False


def test_stopped_after_each_step_it_goes_on(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, boundaries: list[Boundary]
) -> None:
    seed(conn, ROWS, OLD)
    before, untouched = others(conn), package(conn)
    encoded: list[str] = []
    space = OLD
    for number, boundary in enumerate(boundaries):
        model = new()
        # After its last step a run has no use for its sessions.
        action = (lambda: terminate(conn)) if number % 3 == 1 and boundary.name != "run/close.sql" else stop
        stopped = run_until(db, monkeypatch, boundary.name, model, action)
        encoded += model.texts
        if not stopped:
            # One that died after the switch has no report to keep. So begin once more.
            assert boundary.name.startswith("run/")
            rollback(db)
            finalize(db)
            assert run_until(db, monkeypatch, boundary.name, new(), action)
        # Once it is the new one it stays the new one.
        found = space_of(conn, [OLD, NEW])
        assert found is NEW or found is space, boundary
        space = NEW if found is NEW else OLD
        assert unembedded(conn) == 0
        assert others(conn) == before, boundary
        assert index_definition(conn) == HNSW_DEFINITION
        if boundary.name == "index/save/20_save_default.sql":
            change(conn)
            before = others(conn)
    run_reembed(db, new(), ONLINE)
    check_space(conn, NEW)
    assert sorted(encoded) == sorted([*(f"memory number {i}" for i in range(ROWS)), "changed", "late"])
    finalize(db)
    assert package(conn) == untouched


def test_aborted_after_each_step_it_is_as_before(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, boundaries: list[Boundary]
) -> None:
    seed(conn, ROWS, OLD)
    before = everything(conn)
    points: list[str] = []

    def changed() -> None:
        conn.execute(
            "UPDATE knowledge_nodes SET metadata = '{}', content = content || '!', embedding = NULL WHERE content ~ '7'"
        )
        before.update(others=others(conn), vectors=vectors(conn))

    for boundary in boundaries:
        if not boundary.changes:
            continue
        with monkeypatch.context() as patch:
            points_of_run = Points(patch)
            points_of_run.after(FILL, lambda run=points_of_run: run.before(FILL, changed))
            assert run_until(db, patch, boundary.name, new()), boundary
        if space_of(conn, [OLD, NEW]) is NEW:
            break
        points.append(boundary.name)
        begun = bool(package(conn)["open runs"])
        assert abort_reembed(db) == begun
        assert everything(conn) == before, boundary
        assert not abort_reembed(db)
    assert len(points) > 8
    # What was switched is not undone by an abort, but what the run made for itself is cleared away.
    assert not abort_reembed(db)
    assert finalize(db) is not None
    assert run_reembed(db, new()).nothing_to_do
    check_space(conn, NEW)
    assert package(conn) == before["package"]


def test_undoing_that_is_stopped(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, ROWS, OLD)
    before = everything(conn)

    def stopped(undo: Callable[[str], object], plan: str, part: str) -> None:
        """It dies after the last step that it runs."""
        with monkeypatch.context() as patch, pytest.raises(Stopped):
            Points(patch).after(plans.load(plan).steps(part)[-1].name, stop)
            undo(db)

    for goes_on in (False, True):
        assert run_until(db, monkeypatch, "index/complete/30_analyze.sql", new())
        # What has been dropped by itself is gone, and nothing of what goes in one transaction.
        stopped(abort_reembed, "abort", "undo")
        assert status(db)["left"] == ["build the new index", "verify every row", "switch"]
        assert space_of(conn, [OLD, NEW]) is OLD
        if not goes_on:
            assert abort_reembed(db)
            assert everything(conn) == before
    again = new()
    run_reembed(db, again, ONLINE)
    assert not again.texts
    switched = everything(conn)
    stopped(rollback, "rollback-column", "back")
    assert everything(conn) == switched
    rollback(db)
    stopped(finalize, "finalize-column", "drop")
    check_space(conn, OLD)
    # Its index is gone, and the way back is there.
    rollback(db)
    check_space(conn, NEW)
    rollback(db)
    finalize(db)
    assert everything(conn) == before


# --- Killed ---


def test_killed_while_filling(victims: Any, db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    before = everything(conn)
    for point in (Point("embed", number=3), Point("after", FILL, 8)):
        kill(victims, db, NEW, ONLINE_FIELDS, point)
        assert space_of(conn, [OLD, NEW]) is OLD
        if point.what == "after":
            found = second_column(conn)
            assert found is not None
            assert 0 < sum(vector is not None for _, vector in found.values()) < ROWS
        assert abort_reembed(db)
        assert everything(conn) == before
        kill(victims, db, NEW, ONLINE_FIELDS, point)
        again = new()
        run_reembed(db, again, ONLINE)
        # The chunk that was being encoded is lost, and no other.
        assert len(again.texts) == (ROWS - 10 if point.what == "embed" else 0)
        check_space(conn, NEW)
        rollback(db)
        assert finalize(db) is not None
    assert everything(conn) == before


def test_killed_while_the_new_index_is_built(
    victims: Any, db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, ROWS, OLD)
    before = everything(conn)
    for undone in (True, False):
        # Only then somebody writes who holds the build up, for the second column could not be added beside that.
        assert run_until(db, monkeypatch, FILL, new())
        with writing(db) as writer:
            process = victims.Process(target=killed_run.run, args=(db, "new", 32, ONLINE_FIELDS, Point("never")))
            process.start()
            pid = wait_for(conn, BUILDER)
            process.kill()
            process.join()
            # As an administrator would who sees that nobody waits for it.
            conn.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
            writer.rollback()
        assert (len(indexes(conn)), [valid for _, valid in indexes(conn)].count(False)) == (
            len(before["catalog"]["indexes"]) + 1,
            1,
        )
        assert space_of(conn, [OLD, NEW]) is OLD
        if undone:
            assert abort_reembed(db)
            assert everything(conn) == before
    again = new()
    run_reembed(db, again, ONLINE)
    assert not again.texts
    check_space(conn, NEW)
    assert index_definition(conn) == HNSW_DEFINITION


def test_killed_as_the_switch_is_committed(victims: Any, db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    before = everything(conn)
    for goes_on in (True, False):
        kill(victims, db, NEW, ONLINE_FIELDS, Point("commit", "run/record_switched.sql"))
        # The server has the COMMIT, and nobody to tell.
        wait_for(conn, "SELECT 1 FROM embedding_model WHERE model_name = 'new'")
        check_space(conn, NEW)
        found = status(db)
        assert (found["phase"], found["left"]) == ("switched", ["drop what the run made for itself"])
        assert found["next"] == ["vestige-sql migrate reembed --model new --dimension 32 --online"]
        if goes_on:
            assert run_reembed(db, new(), ONLINE).nothing_to_do
            assert status(db)["phase"] == "kept"
        # At once, or after what was left to do.
        assert rollback(db).rows_missing == 0
        assert space_of(conn, [OLD, NEW]) is OLD
        finalize(db)
        assert everything(conn) == before


def test_the_server_crashes_while_filling(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A server of its own, for a crash takes everybody's sessions with it.
    db = embedded.start(server_folder)
    for name in ("_FEWEST_ROWS", "_FIRST_ROWS", "_MOST_ROWS"):
        monkeypatch.setattr(online, name, 5)
    try:
        migrate_up(db)
        with psycopg.connect(db, autocommit=True) as conn:
            seed(conn, ROWS, OLD)
            before = others(conn)

        def crash() -> None:
            with psycopg.connect(db) as doomed:
                os.kill(doomed.info.backend_pid, signal.SIGKILL)

        model = new()
        assert run_until(db, monkeypatch, FILL, model, crash)
        assert len(model.texts) == ROWS
        with connected(db) as conn:
            assert space_of(conn, [OLD, NEW]) is OLD
            again = new()
            run_reembed(db, again, ONLINE)
            # Neither the staged vectors nor the notes of changes are in tables that a crash empties.
            assert not again.texts
            check_space(conn, NEW)
            assert others(conn) == before
    finally:
        embedded.stop(server_folder)


# --- Status ---


@pytest.fixture
def database_url(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", db)


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What the command line prints on stdout."""
    assert cli.main(["migrate", *argv]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("database_url")
def test_status_says_what_to_type_next(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seed(conn, ROWS, OLD)
    go_on = "vestige-sql migrate reembed --model new --dimension 32 --online"
    abort, apply = "vestige-sql migrate abort", "vestige-sql migrate apply"

    def phase(*, printed: bool = False) -> tuple[str, list[str], list[str]]:
        found = status(db)
        if not printed:
            return found["phase"], found["left"], found["next"]
        # The command line says the same, to people and to programs; dates are text.
        as_json = json.loads(said(capsys, "status", "--json"))
        lines = said(capsys, "status").splitlines()
        for what in ("phase", "left", "next"):
            assert as_json[what] == found[what]
            listed = [found[what]] if what == "phase" else found[what]
            assert [line.split(None, 1)[1] for line in lines if line.startswith(f"{what} ")] == listed
        return found["phase"], found["left"], found["next"]

    assert phase() == ("at rest", [], [])

    def at_the_third(call: int, _: object) -> None:
        if call == 3:
            stop()

    with pytest.raises(Stopped):
        run_reembed(db, FakeEmbedder("new", 32, hook=at_the_third), ONLINE)
    assert phase(printed=True) == (
        "staging",
        ["encode 2 rows", "put them in place"],
        [go_on, f"{apply} --online", abort],
    )

    def at(step: str, when: str = "after") -> list[str]:
        assert run_until(db, monkeypatch, step, new(), when=when)
        name, left, following = phase(printed=when == "before")
        assert (name, following) == ("filling", [go_on, abort])
        return left

    to_the_end = ["build the new index", "verify every row", "switch"]
    assert at(FILL, "before") == [f"fill {ROWS} rows of the second column", *to_the_end]
    assert at(FILL)[1:] == at("index/save/10_save_definitions.sql", "before") == to_the_end
    conn.execute("UPDATE knowledge_nodes SET content = 'other', embedding = NULL WHERE content = 'memory number 7'")
    assert at("index/complete/30_analyze.sql") == ["catch up with 1 changes", "verify every row", "switch"]
    assert at("online/verify/20_remember_verified.sql") == ["verify every row", "switch"]
    assert at("lock/exclusive/20_lock_target.sql") == ["switch"]
    assert run_until(db, monkeypatch, "stage/drop.sql", new())
    assert phase() == ("switched", ["drop what the run made for itself"], [go_on])
    run_reembed(db, new(), ONLINE)
    back = (
        ["the former vectors are kept: go back to them, or drop them"],
        ["vestige-sql migrate rollback", "vestige-sql migrate finalize"],
    )
    assert phase(printed=True) == ("kept", *back)
    rollback(db)
    assert phase() == ("kept", *back)
    finalize(db)
    assert phase() == ("at rest", [], [])

    # Offline, with the index built afterwards.
    concurrently = ReembedPlan(concurrent_index=True)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        Points(patch).after("index/concurrently/10_set_build_limits.sql", stop)
        run_reembed(db, new(), concurrently)
    assert phase() == ("applied", ["build the index"], ["vestige-sql migrate reembed --model new --dimension 32"])
    run_reembed(db, new(), concurrently)
    assert phase() == ("at rest", [], [])
    conn.execute(f"DROP INDEX {HNSW}")
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        Points(patch).after("lock/writers/20_lock_target.sql", stop)
        run_reembed(db, new())
    assert phase() == ("applied", ["build the index"], ["vestige-sql migrate reembed --model new --dimension 32"])


# --- There and back ---

ALTER = "ALTER TABLE knowledge_nodes ALTER COLUMN embedding"

LONGEST = "searched_by_everybody_" + "x" * 41
"""A name for an index, of 63 bytes, which is all that PostgreSQL allows."""


def live(conn: Conn) -> dict[str, Any]:
    """What the catalog says of the live column and of the indexes by their names, the dimension left out."""
    found = catalog(conn)
    return {
        "column": [row[2:] for row in found["columns"] if row[0] == "embedding"],
        "grants": [row for row in found["grants"] if row[1] == "embedding"],
        "indexes": [row for row in found["indexes"] if "(embedding " in row[1]],
    }


def spaces(conn: Conn) -> dict[str, str]:
    """Of each vector index the column that it is on."""
    return dict(
        conn.execute(
            "SELECT indexname, substring(indexdef FROM '\\((\\w+) ') FROM pg_indexes"
            " WHERE tablename = 'knowledge_nodes' AND indexdef ~ 'USING hnsw'"
        ).fetchall()
    )


def without_vector(conn: Conn) -> set[str]:
    """The texts that have no vector."""
    return {text for (text,) in conn.execute("SELECT content FROM knowledge_nodes WHERE embedding IS NULL")}


def check_live(conn: Conn, model: FakeEmbedder, lacking: set[str]) -> None:
    """Every row has the model's vector of its text but those that lack one, and searches use the index of that name."""
    assert space_of(conn, [OLD, NEW]) is model
    assert without_vector(conn) == lacking
    conn.execute("SET enable_seqscan = off")
    plan = conn.execute(
        "EXPLAIN SELECT FROM knowledge_nodes ORDER BY embedding <-> %s LIMIT 1", (literal(model.vector("any")),)
    ).fetchall()
    conn.execute("RESET enable_seqscan")
    assert LONGEST in str(plan)
    former = {name: on for name, on in spaces(conn).items() if name != LONGEST}
    assert [on[:16] for on in former.values()] == ["former_embedding"]
    assert spaces(conn)[LONGEST] == "embedding"


def make_special(conn: Conn) -> None:
    """Give column and index what there is to be brought along."""
    conn.execute(f"CREATE INDEX {LONGEST} ON knowledge_nodes USING hnsw (embedding vector_l2_ops) WITH (m = 8)")  # type: ignore[arg-type]
    conn.execute(f"COMMENT ON INDEX {LONGEST} IS 'searched by everybody'")  # type: ignore[arg-type]
    conn.execute("COMMENT ON COLUMN knowledge_nodes.embedding IS 'what it means'")
    conn.execute("GRANT SELECT (embedding), UPDATE (embedding) ON knowledge_nodes TO PUBLIC")
    for what in ("STATISTICS 50", "STORAGE MAIN", "(n_distinct = -0.5)"):
        conn.execute(f"{ALTER} SET {what}")  # type: ignore[arg-type]


def write_meanwhile(conn: Conn) -> set[str]:
    """Do what an application does that knows the new model alone. Returns the texts that lack an old vector then."""

    def change(was: str, becomes: str) -> None:
        conn.execute("UPDATE knowledge_nodes SET content = %s, embedding = NULL WHERE content = %s", (becomes, was))

    change("memory number 1", "another text")
    change("memory number 2", "for a moment")
    change("for a moment", "memory number 2")
    change("memory number 3", " ")
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('without a vector')")
    conn.execute(
        "INSERT INTO knowledge_nodes (content, embedding) VALUES ('with a vector', %s)",
        (literal(NEW.vector("with a vector")),),
    )
    conn.execute("DELETE FROM knowledge_nodes WHERE content = 'memory number 4'")
    conn.execute("UPDATE knowledge_nodes SET node_type = 'seen', embedding = embedding WHERE content ~ 'number 5'")
    return {"another text", "memory number 2", "without a vector", "with a vector"}


def test_there_and_back(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD, index=False)
    make_special(conn)
    before, described, untouched = live(conn), catalog(conn), package(conn)

    run_reembed(db, NEW, ONLINE)
    check_live(conn, NEW, set())
    assert live(conn) == before

    lacking = write_meanwhile(conn)
    # And what an administrator does to the column.
    conn.execute("REVOKE SELECT (embedding), UPDATE (embedding) ON knowledge_nodes FROM PUBLIC")
    conn.execute("COMMENT ON COLUMN knowledge_nodes.embedding IS NULL")
    conn.execute(f"{ALTER} SET STORAGE EXTERNAL")
    now, rows = live(conn), others(conn)

    # The lock is waited for as online.
    with psycopg.connect(db) as other:
        other.execute("LOCK TABLE knowledge_nodes IN ACCESS SHARE MODE")
        pid = other.info.backend_pid
        with pytest.raises(LockNotAvailable, match=rf"in 1 attempts of 0\.1 s; in the way: pid {pid} "):
            rollback(db, ReembedPlan(lock_attempts=1))
    assert space_of(conn, [OLD, NEW]) is NEW
    report = rollback(db)
    assert (report.model, report.previous_model, report.way) == (OLD.signature(), NEW.signature(), "back")
    assert report.rows_missing == 4
    assert 0 < report.lock_held_secs < 5
    check_live(conn, OLD, lacking | {" "})
    assert live(conn) == now
    assert others(conn) == rows

    again = old()
    assert run_reembed(db, again).way == "fill"
    assert set(again.texts) == lacking
    check_space(conn, OLD)

    # Forward again: what was written since lacks the new vector, and what lacked it before.
    conn.execute(
        "UPDATE knowledge_nodes SET content = 'later', embedding = %s WHERE content = 'memory number 6'",
        (literal(OLD.vector("later")),),
    )
    assert rollback(db).rows_missing == 4
    check_live(conn, NEW, {"another text", "memory number 2", "without a vector", "later", " "})
    assert live(conn) == now
    run_reembed(db, new(), ONLINE)
    check_space(conn, NEW)

    # And back, where nothing is missing.
    assert rollback(db).rows_missing == 0
    check_live(conn, OLD, {" "})
    check_space(conn, OLD)
    runs = status(db)["last_runs"]
    assert [(r["scope"], r["way"], r["state"], r["from_name"], r["to_name"]) for r in runs[::2]] == [
        ("back", "back", "done", "new", "old"),
        ("back", "back", "done", "old", "new"),
        ("back", "back", "done", "new", "old"),
    ]
    ran = {name for (name,) in conn.execute("SELECT file FROM vestige_sql.step WHERE run_id = %s", (runs[0]["id"],))}
    assert ran == {step.name for step in plans.load("rollback-column").steps() if not step.name.startswith("lock/")}

    assert finalize(db) is not None
    conn.execute("GRANT SELECT (embedding), UPDATE (embedding) ON knowledge_nodes TO PUBLIC")
    conn.execute("COMMENT ON COLUMN knowledge_nodes.embedding IS 'what it means'")
    conn.execute(f"{ALTER} SET STORAGE MAIN")
    assert catalog(conn) == described
    assert package(conn) == untouched


def test_a_default_and_not_null_stay_with_the_live_column(db: str, conn: Conn) -> None:
    """A kept column with a default would get vectors of no text, and one that is NOT NULL would refuse rows."""
    seed(conn, 5, OLD)
    conn.execute(f"{ALTER} SET DEFAULT array_fill(0.5, ARRAY[24])::vector")
    other = FakeEmbedder("new", 24)
    run_reembed(db, other, ONLINE)
    conn.execute(f"{ALTER} SET NOT NULL")
    before = live(conn)
    insert = "INSERT INTO knowledge_nodes (content) VALUES (%s) RETURNING embedding::real[]"
    assert conn.execute(insert, ("one",)).fetchone() == ([0.5] * 24,)
    with pytest.raises(TargetError, match=r"knowledge_nodes.embedding is NOT NULL, and 1 rows written since"):
        rollback(db)
    assert live(conn) == before
    conn.execute("DELETE FROM knowledge_nodes WHERE content = 'one'")
    for model in (OLD, other):
        rollback(db)
        assert registered(conn) == (model.model_name, 24, model.signature().hash)
        assert live(conn) == before
        assert conn.execute(insert, ("two",)).fetchone() == ([0.5] * 24,)
        conn.execute("UPDATE knowledge_nodes SET content = 'three' WHERE content = 'two'")
        conn.execute("DELETE FROM knowledge_nodes WHERE content = 'three'")


def test_a_reader_with_grants_on_columns_alone(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    """It reads the table with all columns that there are, at any time, until the grants are taken from it."""
    seed(conn, 3, OLD)
    columns = ", ".join(name for name, *_ in catalog(conn)["columns"])
    conn.execute(f"GRANT SELECT ({columns}) ON knowledge_nodes TO {role.name}")  # type: ignore[arg-type]

    def read() -> int:
        with psycopg.connect(role.conninfo) as reader:
            return len(reader.execute("SELECT * FROM knowledge_nodes").fetchall())

    assert run_until(db, monkeypatch, FILL, new())
    assert read() == 3
    run_reembed(db, new(), ONLINE)
    assert read() == 3
    rollback(db)
    assert read() == 3
    conn.execute(f"REVOKE SELECT (embedding) ON knowledge_nodes FROM {role.name}")  # type: ignore[arg-type]
    rollback(db)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(role.conninfo) as reader:
        reader.execute("SELECT embedding FROM knowledge_nodes")


def test_a_plain_owner_goes_there_and_back(db: str, conn: Conn, role: Role) -> None:
    conn.execute("CREATE TABLE public.documents (id int PRIMARY KEY, content text, embedding vector(24))")
    conn.execute("INSERT INTO documents SELECT i, 'document ' || i FROM generate_series(1, 9) AS i")
    conn.execute(f"ALTER TABLE documents OWNER TO {role.name}; GRANT CREATE ON SCHEMA public TO {role.name}")  # type: ignore[arg-type]
    run_sql(conn, *(grant.format(role=role.name) for grant in GRANTS))
    target = Target("documents")
    run_reembed(role.conninfo, OLD, target=target)
    for plan in (ONLINE, ReembedPlan(keep_old=True)):
        run_reembed(role.conninfo, NEW, plan, target=target)
        # Another role writes, who has no right to anything of the package's.
        conn.execute("UPDATE documents SET content = 'other', embedding = NULL WHERE id = 1")
        assert rollback(role.conninfo, target=target).rows_missing == 1
        assert finalize(role.conninfo, target=target) is not None
        run_reembed(role.conninfo, OLD, target=target)
        check_space(conn, OLD, target)
        conn.execute("UPDATE documents SET content = 'document 1', embedding = NULL WHERE id = 1")


def test_writers_notice_nothing(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    done = threading.Event()
    failed: list[BaseException] = []
    written = 0

    def write() -> None:
        nonlocal written
        try:
            with psycopg.connect(db, autocommit=True) as writer:
                while not done.is_set():
                    number = written % ROWS
                    for statement in (
                        "INSERT INTO knowledge_nodes (content) VALUES ('new ' || %(n)s)",
                        "UPDATE knowledge_nodes SET content = content || '.', embedding = NULL"
                        " WHERE content LIKE 'memory number ' || %(n)s || '%%'",
                        "UPDATE knowledge_nodes SET metadata = '{}' WHERE content LIKE '%%number ' || %(n)s || '%%'",
                        "SELECT content FROM knowledge_nodes WHERE embedding IS NOT NULL",
                        "DELETE FROM knowledge_nodes WHERE content = 'new ' || %(n)s - 3",
                    ):
                        writer.execute(statement, {"n": number})
                    written += 1
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        run_reembed(db, new(), ONLINE)
        for model in (OLD, NEW, OLD):
            written = 0
            while written < 3 and not failed:
                done.wait(0.01)
            report = rollback(db)
            # Whatever was written meanwhile: no vector of another text.
            assert space_of(conn, [OLD, NEW]) is model
            assert report.rows_missing > 0
        run_reembed(db, old())
        finalize(db)
    finally:
        done.set()
        thread.join()
    assert not failed
    run_reembed(db, old())
    check_space(conn, OLD)


@pytest.mark.parametrize("dimension", [32, 4_100], ids=["none before", "none possible"])
def test_where_only_one_of_the_two_has_an_index(db: str, conn: Conn, dimension: int) -> None:
    model = FakeEmbedder("new", dimension)
    # Above 4,000 dimensions there is none, so that it is the old one that has it.
    has_index = model if dimension == 32 else OLD
    seed(conn, 3, OLD, index=has_index is OLD)

    def check(now: FakeEmbedder) -> None:
        assert registered(conn) == (now.model_name, now.dimension, now.signature().hash)
        names = spaces(conn)
        assert (len(names), names.get(HNSW)) == (1, "embedding" if now is has_index else None)

    run_reembed(db, model, ReembedPlan(online=True))
    check(model)
    for now in (OLD, model, OLD):
        rollback(db)
        check(now)
    if has_index is model:
        # Its name is free for the one that is missing now.
        run_reembed(db, OLD)
        assert index_definition(conn) == HNSW_DEFINITION
        rollback(db)
        assert spaces(conn)[HNSW] == "embedding"
        assert len(spaces(conn)) == 2
    finalize(db)
    assert list(spaces(conn)) == [HNSW]


def test_what_there_is_no_way_back_to(db: str, conn: Conn, capsys: pytest.CaptureFixture[str]) -> None:
    seed(conn, 3)
    at = ("--no-confirm", "--postgres-url", db)

    def refused(match: str) -> None:
        before = support.everything(conn)
        with pytest.raises(CheckFailed, match=match) as stopped:
            rollback(db)
        assert "nothing was written" in stopped.value.hint
        assert support.everything(conn) == before

    refused("no former vectors of public.knowledge_nodes.embedding are kept")
    assert finalize(db) is None
    assert json.loads(said(capsys, "finalize", "--json", *at)) == {"finalized": False}
    assert json.loads(said(capsys, "abort", "--json", "--postgres-url", db)) == {"aborted": False}
    assert cli.main(["migrate", "rollback", *at]) == 1
    assert cli.main(["migrate", "finalize", *at]) == 0
    assert cli.main(["migrate", "abort", "--postgres-url", db]) == 0
    spoken = capsys.readouterr().err
    assert "no former vectors" in spoken
    assert "finalize: nothing to do: no former vectors are kept" in spoken
    assert "abort: nothing to do: no run is under way" in spoken

    # The first model ever, online.
    run_reembed(db, NEW, ONLINE)
    check_space(conn, NEW)
    refused("no model was registered for public.knowledge_nodes.embedding before")
    with pytest.raises(TargetError, match="still kept: they are of no registered model"):
        run_reembed(db, old())
    assert finalize(db) is not None
    run_reembed(db, OLD, ONLINE)

    # A run under way: rows that lack a vector are staged.
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('late')")
    stage_reembed(db, OLD)
    refused(r"run \d+ is under way on public.knowledge_nodes.embedding, to old")
    assert abort_reembed(db)
    assert json.loads(said(capsys, "rollback", "--json", *at))["rows_missing"] == 1
    assert json.loads(said(capsys, "finalize", "--json", *at))["vectors"] == 3


def test_finalize(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, ROWS, OLD)
    described, untouched = catalog(conn), package(conn)
    run_reembed(db, NEW, ONLINE)
    for refused in (old(), FakeEmbedder("third", 8)):
        for begin in (run_reembed, stage_reembed):
            with pytest.raises(TargetError, match=r"still kept: they are of old") as stopped:
                begin(db, refused)
            assert "finalize" in stopped.value.hint
        assert not refused.calls

    # It dies with the index gone and the column there, and goes on.
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        Points(patch).after("lock/exclusive/20_lock_target.sql", stop)
        finalize(db)
    assert status(db)["phase"] == "kept"
    assert list(spaces(conn)) == [HNSW]
    check_space(conn, NEW)
    report = finalize(db)
    assert report is not None
    # 24 floats and a header of 8 bytes each, and the varlena's own.
    assert (report.model, report.vectors, report.bytes_returned) == (OLD.signature(), ROWS, 0)
    assert ROWS * (24 * 4) <= report.bytes_left <= ROWS * (24 * 4 + 16)
    assert finalize(db) is None
    assert [row for row in catalog(conn)["columns"] if row[0] != "embedding"] == [
        row for row in described["columns"] if row[0] != "embedding"
    ]
    assert {k: v for k, v in catalog(conn).items() if k != "columns"} == {
        k: v for k, v in described.items() if k != "columns"
    }
    assert package(conn) == untouched

    # Now another run may begin; its finalize is told in full.
    run_reembed(db, OLD, ONLINE)
    index = conn.execute(
        "SELECT pg_relation_size(indexrelid) FROM pg_index WHERE indrelid = 'knowledge_nodes'::regclass"
        " AND pg_get_indexdef(indexrelid) ~ 'former_embedding'"
    ).fetchone()
    report = finalize(db)
    assert report is not None
    assert (report.bytes_returned,) == index
    assert catalog(conn) == described
    check_space(conn, OLD)


# --- Kept offline ---


def kept(conn: Conn) -> list[Any]:
    return conn.execute("SELECT place, model_name, dimension FROM vestige_sql.kept").fetchall()


def test_offline_ways_keep_the_former_vectors(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    # Every row has text, so NOT NULL is no hindrance.
    conn.execute(f"{ALTER} SET NOT NULL")
    before, described, untouched = others(conn), catalog(conn), package(conn)
    for way, there_and_back in (("rewrite", 3), ("widen", 1), ("swap", 1)):
        run_reembed(db, new(), ReembedPlan(apply=way, keep_old=True))
        check_space(conn, NEW)
        assert kept(conn) == [("table", "old", 24)]
        conn.execute(
            "INSERT INTO knowledge_nodes (content, embedding) VALUES ('late', %s)", (literal(NEW.vector("late")),)
        )
        with pytest.raises(TargetError, match="NOT NULL, and 1 rows written since have no kept vector"):
            rollback(db, ReembedPlan(apply=way))
        check_space(conn, NEW)
        conn.execute("DELETE FROM knowledge_nodes WHERE content = 'late'")
        for model, former in ((OLD, NEW), (NEW, OLD), (OLD, NEW))[:there_and_back]:
            report = rollback(db, ReembedPlan(apply=way))
            assert (report.way, report.rows_missing) == (way, 0)
            check_space(conn, model)
            assert kept(conn) == [("table", former.model_name, former.dimension)]
            assert index_definition(conn) == HNSW_DEFINITION
        told = finalize(db)
        assert told is not None
        assert (told.model, told.vectors, told.bytes_left) == (NEW.signature(), ROWS, 0)
        assert told.bytes_returned > ROWS * 32 * 4
        assert (others(conn), catalog(conn), package(conn)) == (before, described, untouched)


def test_rows_written_since_an_offline_run(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, ROWS, OLD)
    concurrently = ReembedPlan(keep_old=True, concurrent_index=True)
    # It dies before its index, which a rollback ends first.
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        Points(patch).after("index/concurrently/10_set_build_limits.sql", stop)
        run_reembed(db, new(), concurrently)
    assert index_definition(conn) is None
    lacking = write_meanwhile(conn)
    # Here a text that was there before has its vector, for they are kept with the hash of their text.
    lacking -= {"memory number 2"}
    before = others(conn)
    report = rollback(db, ReembedPlan(concurrent_index=True))
    assert (report.rows_missing, report.way) == (len(lacking), "rewrite")
    assert report.index_rebuild_secs > 0
    assert without_vector(conn) == {*lacking, " "}
    assert space_of(conn, [OLD, NEW]) is OLD
    assert index_definition(conn) == HNSW_DEFINITION
    assert others(conn) == before
    assert not package(conn)["open runs"]
    again = old()
    assert run_reembed(db, again).rows_encoded == len(lacking)
    check_space(conn, OLD)
    # Forward, to vectors that a row had when it was taken back.
    assert rollback(db).rows_missing == len({"another text", "memory number 2", "without a vector"})
    runs = status(db)["last_runs"]
    assert [(r["scope"], r["way"], r["state"]) for r in runs[:3]] == [
        ("back", "rewrite", "done"), ("missing", "fill", "done"), ("back", "rewrite", "done")
    ]  # fmt: skip


def test_another_table_of_halfvec(db: str, conn: Conn) -> None:
    if conn.execute("SELECT to_regtype('halfvec')").fetchone() == (None,):
        pytest.skip("halfvec came with pgvector 0.7")
    target = Target('"My Notes"', "No", "Body", "Meaning")
    conn.execute('CREATE TABLE "My Notes" ("No" int PRIMARY KEY, "Body" varchar, "Meaning" halfvec(24))')
    conn.execute("INSERT INTO \"My Notes\" SELECT i, 'note ' || i FROM generate_series(1, 9) AS i")
    run_reembed(db, OLD, target=target)
    conn.execute('CREATE INDEX on_it ON "My Notes" USING hnsw ("Meaning" halfvec_l2_ops)')
    untouched = package(conn), catalog(conn, '"My Notes"')
    for plan, former, model in ((ONLINE, OLD, NEW), (ReembedPlan(keep_old=True), NEW, OLD)):
        run_reembed(db, model, plan, target=target)
        conn.execute('UPDATE "My Notes" SET "Body" = "Body" || \'!\', "Meaning" = NULL WHERE "No" = 1')
        for live in (former, model):
            assert rollback(db, target=target).rows_missing == 1
            assert run_reembed(db, live, target=target).way == "fill"
            check_space(conn, live, target)
            assert conn.execute("SELECT model_name, dimension FROM vestige_sql.model").fetchall() == [
                (live.model_name, live.dimension)
            ]
        assert finalize(db, target=target) is not None
    assert (package(conn), catalog(conn, '"My Notes"')) == untouched


def test_kept_in_the_transaction_of_another_tool(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    stage_reembed(db, NEW)
    with psycopg.connect(db) as tool:
        apply_reembed(tool, plan=ReembedPlan(keep_old=True))
        tool.rollback()
        assert kept(conn) == []
        check_space(conn, OLD)
        with pytest.raises(UsageError):
            apply_reembed(tool, plan=ONLINE)
        tool.rollback()
        assert registered(conn) == (OLD.model_name, OLD.dimension, OLD.signature().hash)
        apply_reembed(tool, plan=ReembedPlan(keep_old=True))
    check_space(conn, NEW)
    assert rollback(db).rows_missing == 0
    check_space(conn, OLD)
    with pytest.raises(UsageError):
        script_staged(db, ONLINE)


# --- Beside each other ---


def test_one_run_at_a_time_and_in_one_mode(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, ROWS, OLD)
    third = FakeEmbedder("third", 8)
    assert run_until(db, monkeypatch, FILL, new())
    before = everything(conn)

    def refused(what: Callable[[], object], match: str) -> None:
        with pytest.raises(StagedForAnother, match=match) as stopped:
            what()
        assert "abort" in stopped.value.hint
        assert everything(conn) == before

    online = "run 1 on public.knowledge_nodes.embedding is changing the model online"
    for offline in (ReembedPlan(), ReembedPlan(concurrent_index=True)):
        refused(lambda plan=offline: run_reembed(db, new(), plan), online)  # type: ignore[misc]
    refused(lambda: dry_run_reembed(db, new()), online)
    refused(lambda: apply_staged(db), online)
    refused(lambda: ask_gate(db), online)
    refused(lambda: script_staged(db), online)
    with psycopg.connect(db) as tool:
        refused(lambda: apply_reembed(tool), online)
    for model in (third, FakeEmbedder("new", 32, salt="tuned")):
        both = f"{NEW.signature()}.*{model.signature()}".replace("(", r"\(").replace(")", r"\)")
        refused(lambda model=model: run_reembed(db, model, ONLINE), both)  # type: ignore[misc]
        refused(lambda model=model: stage_reembed(db, model), both)  # type: ignore[misc]
        assert not model.calls
    # For the registered model there is nothing to do, and nothing is done to the run.
    assert run_reembed(db, old()).nothing_to_do
    assert run_reembed(db, old(), ONLINE).nothing_to_do
    assert everything(conn) == before

    # What changed is staged by one command and put in place by another, without a model.
    change(conn)
    with pytest.raises(CheckFailed, match="changed and do not have their new vectors yet"):
        apply_staged(db, ONLINE)
    assert stage_reembed(db, new()).rows_encoded == 2
    report = apply_staged(db, ONLINE)
    assert (report.way, report.rows_encoded, report.rows_updated) == ("online", 0, ROWS)
    check_space(conn, NEW)
    finalize(db)

    # Staged by a run that meant to go on offline, or by hand.
    stage_reembed(db, third)
    summary = dry_run_reembed(db, third, ONLINE)
    assert (summary.way, summary.rows_staged) == ("online", ROWS)
    again = FakeEmbedder("third", 8)
    assert run_reembed(db, again, ONLINE).rows_encoded == 0
    assert not again.calls
    check_space(conn, third)
    finalize(db)
    stage_reembed(db, OLD)
    assert apply_staged(db, ONLINE).lock_held_secs
    check_space(conn, OLD)


def test_online_where_only_vectors_or_the_index_are_missing(db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    conn.execute(f"DROP INDEX {HNSW}")
    before = catalog(conn)
    report = run_reembed(db, old(), ONLINE)
    assert (report.way, report.rows_encoded) == ("index", 0)
    assert index_definition(conn) == HNSW_DEFINITION
    conn.execute("UPDATE knowledge_nodes SET embedding = NULL WHERE content ~ '7'")
    again = old()
    assert run_reembed(db, again, ONLINE).way == "fill"
    assert again.texts == ["memory number 7"]
    check_space(conn, OLD)
    assert run_reembed(db, old(), ONLINE).nothing_to_do
    assert kept(conn) == []
    conn.execute(f"DROP INDEX {HNSW}")
    assert catalog(conn) == before

    # Where it is NOT NULL, a row without text is refused by name, and nothing is encoded.
    conn.execute(f"{ALTER} SET NOT NULL")
    conn.execute("UPDATE knowledge_nodes SET content = ' ' WHERE content ~ '7'")
    untouched = support.everything(conn)
    for begin in (run_reembed, dry_run_reembed):
        model = new()
        with pytest.raises(TargetError, match=r"public\.knowledge_nodes\.embedding is NOT NULL"):
            begin(db, model, ONLINE)
        assert not model.calls
    assert support.everything(conn) == untouched
    # With a text in every row it works.
    conn.execute("UPDATE knowledge_nodes SET content = 'memory number 7' WHERE content = ' '")
    assert run_reembed(db, new(), ONLINE).way == "online"
    check_space(conn, NEW)


@pytest.mark.parametrize("staged", [False, True], ids=["run", "staged"])
def test_an_index_that_was_left_to_build_is_built_before_its_definition_is_stale(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, staged: bool
) -> None:
    """Above 2,000 dimensions an index is on halfvec, which the definition that was kept for fewer does not say."""
    seed(conn, 3, OLD)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        Points(patch).after("index/concurrently/10_set_build_limits.sql", stop)
        run_reembed(db, NEW, ReembedPlan(concurrent_index=True))
    long = FakeEmbedder("long", 2_100)
    if staged:
        stage_reembed(db, long)
        assert index_definition(conn) == HNSW_DEFINITION
        apply_staged(db)
    else:
        run_reembed(db, long)
    check_space(conn, long)
    if conn.execute("SELECT to_regtype('halfvec')").fetchone() != (None,):
        assert index_definition(conn) == HNSW_DEFINITION.replace(
            "(embedding vector_cosine_ops)", "(((embedding)::halfvec(2100)) halfvec_cosine_ops)"
        )
    else:
        assert index_definition(conn) is None
    assert not package(conn)["indexes to build"]
    assert not package(conn)["open runs"]


@pytest.mark.parametrize(
    ("plan", "phases"),
    [
        (
            ReembedPlan(online=True, recall_sample=0),
            ["lock the table and go back", "count the rows that have no vector of this model"],
        ),
        (
            ReembedPlan(keep_old=True),
            [
                "lock the table and go back",
                "put the former vectors in place",
                "build the index",
                "count the rows that have no vector of this model",
            ],
        ),
    ],
    ids=["column", "table"],
)
def test_a_rollback_says_its_phases(
    db: str, conn: Conn, caplog: pytest.LogCaptureFixture, plan: ReembedPlan, phases: list[str]
) -> None:
    seed(conn, 5, OLD)
    run_reembed(db, NEW, plan)
    caplog.set_level(logging.INFO, "vestige_sql")
    caplog.clear()
    rollback(db)
    said = [record.getMessage() for record in caplog.records if ": phase " in record.getMessage()]
    assert said == [f"rollback: phase {n} of {len(phases)}: {phase}" for n, phase in enumerate(phases, 1)]
    check_space(conn, OLD)
