"""The questions for those who operate a database: what they say in each state that a run can leave."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from support import HNSW, Conn, FakeEmbedder, Points, literal, seed

from vestige_sql import ReembedPlan, Target, run_reembed, stage_reembed, steps
from vestige_sql.reembed.target import probe

OLD, NEW = FakeEmbedder("old", 16), FakeEmbedder("new", 24)


def health(conn: Conn) -> dict[str, dict[str, Any]]:
    return {row["target"]: row for row in steps.query(conn, "monitor/health.sql", {})}


def attention(conn: Conn) -> str:
    """What is said of Vestige's column."""
    return str(health(conn)["public.knowledge_nodes.embedding"]["attention"])


def wait_until_left(conn: Conn) -> None:
    """Wait until the server has noticed that the session of the run that is over is gone."""
    deadline = time.monotonic() + 20
    while conn.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'").fetchone():
        assert time.monotonic() < deadline


def test_health(db: str, conn: Conn) -> None:
    assert attention(conn) == "no model is registered"
    seed(conn, 20, OLD)
    found = health(conn)["public.knowledge_nodes.embedding"]
    assert (found["model"], found["type"], found["run"], found["attention"]) == ("old", "vector(16)", None, "nothing")
    assert found["indexes"].startswith(f"{HNSW} (")

    conn.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (HNSW,))
    assert attention(conn) == f"index {HNSW} is INVALID"
    conn.execute(f"DROP INDEX {HNSW}")
    assert attention(conn) == "there is no vector index, searches scan the table"
    conn.execute("UPDATE embedding_model SET dimension = 8")
    assert "the registered model has 8 dimensions" in attention(conn)
    conn.execute("UPDATE embedding_model SET dimension = 16")


def test_health_of_a_run_that_stands_still_and_one_at_work(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, 20, OLD)
    said: list[str] = []
    stage_reembed(db, FakeEmbedder("new", 24, hook=lambda *_: said.append(attention(conn))))
    assert set(said) == {"nothing"}
    wait_until_left(conn)
    assert health(conn)["public.knowledge_nodes.embedding"]["run"] == "run 1 to new is open (staging)"
    assert attention(conn) == "run 1 to new is open (staging), and nobody is at work on it"
    with monkeypatch.context() as patch:
        points = Points(patch)
        points.before("index/concurrently/10_set_build_limits.sql", lambda: said.append(attention(conn)))
        run_reembed(db, NEW, ReembedPlan(concurrent_index=True))
    assert said[-1] == f"index {HNSW} is still to be built"
    assert attention(conn) == "nothing"


