"""What the tests share: a model without a model, rows that are not empty, and how things were before and after."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pytest
from psycopg import sql

from vestige_sql import VESTIGE, ModelSignature, Target, register_model, steps
from vestige_sql.encode.embedder import Vectors

HNSW = "idx_knowledge_nodes_embedding_hnsw"
HNSW_DEFINITION = (
    f"CREATE INDEX {HNSW} ON public.knowledge_nodes USING hnsw (embedding vector_cosine_ops)"
    " WITH (m='16', ef_construction='64')"
)

Conn = psycopg.Connection[Any]


class Said(NamedTuple):
    """What the command line left with and printed."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


class FakeEmbedder:
    """A model whose vectors are hashes: the same text gives the same vector, other texts nearly orthogonal ones.

    Elements are multiples of 1/256, which float32, float16 and their text forms hold exactly, so that vectors can be
    compared for equality wherever they went. ``calls`` counts calls of ``embed_batch`` and ``texts`` keeps what they
    got. ``hook`` is called before each with the number of the call, from 1, and the texts.
    """

    def __init__(
        self,
        name: str = "fake",
        dimension: int = 64,
        *,
        salt: str = "",
        hook: Callable[[int, Sequence[str]], None] | None = None,
    ) -> None:
        self.model_name = name
        self.dimension = dimension
        self.salt = salt
        self.hook = hook
        self.calls = 0
        self.texts: list[str] = []

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, self.dimension, _sha256(f"{self.model_name}\0{self.salt}"))

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        if self.hook is not None:
            self.hook(self.calls, texts)
        self.texts += texts
        return np.stack([self.vector(text) for text in texts])

    def vector(self, text: str) -> Vectors:
        """The embedding of ``text``, float32 of shape (dimension,), without counting a call."""
        seed = f"{self.model_name}\0{self.salt}\0{self.dimension}\0{text}".encode()
        # As SHA-256, but as long as one likes.
        raw = np.frombuffer(hashlib.shake_256(seed).digest(self.dimension), np.int8)
        return (raw.astype(np.float32) + 0.5) / 128


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def literal(vector: Iterable[float]) -> str:
    """``vector`` as pgvector reads it."""
    return "[" + ",".join(str(float(element)) for element in vector) + "]"


# --- Rows ---


def seed(
    conn: Conn,
    rows: int = 20,
    embedder: FakeEmbedder | None = None,
    *,
    index: bool = True,
    texts: Sequence[str] | None = None,
) -> list[str]:
    """Fill ``knowledge_nodes`` with ``rows`` memories, no column empty, and a ring of edges; return their texts.

    With an ``embedder``, its vectors are there, it is the registered model, and there is the HNSW index.
    """
    texts = [f"memory number {i}" for i in range(rows)] if texts is None else list(texts)
    conn.execute("INSERT INTO groups (handle) VALUES ('team') ON CONFLICT DO NOTHING")
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO knowledge_nodes (content, node_type, tags, metadata, domains, domain_scores, embedding,
                codebase, visibility, shared_with_groups, created_at, updated_at)
            SELECT %(text)s, (ARRAY['fact', 'decision', 'event'])[1 + %(i)s %% 3],
                ARRAY['tag' || %(i)s %% 7, 'seeded'], jsonb_build_object('n', %(i)s, 'deep', ARRAY[%(text)s]),
                ARRAY['domain' || %(i)s %% 5], jsonb_build_object('domain' || %(i)s %% 5, 0.25), %(vector)s::vector,
                nullif('repo' || %(i)s %% 4, 'repo0'), (ARRAY['private', 'group', 'public'])[1 + %(i)s %% 3],
                (SELECT array_agg(id) FROM groups), '2024-01-01'::timestamptz + %(i)s * interval '1 minute',
                '2024-06-01'::timestamptz + %(i)s * interval '1 second'
            """,
            [
                {"i": i, "text": text, "vector": literal(embedder.vector(text)) if embedder and text.strip() else None}
                for i, text in enumerate(texts)
            ],
        )
    conn.execute(
        "INSERT INTO edges (source_id, target_id, weight)"
        " SELECT id, coalesce(lead(id) OVER w, first_value(id) OVER w), 0.5 FROM knowledge_nodes"
        " WINDOW w AS (ORDER BY id) ON CONFLICT DO NOTHING"
    )
    if embedder is not None:
        register_model(dsn(conn), embedder.signature())
        if index:
            conn.execute(HNSW_DEFINITION)  # type: ignore[arg-type]
    return list(texts)


def dsn(conn: Conn) -> str:
    """The conninfo that ``conn`` was opened with, password and all."""
    info = conn.info
    return psycopg.conninfo.make_conninfo(info.dsn, password=info.password or None)


def table_name(target: Target = VESTIGE) -> sql.Composable:
    return sql.SQL(target.table)  # type: ignore[arg-type]


def columns_of(target: Target) -> tuple[str, str, str]:
    """The names of key, text and vectors, each Vestige's where the target names none."""
    assert target.id_column is None or isinstance(target.id_column, str)
    return target.id_column or "id", target.content_column or "content", target.embedding_column or "embedding"


