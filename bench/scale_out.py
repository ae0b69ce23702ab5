"""Compare staging by one process with staging by Ray workers of one core each.

Rows a second are those while rows are encoded: starting Ray and loading the model come before. The last line says what
a range costs a worker besides encoding, taken with a model that costs nothing; `simulate_ranges.py` takes it as
`--overhead`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
import onnxruntime
import psycopg
import ray
from demo import minilm
from demo.corpus import documents

from vestige_sql import ModelSignature, ReembedReport, stage_reembed
from vestige_sql.cluster.engine import RayEngine
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.reembed import stage
from vestige_sql.reembed.verbs import abort_reembed


class Free:
    """A model that costs nothing: all texts have one vector."""

    model_name = "free"

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, self.dimension, "0" * 64)

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        return np.ones((len(texts), self.dimension), np.float32)


def staged(conninfo: str, model: Embedder, engine: RayEngine | None) -> tuple[float, ReembedReport]:
    """Stage every row anew; return rows a second while rows are encoded, and the report."""
    abort_reembed(conninfo)
    start = time.perf_counter()
    report = stage_reembed(conninfo, model, engine=engine)
    seconds = max((worker.busy_secs for worker in report.workers), default=time.perf_counter() - start)
    return report.rows_encoded / seconds, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=6_144, help="docstrings, drawn at random")
    parser.add_argument("--page-rows", type=int, default=256, help="rows of a page and of a range, that there be many")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each way; medians are shown")
    arguments = parser.parse_args()

    texts = [document.content for document in documents()]
    Random(0).shuffle(texts)
    ways = {"one process, one thread": None} | {
        f"Ray, {number} worker{'s' * (number > 1)} of one thread": RayEngine(
            workers=number, threads_per_worker=1, range_rows=arguments.page_rows
        )
        for number in (1, 2)
    }
    stage.PAGE_ROWS = arguments.page_rows
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        server = embedded.start(folder)
        try:
            migrate_up(server)
            with psycopg.connect(server, autocommit=True) as conn:
                conn.cursor().executemany(
                    "INSERT INTO knowledge_nodes (content) VALUES (%s)",
                    [(text,) for text in islice(cycle(texts), arguments.rows)],
                )
                conn.execute("VACUUM ANALYZE knowledge_nodes")
            built = minilm.build(Path(folder))
            model = load_embedder(str(built), threads=1)
            for engine in filter(None, ways.values()):
                engine.load = partial(_load, str(built))
            rates: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(arguments.repeats):
                for way, engine in ways.items():
                    rates[way].append(staged(server, model, engine)[0])
            stage.PAGE_ROWS = 2_048
            _, free = staged(
                server, Free(model.dimension), RayEngine(workers=1, threads_per_worker=1, range_rows=2_048)
            )
            abort_reembed(server)
        finally:
            embedded.stop(folder)

    print(
        f"{arguments.rows:,} docstrings, pages and ranges of {arguments.page_rows} rows, {arguments.repeats} runs of "
        f"each way in turns. {model.model_name}, onnxruntime {onnxruntime.__version__}, Ray {ray.__version__}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
        "| | rows/s | in all runs | ratio |\n|---|---:|---:|---:|"
    )
    first = median(rates["one process, one thread"])
    for way, found in rates.items():
        print(f"| {way} | {median(found):.1f} | {min(found):.1f} to {max(found):.1f} | {median(found) / first:.2f} |")
    one, two = (median(found) for way, found in rates.items() if way.startswith("Ray"))
    print(f"\nTwo workers encode {two / one:.2f} times the rows a second of one.")
    worker = free.workers[0]
    print(f"A range of 2,048 rows costs {worker.busy_secs / worker.ranges:.2f} s besides encoding.")


def _load(model: str, threads: int) -> Embedder:
    return load_embedder(model, threads=threads)


if __name__ == "__main__":
    main()
