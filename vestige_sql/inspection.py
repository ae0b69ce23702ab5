"""Questions that change nothing: what the probes say of a target, and whether the gate would let it through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from . import steps
from .arguments import VESTIGE, Target
from .checks import check_number
from .errors import CheckFailed
from .report import ReembedPlan
from .target import MAX_DIMENSION, Probed, blockers, connect, probe
from .work import check_goes_on, index_possible, triggers_fired_online


@contextmanager
def _probed(conninfo: str, target: Target, verb: str = "look") -> Iterator[tuple[psycopg.Connection[Any], Probed]]:
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        yield conn, probe(conn, target, needs_package=False, verb=verb)


def probe_target(conninfo: str, *, target: Target = VESTIGE, dimension: int | None = None) -> dict[str, Any]:
    """Return what the probes say: server, table, rows, model, indexes, what hangs on the column, who is at the table.

    ``dimension`` is the one that is planned, for what depends on it; the column's own by default. Raises
    :class:`UsageError` where it is none that pgvector stores.
    """
    if dimension is not None:
        check_number("dimension", dimension, 1, MAX_DIMENSION)
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
            "fired_online": triggers_fired_online(conn, probed),
            "sessions": steps.query(conn, "probe/sessions.sql", probed.values),
        }


def ask_gate(conninfo: str, *, target: Target = VESTIGE) -> list[str]:
    """Run the gate's checks on what is staged and return the names of those that hold, which are all of them.

    Raises :class:`CheckFailed` with the message of the first that does not, and :class:`StagedForAnother` where an
    online run has begun to fill its second column, which has checks of its own.
    """
    with _probed(conninfo, target, "gate") as (conn, probed):
        check_goes_on(conn, probed, ReembedPlan())
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
        if open_run and open_run["state"] == "filling":
            open_run["changes_noted"] = steps.query(conn, "probe/changed.sql", probed.values)[0]["changes"]
            of_new = probed.values | {"embedding_column": probed.values["new_column"]}
            open_run["new_indexes"] = steps.query(conn, "probe/indexes.sql", of_new)
        installed = probed.server["package_functions_exist"]
        phase, left, command = _phase(probed, open_run)
        return {
            "target": probed.column,
            "model": probed.model,
            "dimension": probed.typmod,
            "type": probed.table["embedding_full_type"],
            "estimated_rows": probed.table["estimated_rows"],
            "indexes": probed.indexes,
            "indexes_to_build": probed.saved_indexes,
            "kept": probed.kept,
            "phase": phase,
            "left": left,
            "next": command,
            "open_run": open_run,
            "last_runs": steps.query(conn, "probe/runs.sql", {"last_runs": last_runs}) if installed else [],
        }


def _phase(probed: Probed, run: dict[str, Any] | None) -> tuple[str, list[str], list[str]]:
    """Return the phase that a target is in, what is left to do in it, and the commands that one may type next."""
    verb = "vestige-sql migrate"
    if run is None:
        if probed.kept is not None:
            return (
                "kept",
                ["the former vectors are kept, to go back to or to let go"],
                [f"{verb} rollback", f"{verb} finalize"],
            )
        return "at rest", [], []
    online = " --online" if run["way"] == "online" else ""
    go_on = f"{verb} reembed --model .. --dimension {run['dimension']}{online}"
    if run["state"] == "applied" and online:
        return "switched", ["clear away what the run made for itself"], [go_on]
    if run["state"] == "applied" or run["scope"] == "index":
        return "applied", ["build the index"], [go_on]
    if run["state"] == "staging":
        staged = run.get("rows_staged", 0)
        left = [f"encode {max(0, (run['rows_total'] or 0) - staged):,} rows", "put them in place"]
        return "staging", left, [go_on, f"{verb} apply{online}", f"{verb} abort"]
    left = []
    to_fill = run.get("rows_staged", 0) - run["rows_filled"]
    if to_fill > 0 and not run["verified"]:
        left.append(f"fill {to_fill:,} rows of the second column")
    built = bool(run["new_indexes"]) and all(index["valid"] for index in run["new_indexes"])
    if not built and index_possible(probed, run["dimension"]):
        left.append("build the new index")
    if run["changes_noted"]:
        left.append(f"catch up with {run['changes_noted']:,} changes")
    if not run["verified"]:
        left.append("verify every row")
    return "filling", [*left, "switch"], [go_on, f"{verb} abort"]
