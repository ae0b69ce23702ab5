"""One worker of many, without Ray: what it may write, when, and how much it asks of the server."""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support import Conn, FakeEmbedder, check_space, dsn, seed

from vestige_sql import VESTIGE, ReembedPlan, Target, cli, run_reembed, stage_reembed, steps
from vestige_sql.cluster.engine import RayEngine
from vestige_sql.cluster.fleet import range_rows
from vestige_sql.cluster.worker import Assignment, Carried, Worker, files_hash
from vestige_sql.database.connection import connect
from vestige_sql.errors import CheckFailed, EngineError, LockNotAvailable, ModelMismatch, ServerLost, UsageError
from vestige_sql.reembed import verbs as reembed
from vestige_sql.reembed.target import probe
from vestige_sql.steps.files import Value

OLD = FakeEmbedder("old", 64)
ROWS = 20
PAGE = 5


def opened(conn: Conn, name: str = "new") -> FakeEmbedder:
    """Open a run that stages for another model and has staged nothing yet; return the model."""
    model = FakeEmbedder(name, 96)

    def stop(*_: object) -> None:
        raise CheckFailed("stopped")

    with pytest.raises(CheckFailed, match="stopped"):
        stage_reembed(dsn(conn), FakeEmbedder(name, 96, hook=stop))
    return model


def worker_for(conn: Conn, model: FakeEmbedder, *, copies: int = 4, target: Target = VESTIGE) -> Worker:
    """A worker for the run that is open now, which has its model."""
    probed = probe(conn, target)
    assert probed.open_run is not None
    signature = model.signature()
    values: dict[str, Value] = probed.values | {
        "dimension": signature.dimension,
        "model_name": signature.name,
        "model_hash": signature.hash,
        "only_missing": False,
        "run_id": probed.open_run.id,
    }
    worker = Worker(
        Assignment(dsn(conn), values, signature, probed.name, 128, PAGE, threads=1, copies=copies, files=files_hash())
    )
    worker.ready(Carried(model))
    return worker


def staged(conn: Conn) -> int:
    probed = probe(conn, VESTIGE)
    if probed.open_run is None or not probed.open_run.staging_exists:
        return 0
    return int(steps.query(conn, "probe/staged.sql", probed.values)[0]["rows_staged"])


def wait_until(holds: Callable[[], object], secs: float = 20) -> None:
    deadline = time.monotonic() + secs
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- What a worker stages ---


