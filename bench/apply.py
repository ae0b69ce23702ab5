"""Compare the ways of putting new vectors in place, on the same table, with the vectors ready in memory.

Each way gets its own copy of one database, after a checkpoint, and the ways take turns. Nothing is encoded: what
is measured is COPY to staging, gate and apply, or the UPDATEs that people write instead. Both kinds drop the HNSW
index first and end with every row under the column's new typmod. The index is an empty one (WHERE false), so
that its build costs nothing either way.

What the server takes at most is measured beside them: the same ids, hashes and vectors by one binary COPY into a table
without indexes, in one transaction.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from statistics import median
from typing import Any

import numpy as np
import psycopg
from demo.corpus import documents
from pgvector.psycopg import register_vector
from psycopg.conninfo import make_conninfo

from vestige_sql import VESTIGE, ModelSignature, ReembedPlan, Target, register_model, run_reembed
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode.embedder import Vectors
from vestige_sql.reembed.pgcopy import staged_rows

BATCH = 128
INDEX = "idx_knowledge_nodes_embedding_hnsw"
BARE = "bare"


@dataclass(frozen=True)
class Rows:
    """A table and its rows: ids, texts that begin with the row's number, and both models' vectors."""

    table: str
    ids: list[uuid.UUID]
    texts: list[str]
    old: Vectors
    new: Vectors


@dataclass(frozen=True)
class Measured:
    seconds: float
    total: int  # bytes of table, TOAST and indexes
    heap: int  # bytes of table and TOAST
    wal: int  # bytes written to the log


Way = Callable[[str, Rows], float]  # takes a conninfo, returns seconds
Update = Callable[[psycopg.Connection, Rows, slice], None]


class Ready:
    """An embedder that has the vectors already and finds them by the number that a text begins with."""

    model_name = "ready"

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self.dimension = vectors.shape[1]

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, self.dimension, "1" * 64)

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        return self._vectors[[int(text.partition("\n")[0]) for text in texts]]


def make_rows(table: str, count: int, old: int, new: int) -> Rows:
    """Return ``count`` docstrings, repeated if there are fewer, with random unit vectors: always the same."""
    rng = np.random.default_rng(0)

    def vectors(dimension: int) -> Vectors:
        drawn = rng.standard_normal((count, dimension), dtype=np.float32)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        return drawn

    texts = [f"{n}\n{text.content}" for n, text in enumerate(islice(cycle(documents()), count))]
    ids = [uuid.UUID(bytes=rng.bytes(16), version=4) for _ in texts]
    return Rows(table, ids, texts, vectors(old), vectors(new))


def make_table(conninfo: str, rows: Rows) -> None:
    """Make and fill the table under an old model: Vestige's own, or one of an id, a text and a vector alone."""
    dimension = rows.old.shape[1]
    with psycopg.connect(conninfo, autocommit=True) as conn:
        migrate_up(conninfo, vestige=rows.table == VESTIGE.table)
        if rows.table != VESTIGE.table:
            conn.execute(f"CREATE TABLE {rows.table} (id uuid PRIMARY KEY, content text NOT NULL, embedding vector)")
        register_model(conninfo, ModelSignature("old", dimension, "0" * 64), target=Target(rows.table))
        conn.execute(f"CREATE INDEX {INDEX} ON {rows.table} USING hnsw (embedding vector_cosine_ops) WHERE false")
        register_vector(conn)
        with conn.cursor().copy(f"COPY {rows.table} (id, content, embedding) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["uuid", "text", "vector"])
            for row in zip(rows.ids, rows.texts, rows.old, strict=True):
                copy.write_row(row)
        conn.execute(f"VACUUM (ANALYZE) {rows.table}")


def reembed(way: str, conninfo: str, rows: Rows) -> float:
    """Run the package's own job, with a staging table and one transaction."""
    report = run_reembed(conninfo, Ready(rows.new), ReembedPlan(apply=way), target=Target(rows.table))
    assert report.rows_updated == len(rows.ids)
    return report.duration_secs


def update_in_place(update: Update, conninfo: str, rows: Rows) -> float:
    """Take the dimension off the column, UPDATE in batches that commit, and put the new dimension on."""
    start = time.perf_counter()
    with psycopg.connect(conninfo, autocommit=True) as conn:
        register_vector(conn)
        conn.execute(f"DROP INDEX {INDEX}")
        conn.execute(f"ALTER TABLE {rows.table} ALTER COLUMN embedding TYPE vector")
        for first in range(0, len(rows.ids), BATCH):
            update(conn, rows, slice(first, first + BATCH))
        conn.execute(f"ALTER TABLE {rows.table} ALTER COLUMN embedding TYPE vector({rows.new.shape[1]})")
    return time.perf_counter() - start


def unnest(conn: psycopg.Connection, rows: Rows, batch: slice) -> None:
    conn.execute(
        f"UPDATE {rows.table} AS old SET embedding = new.embedding"
        "  FROM unnest(%b::uuid[], %b::vector[]) AS new (id, embedding) WHERE old.id = new.id",
        [rows.ids[batch], list(rows.new[batch])],
    )


def executemany(conn: psycopg.Connection, rows: Rows, batch: slice) -> None:
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {rows.table} SET embedding = %b WHERE id = %b",
            list(zip(rows.new[batch], rows.ids[batch], strict=True)),
        )


