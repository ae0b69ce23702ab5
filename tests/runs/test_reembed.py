"""Re-embedding, undisturbed: what changes, what does not, in each of the ways of applying."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import (
    HNSW,
    HNSW_DEFINITION,
    Conn,
    FakeEmbedder,
    Points,
    Said,
    catalog,
    check_search,
    check_space,
    everything,
    index_definition,
    literal,
    patch_run,
    registered,
    rows,
    seed,
    typmod,
    vectors,
)

import vestige_sql
from vestige_sql import (
    DryRunSummary,
    ModelSignature,
    ReembedPlan,
    ReembedReport,
    Target,
    abort_reembed,
    dry_run_reembed,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
    steps,
)
from vestige_sql.errors import BadEmbedding, DimensionMismatch, IndexInvalid, ModelMismatch, TargetError, UsageError
from vestige_sql.look.status import status
from vestige_sql.report import fixed_estimate
from vestige_sql.resources import resource_dir
from vestige_sql.steps import plans

WAYS = ("rewrite", "widen", "swap")

OLD = "old"
NEW = "new"


def plan(**fields: Any) -> ReembedPlan:
    return ReembedPlan(**fields)


def index_oid(conn: Conn, name: str = HNSW) -> int | None:
    row = conn.execute("SELECT to_regclass(quote_ident(%s))::oid", (name,)).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def last_run(conn: Conn) -> dict[str, Any]:
    cursor = conn.execute("SELECT * FROM vestige_sql.run ORDER BY id DESC LIMIT 1")
    row = cursor.fetchone()
    assert row is not None
    assert cursor.description is not None
    return dict(zip([column.name for column in cursor.description], row, strict=True))


# --- The surface ---


def test_plan_defaults() -> None:
    assert dataclasses.asdict(ReembedPlan()) | {
        "batch_size": 128,
        "drop_hnsw_first": True,
        "concurrent_index": False,
        "apply": "auto",
    } == dataclasses.asdict(ReembedPlan())
    with pytest.raises(dataclasses.FrozenInstanceError):
        ReembedPlan().batch_size = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "fields",
    [{"batch_size": 0}, {"apply": "in place"}, {"lock_timeout_secs": 0}, {"lock_attempts": 0}],
    ids=lambda fields: next(iter(fields)),
)
def test_plan_refuses_what_is_out_of_range(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(fields))):
        ReembedPlan(**fields)


def test_names_of_the_surface() -> None:
    for name in ("ReembedPlan", "ReembedReport", "DryRunSummary", "ModelSignature", "Embedder"):
        assert name in vestige_sql.__all__
    for name in ("run_reembed", "dry_run_reembed"):
        assert callable(getattr(vestige_sql, name))
    assert {"rows_updated", "duration_secs", "index_rebuild_secs"} <= {
        f.name for f in dataclasses.fields(ReembedReport)
    }
    assert {
        "rows_to_update",
        "embedder_batches",
        "estimated_walltime_secs",
        "current_signature",
        "target_signature",
        "would_alter_typmod",
    } <= {f.name for f in dataclasses.fields(DryRunSummary)}


def test_the_fixed_estimate() -> None:
    assert fixed_estimate(50, builds_index=True) == 1 + 30
    assert fixed_estimate(100_000, builds_index=True) == 2_000 + 30
    assert fixed_estimate(250_000, builds_index=True) == 5_000 + 75
    assert fixed_estimate(50, builds_index=False) == 1


# --- Nothing to do, and nothing done ---


def test_no_op_calls_no_encoder_and_writes_nothing(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, 20, old)
    before = everything(conn)
    report = run_reembed(db, old, before_write=pytest.fail)
    assert (report.nothing_to_do, report.rows_updated, old.calls) == (True, 0, 0)
    assert everything(conn) == before


def test_no_op_with_rows_that_have_no_text(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, embedder=old, texts=["one", "", " \n "])
    assert run_reembed(db, old).nothing_to_do
    assert old.calls == 0


def test_dry_run_leaves_the_database_as_it_was(db: str, conn: Conn) -> None:
    seed(conn, 50, FakeEmbedder(OLD, 64))
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES (' ')")
    before = everything(conn)
    new = FakeEmbedder(NEW, 128)
    summary = dry_run_reembed(db, new, plan(batch_size=16))
    assert new.calls == 0
    assert everything(conn) == before
    assert summary.rows_to_update == 50
    assert summary.embedder_batches == 4
    assert summary.estimated_walltime_secs == 50 / 50 + 30
    assert summary.current_signature == FakeEmbedder(OLD, 64).signature()
    assert summary.target_signature == new.signature()
    assert summary.would_alter_typmod
    assert (summary.rows_blank, summary.rows_staged, summary.way) == (1, 0, "rewrite")


def test_dry_run_of_a_no_op(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, 20, old)
    summary = dry_run_reembed(db, old)
    assert summary.nothing_to_do
    assert (summary.rows_to_update, summary.embedder_batches, summary.estimated_walltime_secs) == (0, 0, 0)
    assert not summary.would_alter_typmod


def test_dry_run_without_the_package_schema(empty_db: str) -> None:
    with psycopg.connect(empty_db, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION vector")
        conn.execute("CREATE TABLE notes (id bigserial PRIMARY KEY, content text, embedding vector(3))")
        conn.execute(
            "INSERT INTO notes (content, embedding) SELECT 'note ' || i, '[1,2,3]' FROM generate_series(1, 50) i"
        )
        before = everything(conn)
        new = FakeEmbedder(NEW, 8)
        summary = dry_run_reembed(empty_db, new, target=Target("notes"))
        assert (summary.rows_to_update, summary.current_signature, new.calls) == (50, None, 0)
        assert summary.would_alter_typmod
        assert everything(conn) == before


def test_stopping_at_the_warning_leaves_the_database_as_it_was(db: str, conn: Conn) -> None:
    seed(conn, 5, FakeEmbedder(OLD))
    before = everything(conn)
    new = FakeEmbedder(NEW)

    def stop(text: str) -> None:
        assert "5 rows" in text
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_reembed(db, new, before_write=stop)
    assert new.calls == 0
    assert everything(conn) == before


def test_an_embedder_that_contradicts_itself(db: str) -> None:
    new = FakeEmbedder(NEW, 64)
    signature = new.signature()
    new.dimension = 32
    new.signature = lambda: signature  # type: ignore[method-assign]
    with pytest.raises(DimensionMismatch, match=r"32.*64"):
        run_reembed(db, new)


# --- The main job ---


@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_rows_from_64_to_128_dimensions(db: str, conn: Conn, way: str) -> None:
    texts = seed(conn, 100, FakeEmbedder(OLD, 64))
    before = rows(conn)
    new = FakeEmbedder(NEW, 128)
    report = run_reembed(db, new, plan(apply=way, batch_size=16))
    assert report.device is None  # a fake that does not say
    check_space(conn, new)
    assert {len(vector or []) for _, vector in vectors(conn).values()} == {128}
    check_search(conn, new, texts[:10])
    assert rows(conn) == before
    assert index_definition(conn) == HNSW_DEFINITION
    assert (report.rows_updated, report.rows_encoded, report.rows_blank, report.way) == (100, 100, 0, way)
    assert report.duration_secs > 0
    assert report.index_rebuild_secs > 0
    assert (report.previous_model, report.model) == (FakeEmbedder(OLD, 64).signature(), new.signature())
    assert sorted(new.texts) == sorted(texts)
    assert new.calls >= 100 / 16
    # And nothing is left behind.
    assert not conn.execute("SELECT FROM vestige_sql.saved_index").fetchall()
    assert not conn.execute("SELECT FROM pg_class WHERE relname LIKE 'stage\\_%'").fetchall()
    assert not conn.execute("SELECT FROM pg_proc WHERE proname LIKE 'staged\\_embedding%'").fetchall()
    assert run_reembed(db, new).nothing_to_do


@pytest.mark.parametrize("way", WAYS)
def test_the_same_dimension_and_a_new_hash(db: str, conn: Conn, way: str) -> None:
    texts = seed(conn, 20, FakeEmbedder(OLD))
    new = FakeEmbedder(OLD, salt="fine-tuned")
    summary = dry_run_reembed(db, new)
    assert (summary.rows_to_update, summary.would_alter_typmod) == (20, False)
    run_reembed(db, new, plan(apply=way))
    check_space(conn, new)
    check_search(conn, new, texts[:3])


def test_no_call_is_larger_than_the_batch_size(db: str, conn: Conn) -> None:
    seed(conn, 50, FakeEmbedder(OLD))
    sizes: list[int] = []
    run_reembed(db, FakeEmbedder(NEW, hook=lambda _, texts: sizes.append(len(texts))), plan(batch_size=7))
    assert sum(sizes) == 50
    assert max(sizes) <= 7


def test_equal_texts_are_encoded_once(db: str, conn: Conn) -> None:
    seed(conn, embedder=FakeEmbedder(OLD), texts=["twin", "twin", "other"])
    new = FakeEmbedder(NEW)
    report = run_reembed(db, new)
    assert sorted(new.texts) == ["other", "twin"]
    assert report.rows_updated == 3
    check_space(conn, new)


def test_an_empty_table(db: str, conn: Conn) -> None:
    new = FakeEmbedder(NEW)
    report = run_reembed(db, new)
    assert (report.rows_updated, new.calls) == (0, 0)
    check_space(conn, new)
    assert index_definition(conn) == HNSW_DEFINITION


def decorate(conn: Conn) -> None:
    """Hang on the table whatever can hang on it without standing in the way."""
    for statement in """
        ALTER TABLE knowledge_nodes SET (fillfactor = 80)
        COMMENT ON TABLE knowledge_nodes IS 'memories'
        COMMENT ON COLUMN knowledge_nodes.embedding IS 'of the ''registered'' model'
        COMMENT ON COLUMN knowledge_nodes.content IS 'the text'
        ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET NOT NULL
        ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET STATISTICS 7
        ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET (n_distinct = -0.5)
        ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET STORAGE MAIN
        GRANT SELECT, INSERT ON knowledge_nodes TO pg_monitor
        GRANT SELECT (id, embedding), UPDATE (embedding) ON knowledge_nodes TO PUBLIC
        GRANT SELECT (embedding) ON knowledge_nodes TO pg_monitor WITH GRANT OPTION
        CREATE VIEW recent AS SELECT id, content FROM knowledge_nodes WHERE created_at > '2020-01-01'
        ALTER TABLE knowledge_nodes ENABLE ROW LEVEL SECURITY
        CREATE POLICY own ON knowledge_nodes USING (visibility <> 'private')
        CREATE STATISTICS pairs ON node_type, codebase FROM knowledge_nodes
        ALTER TABLE knowledge_nodes REPLICA IDENTITY FULL
        ALTER TABLE knowledge_nodes CLUSTER ON idx_knowledge_nodes_created_at
        COMMENT ON INDEX idx_knowledge_nodes_embedding_hnsw IS 'the graph'
    """.strip().splitlines():
        conn.execute(statement)  # type: ignore[arg-type]


def test_each_way_gives_the_same_table_catalog_and_registry(db: str, conn: Conn) -> None:
    old, new = FakeEmbedder(OLD, 64), FakeEmbedder(NEW, 128)
    seed(conn, 30, old)
    decorate(conn)
    table, described = rows(conn), catalog(conn)
    expected = {**described, "columns": [
        tuple("vector(128)" if field == "vector(64)" else field for field in column) for column in described["columns"]
    ]}  # fmt: skip
    for way in WAYS:
        run_reembed(db, new, plan(apply=way))
        check_space(conn, new)
        assert rows(conn) == table, way
        assert catalog(conn) == expected, way
        # Back again by the same way.
        run_reembed(db, old, plan(apply=way))
        check_space(conn, old)
        assert rows(conn) == table, way
        assert catalog(conn) == described, way


@pytest.mark.parametrize("way", WAYS)
def test_a_default_is_kept_where_the_dimension_stays(db: str, conn: Conn, way: str) -> None:
    seed(conn, 3, FakeEmbedder(OLD, 3))
    conn.execute("ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET DEFAULT '[1,2,3]'")
    before = catalog(conn)
    run_reembed(db, FakeEmbedder(NEW, 3), plan(apply=way))
    assert catalog(conn) == before
    with pytest.raises(TargetError, match="default"):
        run_reembed(db, FakeEmbedder(NEW, 4), plan(apply=way))


COUNTING = """
    CREATE TABLE fired (name text);
    CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.fired VALUES (TG_NAME);
        RETURN NEW;
    END $$;
    CREATE TRIGGER a_row BEFORE UPDATE ON knowledge_nodes FOR EACH ROW EXECUTE FUNCTION count_it();
    CREATE TRIGGER a_row_after AFTER UPDATE OR DELETE ON knowledge_nodes FOR EACH ROW EXECUTE FUNCTION count_it();
    CREATE TRIGGER a_statement AFTER UPDATE ON knowledge_nodes FOR EACH STATEMENT EXECUTE FUNCTION count_it();
    CREATE TRIGGER always BEFORE UPDATE ON knowledge_nodes FOR EACH ROW EXECUTE FUNCTION count_it();
    CREATE TRIGGER on_replica BEFORE UPDATE ON knowledge_nodes FOR EACH ROW EXECUTE FUNCTION count_it();
    CREATE TRIGGER "Switched off" BEFORE UPDATE ON knowledge_nodes FOR EACH ROW EXECUTE FUNCTION count_it();
    CREATE CONSTRAINT TRIGGER deferred AFTER UPDATE ON knowledge_nodes DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION count_it();
    ALTER TABLE knowledge_nodes ENABLE ALWAYS TRIGGER always;
    ALTER TABLE knowledge_nodes ENABLE REPLICA TRIGGER on_replica;
    ALTER TABLE knowledge_nodes DISABLE TRIGGER "Switched off";
