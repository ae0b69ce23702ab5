"""Search: each mode finds what an exact search of its own finds, filtered or not, and never in the wrong space."""

from __future__ import annotations

import json
import random
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from demo.minilm import build_tiny
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support import HNSW, HNSW_DEFINITION, Conn, FakeEmbedder, dsn, everything, granted, literal, seed

from vestige_sql import SearchResult, apply_reembed, cli, run_reembed, search, stage_reembed, steps
from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import ModelMismatch, TargetError, UsageError
from vestige_sql.plan import MODES
from vestige_sql.vestige.search import registered_model

ROOT = Path(__file__).parents[2]
OLD, NEW = FakeEmbedder("old", 16), FakeEmbedder("new", 24)
K = 60  # Cormack, Clarke, Buettcher 2009

WORDS = ("lottery", "winner", "memory", "server", "vector", "index", "search", "lock", "table", "row")


class Asking(FakeEmbedder):
    """A model that embeds questions otherwise than rows."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_batch([f"asked: {text}" for text in texts])


def fill(conn: Conn, rows: int, embedder: FakeEmbedder) -> None:
    """Memories of a few words each, some without a vector, some without a schedule; no index on vectors."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 9))) + f" {i}" for i in range(rows)]
    seed(conn, embedder=embedder, texts=texts, index=False)
    conn.execute("UPDATE knowledge_nodes SET embedding = NULL WHERE 'domain4' = ANY (domains) AND node_type <> 'fact'")
    conn.execute(
        "INSERT INTO scheduling (memory_id, retrievability)"
        " SELECT id, nullif((metadata->>'n')::int % 100, 50) / 100.0 FROM knowledge_nodes"
        " WHERE (metadata->>'n')::int % 11 <> 0"
    )
    conn.execute("VACUUM (ANALYZE) knowledge_nodes, scheduling")


