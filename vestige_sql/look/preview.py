"""Shows the old space and the staged one side by side, before the switch, by the SQL files in ``sql/preview``."""

from __future__ import annotations

from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.checks import check_number, check_text
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.encode.window import embed_queries
from vestige_sql.errors import CheckFailed, UsageError
from vestige_sql.plan import VESTIGE, Target
from vestige_sql.reembed.encoding import recorded_encoding
from vestige_sql.reembed.open_run import find_open_run
from vestige_sql.reembed.target import VECTOR_TYPES, Probed, probe
from vestige_sql.steps.files import Value
from vestige_sql.vestige.search import MOST_RESULTS, check_same, vector_text


def staged_models(conninfo: str, *, target: Target = VESTIGE) -> tuple[ModelSignature | None, ModelSignature]:
    """Return the registered model, or None if there is none, and the model that vectors are staged for.

    Raises :class:`CheckFailed` if nothing is staged, or only vectors of the registered model, for rows that lack one.
    """
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        probed = probe(conn, target, needs_package=False, verb="gate")
        probed.check_known()
        return probed.model, _staged(probed)


def recorded_encodings(
    conninfo: str, *models: ModelSignature | None, target: Target = VESTIGE
) -> list[dict[str, Any] | None]:
    """Return how each of the models makes vectors, as it was recorded; None for what was not, and for no model."""
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        values = probe(conn, target, needs_package=False, verb="gate").values
        return [recorded_encoding(conn, values, model) for model in models]


def check_arguments(question: str | None, limit: int, sample: int) -> str:
    """Return the question of a :func:`preview`, "" for none. Raises :class:`UsageError` if an argument is invalid."""
    check_number("limit", limit, 1, MOST_RESULTS)
    check_number("sample", sample, 0, MOST_RESULTS)
    check_text("question", question or "")
    question = (question or "").strip()
    if not (question or sample):
        raise UsageError("a preview takes a question, or a sample of at least 1 row, or both")
    return question


def preview(
    conninfo: str,
    question: str | None = None,
    new: Embedder | None = None,
    old: Embedder | None = None,
    *,
    limit: int = 10,
    sample: int = 0,
    target: Target = VESTIGE,
) -> dict[str, Any]:
    """Return how the staged vectors of ``target`` would change searches. Nothing is written or locked.

    ``question`` is asked in the staged space with ``new``, the model that vectors are staged for, and in the old space
    with ``old``, the registered model. Without ``old``, the row nearest to the question in the new space is the
    question there. "question" has the ``limit`` nearest rows of both spaces. With ``sample``, that many rows are the
    questions, and "overlap" has the share of their ``limit`` nearest neighbours that both spaces have in common. This
    needs no model. Both compare every row, without an index.

    Raises :class:`ModelMismatch` if a model is not that of its space, :class:`CheckFailed` if nothing is staged, or if
    it was put in place or dropped meanwhile, and any other :class:`VestigeError`.
    """
    question = check_arguments(question, limit, sample)
    if question and new is None:
        raise UsageError("a question needs the model that vectors are staged for; a sample needs none")
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        probed = probe(conn, target, needs_package=False, verb="gate")
        probed.check_known()
        staged = _staged(probed)
        assert probed.open_run is not None
        if new is not None:
            check_same(new.signature(), staged, f"the vectors staged for {probed.column}")
        if old is not None:
            check_same(old.signature(), probed.model, f"the vectors of {probed.column}")
        operators = [i["operator"] for i in probed.indexes if i["key_type"] in VECTOR_TYPES]
        values = probed.values | {
            "dimension": staged.dimension,
            "limit": limit,
            "sample": sample,
            # Cosine, unless all of the column's indexes are for other distances.
            "operator": "<=>" if "<=>" in operators else next(iter(operators), "<=>"),
        }
        found: dict[str, Any] = {
            "target": probed.column,
            "old_model": probed.model,
            "new_model": staged,
            "question": None,
            "overlap": None,
        }
        try:
            found |= steps.query(conn, "preview/rows.sql", values)[0]
            if question and new is not None:
                found["question"] = _ask(conn, probed, values, question, new, old)
            if sample:
                found["overlap"] = _overlap(conn, values)
        except psycopg.errors.UndefinedTable:
            still = None
        else:
            still = find_open_run(conn, values)
        # A run's number is never given twice. If the run is still open, it was open throughout, and nothing switched.
        if still is None or not still.staging_exists or still.id != probed.open_run.id:
            raise CheckFailed(
                f"the vectors staged for {probed.column} were put in place or dropped during the preview",
                "the preview wrote nothing; vestige-sql migrate status says what is staged now",
            )
        return found


def _staged(probed: Probed) -> ModelSignature:
    run = probed.open_run
    if run is None or not (run.stages and run.staging_exists):
        raise CheckFailed(f"nothing is staged for {probed.column}", "run vestige-sql migrate stage first")
    staged = run.model
    if run.only_missing:
        raise CheckFailed(
            f"the vectors staged for {probed.column} are of the registered model, {staged}, for rows that lack one",
            "there is only one space, so there is nothing to compare; vestige-sql search searches it",
        )
    return staged


def _ask(
    conn: psycopg.Connection[Any],
    probed: Probed,
    values: dict[str, Value],
    question: str,
    new: Embedder,
    old: Embedder | None,
) -> dict[str, Any]:
    values = values | {
        "new_vector": vector_text(embed_queries(new, [question])),
        "old_vector": vector_text(embed_queries(old, [question])) if old else "",
        "old_dimension": old.dimension if old else probed.typmod or values["dimension"],
    }
    rows = steps.query(conn, "preview/question.sql", values)

    def side(name: str) -> list[dict[str, Any]]:
        return [
            {field: row[f"{name}_{field}"] for field in ("key", "text", "distance")}
            for row in rows
            if row[f"{name}_key"] is not None
        ]

    return {
        "text": question,
        "stand_in": rows[0]["stand_in"] if rows else None,
        "old": side("old"),
        "new": side("new"),
    }


def _overlap(conn: psycopg.Connection[Any], values: dict[str, Value]) -> dict[str, Any]:
    rows = steps.query(conn, "preview/overlap.sql", values)
    return {
        "mean": rows[0]["mean_overlap"] if rows else None,
        "limit": values["limit"],
        "rows": [{name: value for name, value in row.items() if name != "mean_overlap"} for row in rows],
    }