"""


@pytest.mark.parametrize("way", [*WAYS, "fill"])
def test_no_trigger_fires_and_each_stays_as_it_was(db: str, conn: Conn, way: str) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, 10, old)
    if way == "fill":
        conn.execute("UPDATE knowledge_nodes SET embedding = NULL WHERE content LIKE '%3'")
    conn.execute(COUNTING)
    before, states = rows(conn), catalog(conn)["triggers"]
    assert len(states) == 8
    new = old if way == "fill" else FakeEmbedder(NEW, 128)
    run_reembed(db, new, plan() if way == "fill" else plan(apply=way))
    check_space(conn, new)
    assert not conn.execute("SELECT name, count(*) FROM fired GROUP BY 1").fetchall()
    assert rows(conn) == before
    assert catalog(conn)["triggers"] == states
    # They are alive.
    conn.execute("UPDATE knowledge_nodes SET node_type = 'touched' WHERE content LIKE '%3'")
    assert dict(conn.execute("SELECT name, count(*)::int FROM fired GROUP BY 1").fetchall()) == dict.fromkeys(
        ("a_row", "a_row_after", "a_statement", "always", "deferred"), 1
    )


# --- Text that cannot be embedded ---

UNICODE_BLANK = "".join(map(chr, [0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
                                  0x2028, 0x2029, 0x202F, 0x205F, 0x3000]))  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_blank_texts_get_no_vector_and_are_counted(db: str, conn: Conn, way: str) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, embedder=old, texts=["text", "  padded  ", "", " ", UNICODE_BLANK])
    # Left over from a time when anything was embedded.
    conn.execute("UPDATE knowledge_nodes SET embedding = %s WHERE content = ''", (literal(old.vector("")),))
    before = rows(conn)
    new = FakeEmbedder(NEW, 128)
    report = run_reembed(db, new, plan(apply=way))
    assert sorted(new.texts) == ["  padded  ", "text"]
    assert (report.rows_updated, report.rows_blank) == (2, 3)
    check_space(conn, new)
    assert rows(conn) == before


@pytest.mark.parametrize("way", WAYS)
def test_null_content(db: str, conn: Conn, way: str) -> None:
    conn.execute("CREATE TABLE notes (id bigserial PRIMARY KEY, content text, embedding vector(3))")
    conn.execute("INSERT INTO notes (content, embedding) VALUES ('one', '[1,2,3]'), (NULL, '[1,2,3]'), ('', NULL)")
    target = Target("notes")
    new = FakeEmbedder(NEW, 8)
    report = run_reembed(db, new, plan(apply=way), target=target)
    assert (report.rows_updated, report.rows_blank) == (1, 2)
    check_space(conn, new, target)


@pytest.mark.parametrize("way", WAYS)
def test_a_row_that_is_blank_by_the_time_of_the_lock(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    seed(conn, 5, FakeEmbedder(OLD))
    new = FakeEmbedder(NEW)
    points = Points(monkeypatch)
    points.before(
        "lock/exclusive/20_lock_target.sql",
        lambda: conn.execute("UPDATE knowledge_nodes SET content = ' ' WHERE content = 'memory number 2'"),
    )
    report = run_reembed(db, new, plan(apply=way))
    assert (report.rows_updated, report.rows_blank) == (4, 1)
    check_space(conn, new)


def test_blank_texts_in_a_column_that_is_not_null(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, 3, old)
    conn.execute("ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET NOT NULL")
    conn.execute("UPDATE knowledge_nodes SET content = '' WHERE content LIKE '%1'")
    before = everything(conn)
    with pytest.raises(TargetError, match="NOT NULL, and 1 rows"):
        run_reembed(db, FakeEmbedder(NEW))
    assert everything(conn) == before


# --- Vectors that are none ---


class Bad(FakeEmbedder):
    """Spoils the vector, or the whole answer, for the text ``bad``."""

    def __init__(self, spoil: Callable[[np.ndarray[Any, Any], int], Any]) -> None:
        super().__init__(NEW, 8)
        self._spoil = spoil

    def embed_batch(self, texts: Sequence[str]) -> Any:
        good = super().embed_batch(texts)
        return self._spoil(good, texts.index("bad")) if "bad" in texts else good


def _with(value: float, everywhere: bool = False) -> Callable[[np.ndarray[Any, Any], int], Any]:
    def spoil(batch: np.ndarray[Any, Any], row: int) -> Any:
        batch[row, slice(None) if everywhere else 5] = value
        return batch

    return spoil


BAD = {
    "NaN": _with(np.nan),
    "infinity": _with(np.inf),
    "minus infinity": _with(-np.inf),
    "zero": _with(0, everywhere=True),
    "too short": lambda batch, row: batch[:, :-1],
    "a row less": lambda batch, row: batch[:-1],
    "flat": lambda batch, row: batch.ravel(),
    "float64": lambda batch, row: batch.astype(np.float64),
    "a list": lambda batch, row: batch.tolist(),
    "nothing": lambda batch, row: None,
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_bad_embedding_stops_the_run_and_names_the_row(db: str, conn: Conn, spoil: Any) -> None:
    old = FakeEmbedder(OLD)
    # The longest texts go first, and batch_size = 1 leaves each text its own call.
    seed(conn, embedder=old, texts=["good", "bad", "also good"])
    before, described, table = rows(conn), catalog(conn), vectors(conn)
    bad = next(key for key, (text, _) in table.items() if text == "bad")
    with pytest.raises(BadEmbedding) as stopped:
        run_reembed(db, Bad(spoil), plan(batch_size=1))
    assert bad in str(stopped.value)
    assert "knowledge_nodes" in str(stopped.value)
    assert "the table is as it was" in stopped.value.hint
    check_space(conn, old)
    assert (rows(conn), catalog(conn)) == (before, described)
    assert bad in last_run(conn)["last_error"]
    # The row is mended, and the run goes on.
    conn.execute("UPDATE knowledge_nodes SET content = 'mended' WHERE content = 'bad'")
    run_reembed(db, Bad(spoil))
    check_space(conn, FakeEmbedder(NEW, 8))


# --- The registry ---


def test_the_first_embedding_registers_the_model(db: str, conn: Conn) -> None:
    texts = seed(conn, 20)
    assert (registered(conn), typmod(conn)) == (None, -1)
    before = rows(conn)
    new = FakeEmbedder(NEW, 48)
    summary = dry_run_reembed(db, new)
    assert (summary.current_signature, summary.rows_to_update, summary.would_alter_typmod) == (None, 20, True)
    report = run_reembed(db, new)
    assert (report.rows_updated, report.previous_model) == (20, None)
    check_space(conn, new)
    check_search(conn, new, texts[:3])
    assert rows(conn) == before
    assert index_definition(conn) == HNSW_DEFINITION


VESTIGES_OWN = """
    DROP TABLE embedding_model;
    CREATE TABLE embedding_model (
        id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
        name text NOT NULL,
        dimension integer NOT NULL,
        hash text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    );
