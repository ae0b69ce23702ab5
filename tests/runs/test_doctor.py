"""The doctor: a table for each of its findings, one without any, and that it reads only a sample and writes nothing."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from support import Conn, FakeEmbedder, everything, granted, literal, seed

from vestige_sql import ReembedPlan, Target, register_model, resources, run_reembed, stage_reembed, steps
from vestige_sql.doctor.examining import SEVERITIES, DoctorPlan, doctor
from vestige_sql.errors import TargetError, UsageError

OLD, NEW = FakeEmbedder("old", 8), FakeEmbedder("new", 12)
DOCS = Target("public.docs")
ROWS = 300
SECRET = "what the rows say is nobody's business"
NAMED = "public.docs.embedding"
INDEX = "index public.docs_hnsw"
SQL = resources.resource_dir("sql")


def unit(text: str) -> Any:
    """The vector of ``text``, of length one."""
    vector = OLD.vector(text)
    return vector / (vector**2).sum() ** 0.5


def make(conn: Conn, db: str) -> None:
    """A table in order: every row has its text and its vector, of the registered model, and there is an index."""
    conn.execute("CREATE TABLE docs (id integer PRIMARY KEY, content text, embedding vector(8))")
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO docs VALUES (%s, %s, %s::vector)",
            [(i, f"{SECRET} {i}", literal(unit(f"{SECRET} {i}"))) for i in range(1, ROWS + 1)],
        )
    conn.execute("CREATE INDEX docs_hnsw ON docs USING hnsw (embedding vector_cosine_ops)")
    register_model(db, OLD.signature(), target=DOCS)
    conn.execute("ANALYZE docs")


@pytest.fixture(scope="module")
def one(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with databases() as conninfo:
        yield conninfo


@contextmanager
def made(db: str) -> Iterator[Conn]:
    """The table, and everything as it was before, afterwards."""
    with psycopg.connect(db, autocommit=True) as conn:
        versions = conn.execute(
            "SELECT extversion, p.version FROM pg_extension, vestige_sql.package p WHERE extname = 'vector'"
        ).fetchone()
        assert versions is not None
        make(conn, db)
        try:
            yield conn
        finally:
            conn.execute("DROP PUBLICATION IF EXISTS news")
            conn.execute("DROP FUNCTION IF EXISTS public.find, public.lost, public.elsewhere")
            conn.execute("DROP TABLE IF EXISTS docs CASCADE")
            conn.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", versions[:1])
            conn.execute("UPDATE vestige_sql.package SET version = %s", versions[1:])
            for name in ("saved_index", "kept", "step", "run", "model"):
                conn.execute(f"DELETE FROM vestige_sql.{name}")
            rows = conn.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'vestige_sql'::regnamespace AND relkind = 'r'"
                " AND relname ~ '^(stage|kept|changed)_[0-9a-f]{16}$'"
            )
            for (name,) in rows.fetchall():
                conn.execute(f"DROP TABLE vestige_sql.{name}")


@dataclass(frozen=True)
class Case:
    """``sql`` is what happened to the table; ``finds`` are findings then: code, severity, object, and what they say."""

    finds: tuple[tuple[str, str, str, str], ...]
    sql: tuple[str, ...] = ()
    plan: DoctorPlan = field(default_factory=DoctorPlan)
    options: str = ""
    """Settings of the doctor's session."""
    call: Callable[[str], object] = lambda db: None
    after: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "_".join(self.finds[0][:2])


