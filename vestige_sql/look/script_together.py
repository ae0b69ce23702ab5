"""Prints what puts several targets in place together as one psql script, with one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.look.script import RULE, Psql, later_of, staged_run, top
from vestige_sql.plan import ReembedPlan, Target
from vestige_sql.reembed.apply import folders_of, split_at_lock
from vestige_sql.reembed.together import check_together, place_in_order


def script_together(conninfo: str, parts: Sequence[tuple[Target, ReembedPlan]], *, brief: bool = False) -> str:
    """Return the psql script that puts in place what is staged for all ``parts``, in one transaction.

    The locks of all targets come first, in the order of their names. ``brief`` is as for :func:`script_staged`.

    Raises :class:`UsageError` for ``online``, and what :func:`script_staged` raises for each target.
    """
    check_together([plan for _, plan in parts])
    with steps.translated(), connect(conninfo) as conn:
        found = [(*staged_run(conn, plan, target), target) for target, plan in parts]
        found.sort(key=lambda each: place_in_order(each[0].probed))
        lines, printers = [RULE], []
        for run, facts, target in found:
            known, said = top(run, facts, target, plain=False)
            lines += [*said, RULE]
            printers.append(Psql(run, known, brief=brief))
        lines += [
            f"-- These {len(found)} targets change in one transaction: all of them, or none. First all are locked, in",
            "-- the order of their names.",
            "--",
            "-- Run it with psql, in the database that it was printed for:  psql -X -f THIS_FILE",
            "-- It stops at the first error. Then the transaction has changed nothing.",
            RULE,
        ]
        lines += printers[0].begin()
        for printer in printers:
            lines += printer.claim()
        for run, printer in zip((run for run, _, _ in found), printers, strict=True):
            lines += printer.transaction(split_at_lock(folders_of(run.way, run.plan))[0])
        for run, printer in zip((run for run, _, _ in found), printers, strict=True):
            lines += printer.transaction(split_at_lock(folders_of(run.way, run.plan))[1])
        lines += ["COMMIT;", ""]
        for run, printer in zip((run for run, _, _ in found), printers, strict=True):
            lines += printer.after(later_of(run))
        return "\n".join([*lines, "\\echo done"]) + "\n"
