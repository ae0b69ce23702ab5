"""Searches any target by meaning, with its registered model and through its own index: ``sql/search/nearest.sql``."""

from __future__ import annotations

from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.checks import check_number, check_text
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.encode.window import embed_queries
from vestige_sql.errors import ModelMismatch, TargetError
from vestige_sql.look.target import probed_target
from vestige_sql.plan import VESTIGE, Target
from vestige_sql.reembed.encoding import recorded_encoding
from vestige_sql.reembed.target import VECTOR_TYPES, Probed
from vestige_sql.steps.files import Value
from vestige_sql.vestige.search import MOST_RESULTS, check_same, vector_text


def is_vestiges(conninfo: str, table: str) -> bool:
    """Whether ``table`` is Vestige's table of memories, or there is no such table."""
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        try:
            found = steps.query_one(conn, "search/table.sql", {"target": table})
        except psycopg.Error:
            # What is wrong with the name is for the search to say.
            return table == VESTIGE.table
        return table == VESTIGE.table if found is None else bool(found["is_vestiges"])


def known_model(conninfo: str, *, target: Target) -> tuple[ModelSignature, dict[str, Any] | None]:
    """Return the registered model of ``target``, and how it makes vectors as it was recorded, None if it was not.

    Raises :class:`ModelMismatch` where none is registered, and :class:`TargetError` where it is not known any more
    whether the vectors are that model's.
    """
    with probed_target(conninfo, target) as (conn, probed):
        probed.check_known()
        if probed.model is None:
            raise ModelMismatch(
                f"no model is registered for {probed.column}, so there is none to encode the question with",
                "nothing was searched for; vestige-sql migrate register names the model of the vectors that are there",
            )
        return probed.model, recorded_encoding(conn, probed.values, probed.model)


def nearest(
    conninfo: str, question: str, embedder: Embedder, *, target: Target = VESTIGE, limit: int = 10
) -> dict[str, Any]:
    """Return the rows of ``target`` that are nearest to ``question``, the nearest first, at most ``limit``.

    ``embedder`` is the registered model. "results" has ``rank``, ``key``, ``text`` (its beginning) and ``distance`` of
    each row. "operator" is pgvector's operator of that distance: that of the column's index, or cosine without one.

    Raises :class:`ModelMismatch` if another model is registered, and any other :class:`VestigeError`.
    """
    check_number("limit", limit, 1, MOST_RESULTS)
    check_text("question", question)
    with probed_target(conninfo, target) as (conn, probed):
        probed.check_known()
        signature = embedder.signature()
        check_same(signature, probed.model, f"the vectors of {probed.column}")
        index = _index(probed)
        operator = index["operator"] if index else "<=>"
        found: dict[str, Any] = {"target": probed.column, "model": probed.model, "operator": operator, "results": []}
        if not question.strip():
            return found
        values: dict[str, Value] = probed.values | {
            "vector": vector_text(embed_queries(embedder, [question])),
            "search_type": _search_type(conn, probed, index),
            "dimension": signature.dimension,
            "model_name": signature.name,
            "model_hash": signature.hash,
            "operator": operator,
            "limit": limit,
            "filtered": False,
        }
        found["results"] = _ask(conn, probed, values)
        return found


def _ask(conn: psycopg.Connection[Any], probed: Probed, values: dict[str, Value]) -> list[dict[str, Any]]:
    try:
        with conn.transaction():
            # Row level security filters what is found, as for the application.
            steps.run(conn, steps.load("judge/05_see_by_policies.sql"), values)
            steps.run(conn, steps.load("search/set_scan.sql"), values)
            return steps.query(conn, "search/nearest.sql", values)
    except psycopg.errors.InsufficientPrivilege as error:
        raise TargetError(
            f"this role may not search {probed.column}: {error.diag.message_primary}",
            "grant it what docs/privileges.md lists for a search; nothing was found or changed",
        ) from error
    except psycopg.Error as error:
        if error.sqlstate != steps.CHECK_FAILED:
            raise
        raise ModelMismatch(error.diag.message_primary or str(error), error.diag.message_hint or "") from error


def _index(probed: Probed) -> dict[str, Any] | None:
    """Return the valid index that a search goes through: one for the cosine distance, if there are several."""
    usable = [index for index in probed.indexes if index["valid"] and index["key_type"] in VECTOR_TYPES]
    return min(usable, key=lambda index: (index["operator"] != "<=>", index["name"]), default=None)


def _search_type(conn: psycopg.Connection[Any], probed: Probed, index: dict[str, Any] | None) -> str:
    """Return the type that vectors are compared in, as SQL writes it: that of the index."""
    if index is None:
        return str(probed.values["vector_type"])
    return psycopg.sql.Identifier(str(probed.values["vector_schema"]), index["key_type"]).as_string(conn)
