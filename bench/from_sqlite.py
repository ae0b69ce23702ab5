"""Copy a Vestige SQLite database into PostgreSQL, and compare with the INSERTs that people write instead.

Both begin with an empty schema without an HNSW index, take turns, and end with the same memories, vectors, schedules
and connections. The plain way reads the same file with sqlite3 and sends rows by executemany, 500 a transaction, which
psycopg pipelines; it checks nothing, and one bad row would stop it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psycopg
from demo.corpus import documents
from pgvector.psycopg import register_vector
from psycopg.conninfo import make_conninfo

from vestige_sql import ModelSignature, register_model
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.plan import CopyPlan
from vestige_sql.resources import resource_dir
from vestige_sql.vestige.copy import run_copy

BATCH = 500
MODEL = "bench"


def make_source(path: Path, count: int, dimension: int) -> None:
    """Make a database of version 15 with ``count`` docstrings as memories, random unit vectors and a chain of edges."""
    rng = np.random.default_rng(0)
    conn = sqlite3.connect(path)
    conn.executescript((resource_dir("migrations") / "sqlite" / "version_15.sql").read_text(encoding="utf-8"))
    conn.execute("INSERT INTO schema_version VALUES (15, '2025-01-01')")
    when = "2025-06-07T08:09:10.123456789+00:00"
    last = None
    for number, document in enumerate(islice(cycle(documents()), count)):
        key = str(uuid.UUID(bytes=rng.bytes(16), version=4))
        tags = json.dumps([f"tag{number % 97}", "bench"])
        conn.execute(
            "INSERT INTO knowledge_nodes (id, content, created_at, updated_at, last_accessed, next_review, tags)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, document.content, when, when, when, when, tags),
        )
        vector = rng.standard_normal(dimension, dtype=np.float32)
        vector /= np.linalg.norm(vector)
        conn.execute(
            "INSERT INTO node_embeddings (node_id, embedding, dimensions, model, created_at) VALUES (?, ?, ?, ?, ?)",
            (key, vector.astype("<f4").tobytes(), dimension, MODEL, when),
        )
        if last is not None:
            conn.execute(
                "INSERT INTO memory_connections VALUES (?, ?, 0.5, 'semantic', ?, ?, 0)", (last, key, when, when)
            )
        last = key
    conn.commit()
    conn.close()


def copy(conninfo: str, path: Path) -> float:
    """Run the package's own copy."""
    report = run_copy(conninfo, path, CopyPlan(batch_size=BATCH))
    assert not report.errors
    return report.duration_secs


def insert(conninfo: str, path: Path) -> float:
    """Read the tables with sqlite3 and send their rows by executemany."""
    start = time.perf_counter()
    source = sqlite3.connect(path)
    with psycopg.connect(conninfo, autocommit=True) as conn:
        register_vector(conn)
        rest = [row[1] for row in source.execute("PRAGMA table_info(knowledge_nodes)")]
        nodes = source.execute(
            "SELECT n.*, e.embedding FROM knowledge_nodes n JOIN node_embeddings e ON e.node_id = n.id"
        )
        while rows := nodes.fetchmany(BATCH):
            named = [dict(zip([*rest, "embedding"], row, strict=True)) for row in rows]
            for row in named:
                row["vector"] = np.frombuffer(row.pop("embedding"), "<f4")
                row["tags"] = json.loads(row["tags"])
                row["metadata"] = json.dumps({k: row[k] for k in rest[8:] if row[k] is not None})
            with conn.transaction(), conn.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO knowledge_nodes"
                    " (id, content, node_type, tags, metadata, embedding, created_at, updated_at)"
                    " VALUES (%(id)s, %(content)s, %(node_type)s, %(tags)s, %(metadata)s, %(vector)s, %(created_at)s,"
                    " %(updated_at)s) ON CONFLICT DO NOTHING",
                    named,
                )
                cursor.executemany(
                    "INSERT INTO scheduling VALUES (%(id)s, %(stability)s, %(difficulty)s, %(retrieval_strength)s,"
                    " %(last_accessed)s, %(next_review)s, %(reps)s, %(lapses)s) ON CONFLICT DO NOTHING",
                    named,
                )
        edges = source.execute("SELECT source_id, target_id, link_type, strength, created_at FROM memory_connections")
        while rows := edges.fetchmany(BATCH):
            with conn.transaction(), conn.cursor() as cursor:
                cursor.executemany("INSERT INTO edges VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING", rows)
    source.close()
    return time.perf_counter() - start


WAYS: dict[str, Callable[[str, Path], float]] = {
    f"executemany INSERT of {BATCH}, binary, pipelined": insert,
    f"migrate copy, --batch-size {BATCH}": copy,
}


def measure(server: str, way: Callable[[str, Path], float], path: Path, rows: int, dimension: int) -> float:
    """Run ``way`` into a fresh copy of the database ``bench`` and return its seconds."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS bench_copy")
        admin.execute("CREATE DATABASE bench_copy TEMPLATE bench")
        admin.execute("CHECKPOINT")
        conninfo = make_conninfo(server, dbname="bench_copy")
        seconds = way(conninfo, path)
        with psycopg.connect(conninfo) as conn:
            counted = conn.execute(
                "SELECT (SELECT count(embedding) FROM knowledge_nodes WHERE vector_dims(embedding) = %s),"
                " (SELECT count(*) FROM scheduling), (SELECT count(*) FROM edges)",
                (dimension,),
            ).fetchone()
        assert counted == (rows, rows, rows - 1), counted
        admin.execute("DROP DATABASE bench_copy")
    return seconds


def one(conn: psycopg.Connection, query: str) -> Any:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=1, help="runs of each way; medians are shown")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        path = Path(folder) / "source.db"
        make_source(path, arguments.rows, arguments.dimension)
        size = path.stat().st_size
        server = embedded.start(Path(folder) / "postgres")
        try:
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute("CREATE DATABASE bench")
                admin.execute("ALTER SYSTEM SET autovacuum = off")
                admin.execute("SELECT pg_reload_conf()")
                postgresql = one(admin, "SHOW server_version")
                pgvector = one(admin, "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
            bench = make_conninfo(server, dbname="bench")
            migrate_up(bench)
            register_model(bench, ModelSignature(MODEL, arguments.dimension, "0" * 64))
            measured: dict[str, list[float]] = {name: [] for name in WAYS}
            for turn in range(arguments.repeats):
                for name, way in WAYS.items():
                    seconds = measure(server, way, path, arguments.rows, arguments.dimension)
                    measured[name].append(seconds)
                    print(f"{turn + 1}/{arguments.repeats} {name}: {seconds:.1f} s", file=sys.stderr)
        finally:
            embedded.stop(Path(folder) / "postgres")
    print(
        f"{arguments.rows:,} memories with vector({arguments.dimension}), schedules and connections, a file of "
        f"{size / 1e6:,.0f} MB, median of {arguments.repeats}. PostgreSQL {postgresql}, pgvector {pgvector}, "
        f"psycopg {psycopg.__version__}, SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, autovacuum off, otherwise PostgreSQL's defaults.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
        "| way | memories/s | in all runs | ratio |\n|---|---:|---:|---:|"
    )
    plain = median(next(iter(measured.values())))
    for name, results in measured.items():
        slowest, middle, fastest = (arguments.rows / f(results) for f in (max, median, min))
        ratio = plain / median(results)
        print(f"| {name} | {middle:,.0f} | {slowest:,.0f} to {fastest:,.0f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
