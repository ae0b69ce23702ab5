"""Apply what is staged inside the caller's own transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.installed import bring_up, migrations
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import UsageError
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.apply import Applier
from vestige_sql.reembed.audit import begin_run, step_values
from vestige_sql.reembed.clock import Clock
from vestige_sql.reembed.decide import (
    Work,
    check_dimension,
    count_rows,
    find_staged,
    find_way,
    in_space_of,
    staged_for,
    verb_of,
)
from vestige_sql.reembed.job import Job, nothing_to_do
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.session import claim
from vestige_sql.reembed.target import Probed, probe
from vestige_sql.report import ReembedReport
from vestige_sql.steps import plans

log = logging.getLogger("vestige_sql")


def apply_reembed(
    connection: psycopg.Connection[Any],
    target: Target = VESTIGE,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    expect: ModelSignature | None = None,
) -> ReembedReport:
    """Put in place what is staged inside the caller's transaction on ``connection``, and commit nothing.

    Column, index, registry and audit change with whatever else the transaction does, or not at all. The table stays
    locked until the caller commits. The session's settings are as before afterwards.

    ``expect`` is the model that the caller is about; migrations should give it. What is staged for another is refused,
    where the column is in the space of ``expect`` already and nothing is staged there is nothing to do, and where no
    row has text, as in a database just made, nothing has to be staged: column, index and registry change, and the
    package's own schema is made if it is not there.

    Raises :class:`UsageError` in autocommit without a transaction and for ``concurrent_index`` and ``online``,
    :class:`CheckFailed` where nothing is staged, or not for every row, :class:`StagedForAnother`, and any other
    :class:`VestigeError`. What was done here is undone then, to a savepoint, and the transaction still open.
    """
    if plan.concurrent_index or plan.online:
        raise UsageError("CREATE INDEX CONCURRENTLY cannot run inside a transaction, and no online run can")
    if connection.autocommit and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        raise UsageError("apply_reembed() needs a transaction, and this connection is in autocommit")
    spent = Clock()
    with steps.translated(), _inside_transaction(connection):
        if expect is not None:
            _install_if_empty(connection, target)
        probed = probe(connection, target, verb=verb_of(plan))
        claim(connection, probed, "transaction/20_claim_run.sql")
        # Asked again, now that nobody else is at work on it.
        probed = probe(connection, target, verb=verb_of(plan))
        if expect is not None:
            check_dimension(expect)
            if in_space_of(probed, expect):
                log.info("apply: nothing to do: %s is in the space of %s", probed.column, expect)
                return nothing_to_do(expect, probed, spent)
            probed = _open_if_empty(connection, probed, expect)
        signature, work = find_staged(connection, probed, plan, expect)
        way, reason = find_way(connection, probed, signature, work, plan)
        assert probed.open_run is not None
        job = Job("", connection, probed, signature, plan, work, probed.open_run.id, Progress(), spent)
        applier = Applier(connection, job.values, plan, job.run_id, job.progress, spent=spent)
        return job.report(applier.retrying(lambda: applier.apply(way, reason)))


@contextmanager
def _inside_transaction(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Work behind a savepoint of the caller's transaction, with our settings, and give it back with the caller's."""
    # Asked before the savepoint: where the caller has sent nothing yet, this begins the transaction.
    before = steps.query(conn, "session/settings.sql", {})
    with conn.transaction():
        for step in plans.load("inside").steps("settings"):
            steps.run(conn, step, {})
        yield
        for row in before:
            steps.run(conn, steps.load("session/restore_setting.sql"), {"name": row["name"], "value": row["value"]})


def _install_if_empty(conn: psycopg.Connection[Any], target: Target) -> None:
    """Make the package's schema where it is missing and no row has text: CI and test runners make databases anew."""
    server = steps.query_one(conn, "probe/server.sql", {})
    if server is None or server["package_functions_exist"]:
        return
    if count_rows(conn, probe(conn, target, needs_package=False))["rows_with_text"]:
        return
    # These migrations create what is missing, so that vestige-sql migrate up can run over them later.
    for text in migrations():
        steps.execute(conn, text)
    bring_up(conn)


def _open_if_empty(conn: psycopg.Connection[Any], probed: Probed, expect: ModelSignature) -> Probed:
    """Where no row has text, open a run for ``expect`` with an empty staging table, for all that there is is staged."""
    if (probed.open_run and probed.open_run.staging_exists) or count_rows(conn, probed)["rows_with_text"]:
        return probed
    work = Work("all", 0, 0, 0)
    if staged_for(probed) is None:
        if probed.saved_indexes and probed.model is not None and probed.open_run is not None:
            # Left by an earlier run, with a definition for the dimension that the column has still.
            plan, pending = ReembedPlan(), Work("index", 0, 0, 0)
            values = step_values(probed, probed.model, pending, plan)
            applier = Applier(conn, values, plan, probed.open_run.id, Progress())
            applier.retrying(lambda: applier.build_only(drop_invalid=bool(probed.invalid_indexes)))
            probed = probe(conn, probed.target)
        steps.run(conn, steps.load("run/close.sql"), probed.values)
        begin_run(conn, probed, expect, work, ReembedPlan())
    for step in plans.load("stage").steps("create"):
        steps.run(conn, step, step_values(probed, expect, work, ReembedPlan()))
    return probe(conn, probed.target)
