"""Partitioned tables: the parent is the target."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import Conn, FakeEmbedder, Points, catalog, check_space, dsn, literal, typmod, vectors
from test_back import others
from test_by_hand import run_psql
from test_composite_keys import by_hand

from vestige_sql import (
    ReembedPlan,
    Target,
    abort_reembed,
    apply_staged,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
    steps,
)
from vestige_sql.errors import CheckFailed, TargetError
from vestige_sql.look.preview import preview
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.reembed.stage import BY_KEY, IN_PLACE, Stager
from vestige_sql.reembed.target import probe
from vestige_sql.steps.files import Value

OLD, NEW = FakeEmbedder("old", 8), FakeEmbedder("new", 16)
ROWS = 60
TARGET = Target("documents", ("tenant", "id"))

LAYOUTS = {
    # Two levels, a default partition, another schema, another order of columns, dropped columns, and properties of
    # its own in nearly every partition.
    "list": """
        CREATE TABLE documents (tenant int, id int, content text, embedding vector(8), hits int DEFAULT 0,
            PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant);
        CREATE SCHEMA "Archive";
        CREATE TABLE documents_1 PARTITION OF documents FOR VALUES IN (1);
        CREATE TABLE "Archive"."documents 2" (junk int, embedding vector(8), hits int, id int NOT NULL, more text,
            content text, tenant int NOT NULL);
        ALTER TABLE "Archive"."documents 2" DROP COLUMN junk, DROP COLUMN more;
        ALTER TABLE documents ATTACH PARTITION "Archive"."documents 2" FOR VALUES IN (2);
        CREATE TABLE documents_3 PARTITION OF documents FOR VALUES IN (3) PARTITION BY RANGE (id);
        CREATE TABLE documents_3a PARTITION OF documents_3 FOR VALUES FROM (MINVALUE) TO (30);
        CREATE TABLE documents_3b PARTITION OF documents_3 FOR VALUES FROM (30) TO (MAXVALUE);
        CREATE TABLE documents_other PARTITION OF documents DEFAULT;
        ALTER TABLE documents_1 ALTER embedding SET STORAGE EXTERNAL, ALTER embedding SET COMPRESSION pglz;
        ALTER TABLE documents_3a ALTER embedding SET STATISTICS 77, ALTER embedding SET (n_distinct = 5);
        COMMENT ON COLUMN documents_3b.embedding IS 'of the second part';
        CREATE INDEX documents_1_m ON documents_1 USING hnsw (embedding vector_cosine_ops) WITH (m = 5);
        COMMENT ON INDEX documents_1_m IS 'with another m';
        CREATE INDEX by_meaning ON documents USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 40);
        COMMENT ON INDEX by_meaning IS 'of all';
        CREATE INDEX documents_other_l2 ON documents_other USING hnsw (embedding vector_l2_ops) WITH (m = 7);
        COMMENT ON INDEX documents_other_l2 IS 'of one alone';
        -- one that not every partition has
        CREATE INDEX by_l1 ON ONLY documents USING hnsw (embedding vector_ip_ops);
        CREATE INDEX documents_1_l1 ON documents_1 USING hnsw (embedding vector_ip_ops);
        ALTER INDEX by_l1 ATTACH PARTITION documents_1_l1;
        CREATE INDEX by_hits ON documents (hits);
    """,
    "range": """
        CREATE TABLE documents (tenant int, id int, content text, embedding vector(8), hits int DEFAULT 0,
            PRIMARY KEY (tenant, id)) PARTITION BY RANGE (id, tenant);
        CREATE TABLE documents_1 PARTITION OF documents FOR VALUES FROM (MINVALUE, MINVALUE) TO (20, 0);
        CREATE TABLE documents_2 PARTITION OF documents FOR VALUES FROM (20, 0) TO (MAXVALUE, MAXVALUE);
        CREATE INDEX ON documents USING hnsw (embedding vector_cosine_ops);
    """,
    "hash": """
        CREATE TABLE documents (tenant int, id int, content text, embedding vector(8), hits int DEFAULT 0,
            PRIMARY KEY (tenant, id)) PARTITION BY HASH (tenant);
        CREATE TABLE documents_1 PARTITION OF documents FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE documents_2 PARTITION OF documents FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        CREATE INDEX ON documents_1 USING hnsw (embedding vector_cosine_ops);
    """,
}


def make(conn: Conn, layout: str = "list", *, embedder: FakeEmbedder | None = OLD) -> Target:
    """A partitioned table with rows in every partition, among them one without text; the target names no column."""
    conn.execute(LAYOUTS[layout].encode())
    for i in range(ROWS):
        text = f"document number {i}" if i != 7 else " "
        vector = literal(embedder.vector(text)) if embedder and text.strip() else None
        conn.execute(
            "INSERT INTO documents (tenant, id, content, embedding) VALUES (%s, %s, %s, %s)", (i % 5, i, text, vector)
        )
    if embedder:
        register_model(dsn(conn), embedder.signature(), target=Target("documents"))
    return Target("documents")


def tree(conn: Conn) -> dict[str, Any]:
    """What the catalog says of the table, of each partition, and of what is a part of what."""
    names = [
        name for (name,) in conn.execute("SELECT relid::regclass::text FROM pg_partition_tree('documents') ORDER BY 1")
    ]
    attached = conn.execute(
        "SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits ORDER BY 1"
    ).fetchall()
    return {"attached": attached} | {
        name: {what: said for what, said in catalog(conn, name).items() if what != "grants"} for name in names
    }


def without_dimension(said: Any) -> str:
    return json.loads(
        json.dumps(said, default=str).replace("vector(8)", "vector(N)").replace("vector(16)", "vector(N)")
    )


def one(conn: Conn, query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def check(conn: Conn, db: str, embedder: FakeEmbedder, was: dict[str, str], before: dict[str, Any]) -> None:
    """The vectors are ``embedder``'s, and nothing else has changed."""
    check_space(conn, embedder, TARGET)
    assert others(conn, TARGET) == was
    now = tree(conn)
    assert now["attached"] == before["attached"]
    assert without_dimension(now) == without_dimension(before)
    said = status(db, target=Target("documents"))
    assert said["indexes"] and all(index["valid"] for index in said["indexes"])
    assert said["indexes_to_build"] == []


