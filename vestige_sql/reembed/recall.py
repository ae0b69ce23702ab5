"""Measure how much of what an exact search finds is also found by an index."""

from __future__ import annotations

from typing import Any

import psycopg

from vestige_sql import steps


def measure_recall(conn: psycopg.Connection[Any], values: dict[str, steps.Value], sample: int) -> list[dict[str, Any]]:
    """Return the recall@10 of each vector index on ``index_column``, against exact search on ``sample`` rows.

    Each entry has ``name``, ``built_as`` (its name until the switch), ``recall`` (0 to 1), ``sampled`` (how many rows
    were used), ``setting`` and ``search_setting``, such as "hnsw.ef_search = 40". An index without any row to search
    for is left out.
    """
    if sample == 0:
        return []
    found = []
    for row in steps.query(conn, "probe/recall.sql", values | {"recall_sample": sample}):
        if row["recall"] is not None:
            setting = "hnsw.ef_search" if row["method"] == "hnsw" else "ivfflat.probes"
            found.append(
                {
                    "name": row["name"],
                    "built_as": row["built_as"],
                    "recall": row["recall"],
                    "sampled": row["sampled"],
                    "setting": setting,
                    "search_setting": f"{setting} = {row['search_setting']}",
                }
            )
    return found
