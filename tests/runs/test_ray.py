"""Staging on a Ray cluster of two nodes on this machine: who comes, who goes, and that the result is one process's."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from demo.minilm import build_tiny
from support import Conn, FakeEmbedder, check_space, dsn, seed

from vestige_sql import VESTIGE, ReembedReport, run_reembed, stage_reembed, steps
from vestige_sql.cluster import fleet
from vestige_sql.cluster.engine import RayEngine
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode import openvino
from vestige_sql.encode.embedder import Embedder
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import BadEmbedding, EngineError, ModelMismatch, ModelNotFound, UsageError
from vestige_sql.reembed import stage
from vestige_sql.reembed import verbs as reembed
from vestige_sql.reembed.target import probe

OLD = FakeEmbedder("old", 64)
NEW = FakeEmbedder("new", 96)
ROWS = 200
PAGE = 5
RANGE = 20

# At most these rows of a worker are encoded and not committed: a chunk on its way, and one in the works.
UNCOMMITTED = 2 * PAGE


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Ray's own test cluster, with two nodes of one core, and this process connected to it."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        # What the tests' models are made of is found by the workers too.
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        try:
            from ray.cluster_utils import Cluster

            cluster = Cluster(initialize_head=True, head_node_args=_NODE | {"include_dashboard": False})
            cluster.add_node(**_NODE)
            ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:
            pytest.skip(f"Ray does not start here: {error}")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of five rows, and no time is lost waiting."""
    monkeypatch.setattr(stage, "PAGE_ROWS", PAGE)
    monkeypatch.setattr(fleet, "_POLL_SECS", 0.1)


def engine(**options: Any) -> RayEngine:
    return RayEngine(**{"workers": 2, "threads_per_worker": 1, "range_rows": RANGE} | options)


