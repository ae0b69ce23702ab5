"""Try a run on a small copy of the target, in a transaction that is rolled back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import ModelSignature, Vectors
from vestige_sql.predict.job import Job
from vestige_sql.reembed.apply import conditions
from vestige_sql.reembed.recall import measure_recall
from vestige_sql.reembed.stage import Stager
from vestige_sql.steps import plans
from vestige_sql.steps.files import Value
from vestige_sql.steps.running import StepRun

# Rows of the first copy, how many times as many the next one has, and the most rows and bytes of a copy. An index takes
# more time per row the larger it is, and most of all once it outgrows the CPU's cache. A copy whose index fits in the
# cache predicts too little.
COPY_ROWS = 2_048
LARGER = 4
MOST_COPY_ROWS = 32_768
COPY_BYTES = 256 << 20

# If the copy has more rows than sampled texts, vectors are used again, moved by this share of their length. That keeps
# them like vectors of the same model, and avoids duplicates.
_NOISE = 0.3

# Left out on the copy: locks that nobody else wants, the registry, the audit, and the end of what is staged.
_NOT_TRIED = frozenset({"lock", "ask", "registry", "report", "drop"})

# --- The copy ---


_ACTIVITIES = ("copying", "gate", "apply", "index", "recall")


@dataclass
class Tried:
    """What a trial took: seconds by activity, bytes, and kB of memory for the index."""

    rows: int
    rows_staged: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_ACTIVITIES, 0.0))
    staging_bytes: int = 0
    kept_bytes: int = 0
    written_bytes: int = 0
    index_bytes: int = 0
    final_bytes: int = 0
    needed_kb: int = 0
    most_kb: int = 0


class _Drawn:
    """An embedder that takes no time: it returns sampled vectors, and moves them a little when it uses them again."""

    model_name = "drawn"

    def __init__(self, vectors: Vectors) -> None:
        self._random = np.random.default_rng(0)
        self._vectors = vectors
        self.dimension = vectors.shape[1]
        self._at = 0

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, self.dimension, "0" * 64)

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        places = np.arange(self._at, self._at + len(texts))
        self._at += len(texts)
        vectors = self._vectors[places % len(self._vectors)]
        again = places >= len(self._vectors)
        noise = self._random.standard_normal((int(again.sum()), self.dimension), np.float32)
        lengths = _NOISE * np.linalg.norm(vectors[again], axis=1, keepdims=True)
        vectors[again] += noise * (lengths / np.linalg.norm(noise, axis=1, keepdims=True))
        return vectors


class _Stager(Stager):
    def wrote(self, rows: int) -> None:
        """Count the rows without logging."""
        self.rows += rows


def cannot_try(job: Job) -> str | None:
    server = job.run.probed.server
    if not (server["package_schema_exists"] and server["package_functions_exist"]):
        return "the schema vestige_sql is not there yet (vestige-sql migrate up)"
    if server["in_recovery"]:
        return "this server is a standby"
    if server["read_only"]:
        return "transactions of this role are read-only"
    return None


def try_once(conn: psycopg.Connection[Any], job: Job, vectors: Vectors, share: float) -> Tried:
    try:
        return _try_with(conn, job, _Drawn(vectors), share)
    except psycopg.errors.DiskFull as error:
        # As in a run: parallel workers share memory through /dev/shm, which is small in containers.
        if "shared memory" not in str(error) or job.run.values["index_workers"] == 0:
            raise
        job.run.values["index_workers"] = 0
        return _try_with(conn, job, _Drawn(vectors), share)


def rows_copied(job: Job) -> int:
    return job.run.work.rows + job.run.work.rows_blank if job.run.work.scope == "missing" else job.run.work.rows_total


def _try_with(conn: psycopg.Connection[Any], job: Job, drawn: _Drawn, share: float) -> Tried:
    suffix = str(job.run.values["staging_table"]).removeprefix("stage_")
    values = job.run.values | {
        "copy_table": f"try_{suffix}",
        "percent": 100 * share,
        "staging_table": f"try_stage_{suffix}",
        "lookup_function": f"try_lookup_{suffix}",
        "kept_table": f"try_kept_{suffix}",
    }
    with conn.transaction(force_rollback=True):
        ways = {"index": {"only_index"}, "fill": {"only_missing"}}
        create, *prepare = plans.load("trial").folders(when=ways.get(job.run.way, ()))
        _run(conn, create, values)
        size = steps.query(conn, "calibrate/size.sql", values)[0]
        of_copy = values | {"schema": "vestige_sql", "table": values["copy_table"], "oid": size["oid"]}
        of_copy["name"] = f"vestige_sql.{values['copy_table']}"
        # Vestige's table gets its index by its name, which the copy has not.
        of_copy["create_index"] = job.builds_index
        tried = Tried(rows=0)
        for folder in prepare:
            # Those of calibrate/ know the copy by a name of its own.
            done = _run(conn, folder, values if folder.startswith("calibrate/") else of_copy)
            if folder == "calibrate/fill":
                tried.rows = done[-1].rows or 0
        if job.run.way != "index":
            stager = _Stager(drawn, of_copy, job.run.plan.batch_size, job.run.probed.name)
            started = time.monotonic()
            stager.stage_inside(conn, tried.rows, stager.in_place(conn))
            tried.seconds["copying"] = time.monotonic() - started
            tried.rows_staged = stager.rows
            steps.run(conn, steps.load("stage/analyze.sql"), of_copy)
        for folder in _folders(job):
            _try_folder(conn, folder, of_copy, tried)
        if job.run.way != "fill":
            started = time.monotonic()
            measure_recall(conn, of_copy, job.run.plan.recall_sample)
            tried.seconds["recall"] = time.monotonic() - started
        size = steps.query(conn, "calibrate/size.sql", of_copy)[0]
        tried.staging_bytes, tried.kept_bytes = size["staging_bytes"], size["kept_bytes"]
        tried.final_bytes = size["copy_bytes"] - tried.index_bytes
    return tried


def _folders(job: Job) -> list[str]:
    when = conditions(replace(job.run.plan, concurrent_index=False, recreate_views=False))
    # An online run fills its second column like swap, but in smaller batches.
    order = ["swap" if job.run.way == "online" else job.run.way]
    if job.run.way == "fill" and job.builds_index:
        order.append("index")
    found = [folder for name in order for folder in plans.load(name).folders(when=when)]
    return [folder for folder in found if plans.role(folder) not in _NOT_TRIED]


def _run(conn: psycopg.Connection[Any], folder: str, values: dict[str, Value]) -> list[StepRun]:
    return [steps.run(conn, step, values) for step in steps.folder(folder)]


def _try_folder(conn: psycopg.Connection[Any], folder: str, values: dict[str, Value], tried: Tried) -> None:
    """Run a folder on the copy, and count its seconds and the bytes that it adds in new files or in larger ones."""
    role = plans.role(folder)
    activity = {"gate": "gate", "build": "index"}.get(role or "", "apply")
    for step in steps.folder(folder):
        if role == "gate" and "staging_table" not in step.variables:
            continue  # this check is about the run, and there is none
        if step.name.endswith("/03_gated.sql"):
            continue  # the copy has no gate
        before = steps.query(conn, "calibrate/size.sql", values)[0]
        done = steps.run(conn, step, values)
        after = steps.query(conn, "calibrate/size.sql", values)[0]
        tried.seconds[activity] += done.seconds
        # Old files stay until the transaction ends.
        rewritten = before["file"] != after["file"]
        written = after["copy_bytes"] - (0 if rewritten else before["copy_bytes"])
        if activity == "index":
            tried.index_bytes += max(0, written)
            if done.result and "needed_kb" in done.result[0]:
                tried.needed_kb, tried.most_kb = done.result[0]["needed_kb"], done.result[0]["most_kb"]
        else:
            tried.written_bytes += max(0, written)
