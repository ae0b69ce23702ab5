"""Applies the staged vectors inside the caller's own transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.installed import MAKES_THE_SCHEMA, bring_up, migrations
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import UsageError
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.apply import Applier
from vestige_sql.reembed.audit import begin_run
from vestige_sql.reembed.clock import Clock
from vestige_sql.reembed.decide import (
    check_dimension,
    count_rows,
    find_staged,
    in_space_of,
    settle_way,
    staged_for,
    verb_of,
)
from vestige_sql.reembed.encoding import recorded_encoding
from vestige_sql.reembed.job import Job, nothing_to_do
from vestige_sql.reembed.run import Run, Work
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
    """Put the staged vectors in place inside the caller's transaction on ``connection``. Commits nothing.

    Column, index, registry and audit change together with the rest of the transaction, or not at all. The table stays
    locked until the caller commits. Afterwards the session's settings are as before.

    ``expect`` is the model that the caller wants; migrations should give it. Vectors staged for another model are
    refused. If the column is in the space of ``expect`` already and nothing is staged, there is nothing to do. If no
    row has text, as in a new database, nothing has to be staged: column, index and registry change, and the package's
    own schema is created if it is missing.

    Raises :class:`UsageError` in autocommit without a transaction, for another driver's connection, and for
    ``concurrent_index`` and ``online``,
    :class:`CheckFailed` if nothing is staged, or not for every row, :class:`StagedForAnother`, and any other
    :class:`VestigeError`. Then everything done here is undone, to a savepoint, and the transaction is still open.
    """
    if not isinstance(connection, psycopg.Connection):
        raise UsageError(
            "apply_reembed() needs a connection of psycopg 3, psycopg.Connection, and this one is a "
            f"{type(connection).__module__}.{type(connection).__qualname__}",
            "nothing was written; let the migrations connect by psycopg 3: postgresql+psycopg:// for SQLAlchemy and "
            "yoyo, the package psycopg for Django",
        )
    if plan.concurrent_index or plan.online:
        raise UsageError("CREATE INDEX CONCURRENTLY cannot run inside a transaction, and no online run can")
    if connection.autocommit and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        raise UsageError("apply_reembed() needs a transaction, and this connection is in autocommit")
    clock = Clock()
    with steps.translated(), _inside_transaction(connection):
        if expect is not None:
            _install_if_empty(connection, target)
        probed = probe(connection, target, verb=verb_of(plan))
        claim(connection, probed, "transaction/20_claim_run.sql")
        # Probed again, now that nobody else is at work on it.
        probed = probe(connection, target, verb=verb_of(plan))
        if expect is not None:
            check_dimension(expect)
            if in_space_of(probed, expect):
                log.info("apply: nothing to do: %s is in the space of %s", probed.column, expect)
                return nothing_to_do(Run(connection, probed, expect, plan, clock=clock))
            probed = _open_if_empty(connection, probed, expect)
        signature, work = find_staged(connection, probed, plan, expect)
        assert probed.open_run is not None
        run = Run(connection, probed, signature, plan, work, clock=clock, id=probed.open_run.id)
        run.encoding = recorded_encoding(connection, run.values, signature)
        settle_way(run)
        if run.in_place:
            raise UsageError(
                f"the indexes of {probed.rows_meant} are built concurrently, which no transaction allows",
                "everything done here was undone; put these rows in place with vestige-sql migrate apply",
            )
        applier = Applier(run)
        return Job(run).report(applier.retrying(applier.apply))


@contextmanager
def _inside_transaction(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Work behind a savepoint of the caller's transaction, with our settings, and restore the caller's settings."""
    # Read before the savepoint. If the caller has sent nothing yet, this begins the transaction.
    before = steps.query(conn, "session/settings.sql", {})
    with conn.transaction():
        for step in plans.load("inside").steps("settings"):
            steps.run(conn, step, {})
        yield
        for row in before:
            steps.run(conn, steps.load("session/restore_setting.sql"), {"name": row["name"], "value": row["value"]})


def _install_if_empty(conn: psycopg.Connection[Any], target: Target) -> None:
    """Create the package's schema if it is missing and no row has text, as in new databases of CI and test runners."""
    server = steps.query_one(conn, "probe/server.sql", {})
    if server is None or server["package_functions_exist"]:
        return
    if count_rows(conn, probe(conn, target, needs_package=False))["rows_with_text"]:
        return
    # These migrations create what is missing, so that vestige-sql migrate up can run over them later.
    for text in migrations():
        steps.execute(conn, MAKES_THE_SCHEMA.sub("", text) if server["package_schema_exists"] else text)
    bring_up(conn)


def _open_if_empty(conn: psycopg.Connection[Any], probed: Probed, expect: ModelSignature) -> Probed:
    """If no row has text, open a run for ``expect`` with an empty staging table: there is nothing to stage."""
    if (probed.open_run and probed.open_run.staging_exists) or count_rows(conn, probed)["rows_with_text"]:
        return probed
    run = Run(conn, probed, expect, ReembedPlan(), Work("all"))
    if staged_for(probed) is None:
        if probed.saved_indexes and probed.model is not None and probed.open_run is not None:
            # An earlier run has not built these. Their definitions are for the dimension that the column still has.
            applier = Applier(Run(conn, probed, probed.model, ReembedPlan(), Work("index"), id=probed.open_run.id))
            applier.retrying(applier.build_only)
            run = replace(run, probed=probe(conn, probed.target))
        steps.run(conn, steps.load("run/close.sql"), run.values)
        begin_run(run)
    for step in plans.load("stage").steps("create"):
        steps.run(conn, step, run.values)
    return probe(conn, probed.target)
