"""Draw a sample of a target's texts and encode it, to measure how long a text takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.encode.window import encode_window, first_bad_row
from vestige_sql.errors import BadEmbedding
from vestige_sql.predict.job import Job
from vestige_sql.reembed.stage import PAGE_ROWS, TEXT_CHARACTERS

# Enough pages for texts whose length changes along the key. With a fast model, the largest copy gets a text per row.
_PAGES = 32
SAMPLE_TEXTS = 32_768
_SAMPLE_BYTES = 32 << 20
_SAMPLE_SECS = 20.0
_FIRST_TEXTS = 16

# --- Encoding ---


@dataclass
class EncodedSample:
    vectors: Vectors
    secs_per_text: float = 0.0
    seconds: float = 0.0


def draw_sample(conn: psycopg.Connection[Any], job: Job) -> list[dict[str, Any]]:
    if not job.rows_pending:
        return []
    open_run = job.run.probed.open_run
    resumes = open_run is not None and open_run.staging_exists
    # Where nothing is staged, the key's type may not be there yet, and the target stands in.
    table = (
        sql.Identifier("vestige_sql", str(job.run.values["staging_table"]))
        if resumes
        else (
            sql.SQL("(SELECT {} AS id FROM {} t)").format(
                sql.SQL(str(job.run.values["key_record"])),
                sql.Identifier(str(job.run.values["schema"]), str(job.run.values["table"])),
            )
        )
    )
    values = job.run.values | {
        "resumes": resumes,
        "staged": table.as_string(conn),
        "page_rows": PAGE_ROWS,
        "distance": max(PAGE_ROWS, -(-(job.rows_pending + job.run.work.rows_blank) // _PAGES)),
        "sample_texts": SAMPLE_TEXTS,
        "page_bytes": _SAMPLE_BYTES,
        "text_characters": TEXT_CHARACTERS,
    }
    return steps.query(conn, "calibrate/sample.sql", values)


def encode_sample(embedder: Embedder, texts: Sequence[str], batch_size: int) -> EncodedSample:
    """Encode texts until all are encoded or the time is up. The first few only warm up, if more follow.

    Raises :class:`BadEmbedding` if the model returns a vector that cannot be searched.
    """
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
                f"the model {embedder.model_name} returned NaN, infinity or a zero vector for {chunk[bad][:80]!r}",
                "look at that text, or pick another graph of the model with --onnx-file; nothing was written",
                row=at + bad,
            )
        rounds.append((len(set(chunk)), seconds))
        at += len(chunk)
        spent += seconds
        # A window as large as the run's, if there is time: it needs less padding than a small one.
        size = min(PAGE_ROWS, max(size, int(len(chunk) / max(seconds, 1e-6) * (_SAMPLE_SECS - spent))))
    counted = rounds[1:] or rounds
    count = sum(count for count, _ in counted)
    if not texts:
        # Everything is staged, or no row has text. Random vectors then stand in: their graph is the hardest to build.
        parts.append(np.random.default_rng(0).standard_normal((1_024, embedder.dimension), np.float32))
    return EncodedSample(np.concatenate(parts), sum(s for _, s in counted) / count if count else 0.0, spent)