class Notes:
    """What the workers wrote down: the process and the number of texts of each call of the model."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, texts: Sequence[str]) -> None:
        with self.path.open("a") as file:
            file.write(f"{os.getpid()} {len(texts)}\n")

    def read(self) -> list[tuple[int, int]]:
        if not self.path.exists():
            return []
        return [(int(pid), int(texts)) for pid, texts in (line.split() for line in self.path.read_text().splitlines())]

    @property
    def pids(self) -> set[int]:
        return {pid for pid, _ in self.read()}

    @property
    def texts(self) -> int:
        return sum(texts for _, texts in self.read())


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


def wait_until(holds: Callable[[], object], secs: float = 40) -> None:
    deadline = time.monotonic() + secs
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Do ``work`` in a thread while the block runs, and have its error."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(60)
    assert not errors, errors
    assert not thread.is_alive()


def staged(conn: Conn) -> list[Any]:
    """Every staged row."""
    table = probe(conn, VESTIGE).values["staging_table"]
    return conn.execute(f"SELECT id, content_hash, embedding::text FROM vestige_sql.{table} ORDER BY id").fetchall()  # type: ignore[arg-type]


def check_workers(report: ReembedReport, workers: int = 2) -> None:
    """The report has a line a worker, and between them they did it all."""
    assert [worker.worker for worker in report.workers] == list(range(1, workers + 1))
    assert sum(worker.rows for worker in report.workers) == report.rows_encoded


# --- What comes of it ---


def test_the_result_is_that_of_one_process(cluster: Any, db: str, conn: Conn, notes: Notes) -> None:
    texts = [f"memory number {i % 150}" for i in range(ROWS)] + ["", "  \t"]
    seed(conn, texts=texts, embedder=OLD)
    one = stage_reembed(db, FakeEmbedder("new", 96))
    alone = staged(conn)
    reembed.abort_reembed(db)
    assert staged_table_is_gone(conn)

    def together(call: int, called: Sequence[str]) -> None:
        notes.write(called)
        wait_until(lambda: len(notes.pids) == 2)

    model = FakeEmbedder("new", 96, hook=together)
    report = stage_reembed(db, model, engine=engine())
    assert staged(conn) == alone
    assert (report.rows_encoded, report.rows_blank) == (one.rows_encoded, one.rows_blank) == (ROWS, 2)
    check_workers(report)
    # Each row was encoded once, and the ranges were handed out once: nothing was pending after that.
    assert notes.texts <= ROWS
    assert sum(worker.ranges for worker in report.workers) == len(texts) // RANGE + 1

    done = run_reembed(db, model, engine=engine())
    assert (done.rows_updated, done.rows_encoded) == (ROWS, 0)
    check_space(conn, NEW)


def staged_table_is_gone(conn: Conn) -> bool:
    return probe(conn, VESTIGE).open_run is None


def test_changes_during_the_run_are_not_lost(cluster: Any, db: str, conn: Conn, notes: Notes) -> None:
    seed(conn, ROWS, OLD)

    def change() -> None:
        wait_until(lambda: len(notes.read()) > 5)
        with psycopg.connect(db, autocommit=True) as other:
            seed(other, texts=["late"])
            other.execute("UPDATE knowledge_nodes SET content = content || ', changed' WHERE content LIKE '%7'")
            other.execute("DELETE FROM knowledge_nodes WHERE content LIKE '%3'")

    def slow(_: int, texts: Sequence[str]) -> None:
        notes.write(texts)
        time.sleep(0.02)

    with beside(change):
        # For most of these workers there is no room, which holds nothing up.
        report = run_reembed(db, FakeEmbedder("new", 96, hook=slow), engine=engine(workers=5))
    check_space(conn, NEW)
    assert sum(worker.pid is None for worker in report.workers) >= 3


# --- Who comes and goes ---


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is logged."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    log, handler = logging.getLogger("vestige_sql"), Keep()
    monkeypatch.setattr(log, "level", logging.INFO)
    log.addHandler(handler)
    yield lines
    log.removeHandler(handler)


def test_a_worker_that_is_killed_costs_what_it_had_not_committed(
    cluster: Any, db: str, conn: Conn, notes: Notes, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_STRAGGLES_SECS", 0.2)
    monkeypatch.setattr(fleet, "_STRAGGLES", 1.0)
    seed(conn, ROWS, OLD)
    killed = tmp_path / "killed"

    def die_once(call: int, texts: Sequence[str]) -> None:
        notes.write(texts)
        if call == 7 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if call > 10:
            # So that its successor has something left to do.
            wait_until(lambda: len(notes.pids) == 3)
        if call == 11:
            # Longer than a range takes on a busy machine, however soon the successor was there.
            time.sleep(1)

    report = run_reembed(db, FakeEmbedder("new", 96, hook=die_once), engine=engine())
    check_space(conn, NEW)
    assert report.rows_updated == ROWS
    assert sum(worker.lost for worker in report.workers) == 1
    assert ROWS < notes.texts <= ROWS + UNCOMMITTED
    lost, other = sorted(report.workers, key=lambda worker: -worker.lost)
    assert any(line.startswith(f"stage: worker {lost.worker} on ") and "was lost at the keys" in line for line in said)
    # The other one waited for it.
    assert any(line.startswith(f"stage: {other} is slow: ") for line in said)


def test_rows_that_kill_every_worker_stop_the_run(
    cluster: Any, db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_FAILURES", 2)
    seed(conn, ROWS, OLD)

    def die(_: int, texts: Sequence[str]) -> None:
        if "memory number 77" in texts:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(EngineError, match=r"2 workers were lost one after the other at the keys after .* up to"):
        run_reembed(db, FakeEmbedder("new", 96, hook=die), engine=engine())
    # The others' rows stay, and one process that does not die goes on from there.
    left = FakeEmbedder("new", 96)
    run_reembed(db, left)
    assert "memory number 77" in left.texts
    assert len(left.texts) < ROWS
    check_space(conn, NEW)


def test_a_node_is_removed_and_another_added(cluster: Any, db: str, conn: Conn, notes: Notes, tmp_path: Path) -> None:
    seed(conn, 2 * ROWS, OLD)
    go = tmp_path / "go"

    def until_told(call: int, texts: Sequence[str]) -> None:
        notes.write(texts)
        if call > 10:
            wait_until(go.exists)

    engaged = engine()
    # Nodes are added from the main thread alone.
    with beside(lambda: run_reembed(db, FakeEmbedder("new", 96, hook=until_told), engine=engaged)):
        wait_until(lambda: len(notes.pids) == 2)
        cluster.remove_node(cluster.list_all_nodes()[-1])
        cluster.add_node(**_NODE)
        # A worker on the new node takes part.
        wait_until(lambda: len(notes.pids) == 3)
        go.touch()
    check_space(conn, NEW)
    assert sum(worker.lost for worker in engaged.reports) == 1
    assert notes.texts <= 2 * ROWS + UNCOMMITTED


def test_the_driver_is_killed(cluster: Any, db: str, conn: Conn, tiny: Path, tmp_path: Path) -> None:
    seed(conn, ROWS, OLD)
    with psycopg.connect(db) as holder, driver(cluster, db, tiny, tmp_path / "log") as process:
        hold_up_copies(holder, conn)
        process.kill()
        process.wait(20)
        # Ray ends its workers. Until then they may write for this run, which is still the open one.
        holder.rollback()
        wait_until(lambda: not sessions(conn))
    load = load_embedder(str(tiny))
    before = len(staged(conn))
    report = stage_reembed(db, load)
    assert report.rows_encoded == ROWS - before
    assert len(staged(conn)) == ROWS


def test_ctrl_c_commits_what_is_encoded_and_ends_the_workers(
    cluster: Any, db: str, conn: Conn, tiny: Path, tmp_path: Path
) -> None:
    seed(conn, ROWS, OLD)
    with psycopg.connect(db) as holder, driver(cluster, db, tiny, tmp_path / "log") as process:
        hold_up_copies(holder, conn)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping 2 workers" in process.said())
        holder.rollback()
        assert process.wait(40) == 1
    assert "interrupted" in process.said()
    assert "Traceback" not in process.said()
    # What both had encoded is there, and nobody is left.
    assert PAGE < len(staged(conn)) <= 4 * PAGE
    assert process.said().count("wrote batch") == len(staged(conn)) / PAGE
    wait_until(lambda: not sessions(conn))


class Driver(subprocess.Popen[str]):
    """The command line in a process of its own."""

    log: Path

    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def driver(cluster: Any, db: str, model: Path, log: Path) -> Iterator[Driver]:
    with log.open("w") as file:
        process = Driver(
            [sys.executable, "-c", _DRIVER, "migrate", "stage", "--postgres-url", db, "--model", str(model),
             "--dimension", "32", "--engine", "ray", "--address", cluster.address, "--workers", "2",
             "--threads-per-worker", "1", "--range-rows", str(RANGE), "--max-copies", "1"],
            stderr=file, stdout=file, text=True,
        )  # fmt: skip
    process.log = log
    try:
        yield process
    finally:
        process.kill()
        process.wait()


_DRIVER = f"""
import sys
from vestige_sql import cli
from vestige_sql.reembed import stage
stage.PAGE_ROWS = {PAGE}
sys.exit(cli.main())
"""


def hold_up_copies(holder: Conn, conn: Conn) -> None:
    """Take the only place for chunks, and wait until both workers want it."""
    assert steps.query(holder, "stage/copy_slot.sql", {"copies": 1})
    wait_until(lambda: len(sessions(conn)) == 5)
    time.sleep(0.3)


def sessions(conn: Conn) -> list[Any]:
    """The run's own, and two of each worker."""
    return conn.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vestige-sql'"
    ).fetchall()