def bare_copy(conninfo: str, rows: Rows) -> float:
    """Bring the vectors into a table without indexes, and no further."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(f"CREATE TABLE {BARE} (id uuid, content_hash bytea, embedding vector({rows.new.shape[1]}))")
        ids, hashes = [key.bytes for key in rows.ids], [bytes(32)] * len(rows.ids)
        start = time.perf_counter()
        with conn.cursor().copy(f"COPY {BARE} FROM STDIN (FORMAT binary)") as copy:
            for piece in staged_rows(ids, hashes, rows.new, "vector"):
                copy.write(piece)
        return time.perf_counter() - start


IN_PLACE: dict[str, Way] = {
    f"UPDATE .. FROM unnest of {BATCH}, binary": partial(update_in_place, unnest),
    f"executemany UPDATE of {BATCH}, binary, pipelined": partial(update_in_place, executemany),
}
COPY_ALONE = "binary COPY into a bare table, no more"
WAYS: dict[str, Way] = {
    **IN_PLACE,
    "staging COPY + widen": partial(reembed, "widen"),
    "staging COPY + swap": partial(reembed, "swap"),
    "staging COPY + rewrite": partial(reembed, "rewrite"),
    COPY_ALONE: bare_copy,
}


def measure(server: str, base: str, way: Way, rows: Rows) -> Measured:
    """Run ``way`` on a fresh copy of the database ``base``."""
    name = f"{base}_copy"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name}")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {base}")
        # Every way pays for full page images alike.
        admin.execute("CHECKPOINT")
        before = one(admin, "SELECT pg_current_wal_insert_lsn()")
        conninfo = make_conninfo(server, dbname=name)
        seconds = way(conninfo, rows)
        wal = one(admin, "SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", before)
        with psycopg.connect(conninfo) as conn:
            table = BARE if way is bare_copy else rows.table
            check(conn, table, rows)
            total = one(conn, "SELECT pg_total_relation_size(%s::regclass)", table)
            heap = one(conn, "SELECT pg_table_size(%s::regclass)", table)
        admin.execute(f"DROP DATABASE {name}")
    return Measured(seconds, total, heap, int(wal))


def take_turns(rows: Rows, ways: dict[str, Way], repeats: int) -> tuple[dict[str, list[Measured]], str]:
    """Run each way ``repeats`` times on one server, in turns. Return what was measured, and what the server is."""
    measured: dict[str, list[Measured]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        server = embedded.start(folder)
        try:
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute("CREATE DATABASE bench")
                # It would come and go between the ways.
                admin.execute("ALTER SYSTEM SET autovacuum = off")
                admin.execute("SELECT pg_reload_conf()")
                postgresql = one(admin, "SHOW server_version")
                pgvector = one(admin, "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
            make_table(make_conninfo(server, dbname="bench"), rows)
            for turn in range(repeats):
                for name, way in ways.items():
                    result = measure(server, "bench", way, rows)
                    measured[name].append(result)
                    print(f"{turn + 1}/{repeats} {name}: {result.seconds:.1f} s", file=sys.stderr)
        finally:
            embedded.stop(folder)
    return measured, f"PostgreSQL {postgresql}, pgvector {pgvector}"


def check(conn: psycopg.Connection, table: str, rows: Rows) -> None:
    """Make sure that the way did the work: the new typmod, and new vectors in the first and the last row."""
    typmod = one(
        conn,
        "SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'embedding'",
        table,
    )
    assert typmod == rows.new.shape[1]
    for row in (0, len(rows.ids) - 1):
        found = one(conn, f"SELECT embedding::real[] FROM {table} WHERE id = %s", rows.ids[row])
        np.testing.assert_array_equal(np.asarray(found, dtype=np.float32), rows.new[row])


def one(conn: psycopg.Connection, query: str, *parameters: object) -> Any:
    row = conn.execute(query, parameters or None).fetchone()
    assert row is not None
    return row[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--old", type=int, default=384, metavar="DIMENSION")
    parser.add_argument("--new", type=int, default=768, metavar="DIMENSION")
    parser.add_argument(
        "--bare", action="store_true", help="a table of id, content and embedding, without other indexes and triggers"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of each way; medians are shown")
    parser.add_argument("--only", default="", metavar="WORD", help="only the ways with this word in their name")
    arguments = parser.parse_args()
    ways = {name: way for name, way in WAYS.items() if arguments.only in name}

    rows = make_rows("documents" if arguments.bare else VESTIGE.table, arguments.rows, arguments.old, arguments.new)
    measured, server = take_turns(rows, ways, arguments.repeats)
    speeds = {name: arguments.rows / median(r.seconds for r in results) for name, results in measured.items()}
    references = {
        "of the best in place": max((speeds[name] for name in IN_PLACE if name in speeds), default=None),
        "of COPY alone": speeds.get(COPY_ALONE),
    }
    print(
        f"Table {rows.table}, {arguments.rows:,} rows, vector({arguments.old}) to vector({arguments.new}), "
        f"median of {arguments.repeats}. {server}, "
        f"psycopg {psycopg.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"autovacuum off, otherwise PostgreSQL's defaults.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
        f"| way | rows/s | in all runs | {' | '.join(references)} "
        "| table with indexes, MB | heap with TOAST, MB | WAL, MB |\n|---|---:|---:|---:|---:|---:|---:|---:|"
    )
    for name, results in measured.items():
        slowest, fastest = (arguments.rows / f(r.seconds for r in results) for f in (max, min))
        sizes = [median(getattr(result, field) for result in results) for field in ("total", "heap", "wal")]
        cells = [
            name,
            f"{speeds[name]:,.0f}",
            f"{slowest:,.0f} to {fastest:,.0f}",
            *(f"{speeds[name] / speed:.2f}" if speed else "" for speed in references.values()),
            *(f"{size / 1e6:,.0f}" for size in sizes),
        ]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
