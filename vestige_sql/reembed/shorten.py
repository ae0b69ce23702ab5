"""Stages shorter vectors of the registered model without encoding a text: the first numbers of those that are live."""

from __future__ import annotations

import logging
import re
from typing import Any

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.stage import Stager
from vestige_sql.steps.running import StepRun

log = logging.getLogger("vestige_sql")

SHORTEN = "stage/shorten.sql"

# subvector() and l2_normalize() came with it.
_PGVECTOR = (0, 7)


def find_shortening(run: Run, embedder: Embedder) -> None:
    """Have a run know whether its vectors are the first numbers of the live ones, and what people should know of it."""
    model, table = run.probed.model, run.probed.table
    longer: Any = getattr(embedder, "shortened_from", None)
    # What an earlier process of the run has staged, or has found to be stale, is not known here.
    fresh = run.probed.open_run is None or run.probed.open_run.applied
    if longer is None or model is None or run.work.scope != "all" or not fresh or run.probed.typmod != model.dimension:
        return
    if longer(model.dimension) != model:
        return
    same = f"The live vectors are of the same model, with {model.dimension:,} dimensions"
    version = str(run.probed.server["pgvector_version"])
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < _PGVECTOR:
        run.shortening = f"{same}. pgvector {version} cannot shorten them, 0.7 can: every text is encoded."
    elif table["embedding_type"] != "vector":
        run.shortening = f"{same}, rounded to {table['embedding_type']}: every text is encoded, to round once only."
    else:
        run.shortens = True
        run.shortening = (
            f"{same}: their first {run.model.dimension:,} numbers are staged by SQL, and only texts without a vector "
            "are encoded. A row whose text was changed without its vector keeps the vector of the former text."
        )


def shorten(run: Run, stager: Stager) -> StepRun:
    """Stage the first numbers of the live vectors, once in a run."""
    run.shortens = False
    with run.clock.on("copying"):
        done = steps.run(run.conn, steps.load(SHORTEN), run.values)
    run.rows_shortened = done.rows or 0
    stager.batches += 1
    log.info("reembed: wrote batch %d (%d rows)", stager.batches, run.rows_shortened)
    log.info("%s: %s vectors were shortened, without encoding a text", run.verb, f"{run.rows_shortened:,}")
    return done


def staged_by(run: Run, rows_encoded: int) -> str:
    """Return how vectors came into the staging table, for the report."""
    if not run.rows_shortened:
        return "encoding"
    more = f", and encoding {rows_encoded:,} texts" if rows_encoded else ""
    return f"shortening {run.rows_shortened:,} live vectors (sql/{SHORTEN}){more}"
