"""How long a run will take, and the disk that it will need: some texts are encoded, and the run is tried on a copy.

The copy is a small table like the target, with some of its rows. The steps of the run are tried on it in a transaction
that is never committed, at two or three sizes; what they take is then as much larger as the target is. So every way of
putting vectors in place is measured by its own steps, with the table's own rows and indexes, on the server at hand.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import psycopg

from . import steps
from .apply import phases
from .embedder import Embedder, ModelSignature, Vectors
from .encoder import encode_window, first_bad_row
from .errors import BadEmbedding
from .online import measure_recall
from .report import Calibration, ReembedPlan, fixed_estimate
from .stage import PAGE_ROWS, Stager
from .steps import StepRun, Value
from .target import Probed, connect
from .work import Work

# Enough pages for lengths that change along the key, and a text for each row of the largest copy, from a quick model.
_PAGES = 32
_SAMPLE_TEXTS = 32_768
_SAMPLE_BYTES = 32 << 20
_SAMPLE_SECS = 20.0
_FIRST_TEXTS = 16

# Rows of the first copy, and how many times as many the next one has, as long as it takes no more than so many seconds,
# or that share of the run, and matters. An index takes the longer a row the larger it is, most of all as it outgrows
# the processor's cache: a copy that lies in it says too little.
_COPY_ROWS = 2_048
_LARGER = 4
_MOST_COPY_ROWS = 32_768
_COPY_BYTES = 256 << 20
_COPY_SECS = 20.0
_COPY_SHARE = 0.1
_MATTERS = 0.1

# Seconds of a copy grow as this power of its rows: measured, of an index around the size of the cache.
_GROWTH = 1.3

# Where the copy has more rows than texts were sampled, vectors are moved by this share of their length: near enough to
# be of the same model, and no duplicates.
_NOISE = 0.3

# Left out on the copy: locks that nobody else wants, the registry, and the audit.
_NOT_TRIED = ("lock/exclusive", "lock/writers", "registry", "finish")

# From docs/benchmarks.md: staging, gate and apply of a table with ten indexes, for want of a measurement.
_ROWS_PER_SEC = {"rewrite": 14_000, "swap": 8_500, "widen": 6_300, "fill": 6_300, "online": 2_300}


@dataclass(frozen=True)
class Job:
    """What is to be predicted: ``rows_pending`` are to be encoded, ``way`` puts them in place.

    ``values`` are the run's step variables.
    """

    conninfo: str
    probed: Probed
    plan: ReembedPlan
    work: Work
    way: str
    values: dict[str, Value]
    rows_pending: int
    builds_index: bool


def predict(conn: psycopg.Connection[Any], embedder: Embedder, job: Job) -> Calibration:
    """Predict ``job`` from a sample that ``conn`` reads and ``embedder`` encodes, and from a try on a copy.

    Writes nothing that stays. Raises :class:`BadEmbedding` where the model gives a vector that cannot be searched.
    """
    sample = _sample(conn, job)
    encoded = _encode(embedder, [row["content"] for row in sample], job.plan.batch_size)
    share = sample[0]["texts_read"] / sample[0]["rows_read"] if sample else 0.0
    found = Calibration(
        rows_sampled=len(sample),
        sample_secs=encoded.seconds,
        encoding_secs=job.rows_pending * share * encoded.secs_per_text,
    )
    if (why := _cannot_try(job)) is None:
        try:
            return _try(found, job, encoded.vectors)
        except psycopg.errors.OperationalError:
            raise
        except psycopg.Error as error:
            why = f"the run could not be tried on a copy: {error.diag.message_primary or error}"
    total = job.work.rows_total
    index = fixed_estimate(total, builds_index=job.builds_index) - fixed_estimate(total, builds_index=False)
    return replace(
        found,
        apply_secs=_rows_copied(job) / _ROWS_PER_SEC[job.way] if job.way in _ROWS_PER_SEC else 0.0,
        index_secs=index,
        notes=[f"{why}; so all but the encoding is a rough guess, and disk is not predicted"],
    )


# --- Encoding ---


@dataclass
class _Encoded:
    vectors: Vectors
    secs_per_text: float = 0.0
    seconds: float = 0.0


def _sample(conn: psycopg.Connection[Any], job: Job) -> list[dict[str, Any]]:
    if not job.rows_pending:
        return []
    run = job.probed.open_run
    resumes = run is not None and run["staging_exists"]
    staged = ("vestige_sql", job.values["staging_table"], "id") if resumes else (
        job.values["schema"], job.values["table"], job.values["id_column"])  # fmt: skip
    values = job.values | {
        "resumes": resumes,
        "staged_schema": staged[0],
        "staged_table": staged[1],
        "staged_id": staged[2],
        "page_rows": PAGE_ROWS,
        "distance": max(PAGE_ROWS, -(-(job.rows_pending + job.work.rows_blank) // _PAGES)),
        "sample_texts": _SAMPLE_TEXTS,
        "page_bytes": _SAMPLE_BYTES,
    }
    return steps.query(conn, "calibrate/sample.sql", values)


def _encode(embedder: Embedder, texts: Sequence[str], batch_size: int) -> _Encoded:
    """Encode texts until they or the time are used up. The first few are to warm up, if more come after them."""
    parts: list[Vectors] = [np.empty((0, embedder.dimension), np.float32)]
    rounds: list[tuple[int, float]] = []
    at, size, spent = 0, _FIRST_TEXTS, 0.0
    while at < len(texts) and spent < _SAMPLE_SECS:
        chunk = texts[at : at + size]
        started = time.monotonic()
        parts.append(encode_window(embedder, chunk, batch_size))
        seconds = time.monotonic() - started
        if (bad := first_bad_row(parts[-1])) is not None:
            raise BadEmbedding(
                f"the model {embedder.model_name} gave NaN, infinity or a zero vector for {chunk[bad][:80]!r}",
                "nothing was written; look at that text and at the model",
                row=at + bad,
            )
        rounds.append((len(set(chunk)), seconds))
        at += len(chunk)
        spent += seconds
        # As wide a window as the run's, as far as the time goes: it is padded less than a small one.
        size = min(PAGE_ROWS, max(size, int(len(chunk) / max(seconds, 1e-6) * (_SAMPLE_SECS - spent))))
    counted = rounds[1:] or rounds
    count = sum(count for count, _ in counted)
    if not texts:
        # All is staged, or nothing has text: vectors of no model, whose graph is the hardest to build.
        parts.append(np.random.default_rng(0).standard_normal((1_024, embedder.dimension), np.float32))
    return _Encoded(np.concatenate(parts), sum(s for _, s in counted) / count if count else 0.0, spent)


# --- The copy ---


_PHASES = ("copying", "gate", "apply", "index", "recall")


@dataclass
class _Tried:
    """What a try took: seconds by phase, and bytes."""

    rows: int
    rows_staged: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_PHASES, 0.0))
    staging_bytes: int = 0
    kept_bytes: int = 0
    written_bytes: int = 0
    index_bytes: int = 0
    final_bytes: int = 0
    needed_kb: int = 0
    most_kb: int = 0


class _Drawn:
    """An embedder that takes no time: sampled vectors, each moved a little."""

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
        """Count the rows, and say nothing."""
        self.rows += rows


def _cannot_try(job: Job) -> str | None:
    server = job.probed.server
    if not (server["package_schema_exists"] and server["package_functions_exist"]):
        return "the schema vestige_sql is not there yet (vestige-sql migrate up)"
    if server["in_recovery"]:
        return "this server is a standby"
    if server["read_only"]:
        return "transactions of this role are read-only"
    return None


def _try(found: Calibration, job: Job, vectors: Vectors) -> Calibration:
    """Try the run on copies, each larger than the one before as long as that is worth its time; scale up the last."""
    table, rows = job.probed.table, _rows_copied(job)
    row_bytes = (table["table_bytes"] + table["index_bytes"]) / max(1, job.work.rows_total)
    most = min(rows, _MOST_COPY_ROWS, max(1, int(_COPY_BYTES / max(1.0, row_bytes))))
    size = min(_COPY_ROWS, most)
    with connect(job.conninfo) as conn:
        while True:
            started = time.monotonic()
            scaled = _scaled(found, job, _try_once(conn, job, vectors, size / max(1, rows)))
            larger = min(most, _next_size(size, time.monotonic() - started, scaled))
            if larger <= 1.5 * size:
                return scaled
            size = larger


def _next_size(size: int, seconds: float, found: Calibration) -> int:
    """Return the rows of the copy after one of ``size`` rows, which took so many seconds and predicts ``found``."""
    if found.walltime_secs - found.encoding_secs < _MATTERS * found.encoding_secs:
        return 0
    allowed = max(_COPY_SECS, _COPY_SHARE * found.walltime_secs)
    return int(size * min(_LARGER, (allowed / seconds) ** (1 / _GROWTH)))


def _try_once(conn: psycopg.Connection[Any], job: Job, vectors: Vectors, share: float) -> _Tried:
    try:
        return _try_with(conn, job, _Drawn(vectors), share)
    except psycopg.errors.DiskFull as error:
        # As in a run: parallel workers share memory through /dev/shm, which containers keep small.
        if "shared memory" not in str(error) or job.values["index_workers"] == 0:
            raise
        job.values["index_workers"] = 0
        return _try_with(conn, job, _Drawn(vectors), share)


def _rows_copied(job: Job) -> int:
    return job.work.rows + job.work.rows_blank if job.work.scope == "missing" else job.work.rows_total


def _try_with(conn: psycopg.Connection[Any], job: Job, drawn: _Drawn, share: float) -> _Tried:
    suffix = str(job.values["staging_table"]).removeprefix("stage_")
    values = job.values | {
        "copy_table": f"try_{suffix}",
        "percent": 100 * share,
        "staging_table": f"try_stage_{suffix}",
        "lookup_function": f"try_lookup_{suffix}",
        "kept_table": f"try_kept_{suffix}",
    }
    with conn.transaction(force_rollback=True):
        _run(conn, "calibrate/create", values)
        size = steps.query(conn, "calibrate/size.sql", values)[0]
        of_copy = values | {"schema": "vestige_sql", "table": values["copy_table"], "oid": size["oid"]}
        of_copy["name"] = f"vestige_sql.{values['copy_table']}"
        if job.way != "fill":
            # While they are empty; the steps of the run make them anew.
            _run(conn, "index/save", of_copy)
            _run(conn, "index/drop", of_copy)
        tried = _Tried(rows=_run(conn, "calibrate/fill", values)[-1].rows or 0)
        if job.way != "index":
            _run(conn, "stage/create", of_copy)
            _run(conn, "calibrate/unlogged", of_copy)
            stager = _Stager(drawn, of_copy, job.plan.batch_size, job.probed.name)
            started = time.monotonic()
            stager.stage_inside(conn, tried.rows, stager.in_place(conn))
            tried.seconds["copying"] = time.monotonic() - started
            tried.rows_staged = stager.rows
            steps.run(conn, steps.load("stage/analyze.sql"), of_copy)
        for folder in _folders(job):
            _try_folder(conn, folder, of_copy, tried)
        if job.way != "fill":
            started = time.monotonic()
            measure_recall(conn, of_copy, job.plan.recall_sample)
            tried.seconds["recall"] = time.monotonic() - started
        size = steps.query(conn, "calibrate/size.sql", of_copy)[0]
        tried.staging_bytes, tried.kept_bytes = size["staging_bytes"], size["kept_bytes"]
        tried.final_bytes = size["copy_bytes"] - tried.index_bytes
    return tried


def _folders(job: Job) -> list[str]:
    if job.way == "index":
        return ["index/save", "index/create"]
    plan = replace(job.plan, concurrent_index=False)
    # A second column is filled online as swap fills it, in smaller batches.
    found = phases("swap" if job.way == "online" else job.way, plan)
    if job.way == "fill" and job.builds_index:
        found += ["index/save", "index/create"]
    return [folder for folder in found if folder not in _NOT_TRIED]


def _run(conn: psycopg.Connection[Any], folder: str, values: dict[str, Value]) -> list[StepRun]:
    return [steps.run(conn, step, values) for step in steps.folder(folder)]


def _try_folder(conn: psycopg.Connection[Any], folder: str, values: dict[str, Value], tried: _Tried) -> None:
    """Run a folder on the copy, and count its seconds and the bytes that it writes to new files or to larger ones."""
    phase = {"gate": "gate", "index/create": "index"}.get(folder, "apply")
    for step in steps.folder(folder):
        if folder == "gate" and "staging_table" not in step.variables:
            continue  # about the run, and there is none
        before = steps.query(conn, "calibrate/size.sql", values)[0]
        done = steps.run(conn, step, values)
        after = steps.query(conn, "calibrate/size.sql", values)[0]
        tried.seconds[phase] += done.seconds
        # Former files stay until the transaction ends.
        rewritten = before["file"] != after["file"]
        written = after["copy_bytes"] - (0 if rewritten else before["copy_bytes"])
        if phase == "index":
            tried.index_bytes += max(0, written)
            if done.result and "needed_kb" in done.result[0]:
                tried.needed_kb, tried.most_kb = done.result[0]["needed_kb"], done.result[0]["most_kb"]
        else:
            tried.written_bytes += max(0, written)


# --- The prediction ---


def _scaled(found: Calibration, job: Job, tried: _Tried) -> Calibration:
    """Scale what was tried to the target's rows."""
    staged = job.rows_pending / max(1, tried.rows_staged)
    rows = _rows_copied(job) / max(1, tried.rows)
    indexed = job.work.rows_total / max(1, tried.rows) if job.builds_index else 0.0
    staging = round(tried.staging_bytes * staged)
    kept, index = round(tried.kept_bytes * rows), round(tried.index_bytes * indexed)
    written = round(tried.written_bytes * rows)
    peak = staging + kept + written + index
    memory = round(tried.needed_kb * indexed) << 10 if job.builds_index else None
    if job.plan.concurrent_index and job.way in ("rewrite", "swap", "widen"):
        # Files that are not needed any more go when the vectors are in place, before the index is built.
        table = job.probed.table
        left = round(tried.final_bytes * rows) - table["table_bytes"] - table["index_bytes"]
        peak = max(staging + kept + written, kept + left + index)
    return replace(
        found,
        copying_secs=tried.seconds["copying"] * staged,
        gate_secs=tried.seconds["gate"] * rows,
        apply_secs=tried.seconds["apply"] * rows,
        index_secs=_index_secs(tried, job.work.rows_total) if job.builds_index else 0.0,
        recall_secs=tried.seconds["recall"] * indexed,
        disk_peak_bytes=max(0, peak),
        staging_bytes=staging,
        index_bytes=index,
        wal_bytes=staging + kept + written + index,
        index_memory_bytes=memory,
        index_memory_allowed_bytes=tried.most_kb << 10 if job.builds_index else None,
        notes=_notes(job, memory or 0, tried.most_kb << 10),
    )


def _index_secs(tried: _Tried, rows: int) -> float:
    """Scale as n log n: an HNSW graph is searched for each row that comes into it (Malkov and Yashunin 2016, 4.2.2).

    The steeper power that the last two copies show is that of a graph that outgrows the cache; beyond it, it predicts
    too much (docs/benchmarks.md).
    """
    if tried.rows == 0:
        return 0.0
    return tried.seconds["index"] * rows / tried.rows * math.log(max(2, rows)) / math.log(max(2, tried.rows))


def _notes(job: Job, needed: int, allowed: int) -> list[str]:
    notes = []
    if needed > allowed:
        notes.append(
            f"the graph of the index takes about {-(-needed >> 20):,} MB of memory while it is built, and may take "
            f"{allowed >> 20:,} MB: what does not fit is built several times slower than predicted here; "
            f"--index-memory {-(-needed >> 20)} gives it enough, if the server has as much"
        )
    if job.way == "online":
        notes.append(
            "the second column is predicted as swap fills one; online it is filled in batches, beside others' work"
        )
    return notes
