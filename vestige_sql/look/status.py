"""Where a target stands: its model, column and indexes, the open run, what is left to do, and the next command."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Any

from vestige_sql import steps
from vestige_sql.look.target import probed_target
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.decide import pgvector_faults
from vestige_sql.reembed.encoding import recorded_encoding
from vestige_sql.reembed.indexes import gets_index, index_possible
from vestige_sql.reembed.precision import recorded_computed
from vestige_sql.reembed.target import Probed


def status(conninfo: str, *, target: Target = VESTIGE, last_runs: int = 5) -> dict[str, Any]:
    """Return the registered model, the column and its indexes, the open run and the last runs."""
    with probed_target(conninfo, target) as (conn, probed):
        open_run = asdict(probed.open_run) if probed.open_run else None
        if open_run and open_run["staging_exists"]:
            open_run["rows_staged"] = steps.query(conn, "probe/staged.sql", probed.values)[0]["rows_staged"]
            open_run["share_done"] = min(1.0, open_run["rows_staged"] / max(1, open_run["rows_total"] or 1))
        if open_run and open_run["state"] == "filling" and not open_run["gone"]:
            open_run["changes_noted"] = steps.query(conn, "probe/changed.sql", probed.values)[0]["changes"]
            of_new = probed.values | {"embedding_column": probed.values["new_column"]}
            open_run["new_indexes"] = steps.query(conn, "probe/indexes.sql", of_new)
        installed = probed.server["package_functions_exist"]
        if open_run and probed.open_run:
            open_run["encoding"] = recorded_encoding(conn, probed.values, probed.open_run.model)
            open_run["computed"] = recorded_computed(conn, probed.values, probed.open_run.model, probed.open_run.id)
        phase, left, next_commands = _phase(target, probed, open_run)
        return {
            "target": probed.column,
            "model": probed.model,
            "encoding": recorded_encoding(conn, probed.values, probed.model) if installed else None,
            "dimension": probed.typmod,
            "type": probed.table["embedding_full_type"],
            "estimated_rows": probed.table["estimated_rows"],
            "pgvector_faults": pgvector_faults(conn),
            "indexes": probed.indexes,
            "indexes_to_build": probed.saved_indexes,
            "kept": asdict(probed.kept) if probed.kept else None,
            "refused": [{key: row[key] for key in ("what", "message", "hint")} for row in probed.refused],
            "phase": phase,
            "left": left,
            "next": next_commands,
            "open_run": open_run,
            "last_runs": steps.query(conn, "probe/runs.sql", {"last_runs": last_runs}) if installed else [],
        }


def _phase(target: Target, probed: Probed, run: dict[str, Any] | None) -> tuple[str, list[str], list[str]]:
    """Return the phase, what is left to do in it, and the commands that one may type next for ``target`` as given."""
    named = target.as_options()

    def command(verb: str, *more: str) -> str:
        return " ".join(filter(None, ("vestige-sql migrate", verb, named, *more)))

    if run is not None and run["gone"]:
        return "filling", [f"begin again: {run['gone']} was dropped by hand"], [command("abort")]
    if run is None:
        if probed.kept is not None and not probed.kept.is_there:
            gone = f"the former vectors are gone: the {probed.kept.place} that kept them was dropped by hand"
            return "kept", [f"{gone}; clear away the rest"], [command("finalize")]
        if probed.kept is not None:
            return (
                "kept",
                ["the former vectors are kept: go back to them, or drop them"],
                [command("rollback"), command("finalize")],
            )
        return "at rest", [], []
    online = "--online" if run["way"] == "online" else ""
    # The model's name, which is a name on the hub, or the name of its folder.
    go_on = command("reembed", shlex.join(("--model", run["name"], "--dimension", str(run["dimension"]))), online)
    if run["state"] == "applied" and online:
        return "switched", ["drop what the run made for itself"], [go_on]
    if run["state"] == "applied" or run["scope"] == "index":
        return "applied", ["build the index"], [go_on]
    if run["state"] == "staging":
        staged = run.get("rows_staged", 0)
        left = [f"encode {max(0, (run['rows_total'] or 0) - staged):,} rows", "put them in place"]
        return "staging", left, [go_on, command("apply", online), command("abort")]
    left = []
    to_fill = run.get("rows_staged", 0) - run["rows_filled"]
    if to_fill > 0 and not run["verified"]:
        left.append(f"fill {to_fill:,} rows of the second column")
    built = bool(run["new_indexes"]) and all(index["valid"] for index in run["new_indexes"])
    if not built and gets_index(probed, run["dimension"], ReembedPlan()) and index_possible(probed, run["dimension"]):
        left.append("build the new index")
    if run["changes_noted"]:
        left.append(f"catch up with {run['changes_noted']:,} changes")
    if not run["verified"]:
        left.append("verify every row")
    return "filling", [*left, "switch"], [go_on, command("abort")]
