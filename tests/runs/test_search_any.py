"""``vestige-sql search`` on any table: what an exact search finds, through the table's own index."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import Conn, FakeEmbedder, literal, seed

from vestige_sql import Target, register_model, run_reembed, steps
from vestige_sql.errors import ModelMismatch
from vestige_sql.look.nearest import nearest
from vestige_sql.reembed.target import probe

MODEL, OTHER = FakeEmbedder("searched", 24), FakeEmbedder("other", 24)
ROWS = 150

_FACTORY = """
from support import FakeEmbedder

def make(): return FakeEmbedder("searched", 24)
"""

TARGETS = {
    "cosine": Target("app.cosine"),
    "l2": Target("app.l2", ("tenant", "id"), "body"),
    "halfvec": Target("app.halfvec"),
    "none": Target("app.none"),
}
OPERATORS = {"cosine": "<=>", "l2": "<->", "halfvec": "<#>", "none": "<=>"}


def half_type(conn: Conn) -> str:
    """halfvec, which pgvector has since 0.7, else vector."""
    row = conn.execute("SELECT coalesce(to_regtype('halfvec'), to_regtype('vector'))::text").fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture
def searched(conn: Conn, db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DATABASE_URL", db)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "searched_factory.py").write_text(_FACTORY)
    conn.execute("CREATE SCHEMA app")
    for name in ("cosine", "halfvec", "none"):
        conn.execute(f"CREATE TABLE app.{name} (id bigint PRIMARY KEY, content text, embedding vector(24))")  # type: ignore[arg-type]
    conn.execute("CREATE TABLE app.l2 (tenant int, id int, body text, embedding vector(24), PRIMARY KEY (tenant, id))")
    for name, target in TARGETS.items():
        key, text = ("tenant, id", "body") if name == "l2" else ("id", "content")
        values = "%s, %s, %s, %s" if name == "l2" else "%s, %s, %s"
        rows: list[tuple[Any, ...]] = []
        for i in range(ROWS):
            vector = None if i == 5 else literal(MODEL.vector(f"text {i}"))
            rows.append(((i % 7,) if name == "l2" else ()) + (i, f"text {i}", vector))
        with conn.cursor() as cursor:
            cursor.executemany(f"INSERT INTO app.{name} ({key}, {text}, embedding) VALUES ({values})", rows)  # type: ignore[arg-type]
        register_model(db, MODEL.signature(), target=target)
    conn.execute("CREATE INDEX by_cosine ON app.cosine USING hnsw (embedding vector_cosine_ops)")
    conn.execute("CREATE INDEX by_l2 ON app.l2 USING hnsw (embedding vector_l2_ops)")
    half = half_type(conn)
    by_half = "(embedding::halfvec(24)) halfvec_ip_ops" if half == "halfvec" else "embedding vector_ip_ops"
    conn.execute(f"CREATE INDEX by_half ON app.halfvec USING hnsw ({by_half})")  # type: ignore[arg-type]
    conn.execute("ANALYZE")
    return tmp_path


def test_a_search_finds_what_an_exact_one_finds(conn: Conn, db: str, searched: Path) -> None:
    for name, target in TARGETS.items():
        operator = OPERATORS[name]
        key = "ROW(tenant, id)" if name == "l2" else "id"
        column = f"embedding::{half_type(conn)}(24)" if name == "halfvec" else "embedding"
        asked = literal(MODEL.vector("text 17 and more"))
        kind = half_type(conn) if name == "halfvec" else "vector"
        exact = conn.execute(
            f"SELECT ({key})::text, {column} {operator} '{asked}'::{kind}(24) FROM app.{name}"  # type: ignore[arg-type]
            " WHERE embedding IS NOT NULL ORDER BY 2, 1 LIMIT 10"
        ).fetchall()
        found = nearest(db, "text 17 and more", MODEL, target=target, limit=10)
        assert found["operator"] == operator
        rows = found["results"]
        assert [row["key"] for row in rows] == [key for key, _ in exact], name
        assert [row["distance"] for row in rows] == pytest.approx([distance for _, distance in exact], abs=1e-3)
        assert [row["rank"] for row in rows] == list(range(1, 11))
        # The index brings too few; and there are no more.
        assert len(nearest(db, "text", MODEL, target=target, limit=1000)["results"]) == ROWS - 1


def test_the_index_is_used(conn: Conn, db: str, searched: Path) -> None:
    for name, index in (("cosine", "by_cosine"), ("l2", "by_l2"), ("halfvec", "by_half")):
        # So few rows are scanned as fast.
        conn.execute("SET enable_seqscan = off")
        values = probe(conn, TARGETS[name], needs_package=False, verb="look").values
        values |= {
            "vector": literal(MODEL.vector("text 17")), "dimension": 24, "limit": 5, "operator": OPERATORS[name],
            "search_type": f"public.{half_type(conn) if name == 'halfvec' else 'vector'}",
            "model_name": "searched", "model_hash": MODEL.signature().hash,
        }  # fmt: skip
        text = steps.load("search/nearest.sql").render(values, conn)
        plan = "\n".join(row[0] for row in conn.execute(f"EXPLAIN {text}"))  # type: ignore[arg-type]
        assert f"Index Scan using {index}" in plan, plan


def test_the_command_searches_any_table(conn: Conn, vestige: Any, searched: Path) -> None:
    own = ("--embedder", "searched_factory:make")
    (searched / "vestige.toml").write_text(
        "[targets.l2]\ntable = 'app.l2'\nembedder = 'searched_factory:make'\ndimension = 24\n"
    )
    said = vestige("search", "l2", "text 17", "-k", 2)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == " 1. text 17"
    assert lines[1] == "    0.0000 by <->, (3,17)"
    assert len(lines) == 4
    said = vestige("search", "text 17", "--table", "app.cosine", *own, "--json", "-k", 1)
    assert said.answer["results"][0] | {"distance": 0} == {"rank": 1, "key": "17", "text": "text 17", "distance": 0}
    assert said.answer["model"]["name"] == "searched"
    for option, message in (
        (("--mode", "hybrid"), "--mode hybrid is for Vestige's table of memories, and app.cosine is another"),
        (("--tag", "a"), "--tag is for Vestige's table of memories"),
        (("--min-retrievability", "0"), "--min-retrievability is for Vestige's table"),
    ):
        said = vestige("search", "text 17", "--table", "app.cosine", *own, *option)
        assert said.code == 2
        assert message in said.err
    conn.execute("CREATE TABLE app.bare (id int PRIMARY KEY, content text, embedding vector(24))")
    said = vestige("search", "text 17", "--table", "app.bare", *own)
    assert said.code == 1
    assert "no model is registered for app.bare.embedding" in said.err
    assert "vestige-sql migrate register --table app.bare" in said.err
    said = vestige("search", "text 17", "--table", "app.nowhere", *own)
    assert (said.code, "app.nowhere" in said.err, "knowledge_nodes" in said.err) == (1, True, False)
    # Vestige's own stays as it was.
    seed(conn, 3, MODEL)
    said = vestige("search", "memory number 2", "--embedder", "searched_factory:make", "--json")
    assert (said.answer["mode"], said.answer["results"][0]["content"]) == ("hybrid", "memory number 2")


def test_a_question_of_another_model_finds_nothing(conn: Conn, db: str, searched: Path) -> None:
    with pytest.raises(ModelMismatch, match=r"app\.cosine\.embedding are of searched"):
        nearest(db, "text", OTHER, target=TARGETS["cosine"])

    class Late(FakeEmbedder):
        """The model is switched while the question is encoded."""

        def embed_queries(self, texts: Any) -> Any:
            run_reembed(db, OTHER, target=TARGETS["cosine"])
            return self.embed_batch(texts)

    with pytest.raises(ModelMismatch, match=r"the registered model of app\.cosine\.embedding is other"):
        nearest(db, "text", Late("searched", 24), target=TARGETS["cosine"])


def test_psql_searches_with_the_same_file(conn: Conn, db: str, searched: Path, psql: str) -> None:
    sql = Path(__file__).parents[2] / "sql"
    given = {
        "target": "app.l2", "content_column": "body", "limit": "3", "operator": "<->", "search_type": "public.vector",
        "dimension": "24", "model_name": "searched", "model_hash": MODEL.signature().hash,
        "vector_schema": "public", "vector": literal(MODEL.vector("text 17")),
    }  # fmt: skip
    command = [psql, "-X", "-1", "-At", db, "-v", "ON_ERROR_STOP=1"]
    for name, value in given.items():
        command += ["-v", f"{name}={value}"]
    command += ["-f", str(sql / "target.psql"), "-f", str(sql / "search" / "nearest.sql")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3] == "1|(3,17)|text 17|0"