def test_the_server_is_restarted(cluster: Any, server_folder: Path, notes: Notes) -> None:
    db = embedded.start(server_folder)
    try:
        migrate_up(db)
        with psycopg.connect(db, autocommit=True) as conn:
            seed(conn, ROWS, OLD)

        def slow(_: int, texts: Sequence[str]) -> None:
            notes.write(texts)
            time.sleep(0.05)

        def restart() -> None:
            wait_until(lambda: len(notes.read()) > 12)
            embedded.stop(server_folder)
            embedded.start(server_folder)

        asked = []
        with beside(restart):
            report = run_reembed(db, FakeEmbedder("new", 96, hook=slow), engine=engine(), before_write=asked.append)
        with psycopg.connect(db, autocommit=True) as conn:
            check_space(conn, NEW)
        assert report.rows_updated == ROWS
        check_workers(report)
        assert notes.texts <= ROWS + 2 * UNCOMMITTED
        assert len(asked) == 1
    finally:
        embedded.stop(server_folder)


# --- The model ---


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("model") / "tiny", external_data=True)


def test_a_worker_whose_model_differs_is_refused(
    cluster: Any, db: str, conn: Conn, notes: Notes, tmp_path: Path
) -> None:
    seed(conn, ROWS, OLD)
    first = tmp_path / "first"

    def load(_: int) -> Embedder:
        try:
            first.touch(exist_ok=False)
        except FileExistsError:
            return FakeEmbedder("new", 96)
        return FakeEmbedder("new", 96, salt="another", hook=lambda _, texts: notes.write(texts))

    report = run_reembed(db, NEW, engine=engine(load=load))
    check_space(conn, NEW)
    refused = [worker for worker in report.workers if worker.error]
    assert [(worker.rows, "differ in hash" in str(worker.error)) for worker in refused] == [(0, True)]
    assert notes.read() == []