TO_VECTOR = ("DROP INDEX docs_hnsw", "ALTER TABLE docs ALTER COLUMN embedding TYPE vector")
LARGE = "UPDATE pg_class SET reltuples = 50000.0 * relpages / pg_relation_size('docs') * 8192 WHERE relname = 'docs'"
CASES = [
    Case(
        (
            ("zero_vector", "error", NAMED, "2 of 298 vectors of public.docs.embedding are zero (such as 5; 6)"),
            ("mixed_lengths", "note", NAMED, "(such as 21; 22; 23)"),
            ("missing_vector", "warning", NAMED, "1 of 300 rows of public.docs have text and no vector (such as 8)"),
            ("vector_without_text", "warning", NAMED, "(such as 9)"),
            ("missing_text", "note", NAMED, "(such as 10)"),
            (
                "duplicate_vector",
                "note",
                NAMED,
                "2 of 296 vectors of public.docs.embedding stand on more than one text (such as 11; 12)",
            ),
            ("differing_vectors", "warning", NAMED, "such as 13; 14"),
            ("mixed_models", "warning", "public.docs.embedding_model", "2 models: ada in 295 rows, minilm in 3 rows"),
            ("mixed_models", "warning", "public.docs.metadata ->> embedding_model", "3 models"),
            (
                "stale_vector",
                "note",
                NAMED,
                "1 of 298 vectors are older than their rows, by embedded_at and updated_at",
            ),
        ),
        (
            "UPDATE docs SET embedding = '[0,0,0,0,0,0,0,0]' WHERE id IN (5, 6)",
            "UPDATE docs SET embedding = embedding + embedding WHERE id BETWEEN 21 AND 23",
            "UPDATE docs SET embedding = NULL WHERE id = 8",
            r"UPDATE docs SET content = E' \n\u2003' WHERE id = 9",
            "UPDATE docs SET content = NULL, embedding = NULL WHERE id = 10",
            "UPDATE docs SET embedding = (SELECT embedding FROM docs WHERE id = 11) WHERE id = 12",
            "UPDATE docs SET content = (SELECT content FROM docs WHERE id = 13) WHERE id = 14",
            "ALTER TABLE docs ADD COLUMN embedding_model text DEFAULT 'ada', ADD COLUMN metadata jsonb,"
            " ADD COLUMN embedded_at timestamptz DEFAULT now(), ADD COLUMN updated_at timestamptz DEFAULT now()",
            "UPDATE docs SET embedding_model = 'minilm' WHERE id < 4",
            "UPDATE docs SET metadata = jsonb_build_object('embedding_model', 'm' || id % 3)",
            "UPDATE docs SET updated_at = now() + interval '1 day' WHERE id = 3",
        ),
    ),
    Case(
        (
            ("mixed_dimensions", "error", NAMED, "8 in 299 rows, 3 in 1 rows (such as 7)"),
            ("wrong_dimension", "error", NAMED, "has vectors of 3 dimensions, and the registered model old has 8"),
            ("no_index", "note", NAMED, "give the column a dimension first"),
            ("nan_distance", "error", NAMED, "1 of 300 vectors"),
        ),
        (
            *TO_VECTOR,
            "UPDATE docs SET embedding = '[1,2,3]' WHERE id = 7",
            "UPDATE docs SET embedding = '[3e38,3e38,0,0,0,0,0,0]' WHERE id = 9",
        ),
    ),
    Case(
        (("mixed_dimensions", "warning", NAMED, "3 in 6 rows"),),
        (
            *TO_VECTOR,
            "UPDATE docs SET embedding = '[1,2,3]' WHERE id < 7",
            "CREATE INDEX ON docs USING hnsw ((embedding::vector(8)) vector_cosine_ops) WHERE id >= 7",
            "CREATE INDEX ON docs USING hnsw ((embedding::vector(3)) vector_cosine_ops) WHERE id < 7",
        ),
    ),
    Case(
        (
            ("wrong_dimension", "error", NAMED, "has vectors of 8 dimensions, and the registered model old has 4"),
            ("zero_vector", "warning", NAMED, "ranks by chance"),
            ("unnormalised_vector", "warning", NAMED, "3 of 300 vectors"),
            ("duplicate_vector", "warning", NAMED, "8 of 298 vectors"),
        ),
        (
            "UPDATE vestige_sql.model SET dimension = 4",
            "DROP INDEX docs_hnsw",
            "CREATE INDEX docs_hnsw ON docs USING hnsw (embedding vector_ip_ops)",
            "UPDATE docs SET embedding = embedding + embedding WHERE id < 4",
            "UPDATE docs SET embedding = '[0,0,0,0,0,0,0,0]' WHERE id IN (5, 6)",
            "UPDATE docs SET embedding = (SELECT embedding FROM docs WHERE id = 10) WHERE id BETWEEN 11 AND 17",
        ),
    ),
    Case(
        (
            ("stale_vector", "warning", NAMED, "the text of 1 of 300 rows of public.docs.embedding has changed"),
            ("kept_vectors", "note", NAMED, "the vectors of old are kept, in a table"),
        ),
        call=lambda db: run_reembed(db, NEW, ReembedPlan(keep_old=True), target=DOCS),
        after=("UPDATE docs SET content = 'another' WHERE id = 3",),
    ),
    Case(
        (
            ("stale_staged", "note", NAMED, "(such as 3)"),
            ("open_run", "warning", NAMED, "it was stopped by: the disk was full"),
        ),
        call=lambda db: stage_reembed(db, NEW, target=DOCS),
        after=(
            "UPDATE docs SET content = 'another' WHERE id = 3",
            "UPDATE vestige_sql.run SET last_error = 'the disk was full'",
        ),
    ),
    Case(
        (("open_run", "note", NAMED, "to new is open (staging)"),), call=lambda db: stage_reembed(db, NEW, target=DOCS)
    ),
    Case(
        (
            ("invalid_index", "error", INDEX, "REINDEX INDEX CONCURRENTLY public.docs_hnsw;"),
            (
                "left_over_index",
                "warning",
                "index public.docs_hnsw_ccnew",
                "DROP INDEX CONCURRENTLY public.docs_hnsw_ccnew;",
            ),
            ("index_to_build", "warning", "index public.lost", "is still to be built"),
            ("no_model", "note", NAMED, "migrate register"),
            ("pgvector_version", "warning", "extension vector", "hnsw_vacuum_error"),
        ),
        (
            "CREATE INDEX docs_hnsw_ccnew ON docs USING hnsw (embedding vector_cosine_ops)",
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text LIKE 'docs_hnsw%'",
            "INSERT INTO vestige_sql.saved_index VALUES ('public', 'docs', 'embedding', 'lost', 'lost', 'CREATE ..')",
            "DELETE FROM vestige_sql.model",
            "UPDATE pg_extension SET extversion = '0.8.3' WHERE extname = 'vector'",
        ),
    ),
    Case((("no_index", "note", NAMED, "USING hnsw (embedding vector_cosine_ops)"),), ("DROP INDEX docs_hnsw",)),
    Case((("no_index", "warning", NAMED, "about 50,000 rows"),), ("DROP INDEX docs_hnsw", LARGE)),
    Case(
        (
            ("unused_index", "note", INDEX, "since the statistics began"),
            ("recall_not_measured", "note", INDEX, "--recall-megabytes"),
        ),
        plan=DoctorPlan(recall_bytes=0),
    ),
    Case(
        (
            ("unused_index", "warning", INDEX, "nobody has searched"),
            ("bloated_index", "note", INDEX, "REINDEX INDEX CONCURRENTLY"),
            ("oversized_index", "warning", INDEX, "effective_cache_size is 64 kB"),
        ),
        (
            "DROP INDEX docs_hnsw",
            "INSERT INTO docs SELECT 1000 + i, 'more ' || i,"
            " (SELECT array_agg(sin(i * 7.0 + j))::real[] FROM generate_series(1, 8) j)"
            " FROM generate_series(1, 7000) i",
            "CREATE INDEX docs_hnsw ON docs USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 8, m = 4)",
            "DELETE FROM docs WHERE id > 3000",
            "VACUUM (INDEX_CLEANUP off) docs",
            "SELECT pg_stat_reset()",
            "SELECT pg_sleep(0.01)",
        ),
        DoctorPlan(unused_days=0, recall_sample=0),
        "-c effective_cache_size=8",
    ),
    Case(
        (("build_memory", "warning", INDEX, "--index-memory "),),
        (LARGE,),
        options="-c maintenance_work_mem=1MB -c effective_cache_size=128kB",
    ),
    Case(
        (("build_memory", "note", INDEX, "SET maintenance_work_mem = '"),),
        (LARGE,),
        options="-c maintenance_work_mem=1MB -c effective_cache_size=4GB",
    ),
    Case(
        (
            ("says_dimension", "note", "function public.find(public.vector)", "says 8 dimensions"),
            ("says_other_dimension", "warning", "function public.lost(public.vector)", "says 1536 dimensions"),
            ("says_dimension", "note", "view public.live", "says 8 dimensions"),
            ("row_type", "note", "function public.best()", "takes or returns rows of public.docs"),
            ("row_security", "note", "public.docs", "with 1 policies"),
            ("trigger", "note", "trigger noisy on public.docs", "fires trigger noisy"),
            ("published", "note", "publication news", "public.docs is published by news"),
            ("refused_view", "note", "view public.seen", "with --recreate-views the run drops it"),
            (
                "refused_old_dimension",
                "note",
                "constraint eight on table public.docs (about the old dimension)",
                "DROP CONSTRAINT eight;",
            ),
            ("refused_rows_without_text", "note", NAMED, "1 rows have no text to embed"),
        ),
        (
            "CREATE FUNCTION public.find(q vector) RETURNS bigint LANGUAGE sql AS"
            " 'SELECT id FROM docs ORDER BY embedding <=> q::vector(8) LIMIT 1'",
            "CREATE FUNCTION public.lost(q vector) RETURNS bigint LANGUAGE plpgsql AS"
            " 'BEGIN RETURN (SELECT id FROM public.docs ORDER BY embedding <=> q::vector(1536) LIMIT 1); END'",
            "CREATE FUNCTION public.elsewhere(q vector) RETURNS vector LANGUAGE plpgsql AS"
            " 'BEGIN RETURN (SELECT q::vector(1536) FROM docs_of_others); END'",
            "CREATE VIEW live AS SELECT id, embedding <=> '[1,2,3,4,5,6,7,8]'::vector(8) AS d FROM docs",
            "CREATE VIEW seen AS SELECT id, embedding FROM docs",
            "CREATE FUNCTION public.best() RETURNS SETOF docs LANGUAGE sql AS 'SELECT * FROM docs'",
            "UPDATE docs SET content = '' WHERE id = 4",
            "ALTER TABLE docs ENABLE ROW LEVEL SECURITY, ADD CONSTRAINT eight CHECK (vector_dims(embedding) = 8),"
            " ALTER COLUMN embedding SET NOT NULL",
            "CREATE POLICY p ON docs USING (id > 1)",
            "CREATE TRIGGER noisy BEFORE UPDATE ON docs FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "CREATE PUBLICATION news FOR TABLE docs",
        ),
        DoctorPlan(dimension=12),
    ),
    Case(
        (("refused_no_key", "warning", "public.docs.id", "No re-embedding is possible as it stands."),),
        ("ALTER TABLE docs DROP CONSTRAINT docs_pkey, ALTER COLUMN id DROP NOT NULL",),
    ),
    Case((("recall", "note", INDEX, "over 5 rows and at hnsw.ef_search = 40"),)),
    Case(
        (("low_recall", "warning", INDEX, "raise ivfflat.probes"),),
        (
            "DROP INDEX docs_hnsw",
            "CREATE INDEX docs_hnsw ON docs USING ivfflat (embedding vector_cosine_ops) WITH (lists = 100)",
        ),
    ),
    Case(
        (("package_version", "warning", "schema vestige_sql", "is at version 99.0"),),
        ("UPDATE vestige_sql.package SET version = '99.0'",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_finding(one: str, case: Case) -> None:
    with made(one) as conn:
        for statement in case.sql:
            conn.execute(statement)
        case.call(one)
        for statement in case.after:
            conn.execute(statement)
        conninfo = psycopg.conninfo.make_conninfo(one, options=case.options) if case.options else one
        found = doctor(conninfo, case.plan, target=Target("public.docs", "id", "content", "embedding"))
    told = [json.dumps(f, ensure_ascii=False).replace('\\"', '"') for f in found["findings"]]
    for code, severity, named, says in case.finds:
        fitting = [f for f in found["findings"] if (f["code"], f["severity"], f["object"]) == (code, severity, named)]
        assert len(fitting) == 1, (code, told)
        assert any(says in text for text, f in zip(told, found["findings"], strict=True) if f is fitting[0]), (
            says,
            told,
        )
    assert all(isinstance(text, str) and text for f in found["findings"] for text in f.values())
    assert "public.elsewhere" not in str(told)
    # Every question was asked, whatever was found, and no text is told.
    assert [f["what"] for f in found["findings"] if f["code"] == "not_asked"] == []
    assert SECRET not in json.dumps(found)
    severities = [f["severity"] for f in found["findings"]]
    assert severities == sorted(severities, key=SEVERITIES.index)
    assert found["found"] == {severity: severities.count(severity) for severity in SEVERITIES}


WITHOUT_FAULTS = b"UPDATE pg_extension SET extversion = '0.8.5' WHERE extname = 'vector'"
"""Of an older one, the known faults are warnings."""


def codes(found: dict[str, Any], *severities: str) -> list[str]:
    return [f["code"] for f in found["findings"] if not severities or f["severity"] in severities]


def test_a_table_in_order(db: str, conn: Conn, vestige: Any) -> None:
    """Nothing is found but notes, nothing is written, and the exit code says what it was told to."""
    seed(conn, 50, OLD)
    conn.execute("ANALYZE")
    conn.execute(WITHOUT_FAULTS)
    before = everything(conn)
    said = vestige("migrate", "doctor", "--postgres-url", db, "--fail-on", "warning", "--json")
    assert everything(conn) == before
    assert said.code == 0, said
    assert set(codes(said.answer)) == {"recall", "trigger", "unused_index"}
    assert (said.answer["target"], said.answer["sample"]["percent"]) == ("public.knowledge_nodes.embedding", 100)
    asked = {f"{folder}/{name}" for folder, name in (step.rsplit("/", 1) for step in said.answer["asked"])}
    there = {path.relative_to(SQL).as_posix() for path in (SQL / "doctor").rglob("*.sql")}
    assert there - asked == {"doctor/10_set_limits.sql", "doctor/20_measure.sql"}
    # With a warning, and then an error.
    conn.execute("UPDATE knowledge_nodes SET embedding = NULL WHERE content LIKE '%number 7'")
    codes_of = {fail_on: vestige("migrate", "doctor", "--postgres-url", db, *fail_on).code
                for fail_on in ((), ("--fail-on", "error"), ("--fail-on", "warning"))}  # fmt: skip
    assert list(codes_of.values()) == [0, 0, 1]
    conn.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_knowledge_nodes_embedding_hnsw'::regclass"
    )
    said = vestige("migrate", "doctor", "--postgres-url", db, "--fail-on", "error")
    assert said.code == 1
    assert "error       invalid_index: index public.idx_knowledge_nodes_embedding_hnsw\n  what      index " in said.out
    assert re.search(r"\nfound       1 error, 1 warning, 1 note, in ", said.out)
    # What is to be typed names the database.
    assert f"vestige-sql migrate reembed --postgres-url '{db}'" in said.out.replace('"', "'")


def test_a_sample_is_taken_of_a_large_table(one: str) -> None:
    """No question but the recall reads the table as a whole: the plan of each says so."""
    with made(one) as conn:
        conn.execute(
            "ALTER TABLE docs ADD COLUMN embedding_model text, ADD COLUMN embedded_at timestamptz,"
            " ADD COLUMN updated_at timestamptz"
        )
        conn.execute("ALTER TABLE docs ALTER COLUMN embedding TYPE vector")
        conn.execute(
            "INSERT INTO docs SELECT 1000 + i, 'more ' || i, NULL FROM generate_series(1, 20000) i; ANALYZE docs"
        )
        plan = DoctorPlan(sample_rows=1000, recall_sample=0)
        found = doctor(one, plan, target=DOCS)
        assert 3 < found["sample"]["percent"] < 8
        assert found["sample"]["estimated_rows"] == 20_300
        (missing,) = (f for f in found["findings"] if f["code"] == "missing_vector")
        looked_at = int(re.search(r"of ([\d,]+) rows", missing["what"])[1].replace(",", ""))  # type: ignore[index]
        assert 300 < looked_at < 3000
        # This one counts rows of the whole table, and is left out.
        assert "probe/refusals/70_of_the_rows.sql" not in found["asked"]
        values: dict[str, Any] = {
            "schema": "public", "table": "docs", "embedding_column": "embedding", "content": "t.content::text",
            "vector_schema": "public", "key_expression": "t.id::text", "sample_percent": 5, "sample_rows": 1000,
            "key_is_k": "t.id OPERATOR(pg_catalog.=) k.id",
        }  # fmt: skip
        sampled = []
        for folder in ("vectors", "texts", "package"):
            for step in steps.folder(f"doctor/{folder}"):
                if step.name == "doctor/package/40_recall.sql":
                    continue
                conn.execute("SET search_path = pg_catalog, pg_temp")
                try:
                    for text in steps.statements(conn, step, values):
                        shown = conn.execute("EXPLAIN " + text).fetchall()  # type: ignore[arg-type]
                        told = "\n".join(line for (line,) in shown)
                        assert not re.search(r"Seq Scan on docs\b", told), (step.name, told)
                        if "Sample Scan on docs" in told:
                            sampled.append(step.name)
                finally:
                    conn.execute("RESET search_path")
        assert sampled == [
            "doctor/vectors/10_dimensions.sql", "doctor/vectors/20_norms.sql", "doctor/vectors/30_models.sql",
            "doctor/texts/10_missing.sql", "doctor/texts/20_duplicates.sql", "doctor/texts/30_older.sql",
            "doctor/package/10_registry.sql",
        ]  # fmt: skip


def test_what_is_no_plain_table_and_what_is_none(one: str, vestige: Any) -> None:
    with made(one) as conn:
        for table, message in (
            ("gone", "there is no table gone"),
            ("pg_class", "has no column of text"),
            ("a.b.c.d", "is no table name"),
        ):
            with pytest.raises(TargetError, match=message):
                doctor(one, target=Target(table))
        conn.execute("CREATE TABLE two (id integer PRIMARY KEY, content text, a vector(3), b vector(3))")
        with pytest.raises(TargetError, match="has several columns of vectors: a, b"):
            doctor(one, target=Target("two"))
        # Without a text, the vectors are looked at all the same.
        conn.execute("INSERT INTO two VALUES (1, NULL, '[0,0,0]', '[1,0,0]')")
        conn.execute("ALTER TABLE two DROP COLUMN content")
        found = doctor(one, target=Target("two", None, None, "a"))
        assert {"zero_vector", "refused_no_column", "no_index"} <= set(codes(found))
        conn.execute("DROP TABLE two")
        # Partitions are sampled one by one, and their keys are of several columns.
        conn.execute(
            "CREATE TABLE parts (tenant integer, id integer, content text, embedding vector(3),"
            " PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant)"
        )
        for tenant in (1, 2):
            conn.execute(f"CREATE TABLE parts_{tenant} PARTITION OF parts FOR VALUES IN ({tenant})")  # type: ignore[arg-type]
        conn.execute("INSERT INTO parts SELECT 1 + i % 2, i, 'text ' || i, '[1,0,0]' FROM generate_series(1, 40) i")
        conn.execute("UPDATE parts SET embedding = '[0,0,0]' WHERE id = 5; ANALYZE parts")
        found = doctor(one, target=Target("parts"))
        assert found["sample"]["estimated_rows"] == 40
        assert "zero (such as (2,5))" in json.dumps(found)
        assert "not_asked" not in codes(found), found["findings"]
        conn.execute("DROP TABLE parts")
        conn.execute("CREATE VIEW seen AS SELECT * FROM docs")
        assert "refused_not_a_table" in codes(doctor(one, target=Target("seen")))
        assert vestige("migrate", "doctor", "--postgres-url", one, "--table", "gone").code == 1
        for plan in (
            {"sample_rows": 0},
            {"question_timeout_secs": float("nan")},
            {"dimension": 0},
            {"recall_sample": -1},
        ):
            with pytest.raises(UsageError):
                DoctorPlan(**plan)  # type: ignore[arg-type]


def test_a_question_that_may_not_be_asked_is_a_note(one: str) -> None:
    with made(one) as conn:
        conn.execute(WITHOUT_FAULTS)
        # Somebody keeps the table locked, or an index of it.
        with psycopg.connect(one) as other:
            other.execute("LOCK TABLE docs IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(TargetError, match=r"another session keeps public\.docs locked"):
                doctor(one, target=DOCS)
        # A question takes too long.
        found = doctor(one, DoctorPlan(recall_timeout_secs=0.001), target=DOCS)
        assert [f["object"] for f in found["findings"] if f["code"] == "not_asked"] == [
            "sql/doctor/package/40_recall.sql"
        ]
        assert "it took longer than it may" in json.dumps(found)
        # A role that only looks, with the grants of the page, and with fewer; and one that a policy hides rows from.
        conn.execute("DROP ROLE IF EXISTS doctor_app; CREATE ROLE doctor_app LOGIN")
        try:
            looks = psycopg.conninfo.make_conninfo(one, options="-c role=doctor_app")
            for grant in granted("gate, preview", "doctor_app", conn.info.dbname):
                conn.execute(grant.replace("docs.documents", "public.docs").replace("SCHEMA docs", "SCHEMA public")
                             .replace("SCHEMA extensions", "SCHEMA public"))  # type: ignore[arg-type]  # fmt: skip
            found = doctor(looks, target=DOCS)
            assert "not_asked" not in codes(found), found["findings"]
            assert codes(found, "error", "warning") == []
            assert {"refused_not_owner", "recall"} <= set(codes(found))
            conn.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA vestige_sql FROM doctor_app")
            found = doctor(looks, target=DOCS)
            assert {"sql/doctor/package/10_registry.sql", "sql/doctor/package/40_recall.sql"} <= {
                f["object"] for f in found["findings"] if f["code"] == "not_asked"
            }
            conn.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON docs USING (id > 1)")
            found = doctor(looks, target=DOCS)
            assert {"sql/doctor/vectors/20_norms.sql", "sql/doctor/texts/10_missing.sql"} <= {
                f["object"] for f in found["findings"] if f["code"] == "not_asked"
            }
            assert "refused_row_security_of_others" in codes(found)
        finally:
            conn.execute("DROP OWNED BY doctor_app; DROP ROLE doctor_app")


def test_without_the_package_and_with_a_slot(empty_db: str) -> None:
    with psycopg.connect(empty_db, autocommit=True) as conn:
        conn.execute(
            "CREATE EXTENSION vector; CREATE TABLE docs (id integer PRIMARY KEY, content text, embedding vector(3))"
        )
        conn.execute("INSERT INTO docs VALUES (1, 'one', '[1,0,0]')")
        conn.execute("SELECT pg_create_physical_replication_slot('doctor_slot', true)")
        try:
            found = doctor(empty_db, target=Target("docs"))
        finally:
            conn.execute("SELECT pg_drop_replication_slot('doctor_slot')")
        assert {"no_package", "inactive_slot", "no_index"} <= set(codes(found))
        assert "not_asked" not in codes(found), found["findings"]
        assert not any(name.startswith("doctor/package/") for name in found["asked"])
        assert "SELECT pg_drop_replication_slot('doctor_slot');" in json.dumps(found)


def test_control_characters_of_names_and_keys_are_shown(one: str, vestige: Any) -> None:
    with made(one) as conn:
        conn.execute('CREATE TABLE "e\x1b[31mvil" (id text PRIMARY KEY, content text, embedding vector(3))')
        conn.execute(
            """INSERT INTO "e\x1b[31mvil" VALUES (E'k\\u001b[2J', 'text', '[0,0,0]'), ('l', NULL, '[0,0,0]')"""
        )
        try:
            for more in ((), ("--json",)):
                said = vestige("migrate", "doctor", "--postgres-url", one, "--table", '"e\x1b[31mvil"', *more)
                assert said.code == 0, said
                assert "\x1b" not in said.out + said.err
                assert "zero" in said.out and ("\\x1b[2J" in said.out or "\\u001b[2J" in said.out)
        finally:
            conn.execute('DROP TABLE "e\x1b[31mvil"')


def test_by_hand(one: str, psql: str) -> None:
    """psql asks the same questions, in a transaction that is READ ONLY."""
    with made(one) as conn:
        conn.execute("UPDATE docs SET embedding = '[0,0,0,0,0,0,0,0]' WHERE id = 5")
        conn.execute("CREATE VIEW live AS SELECT * FROM docs")
        names = [*(f"doctor/{name}" for name in ("10_set_limits", "20_measure")), "probe/refusals", "doctor"]
        files = ["target.psql", *(f"{name}.sql" for name in names[:2])]
        files += [step.name for step in steps.folder("probe/refusals")]
        files += [step.name for step in steps.folder("doctor") if step.name not in files]
        files += [step.name for folder in ("vectors", "texts", "package") for step in steps.folder(f"doctor/{folder}")]
        said = subprocess.run(
            [psql, "-X", "-1", one, "-v", "ON_ERROR_STOP=1", "-v", "target=docs", "-v", "question_timeout=20s",
             "-v", "sample_rows=10000", "-v", "recall_sample=5", "-v", "recall_bytes=2147483648",
             "-v", "unused_days=30", "-c", "SET TRANSACTION READ ONLY",
             *(part for name in files for part in ("-f", str(SQL / name)))],
            capture_output=True, encoding="utf-8", check=False, timeout=60,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        for code in ("zero_vector", "refused_view", "unused_index", "recall"):
            assert re.search(rf"^ {code} +\|", said.stdout, re.MULTILINE), (code, said.stdout)