@pytest.mark.parametrize(
    ("layout", "way"),
    [("list", "rewrite"), ("list", "swap"), ("range", "widen"), ("hash", "rewrite")],
)
def test_there_and_back(db: str, conn: Conn, layout: str, way: str) -> None:
    target = make(conn, layout)
    was, before = others(conn, TARGET), tree(conn)
    plan = ReembedPlan(apply=way, keep_old=True, drop_hnsw_first=layout != "range")
    report = run_reembed(db, NEW, plan, target=target)
    assert (report.rows_updated, report.rows_blank, report.way) == (ROWS - 1, 1, way)
    check(conn, db, NEW, was, before)
    assert run_reembed(db, NEW, target=target).nothing_to_do
    rollback(db, plan, target=target)
    check(conn, db, OLD, was, before)
    assert tree(conn) == before
    finalize(db, target=target)


def test_in_psql(db: str, conn: Conn, psql: Path, tmp_path: Path) -> None:
    target = make(conn)
    was, before = others(conn, TARGET), tree(conn)
    stage_reembed(db, NEW, target=target)
    by_hand(psql, db, "swap", "keep_old", one=True)
    check(conn, db, NEW, was, before)
    by_hand(psql, db, "rollback-table", one=True)
    check(conn, db, OLD, was, before)
    by_hand(psql, db, "finalize-table", one=True)
    for plain in (False, True):
        embedder = OLD if plain else NEW
        stage_reembed(db, embedder, target=target)
        script = tmp_path / "script.sql"
        script.write_text(script_staged(db, ReembedPlan(apply="rewrite"), target=target, plain=plain))
        run_psql(psql, db, *(["-1"] if plain else []), "-f", str(script))
        check(conn, db, embedder, was, before)