@pytest.fixture(scope="module")
def memories(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Some hundred memories, which are searched exactly: there is no index of their vectors."""
    with databases() as db, psycopg.connect(db, autocommit=True) as conn:
        fill(conn, 400, OLD)
        yield db


@pytest.fixture(scope="module")
def indexed(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Some thousand, with the HNSW index, which :func:`through_the_index` makes the searches use."""
    with databases() as db, psycopg.connect(db, autocommit=True) as conn:
        fill(conn, 3000, OLD)
        conn.execute(HNSW_DEFINITION)
        yield db


@pytest.fixture
def through_the_index(indexed: str) -> Iterator[Conn]:
    with psycopg.connect(indexed, autocommit=True) as conn:
        conn.execute("SET enable_seqscan = off")
        conn.execute("SET enable_bitmapscan = off")
        yield conn


# --- What an independent search finds ---


def truth(conn: Conn, question: str, embedder: FakeEmbedder, limit: int, **filters: Any) -> dict[str, list[Any]]:
    """The ids that each mode has to find, in order; for "hybrid" with the scores. Filtered and fused in Python."""
    rows = conn.execute(
        """
        SELECT n.id, n.domains, n.node_type, n.tags, s.retrievability,
               ts_rank_cd(n.search_vec, q) AS rank, n.search_vec @@ q AS matches, n.embedding <=> %s::vector AS distance
        FROM knowledge_nodes n
        LEFT JOIN scheduling s ON s.memory_id = n.id
        CROSS JOIN websearch_to_tsquery('english', %s) AS q
        """,
        (literal(embedder.vector(question)), question),
    ).fetchall()

    def passes(row: Any) -> bool:
        return (
            (not filters.get("domains") or bool({*filters["domains"]} & {*row[1]}))
            and (not filters.get("node_types") or row[2] in filters["node_types"])
            and (not filters.get("tags") or bool({*filters["tags"]} & {*row[3]}))
            and (
                filters.get("min_retrievability") is None
                or (row[4] is not None and row[4] >= filters["min_retrievability"])
            )
        )

    rows = [row for row in rows if passes(row)]
    text = [row[0] for row in sorted((r for r in rows if r[6]), key=lambda r: (-r[5], r[0]))]
    vector = [row[0] for row in sorted((r for r in rows if r[7] is not None), key=lambda r: (r[7], r[0]))]
    scores: dict[UUID, float] = {}
    for found in (text[: 3 * limit], vector[: 3 * limit]):
        for rank, key in enumerate(found, 1):
            scores[key] = scores.get(key, 0) + 1 / (K + rank)
    hybrid = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return {"text": text[:limit], "vector": vector[:limit], "hybrid": hybrid[:limit]}


def any_filters(draw: random.Random) -> dict[str, Any]:
    filters: dict[str, Any] = {
        "domains": draw.sample([f"domain{i}" for i in range(6)], draw.randint(1, 3)),
        "node_types": draw.sample(["fact", "decision", "event", "none"], draw.randint(1, 2)),
        "tags": draw.sample([f"tag{i}" for i in range(8)], draw.randint(1, 3)),
        "min_retrievability": draw.choice([0.0, 0.3, 0.9, 0.985]),
    }
    return {name: filters[name] for name in draw.sample(sorted(filters), draw.choice([0, 0, 1, 1, 2, 4]))}


def ids(found: Sequence[SearchResult]) -> list[UUID]:
    return [result.id for result in found]


def test_each_mode_finds_what_an_exact_search_finds(memories: str) -> None:
    """Hybrid is the reciprocal rank fusion, in Python, of the two exact lists."""
    draw = random.Random(1)
    with psycopg.connect(memories, autocommit=True) as conn:
        for case in range(60):
            question = " ".join(draw.choices([*WORDS, "or", "-row", '"search lock"'], k=draw.randint(1, 3)))
            limit, filters = draw.choice([1, 3, 10, 40]), any_filters(draw)
            expected = truth(conn, question, OLD, limit, **filters)
            for mode in ("text", "vector"):
                found = search(conn, question, OLD, mode=mode, limit=limit, **filters)
                assert ids(found) == expected[mode], (case, mode, question, limit, filters)
            found = search(conn, question, OLD, limit=limit, **filters)
            assert [(r.id, r.score) for r in found] == expected["hybrid"], (case, question, limit, filters)


def test_both_parts_come_with_a_result(memories: str) -> None:
    with psycopg.connect(memories, autocommit=True) as conn:
        text, vector, hybrid = (
            search(conn, "lottery", OLD, mode=mode, limit=30) for mode in ("text", "vector", "hybrid")
        )
        row = conn.execute("SELECT content, tags FROM knowledge_nodes WHERE id = %s", (text[0].id,)).fetchone()
    assert (text[0].content, text[0].tags) == row
    for place, one in enumerate(text, 1):
        assert (one.text_rank, one.score, one.vector_rank, one.distance) == (place, one.text_score, None, None)
    for place, one in enumerate(vector, 1):
        assert (one.vector_rank, one.text_rank, one.text_score) == (place, None, None)
        assert one.distance is not None
        assert one.score == 1 - one.distance
    ranks = {one.id: (one.text_rank, one.text_score) for one in text}
    distances = {one.id: (one.vector_rank, one.distance) for one in vector}
    for one in hybrid:
        assert (one.text_rank, one.text_score) == ranks.get(one.id, (one.text_rank, one.text_score))
        assert (one.vector_rank, one.distance) == distances.get(one.id, (one.vector_rank, one.distance))
        assert one.score == sum(1 / (K + rank) for rank in (one.text_rank, one.vector_rank) if rank)
    assert any(one.text_rank and one.vector_rank for one in hybrid)


def test_each_branch_of_the_hybrid_is_optional(memories: str) -> None:
    values: dict[str, steps.Value] = {
        "schema": "public", "vector_schema": "public", "search_type": "public.vector", "dimension": OLD.dimension,
        "model_name": OLD.model_name, "model_hash": OLD.signature().hash, "limit": 8, "domains": None, "tags": None,
        "node_types": None, "min_retrievability": None,
    }  # fmt: skip
    vector = literal(OLD.vector("lottery"))
    with psycopg.connect(memories, autocommit=True) as conn:

        def hybrid(text: str, vector: str) -> list[UUID]:
            return [
                row["id"] for row in steps.query(conn, "search/hybrid.sql", values | {"text": text, "vector": vector})
            ]

        expected = truth(conn, "lottery", OLD, 8)
        assert hybrid("lottery", "") == expected["text"]
        assert hybrid("", vector) == expected["vector"]
        assert hybrid("the", vector) == expected["vector"]  # a stop word is no text
        assert hybrid("", "") == []
        assert hybrid("lottery", vector) == [key for key, _ in expected["hybrid"]]
    for mode in MODES:
        assert search(memories, " \n", OLD, mode=mode) == []


def test_a_question_is_embedded_as_one(memories: str) -> None:
    asking = Asking(OLD.model_name, OLD.dimension)
    with psycopg.connect(memories, autocommit=True) as conn:
        expected = truth(conn, "asked: lottery", OLD, 5)
    assert ids(search(memories, "lottery", asking, mode="vector", limit=5)) == expected["vector"]


# --- Through the index ---


def plan(conn: Conn, mode: str, **filters: Any) -> str:
    literals = {name: sql.Literal(value).as_string(conn) for name, value in filters.items()}
    values: dict[str, steps.Value] = {
        "schema": "public", "vector_schema": "public", "search_type": "public.vector", "dimension": OLD.dimension,
        "model_name": OLD.model_name, "model_hash": OLD.signature().hash, "limit": 10, "domains": None, "tags": None,
        "node_types": None, "min_retrievability": None, "text": "lottery", "vector": literal(OLD.vector("lottery")),
    }  # fmt: skip
    text = steps.load(f"search/{mode}.sql").render(values | literals, conn)
    return "\n".join(line for (line,) in conn.execute("EXPLAIN (ANALYZE, COSTS OFF) " + text))  # type: ignore[arg-type]


@pytest.mark.parametrize("filters", [{}, {"min_retrievability": 0.5}], ids=["unfiltered", "filtered"])
def test_each_branch_can_use_its_index(indexed: str, filters: Any) -> None:
    with psycopg.connect(indexed, autocommit=True) as conn:
        conn.execute("SET enable_seqscan = off")
        gin, hnsw = "Bitmap Index Scan on idx_knowledge_nodes_search_vec", f"Index Scan using {HNSW}"
        assert gin in plan(conn, "text", **filters)
        assert hnsw in plan(conn, "vector", **filters)
        both = plan(conn, "hybrid", **filters)
        assert gin in both
        assert hnsw in both


def test_what_is_not_asked_for_costs_nothing(indexed: str) -> None:
    """Absent filters fold away, and the scan that stands in for the index is not run where the index brought enough."""
    with psycopg.connect(indexed, autocommit=True) as conn:
        conn.execute("SET enable_seqscan = off")
        said = plan(conn, "vector")
        assert "scheduling" not in said
        assert "node_type" not in said
        assert re.search(r"Seq Scan on knowledge_nodes \S+ \(never executed\)", said)


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param({}, id="none"),
        pytest.param({"node_types": ["fact"]}, id="a third"),
        pytest.param({"tags": ["tag3"], "domains": ["domain1"]}, id="a few of a hundred"),
        pytest.param({"min_retrievability": 0.98}, id="less than three times the limit, by a join"),
        pytest.param({"min_retrievability": 0.98, "tags": ["tag2"], "domains": ["domain3"]}, id="less than the limit"),
    ],
)
@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_a_filter_leaves_as_many_as_there_are(through_the_index: Conn, mode: str, filters: Any) -> None:
    expected = truth(through_the_index, "winner", OLD, 10, **filters)[mode]
    found = search(through_the_index, "winner", OLD, mode=mode, limit=10, **filters)
    assert len(found) == len(expected)
    exact = {key for key, _ in expected} if mode == "hybrid" else {*expected}
    assert len({*ids(found)} & exact) >= 0.8 * len(exact)
    assert found == sorted(found, key=lambda r: (-r.score, r.id))
    if len(expected) < 10:
        assert {*ids(found)} == exact