def key_of(target: Target) -> sql.Composable:
    """The key as SQL has it: a column, or a row of several."""
    if isinstance(target.id_column, tuple):
        return sql.SQL("ROW({})").format(sql.SQL(", ").join(map(sql.Identifier, target.id_column)))
    return sql.Identifier(columns_of(target)[0])


def vectors(conn: Conn, target: Target = VESTIGE) -> dict[str, tuple[str, list[float] | None]]:
    """The text and the vector of every row, by its key."""
    rows = conn.execute(
        sql.SQL("SELECT {}::text, {}, {}::real[] FROM {}").format(
            key_of(target),
            sql.Identifier(target.content_column or "content"),
            sql.Identifier(target.embedding_column or "embedding"),
            table_name(target),
        )
    )
    return {key: (text, vector) for key, text, vector in rows}


def registered(conn: Conn) -> tuple[str, int, str] | None:
    """Name, dimension and hash in Vestige's registry."""
    return conn.execute("SELECT model_name, dimension, model_hash FROM embedding_model").fetchone()


def check_space(conn: Conn, embedder: FakeEmbedder, target: Target = VESTIGE) -> None:
    """Every row with text has ``embedder``'s vector of that text, every other none, and the column its dimension."""
    for key, (text, vector) in vectors(conn, target).items():
        expected = list(embedder.vector(text)) if text and text.strip() else None
        assert vector == expected, f"row {key}, {text!r}"
    assert typmod(conn, target) == embedder.dimension
    if target == VESTIGE:
        signature = embedder.signature()
        assert registered(conn) == (signature.name, signature.dimension, signature.hash)


def typmod(conn: Conn, target: Target = VESTIGE) -> int:
    """The column's dimension, or -1."""
    row = conn.execute(
        "SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
        (target.table, target.embedding_column or "embedding"),
    ).fetchone()
    assert row is not None
    return int(row[0])


def index_definition(conn: Conn, name: str = HNSW) -> str | None:
    """How the index was made, or None where there is none."""
    row = conn.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", (name,)).fetchone()
    return row[0] if row else None


def check_search(conn: Conn, embedder: FakeEmbedder, texts: Iterable[str], *, operator: str = "<=>") -> None:
    """A query with the vector of each text finds the row of that text first, through the index."""
    conn.execute("SET enable_seqscan = off")
    query = sql.SQL("SELECT content FROM knowledge_nodes ORDER BY embedding {} %s::vector LIMIT 1").format(
        sql.SQL(operator)  # type: ignore[arg-type]
    )
    for text in texts:
        found = conn.execute(query, (literal(embedder.vector(text)),)).fetchone()
        assert found == (text,)
    conn.execute("RESET enable_seqscan")


# --- As it was ---


def rows(conn: Conn, target: Target = VESTIGE) -> dict[str, str]:
    """Every column but the embedding of every row, as text, by its key."""
    found = conn.execute(
        sql.SQL("SELECT {}::text, (to_jsonb(t) - {}::text)::text FROM {} AS t").format(
            key_of(target), sql.Literal(target.embedding_column or "embedding"), table_name(target)
        )
    )
    return dict(found.fetchall())


