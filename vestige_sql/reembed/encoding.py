"""How a model makes vectors of texts: what a run says of it, and the registry's record."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.encode.told import notes_of, told
from vestige_sql.reembed.run import Run
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")


def encodes_with(run: Run, embedder: Embedder) -> None:
    """Have a run know how its embedder makes vectors."""
    run.encoding = encoding_of(embedder)
    former = getattr(embedder, "former_signature", None)
    run.former = former() if former else None


def say_encoding(run: Run) -> None:
    """Log how vectors are made, before a run that shows no warning."""
    if run.encoding and run.work.scope != "index":
        log.info("%s: %s: %s", run.verb, run.model.name, told(run.encoding))
        for note in notes_of(run.encoding):
            log.info("%s: note: %s", run.verb, note)


def encoding_of(embedder: Embedder) -> dict[str, Any] | None:
    """Return what an embedder says of itself, or None if it says nothing."""
    told = getattr(embedder, "encoding", None)
    return dict(told) if told else None


def record_encoding(
    conn: psycopg.Connection[Any],
    values: Mapping[str, Value],
    signature: ModelSignature,
    encoding: Mapping[str, Any] | None,
) -> None:
    """Record how the model of ``signature`` makes vectors for the target that ``values`` name, if that is known."""
    if encoding:
        kept = {key: value for key, value in encoding.items() if key != "notes"}
        steps.run(
            conn,
            steps.load("run/record_encoding.sql"),
            {**values, **_named(signature), "encoding": json.dumps(kept, ensure_ascii=False)},
        )


def recorded_encoding(
    conn: psycopg.Connection[Any], values: Mapping[str, Value], signature: ModelSignature | None
) -> dict[str, Any] | None:
    """Return what is recorded of the model of ``signature``, or None if nothing is."""
    if signature is None:
        return None
    row = steps.query_one(conn, "probe/encoding.sql", {**values, **_named(signature)})
    return {key: value for key, value in row["settings"].items() if key != "computed"} if row else None


def _named(signature: ModelSignature) -> dict[str, Value]:
    return {"model_name": signature.name, "dimension": signature.dimension, "model_hash": signature.hash}