def test_partitions_that_come_and_go_while_rows_are_encoded(db: str, conn: Conn) -> None:
    target = make(conn)
    texts: list[str] = []

    def change(call: int, _: object) -> None:
        if call != 1:
            return
        conn.execute("ALTER TABLE documents DETACH PARTITION documents_3")
        conn.execute("DROP TABLE documents_1")
        conn.execute(
            "CREATE TABLE documents_7 PARTITION OF documents FOR VALUES IN (7);"
            "CREATE TABLE documents_9 (LIKE documents INCLUDING ALL);"
            "INSERT INTO documents_9 VALUES (9, 1, 'attached'), (9, 2, 'attached too');"
            "ALTER TABLE documents ATTACH PARTITION documents_9 FOR VALUES IN (9);"
            "INSERT INTO documents VALUES (7, 1, 'inserted'), (8, 1, 'by default')"
        )
        # from one partition to another
        conn.execute("UPDATE documents SET tenant = 7 WHERE id = 10")

    run_reembed(db, FakeEmbedder("new", 16, hook=change), target=target)
    check_space(conn, NEW, TARGET)
    texts = [text for text, _ in vectors(conn, TARGET).values()]
    assert {"attached", "attached too", "inserted", "by default", "document number 10"} <= set(texts)
    assert len(texts) == ROWS - 2 * ROWS // 5 + 4
    # what was detached is as it was, all of it
    detached = Target("documents_3", ("tenant", "id"))
    assert typmod(conn, detached) == OLD.dimension
    check_space(conn, OLD, detached)
    assert one(conn, "SELECT count(*) FROM documents_3") == ROWS // 5


def test_a_partition_that_goes_between_staging_and_applying(db: str, conn: Conn) -> None:
    target = make(conn)
    stage_reembed(db, NEW, target=target)
    conn.execute("ALTER TABLE documents DETACH PARTITION documents_1")
    conn.execute("CREATE TABLE documents_8 PARTITION OF documents FOR VALUES IN (8)")
    conn.execute("INSERT INTO documents VALUES (8, 1, 'new')")
    with pytest.raises(CheckFailed, match=r"1 rows of public\.documents have text but no staged vector"):
        apply_staged(db, target=target)
    stage_reembed(db, NEW, target=target)
    apply_staged(db, target=target)
    check_space(conn, NEW, TARGET)
    check_space(conn, OLD, Target("documents_1", ("tenant", "id")))
    stage_reembed(db, OLD, target=target)
    abort_reembed(db, target=target)
    check_space(conn, NEW, TARGET)


