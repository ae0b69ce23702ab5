"""Time the HNSW build of small tables with parallel workers and without: from how many rows on do they pay?

``sql/index/create/10_set_build_limits.sql`` has its bound from here. Random vectors; the median of five builds each.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import statistics
import sys
import tempfile
import time

import psycopg

from vestige_sql.database import embedded

WORKERS = (4, 2, 0)


def build(conn: psycopg.Connection, workers: int) -> float:
    """Return the seconds of one build with up to ``workers``, which get the memory that the server asks for them."""
    conn.execute(f"SET max_parallel_maintenance_workers = {workers}")
    conn.execute(f"SET maintenance_work_mem = '{max(64, 32 * (workers + 1))}MB'")
    start = time.perf_counter()
    conn.execute("CREATE INDEX small ON documents USING hnsw (embedding vector_cosine_ops)")
    took = time.perf_counter() - start
    conn.execute("DROP INDEX small")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20, 200, 500, 1000, 2000, 4000])
    parser.add_argument("--dimension", type=int, default=384)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        try:
            with psycopg.connect(embedded.start(folder), autocommit=True) as conn:
                conn.execute("CREATE EXTENSION vector")
                # The notice of a build that gets fewer workers than it asked for says nothing here.
                conn.execute("SET client_min_messages = warning")
                conn.execute("SET min_parallel_table_scan_size = 0")
                print(
                    f"vector({arguments.dimension}), Python {platform.python_version()}, {os.cpu_count()} cores.\n\n"
                    f"    {shlex.join(['python', *sys.argv])}\n\n"
                    f"| rows | {' | '.join(f'{n} workers, ms' for n in WORKERS)} |\n|---:|{'---:|' * len(WORKERS)}"
                )
                for rows in arguments.rows:
                    conn.execute("DROP TABLE IF EXISTS documents")
                    conn.execute(
                        "CREATE TABLE documents AS SELECT"
                        f" (SELECT array_agg(random() + 0 * i * j) FROM generate_series(1, {arguments.dimension}) j)"
                        f"::vector({arguments.dimension}) AS embedding FROM generate_series(1, {rows}) i"
                    )
                    took = [statistics.median(build(conn, n) for _ in range(5)) * 1000 for n in WORKERS]
                    print(f"| {rows:,} | {' | '.join(f'{ms:.1f}' for ms in took)} |")
        finally:
            embedded.stop(folder)


if __name__ == "__main__":
    main()
