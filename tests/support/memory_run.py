"""A run that says how much memory it took, for a process of its own."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from support import FakeEmbedder
from vestige_sql import Target, run_reembed, stage_reembed
from vestige_sql.cluster.worker import Assignment, Carried, Worker, files_hash
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.errors import CheckFailed
from vestige_sql.reembed.stage import PAGE_ROWS
from vestige_sql.reembed.target import probe


def peak_mb() -> float:
    """The most memory that this process ever had resident, in MB.

    Not from getrusage(), whose ru_maxrss a process inherits from the one that started it (getrusage(2), execve(2)).
    """
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(peak) / 1024


class _Stopping:
    """An embedder that stops the run at its first text."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        raise CheckFailed("stopped")


def stage_by_a_worker(conninfo: str, embedder: Embedder, target: Target) -> int:
    """Open a run, and stage all of it as a worker of Ray does; return the number of rows."""
    with suppress(CheckFailed):
        stage_reembed(conninfo, _Stopping(embedder), target=target)  # type: ignore[arg-type]
    with connect(conninfo) as conn:
        probed = probe(conn, target)
    assert probed.open_run is not None
    signature = embedder.signature()
    values = probed.values | {
        "dimension": signature.dimension,
        "model_name": signature.name,
        "model_hash": signature.hash,
        "only_missing": False,
        "run_id": probed.open_run.id,
    }
    worker = Worker(
        Assignment(conninfo, values, signature, probed.name, 128, PAGE_ROWS, threads=1, copies=1, files=files_hash())
    )
    worker.ready(Carried(embedder))
    return worker.stage(None, None)[0]


if __name__ == "__main__":
    conninfo, table, model, *options = sys.argv[1:]
    embedder: Embedder
    if model.isdecimal():
        embedder = FakeEmbedder("new", int(model))
    else:
        from vestige_sql.encode.onnx import load_embedder

        in_bf16 = "bf16" in options
        embedder = load_embedder(model, precision="bf16" if in_bf16 else "fp32")
        embedder.embed_batch(["What ONNX Runtime allocates in its first call is no text's."])
    before = peak_mb()
    if "worker" in options:
        assert stage_by_a_worker(conninfo, embedder, Target(table)) > 0
    else:
        run_reembed(conninfo, embedder, target=Target(table))
    print(peak_mb() - before)
