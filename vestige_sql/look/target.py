"""What the probes say about a target, and whether its staged vectors pass the gate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.checks import check_number
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder
from vestige_sql.encode.probing import probe_texts
from vestige_sql.errors import CheckFailed, TargetError
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.decide import check_goes_on, pgvector_faults, triggers_fired_online
from vestige_sql.reembed.encoder import check_remembered
from vestige_sql.reembed.refusals import ask
from vestige_sql.reembed.run import refusal_values
from vestige_sql.reembed.target import MAX_DIMENSION, Probed, probe
from vestige_sql.steps import plans


@contextmanager
def probed_target(
    conninfo: str, target: Target, verb: str = "look"
) -> Iterator[tuple[psycopg.Connection[Any], Probed]]:
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        yield conn, probe(conn, target, needs_package=False, verb=verb)


def probe_target(conninfo: str, *, target: Target = VESTIGE, dimension: int | None = None) -> dict[str, Any]:
    """Return the server, table, rows, model and indexes, what hangs on the column, and the sessions at the table.

    ``dimension`` is the planned one, for answers that depend on it; by default it is the column's own. Raises
    :class:`UsageError` if pgvector does not store that many.
    """
    if dimension is not None:
        check_number("dimension", dimension, 1, MAX_DIMENSION)
    with probed_target(conninfo, target) as (conn, probed):
        refusals = ask(conn, probed.values | refusal_values(probed, dimension or probed.typmod or 0, ReembedPlan()))
        return {
            "server": probed.server,
            "pgvector_faults": pgvector_faults(conn),
            "target": probed.column,
            "table": probed.table,
            "rows": steps.query(conn, "probe/rows.sql", probed.values)[0],
            "model": probed.model,
            "indexes": probed.indexes,
            "in_the_way_of_rewrite_and_widen": refusals.in_the_way_of("rewrite"),
            "in_the_way_of_swap": refusals.in_the_way_of("swap"),
            "fired_online": triggers_fired_online(conn, probed),
            "sessions": steps.query(conn, "probe/sessions.sql", probed.values),
        }


def check_encoder(conninfo: str, embedder: Embedder) -> None:
    """Check that a model without files is still the one that made the vectors, as far as anything is remembered of it.

    A role that may not read what is remembered goes without. Raises :class:`ModelMismatch` if it is another.
    """
    if not probe_texts(embedder):
        return
    with steps.translated(), connect(conninfo, read_only=True) as conn, suppress(TargetError):
        check_remembered(conn, embedder)


def ask_gate(
    conninfo: str, *, target: Target = VESTIGE, require_verdict: bool = False, recreate_views: bool = False
) -> list[str]:
    """Run the gate's checks on the staged vectors, and return the names of all checks. All of them hold.

    With ``require_verdict`` what is staged must have been judged, and the verdict be GO. With ``recreate_views`` views
    that use the column are allowed, if they can be made again as they are.

    Raises :class:`CheckFailed` with the message of the first check that fails, and :class:`StagedForAnother` if an
    online run has begun to fill its second column, which has checks of its own.
    """
    with probed_target(conninfo, target, "gate") as (conn, probed):
        probed.check_known()
        check_goes_on(conn, probed, ReembedPlan())
        run = probed.open_run
        if run is None or run.state != "staging" or not run.staging_exists:
            raise CheckFailed(f"nothing is staged for {probed.column}", "run vestige-sql migrate stage first")
        plan = ReembedPlan(require_verdict=require_verdict, recreate_views=recreate_views)
        values = probed.values | refusal_values(probed, run.dimension, plan)
        values["only_missing"] = run.only_missing
        values["way"] = "fill" if values["only_missing"] else ask(conn, values).choose("auto")[0]
        with conn.transaction():
            return [
                steps.run(conn, step, values).step.name
                for step in plans.load("gate").steps()
                if step.name.startswith("gate/") or not steps.run(conn, step, values)
            ]
