"""A run that was begun under another name of its table or column."""

from __future__ import annotations

from typing import Any

import psycopg

from vestige_sql.errors import StagedForAnother
from vestige_sql.reembed.open_run import RenamedRun, find_renamed_run
from vestige_sql.reembed.target import Probed


def check_not_renamed(conn: psycopg.Connection[Any], probed: Probed) -> None:
    """Raise :class:`StagedForAnother` if a run of this table was begun under another name of it or its column."""
    if probed.open_run is None and (run := renamed_run(conn, probed)) is not None:
        raise StagedForAnother(
            f"run {run.id} to {run.name} is under way on {run.column}, a name that is gone or another's by now: it was "
            f"begun before {probed.name} or its column was renamed",
            "no vector was touched, and the staged vectors stay; give the table or column its name back until the run "
            "is over, or undo the run with vestige-sql migrate abort",
        )


def renamed_run(conn: psycopg.Connection[Any], probed: Probed) -> RenamedRun | None:
    """Return the open run that was begun under another name of the table or its column, if there is one."""
    return find_renamed_run(conn, probed.values) if probed.server["package_functions_exist"] else None
