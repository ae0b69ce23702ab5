"""The tables that could be re-embedded, and how one of them stands."""

from __future__ import annotations

from typing import Any

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.look.target import probed_target
from vestige_sql.plan import Target


def vector_tables(conninfo: str) -> list[dict[str, Any]]:
    """Return the tables with a column of pgvector's: the rows of ``sql/probe/vector_tables.sql``."""
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        return steps.query(conn, "probe/vector_tables.sql", {})


def described(conninfo: str, target: Target) -> dict[str, Any]:
    """Return the columns of ``target``, found where they were not named, its type, model and indexes.

    Raises :class:`TargetError` where the table cannot be re-embedded as it is, or several columns could be meant.
    """
    with probed_target(conninfo, target) as (_, probed):
        return {
            "target": probed.target,
            "column": probed.column,
            "type": probed.table["embedding_full_type"],
            "estimated_rows": probed.table["estimated_rows"],
            "model": probed.model,
            "indexes": [index["name"] for index in probed.indexes],
            "installed": probed.server["package_functions_exist"],
        }