def test_where_every_worker_has_another_model_nothing_is_staged(cluster: Any, db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)
    with pytest.raises(ModelMismatch, match=r"on .* has another model than the run: they differ in hash"):
        run_reembed(db, NEW, engine=engine(load=lambda _: FakeEmbedder("new", 96, salt="another")))
    assert staged(conn) == []


@pytest.mark.parametrize(
    "precision",
    [
        "fp32",
        pytest.param(
            "bf16",
            marks=pytest.mark.skipif(not openvino.is_offered(), reason="no OpenVINO here, or no bfloat16"),
        ),
    ],
)
def test_a_model_that_no_node_has_is_sent_there(
    cluster: Any, db: str, conn: Conn, tiny: Path, tmp_path: Path, precision: str
) -> None:
    seed(conn, 30, OLD)
    here = shutil.copytree(tiny, tmp_path / "tiny")
    model = load_embedder(str(here), precision=precision)
    sent = Path(tempfile.gettempdir(), f"vestige-sql-{os.getuid()}", model.signature().hash)
    shutil.rmtree(sent, ignore_errors=True)

    def not_here(_: int) -> Embedder:
        raise ModelNotFound("there is no such folder here")

    try:
        report = stage_reembed(db, model, engine=engine(load=not_here))
        assert [worker.error for worker in report.workers] == [None, None]
        assert len(staged(conn)) == 30
        assert [way.partition(" ")[0] for way in report.computed] == [precision]
        # A worker computes in what the run was given: the numbers tell.
        texts = dict(conn.execute("SELECT id, content FROM knowledge_nodes").fetchall())
        found = {id_: np.array(json.loads(vector)) for id_, _, vector in staged(conn)}
        exact = load_embedder(str(here)).embed_batch([texts[id_] for id_ in found])
        differ = float(np.abs(np.stack(list(found.values())) - exact).max())
        assert (differ > 1e-5) == (precision == "bf16")
        assert sorted(path.name for path in sent.rglob("*") if path.is_file()) == [
            "model.onnx",
            "model.onnx_data",
            "tokenizer.json",
        ]
    finally:
        shutil.rmtree(sent, ignore_errors=True)
        Path(f"{sent}.lock").unlink(missing_ok=True)