def test_health_of_an_online_run(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it fills and indexes the second column, the live one is in order."""
    seed(conn, 20, OLD)
    said: list[dict[str, Any]] = []
    points = Points(monkeypatch)
    for step in ("online/fill/10_fill_batch.sql", "online/verify/10_note_unfilled.sql"):
        points.before(step, lambda: said.extend(health(conn).values()))
    run_reembed(db, NEW, ReembedPlan(online=True))
    assert [(row["type"], row["run"], row["attention"]) for row in said] == [
        ("vector(16)", "run 1 to new is open (filling)", "nothing")
    ] * 2
    after = health(conn)["public.knowledge_nodes.embedding"]
    assert (after["type"], after["run"], after["attention"]) == ("vector(24)", None, "nothing")
    assert after["kept"].startswith("old, since 20")


def test_health_of_other_tables_and_of_none(db: str, conn: Conn) -> None:
    seed(conn, 5, OLD)
    conn.execute('CREATE TABLE "My Notes" (id bigserial PRIMARY KEY, body text, "the vector" vector(16))')
    conn.execute("""INSERT INTO "My Notes" (body) VALUES ('one')""")
    target = Target('"My Notes"', content_column="body", embedding_column="the vector")
    run_reembed(db, NEW, ReembedPlan(create_index=True), target=target)
    name = 'public."My Notes"."the vector"'
    assert {target: row["model"] for target, row in health(conn).items()} == {
        name: "new",
        "public.knowledge_nodes.embedding": "old",
    }
    assert health(conn)[name]["attention"] == "nothing"
    conn.execute('DROP TABLE "My Notes"')
    assert name not in health(conn)


def progress(conn: Conn) -> list[dict[str, Any]]:
    """As psql runs it: the query, and then each statement that it returns."""
    texts = steps.statements(conn, steps.load("monitor/progress.sql"), {})
    return [row for text in texts for row in conn.cursor(row_factory=dict_row).execute(text, prepare=False)]


def test_progress(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vestige_sql.reembed.stage.PAGE_ROWS", 5)
    seed(conn, 20, OLD)
    assert progress(conn) == []
    seen: list[dict[str, Any]] = []
    stage_reembed(db, FakeEmbedder("new", 24, hook=lambda *_: seen.extend(progress(conn))))
    assert {row["pid"] is None for row in seen} == {False}
    wait_until_left(conn)
    assert seen[0]["rows_staged"] == 0
    (row,) = progress(conn)
    assert (row["target"], row["model"], row["state"]) == ("public.knowledge_nodes.embedding", "new", "staging")
    assert (row["pid"], row["rows_total"], row["rows_staged"], row["share_staged"]) == (None, 20, 20, "100%")
    # Of two targets, one of which has nothing staged any more.
    conn.execute("CREATE TABLE notes (id bigserial PRIMARY KEY, content text, embedding vector(16))")
    conn.execute("INSERT INTO notes (content) VALUES ('one')")
    stage_reembed(db, NEW, target=Target("notes"))
    conn.execute(f"DROP TABLE vestige_sql.{probe(conn, Target()).values['staging_table']}")
    assert [(row["target"], row["rows_staged"]) for row in progress(conn)] == [
        ("public.knowledge_nodes.embedding", None),
        ("public.notes.embedding", 1),
    ]


def test_progress_of_an_index(db: str, conn: Conn) -> None:
    seed(conn, 20, OLD)
    stage_reembed(db, NEW)
    conn.execute("DROP INDEX idx_knowledge_nodes_embedding_hnsw")
    with psycopg.connect(db, autocommit=True) as writer, psycopg.connect(db, autocommit=True) as builder:
        # The build waits for the open transaction, so that it can be looked at.
        writer.execute("BEGIN")
        writer.execute("LOCK TABLE knowledge_nodes IN ROW EXCLUSIVE MODE")
        pgconn = builder.pgconn
        pgconn.send_query(
            f"CREATE INDEX CONCURRENTLY {HNSW} ON knowledge_nodes USING hnsw (embedding vector_cosine_ops)".encode()
        )
        pgconn.flush()
        deadline = time.monotonic() + 20
        while not str(progress(conn)[0]["index_phase"]).startswith("waiting for writers"):
            assert time.monotonic() < deadline
        writer.execute("COMMIT")
        while pgconn.get_result():
            pass
    assert progress(conn)[0]["index_phase"] is None


def test_staleness(db: str, conn: Conn) -> None:
    texts = [f"memory number {i}" for i in range(10)]
    seed(conn, texts=texts, embedder=OLD)
    stage_reembed(db, NEW)

    def staleness() -> tuple[int, ...]:
        probed = probe(conn, Target())
        assert probed.open_run is not None
        values = probed.values | {"only_missing": probed.open_run.scope == "missing"}
        return tuple(steps.query(conn, "monitor/staleness.sql", values)[0].values())

    assert staleness() == (10, 0, 0, 0)
    conn.execute(
        "UPDATE knowledge_nodes SET content = 'another' WHERE content IN ('memory number 1', 'memory number 2')"
    )
    conn.execute("UPDATE knowledge_nodes SET content = '  ' WHERE content = 'memory number 3'")
    conn.execute("DELETE FROM knowledge_nodes WHERE content IN ('memory number 4', 'memory number 5')")
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('new'), ('')")
    assert staleness() == (5, 2, 3, 1)
    stage_reembed(db, NEW)
    assert staleness() == (8, 0, 0, 0)
    # Where only missing vectors are filled, a row that has one is not pending.
    run_reembed(db, NEW)
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('newer'), ('newest')")
    stage_reembed(db, NEW)
    assert staleness() == (2, 0, 0, 0)
    conn.execute("UPDATE knowledge_nodes SET embedding = %s WHERE content = 'newest'", (literal(NEW.vector("newest")),))
    assert staleness() == (2, 0, 0, 0)
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('last')")
    assert staleness() == (2, 0, 0, 1)
