"""What the audit keeps: runs, the steps that they ran, and how they ended."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.errors import VestigeError
from vestige_sql.reembed.decide import keeps_triggers_quiet
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.target import Probed
from vestige_sql.resources import package_version
from vestige_sql.steps import plans
from vestige_sql.steps.files import Value
from vestige_sql.steps.running import StepRun

log = logging.getLogger("vestige_sql")

_FORGET_ROWS, _FORGET_PAUSE_SECS = 500, 0.5


@dataclass
class Applied:
    """What an apply did: facts that its steps returned, seconds, and notes about it for people."""

    way: str
    way_reason: str
    facts: dict[str, Any] = field(default_factory=dict)
    index_secs: float = 0.0
    recall: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def record_step(conn: psycopg.Connection[Any], run_id: int, done: StepRun) -> None:
    """Record in the audit that a step ran."""
    steps.run(
        conn,
        steps.load("run/record_step.sql"),
        {
            "run_id": run_id,
            "file": done.step.name,
            "sha256": done.step.sha256,
            "rows_affected": done.rows,
            "duration_secs": round(done.seconds, 6),
        },
    )


def record_report(conn: psycopg.Connection[Any], run_id: int, applied: Applied, seconds: float) -> None:
    """Record in the audit how a run went."""
    steps.run(
        conn,
        steps.load("run/record_report.sql"),
        {
            "run_id": run_id,
            "way": None if applied.way == "index" else applied.way,
            "way_reason": literal(conn, applied.way_reason),
            "duration_secs": str(round(seconds, 6)),
            "index_secs": str(round(applied.index_secs, 6)),
        },
    )


def finish_open_run(conn: psycopg.Connection[Any], probed: Probed, *, indexed: bool = True) -> None:
    """Close a run that died after its vectors were in place, and drop what an online run made for itself."""
    run = probed.open_run
    if run is None:
        return
    switched = run.applied and run.online
    if switched:
        for done in forget_outdated(conn, probed.values, quiet=keeps_triggers_quiet(conn, probed)):
            record_step(conn, run.id, done)
        for folder in plans.load("online").folders("clear"):
            if plans.role(folder) != "close":
                for step in steps.folder(folder):
                    record_step(conn, run.id, steps.run(conn, step, probed.values))
    if indexed or switched:
        steps.run(conn, steps.load("run/close.sql"), probed.values)


def forget_outdated(conn: psycopg.Connection[Any], values: Mapping[str, Value], *, quiet: bool) -> list[StepRun]:
    """Let rows whose text changed during an online run go of their former vectors, batch by batch.

    Returns the steps of the last batch. Waits as long as other sessions have such rows locked.
    """
    order = plans.load("online").steps("forget", {"quiet"} if quiet else ())
    batch = dict(values) | {"batch_rows": _FORGET_ROWS}
    before = None
    while True:
        with conn.transaction():
            ran = [steps.run(conn, step, batch) for step in order]
        left = ran[-1].result[0]["notes_left"]
        if not left:
            return ran
        if left == before:
            time.sleep(_FORGET_PAUSE_SECS)
        before = left


@contextmanager
def auditing(run: Run) -> Iterator[None]:
    """Open the run in the audit, or resume the open one, and record the error that stops it."""
    open_run = run.probed.open_run
    if open_run is not None and open_run.goes_on_with(run.work.scope):
        run.id = open_run.id
        begun = f"{open_run.started_at:%Y-%m-%d %H:%M:%S %Z}"
        log.info("%s: resuming run %d, begun %s", run.verb, run.id, begun)
    else:
        # The open run has its vectors in place, and this run builds or replaces its index. Or it is an empty run.
        finish_open_run(run.conn, run.probed)
        begin_run(run)
    try:
        yield
    except (VestigeError, psycopg.Error) as error:
        # If the connection broke, the audit has to do without the error.
        with suppress(psycopg.OperationalError):
            text = str(error).replace("\0", "").encode(errors="backslashreplace").decode()
            steps.run(run.conn, steps.load("run/record_error.sql"), {"run_id": run.id, "error": text})
        raise


def literal(conn: psycopg.Connection[Any], value: str | int | None) -> str:
    """Return ``value`` as SQL text, quoted by psycopg."""
    return psycopg.sql.Literal(value).as_string(conn)


def opening_values(run: Run) -> dict[str, Value]:
    """Return the step variables that every run is opened with.

    These are the model that it leaves, NULL if none is registered, and the variables that sql/variables.psql gives to
    psql.
    """
    model = run.probed.model
    of_psql = run.probed.values | {"dimension": run.model.dimension, "only_missing": run.work.only_missing}
    return {
        "from_name": literal(run.conn, model.name if model else None),
        "from_dimension": literal(run.conn, model.dimension if model else None),
        "from_hash": literal(run.conn, model.hash if model else None),
        "variables": json.dumps(of_psql),
        "package_version": package_version(),
    }


def begin_run(run: Run) -> None:
    """Open the run in the audit."""
    values = run.values | opening_values(run)
    values |= {
        "scope": run.work.scope,
        "way": "online" if run.plan.online else None,
        "rows_total": run.work.rows,
    }
    run.id = steps.run(run.conn, steps.load("run/open.sql"), values).result[0]["id"]
