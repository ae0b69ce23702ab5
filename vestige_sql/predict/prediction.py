"""Predict how long a run will take and how much disk it will need: encode some texts, and try the run on a copy.

The copy is a small table like the target, with some of its rows. The steps of the run are tried on it in a transaction
that is never committed, at two or three sizes. What they take is then scaled up to the size of the target. This
measures every way of putting vectors in place by its own steps, with the table's own rows and indexes, on this server.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import psycopg

from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.predict.job import Job
from vestige_sql.predict.precisions import compare_precisions
from vestige_sql.predict.sample import draw_sample, encode_sample
from vestige_sql.predict.trial import (
    COPY_BYTES,
    COPY_ROWS,
    LARGER,
    MOST_COPY_ROWS,
    Tried,
    cannot_try,
    rows_copied,
    try_once,
)
from vestige_sql.report import Calibration, fixed_estimate

# A larger copy may take so many seconds, or this share of the run. It is tried only if everything except the encoding
# takes at least _MATTERS of the time of the encoding.
_COPY_SECS = 20.0
_COPY_SHARE = 0.1
_MATTERS = 0.1

# The seconds of a copy grow as this power of its rows. Measured for an index of about the size of the cache.
_GROWTH = 1.3

# Used if nothing can be measured. From docs/benchmarks.md: staging, gate and apply of a table with ten indexes.
_ROWS_PER_SEC = {"rewrite": 14_000, "swap": 8_500, "widen": 6_300, "fill": 6_300, "online": 2_300}


def predict(conn: psycopg.Connection[Any], embedder: Embedder, job: Job) -> Calibration:
    """Predict ``job`` from a sample that ``conn`` reads and ``embedder`` encodes, and from a trial on a copy.

    Everything that it writes is rolled back. Raises :class:`BadEmbedding` if the model returns a vector that cannot be
    searched.
    """
    sample = draw_sample(conn, job)
    texts, batch_size = [row["content"] for row in sample], job.run.plan.batch_size
    encoded = encode_sample(embedder, texts, batch_size)
    share = sample[0]["texts_read"] / sample[0]["rows_read"] if sample else 0.0
    found = Calibration(
        rows_sampled=len(sample),
        sample_secs=encoded.seconds,
        encoding_secs=job.rows_pending * share * encoded.secs_per_text,
        precisions=compare_precisions(embedder, texts, batch_size, encoded.secs_per_text),
    )
    if (why := cannot_try(job)) is None:
        try:
            return _try(found, job, encoded.vectors)
        except psycopg.errors.OperationalError:
            raise
        except psycopg.Error as error:
            why = f"the run could not be tried on a copy: {error.diag.message_primary or error}"
    total = job.run.work.rows_total
    index = fixed_estimate(total, builds_index=job.builds_index) - fixed_estimate(total, builds_index=False)
    return replace(
        found,
        apply_secs=rows_copied(job) / _ROWS_PER_SEC[job.run.way] if job.run.way in _ROWS_PER_SEC else 0.0,
        index_secs=index,
        notes=[f"{why}; so everything except the encoding is a rough guess, and disk is not predicted"],
    )


def _try(found: Calibration, job: Job, vectors: Vectors) -> Calibration:
    """Try the run on copies, each larger than the last one as long as that is worth its time; scale up the largest."""
    table, rows = job.run.probed.table, rows_copied(job)
    row_bytes = (table["table_bytes"] + table["index_bytes"]) / max(1, job.run.work.rows_total)
    most = min(rows, MOST_COPY_ROWS, max(1, int(COPY_BYTES / max(1.0, row_bytes))))
    size = min(COPY_ROWS, most)
    with connect(job.run.conninfo) as conn:
        while True:
            started = time.monotonic()
            scaled = _scaled(found, job, try_once(conn, job, vectors, size / max(1, rows)))
            larger = min(most, _next_size(size, time.monotonic() - started, scaled))
            if larger <= 1.5 * size:
                return scaled
            size = larger


def _next_size(size: int, seconds: float, found: Calibration) -> int:
    """Return the rows of the next copy. The last one had ``size`` rows, took ``seconds`` and predicts ``found``."""
    if found.walltime_secs - found.encoding_secs < _MATTERS * found.encoding_secs:
        return 0
    allowed = max(_COPY_SECS, _COPY_SHARE * found.walltime_secs)
    return int(size * min(LARGER, (allowed / seconds) ** (1 / _GROWTH)))


# --- The prediction ---


def _scaled(found: Calibration, job: Job, tried: Tried) -> Calibration:
    """Scale what the trial took to the target's rows."""
    staged = job.rows_pending / max(1, tried.rows_staged)
    rows = rows_copied(job) / max(1, tried.rows)
    indexed = job.run.work.rows_total / max(1, tried.rows) if job.builds_index else 0.0
    staging = round(tried.staging_bytes * staged)
    kept, index = round(tried.kept_bytes * rows), round(tried.index_bytes * indexed)
    written = round(tried.written_bytes * rows)
    peak = staging + kept + written + index
    memory = round(tried.needed_kb * indexed) << 10 if job.builds_index else None
    if job.run.plan.concurrent_index and job.run.way in ("rewrite", "swap", "widen"):
        # The old files are deleted once the vectors are in place, which is before the index is built.
        table = job.run.probed.table
        left = round(tried.final_bytes * rows) - table["table_bytes"] - table["index_bytes"]
        peak = max(staging + kept + written, kept + left + index)
    return replace(
        found,
        copying_secs=tried.seconds["copying"] * staged,
        gate_secs=tried.seconds["gate"] * rows,
        apply_secs=tried.seconds["apply"] * rows,
        index_secs=_index_secs(tried, job.run.work.rows_total) if job.builds_index else 0.0,
        recall_secs=tried.seconds["recall"] * indexed,
        disk_peak_bytes=max(0, peak),
        staging_bytes=staging,
        index_bytes=index,
        wal_bytes=staging + kept + written + index,
        index_memory_bytes=memory,
        index_memory_allowed_bytes=tried.most_kb << 10 if job.builds_index else None,
        notes=_notes(job, memory or 0, tried.most_kb << 10),
    )


def _index_secs(tried: Tried, rows: int) -> float:
    """Return the seconds of the index build, scaled as n log n.

    Each insertion into an HNSW graph searches the graph (Malkov and Yashunin 2016, 4.2.2). The last two copies show a
    steeper power, because their graph outgrows the cache. For larger graphs that power predicts too much
    (docs/benchmarks.md).
    """
    if tried.rows == 0:
        return 0.0
    return tried.seconds["index"] * rows / tried.rows * math.log(max(2, rows)) / math.log(max(2, tried.rows))


def _notes(job: Job, needed: int, allowed: int) -> list[str]:
    notes = []
    if needed > allowed:
        notes.append(
            f"the graph of the index needs about {-(-needed >> 20):,} MB of memory while it is built, and may take "
            f"{allowed >> 20:,} MB: what does not fit is built several times slower than predicted here; "
            f"--index-memory {-(-needed >> 20)} gives it enough, if the server has that much"
        )
    if job.run.way == "online":
        notes.append(
            "the second column is predicted as if swap filled it; online it is filled in batches, beside other work"
        )
    return notes
