"""Hold what `reembed --dry-run --calibrate` predicts against the run itself: seconds by phase, and disk at its peak.

Each way gets its own copy of one database. It is predicted, and then run, while the size of the server's data
directory without its WAL is looked at some times a second. The docstrings of the standard library are encoded by the
model, or by an embedder that has its vectors ready, so that the index is most of the time.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from apply import INDEX, Ready, Rows, make_rows, make_table, one
from demo import minilm
from psycopg.conninfo import make_conninfo

from vestige_sql import VESTIGE, Embedder, ReembedPlan, ReembedReport, Target, dry_run_reembed, run_reembed
from vestige_sql.database import embedded
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.report import Calibration

OLD_DIMENSION = 384
FREE_DIMENSION = 768

PHASES = {
    "encoding": ("encoding", "tokenizing"),
    "copying": ("copying", "reading"),
    "gate": ("gate",),
    "apply": ("apply",),
    "index": ("index",),
    "recall": ("other",),
}
"""The phases of the prediction, and those of the report that are in them."""


class Watch:
    """The most bytes in ``folder`` without WAL, from when it is made, beyond those that there were then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.before = self.most = self._size()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def peak(self) -> int:
        self._stop.set()
        self._thread.join()
        return self.most - self.before

    def _watch(self) -> None:
        while not self._stop.wait(0.1):  # a peak of a small table is over in less than 0.25 s
            self.most = max(self.most, self._size())

    def _size(self) -> int:
        size = 0
        for folder, below, names in os.walk(self._folder):
            below[:] = [name for name in below if name != "pg_wal"]
            for name in names:
                try:
                    size += (Path(folder) / name).stat().st_size
                except FileNotFoundError:
                    continue
        return size


@contextmanager
def copy_of(server: str, base: str) -> Iterator[str]:
    """A copy of the database ``base``, after a checkpoint."""
    name = f"{base}_copy"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name}")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {base}")
        admin.execute("CHECKPOINT")
        yield make_conninfo(server, dbname=name)
        admin.execute(f"DROP DATABASE {name}")


def predict_and_run(
    server: str, folder: Path, embedder: Embedder, plan: ReembedPlan, target: Target
) -> tuple[Calibration, ReembedReport, float, int]:
    """Return the prediction, the report, the seconds of the run and the bytes of its peak."""
    with copy_of(server, "bench") as conninfo:
        predicted = dry_run_reembed(conninfo, embedder, plan, target=target, calibrate=True).calibrated
        assert predicted is not None
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute("CHECKPOINT")
        watch = Watch(folder)
        started = time.monotonic()
        report = run_reembed(conninfo, embedder, plan, target=target)
        seconds = time.monotonic() - started
        return predicted, report, seconds, watch.peak()


def line(what: str, unit: str, predicted: float, actual: float) -> None:
    off = f"{predicted / actual - 1:+.0%}" if actual else ""
    print(f"| {what} | {predicted:,.1f} {unit} | {actual:,.1f} {unit} | {off} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="default: 3,000, and 50,000 with --free")
    parser.add_argument("--free", action="store_true", help="an embedder that costs nothing, of random vectors")
    parser.add_argument("--bare", action="store_true", help="a table of id, content and embedding alone")
    parser.add_argument("--ways", nargs="+", default=["rewrite", "swap"], help="ways of applying, and online")
    parser.add_argument("--model", help="a model's folder or name (default: all-MiniLM-L6-v2 from its wheel)")
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    count = arguments.rows or (50_000 if arguments.free else 3_000)
    rows: Rows = make_rows("documents" if arguments.bare else VESTIGE.table, count, OLD_DIMENSION, FREE_DIMENSION)
    target = Target(rows.table)

    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        server = embedded.start(folder)
        try:
            embedder: Embedder = Ready(rows.new)
            if not arguments.free:
                embedder = load_embedder(arguments.model or str(minilm.build(Path(folder) / "model")))
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute("CREATE DATABASE bench")
                # It would come and go between the ways.
                admin.execute("ALTER SYSTEM SET autovacuum = off")
                admin.execute("SELECT pg_reload_conf()")
                versions = [
                    one(admin, "SHOW server_version"),
                    one(admin, "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"),
                ]
            conninfo = make_conninfo(server, dbname="bench")
            make_table(conninfo, rows)
            with psycopg.connect(conninfo, autocommit=True) as conn:
                conn.execute(f"DROP INDEX {INDEX}")
                conn.execute("SET maintenance_work_mem = '1GB'")
                conn.execute(f"CREATE INDEX {INDEX} ON {rows.table} USING hnsw (embedding vector_cosine_ops)")
            print(
                f"Table {rows.table}, {count:,} rows, vector({OLD_DIMENSION}) to vector({embedder.dimension}), "
                f"{embedder.model_name}. PostgreSQL {versions[0]}, pgvector {versions[1]}, Python "
                f"{platform.python_version()}, {os.cpu_count()} cores, autovacuum off.\n\n"
                f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
                "| | predicted | actual | off by |\n|---|---:|---:|---:|"
            )
            for _ in range(arguments.repeats):
                for way in arguments.ways:
                    # Random vectors have no neighbours that an index could find.
                    plan = ReembedPlan(online=True, min_recall=0) if way == "online" else ReembedPlan(apply=way)
                    compare(way, *predict_and_run(server, Path(folder), embedder, plan, target))
        finally:
            embedded.stop(folder)


def compare(way: str, predicted: Calibration, report: ReembedReport, seconds: float, peak: int) -> None:
    line(f"**{way}: the whole run**", "s", predicted.walltime_secs, seconds)
    for phase, of_report in PHASES.items():
        spent = sum(report.spent[name] for name in of_report)
        line(f"{way}: {phase}", "s", getattr(predicted, f"{phase}_secs"), spent)
    line(f"**{way}: disk at its peak**", "MB", (predicted.disk_peak_bytes or 0) / 1e6, peak / 1e6)
    for note in predicted.notes:
        print(f"  note: {note}", file=sys.stderr)


if __name__ == "__main__":
    main()
