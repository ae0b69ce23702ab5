"""Measure how much of what an exact search finds is also found by an index."""

from __future__ import annotations

import math
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.errors import RecallTooLow

_ENOUGH = 0.9

_BUILT_WITH = {
    "hnsw": "a larger m and ef_construction",
    "ivfflat": "another number of lists (pgvector suggests rows / 1000)",
    "diskann": "a larger num_neighbors and search_list_size",
    "vchordrq": "other lists",
}
"""What a better index of each method has, for people."""


def measure_recall(conn: psycopg.Connection[Any], values: dict[str, steps.Value], sample: int) -> list[dict[str, Any]]:
    """Return the recall@10 of each vector index on ``index_column``, against exact search on ``sample`` rows.

    Each entry has ``name``, ``built_as`` (its name until the switch), ``recall`` (0 to 1), ``sampled`` (how many rows
    were used), ``method``, ``setting`` and ``search_setting``, such as "hnsw.ef_search = 40". The setting of a method
    that is not known is None. An index without any row to search for is left out.
    """
    if sample == 0:
        return []
    found = []
    for row in steps.query(conn, "probe/recall.sql", values | {"recall_sample": sample}):
        if row["recall"] is not None:
            setting = row["setting"]
            found.append(
                {
                    "name": row["name"],
                    "built_as": row["built_as"],
                    "recall": row["recall"],
                    "sampled": row["sampled"],
                    "method": row["method"],
                    "setting": setting,
                    "search_setting": f"{setting} = {row['search_setting']}" if setting else row["method"],
                }
            )
    return found


def check_recall(
    conn: psycopg.Connection[Any],
    values: dict[str, steps.Value],
    found: list[dict[str, Any]],
    asked: float | None,
    sample: int,
) -> None:
    """Raise :class:`RecallTooLow` if one of the new indexes ``found`` finds less than ``asked``.

    If ``asked`` is None, 0.9 is enough, and where the former index finds less, so is about as much as that one finds.
    """
    low = [index for index in found if index["recall"] < (_ENOUGH if asked is None else asked)]
    if not low:
        return
    former: dict[str, dict[str, Any]] = {}
    if asked is None:
        live = values | {"index_column": values["embedding_column"]}
        former = {index["name"]: index for index in measure_recall(conn, live, sample)}
    for index in low:
        before = former.get(index["name"])
        least = _ENOUGH if asked is None else asked
        if before is not None and index["recall"] >= (least := min(least, before["recall"] - _chance(before, index))):
            continue
        compared = f" (the former index finds {before['recall']:.3f})" if before else ""
        better = _BUILT_WITH.get(index["method"], "other parameters")
        setting = index["setting"]
        raises = (
            f"raise {setting} for the sessions that search and for this one (ALTER ROLE .. SET {setting} = ..), or "
        )
        raise RecallTooLow(
            f"the new index {index['name']} (built as {index['built_as']}) finds {index['recall']:.3f} of "
            "what an exact search finds "
            f"(recall@10, {index['sampled']} questions, {index['search_setting']}), less than {least:.3g}{compared}",
            f"search goes on in the former vectors, and nothing is lost; {raises if setting else ''}drop the new index "
            f"and have it built with {better}, then run again; or ask for less with --min-recall",
        )


def _chance(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return by how much the recalls of two equally good indexes may differ: two standard errors of the difference."""
    return 2 * math.sqrt(sum(each["recall"] * (1 - each["recall"]) / each["sampled"] for each in (one, other)))