def test_a_limit_beyond_what_the_index_brings_is_filled(through_the_index: Conn) -> None:
    expected = truth(through_the_index, "winner", OLD, 1200)["vector"]
    found = search(through_the_index, "winner", OLD, mode="vector", limit=1200)
    assert len(found) == 1200
    assert len({*ids(found)} & {*expected}) >= 1140


def test_vectors_alike_come_in_the_order_of_their_ids(db: str, conn: Conn) -> None:
    seed(conn, embedder=OLD, texts=["said twice"] * 6 + [f"memory number {i}" for i in range(300)])
    conn.execute("SET enable_seqscan = off")
    keys = conn.execute("SELECT array_agg(id ORDER BY id) FROM knowledge_nodes WHERE content = 'said twice'").fetchone()
    assert keys is not None
    for mode in ("text", "vector"):
        assert ids(search(conn, "said twice", OLD, mode=mode, limit=4)) == keys[0][:4]


def test_above_2000_dimensions_the_index_is_on_halfvec(db: str, conn: Conn) -> None:
    if conn.execute("SELECT to_regtype('halfvec')").fetchone() == (None,):
        pytest.skip("this pgvector has no halfvec")
    large = FakeEmbedder("large", 2100)
    texts = seed(conn, 12)
    run_reembed(db, large)
    (found,) = search(conn, texts[3], large, mode="vector", limit=1)
    assert found.content == texts[3]
    row = steps.query_one(conn, "search/table.sql", {"target": "knowledge_nodes"})
    assert row is not None
    assert row["search_type"] == "public.halfvec"


