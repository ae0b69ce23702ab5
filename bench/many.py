"""Compare one command on the tables of many tenants with a command for each table.

The tables are tiny, so that what is measured is the rest: starting Python, loading the model, connecting, and looking
at the table. All have the same rows, each in a schema of its own, on the same server and with the same model. The
commands take turns. ``--confirm`` has each wait five seconds before its first write, as it does without --no-confirm.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import onnxruntime
import psycopg
from demo import minilm
from psycopg import sql

from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up

ROWS = 20


def make_tables(conn: psycopg.Connection[tuple[object, ...]], prefix: str, count: int) -> list[str]:
    """Make a schema for each tenant, with a table of a few texts and an HNSW index; return the tables."""
    tables = [f"{prefix}_{number:03}.documents" for number in range(count)]
    for table in tables:
        schema = sql.Identifier(table.partition(".")[0])
        conn.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        conn.execute(
            sql.SQL("CREATE TABLE {}.documents (id int PRIMARY KEY, content text, embedding vector(8))").format(schema)
        )
        conn.execute(
            sql.SQL(
                "INSERT INTO {}.documents SELECT i, 'a note of tenant ' || i FROM generate_series(1, %s) AS i"
            ).format(schema),
            [ROWS],
        )
        conn.execute(sql.SQL("CREATE INDEX ON {}.documents USING hnsw (embedding vector_cosine_ops)").format(schema))
    return tables


def seconds(url: str, model: Path, tables: str, options: list[str]) -> float:
    """Run one command on ``tables`` and return its seconds."""
    command = [sys.executable, "-m", "vestige_sql", "migrate", "reembed", "--postgres-url", url, "--table", tables]
    command += ["--model", str(model), "--dimension", "384", "--quiet", *options]
    start = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=3600)
    return time.perf_counter() - start


def measure(count: int, turns: int, options: list[str]) -> tuple[list[float], list[float], str]:
    """Return the seconds of the commands for one table, and of those for ``count`` tables, and what the server is."""
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        model = minilm.build(Path(folder))
        url = embedded.start(Path(folder) / "server")
        try:
            migrate_up(url, vestige=False)
            single, whole = [], []
            with psycopg.connect(url, autocommit=True) as conn:
                row = conn.execute("SHOW server_version").fetchone()
                for turn in range(turns):
                    alone = make_tables(conn, f"single{turn}", count)
                    make_tables(conn, f"many{turn}", count)
                    half = len(alone) // 2
                    single += [seconds(url, model, table, options) for table in alone[:half]]
                    whole.append(seconds(url, model, f"many{turn}_*.documents", options))
                    single += [seconds(url, model, table, options) for table in alone[half:]]
        finally:
            embedded.stop(Path(folder) / "server")
    return single, whole, str(row[0] if row else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=60, help="%(default)s")
    parser.add_argument("--turns", type=int, default=1, help="%(default)s")
    parser.add_argument("--confirm", action="store_true", help="let every command wait five seconds, as it does")
    arguments = parser.parse_args()
    options = ["--recall-sample", "0", *([] if arguments.confirm else ["--no-confirm"])]
    single, whole, postgresql = measure(arguments.tables, arguments.turns, options)
    many, one = sum(single), sum(whole)
    print(
        f"{arguments.tables} tables of {ROWS} rows. PostgreSQL {postgresql}, onnxruntime {onnxruntime.__version__}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
        "| | seconds | a table | of the commands |\n|---|---:|---:|---:|\n"
        f"| {len(single)} commands | {many:.1f} | {many / len(single):.2f} | 1.00 |\n"
        f"| {len(whole)} for {arguments.tables} tables | {one:.1f} | {one / len(single):.2f} | {one / many:.3f} |"
    )


if __name__ == "__main__":
    main()
