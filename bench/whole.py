"""Compare a whole run with the encoder alone: rows a second from the first read to the commit, the index aside.

The same docstrings with the same model, in the same windows; the two take turns. Each run has a copy of one database,
on the embedded server with its defaults.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import onnxruntime
import psycopg
from apply import make_rows, make_table, one
from demo import minilm
from psycopg.conninfo import make_conninfo

from vestige_sql import ReembedReport, Target, run_reembed
from vestige_sql.database import embedded
from vestige_sql.encode.onnx import OnnxEmbedder, load_embedder
from vestige_sql.encode.window import encode_window
from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.stage import PAGE_ROWS


def alone(embedder: OnnxEmbedder, texts: list[str]) -> float:
    """Encode ``texts`` a window at a time and return the seconds."""
    start = time.perf_counter()
    for at in range(0, len(texts), PAGE_ROWS):
        encode_window(embedder, texts[at : at + PAGE_ROWS], ReembedPlan.batch_size)
    return time.perf_counter() - start


def whole(server: str, embedder: OnnxEmbedder, table: str) -> ReembedReport:
    """Re-embed a copy of the table."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS copy")
        admin.execute("CREATE DATABASE copy TEMPLATE bench")
        admin.execute("CHECKPOINT")
    return run_reembed(make_conninfo(server, dbname="copy"), embedder, target=Target(table))


def measure(count: int, turns: int) -> tuple[list[float], list[ReembedReport], str]:
    """Return the seconds of the encoder alone, before and after each run, the reports, and what the server is."""
    rows = make_rows("documents", count, 384, 384)
    texts = [text for _, text in sorted(zip(rows.ids, rows.texts, strict=True))]
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        embedder = load_embedder(str(minilm.build(Path(folder))), device="cpu")
        server = embedded.start(Path(folder) / "server")
        try:
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute("CREATE DATABASE bench")
                postgresql = str(one(admin, "SHOW server_version"))
            make_table(make_conninfo(server, dbname="bench"), rows)
            embedder.embed_batch(texts[:64])
            seconds, reports = [alone(embedder, texts)], []
            for _ in range(turns):
                reports.append(whole(server, embedder, rows.table))
                seconds.append(alone(embedder, texts))
        finally:
            embedded.stop(Path(folder) / "server")
    return seconds, reports, postgresql


def share(seconds: list[float], reports: list[ReembedReport]) -> float:
    """The speed of a run over that of the encoder alone, which is the mean of before and after it; the median."""
    around = zip(seconds, seconds[1:], reports, strict=False)
    return median((before + after) / 2 / report.duration_secs for before, after, report in around)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000, help="%(default)s")
    parser.add_argument("--turns", type=int, default=3, help="%(default)s")
    arguments = parser.parse_args()
    seconds, reports, postgresql = measure(arguments.rows, arguments.turns)
    run = median(report.duration_secs for report in reports)
    print(
        f"{arguments.rows:,} docstrings. PostgreSQL {postgresql}, onnxruntime {onnxruntime.__version__}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
        "| | seconds | rows/s |\n|---|---:|---:|\n"
        f"| the encoder alone | {median(seconds):.1f} | {arguments.rows / median(seconds):.1f} |\n"
        f"| a whole run, the index aside | {run:.1f} | {arguments.rows / run:.1f} |\n\n"
        f"A run has {share(seconds, reports):.2f} of the encoder's speed. Its seconds: "
        + ", ".join(f"{name} {median(r.spent[name] for r in reports):.2f}" for name in reports[0].spent)
        + "."
    )


if __name__ == "__main__":
    main()