def test_triggers_and_what_is_missing(db: str, conn: Conn) -> None:
    """No trigger fires, neither the table's nor a partition's own, and each is switched on as it was."""
    target = make(conn)
    conn.execute(
        "CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''it fired''; END';"
        "CREATE TRIGGER of_all AFTER UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION complain();"
        "CREATE TRIGGER of_one BEFORE UPDATE ON documents_1 FOR EACH ROW EXECUTE FUNCTION complain();"
        "ALTER TABLE documents_1 ENABLE ALWAYS TRIGGER of_one;"
        "ALTER TABLE ONLY documents_3a ENABLE REPLICA TRIGGER of_all;"
        "ALTER TABLE ONLY documents_other DISABLE TRIGGER of_all"
    )
    before = tree(conn)
    for way in ("swap", "widen"):
        run_reembed(db, NEW if way == "swap" else OLD, ReembedPlan(apply=way), target=target)
        assert without_dimension(tree(conn)) == without_dimension(before)
    conn.execute("DROP TRIGGER of_one ON documents_1; ALTER TABLE documents DISABLE TRIGGER USER")
    conn.execute("UPDATE documents SET embedding = NULL WHERE id % 3 = 0")
    conn.execute("ALTER TABLE documents ENABLE TRIGGER USER")
    # A partition's index is gone, with all that it was a part of.
    conn.execute("DROP INDEX by_meaning, documents_other_l2, by_l1")
    report = run_reembed(db, OLD, ReembedPlan(create_index=True), target=target)
    assert (report.rows_updated, report.way) == (20, "fill")
    check_space(conn, OLD, TARGET)
    assert one(conn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_documents_embedding_hnsw'::regclass")
    assert one(conn, "SELECT count(*) FROM pg_partition_tree('idx_documents_embedding_hnsw') WHERE isleaf") == 5


def test_indexes_built_concurrently(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    target = make(conn)
    was, before = others(conn, TARGET), tree(conn)
    plan = ReembedPlan(concurrent_index=True)
    with monkeypatch.context() as patch, pytest.raises(CheckFailed, match="stopped"):
        Points(patch).before("index/concurrently/50_attach_indexes.sql", stopping)
        run_reembed(db, NEW, plan, target=target)
    assert status(db, target=target)["indexes_to_build"]
    run_reembed(db, NEW, plan, target=target)
    check(conn, db, NEW, was, before)
    with monkeypatch.context() as patch, pytest.raises(CheckFailed, match="stopped"):
        Points(patch).before("index/concurrently/30_create_indexes.sql", stopping)
        run_reembed(db, OLD, plan, target=target)
    # an index of a partition that is gone is not waited for
    conn.execute("DROP TABLE documents_1")
    run_reembed(db, OLD, plan, target=target)
    check_space(conn, OLD, TARGET)
    assert status(db, target=target)["indexes_to_build"] == []
    assert one(conn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_meaning'::regclass")


def stopping(*_: object) -> None:
    raise CheckFailed("stopped")


REFUSED = [
    ("", "documents_1", r"documents_1 is a partition of public\.documents", "--table public.documents;", ""),
    ("", "documents_3a", r"documents_3a is a partition of public\.documents", "--table public.documents;", ""),
    ("", "documents_3", r"documents_3 is a partition of public\.documents", "--table public.documents;", ""),
    (
        "CREATE INDEX that_many ON documents (hits) WHERE embedding IS NOT NULL",
        "documents",
        r"index public\.that_many \(an index\)",
        "CREATE INDEX that_many ON public.documents USING btree",
        "DROP INDEX that_many",
    ),
    (
        "CREATE VIEW one_part AS SELECT embedding FROM documents_3b",
        "documents",
        r"view public\.one_part",
        "DROP VIEW public.one_part",
        "DROP VIEW one_part",
    ),
    (
        "ALTER TABLE documents_3b ADD CONSTRAINT eight CHECK (vector_dims(embedding) = 8)",
        "documents",
        "eight",
        "DROP CONSTRAINT eight",
        "ALTER TABLE documents_3b DROP CONSTRAINT eight",
    ),
    (
        "CREATE TABLE plain (LIKE documents INCLUDING ALL); CREATE TABLE heir () INHERITS (plain)",
        "plain",
        "is part of an inheritance tree",
        "NO INHERIT",
        "",
    ),
    (
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
        "CREATE FOREIGN TABLE far (tenant int NOT NULL, id int NOT NULL, content text, embedding vector(8), hits int)"
        "  SERVER s;"
        "DROP INDEX by_meaning, by_l1, by_hits; ALTER TABLE documents DROP CONSTRAINT documents_pkey;"
        "ALTER TABLE documents ATTACH PARTITION far FOR VALUES IN (6)",
        "documents",
        r"partitions of public\.documents are foreign tables.*public\.far",
        "detach them",
        "",
    ),
]
"""What is done, the table that is named, what the error and its hint say, and what takes it away."""


def test_refused_before_anything_is_encoded(db: str, conn: Conn) -> None:
    make(conn)
    embedder = FakeEmbedder("new", 16)
    for change, table, match, hint, undo in REFUSED:
        conn.execute((change or "SELECT").encode())
        with pytest.raises(TargetError, match=match) as refused:
            run_reembed(db, embedder, target=Target(table))
        assert hint in (refused.value.hint or "")
        conn.execute((undo or "SELECT").encode())
    assert embedder.texts == []


def test_online_and_owners_are_refused_by_name(db: str, conn: Conn, psql: Path) -> None:
    target = make(conn)
    embedder = FakeEmbedder("new", 16)
    with pytest.raises(TargetError, match=r"public\.documents is partitioned, and .* online"):
        run_reembed(db, embedder, ReembedPlan(online=True), target=target)
    with pytest.raises(TargetError, match="can be re-embedded only as a whole"):
        run_reembed(db, embedder, ReembedPlan(keep_untyped=True), target=target)
    assert embedder.texts == []
    stage_reembed(db, NEW, target=target)
    with pytest.raises(AssertionError, match="is partitioned, and a partitioned table cannot be re-embedded online"):
        by_hand(psql, db, "online", "prepare", one=True)
    abort_reembed(db, target=target)
    conn.execute("ALTER TABLE documents_1 FORCE ROW LEVEL SECURITY; ALTER TABLE documents_1 ENABLE ROW LEVEL SECURITY")
    owner = f"owner_{one(conn, 'SELECT current_database()')}"
    conn.execute(f"CREATE ROLE {owner}".encode())
    try:
        conn.execute(f"GRANT {owner} TO CURRENT_USER; ALTER TABLE documents OWNER TO {owner}".encode())
        conn.execute(f"GRANT USAGE, CREATE ON SCHEMA vestige_sql, public TO {owner}".encode())
        conn.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA vestige_sql TO {owner}".encode())
        conn.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vestige_sql TO {owner}".encode())
        as_owner = psycopg.conninfo.make_conninfo(db, options=f"-c role={owner}")
        with pytest.raises(TargetError, match=r"does not own all partitions of public\.documents") as refused:
            stage_reembed(as_owner, embedder, target=target)
        assert "ALTER TABLE " in (refused.value.hint or "")
        for (name,) in conn.execute("SELECT relid::regclass::text FROM pg_partition_tree('documents')").fetchall():
            conn.execute(f"ALTER TABLE {name} OWNER TO {owner}".encode())
        with pytest.raises(TargetError, match=r"documents_1, a partition of public\.documents, forces row level"):
            stage_reembed(as_owner, embedder, target=target)
    finally:
        conn.execute(f"DROP OWNED BY {owner}; DROP ROLE {owner}".encode())
    assert embedder.texts == []


def test_what_looks_at_it(db: str, conn: Conn) -> None:
    target = make(conn)
    conn.execute("ANALYZE documents")
    assert dry_run_reembed(db, NEW, target=target).rows_to_update == ROWS - 1
    probed = probe(conn, target)
    assert (probed.table["estimated_rows"], probed.table["partitions"]) == (ROWS, 5)
    assert [i["name"] for i in probed.indexes] == ["by_l1", "by_meaning", "documents_other_l2"]
    assert all(i["valid"] and i["bytes"] > 0 for i in probed.indexes)
    with conn.transaction():
        conn.execute("LOCK TABLE documents_3b IN ACCESS SHARE MODE")
        assert steps.query(conn, "probe/sessions.sql", probed.values) == []
        with psycopg.connect(db) as other:
            assert [s["granted"] for s in steps.query(other, "probe/sessions.sql", probed.values)] == [True]
    stage_reembed(db, NEW, target=target)
    assert preview(db, "document number 5", FakeEmbedder("new", 16), FakeEmbedder("old", 8), target=target)
    stale = steps.query(conn, "monitor/staleness.sql", probed.values | {"only_missing": False})
    assert [(row["staged"], row["pending"]) for row in stale] == [(ROWS - 1, 0)]
    apply_staged(db, target=target)
    healthy = {row["target"]: row["attention"] for row in steps.query(conn, "monitor/health.sql", {})}
    assert healthy["public.documents.embedding"] == "nothing"


def test_a_page_is_no_sort_of_the_whole_table(db: str, conn: Conn) -> None:
    """Neither in the order on disk, one partition after another, nor along the key of all 16."""
    conn.execute(
        "CREATE TABLE documents (tenant int, id int, content text, embedding vector(8), PRIMARY KEY (tenant, id))"
        " PARTITION BY HASH (tenant)"
    )
    for i in range(16):
        conn.execute(
            f"CREATE TABLE part_{i} PARTITION OF documents FOR VALUES WITH (MODULUS 16, REMAINDER {i})".encode()
        )
    conn.execute("INSERT INTO documents SELECT i % 97, i, 'text ' || i FROM generate_series(1, 8000) i")
    conn.execute("ANALYZE documents")
    values = probe(conn, Target("documents")).values | {"dimension": 16, "only_missing": False}
    with conn.transaction():
        for name in ("05_create_key_type", "10_create_staging_table", "30_create_outdated_table"):
            steps.run(conn, steps.load(f"stage/create/{name}.sql"), values)
    stager = Stager(NEW, values, 8, "documents", page_rows=500)
    assert sum(len(page.ids) for page in stager.in_place(conn)) == 8000
    assert sum(len(page.ids) for page in stager.by_key(conn, "(50,0)")) == one(
        conn, "SELECT count(*) FROM documents WHERE tenant >= 50"
    )
    most: dict[str, Value] = {"page_rows": 64, "page_bytes": 1 << 20, "text_characters": 1000}
    by_key = {name: values[of_key] for name, of_key in BY_KEY.items()} | {
        "read_schema": "public", "read_table": "documents", "after": "'(50,0)'", "until": None,
    }  # fmt: skip
    in_place = IN_PLACE | {"read_schema": "public", "read_table": "part_3", "after": "'(1,0)'", "until": "'(3,65535)'"}
    for order, scan, tables in ((by_key, "Merge Append", 16), (in_place, "Tid Range Scan on part_3", 1)):
        page = steps.load("stage/page.sql").render(values | most | order, conn)
        plan = "\n".join(line for (line,) in conn.execute(f"EXPLAIN {page}".encode()))
        # What is sorted above is the page.
        below = plan.partition("Limit")[2]
        assert scan in below
        assert "Seq Scan on part_" not in below
        assert len(set(re.findall(r" on (part_\d+)", below))) == tables