# --- Never in the wrong space ---


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(FakeEmbedder("another", 16), id="name"),
        pytest.param(FakeEmbedder("old", 24), id="dimension"),
        pytest.param(FakeEmbedder("old", 16, salt="x"), id="hash"),
    ],
)
def test_another_model_is_an_error_that_names_both(memories: str, other: FakeEmbedder) -> None:
    for mode in ("vector", "hybrid"):
        with pytest.raises(ModelMismatch) as error:
            search(memories, "lottery", other, mode=mode)
        assert str(other.signature()) in str(error.value)
        assert str(OLD.signature()) in str(error.value)
    assert search(memories, "lottery", other, mode="text")


def test_no_registered_model_is_an_error(db: str, conn: Conn) -> None:
    seed(conn, 3)
    assert registered_model(db) is None
    with pytest.raises(ModelMismatch, match=r"old .*registered model of public.knowledge_nodes is none"):
        search(db, "memory", OLD)
    assert len(search(db, "memory", mode="text")) == 3


def test_vestiges_own_registry_is_read(db: str, conn: Conn) -> None:
    texts = seed(conn, 5, OLD)
    conn.execute("ALTER TABLE embedding_model RENAME model_name TO name")
    conn.execute("ALTER TABLE embedding_model RENAME model_hash TO hash")
    conn.execute("ALTER TABLE embedding_model DROP updated_at")
    assert registered_model(db) == OLD.signature()
    assert search(db, texts[2], OLD, mode="vector")[0].content == texts[2]
    with pytest.raises(ModelMismatch):
        search(db, texts[2], NEW)


def test_a_switch_while_the_question_is_encoded_is_noticed(db: str, conn: Conn) -> None:
    texts = seed(conn, 8, OLD)
    slow = FakeEmbedder(OLD.model_name, OLD.dimension, hook=lambda *_: run_reembed(db, NEW))
    with pytest.raises(ModelMismatch, match=r"registered model of .* is new"):
        search(db, texts[0], slow)
    assert search(db, texts[0], NEW, mode="vector", limit=1)[0].content == texts[0]


@pytest.mark.parametrize("same_dimension", [True, False])
def test_a_search_that_waited_for_the_switch_sees_it(db: str, conn: Conn, same_dimension: bool) -> None:
    """It waits for the table's lock with its question in the old space, and then finds another space: not nothing."""
    texts = seed(conn, 8, OLD)
    new = FakeEmbedder("new", OLD.dimension if same_dimension else 24)
    stage_reembed(db, new)
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(search(make_conninfo(db, application_name="asking"), texts[0], OLD))
        except Exception as error:
            found.append(error)

    asking = threading.Thread(target=ask)
    with psycopg.connect(db) as switching:
        apply_reembed(switching)
        asking.start()
        deadline = time.monotonic() + 10
        while (
            conn.execute(
                "SELECT FROM pg_stat_activity WHERE application_name = 'asking' AND wait_event_type = 'Lock'"
            ).fetchone()
            is None
        ):
            assert time.monotonic() < deadline and not found
            time.sleep(0.01)
    asking.join()
    assert isinstance(found[0], ModelMismatch), found


# --- The connection is given back as it was ---