"""


@pytest.mark.parametrize("layout", ["ours", "Vestige's own"])
def test_both_layouts_of_the_registry(db: str, conn: Conn, layout: str) -> None:
    if layout != "ours":
        conn.execute(VESTIGES_OWN)
    old, new = FakeEmbedder(OLD), FakeEmbedder(NEW, 128)
    seed(conn, 5, old)
    created = conn.execute("SELECT created_at FROM embedding_model").fetchall()
    assert dry_run_reembed(db, new).current_signature == old.signature()
    assert run_reembed(db, old).nothing_to_do
    with pytest.raises(ModelMismatch) as mismatch:
        register_model(db, new.signature())
    assert all(
        text in str(mismatch.value) for text in ("old", "new", "64", "128", old.signature().hash, new.signature().hash)
    )
    run_reembed(db, new)
    names = ("model_name", "model_hash") if layout == "ours" else ("name", "hash")
    row = conn.execute(f"SELECT {names[0]}, dimension, {names[1]}, id, created_at FROM embedding_model").fetchall()  # type: ignore[arg-type]
    signature = new.signature()
    assert row == [(signature.name, 128, signature.hash, 1, created[0][0])]
    assert run_reembed(db, new).nothing_to_do


def test_updated_at_of_the_registry_moves_with_the_model(db: str, conn: Conn) -> None:
    seed(conn, 2, FakeEmbedder(OLD))
    conn.execute("UPDATE embedding_model SET created_at = '2024-01-01', updated_at = '2024-01-01'")
    run_reembed(db, FakeEmbedder(NEW))
    assert conn.execute(
        "SELECT created_at = '2024-01-01', updated_at > now() - interval '1 minute' FROM embedding_model"
    ).fetchone() == (True, True)


def test_registering(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    seed(conn, 3)
    assert register_model(db, old.signature())
    assert registered(conn) == (OLD, 64, old.signature().hash)
    assert typmod(conn) == 64
    before = everything(conn)
    assert not register_model(db, old.signature())
    for field in ({"name": "other"}, {"hash": "0" * 64}, {"dimension": 65}):
        other = dataclasses.replace(old.signature(), **field)
        with pytest.raises(ModelMismatch, match=str(next(iter(field.values())))):
            register_model(db, other)
    assert everything(conn) == before


def test_only_missing_rows_are_filled_where_the_model_is_registered(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    texts = seed(conn, 20, old)
    seed(conn, texts=["came later", "", "and this"])
    conn.execute("UPDATE embedding_model SET updated_at = '2024-01-01'")
    place = "SELECT id, ctid, xmin FROM knowledge_nodes WHERE embedding IS NOT NULL ORDER BY id"
    before, places = rows(conn), conn.execute(place).fetchall()
    model = conn.execute("SELECT xmin, * FROM embedding_model").fetchall()
    index, described = index_oid(conn), catalog(conn)
    assert dry_run_reembed(db, old).rows_to_update == 2
    report = run_reembed(db, old)
    assert sorted(old.texts) == ["and this", "came later"]
    assert (report.rows_updated, report.way) == (2, "fill")
    check_space(conn, old)
    check_search(conn, old, [*texts[:2], "came later"])
    assert rows(conn) == before
    assert conn.execute("SELECT xmin, * FROM embedding_model").fetchall() == model
    kept = set(conn.execute(place).fetchall())
    assert kept.issuperset(places)
    assert (index_oid(conn), catalog(conn)) == (index, described)
    assert run_reembed(db, old).nothing_to_do


def test_missing_rows_and_a_missing_index(db: str, conn: Conn) -> None:
    old = FakeEmbedder(OLD)
    texts = seed(conn, 10, old, index=False)
    seed(conn, texts=["came later"])
    report = run_reembed(db, old)
    assert (old.texts, report.rows_updated) == (["came later"], 1)
    check_space(conn, old)
    assert index_definition(conn) == HNSW_DEFINITION
    check_search(conn, old, [texts[0], "came later"])
    assert run_reembed(db, old).nothing_to_do


@pytest.mark.parametrize("concurrently", [False, True])
def test_only_a_missing_index_is_built(db: str, conn: Conn, concurrently: bool) -> None:
    old = FakeEmbedder(OLD)
    texts = seed(conn, 20, old, index=False)
    places = conn.execute("SELECT id, ctid, xmin FROM knowledge_nodes").fetchall()
    model = conn.execute("SELECT xmin, * FROM embedding_model").fetchall()
    report = run_reembed(db, old, plan(concurrent_index=concurrently))
    assert (old.calls, report.rows_updated) == (0, 0)
    assert report.index_rebuild_secs > 0
    assert index_definition(conn) == HNSW_DEFINITION
    assert conn.execute("SELECT id, ctid, xmin FROM knowledge_nodes").fetchall() == places
    assert conn.execute("SELECT xmin, * FROM embedding_model").fetchall() == model
    check_search(conn, old, texts[:3])
    assert run_reembed(db, old).nothing_to_do


# --- The index ---

CUSTOM = (
    'CREATE INDEX "My Graph" ON public.knowledge_nodes USING hnsw (embedding vector_l2_ops)'
    " WITH (m='8', ef_construction='32') WHERE (node_type <> 'event'::text)"
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "fields", [{}, {"drop_hnsw_first": False}, {"concurrent_index": True}], ids=lambda f: next(iter(f), "default")
)
def test_the_index_as_it_was(db: str, conn: Conn, way: str, fields: dict[str, bool]) -> None:
    texts = seed(conn, 30, FakeEmbedder(OLD), index=False)
    conn.execute(CUSTOM)
    conn.execute("""COMMENT ON INDEX "My Graph" IS 'it''s ours'""")
    conn.execute("CREATE INDEX plain ON knowledge_nodes USING ivfflat (embedding vector_ip_ops) WITH (lists = 3)")
    before = catalog(conn)["indexes"]
    new = FakeEmbedder(NEW, 128)
    run_reembed(db, new, plan(apply=way, **fields))
    check_space(conn, new)
    assert catalog(conn)["indexes"] == before
    assert index_definition(conn) is None
    check_search(conn, new, [texts[3]], operator="<#>")
    assert run_reembed(db, new).nothing_to_do


@pytest.mark.parametrize("way", WAYS)
def test_concurrent_index(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    texts = seed(conn, 20, FakeEmbedder(OLD))
    before = catalog(conn)["indexes"]
    new = FakeEmbedder(NEW)
    built: list[object] = []
    points = Points(monkeypatch)
    # Vectors and registry are in place before the index is begun.
    points.before(
        "index/concurrently/30_create_indexes.sql",
        lambda: (check_space(conn, new), built.append(index_definition(conn))),
    )
    report = run_reembed(db, new, plan(apply=way, concurrent_index=True))
    assert built == [None]
    assert catalog(conn)["indexes"] == before
    check_search(conn, new, texts[:2])
    assert report.index_rebuild_secs > 0
    assert last_run(conn)["state"] == "done"
    assert run_reembed(db, new, plan(concurrent_index=True)).nothing_to_do


def test_concurrent_index_keeps_a_valid_one(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, 10, FakeEmbedder(OLD))
    new = FakeEmbedder(NEW)
    points = Points(monkeypatch)
    # Somebody was quicker.
    points.before("index/concurrently/20_check_none_invalid.sql", lambda: conn.execute(HNSW_DEFINITION))  # type: ignore[arg-type]
    points.after("index/concurrently/20_check_none_invalid.sql", lambda: theirs.append(index_oid(conn)))
    theirs: list[int | None] = []
    run_reembed(db, new, plan(concurrent_index=True))
    assert theirs == [index_oid(conn)]
    assert run_reembed(db, new).nothing_to_do


def invalidate(conn: Conn, name: str = HNSW) -> None:
    conn.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = quote_ident(%s)::regclass", (name,))


def test_an_invalid_index_stops_the_concurrent_run_before_anything_is_written(db: str, conn: Conn) -> None:
    old, new = FakeEmbedder(OLD), FakeEmbedder(NEW)
    seed(conn, 10, old)
    invalidate(conn)
    before = everything(conn)
    for embedder in (old, new):
        with pytest.raises(IndexInvalid) as stopped:
            run_reembed(db, embedder, plan(concurrent_index=True))
        assert HNSW in str(stopped.value)
        assert f'DROP INDEX CONCURRENTLY "public"."{HNSW}";' in stopped.value.hint
    assert (old.calls, new.calls) == (0, 0)
    assert everything(conn) == before
    conn.execute(f"DROP INDEX CONCURRENTLY {HNSW}")  # type: ignore[arg-type]
    run_reembed(db, new, plan(concurrent_index=True))
    check_space(conn, new)
    assert index_definition(conn) == HNSW_DEFINITION


@pytest.mark.parametrize("name", [OLD, NEW])
def test_offline_an_invalid_index_is_built_anew(db: str, conn: Conn, name: str) -> None:
    texts = seed(conn, 10, FakeEmbedder(OLD))
    invalidate(conn)
    embedder = FakeEmbedder(name)
    run_reembed(db, embedder)
    check_space(conn, embedder)
    assert index_definition(conn) == HNSW_DEFINITION
    check_search(conn, embedder, texts[:2])
    assert run_reembed(db, embedder).nothing_to_do


# --- Which way ---


def test_auto_takes_the_fastest_and_says_so(db: str, conn: Conn) -> None:
    seed(conn, 3, FakeEmbedder(OLD))
    report = run_reembed(db, FakeEmbedder(NEW))
    assert (report.way, report.way_reason) == ("rewrite", "the fastest way")
    assert (last_run(conn)["way"], last_run(conn)["way_reason"]) == ("rewrite", "the fastest way")
    assert run_reembed(db, FakeEmbedder(OLD), plan(apply="swap")).way_reason == "as asked for"


def test_widen_refused_by_the_server_becomes_swap(db: str, conn: Conn) -> None:
    seed(conn, 10, FakeEmbedder(OLD))
    conn.execute(COUNTING)
    before, described = rows(conn), catalog(conn)
    conn.execute(
        """
        CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF current_query() ~ 'TYPE [a-z.]*vector[;,]' THEN
                RAISE EXCEPTION 'no widening here';
            END IF;
        END $$;
        CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION refuse();
        """
    )
    new = FakeEmbedder(NEW)
    report = run_reembed(db, new, plan(apply="widen"))
    assert report.way == "swap"
    assert report.way_reason is not None
    assert "no widening here" in report.way_reason
    assert (last_run(conn)["way"], last_run(conn)["way_reason"]) == ("swap", report.way_reason)
    check_space(conn, new)
    assert (rows(conn), catalog(conn)) == (before, described)
    assert not conn.execute("SELECT FROM fired").fetchall()
    recorded = {file for (file,) in conn.execute("SELECT file FROM vestige_sql.step").fetchall()}
    assert "apply/swap/20_fill_column.sql" in recorded
    # What was undone is not in the audit.
    assert not any(file.startswith("apply/widen") for file in recorded)


@pytest.mark.parametrize("way", ["auto", *WAYS])
def test_the_index_left_in_place_while_the_vectors_change(db: str, conn: Conn, way: str) -> None:
    texts = seed(conn, 20, FakeEmbedder(OLD))
    before, described = rows(conn), catalog(conn)
    # Under an HNSW index the server takes no vectors of another dimension, so widen then becomes swap.
    for new, widens in (
        (FakeEmbedder(NEW, 128), False),
        (FakeEmbedder(NEW, 128, salt="2"), True),
        (FakeEmbedder(OLD), False),
    ):
        report = run_reembed(db, new, plan(apply=way, drop_hnsw_first=False))
        assert report.way == {"auto": "rewrite", "widen": "widen" if widens else "swap"}.get(way, way)
        check_space(conn, new)
        check_search(conn, new, texts[:2])
    assert (rows(conn), catalog(conn)) == (before, described)
    assert "index/drop/10_drop_indexes.sql" not in {
        file for (file,) in conn.execute("SELECT file FROM vestige_sql.step").fetchall()
    }


def test_what_a_way_cannot_keep_is_named_before_the_first_write(db: str, conn: Conn) -> None:
    seed(conn, 5, FakeEmbedder(OLD))
    conn.execute("ALTER TABLE knowledge_nodes ADD CONSTRAINT not_first CHECK (embedding <> embedding - embedding)")
    before = everything(conn)
    new = FakeEmbedder(NEW, 128)
    with pytest.raises(TargetError, match="not_first"):
        run_reembed(db, new, plan(apply="swap"))
    assert new.calls == 0
    assert everything(conn) == before
    constraints = catalog(conn)["constraints"]
    for way in ("auto", "widen"):
        run_reembed(db, new, plan(apply=way))
        check_space(conn, new)
        assert catalog(conn)["constraints"] == constraints
        new = FakeEmbedder(OLD)


# --- Other tables, other sessions ---


SETTINGS = """
    lock_timeout = '1ms'
    search_path = 'pg_catalog'
    default_transaction_isolation = 'serializable'
    standard_conforming_strings = off
    bytea_output = 'escape'
    extra_float_digits = -15
    quote_all_identifiers = on
    client_encoding = 'LATIN1'
    default_transaction_deferrable = on
    jit_above_cost = 0
    session_replication_role = 'replica'
