"""Checks that a model gives the same vectors in another precision, and keeps in which one a run encodes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.reembed.run import Run
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")

# How many texts are compared, and the most tokens of all of them: in fp32 a model of BERT-large's size takes about half
# a minute for so many on two cores, all-MiniLM-L6-v2 a second.
_TEXTS = 64
_TOKENS = 8_192

# Of a longer text the beginning is compared: about as many tokens as most models take.
_CHARACTERS = 1 << 14

# About how many blocks of the table are looked at.
_BLOCKS = 64


def check_precision(run: Run, embedder: Embedder) -> None:
    """Compare vectors of some of the target's texts, if the embedder has an ``agreement`` to give.

    Raises :class:`ModelUnsupported` if they differ, before anything is written, and what the embedder raises.
    """
    agreement = getattr(embedder, "agreement", None)
    if agreement is None or run.work.scope not in ("all", "missing"):
        return
    texts = _few_enough(embedder, sample(run.conn, run.values))
    if not texts:
        return
    with run.clock.on("encoding"):
        found = agreement(texts, run.plan.batch_size)
    log.info(
        "%s: %s: on %d texts of the table its vectors have a cosine of %.6f or more with those in fp32",
        run.verb, told(embedder), found.texts, found.least_cosine,
    )  # fmt: skip


def sample(conn: psycopg.Connection[Any], values: Mapping[str, Value]) -> list[str]:
    """Return some of the target's texts, none if it has none."""
    rows = steps.query(
        conn,
        "probe/some_texts.sql",
        {
            **values,
            "sample_blocks": _BLOCKS,
            "sample_texts": _TEXTS,
            "text_characters": _CHARACTERS,
        },
    )
    # Those of the first blocks may come twice.
    return list(dict.fromkeys(row["content"] for row in rows if row["content"].strip()))


def _few_enough(embedder: Embedder, texts: list[str]) -> list[str]:
    """Return the first of ``texts``, as many as have few enough tokens, at least one."""
    counts: Iterable[int] = getattr(embedder, "token_counts", lambda _: [0] * len(texts))(texts)
    chosen: list[str] = []
    tokens = 0
    for text, count in zip(texts, counts, strict=True):
        tokens += count
        if chosen and tokens > _TOKENS:
            break
        chosen.append(text)
    return chosen


def told(embedder: Embedder) -> str:
    """Return in what precision the embedder computes, and with what, for people; nothing if it does not say."""
    precision, runtime = computed_by(embedder)
    return f"computed in {precision} by {runtime}" if precision else ""


def computed_by(embedder: Embedder) -> tuple[str | None, str | None]:
    """Return the embedder's precision and runtime, None where it does not say."""
    return getattr(embedder, "precision", None), getattr(embedder, "runtime", None)


def record_computed(run: Run, embedder: Embedder) -> None:
    """Keep in the database in what precision this run computes vectors, beside the record of its model."""
    precision, runtime = computed_by(embedder)
    if precision and run.work.scope in ("all", "missing"):
        values = run.values | {"run_id": run.id, "precision": precision, "runtime": runtime or ""}
        steps.run(run.conn, steps.load("run/record_computed.sql"), values)


def recorded_computed(
    conn: psycopg.Connection[Any], values: Mapping[str, Value], signature: ModelSignature | None, run_id: int | None
) -> list[str]:
    """Return in what precisions the vectors of ``run_id`` were computed, and with what, as far as that is kept."""
    if signature is None or run_id is None:
        return []
    named: dict[str, Value] = {
        "model_name": signature.name,
        "dimension": signature.dimension,
        "model_hash": signature.hash,
    }
    row = steps.query_one(conn, "probe/encoding.sql", {**values, **named})
    kept = row["settings"].get("computed", []) if row else []
    return [f"{entry['precision']} by {entry['runtime']}" for entry in kept if entry["run"] == run_id]
