"""What the audit keeps: runs, the steps that they ran, and how they ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import VestigeError
from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.decide import Work, refusal_values
from vestige_sql.reembed.target import Probed
from vestige_sql.resources import package_version
from vestige_sql.steps import plans
from vestige_sql.steps.files import Value
from vestige_sql.steps.running import StepRun

log = logging.getLogger("vestige_sql")


@dataclass
class Applied:
    """What an apply did: facts that its steps returned, seconds, and what there is to say about it."""

    way: str
    way_reason: str
    facts: dict[str, Any] = field(default_factory=dict)
    index_secs: float = 0.0
    recall: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def record_step(conn: psycopg.Connection[Any], run_id: int, done: StepRun) -> None:
    """Keep in the audit that a step ran."""
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
    """Keep in the audit how a run went."""
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
    """Close a run that died once its vectors were in place, and clear away what an online one made for itself."""
    run = probed.open_run
    if run is None:
        return
    switched = run.applied and run.online
    if switched:
        for folder in plans.load("online").folders("clear"):
            if plans.role(folder) != "close":
                for step in steps.folder(folder):
                    record_step(conn, run.id, steps.run(conn, step, probed.values))
    if indexed or switched:
        steps.run(conn, steps.load("run/close.sql"), probed.values)


def step_values(probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan) -> dict[str, Value]:
    values = probed.values | refusal_values(probed, signature.dimension, plan)
    return values | {
        "model_name": signature.name,
        "model_hash": signature.hash,
        "only_missing": work.scope == "missing",
        "lock_timeout": f"{round(plan.lock_wait_secs * 1000)}ms",
        "run_state": "applied" if plan.concurrent_index else "done",
        # Online the processors are for those who search.
        "index_workers": 0 if plan.online else None,
        "index_memory_kb": None if plan.index_memory_bytes is None else plan.index_memory_bytes >> 10,
    }


@contextmanager
def auditing(
    conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan
) -> Iterator[int]:
    """Open the run in the audit, or go on with the open one, and keep the error that stops it."""
    run = probed.open_run
    goes_on = run is not None and run.goes_on_with(work.scope)
    if run is not None and not goes_on:
        # A run whose vectors are in place and whose index this run builds or replaces, or an empty one.
        finish_open_run(conn, probed)
    run_id: int = run.id if run is not None and goes_on else begin_run(conn, probed, signature, work, plan)
    if goes_on:
        log.info(
            "reembed: going on with run %d, begun %s",
            run_id,
            f"{run.started_at:%Y-%m-%d %H:%M:%S %Z}" if run else "",
        )
    try:
        yield run_id
    except (VestigeError, psycopg.Error) as error:
        # The connection may be what broke; then the audit has to do without.
        with suppress(psycopg.OperationalError):
            text = str(error).replace("\0", "").encode(errors="backslashreplace").decode()
            steps.run(conn, steps.load("run/record_error.sql"), {"run_id": run_id, "error": text})
        raise


def literal(conn: psycopg.Connection[Any], value: str | int | None) -> str:
    """Return ``value`` as SQL text, quoted by psycopg."""
    return psycopg.sql.Literal(value).as_string(conn)


def opening_values(
    conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, *, only_missing: bool = False
) -> dict[str, Value]:
    """Return the step variables that every run is opened with: the model that it leaves, NULL where none is registered,
    and the variables that sql/variables.psql gives to psql.
    """
    model = probed.model
    return {
        "from_name": literal(conn, model.name if model else None),
        "from_dimension": literal(conn, model.dimension if model else None),
        "from_hash": literal(conn, model.hash if model else None),
        "variables": json.dumps(probed.values | {"dimension": signature.dimension, "only_missing": only_missing}),
        "package_version": package_version(),
    }


def begin_run(
    conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan
) -> int:
    values = probed.values | opening_values(conn, probed, signature, only_missing=work.scope == "missing")
    values |= {
        "scope": work.scope,
        "model_name": signature.name,
        "dimension": signature.dimension,
        "model_hash": signature.hash,
        "way": "online" if plan.online else None,
        "rows_total": work.rows,
    }
    done = steps.run(conn, steps.load("run/open.sql"), values)
    run_id: int = done.result[0]["id"]
    return run_id
