"""Questions that change nothing: what the probes say of a target, and whether the gate would let it through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from . import steps
from .errors import CheckFailed
from .target import VESTIGE, Probed, Target, blockers, connect, probe


@contextmanager
def _probed(conninfo: str, target: Target) -> Iterator[tuple[psycopg.Connection[Any], Probed]]:
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        yield conn, probe(conn, target, needs_package=False)


def probe_target(conninfo: str, *, target: Target = VESTIGE, dimension: int | None = None) -> dict[str, Any]:
    """Return what the probes say: server, table, rows, model, indexes, what hangs on the column, who is at the table.

    ``dimension`` is the one that is planned, for what depends on it; the column's own by default.
    """
    with _probed(conninfo, target) as (conn, probed):
        in_the_way = blockers(conn, probed, dimension or probed.typmod or 0)
        return {
            "server": probed.server,
            "target": probed.column,
            "table": probed.table,
            "rows": steps.query(conn, "probe/rows.sql", probed.values)[0],
            "model": probed.model,
            "indexes": probed.indexes,
            "in_the_way_of_rewrite_and_widen": in_the_way.alter,
            "in_the_way_of_swap": in_the_way.swap,
            "sessions": steps.query(conn, "probe/sessions.sql", probed.values),
        }


def ask_gate(conninfo: str, *, target: Target = VESTIGE) -> list[str]:
    """Run the gate's checks on what is staged and return the names of those that hold, which are all of them.

    Raises :class:`CheckFailed` with the message of the first that does not.
    """
    with _probed(conninfo, target) as (conn, probed):
        run = probed.open_run
        if run is None or run["state"] != "staging" or not run["staging_exists"]:
            raise CheckFailed(f"nothing is staged for {probed.column}", "run vestige-sql migrate stage first")
        values = probed.values | {"dimension": run["dimension"], "only_missing": run["scope"] == "missing"}
        return [steps.run(conn, step, values).step.name for step in steps.folder("gate")]


def status(conninfo: str, *, target: Target = VESTIGE, last_runs: int = 5) -> dict[str, Any]:
    """Return what is registered, what the column and its indexes are, the open run and the last runs."""
    with _probed(conninfo, target) as (conn, probed):
        open_run = dict(probed.open_run) if probed.open_run else None
        if open_run and open_run["staging_exists"]:
            open_run["rows_staged"] = steps.query(conn, "probe/staged.sql", probed.values)[0]["rows_staged"]
            open_run["share_done"] = min(1.0, open_run["rows_staged"] / max(1, open_run["rows_total"] or 1))
        installed = probed.server["package_functions_exist"]
        return {
            "target": probed.column,
            "model": probed.model,
            "dimension": probed.typmod,
            "type": probed.table["embedding_full_type"],
            "estimated_rows": probed.table["estimated_rows"],
            "indexes": probed.indexes,
            "indexes_to_build": probed.saved_indexes,
            "open_run": open_run,
            "last_runs": steps.query(conn, "probe/runs.sql", {"last_runs": last_runs}) if installed else [],
        }