"""


def test_odd_settings_of_the_database(db: str, conn: Conn) -> None:
    old, new = FakeEmbedder(OLD), FakeEmbedder(NEW)
    texts = seed(conn, embedder=old, texts=["plain", "back\\slash and 'quotes'", "Übermaß \N{SNOWMAN}"])
    before, described = rows(conn), catalog(conn)
    for setting in SETTINGS.strip().splitlines():
        conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting}")  # type: ignore[arg-type]
    target = Target("public.knowledge_nodes")
    run_reembed(db, new, plan(concurrent_index=True), target=target)
    check_space(conn, new)
    run_reembed(db, old, plan(apply="widen"), target=target)
    check_space(conn, old)
    check_search(conn, old, texts)
    assert (rows(conn), catalog(conn)) == (before, described)


def test_time_limits_of_the_role_do_not_end_a_run(db: str, conn: Conn) -> None:
    seed(conn, 3, FakeEmbedder(OLD))
    conn.execute(
        """
        CREATE FUNCTION dawdle() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); END';
        CREATE EVENT TRIGGER dawdle ON ddl_command_start WHEN TAG IN ('DROP INDEX') EXECUTE FUNCTION dawdle();
        """
    )
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"):
        conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting} = '250ms'")  # type: ignore[arg-type]
    new = FakeEmbedder(NEW, hook=lambda *_: time.sleep(0.3))
    run_reembed(db, new)
    check_space(conn, new)


# --- The audit ---


def test_the_audit_of_a_run(db: str, conn: Conn) -> None:
    old, new = FakeEmbedder(OLD, 64), FakeEmbedder(NEW, 128)
    seed(conn, 10, old)
    seed(conn, texts=[""])
    report = run_reembed(db, new, plan(apply="swap"))
    run = last_run(conn)
    assert run["id"] == report.run_id
    assert (run["table_schema"], run["table_name"], run["column_name"]) == ("public", "knowledge_nodes", "embedding")
    for prefix, signature in (("from", old.signature()), ("to", new.signature())):
        assert ModelSignature(run[f"{prefix}_name"], run[f"{prefix}_dimension"], run[f"{prefix}_hash"]) == signature
    assert (run["state"], run["scope"], run["way"], run["last_error"]) == ("done", "all", "swap", None)
    assert (run["rows_total"], run["rows_written"], run["rows_blank"]) == (11, 10, 1)
    assert run["duration_secs"] == pytest.approx(report.duration_secs, abs=1e-3)
    assert run["index_secs"] == pytest.approx(report.index_rebuild_secs, abs=1e-3)
    assert run["started_at"] < run["applied_at"] <= run["finished_at"]

    steps = conn.execute(
        "SELECT file, sha256, duration_secs, started_at FROM vestige_sql.step WHERE run_id = %s ORDER BY id",
        (run["id"],),
    ).fetchall()
    files = [file for file, *_ in steps]
    for file, sha256, seconds, _ in steps:
        assert sha256 == hashlib.sha256((resource_dir("sql") / file).read_bytes()).hexdigest()
        assert seconds >= 0
    expected = [step.name for step in plans.load("swap").steps()]
    assert [file for file in files if file in expected] == expected
    assert files.index("gate/10_staged_for_the_open_run.sql") > files.index("lock/exclusive/20_lock_target.sql")


def test_status(db: str, conn: Conn) -> None:
    old, new = FakeEmbedder(OLD, 64), FakeEmbedder(NEW, 128)
    seed(conn, 10, old)
    found = status(db)
    assert (found["model"], found["dimension"], found["open_run"]) == (old.signature(), 64, None)
    assert [(index["name"], index["valid"]) for index in found["indexes"]] == [(HNSW, True)]
    assert found["last_runs"] == []

    with pytest.raises(BadEmbedding):
        run_reembed(db, _second_bad())
    found = status(db)
    assert (found["model"], found["dimension"]) == (old.signature(), 64)
    assert (found["open_run"]["name"], found["open_run"]["state"]) == (NEW, "staging")
    assert "NaN" in found["open_run"]["last_error"]
    assert found["open_run"]["rows_staged"] == 0

    run_reembed(db, new)
    found = status(db)
    assert (found["model"], found["dimension"], found["open_run"]) == (new.signature(), 128, None)
    assert [(run["state"], run["from_name"], run["to_name"], run["rows_written"]) for run in found["last_runs"]] == [
        ("done", OLD, NEW, 10)
    ]


def _second_bad() -> FakeEmbedder:
    bad = Bad(_with(np.nan))
    bad.dimension = 128
    bad.embed_batch = lambda texts: np.full((len(texts), 128), np.nan, np.float32)  # type: ignore[method-assign]
    return bad


def url(conninfo: str) -> str:
    """``conninfo`` as a URL with everything in its query."""
    parts = psycopg.conninfo.conninfo_to_dict(conninfo)
    return "postgresql://?" + urlencode({key: str(value) for key, value in parts.items()})


def test_conninfo_is_anything_that_libpq_takes(db: str, conn: Conn) -> None:
    seed(conn, 3, FakeEmbedder(OLD))
    for number, conninfo in enumerate((make_conninfo(db), url(db))):
        new = FakeEmbedder(f"model {number}")
        run_reembed(conninfo, new)
        check_space(conn, new)


# --- The memory of an index build ---


def test_a_graph_that_outgrows_its_memory_is_survived_and_the_advice_holds(db: str, conn: Conn) -> None:
    conn.execute("CREATE TABLE documents (id bigint PRIMARY KEY, content text NOT NULL, embedding vector)")
    conn.execute("INSERT INTO documents SELECT n, 'text ' || n FROM generate_series(1, 2500) n")
    documents, embedder = Target("documents"), FakeEmbedder(NEW, 16)
    index = "CREATE INDEX ON documents USING hnsw ((embedding::vector(16)) vector_cosine_ops)"
    register_model(db, FakeEmbedder(OLD, 16).signature(), target=documents)
    conn.execute(index)
    report = run_reembed(db, embedder, ReembedPlan(index_memory_bytes=1 << 20), target=documents)
    (note,) = [note for note in report.notes if "outgrew" in note]
    found = re.search(r"its 1 MB of memory after ([\d,]+) of 2,500 rows.* --index-memory (\d+) would hold it", note)
    assert found is not None, note
    assert int(found[1].replace(",", "")) < 2_500
    again = run_reembed(
        db, FakeEmbedder(OLD, 16), ReembedPlan(index_memory_bytes=int(found[2]) << 20), target=documents
    )
    assert not [note for note in again.notes if "outgrew" in note]


@pytest.mark.parametrize(("given", "expected"), [(None, "64MB"), (48 << 20, "48MB"), (3 << 20, "3MB")])
def test_the_memory_of_an_index_build_has_a_limit(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, given: int | None, expected: str
) -> None:
    """Of a small graph the server's own maintenance_work_mem, and no more than was given."""
    seed(conn, 20, FakeEmbedder(OLD))
    for setting in ("max_parallel_maintenance_workers", "max_parallel_workers"):
        conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting} = 0")
    seen: list[Any] = []
    run = steps.run

    def look(conn: Conn, step: steps.Step, values: Any) -> steps.StepRun:
        if step.name == "index/create/20_create_indexes.sql":
            seen.append(conn.execute("SHOW maintenance_work_mem").fetchone())
        return run(conn, step, values)

    patch_run(monkeypatch, look)
    run_reembed(db, FakeEmbedder(NEW), ReembedPlan(index_memory_bytes=given))
    assert seen == [(expected,)]


def test_apply_when_it_is_done_already_has_nothing_to_do(db: str, conn: Conn, vestige: Callable[..., Said]) -> None:
    seed(conn, 4, FakeEmbedder("old", 16))
    new = FakeEmbedder("new", 24)
    stage_reembed(db, new)
    at = ("--postgres-url", db, "--no-confirm")
    assert vestige("migrate", "apply", *at).code == 0
    before = everything(conn)
    again = vestige("migrate", "apply", *at)
    assert again.code == 0
    assert (
        f"apply: nothing to do: what was staged for public.knowledge_nodes.embedding is in place: {new.signature()}"
        in (again.err)
    )
    assert vestige("migrate", "apply", "--online", "--json", *at).answer["nothing_to_do"]
    assert everything(conn) == before
    # What was staged and aborted, or gone back from, is not in place.
    stage_reembed(db, FakeEmbedder("third", 12))
    abort_reembed(db)
    assert "nothing is staged" in vestige("migrate", "apply", *at).err
    run_reembed(db, FakeEmbedder("third", 12), ReembedPlan(keep_old=True))
    assert vestige("migrate", "apply", *at).code == 0
    rollback(db)
    assert "nothing is staged" in vestige("migrate", "apply", *at).err