@pytest.mark.parametrize("autocommit", [True, False])
def test_settings_stay_as_they_were(memories: str, autocommit: bool) -> None:
    names = ["hnsw.ef_search", "hnsw.iterative_scan", "jit", "statement_timeout", "row_security"]

    def settings() -> Any:
        return conn.execute(
            "SELECT array_agg(current_setting(n, true)) FROM unnest(%s::text[]) AS n", (names,)
        ).fetchone()

    with psycopg.connect(memories, autocommit=autocommit) as conn:
        conn.execute("SELECT '[1]'::vector")
        conn.execute("SET hnsw.ef_search = 17")
        with conn.transaction():
            before = settings()
            found = search(conn, "lottery", OLD, limit=20)
            assert settings() == before
            with pytest.raises(ModelMismatch):
                search(conn, "lottery", NEW)
            assert settings() == before
            assert search(conn, "lottery", OLD, limit=20) == found
        assert settings() == before


def test_a_search_writes_nothing(memories: str) -> None:
    with psycopg.connect(memories, autocommit=True) as conn:
        before = everything(conn)
        for mode in MODES:
            search(memories, "lottery", OLD, mode=mode, tags=["tag1"], min_retrievability=0.1)
        assert everything(conn) == before


# --- Who may, and what is refused ---


def test_row_security_filters_what_is_found(db: str, conn: Conn) -> None:
    """It is no error, as it is for a run."""
    seed(conn, 6, OLD)
    conn.execute("CREATE ROLE vestige_reader LOGIN")
    try:
        for grant in granted("search", "vestige_reader"):
            if "SCHEMA extensions" not in grant:
                conn.execute(grant)  # type: ignore[arg-type]
        conn.execute("ALTER TABLE knowledge_nodes ENABLE ROW LEVEL SECURITY")
        conn.execute("CREATE POLICY own ON knowledge_nodes TO vestige_reader USING (node_type = 'fact')")
        reader = make_conninfo(dsn(conn), user="vestige_reader")
        assert {found.node_type for found in search(reader, "memory", OLD)} == {"fact"}
    finally:
        conn.execute("DROP OWNED BY vestige_reader")
        conn.execute("DROP ROLE vestige_reader")


def test_what_is_refused(memories: str, empty_db: str) -> None:
    for options, said in [
        ({"mode": "fuzzy"}, "mode must be one of hybrid, text, vector"),
        ({"limit": 0}, "limit must be a whole number from 1 to 1,000,000, not 0"),
        ({"tags": "python"}, "tags must be a list of strings"),
    ]:
        with pytest.raises(UsageError, match=said):
            search(memories, "lottery", OLD, **options)
    with pytest.raises(UsageError, match="needs the registered model"):
        search(memories, "lottery")
    for table, said in [("nowhere", "no table nowhere"), ("scheduling", "public.scheduling is not Vestige's table")]:
        with pytest.raises(TargetError, match=said):
            search(memories, "lottery", OLD, table=table)
    with pytest.raises(TargetError, match="no table knowledge_nodes"):
        search(empty_db, "lottery", mode="text")


def test_vestiges_table_in_another_schema(empty_db: str) -> None:
    from vestige_sql.database.migrations import migrate_up

    with psycopg.connect(empty_db, autocommit=True) as conn:
        conn.execute('CREATE SCHEMA "My Memory"')
        conn.execute(sql.SQL("ALTER DATABASE {} SET search_path = {}, public").format(
            sql.Identifier(conn.info.dbname), sql.Identifier("My Memory")))  # fmt: skip
    migrate_up(empty_db)
    with psycopg.connect(empty_db, autocommit=True) as conn:
        texts = seed(conn, 4, OLD, index=False)
        conn.execute("SET search_path = public")
        (found,) = search(conn, texts[3], OLD, mode="vector", limit=1, table='"My Memory".knowledge_nodes')
        assert found.content == texts[3]
        with pytest.raises(TargetError, match="no table knowledge_nodes"):
            search(conn, texts[3], OLD)


# --- By hand and by command ---


