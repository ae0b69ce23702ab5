"""Any table: names, keys, types and indexes of every kind, and what is refused by name before the first write."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support import Conn, FakeEmbedder, catalog, check_space, columns_of, everything, granted, literal, rows
from test_by_hand import files, run_psql

from vestige_sql import (
    ReembedPlan,
    ReembedReport,
    Target,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
)
from vestige_sql.cli import main
from vestige_sql.database.connection import connect
from vestige_sql.errors import DimensionMismatch, StagedForAnother, TargetError
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.reembed import stage
from vestige_sql.reembed.target import probe
from vestige_sql.resources import resource_dir

WAYS = ("rewrite", "widen", "swap")
OLD = FakeEmbedder("old", 8)
NEW = FakeEmbedder("new", 16)
DOCUMENTS = Target("documents", "id", "body", "embedding")
TEXTS = [f"document number {i}" for i in range(6)]

_numbers = itertools.count(1)


def quoted(*parts: str) -> str:
    """A qualified name as SQL writes it."""
    return sql.Identifier(*parts).as_string()


def run_sql(conn: Conn, *statements: str) -> None:
    for text in statements:
        conn.execute(text.encode())


def one(conn: Conn, query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    return row and row[0]


def make(
    conn: Conn,
    target: Target = DOCUMENTS,
    *,
    key: str = "bigint PRIMARY KEY",
    keys: Iterable[Any] = range(len(TEXTS)),
    content: str = "text",
    embedding: str = "vector(8)",
    more: str = "",
    texts: Sequence[str] = TEXTS,
    embedder: FakeEmbedder = OLD,
) -> None:
    """Create ``target`` with a row for each of ``keys``, its vectors those of ``embedder``."""
    columns = [quoted(c) for c in columns_of(target)]
    run_sql(
        conn,
        f"CREATE TABLE {target.table} ({columns[0]} {key}, {columns[1]} {content}, {columns[2]} {embedding}{more})",
    )
    for key_value, text in zip(keys, texts, strict=False):
        values = sql.SQL(", ").join(map(sql.Literal, (key_value, text, literal(embedder.vector(text)))))
        run_sql(conn, f"INSERT INTO {target.table} ({', '.join(columns)}) VALUES ({values.as_string(conn)})")


def moved(found: Any, old: int, new: int) -> Any:
    """``found`` with every type of dimension ``old`` at dimension ``new``, and with what only says that number."""
    if isinstance(found, str):
        found = re.sub(rf"(vector_dims\(embedding\) = |ARRAY\[){old}\b", rf"\g<1>{new}", found)
        return re.sub(rf"\b(vector|halfvec|bit)\({old}\)", rf"\1({new})", found)
    if isinstance(found, dict):
        return {key: moved(value, old, new) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [moved(value, old, new) for value in found]
    return found


def reembed(
    db: str,
    conn: Conn,
    target: Target = DOCUMENTS,
    embedder: FakeEmbedder = NEW,
    *,
    way: str = "auto",
    old: int = OLD.dimension,
    **plan: Any,
) -> ReembedReport:
    """Re-embed and see that rows and catalog are as before, but for the vectors, their dimension and a first index."""
    before_rows, before = rows(conn, target), catalog(conn, target.table)
    report = run_reembed(db, embedder, ReembedPlan(apply=way, create_index=True, **plan), target=target)
    check_space(conn, embedder, target)
    assert rows(conn, target) == before_rows
    after, expected = moved(catalog(conn, target.table), 0, 0), moved(before, old, embedder.dimension)
    first = [] if has_vector_index(before) else [i for i in after["indexes"] if i not in expected["indexes"]]
    assert [i for i in after.pop("indexes") if i not in first] == expected.pop("indexes")
    for what, was in expected.items():
        assert after[what] == was, what
    assert has_vector_index({"indexes": first}) == (not has_vector_index(before))
    return report


def has_vector_index(found: dict[str, Any]) -> bool:
    return any(re.search("USING (hnsw|ivfflat)", index[1]) for index in found["indexes"])


def nearest(
    conn: Conn, vector: Iterable[float], target: Target = DOCUMENTS, order: str = "{column} <=> {vector}"
) -> Any:
    """The text of the row that ``order`` puts first, found through an index if there is one."""
    by = order.format(column=quoted(columns_of(target)[2]), vector=f"'{literal(vector)}'")
    with conn.transaction():
        run_sql(conn, "SET LOCAL enable_seqscan = off", "SET LOCAL ivfflat.probes = 100")
        return one(conn, f"SELECT {quoted(columns_of(target)[1])} FROM {target.table} ORDER BY {by} LIMIT 1")


def index_of(conn: Conn, order: str, target: Target = DOCUMENTS) -> Any:
    """The index that a search in ``order`` goes through."""
    by = order.format(column=quoted(columns_of(target)[2]), vector=f"'{literal(NEW.vector('a question'))}'")
    with conn.transaction():
        run_sql(conn, "SET LOCAL enable_seqscan = off", "SET LOCAL enable_sort = off")
        query = f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {target.table} ORDER BY {by} LIMIT 1"
        return re.findall(r"'Index Name': '([^']*)'", str(one(conn, query)))


def has_halfvec(conn: Conn) -> bool:
    return bool(one(conn, "SELECT to_regtype('halfvec') IS NOT NULL"))


@pytest.fixture
def halfvec(conn: Conn) -> None:
    if not has_halfvec(conn):
        pytest.skip("halfvec came with pgvector 0.7")


# --- Names ---

NAMES = [
    "Capital",
    "with space",
    'double"quote',
    "single'quote",
    "per%cent %s %(name)s",
    "back\\slash\\n",
    "co:lon :schema :'table'",
    'all :"embedding_column"',
    "grüße 日本語",
    "x" * 63,
    "é" * 31 + "z",
    "select",
    "dot.ted",
    "dollar $$ $1",
    "-- comment /*",
    "{brace}",
    "line\nbreak \t tab",
]


def make_named(conn: Conn, i: int) -> Target:
    """A table whose schema, columns, index and trigger have odd names too, the next six from ``i``."""
    schema, table, key, content, embedding, other = (NAMES[(i + k) % len(NAMES)] for k in range(6))
    run_sql(conn, f"CREATE SCHEMA {quoted(schema)}")
    target = Target(quoted(schema, table), key, content, embedding)
    make(conn, target)
    column = quoted(embedding)
    run_sql(
        conn,
        f"COMMENT ON COLUMN {target.table}.{column} IS {sql.Literal(other).as_string(conn)}",
        f"CREATE INDEX {quoted(other)} ON {target.table} USING hnsw ({column} vector_cosine_ops)"
        f" WHERE {quoted(key)} >= 0",
        f"COMMENT ON INDEX {quoted(schema, other)} IS {sql.Literal(table).as_string(conn)}",
        f"CREATE TRIGGER {quoted(other)} BEFORE UPDATE ON {target.table} FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    )
    return target


@pytest.mark.parametrize("i", range(len(NAMES)))
def test_names_of_every_kind(db: str, conn: Conn, capsys: pytest.CaptureFixture[str], i: int) -> None:
    """Each name is at some time the schema's, the table's and each column's, and an index's and a trigger's."""
    target = make_named(conn, i)
    schema, other = NAMES[i], NAMES[(i + 5) % len(NAMES)]
    register_model(db, OLD.signature(), target=target)
    reembed(db, conn, target, way=WAYS[i % 3])
    assert nearest(conn, NEW.vector(TEXTS[3]), target, "{column} <=> {vector}") == TEXTS[3]
    assert run_reembed(db, NEW, target=target).nothing_to_do
    # the first index of all is made with these names too, concurrently for a change
    run_sql(conn, f"DROP INDEX {quoted(schema, other)}")
    assert run_reembed(db, NEW, ReembedPlan(concurrent_index=True), target=target).nothing_to_do
    run_reembed(db, NEW, ReembedPlan(concurrent_index=True, create_index=True), target=target)
    assert has_vector_index(catalog(conn, target.table))
    assert status(db, target=target)["model"] == NEW.signature()
    columns = dict(zip(("id", "content", "embedding"), columns_of(target), strict=True))
    arguments = ["--table", target.table, *(f"--{kind}-column={column}" for kind, column in columns.items())]
    assert main(["migrate", "status", "--json", "--postgres-url", db, *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["dimension"] == NEW.dimension


@pytest.mark.parametrize("means", ["files", "script", "plain script"])
@pytest.mark.parametrize("i", range(0, len(NAMES), 3))
def test_names_of_every_kind_in_psql(db: str, conn: Conn, psql: Path, tmp_path: Path, i: int, means: str) -> None:
    target = make_named(conn, i)
    before_rows, before = rows(conn, target), catalog(conn, target.table)
    stage_reembed(db, NEW, target=target)
    plan = ReembedPlan(apply=WAYS[(i // 3) % len(WAYS)])
    if means == "files":
        head = ("transaction/10_set_limits.sql", "variables.psql", "transaction/20_claim_run.sql")
        limits = [arg for name in head for arg in ("-f", str(resource_dir("sql") / name))]
        run_psql(psql, db, "-1", "-v", f"target={target.table}", *limits, *files(plan.apply))
    else:
        script = tmp_path / "script.sql"
        script.write_text(script_staged(db, plan, target=target, plain=means != "script"))
        run_psql(psql, db, *(["-1"] if means != "script" else []), "-f", str(script))
    check_space(conn, NEW, target)
    assert rows(conn, target) == before_rows
    after = catalog(conn, target.table)
    for what, was in moved(before, OLD.dimension, NEW.dimension).items():
        assert moved(after[what], 0, 0) == was, what
    assert run_reembed(db, NEW, target=target).nothing_to_do


def test_a_table_is_named_as_in_sql(db: str, conn: Conn) -> None:
    """Without quotes a name is folded, and without a schema it is looked for along the search_path."""
    run_sql(conn, "CREATE SCHEMA app", 'CREATE SCHEMA "App"', "SET search_path = app, public")
    make(conn, replace(DOCUMENTS, table="app.documents"))
    make(conn, replace(DOCUMENTS, table='"App"."Documents"'), texts=TEXTS[:3])
    found = {
        "app.documents": "app.documents",
        "APP.Documents": "app.documents",
        "documents": "app.documents",
        '"documents"': "app.documents",
        ' app . "documents"': "app.documents",
        '"App"."Documents"': '"App"."Documents"',
    }
    conninfo = psycopg.conninfo.make_conninfo(db, options="-csearch_path=app,public")
    with connect(conninfo, read_only=True) as reader:
        for written, meant in found.items():
            assert probe(reader, replace(DOCUMENTS, table=written)).name == meant
    for written, complaint in {
        "Documents.app": "there is no table",
        '"Documents"': "there is no table",
        "App.Documents.id.x": "is no table name|there is no table",
        "elsewhere.app.documents": "is no table name|there is no table",
        "app.": "is no table name|there is no table",
        "": "is no table name|there is no table",
        '"app': "is no table name|there is no table",
        "my documents": "is no table name|there is no table",
    }.items():
        with pytest.raises(TargetError, match=complaint):
            run_reembed(conninfo, NEW, target=replace(DOCUMENTS, table=written))


def test_columns_that_nobody_names(db: str, conn: Conn) -> None:
    run_sql(
        conn,
        'CREATE TABLE notes (number int NOT NULL UNIQUE, slug text, body varchar(99), "The Vector" vector(8),'
        " PRIMARY KEY (slug))",
    )
    named = Target("notes", "slug", "body", "The Vector")
    for i, text in enumerate(TEXTS):
        conn.execute("INSERT INTO notes VALUES (%s, %s, %s)", (i, f"n{i}", text))
    register_model(db, OLD.signature(), target=Target("notes"))
    stage_reembed(db, OLD, target=replace(named, id_column="number"))
    with pytest.raises(StagedForAnother, match="begun with --id-column number"):
        run_reembed(db, OLD, target=named)
    # the open run says which key it has
    assert run_reembed(db, OLD, target=Target("notes")).rows_encoded == 0
    check_space(conn, OLD, named)
    assert one(conn, "SELECT variables ->> 'id_column' FROM vestige_sql.run ORDER BY id DESC LIMIT 1") == "number"
    # and so do vectors that are kept, and the columns of a run do not count
    run_reembed(db, NEW, ReembedPlan(online=True), target=Target("notes"))
    check_space(conn, NEW, named)
    rollback(db, target=Target("notes"))
    check_space(conn, OLD, named)
    finalize(db, target=Target("notes"))
    run_sql(conn, "ALTER TABLE notes DROP slug")
    run_reembed(db, NEW, target=Target("notes"))
    check_space(conn, NEW, replace(named, id_column="number"))


def test_columns_are_taken_literally(db: str, conn: Conn) -> None:
    make(conn, Target("documents", "Id", "Body", "Embedding"))
    for wrong, complaint in (
        (Target("documents", "id", "Body", "Embedding"), "no column id"),
        (Target("documents", "Id", '"Body"', "Embedding"), 'no column "Body"'),
        (Target("documents", "Id", "Body", "EMBEDDING"), "no column EMBEDDING"),
        (Target("documents", "ctid", "Body", "Embedding"), "no column ctid"),
    ):
        with pytest.raises(TargetError, match=complaint):
            run_reembed(db, NEW, target=wrong)
    run_reembed(db, NEW, target=Target("documents", "Id", "Body", "Embedding"))


# --- Keys and texts ---

STRINGS = ["", " ", "a", "A", "ä", "日本", "'; --", '"', "\\", "%s", "\n", "NULL", "null", "z" * 30]

KEYS: dict[str, tuple[str, Sequence[Any]]] = {
    "uuid": ("uuid", [f"{i:08x}-0000-4000-8000-00000000000{i % 3}" for i in range(9)]),
    "bigint": ("bigint", [-(2**63), -1, 0, 1, 2, 2**31, 2**62, 2**63 - 1]),
    "integer": ("integer", [-(2**31), -5, 0, 5, 70_000, 2**31 - 1, 3]),
    "smallint": ("smallint", [-32768, -1, 0, 1, 2, 32767, 255]),
    "text": ("text", STRINGS),
    "varchar": ("varchar(30)", STRINGS),
    "char": ("char(6)", ["a", "b", "ab", "B", "", "ä", "12"]),
    "numeric": ("numeric(20, 3)", ["-1.5", "0", "0.001", "1e10", "2", "10", "-7"]),
    "timestamptz": ("timestamptz", [f"2024-0{m}-01 00:00:00.00000{m}+02" for m in range(1, 9)]),
    "date": ("date", ["infinity", "-infinity", "0044-03-15 BC", "2024-02-29", "10000-01-01", "1999-12-31"]),
    "bytea": ("bytea", [r"\x", r"\x00", r"\xff00", r"\x41", r"\x4142", r"\x0a"]),
    "identity": ("integer GENERATED BY DEFAULT AS IDENTITY", range(7)),
    "domain over bigint": ("app.key_number", range(7)),
    "domain over text": ("app.key_text", STRINGS),
    "enum": ("app.key_enum", ["zeta", "alpha", "Mid dle"]),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_type(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    key_type, keys = KEYS[kind]
    run_sql(
        conn,
        "CREATE SCHEMA app",
        "CREATE DOMAIN app.key_number AS bigint CHECK (VALUE >= 0)",
        "CREATE DOMAIN app.key_text AS text",
        "CREATE TYPE app.key_enum AS ENUM ('zeta', 'alpha', 'Mid dle')",
    )
    texts = [f"text {i}" for i in range(len(keys))]
    make(conn, key=f"{key_type} PRIMARY KEY", keys=keys, texts=texts)
    monkeypatch.setattr(stage, "PAGE_ROWS", 3)
    report = reembed(db, conn, way=WAYS[len(kind) % 3])
    assert report.rows_updated == report.rows_encoded == len(keys)


@pytest.mark.parametrize("collation", ['"C"', '"POSIX"', "pg_c_utf8", '"C.utf8"', "app.ignore_case"])
def test_keys_with_a_collation(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, collation: str) -> None:
    keys = [key for key in STRINGS if key != "A"] if collation == "app.ignore_case" else STRINGS
    run_sql(conn, "CREATE SCHEMA app")
    try:
        if collation == "app.ignore_case":
            run_sql(
                conn,
                "CREATE COLLATION app.ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            )
        make(
            conn, key=f"text COLLATE {collation} PRIMARY KEY", keys=keys, texts=[f"text {i}" for i in range(len(keys))]
        )
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedObject) as error:
        pytest.skip(str(error))
    monkeypatch.setattr(stage, "PAGE_ROWS", 3)
    for way, embedder in zip(WAYS, (NEW, OLD, NEW), strict=True):
        report = run_reembed(db, embedder, ReembedPlan(apply=way), target=DOCUMENTS)
        assert report.rows_updated == len(keys)
        check_space(conn, embedder, DOCUMENTS)


def test_a_key_that_is_unique_but_not_the_primary_key(db: str, conn: Conn) -> None:
    make(conn, key="text NOT NULL UNIQUE", more=", a integer DEFAULT 1, b serial, PRIMARY KEY (a, b)")
    reembed(db, conn)


@pytest.mark.parametrize("content", ["text", "varchar(40)", "citext", "json", "jsonb", "app.prose", "char(20)"])
def test_content_of_every_type(db: str, conn: Conn, content: str) -> None:
    run_sql(conn, "CREATE SCHEMA app", "CREATE DOMAIN app.prose AS text CHECK (VALUE <> 'none')")
    if content == "citext":
        try:
            run_sql(conn, "CREATE EXTENSION citext")
        except psycopg.Error as error:
            pytest.skip(str(error))
    texts = ['{"a": "one"}', '{"a": "two"}'] if content.startswith("json") else ["one", "two", " "]
    make(conn, content=content, texts=texts)
    run_sql(conn, "INSERT INTO documents (id) VALUES (9)")
    target, text = DOCUMENTS, "body::text"
    if content.startswith("json"):
        with pytest.raises(TargetError, match=f"documents.body is of type {content}, which is no text") as refused:
            run_reembed(db, NEW, target=DOCUMENTS)
        assert """--content-expression "body ->> 'a'\"""" in refused.value.hint
        target, text = replace(DOCUMENTS, content_column=None, content_expression="body ->> 'a'"), "body ->> 'a'"
    report = run_reembed(db, NEW, target=target)
    assert (report.rows_updated, report.rows_blank) == (2, len(texts) - 1)
    found = conn.execute(
        f"SELECT {text}, embedding::real[] FROM documents WHERE embedding IS NOT NULL"  # type: ignore[arg-type]
    ).fetchall()
    assert all(vector == list(NEW.vector(text)) for text, vector in found)
    assert len(found) == 2


# --- Columns and indexes ---


@pytest.mark.parametrize("way", WAYS)
def test_everything_on_one_table(db: str, conn: Conn, way: str) -> None:
    """Nothing but the embedding changes on a table that has a bit of everything that can be kept."""
    run_sql(
        conn,
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger fired'; END $$",
        "CREATE TABLE tag (name text PRIMARY KEY)",
        "INSERT INTO tag VALUES ('x')",
    )
    make(
        conn,
        embedding="vector(8) CONSTRAINT embedded NOT NULL CONSTRAINT sound CHECK (vector_norm(embedding) > 0.01)",
        more=", other vector(3), serial integer GENERATED ALWAYS AS IDENTITY"
        ", length integer GENERATED ALWAYS AS (length(body)) STORED"
        ", tag text DEFAULT 'x' REFERENCES tag ON UPDATE CASCADE"
        ", touched timestamptz DEFAULT '2024-01-01' CHECK (touched > '2000-01-01')",
    )
    run_sql(
        conn,
        "ALTER TABLE documents SET (fillfactor = 70, autovacuum_enabled = off)",
        "ALTER TABLE documents ALTER embedding SET STATISTICS 33, ALTER embedding SET (n_distinct = -0.5)",
        "ALTER TABLE documents ALTER embedding SET STORAGE MAIN",
        "ALTER TABLE documents REPLICA IDENTITY FULL",
        "UPDATE documents SET other = format('[%s, 1, 2]', id)::vector",
        "CREATE INDEX documents_other ON documents USING hnsw (other vector_l2_ops) WITH (m = 5)",
        "CREATE INDEX documents_body ON documents (body)",
        "CREATE INDEX documents_embedding ON documents USING hnsw (embedding vector_ip_ops)"
        " WITH (m = 7, ef_construction = 21)",
        "CREATE STATISTICS documents_stats ON body, length FROM documents",
        "CREATE TRIGGER shout BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION shout()",
        "CREATE TRIGGER shout_always AFTER UPDATE ON documents FOR EACH STATEMENT EXECUTE FUNCTION shout()",
        "ALTER TABLE documents ENABLE ALWAYS TRIGGER shout_always",
        "CREATE TRIGGER shout_replica AFTER UPDATE ON documents FOR EACH STATEMENT EXECUTE FUNCTION shout()",
        "ALTER TABLE documents ENABLE REPLICA TRIGGER shout_replica",
        "CREATE TRIGGER shout_never AFTER UPDATE ON documents FOR EACH STATEMENT EXECUTE FUNCTION shout()",
        "ALTER TABLE documents DISABLE TRIGGER shout_never",
        "ALTER TABLE documents ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY hidden ON documents USING (false)",
        "COMMENT ON TABLE documents IS 'what we know'",
        "COMMENT ON COLUMN documents.embedding IS 'what it means'",
        "COMMENT ON INDEX documents_embedding IS 'how to find it'",
        "COMMENT ON CONSTRAINT sound ON documents IS 'no zero vectors'",
        "GRANT SELECT, UPDATE ON documents TO PUBLIC",
        "GRANT SELECT (embedding), UPDATE (embedding) ON documents TO PUBLIC",
        "CREATE VIEW plain AS SELECT id, body FROM documents",
        "GRANT SELECT ON plain TO PUBLIC",
        "ALTER TABLE documents CLUSTER ON documents_pkey",
    )
    if way == "swap":
        # which cannot keep a constraint on the column
        run_sql(conn, "ALTER TABLE documents DROP CONSTRAINT sound")
    reembed(db, conn, way=way)
    assert one(conn, "SELECT count(*) FROM documents WHERE other IS NOT NULL") == len(TEXTS)
    other = replace(DOCUMENTS, embedding_column="other")
    assert nearest(conn, [2, 1, 2], other, "{column} <-> {vector}") == TEXTS[2]
    assert one(conn, "SELECT currval(pg_get_serial_sequence('documents', 'serial'))") == len(TEXTS)


@pytest.mark.parametrize("storage", ["PLAIN", "EXTENDED", "MAIN"])
@pytest.mark.parametrize("way", WAYS)
def test_storage_is_kept(db: str, conn: Conn, way: str, storage: str) -> None:
    make(conn, embedding="vector")
    run_sql(conn, f"ALTER TABLE documents ALTER embedding SET STORAGE {storage}")
    run_sql(conn, "ALTER TABLE documents ALTER embedding SET COMPRESSION pglz")
    before = str(catalog(conn, "documents")["columns"])
    register_model(db, OLD.signature(), target=DOCUMENTS)
    assert str(catalog(conn, "documents")["columns"]) == before.replace("'vector'", "'vector(8)'")
    reembed(db, conn, way=way)


def test_storage_plain_takes_no_vector_beyond_a_page(db: str, conn: Conn) -> None:
    make(conn)
    run_sql(conn, "ALTER TABLE documents ALTER embedding SET STORAGE PLAIN")
    refused(db, conn, "STORAGE PLAIN", embedder=new(2100))


def new(dimension: int) -> FakeEmbedder:
    return FakeEmbedder("new", dimension)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("old_typmod", ["(8)", ""])
def test_halfvec_stays_halfvec(db: str, conn: Conn, halfvec: None, way: str, old_typmod: str) -> None:
    make(conn, embedding=f"halfvec{old_typmod}")
    register_model(db, OLD.signature(), target=DOCUMENTS)
    reembed(db, conn, way=way)
    assert "(embedding halfvec_cosine_ops)" in str(catalog(conn, "documents")["indexes"])
    assert nearest(conn, NEW.vector(TEXTS[4])) == TEXTS[4]


def test_several_indexes_each_as_it_was(db: str, conn: Conn) -> None:
    make(conn)
    definitions = [
        "CREATE INDEX by_cosine ON public.documents USING hnsw (embedding vector_cosine_ops)",
        "CREATE INDEX by_ip ON public.documents USING hnsw (embedding vector_ip_ops)"
        " WITH (m='9', ef_construction='33')",
        "CREATE INDEX by_l2 ON public.documents USING hnsw (embedding vector_l2_ops) WITH (ef_construction='77')",
        "CREATE INDEX by_list ON public.documents USING ivfflat (embedding vector_l2_ops) WITH (lists='2')",
        "CREATE INDEX by_list_ip ON public.documents USING ivfflat (embedding vector_ip_ops) WITH (lists='3')",
        "CREATE INDEX partial ON public.documents USING hnsw (embedding vector_cosine_ops) WHERE (id > 3)",
        "CREATE INDEX partial_null ON public.documents USING hnsw (embedding vector_ip_ops)"
        " WHERE (embedding IS NOT NULL)",
    ]
    if has_halfvec(conn):
        definitions += [
            "CREATE INDEX by_bits ON public.documents USING hnsw"
            " (((binary_quantize(embedding))::bit(8)) bit_hamming_ops)",
            "CREATE INDEX by_half ON public.documents USING hnsw (((embedding)::halfvec(8)) halfvec_cosine_ops)",
            "CREATE INDEX by_prefix ON public.documents USING hnsw"
            " (((subvector(embedding, 1, 4))::vector(4)) vector_cosine_ops)",
        ]
    run_sql(conn, *definitions)
    before = {index: definition for index, definition, *_ in catalog(conn, "documents")["indexes"]}
    assert len(before) == len(definitions) + 1
    for way, embedder, old in zip(WAYS, (NEW, new(24), OLD), (8, 16, 24), strict=True):
        reembed(db, conn, embedder=embedder, way=way, old=old)
        after = {index: definition for index, definition, *_ in catalog(conn, "documents")["indexes"]}
        assert after == moved(before, 8, embedder.dimension)
    for order in ("{column} <=> {vector}", "{column} <-> {vector}", "{column} <#> {vector}"):
        assert nearest(conn, OLD.vector(TEXTS[5]), order=order) == TEXTS[5]
    if has_halfvec(conn):
        half = "({column}::halfvec(8)) <=> {vector}::halfvec(8)"
        assert nearest(conn, OLD.vector(TEXTS[5]), order=half) == TEXTS[5]


def test_an_index_that_says_its_dimension_in_its_predicate(db: str, conn: Conn) -> None:
    """As pgvector's manual has it for columns without a dimension."""
    make(conn, embedding="vector")
    run_sql(
        conn,
        "CREATE INDEX by_dims ON documents USING hnsw ((embedding::vector(8)) vector_cosine_ops)"
        " WHERE vector_dims(embedding) = 8",
    )
    run_reembed(db, NEW, target=DOCUMENTS)
    # the server leaves out a cast to the dimension that the column has by now
    assert one(conn, "SELECT pg_get_indexdef('by_dims'::regclass)") == (
        "CREATE INDEX by_dims ON public.documents USING hnsw (embedding vector_cosine_ops)"
        " WHERE (vector_dims(embedding) = 16)"
    )


def test_a_first_embedding_with_an_expression_index(db: str, conn: Conn) -> None:
    """The dimension of a column that has none, neither a vector, stands in the index alone."""
    make(conn, embedding="vector", keys=())
    run_sql(
        conn,
        "INSERT INTO documents (id, body) VALUES (1, 'one')",
        "CREATE INDEX expressed ON documents USING hnsw ((embedding::vector(8)) vector_cosine_ops)",
    )
    run_reembed(db, NEW, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)
    assert "USING hnsw (embedding vector_cosine_ops)" in one(conn, "SELECT pg_get_indexdef('expressed'::regclass)")


def test_an_index_shorter_than_the_vectors_needs_them_long_enough(db: str, conn: Conn, halfvec: None) -> None:
    make(conn)
    run_sql(
        conn,
        "CREATE INDEX by_prefix ON documents USING hnsw ((subvector(embedding, 1, 6)::vector(6)) vector_cosine_ops)",
    )
    refused(db, conn, "by_prefix", embedder=new(4))


@pytest.mark.parametrize("way", WAYS)
def test_without_dropping_the_index_first(db: str, conn: Conn, way: str) -> None:
    make(conn)
    run_sql(conn, "CREATE INDEX by_l2 ON documents USING hnsw (embedding vector_l2_ops) WITH (m = 6)")
    if has_halfvec(conn):
        run_sql(conn, "CREATE INDEX by_half ON documents USING hnsw ((embedding::halfvec(8)) halfvec_l2_ops)")
    reembed(db, conn, way=way, drop_hnsw_first=False)
    assert index_of(conn, "{column} <-> {vector}") == ["by_l2"]


@pytest.mark.parametrize("way", WAYS)
def test_another_column_of_the_same_table(db: str, conn: Conn, way: str) -> None:
    """Two targets on one table: each has its own registered model, and its own index stays its own."""
    make(conn, more=", title text, title_embedding vector(4)")
    titles = Target("documents", "id", "title", "title_embedding")
    short = FakeEmbedder("short", 4)
    run_sql(
        conn,
        "UPDATE documents SET title = 'title ' || id",
        "CREATE INDEX by_body ON documents USING hnsw (embedding vector_cosine_ops) WHERE title_embedding IS NOT NULL",
        "CREATE INDEX by_title ON documents USING hnsw (title_embedding vector_l2_ops)",
    )
    register_model(db, OLD.signature(), target=DOCUMENTS)
    run_reembed(db, short, target=titles)
    before = conn.execute("SELECT id, title_embedding::text FROM documents").fetchall()
    reembed(db, conn, way=way)
    check_space(conn, short, titles)
    assert conn.execute("SELECT id, title_embedding::text FROM documents").fetchall() == before
    # and the other column goes beyond what a vector index holds, which is nothing to the first one's
    if has_halfvec(conn):
        run_reembed(db, new(2100), ReembedPlan(apply=way), target=titles)
        assert "(embedding vector_cosine_ops)" in one(conn, "SELECT pg_get_indexdef('by_body'::regclass)")
    registry = conn.execute("SELECT column_name, dimension FROM vestige_sql.model ORDER BY 1").fetchall()
    assert registry == [("embedding", 16), ("title_embedding", 2100 if has_halfvec(conn) else 4)]
    check_space(conn, NEW, DOCUMENTS)


def test_two_tables_whose_first_indexes_would_have_one_name(db: str, conn: Conn) -> None:
    one_table, other = Target("a_b", "id", "body", "c"), Target("a", "id", "body", "b_c")
    for target in (one_table, other):
        make(conn, target)
        reembed(db, conn, target)
    for target in (one_table, other):
        assert run_reembed(db, NEW, target=target).nothing_to_do


@pytest.mark.parametrize("way", WAYS)
def test_other_indexes_on_the_column(db: str, conn: Conn, way: str) -> None:
    make(conn)
    run_sql(
        conn,
        "CREATE INDEX embedded ON documents (id) WHERE embedding IS NOT NULL",
        "CREATE INDEX covering ON documents (id) INCLUDE (embedding)",
        "CREATE INDEX several ON documents (body, embedding)",
        "CREATE UNIQUE INDEX expressed ON documents (vector_norm(embedding))",
        "COMMENT ON INDEX several IS 'a comment'",
        "CREATE STATISTICS together ON body, embedding FROM documents",
    )
    if way == "swap":
        refused(db, conn, "embedded", "covering", "several", "expressed", "together", ways=[way])
    else:
        reembed(db, conn, way=way)


def test_an_index_whose_rows_would_not_fit(db: str, conn: Conn) -> None:
    """B-tree rows are at most 2,704 bytes, and vectors are not compressed."""
    make(conn)
    run_sql(conn, "CREATE INDEX covering ON documents (id) INCLUDE (embedding)")
    refused(db, conn, "covering", embedder=new(700))
    reembed(db, conn, embedder=new(600))


def test_an_index_about_the_old_dimension(db: str, conn: Conn) -> None:
    make(conn)
    run_sql(conn, "CREATE INDEX of_eight ON documents (id) WHERE vector_dims(embedding) = 8")
    refused(db, conn, "of_eight")
    reembed(db, conn, embedder=FakeEmbedder("other", 8))


@pytest.fixture
def tablespaces(server_url: str) -> Iterator[tuple[str, str]]:
    names = (f"vestige_a_{os.getpid()}_{next(_numbers)}", f"vestige_b_{os.getpid()}_{next(_numbers)}")
    with psycopg.connect(server_url, autocommit=True) as conn:
        run_sql(conn, "SET allow_in_place_tablespaces = on")
        run_sql(conn, *(f"CREATE TABLESPACE {n} LOCATION ''" for n in names))
        yield names
        run_sql(conn, *(f"DROP TABLESPACE {n}" for n in names))


@pytest.mark.parametrize("way", WAYS)
def test_tablespaces(tablespaces: tuple[str, str], db: str, conn: Conn, way: str) -> None:
    make(conn)
    run_sql(
        conn,
        f"ALTER TABLE documents SET TABLESPACE {tablespaces[0]}",
        "CREATE INDEX here ON documents USING hnsw (embedding vector_cosine_ops)",
        f"CREATE INDEX there ON documents USING hnsw (embedding vector_ip_ops) TABLESPACE {tablespaces[1]}",
        f"ALTER ROLE CURRENT_USER IN DATABASE {conn.info.dbname} SET default_tablespace = {tablespaces[1]}",
    )
    reembed(db, conn, way=way)


@pytest.mark.parametrize("way", WAYS)
def test_pgvector_in_a_schema_off_the_search_path(empty_db: str, way: str) -> None:
    """As on hosted platforms, where extensions have a schema of their own."""
    from vestige_sql.database.migrations import migrate_up

    with psycopg.connect(empty_db, autocommit=True) as conn:
        run_sql(conn, "CREATE SCHEMA extensions", "CREATE EXTENSION vector SCHEMA extensions")
        migrate_up(empty_db, vestige=False)
        make(conn, embedding="extensions.vector(8)", key="text PRIMARY KEY")
        definitions = ["CREATE INDEX plain ON documents USING hnsw (embedding extensions.vector_ip_ops)"]
        if one(conn, "SELECT to_regtype('extensions.halfvec') IS NOT NULL"):
            definitions += [
                "CREATE INDEX half ON documents USING hnsw"
                " ((embedding::extensions.halfvec(8)) extensions.halfvec_cosine_ops)",
                "CREATE INDEX bits ON documents USING hnsw"
                " ((extensions.binary_quantize(embedding)::bit(8)) extensions.bit_hamming_ops)",
            ]
        run_sql(conn, *definitions)
        reembed(empty_db, conn, way=way)
        assert nearest(conn, NEW.vector(TEXTS[1]), order="{column} OPERATOR(extensions.<=>) {vector}") == TEXTS[1]
        # and the first index of a table, of whose vectors nobody knows the model
        run_sql(conn, "DROP TABLE documents")
        make(conn, embedding="extensions.vector(8)")
        run_sql(conn, "SELECT vestige_sql.forget_model('documents', 'embedding')")
        reembed(empty_db, conn, embedder=FakeEmbedder("other", 20), way=way)


# --- Dimensions ---


@pytest.mark.parametrize("way", WAYS)
def test_dimensions_above_two_thousand_and_back(db: str, conn: Conn, way: str) -> None:
    make(conn)
    run_sql(
        conn,
        "CREATE INDEX by_l2 ON documents USING hnsw (embedding vector_l2_ops) WITH (m = 6)",
        "COMMENT ON INDEX by_l2 IS 'a comment'",
    )
    large = new(3072)
    said: list[str] = []
    notes = dry_run_reembed(db, large, target=DOCUMENTS).notes
    report = run_reembed(db, large, ReembedPlan(apply=way), target=DOCUMENTS, before_write=said.append)
    check_space(conn, large, DOCUMENTS)
    for text in (str(notes), said[0], str(report.notes)):
        assert ("halfvec" if has_halfvec(conn) else "scan the table") in text
        assert "by_l2" in text
    if has_halfvec(conn):
        assert "::halfvec(3072)" in str(notes)
        assert one(conn, "SELECT pg_get_indexdef('by_l2'::regclass)") == (
            "CREATE INDEX by_l2 ON public.documents USING hnsw (((embedding)::halfvec(3072)) halfvec_l2_ops)"
            " WITH (m='6')"
        )
        order = "({column}::halfvec(3072)) <-> {vector}::halfvec(3072)"
        assert nearest(conn, large.vector(TEXTS[2]), order=order) == TEXTS[2]
        assert one(conn, "SELECT obj_description('by_l2'::regclass)") == "a comment"
    assert run_reembed(db, large, target=DOCUMENTS).nothing_to_do
    small = new(384)
    run_reembed(db, small, ReembedPlan(apply=way), target=DOCUMENTS)
    check_space(conn, small, DOCUMENTS)
    if has_halfvec(conn):
        order = "({column}::halfvec(384)) <-> {vector}::halfvec(384)"
        assert nearest(conn, small.vector(TEXTS[2]), order=order) == TEXTS[2]
    else:
        assert nearest(conn, small.vector(TEXTS[2])) == TEXTS[2]
    assert run_reembed(db, small, target=DOCUMENTS).nothing_to_do


@pytest.mark.parametrize("embedding", ["vector(8)", "halfvec(8)"])
def test_dimensions_above_four_thousand_have_no_index(db: str, conn: Conn, embedding: str) -> None:
    if embedding.startswith("half") and not has_halfvec(conn):
        pytest.skip("halfvec came with pgvector 0.7")
    make(conn, embedding=embedding)
    huge = new(5000)
    opclass = "halfvec_cosine_ops" if embedding.startswith("half") else "vector_cosine_ops"
    run_sql(conn, f"CREATE INDEX doomed ON documents USING hnsw (embedding {opclass})")
    said: list[str] = []
    summary = dry_run_reembed(db, huge, target=DOCUMENTS)
    report = run_reembed(db, huge, target=DOCUMENTS, before_write=said.append)
    for text in (str(summary.notes), said[0], str(report.notes)):
        assert "5,000" in text
        assert "scan the table" in text
        assert "doomed" in text
    assert not summary.would_build_index
    assert not has_vector_index(catalog(conn, "documents"))
    check_space(conn, huge, DOCUMENTS)
    assert nearest(conn, huge.vector(TEXTS[0])) == TEXTS[0]
    assert run_reembed(db, huge, target=DOCUMENTS).nothing_to_do
    run_reembed(db, NEW, ReembedPlan(create_index=True), target=DOCUMENTS)
    assert has_vector_index(catalog(conn, "documents"))


def test_an_index_on_bits_has_room_above_four_thousand(db: str, conn: Conn, halfvec: None) -> None:
    make(conn)
    run_sql(conn, "CREATE INDEX by_bits ON documents USING hnsw ((binary_quantize(embedding)::bit(8)) bit_hamming_ops)")
    reembed(db, conn, embedder=new(5000))
    assert run_reembed(db, new(5000), target=DOCUMENTS).nothing_to_do


def test_dimensions_above_sixteen_thousand_are_refused(db: str, conn: Conn) -> None:
    make(conn)
    with pytest.raises(DimensionMismatch, match="16,000"):
        run_reembed(db, new(16_001), target=DOCUMENTS)
    with pytest.raises(DimensionMismatch, match="16,000"):
        dry_run_reembed(db, new(16_001), target=DOCUMENTS)


# --- What cannot be kept, or is no target ---


def refused(
    db: str,
    conn: Conn,
    *complaints: str,
    target: Target = DOCUMENTS,
    embedder: FakeEmbedder = NEW,
    ways: Sequence[str] = ("auto",),
) -> TargetError:
    """See that runs and their rehearsals are refused, naming all ``complaints``, with nothing written or encoded."""
    before = everything(conn)
    fresh = FakeEmbedder(embedder.model_name, embedder.dimension)
    for way in ways:
        with pytest.raises(TargetError) as caught:
            run_reembed(db, fresh, ReembedPlan(apply=way), target=target)
        for complaint in complaints:
            assert re.search(complaint, str(caught.value))
        with pytest.raises(TargetError) as rehearsed:
            dry_run_reembed(db, fresh, ReembedPlan(apply=way), target=target)
        assert str(rehearsed.value) == str(caught.value)
        assert "nothing was written" in caught.value.hint
    assert fresh.calls == 0
    assert everything(conn) == before
    return caught.value


NOT_A_TARGET: dict[str, tuple[str, str]] = {
    "no table": ("SELECT", "there is no table documents"),
    "a foreign partition": (
        "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;"
        "CREATE TABLE documents (id bigint, body text, embedding vector(8)) PARTITION BY RANGE (id);"
        "CREATE FOREIGN TABLE part PARTITION OF documents DEFAULT SERVER nowhere",
        "partitions of public.documents are foreign tables.* public.part",
    ),
    "partition": (
        "CREATE TABLE whole (id bigint PRIMARY KEY, body text, embedding vector(8)) PARTITION BY RANGE (id);"
        "CREATE TABLE documents PARTITION OF whole DEFAULT",
        "public.documents is .*partition",
    ),
    "parent": (
        "CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding vector(8));"
        "CREATE TABLE child () INHERITS (documents)",
        "inheritance",
    ),
    "child": (
        "CREATE TABLE parent (id bigint, body text, embedding vector(8));"
        "CREATE TABLE documents (PRIMARY KEY (id)) INHERITS (parent)",
        "inheritance",
    ),
    "foreign table": (
        "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;"
        "CREATE FOREIGN TABLE documents (id bigint, body text, embedding vector(8)) SERVER nowhere",
        "is a foreign table",
    ),
    "view": ("CREATE VIEW documents AS SELECT 1 AS id, 'x' AS body, '[1]'::vector AS embedding", "is a view"),
    "materialized view": (
        "CREATE MATERIALIZED VIEW documents AS SELECT 1 AS id, 'x' AS body, '[1]'::vector AS embedding",
        "is a materialized view",
    ),
    "sequence": ("CREATE SEQUENCE documents", "is a sequence"),
    "index": ("CREATE TABLE other (id bigint); CREATE INDEX documents ON other (id)", "is an index"),
    "composite type": ("CREATE TYPE documents AS (id bigint, body text, embedding vector(8))", "is a composite type"),
    "typed table": (
        "CREATE TYPE document AS (id bigint, body text, embedding vector(8));"
        "CREATE TABLE documents OF document (PRIMARY KEY (id))",
        "is a typed table",
    ),
    "no key": ("CREATE TABLE documents (id bigint NOT NULL, body text, embedding vector(8))", "documents.id is no key"),
    "nullable key": ("CREATE TABLE documents (id bigint UNIQUE, body text, embedding vector(8))", "is no key"),
    "part of a key": (
        "CREATE TABLE documents (a int, id bigint, body text, embedding vector(8), PRIMARY KEY (a, id))",
        r"documents.id is only a part of the composite key \(a, id\)",
    ),
    "partly unique": (
        "CREATE TABLE documents (id bigint NOT NULL, body text, embedding vector(8));"
        "CREATE UNIQUE INDEX ON documents (id) WHERE id > 5",
        "is no key",
    ),
    "unique later": (
        "CREATE TABLE documents (id bigint NOT NULL UNIQUE DEFERRABLE, body text, embedding vector(8))",
        "is a DEFERRABLE key",
    ),
    "unique in lower case": (
        "CREATE TABLE documents (id text NOT NULL, body text, embedding vector(8));"
        "CREATE UNIQUE INDEX ON documents (lower(id))",
        "is no key",
    ),
    "no content column": ("CREATE TABLE documents (id bigint PRIMARY KEY, embedding vector(8))", "no column body"),
    "no embedding column": ("CREATE TABLE documents (id bigint PRIMARY KEY, body text)", "no column embedding"),
    "text for a vector": (
        "CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding text)",
        "embedding is of type text, not a vector column",
    ),
    "array of vectors": (
        "CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding vector(8)[])",
        r"is of type public.vector.*\[\], not a vector column",
    ),
    "array of numbers": (
        "CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding real[])",
        r"is of type real\[\], not a vector column",
    ),
    "domain over vector": (
        "CREATE DOMAIN meaning AS vector(8);"
        "CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding meaning)",
        "is of type public.meaning, not a vector column",
    ),
    "a vector of another making": (
        "CREATE SCHEMA mine; CREATE TYPE mine.vector AS (x real);"
        "CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding mine.vector)",
        "is of type mine.vector, not a vector column",
    ),
    "bytes for a text": (
        "CREATE TABLE documents (id bigint PRIMARY KEY, body bytea, embedding vector(8))",
        "documents.body is of type bytea, which is no text",
    ),
    "generated": (
        "CREATE TABLE documents (id bigint PRIMARY KEY, body text,"
        " embedding vector(8) GENERATED ALWAYS AS ('[1,2,3,4,5,6,7,8]') STORED)",
        "embedding is a generated column",
    ),
}


@pytest.mark.parametrize("kind", NOT_A_TARGET)
def test_not_a_target(db: str, conn: Conn, kind: str) -> None:
    ddl, complaint = NOT_A_TARGET[kind]
    run_sql(conn, *ddl.split(";"))
    refused(db, conn, complaint)


def test_not_a_target_of_newer_types(db: str, conn: Conn, halfvec: None) -> None:
    run_sql(conn, "CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding sparsevec(8), bits bit(8))")
    refused(db, conn, r"is of type sparsevec\(8\), not a vector column")
    refused(db, conn, r"is of type bit\(8\), not a vector column", target=replace(DOCUMENTS, embedding_column="bits"))


def test_a_temporary_table_is_seen_by_nobody_else(db: str, conn: Conn) -> None:
    run_sql(conn, "CREATE TEMP TABLE documents (id bigint PRIMARY KEY, body text, embedding vector(8))")
    with pytest.raises(TargetError, match="there is no table"):
        run_reembed(db, NEW, target=DOCUMENTS)
    schema = one(conn, "SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'documents'::regclass")
    with pytest.raises(TargetError, match="is a temporary table"):
        run_reembed(db, NEW, target=replace(DOCUMENTS, table=f"{schema}.documents"))


def test_a_key_must_be_unique_as_its_column_compares(db: str, conn: Conn) -> None:
    try:
        run_sql(
            conn,
            "CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        )
    except psycopg.errors.FeatureNotSupported as error:
        pytest.skip(str(error))
    make(conn, key="text COLLATE ignore_case NOT NULL", keys=["a", "A"])
    run_sql(conn, 'CREATE UNIQUE INDEX ON documents (id COLLATE "C")')
    refused(db, conn, "is no key")


@dataclass(frozen=True)
class Hanging:
    """Something that hangs on the column: ``named`` stands in the refusal of ``ways``; the others keep it."""

    ddl: str
    named: str
    ways: tuple[str, ...] = WAYS
    dimension: int = 16


HANGING = {
    "trigger on the column": Hanging(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW# END'#"
        "CREATE TRIGGER watch BEFORE UPDATE OF embedding ON documents FOR EACH ROW EXECUTE FUNCTION nothing()",
        "trigger watch",
    ),
    "trigger with a condition on the column": Hanging(
        "CREATE TRIGGER watch BEFORE UPDATE ON documents FOR EACH ROW"
        " WHEN (OLD.embedding IS DISTINCT FROM NEW.embedding)"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger watch",
    ),
    "policy": Hanging("CREATE POLICY embedded ON documents USING (embedding IS NOT NULL)", "policy embedded"),
    "generated column": Hanging(
        "ALTER TABLE documents ADD norm double precision GENERATED ALWAYS AS (vector_norm(embedding)) STORED", "norm"
    ),
    "function with an SQL body": Hanging(
        "CREATE FUNCTION embedded() RETURNS bigint BEGIN ATOMIC SELECT count(embedding) FROM documents# END",
        r"function public.embedded\(\)",
    ),
    "rule on another table": Hanging(
        "CREATE TABLE inbox (id bigint)#CREATE RULE forget AS ON INSERT TO inbox DO ALSO"
        " UPDATE documents SET embedding = NULL WHERE id = NEW.id",
        "rule forget",
    ),
    "rule on update": Hanging(
        "CREATE TABLE log (id bigint)#CREATE RULE written AS ON UPDATE TO documents"
        " DO ALSO INSERT INTO log VALUES (NEW.id)",
        "rule ON UPDATE",
        ("widen", "swap"),
    ),
    "check about the dimension": Hanging(
        "ALTER TABLE documents ADD CONSTRAINT eight CHECK (vector_dims(embedding) = 8)", "constraint eight", ("swap",)
    ),
    "check about the dimension in another way": Hanging(
        "ALTER TABLE documents ADD CONSTRAINT eight CHECK (array_length(embedding::real[], 1) = 8)", "constraint eight"
    ),
    "harmless check": Hanging(
        "ALTER TABLE documents ADD CONSTRAINT sound CHECK (vector_norm(embedding) > 0)", "constraint sound", ("swap",)
    ),
    "check about both columns": Hanging(
        "ALTER TABLE documents ADD CONSTRAINT both_or_none CHECK (embedding IS NULL OR body IS NOT NULL) NOT VALID",
        "constraint both_or_none",
        ("swap",),
    ),
    "default of the old dimension": Hanging(
        "ALTER TABLE documents ALTER embedding SET DEFAULT '[1,2,3,4,5,6,7,8]'", "default"
    ),
    "default that says the number": Hanging(
        "ALTER TABLE documents ALTER embedding SET DEFAULT array_fill(0.5, ARRAY[8])::vector(8)", "default", ("swap",)
    ),
    "no default": Hanging("ALTER TABLE documents ALTER embedding SET DEFAULT NULL", "default", ("swap",)),
    "default of the same dimension": Hanging(
        "ALTER TABLE documents ALTER embedding SET DEFAULT '[1,2,3,4,5,6,7,8]'", "", (), 8
    ),
    "unique constraint": Hanging(
        "ALTER TABLE documents ADD CONSTRAINT once UNIQUE (embedding)", "constraint once", ("swap",)
    ),
    "statistics": Hanging(
        "CREATE STATISTICS pair ON body, embedding FROM documents", "statistics object public.pair", ("swap",)
    ),
    "row type in a column": Hanging("CREATE TABLE history (was documents)", "history"),
    "row type in an array": Hanging("CREATE TABLE history (were documents[])", "history"),
    "published columns": Hanging("CREATE PUBLICATION pub FOR TABLE documents (id, embedding)", "pub"),
}


@pytest.mark.parametrize("kind", HANGING)
def test_what_hangs_on_the_column(db: str, conn: Conn, kind: str) -> None:
    """It is refused by name before the first write, or it is there afterwards as it was."""
    hanging = HANGING[kind]
    make(conn)
    run_sql(conn, *(text.replace("# ", "; ") for text in re.split("#(?! )", hanging.ddl)))
    if hanging.ways:
        everywhere = ("auto",) if set(hanging.ways) == set(WAYS) else ()
        refused(db, conn, hanging.named, ways=(*hanging.ways, *everywhere), embedder=new(hanging.dimension))
    for i, way in enumerate(way for way in WAYS if way not in hanging.ways):
        embedder = FakeEmbedder(f"new {i}", hanging.dimension)
        reembed(db, conn, embedder=embedder, way=way, old=8 if i == 0 else hanging.dimension)


def test_a_check_about_a_dimension_that_only_the_vectors_have(db: str, conn: Conn) -> None:
    make(conn, embedding="vector CONSTRAINT eight CHECK (vector_dims(embedding) = 8)")
    refused(db, conn, "constraint eight")


def test_views_are_named_with_what_makes_them_again(db: str, conn: Conn) -> None:
    """Views on views too, in the order in which they can be made, with owner, grants, comments, options and indexes."""
    make(conn)
    run_sql(
        conn,
        "CREATE SCHEMA app",
        'CREATE VIEW app."Odd name" WITH (security_barrier) AS'
        " SELECT id, embedding, ' ; ' || body AS body FROM documents WHERE id >= 0 WITH LOCAL CHECK OPTION",
        'CREATE MATERIALIZED VIEW app.kept AS SELECT id, embedding FROM app."Odd name"',
        "CREATE UNIQUE INDEX kept_id ON app.kept (id)",
        "CREATE MATERIALIZED VIEW app.empty AS SELECT body FROM documents WHERE embedding IS NULL WITH NO DATA",
        "CREATE VIEW above AS SELECT count(*) AS rows FROM app.kept",
        "CREATE VIEW aside AS SELECT body FROM documents",
        'GRANT SELECT, INSERT ON app."Odd name" TO PUBLIC WITH GRANT OPTION'.replace(" WITH GRANT OPTION", ""),
        'GRANT SELECT (body) ON app."Odd name" TO PUBLIC',
        "COMMENT ON VIEW app.\"Odd name\" IS 'it''s odd'",
        "COMMENT ON COLUMN app.\"Odd name\".body IS 'the text'",
        "COMMENT ON MATERIALIZED VIEW app.kept IS 'kept'",
    )
    names = ['app."Odd name"', "app.kept", "app.empty", "above"]
    before = [views(conn, name) for name in names]
    error = refused(db, conn, 'view app."Odd name"', "view app.kept", "view app.empty", "view public.above")
    assert "aside" not in str(error)
    drops = [s for s in error.hint.split("\n") if s.startswith("DROP ")]
    run_sql(conn, *drops)
    reembed(db, conn)
    run_sql(conn, error.hint.partition("afterwards:\n")[2])
    assert moved([views(conn, name) for name in names], 0, 0) == moved(before, 8, 16)


def views(conn: Conn, view: str) -> list[Any]:
    return [
        conn.execute(query, {"view": view}).fetchall()
        for query in (
            "SELECT pg_get_viewdef(oid), relkind, reloptions, relowner::regrole::text, relacl::text, relispopulated,"
            " obj_description(oid, 'pg_class') FROM pg_class WHERE oid = %(view)s::regclass",
            "SELECT attname, format_type(atttypid, atttypmod), attacl::text, col_description(attrelid, attnum)"
            " FROM pg_attribute WHERE attrelid = %(view)s::regclass AND attnum > 0 ORDER BY attnum",
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %(view)s::regclass ORDER BY 1",
        )
    ]


def test_without_pgvector_or_the_package(empty_db: str) -> None:
    with pytest.raises(TargetError, match="has no pgvector"):
        run_reembed(empty_db, NEW, target=DOCUMENTS)
    with psycopg.connect(empty_db, autocommit=True) as conn:
        run_sql(conn, "CREATE EXTENSION vector")
        make(conn)
        with pytest.raises(TargetError, match="lacks the schema vestige_sql"):
            run_reembed(empty_db, NEW, target=DOCUMENTS)
        # a rehearsal needs nothing but the table
        assert dry_run_reembed(empty_db, NEW, target=DOCUMENTS).rows_to_update == len(TEXTS)


# --- Roles ---


@dataclass(frozen=True)
class Role:
    name: str
    conninfo: str


@pytest.fixture
def role(db: str, conn: Conn) -> Iterator[Role]:
    """A role that may log in and is nothing else."""
    made = f"vestige_role_{os.getpid()}_{next(_numbers)}"
    run_sql(conn, f"CREATE ROLE {made} LOGIN PASSWORD 'secret'")
    yield Role(made, psycopg.conninfo.make_conninfo(db, user=made, password="secret"))
    run_sql(conn, f"DROP OWNED BY {made} CASCADE", f"DROP ROLE {made}")


GRANTS = tuple(
    grant for verb in ("apply", "rollback, finalize, abort") for grant in granted(verb, "{role}", only="vestige_sql")
)
"""What a role needs in the package's own schema, once a database, as the manual has it."""


def reembed_as(role: Role, conn: Conn, target: Target, embedder: FakeEmbedder, way: str, **plan: Any) -> None:
    before = rows(conn, target)
    run_reembed(role.conninfo, embedder, ReembedPlan(apply=way, **plan), target=target)
    assert rows(conn, target) == before
    check_space(conn, embedder, target)


def test_not_the_owner(db: str, conn: Conn, role: Role) -> None:
    make(conn)
    run_sql(conn, *(g.format(role=role.name) for g in GRANTS), f"GRANT ALL ON documents TO {role.name}")
    before = everything(conn)
    with pytest.raises(TargetError, match=f"role {role.name} does not own public.documents") as caught:
        run_reembed(role.conninfo, NEW, target=DOCUMENTS)
    assert "GRANT" in caught.value.hint
    assert everything(conn) == before


def test_row_level_security_forced_on_the_owner(db: str, conn: Conn, role: Role) -> None:
    make(conn)
    run_sql(
        conn,
        *(g.format(role=role.name) for g in GRANTS),
        f"GRANT CREATE ON SCHEMA public TO {role.name}",
        "ALTER TABLE documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE documents OWNER TO {role.name}",
        "CREATE POLICY part ON documents USING (id > 3)",
    )
    before = everything(conn)
    with pytest.raises(TargetError, match="forces row level security") as caught:
        run_reembed(role.conninfo, NEW, target=DOCUMENTS)
    assert "NO FORCE" in caught.value.hint
    assert everything(conn) == before
    # whom no policy filters may, as the hint says
    reembed(db, conn)
    run_sql(conn, "ALTER TABLE documents NO FORCE ROW LEVEL SECURITY")
    reembed_as(role, conn, DOCUMENTS, FakeEmbedder("third", 8), "rewrite")


# --- The registry ---


def test_knowledge_nodes_of_another_schema_have_a_registry_of_their_own(db: str, conn: Conn) -> None:
    """Without a table embedding_model beside them they are a table like any other; with one it is theirs."""
    for schema in ("one", "two"):
        run_sql(conn, f"CREATE SCHEMA {schema}")
        make(conn, Target(f"{schema}.knowledge_nodes", "id", "content", "embedding"), key="uuid PRIMARY KEY",
             keys=[f"00000000-0000-4000-8000-00000000000{i}" for i in range(6)])  # fmt: skip
    run_sql(
        conn,
        "CREATE TABLE two.embedding_model (id integer PRIMARY KEY CHECK (id = 1), name text NOT NULL,"
        " dimension integer NOT NULL, hash text NOT NULL, created_at timestamptz DEFAULT now())",
        "INSERT INTO embedding_model (model_name, dimension, model_hash) VALUES ('untouched', 3, repeat('0', 64))",
    )
    for schema in ("one", "two"):
        target = Target(f"{schema}.knowledge_nodes")
        run_reembed(db, NEW, target=target)
        assert status(db, target=target)["model"] == NEW.signature()
        assert run_reembed(db, NEW, target=target).nothing_to_do
    # The package's own row of a table with a registry beside it only says which table that is.
    assert conn.execute("SELECT table_schema, table_name, dimension FROM vestige_sql.model ORDER BY 1").fetchall() == [
        ("one", "knowledge_nodes", 16),
        ("two", "knowledge_nodes", 16),
    ]
    assert conn.execute("SELECT name, dimension FROM two.embedding_model").fetchall() == [("new", 16)]
    assert one(conn, "SELECT model_name FROM embedding_model") == "untouched"


def test_two_targets_in_one_database(db: str, conn: Conn) -> None:
    other = replace(DOCUMENTS, table="notes")
    make(conn)
    make(conn, other, texts=[f"note {i}" for i in range(4)])
    register_model(db, OLD.signature(), target=DOCUMENTS)
    run_reembed(db, NEW, target=other)
    check_space(conn, OLD, DOCUMENTS)
    check_space(conn, NEW, other)
    assert status(db, target=DOCUMENTS)["model"] == OLD.signature()
    assert status(db, target=other)["model"] == NEW.signature()
