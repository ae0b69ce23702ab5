"""Which rows of the table a target is, and what becomes of its column where other rows have another model."""

from __future__ import annotations

import shlex

from vestige_sql.errors import StagedForAnother, TargetError
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.target import Probed

IN_PLACE = "only an UPDATE of these rows leaves the column and all other rows as they are"
"""Why some rows, or a column without a dimension, get their vectors by the way ``rows``."""


def check_same_rows(probed: Probed) -> None:
    """Raise :class:`StagedForAnother` where the open run is about other rows than this command names."""
    run = probed.open_run
    if run is not None and run.row_filter != probed.row_filter:
        raise StagedForAnother(
            f"run {run.id} to {run.name} is open on {probed.column} for {_said(run.row_filter)}, and this command is "
            f"about {_said(probed.row_filter)}",
            "nothing was written; a column has one run at a time: let that one come to its end, or undo it with "
            "vestige-sql migrate abort",
        )


def check_rows_named(probed: Probed) -> None:
    """Raise :class:`StagedForAnother` where a run is about some rows, and this command names none."""
    if probed.rows_of_run is not None:
        raise StagedForAnother(
            f"run {probed.rows_of_run} on {probed.column} is about the rows WHERE {probed.row_filter}, or their former "
            "vectors are kept, and this command is about all rows",
            f"nothing was written; continue with --where {shlex.quote(probed.row_filter)}, or let go of the run with "
            "vestige-sql migrate abort, and of the former vectors with vestige-sql migrate finalize",
        )


def check_all_rows(probed: Probed, what: str) -> None:
    """Raise :class:`TargetError` where only some rows are meant, of which ``what`` cannot be done."""
    if probed.row_filter:
        raise TargetError(
            f"{what} is for all rows of {probed.column}, and what is staged is for those WHERE {probed.row_filter}",
            "nothing was written; vestige-sql migrate preview shows both spaces side by side, and vestige-sql migrate "
            "rollback goes back after a run with --keep-old",
        )


def fits_column(probed: Probed, dimension: int, *, in_place: bool) -> bool:
    """Whether the column is as a run to ``dimension`` leaves it."""
    return probed.typmod == dimension or (in_place and probed.typmod is None)


def alters_column(run: Run) -> bool:
    """Whether the run changes the column's dimension, or takes it off."""
    if run.in_place:
        return run.probed.typmod is not None and run.plan.keep_untyped
    return run.probed.typmod != run.model.dimension


def column_becomes(run: Run) -> str:
    """Return what the column is and becomes, for people."""
    table = run.probed.table
    if not run.in_place:
        return f"{table['embedding_full_type']} becomes {table['vector_type']}({run.model.dimension})"
    stays = f"becomes {table['vector_type']}" if alters_column(run) else "as it is"
    rows = f", its rows WHERE {run.probed.row_filter} alone" if run.probed.row_filter else ""
    return f"{table['embedding_full_type']}, {stays}{rows}"


def _said(row_filter: str) -> str:
    return f"the rows WHERE {row_filter}" if row_filter else "all rows"