def test_a_bad_vector_on_a_worker_stops_the_run_and_names_the_row(cluster: Any, db: str, conn: Conn) -> None:
    seed(conn, ROWS, OLD)

    class Zero(FakeEmbedder):
        def vector(self, text: str) -> Any:
            return super().vector(text) * (text != "memory number 77")

    with pytest.raises(BadEmbedding, match=r"returned a zero vector for the row of public\.knowledge_nodes with id = "):
        run_reembed(db, Zero("new", 96), engine=engine())
    wait_until(lambda: not sessions(conn))


# --- By itself ---


def test_without_an_address_a_local_ray_is_started_and_stopped(db: str, conn: Conn, tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    seed(conn, 30, OLD)
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-m", "vestige_sql.cli", "migrate", "reembed", "--postgres-url", db, "--model", str(tiny),
         "--dimension", "32", "--engine", "ray", "--workers", "1", "--no-confirm", "--json"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["rows_updated"], answer["workers"][0]["rows"]) == (30, 30)
    assert dsn(conn)


def test_max_connections_in_the_file_limits_the_workers(db: str, conn: Conn, tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    seed(conn, 30, OLD)
    # Three connections: the run's own, and the two of one worker.
    (tmp_path / "vestige.toml").write_text("[storage.postgres]\nurl = '${RUN_ON}'\nmax_connections = 3\n")
    environment = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "DATABASE_URL")}
    environment |= {"RUN_ON": db, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-m", "vestige_sql", "migrate", "reembed", "--model", str(tiny.resolve()), "--dimension", "32",
         "--engine", "ray", "--workers", "2", "--no-confirm", "--json"],
        capture_output=True, text=True, env=environment, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["rows_updated"] == 30
    assert [worker["rows"] for worker in answer["workers"]] == [30]


# --- A cluster that is not there ---


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def another(db: str) -> Iterator[str]:
    """The address of a server that answers, and speaks no HTTP/2."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(64)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def stage_at(address: str, db: str, tiny: Path) -> subprocess.CompletedProcess[str]:
    """Run ``migrate stage`` on the cluster at ``address``, in a process that knows no other."""
    return subprocess.run(
        [sys.executable, "-m", "vestige_sql", "migrate", "stage", "--postgres-url", db, "--model", str(tiny),
         "--dimension", "32", "--engine", "ray", "--json"],
        capture_output=True, text=True, env=os.environ | {"RAY_ADDRESS": address}, check=False,
        # The promise is 15 seconds; a busy machine needs some to start Python.
        timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("there", "says"),
    [("closed", "no Ray answers at"), ("silent", "no Ray answers at"), ("another", "is not the head node of a Ray")],
)
def test_an_address_where_no_cluster_answers_is_an_error_soon(
    there: str, says: str, db: str, conn: Conn, tiny: Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("ray")
    address = request.getfixturevalue(there)
    seed(conn, 10, OLD)
    done = stage_at(address, db, tiny)
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert answer["kind"] == "EngineError"
    assert says in answer["error"]
    assert address in answer["error"]
    assert "ray status" in answer["hint"]
    assert "Traceback" not in done.stderr


def test_where_nothing_is_pending_no_cluster_is_asked_for(db: str, conn: Conn, tiny: Path, closed: str) -> None:
    pytest.importorskip("ray")
    seed(conn, 10, OLD)
    stage_reembed(db, load_embedder(tiny))
    done = stage_at(closed, db, tiny)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows_encoded"] == 0
    conn.execute(
        "UPDATE knowledge_nodes SET content = content || '!' WHERE id IN (SELECT id FROM knowledge_nodes LIMIT 1)"
    )
    assert "no Ray answers" in stage_at(closed, db, tiny).stderr


def test_the_address_of_a_ray_client_is_refused_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    with pytest.raises(UsageError, match="Ray Client"):
        RayEngine()
