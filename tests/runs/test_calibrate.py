"""What `--dry-run --calibrate` predicts, what it asks of the model, and that nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from support import HNSW, Conn, FakeEmbedder, everything, seed

from vestige_sql import ReembedPlan, Target, dry_run_reembed, run_reembed, stage_reembed
from vestige_sql.errors import BadEmbedding
from vestige_sql.predict import prediction
from vestige_sql.predict.job import Job
from vestige_sql.report import Calibration

OLD, NEW = "old", "new"


def calibrated(db: str, embedder: FakeEmbedder, plan: ReembedPlan | None = None, **options: Any) -> Calibration:
    found = dry_run_reembed(db, embedder, plan or ReembedPlan(), calibrate=True, **options).calibrated
    assert found is not None
    return found


PLANS = (
    ReembedPlan(keep_old=True),
    ReembedPlan(apply="swap", concurrent_index=True),
    ReembedPlan(apply="widen"),
    ReembedPlan(online=True),
)


def test_everything_is_predicted_and_nothing_stays(db: str, conn: Conn, pg_dump: Callable[[str], str]) -> None:
    texts = seed(conn, 60, FakeEmbedder(OLD, 64))
    before = everything(conn), pg_dump(db)
    for plan in PLANS:
        new = FakeEmbedder(NEW, 96)
        found = calibrated(db, new, plan)
        assert sorted(new.texts) == sorted(texts)
        assert found.rows_sampled == 60
        phases = ("encoding", "copying", "gate", "apply", "index", "recall")
        seconds = [getattr(found, f"{phase}_secs") for phase in phases]
        assert all(second > 0 for second in seconds)
        assert found.walltime_secs == pytest.approx(sum(seconds))
        assert found.disk_peak_bytes and found.staging_bytes and found.index_bytes and found.wal_bytes
        assert found.disk_peak_bytes > found.staging_bytes
        assert found.index_memory_bytes and found.index_memory_allowed_bytes
        assert [note for note in found.notes if "swap" not in note] == []
    assert (everything(conn), pg_dump(db)) == before


def test_sizes_are_those_of_the_run(db: str, conn: Conn) -> None:
    seed(conn, 300, FakeEmbedder(OLD, 64))
    new = FakeEmbedder(NEW, 96)
    found = calibrated(db, new)
    stage_reembed(db, new)
    (staged,) = conn.execute(
        "SELECT pg_total_relation_size(oid) FROM pg_class WHERE relnamespace = 'vestige_sql'::regnamespace"
        " AND relname ~ '^stage_' AND relkind = 'r'"
    ).fetchone() or (0,)
    assert found.staging_bytes == pytest.approx(staged, rel=0.1)
    run_reembed(db, new)
    (index,) = conn.execute("SELECT pg_relation_size(%s::regclass)", (HNSW,)).fetchone() or (0,)
    assert found.index_bytes == pytest.approx(index, rel=0.1)


SECONDS = prediction._COPY_SECS


@pytest.mark.parametrize(
    ("seconds", "encoding", "index", "times"),
    [
        (SECONDS / 100, 0, 60, 4),
        (SECONDS / 2, 0, 60, 1.7),
        (SECONDS, 0, 60, 1),
        (SECONDS, 0, 100 * SECONDS, 4),
        (SECONDS / 100, 601, 60, 0),
    ],
    ids=["quick", "half the time", "all the time", "a long run", "the encoding is the run"],
)
def test_the_next_copy(seconds: float, encoding: float, index: float, times: float) -> None:
    found = Calibration(rows_sampled=1, sample_secs=1, encoding_secs=encoding, index_secs=index)
    assert prediction._next_size(1_000, seconds, found) == pytest.approx(1_000 * times, rel=0.01)


@pytest.mark.parametrize(("allowed", "copies"), [(60.0, [10, 40, 120]), (0.0, [10])], ids=["time", "none"])
def test_copies_grow_while_there_is_time(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, allowed: float, copies: list[int]
) -> None:
    seed(conn, 120)
    monkeypatch.setattr(prediction, "COPY_ROWS", 10)
    monkeypatch.setattr(prediction, "_COPY_SECS", allowed)
    monkeypatch.setattr(prediction, "_COPY_SHARE", 0)
    monkeypatch.setattr(prediction, "_MATTERS", 0)
    rows, scaled = [], prediction._scaled

    def noted(found: Calibration, job: Job, tried: prediction._Tried) -> Calibration:
        rows.append(tried.rows)
        return scaled(found, job, tried)

    monkeypatch.setattr(prediction, "_scaled", noted)
    found = calibrated(db, FakeEmbedder(NEW))
    assert rows == pytest.approx(copies, abs=10)
    assert found.notes == []


def test_rows_of_equal_text_cost_one(db: str, conn: Conn) -> None:
    seed(conn, texts=["one", "two", "three"] * 100)
    new = FakeEmbedder(NEW)
    found = calibrated(db, new)
    assert sorted(new.texts) == ["one", "three", "two"]
    assert found.rows_sampled == 3
    assert found.encoding_secs == pytest.approx(found.sample_secs)


def test_what_is_staged_is_not_encoded(db: str, conn: Conn) -> None:
    texts = seed(conn, 50)
    new = FakeEmbedder(NEW)
    stage_reembed(db, new)
    found = calibrated(db, again := FakeEmbedder(NEW))
    assert (again.calls, found.encoding_secs, found.staging_bytes) == (0, 0, 0)
    assert found.apply_secs > 0
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('one more')")
    calibrated(db, again)
    assert again.texts == ["one more"] and "one more" not in texts


def test_rows_that_lack_a_vector(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, 50, old)
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('lacks one'), ('lacks one too'), ('')")
    found = calibrated(db, old)
    assert sorted(old.texts) == ["lacks one", "lacks one too"]
    assert found.apply_secs > 0 and found.index_secs == 0


def test_the_index_alone(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, 50, old, index=False)
    found = calibrated(db, old)
    assert (old.calls, found.encoding_secs) == (0, 0)
    assert found.index_secs > 0 and found.index_bytes


def test_a_graph_that_will_not_fit(db: str, conn: Conn) -> None:
    seed(conn, 300)
    found = calibrated(db, FakeEmbedder(NEW, 1_000), ReembedPlan(index_memory_bytes=1 << 20))
    assert found.index_memory_bytes and found.index_memory_allowed_bytes == 1 << 20
    assert "may take 1 MB" in found.notes[0] and "--index-memory 2 " in found.notes[0]


@pytest.mark.parametrize("texts", [[], ["", " \n"]], ids=["empty", "blank"])
def test_a_table_without_text(db: str, conn: Conn, texts: list[str]) -> None:
    seed(conn, texts=texts)
    new = FakeEmbedder(NEW)
    found = calibrated(db, new)
    assert (new.calls, found.rows_sampled, found.encoding_secs) == (0, 0, 0)


def test_nothing_to_do_is_not_calibrated(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, 20, old)
    assert dry_run_reembed(db, old, calibrate=True).calibrated is None
    assert old.calls == 0


def test_where_no_copy_can_be_made_the_encoding_alone_is_measured(empty_db: str) -> None:
    with psycopg.connect(empty_db, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION vector")
        conn.execute("CREATE TABLE notes (id bigserial PRIMARY KEY, content text, embedding vector(3))")
        conn.execute("INSERT INTO notes (content) SELECT 'note ' || i FROM generate_series(1, 50) i")
        before = everything(conn)
        new = FakeEmbedder(NEW, 8)
        found = calibrated(empty_db, new, ReembedPlan(create_index=True), target=Target("notes"))
        assert len(new.texts) == 50
        assert found.encoding_secs > 0 and found.index_secs == 30 and found.disk_peak_bytes is None
        assert "migrate up" in found.notes[0]
        assert everything(conn) == before


def test_a_session_that_may_not_write(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, 20)
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
    found = calibrated(db, FakeEmbedder(NEW))
    assert found.encoding_secs > 0 and found.disk_peak_bytes is None
    assert "read-only" in found.notes[0]


def test_a_vector_that_cannot_be_searched(db: str, conn: Conn) -> None:
    class Broken(FakeEmbedder):
        def vector(self, text: str) -> Any:
            return np.full(self.dimension, np.nan, np.float32)

    seed(conn, 5)
    before = everything(conn)
    with pytest.raises(BadEmbedding, match="NaN, infinity or a zero vector for 'memory number"):
        dry_run_reembed(db, Broken(NEW), calibrate=True)
    assert everything(conn) == before
