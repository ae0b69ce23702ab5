"""Finds out another model behind the same name, and says what encoding will cost.

A model's files have a hash. Of a model that runs elsewhere only its name is known, and somebody may load another one
under it. So an embedder may have ``probe_texts``. The vectors that it gives to them first are remembered in the
database, and every run begins by comparing.
"""

from __future__ import annotations

from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder
from vestige_sql.encode.probing import LEAST_COSINE, Reference, probe_texts, probe_vectors
from vestige_sql.errors import ModelMismatch, TargetError
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.target import Probed
from vestige_sql.steps.files import Value


def check_remembered(conn: psycopg.Connection[Any], embedder: Embedder) -> Reference | None:
    """Embed the probe texts, and compare the vectors with those that are remembered. Returns them, None without texts.

    Raises :class:`ModelMismatch` if they differ, :class:`TargetError` if this role may not read what is remembered, and
    whatever the embedder raises.
    """
    texts = probe_texts(embedder)
    if not texts:
        return None
    reference = Reference(texts, probe_vectors(embedder, texts))
    for values in _values(embedder, reference):
        try:
            found = steps.query_one(conn, "probe/encoder.sql", values)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable) as error:
            raise _may_not(conn, error) from error
        if found is not None and not (found["cosine"] or 0.0) >= LEAST_COSINE:
            raise ModelMismatch(
                f"the model {embedder.model_name} is another than on {found['remembered_at']:%Y-%m-%d %H:%M}: the "
                f"vector that it gives to {values['probe_text']!r} has a cosine of {found['cosine'] or 0.0:.4f} with "
                "the one of then",
                "nothing was encoded; if the service was given another model, give that a --revision of its own and "
                "re-embed, because its vectors do not go with those that are there; else bring the former model back",
            )
    return reference


def remember(conn: psycopg.Connection[Any], embedder: Embedder, reference: Reference | None) -> None:
    """Remember the vectors of ``reference``, unless there are any of this model."""
    if reference is None:
        return
    try:
        for values in _values(embedder, reference):
            steps.run(conn, steps.load("run/record_encoder.sql"), values)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _may_not(conn, error) from error


def _may_not(conn: psycopg.Connection[Any], error: psycopg.Error) -> TargetError:
    role = conn.info.user
    return TargetError(
        f"role {role} lacks rights on what is remembered of the model: {error.diag.message_primary}",
        f"GRANT SELECT, INSERT ON vestige_sql.encoder_probe TO {role}; the table is as it was",
    )


def _values(embedder: Embedder, reference: Reference) -> list[dict[str, Value]]:
    signature = embedder.signature()
    return [
        {
            "model_name": signature.name,
            "dimension": signature.dimension,
            "model_hash": signature.hash,
            "probe_text": text,
            "probe_vector": "{" + ",".join(vector.astype(str)) + "}",
        }
        for text, vector in zip(reference.texts, reference.vectors, strict=True)
    ]


def estimated_spending(run: Run, embedder: Embedder) -> tuple[int, float | None] | None:
    """Return about how many tokens the run sends and what they cost, for an embedder that can say; else None.

    The texts are measured in the database, and not read from it. Rows that are staged already are left out, in
    proportion.
    """
    estimate = getattr(embedder, "estimate", None)
    if estimate is None or run.work.scope not in ("all", "missing"):
        return None
    found = steps.query(run.conn, "probe/text_size.sql", run.values)[0]
    rows, size = (
        (found["rows_missing"], found["size_missing"])
        if run.work.only_missing
        else (found["rows_with_text"], found["size"])
    )
    open_run = run.probed.open_run
    staged = 0
    if open_run is not None and open_run.staging_exists:
        staged = steps.query(run.conn, "probe/staged.sql", run.values)[0]["rows_staged"]
    share = max(0.0, 1 - staged / rows) if rows else 0.0
    tokens, cost = estimate(round(rows * share), round(size * share))
    return int(tokens), cost


def said_spending(spending: tuple[int, float | None]) -> str:
    """Return tokens and cost for people."""
    tokens, cost = spending
    return f"about {tokens:,} tokens" + (f", which cost {cost:,.2f}" if cost is not None else "")


def rows_unregistered(probed: Probed, counts: dict[str, int]) -> int:
    """Return how many rows have a vector of no registered model. ``counts`` is the row of ``sql/probe/rows.sql``."""
    return 0 if probed.model else counts["rows_with_text"] - counts["rows_missing"]


def no_way_back(run: Run) -> list[str]:
    """Return the note that vectors are kept of which nobody can say the model, if that is so."""
    probed, work = run.probed, run.work
    if not work.rows_unregistered or work.scope != "all" or not (run.plan.online or run.plan.keep_old):
        return []
    return [
        f"No model is registered for the {work.rows_unregistered:,} vectors that {probed.column} had before this run: "
        "vestige-sql migrate rollback cannot go back to them. For a way back, say before the run which model they are "
        f"of: vestige-sql migrate register --table {probed.target.table} --embedding-column "
        f"{probed.target.embedding_column} --name NAME --dimension {probed.typmod or 'N'}"
    ]