def catalog(conn: Conn, table: str = "knowledge_nodes") -> dict[str, list[Any]]:
    """What the catalog says of ``table`` and what hangs on it; a column's place in the table is left out."""
    return {
        what: conn.execute(query, {"table": table}).fetchall()  # type: ignore[arg-type]
        for what, query in _CATALOG.items()
    }


_CATALOG: Mapping[str, str] = {
    "table": """
        SELECT c.relkind, c.relowner::regrole::text, c.relacl::text, c.reloptions, c.relpersistence, c.relrowsecurity,
               c.relforcerowsecurity, c.relreplident, c.reltablespace, obj_description(c.oid, 'pg_class')
        FROM pg_class c WHERE c.oid = %(table)s::regclass""",
    "columns": """
        SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
               a.attgenerated, a.attidentity, a.attstorage, a.attcompression, coalesce(a.attstattarget, -1),
               a.attoptions::text, a.attacl::text, col_description(a.attrelid, a.attnum),
               a.attcollation::regcollation::text
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname""",
    "indexes": """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready, i.indisprimary,
               i.indisreplident, i.indisclustered, obj_description(i.indexrelid, 'pg_class'), c.reltablespace,
               c.relowner::regrole::text
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = %(table)s::regclass ORDER BY 1""",
    "constraints": """
        SELECT conname, contype, pg_get_constraintdef(oid), convalidated, obj_description(oid, 'pg_constraint')
        FROM pg_constraint WHERE %(table)s::regclass IN (conrelid, confrelid) ORDER BY 1, 2""",
    "triggers": """
        SELECT tgname, tgenabled, pg_get_triggerdef(oid), obj_description(oid, 'pg_trigger')
        FROM pg_trigger WHERE tgrelid = %(table)s::regclass AND NOT tgisinternal ORDER BY 1""",
    "internal triggers": """
        SELECT tgenabled, tgfoid::regproc::text, count(*) FROM pg_trigger
        WHERE tgrelid = %(table)s::regclass AND tgisinternal GROUP BY 1, 2 ORDER BY 1, 2""",
    "views": """
        SELECT DISTINCT r.ev_class::regclass::text, pg_get_viewdef(r.ev_class)
        FROM pg_depend p JOIN pg_rewrite r ON r.oid = p.objid AND p.classid = 'pg_rewrite'::regclass
        WHERE p.refobjid = %(table)s::regclass ORDER BY 1""",
    "policies": """
        SELECT polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
        FROM pg_policy WHERE polrelid = %(table)s::regclass ORDER BY 1""",
    "statistics": """
        SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = %(table)s::regclass ORDER BY 1""",
    "grants": """
        SELECT grantee, column_name, privilege_type, is_grantable FROM information_schema.column_privileges
        WHERE (quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass = %(table)s::regclass
        ORDER BY 1, 2, 3""",
}


def everything(conn: Conn) -> dict[str, str]:
    """The place and the writing transaction of every row of every table, the catalogs included, by table.

    Statistics are left out: autovacuum gathers them when it likes.
    """
    tables = conn.execute(
        "SELECT oid::regclass::text FROM pg_class"
        " WHERE relkind IN ('r', 'm') AND relispopulated AND relname NOT LIKE 'pg\\_statistic%' AND NOT relisshared"
    ).fetchall()
    found = {}
    for (table,) in tables:
        row = conn.execute(
            f"SELECT count(*), md5(string_agg(ctid::text || xmin::text, ' ' ORDER BY ctid)) FROM {table}"  # type: ignore[arg-type]
        ).fetchone()
        found[table] = str(row)
    return found


# --- Points in a run ---


def patch_run(patch: pytest.MonkeyPatch, wrapped: Callable[..., steps.StepRun]) -> None:
    """Let ``wrapped`` stand in for ``steps.run``, for questions too."""
    patch.setattr(steps, "run", wrapped)
    patch.setattr("vestige_sql.steps.running.run", wrapped)


