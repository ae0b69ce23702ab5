"""Time the HNSW build, which is most of the time that a table is locked: as the server does it, and as the package.

Random vectors, which are the hardest to build a graph of.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
import time
from dataclasses import dataclass

import psycopg
from apply import INDEX, Ready, make_rows, make_table, one

from vestige_sql import Target, run_reembed
from vestige_sql.database import embedded


@dataclass(frozen=True)
class Built:
    """Seconds of a build by the server's settings and by the package's, and what was built where."""

    plain: float
    package: float
    size: int  # bytes
    memory: str
    server: str


def measure(count: int, dimension: int) -> Built:
    """Build the index of ``count`` random vectors both ways."""
    rows = make_rows("documents", count, dimension, dimension)
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        server = embedded.start(folder)
        try:
            make_table(server, rows)
            embedder = Ready(rows.new)
            target = Target(rows.table)
            run_reembed(server, embedder, target=target)
            with psycopg.connect(server, autocommit=True) as conn:
                # Vectors and registry are right now, so that nothing but the index is left to do.
                conn.execute(f"DROP INDEX {INDEX}")
                package = run_reembed(server, embedder, target=target).index_rebuild_secs
                index = one(
                    conn,
                    "SELECT indexrelid::regclass::text FROM pg_index"
                    " WHERE indrelid = %s::regclass AND NOT indisprimary",
                    rows.table,
                )
                definition = one(conn, "SELECT pg_get_indexdef(%s::regclass)", index)
                conn.execute(f"DROP INDEX {index}")
                start = time.perf_counter()
                conn.execute(definition)
                plain = time.perf_counter() - start
                size = one(conn, "SELECT pg_relation_size(%s::regclass)", index)
                postgresql = one(conn, "SHOW server_version")
                pgvector = one(conn, "SELECT extversion FROM pg_extension WHERE extname = 'vector'")
                memory = one(conn, "SHOW maintenance_work_mem")
        finally:
            embedded.stop(folder)
    return Built(plain, package, size, memory, f"PostgreSQL {postgresql}, pgvector {pgvector}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dimension", type=int, default=768)
    arguments = parser.parse_args()
    built = measure(arguments.rows, arguments.dimension)
    print(
        f"{arguments.rows:,} rows, vector({arguments.dimension}), an index of {built.size / 1e6:,.0f} MB. "
        f"{built.server}, Python {platform.python_version()}, {os.cpu_count()} cores.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
        "| HNSW, m = 16, ef_construction = 64 | seconds |\n|---|---:|\n"
        f"| CREATE INDEX with maintenance_work_mem = {built.memory}, the server's default | {built.plain:.1f} |\n"
        f"| `sql/index/create`, which sets memory and workers | {built.package:.1f} |\n\n"
        f"{built.plain / built.package:.2f} times as fast."
    )


if __name__ == "__main__":
    main()