def test_psql_with_the_files_finds_the_same(memories: str, psql: str) -> None:
    def by_hand(*variables: str, files: Sequence[str]) -> list[UUID]:
        done = subprocess.run(
            [psql, "-XAtq", "-1", "-v", "ON_ERROR_STOP=1", *variables]
            + [arg for file in ("search.psql", *files) for arg in ("-f", str(ROOT / "sql" / file))]
            + [memories],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [UUID(line.partition("|")[0]) for line in done.stdout.splitlines() if line.count("|") > 5]

    vector = literal(OLD.vector("lottery"))
    found = by_hand("-v", "text=lottery", files=["search/text.sql"])
    assert found == ids(search(memories, "lottery", mode="text"))
    scan = "search/set_scan.sql"
    given = ["-v", f"vector={vector}", "-v", "limit=4", "-v", "tags='{tag2}'", "-v", "text=lottery"]
    for mode in ("vector", "hybrid"):
        found = by_hand(*given, files=[scan, f"search/{mode}.sql"])
        assert found == ids(search(memories, "lottery", OLD, mode=mode, limit=4, tags=["tag2"]))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prompts = {"query": "ask: ", "document": "doc: "}
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny", dimension=32, prompts=prompts)


@pytest.fixture
def vestige(
    db: str, tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Any]:
    """Runs ``vestige-sql search`` on ``db``, from a folder with nothing in it, away from the hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def run(*argv: object) -> Any:
        capsys.readouterr()
        code = cli.main(["search", "--postgres-url", db, *map(str, argv)])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return run


@pytest.fixture
def embedded_by_tiny(db: str, conn: Conn, tiny: Path) -> list[str]:
    texts = seed(conn, texts=["pick a lottery winner", "an index of a table", "the lock of a row"])
    assert run_reembed(db, load_embedder(str(tiny), device="cpu")).device == "cpu"
    return texts


def test_the_command_for_people(
    vestige: Any, embedded_by_tiny: list[str], tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)  # where the registered name is a folder
    said = vestige("lottery winner", "-k", 2)
    assert said.code == 0
    first, parts, *rest = said.out.splitlines()
    assert first == " 1. pick a lottery winner"
    assert "(text 1, vector " in parts
    assert len(rest) == 2
    assert "nothing found" in vestige("nothing of the kind", "--mode", "text").err


def test_the_command_in_json(vestige: Any, embedded_by_tiny: list[str], tiny: Path, db: str) -> None:
    embedder = load_embedder(str(tiny))
    said = vestige(
        "the lock", "--json", "--model", tiny, "--mode", "vector", "--node-type", "fact", "--node-type", "event"
    )
    answer = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert (answer["question"], answer["mode"]) == ("the lock", "vector")
    assert answer["model"] == vars(embedder.signature())
    found = search(db, "the lock", embedder, mode="vector", node_types=["fact", "event"])
    assert [result["id"] for result in answer["results"]] == [str(key) for key in ids(found)]
    assert {*answer["results"][0]} == {*found[0].as_json()}
    # As a question, with its own prompt: not the vector that the row of that text has.
    asked, stored = (embed(["the lock of a row"])[0] for embed in (embedder.embed_queries, embedder.embed_batch))
    (nearest,) = search(db, "the lock of a row", embedder, mode="vector", limit=1)
    assert nearest.distance == pytest.approx(
        1 - max(float(asked @ v) for v in embedder.embed_batch(embedded_by_tiny)), abs=1e-5
    )
    assert not np.allclose(asked, stored)


def test_the_command_says_what_is_wrong(vestige: Any, embedded_by_tiny: list[str], tiny: Path, tmp_path: Path) -> None:
    said = vestige("lottery")
    assert said.code == 1
    assert "tiny (32 dimensions" in said.err
    assert "cannot be resolved by its name" in said.err
    assert "--model" in said.err
    other = build_tiny(tmp_path / "tiny", dimension=32, seed=1)
    said = vestige("lottery", "--model", other)
    assert said.code == 1
    assert "they differ in hash" in said.err
    assert vestige("lottery", "--mode", "text").code == 0
    assert vestige("lottery", "--mode", "text", "-k", 0).code == 2


def test_the_command_without_a_registered_model(vestige: Any, conn: Conn) -> None:
    seed(conn, 2)
    said = vestige("memory")
    assert said.code == 1
    assert "no model is registered" in said.err
    assert "--mode text" in said.err
    assert vestige("memory", "--mode", "text").code == 0