def test_ranges_that_overlap_stage_each_row_once(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    model = opened(conn)
    keys = [str(key) for (key,) in conn.execute("SELECT id FROM knowledge_nodes ORDER BY id")]
    worker, other = worker_for(conn, model), worker_for(conn, model)
    assert worker.stage(None, keys[11]) == (12, [5, 5, 2])
    assert other.stage(keys[7], None) == (8, [1, 5, 2])
    assert worker.stage(None, None) == (0, [])
    worker.close()
    other.close()
    # Nothing is left to encode for the run itself.
    again = FakeEmbedder("new", 96)
    run_reembed(dsn(conn), again)
    assert again.texts == []
    check_space(conn, model)


def test_a_worker_with_another_model_is_refused(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    worker = worker_for(conn, opened(conn))
    with pytest.raises(ModelMismatch, match=r"on .* \(pid \d+\) has another model than the run: they differ in hash"):
        worker.ready(Carried(FakeEmbedder("new", 96, salt="other")))


def test_a_worker_with_other_sql_is_refused(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    model = opened(conn)
    told = worker_for(conn, model).told
    with pytest.raises(ModelMismatch, match="another version of vestige-sql"):
        Worker(Assignment(**vars(told) | {"files": "0" * 64})).ready(Carried(model))


# --- A worker that nobody waits for any more ---


def test_nothing_is_encoded_for_a_run_that_is_over(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    model = opened(conn)
    worker = worker_for(conn, model)
    reembed.abort_reembed(dsn(conn))
    opened(conn, "newer")
    with pytest.raises(CheckFailed, match=r"run \d+ is no longer open for new \(96 dimensions"):
        worker.stage(None, None)
    worker.close()
    assert (model.calls, staged(conn)) == (0, 0)


def test_nothing_is_written_for_another_run(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    opened(conn)

    def replaced(call: int, _: object) -> None:
        if call == 3:
            # The first chunk is there by now, or is undone with the others.
            reembed.abort_reembed(dsn(conn))
            opened(conn, "newer")

    worker = worker_for(conn, FakeEmbedder("new", 96, hook=replaced))
    with pytest.raises(CheckFailed, match="no longer open"):
        worker.stage(None, None)
    worker.close()
    assert staged(conn) == 0
    newer = FakeEmbedder("newer", 96)
    run_reembed(dsn(conn), newer)
    assert len(newer.texts) == ROWS
    check_space(conn, newer)


WAITING = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND application_name = 'vestige-sql'"
)


def test_an_abort_waits_for_a_chunk_that_is_being_written(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    worker = worker_for(conn, opened(conn))
    abort = threading.Thread(target=reembed.abort_reembed, args=(dsn(conn),))
    with psycopg.connect(dsn(conn), autocommit=True) as writer:
        with worker._writing(writer):
            abort.start()
            wait_until(lambda: conn.execute(WAITING).fetchone() is not None)
        abort.join(20)
        assert not abort.is_alive()
        with pytest.raises(psycopg.Error, match="no longer open"), worker._writing(writer):
            pass


def test_an_apply_waits_for_a_chunk_that_is_being_written_and_for_no_other(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    model = FakeEmbedder("new", 96)
    stage_reembed(dsn(conn), model)
    worker = worker_for(conn, model)
    with psycopg.connect(dsn(conn), autocommit=True) as writer:
        with worker._writing(writer):
            with pytest.raises(LockNotAvailable):
                run_reembed(dsn(conn), model, ReembedPlan(lock_timeout_secs=0.1, lock_attempts=1))
            # What it waited for was not the table.
            conn.execute("UPDATE knowledge_nodes SET visibility = visibility")
        run_reembed(dsn(conn), model)
        check_space(conn, model)
        with pytest.raises(psycopg.Error, match="no longer open"), worker._writing(writer):
            pass


# --- Kind to the server ---


def test_chunks_wait_for_a_place(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    model = opened(conn)
    worker = worker_for(conn, model, copies=2)
    with psycopg.connect(dsn(conn)) as one, psycopg.connect(dsn(conn)) as other:
        taken = [steps.query(each, "stage/copy_slot.sql", {"copies": 2})[0]["slot"] for each in (one, other)]
        assert sorted(taken) == [0, 1]
        assert steps.query(conn, "stage/copy_slot.sql", {"copies": 2}) == []
        staging = threading.Thread(target=worker.stage, args=(None, None))
        staging.start()
        # Nothing more is encoded while the first waits.
        wait_until(lambda: model.calls == 1)
        time.sleep(0.3)
        assert (model.calls, staged(conn)) == (1, 0)
        one.rollback()
        staging.join(20)
        assert staged(conn) == ROWS
    worker.close()


def test_a_server_that_commits_slowly_is_given_as_long_a_rest(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    model = opened(conn)
    worker = worker_for(conn, model)
    table = probe(conn, VESTIGE).values["staging_table"]
    conn.execute(
        """
        CREATE TABLE written (began timestamptz, ended timestamptz);
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.written SELECT clock_timestamp(), clock_timestamp() FROM pg_sleep(0.2);
            UPDATE public.written SET ended = clock_timestamp() WHERE began = (SELECT max(began) FROM public.written);
            RETURN NULL;
        END $$;
        """
    )
    conn.execute(
        sql.SQL("CREATE TRIGGER slow AFTER INSERT ON vestige_sql.{} EXECUTE FUNCTION slow()").format(
            sql.Identifier(str(table))
        )
    )
    worker.stage(None, None)
    worker.close()
    gaps = conn.execute(
        "SELECT extract(epoch FROM began - lag(ended) OVER (ORDER BY began))::float"
        " FROM written ORDER BY began OFFSET 1"
    ).fetchall()
    # Between the end of one chunk and that of the next: the rest, and the 0.2 s that the next one took.
    assert len(gaps) == ROWS / PAGE - 1
    assert all(gap >= 0.39 for (gap,) in gaps)


@pytest.mark.parametrize("limit", ["DATABASE", "ROLE"])
def test_free_connections_are_those_that_this_role_may_have(conn: Conn, limit: str) -> None:
    free = steps.query(conn, "probe/connections.sql", {})[0]["free"]
    row = conn.execute("SELECT current_setting('max_connections')::int").fetchone()
    assert row is not None
    assert 0 < free < row[0]
    database, role = conn.info.dbname, f"limited_{conn.info.backend_pid}"
    conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    try:
        name = sql.Identifier(database if limit == "DATABASE" else role)
        conn.execute(sql.SQL("ALTER {} {} CONNECTION LIMIT 7").format(sql.SQL(limit), name))  # type: ignore[arg-type]
        conn.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(role)))
        # The one connection to this database is a superuser's by login, and the role's by now.
        assert steps.query(conn, "probe/connections.sql", {})[0]["free"] == (6 if limit == "DATABASE" else 7)
    finally:
        conn.execute("RESET SESSION AUTHORIZATION")
        conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


CORES = [{"CPU": 8.0}, {"CPU": 4.0}, {"CPU": 0.0}]


@pytest.fixture
def with_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here does not need it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


@pytest.mark.parametrize(
    ("options", "nodes", "free", "planned"),
    [
        # A worker for four cores, of the cores of the smaller node; 6 of 92 connections.
        ({}, CORES, 92, (3, 4, 6, 3)),
        ({"workers": 6}, CORES, 92, (6, 2, 12, 6)),
        ({"workers": 6, "threads_per_worker": 1}, CORES, 92, (6, 1, 12, 6)),
        # No more than half of what is free, and a copy for two of the workers that there may be.
        ({"workers": 50}, [{"CPU": 64.0}], 93, (23, 2, 46, 11)),
        ({"workers": 50, "max_copies": 2}, [{"CPU": 64.0}], 93, (23, 2, 46, 2)),
        # One of them is the run's own.
        ({"max_connections": 5}, CORES, 92, (2, 4, 4, 1)),
        ({"max_connections": 50}, CORES, 7, (3, 4, 6, 1)),
        ({"gpus_per_worker": 0.5}, [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 8.0}], 92, (4, 4, 8, 4)),
        # A cluster that grows by itself has nothing but its head at first.
        ({"workers": 3}, [{"CPU": 0.0}], 92, (3, 1, 6, 3)),
    ],
)
def test_how_many_workers_there_are(
    with_ray: None,
    options: dict[str, Any],
    nodes: list[dict[str, float]],
    free: int,
    planned: tuple[int, int, int, int],
) -> None:
    assert RayEngine(**options).plan(nodes, free) == planned


@pytest.mark.parametrize(
    ("options", "free", "message"),
    [
        ({}, 3, "no room for a worker's 2 connections: the server has 3 left"),
        ({"max_connections": 2}, 50, "the limit is 2"),
        ({"gpus_per_worker": 1}, 50, "no node has 1 GPUs"),
    ],
)
def test_where_there_is_no_room_for_a_worker(with_ray: None, options: dict[str, Any], free: int, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        RayEngine(**options).plan(CORES, free)


# --- Ranges ---


@pytest.mark.parametrize(
    ("rows", "workers", "expected"),
    [(0, 4, 2048), (1_000_000, 4, 2048), (5_000_000, 4, 8192), (1_000_000, 1, 6144), (10**9, 64, 65_536)],
)
def test_how_long_a_range_is(rows: int, workers: int, expected: int) -> None:
    assert range_rows(rows, workers, 2048) == expected


def cut(conn: Conn, values: dict[str, Value], rows: int) -> list[str]:
    keys: list[str] = []
    while True:
        after = sql.Literal(keys[-1]).as_string(conn) if keys else None
        found = steps.query(conn, "stage/range.sql", values | {"after": after, "range_rows": rows})
        if not found:
            return keys
        keys.append(found[0]["until"])


@pytest.mark.parametrize("rows", [1, 7, 20, 21])
def test_ranges_are_cut_by_rows(conn: Conn, rows: int) -> None:
    seed(conn, ROWS)
    keys = [str(key) for (key,) in conn.execute("SELECT id FROM knowledge_nodes ORDER BY id")]
    assert cut(conn, probe(conn, VESTIGE).values, rows) == keys[rows - 1 :: rows]


def test_ranges_mean_the_same_to_sessions_with_other_settings(conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    conn.execute(
        "CREATE TABLE days (id date PRIMARY KEY, content text NOT NULL, embedding vector(8));"
        "INSERT INTO days SELECT '2024-01-01'::date + i, 'day ' || i FROM generate_series(1, 40) i"
    )
    days = Target("days")
    model = FakeEmbedder("new", 96)

    def stop(*_: object) -> None:
        raise CheckFailed("stopped")

    with pytest.raises(CheckFailed, match="stopped"):
        stage_reembed(dsn(conn), FakeEmbedder("new", 96, hook=stop), target=days)
    monkeypatch.setenv("PGDATESTYLE", "German, DMY")
    with connect(dsn(conn)) as driver:
        keys = cut(driver, probe(driver, days).values, 13)
    monkeypatch.delenv("PGDATESTYLE")
    worker = worker_for(conn, model, target=days)
    met = [worker.stage(after, until)[0] for after, until in zip([None, *keys], [*keys, None], strict=True)]
    worker.close()
    assert met == [13, 13, 13, 1]


def test_a_range_is_cut_from_the_index_and_reads_no_more_of_it_than_its_rows(conn: Conn) -> None:
    conn.execute("INSERT INTO knowledge_nodes (content) SELECT 'x' FROM generate_series(1, 20000)")
    conn.execute("VACUUM ANALYZE knowledge_nodes")
    values = probe(conn, VESTIGE).values | {"after": "'80000000-0000-0000-0000-000000000000'", "range_rows": 100}
    text = steps.load("stage/range.sql").render(values, conn)
    row = conn.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + text).fetchone()  # type: ignore[operator]
    assert row is not None
    limit = row[0][0]["Plan"]
    scan = limit["Plans"][0]
    while "Plans" in scan:
        scan = scan["Plans"][0]
    assert (scan["Node Type"], scan["Index Name"], scan["Actual Rows"]) == (
        "Index Only Scan",
        "knowledge_nodes_pkey",
        100,
    )
    assert "Sort" not in json.dumps(limit)


# --- Stopping ---


def test_a_stopped_worker_commits_what_is_encoded_and_no_more(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    opened(conn)
    model = FakeEmbedder("new", 96)
    worker = worker_for(conn, model)
    model.hook = lambda call, _: worker.stop() if call == 3 else None
    # Three pages are encoded, and nothing of the fourth.
    assert worker.stage(None, None) == (0, [5, 5, 5])
    worker.close()
    assert (model.calls, staged(conn)) == (3, 15)


def test_a_lost_connection_is_one_and_the_next_range_has_new_ones(conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    opened(conn)

    def cut_off(call: int, _: object) -> None:
        if call == 3:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'vestige-sql'"
            )

    worker = worker_for(conn, FakeEmbedder("new", 96, hook=cut_off))
    with pytest.raises(ServerLost, match="lost its connection"):
        worker.stage(None, None)
    before = staged(conn)
    assert before >= 5
    worker.stage(None, None)
    worker.close()
    assert staged(conn) == ROWS


# --- The engine's options ---


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as said:
        RayEngine()
    assert "vestige-sql[ray]" in said.value.hint


@pytest.mark.parametrize(
    "options", [{"workers": 0}, {"max_copies": 0}, {"gpus_per_worker": -1}, {"address": "ray://head:10001"}]
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        RayEngine(**options)


def test_options_of_ray_without_it(db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["migrate", "stage", "--postgres-url", db, "--model", str(tmp_path), "--dimension", "8", "--workers", "2"]
    assert cli.main(asked) == 2
    assert "--workers requires --engine ray" in capsys.readouterr().err
