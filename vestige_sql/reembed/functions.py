"""What becomes of functions that know the table as it was: the same question as in ``migrate doctor``."""

from __future__ import annotations

from vestige_sql import steps
from vestige_sql.reembed.run import Run
from vestige_sql.terminal import some_of


def left_behind(run: Run) -> list[str]:
    """Return what to say of functions that will not go with the table as it will be."""
    found: dict[str, list[str]] = {}
    for row in steps.query(run.conn, "doctor/40_functions.sql", run.probed.values):
        found.setdefault(row["code"], []).append(row["object"])
    notes = []
    if run.plan.online and (names := found.get("row_type")):
        notes.append(
            f"These take or return rows of {run.probed.name}: {some_of(names)}. From this run's second column to "
            "vestige-sql migrate finalize such a row has one column more, and a function that lists the columns "
            "fails. SELECT * goes on, and so does RETURNS TABLE (..). A run without --online adds no column."
        )
    if run.probed.typmod not in (None, run.model.dimension) and (names := found.get("says_dimension")):
        notes.append(
            f"These say {run.probed.typmod} dimensions, and fail on vectors of {run.model.dimension}: "
            f"{some_of(names)}. Replace them together with the model."
        )
    return notes
