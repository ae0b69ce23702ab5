"""The tables that could be re-embedded, and how one of them stands."""

from __future__ import annotations

from typing import Any

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.errors import TargetError
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


def matching_tables(conninfo: str, pattern: str) -> list[str]:
    """Return the tables that ``pattern`` names, as SQL writes them, in the order of their names.

    It is one of ``sql/probe/matching_tables.sql``. Raises :class:`TargetError` where it, or one of several with commas
    in between, names none.
    """
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        found = steps.query(conn, "probe/matching_tables.sql", {"target": pattern})
    for row in found:
        if row["name"] is None:
            raise TargetError(
                f"no table in this database is named like {row['pattern']}, or none that has a column of pgvector's",
                "nothing was written; * stands for any characters of a name without quotes, as in tenant_*.documents; "
                "without a schema, tables along the search_path are meant",
            )
    return [row["name"] for row in found]