class Points:
    """Wraps ``steps.run`` to act before or after named steps of a run, and keeps the names of those that ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[str] = []
        self._actions: list[tuple[str, str, Callable[[], object]]] = []
        run = steps.run

        def wrapped(conn: Conn, step: steps.Step, values: Mapping[str, steps.Value]) -> steps.StepRun:
            self._act("before", step.name)
            done = run(conn, step, values)
            self.ran.append(step.name)
            self._act("after", step.name)
            return done

        patch_run(monkeypatch, wrapped)

    def before(self, step: str, action: Callable[[], object]) -> None:
        """Call ``action`` the next time that the step is about to run, once."""
        self._actions.append(("before", step, action))

    def after(self, step: str, action: Callable[[], object]) -> None:
        """Call ``action`` the next time that the step has run, once."""
        self._actions.append(("after", step, action))

    def _act(self, when: str, step: str) -> None:
        due = [one for one in self._actions if one[:2] == (when, step)]
        self._actions = [one for one in self._actions if one not in due]
        for _, _, action in due:
            action()


# --- Grants ---

_PRIVILEGES = Path(__file__).parents[2] / "docs" / "privileges.md"


def granted(heading: str, role: str = "app", database: str = "mydb", *, only: str = "") -> list[str]:
    """The GRANTs that docs/privileges.md has under ``heading``, those with ``only`` in them, to ``role``."""
    section = _PRIVILEGES.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [
        line.strip().removesuffix(";").replace(" TO app", f" TO {role}").replace(" mydb ", f' "{database}" ')
        for line in section.splitlines()
        if line.startswith("    GRANT ") and only in line
    ]


# --- One instant ---

_INSTANT = """
    SELECT (SELECT to_jsonb(m) FROM embedding_model AS m),
           (SELECT nullif(atttypmod, -1) FROM pg_attribute
            WHERE attrelid = 'knowledge_nodes'::regclass AND attname = 'embedding'),
           (SELECT coalesce(jsonb_agg(jsonb_build_array(content, embedding::real[])), '[]') FROM knowledge_nodes)
"""


def space_of(conn: Conn, models: Iterable[FakeEmbedder]) -> FakeEmbedder | None:
    """The one of ``models`` that the registry names, and whose vectors of their texts all rows have at that instant.

    Registry, column and rows are read by one statement. A row may lack a vector, and None stands for no model at all.
    """
    row = conn.execute(_INSTANT, prepare=False).fetchone()
    assert row is not None
    model, dimension, table = row
    if model is None:
        assert not any(vector for _, vector in table)
        return None
    named = ModelSignature(model["model_name"], model["dimension"], model["model_hash"])
    (embedder,) = (one for one in models if one.signature() == named)
    assert dimension == embedder.dimension
    for text, vector in table:
        assert vector is None or vector == list(embedder.vector(text)), f"{text!r} is not in the space of {named}"
    return embedder


# --- Other sessions ---


@contextmanager
def writing(db: str) -> Iterator[Conn]:
    """A transaction that has written to the table and stays open as long as the block runs."""
    with psycopg.connect(db) as writer:
        writer.execute("UPDATE knowledge_nodes SET visibility = visibility WHERE content = 'memory number 3'")
        yield writer


def wait_for(conn: Conn, query: str) -> Any:
    """Ask until there is an answer."""
    deadline = time.monotonic() + 20
    while (row := conn.execute(query).fetchone()) is None:  # type: ignore[arg-type]
        assert time.monotonic() < deadline, query
        time.sleep(0.02)
    return row[0]


BUILDER = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND query LIKE '%CREATE INDEX CONCURRENTLY%'"
)
"""Asks for a session that builds an index and waits for another."""


def terminate(conn: Conn) -> None:
    """End all sessions of the run, as an administrator would."""
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'vestige-sql'"
    )


@contextmanager
def connected(db: str) -> Iterator[Conn]:
    """Connect once the server has recovered."""
    deadline = time.monotonic() + 30
    while True:
        try:
            conn = psycopg.connect(db, autocommit=True)
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with conn:
        yield conn
