"""Orders the phases of a run: probe, stage, gate, apply, report."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg

from . import steps
from .apply import Applied, Applier, record_report, record_step
from .arguments import VESTIGE, Target
from .embedder import Embedder, ModelSignature
from .errors import (
    CheckFailed,
    IndexInvalid,
    ModelMismatch,
    RunInProgress,
    ServerError,
    UsageError,
    VestigeError,
)
from .installed import bring_up, migrations
from .online import Online, measure_recall
from .progress import Progress
from .ray_engine import RayEngine, outlives_restarts
from .report import DryRunSummary, ReembedPlan, ReembedReport, fixed_estimate
from .resources import package_version
from .script import script
from .spent import Spent
from .stage import COPY, DISCARD, EVERY_ROW, EXTENT, FIRST, SETTLE, STAGING_FITS, Stager, TooManyPending
from .steps import StepRun, Value
from .target import Probed, connect, probe
from .work import (
    Work,
    check_dimension,
    check_embedder,
    count_rows,
    difference,
    find_staged,
    find_way,
    find_work,
    in_space_of,
    index_possible,
    keeps_triggers_quiet,
    notes,
    renamed_run,
    staged_for,
    warning,
)

log = logging.getLogger("vestige_sql")

# How often changes made meanwhile are chased before the table is said to change too fast. Each round is shorter than
# the last by the ratio of the rates of change and of encoding, so that a handful is enough or none is.
_ROUNDS = 8

# How long another run on the same target is waited for: enough for one that is just ending.
_CLAIM_SECS = 3.0

Notice = Callable[[str], None]


@outlives_restarts
def run_reembed(
    conninfo: str,
    embedder: Embedder,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008  (frozen)
    *,
    target: Target = VESTIGE,
    progress: Progress | None = None,
    before_write: Notice | None = None,
    engine: RayEngine | None = None,
) -> ReembedReport:
    """Encode every row's content with ``embedder`` and put the vectors in place, with index and registry.

    ``conninfo`` is anything that libpq takes. ``before_write`` is called once, with a text that says what readers and
    writers will notice, before the first write; an exception from it stops the run. What a killed run had staged is
    not encoded again. With an ``engine`` the encoding is done by its workers.

    Raises a :class:`VestigeError` that says what state the data is in.
    """
    signature, spent = check_embedder(embedder), Spent()
    with claimed_session(conninfo, target, _verb(plan)) as (conn, probed):
        work = find_work(conn, probed, signature, plan)
        if work.scope is None:
            log.info("reembed: nothing to do: %s is in the space of %s", probed.column, signature)
            finish_open_run(conn, probed)
            return _nothing_to_do(signature, probed, spent)
        plan = _plan_for(work, plan)
        way, reason = find_way(conn, probed, signature, work, plan)
        if before_write is not None:
            with spent.on("waiting"):
                before_write(warning(probed, signature, work, plan, way))
        now = probed
        if work.scope == "all":
            with spent.on("index"):
                now = build_pending_indexes(conninfo, conn, probed, plan, progress or Progress())
        with _run(conn, now, signature, work, plan) as run_id:
            job = _Job(conninfo, conn, now, signature, plan, work, run_id, progress or Progress(), spent, engine)
            return job.carry_out(way, reason, embedder)


@outlives_restarts
def stage_reembed(
    conninfo: str,
    embedder: Embedder,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    progress: Progress | None = None,
    engine: RayEngine | None = None,
) -> ReembedReport:
    """Encode what is pending and stage it; nothing live is touched. The arguments are those of :func:`run_reembed`."""
    signature, spent = check_embedder(embedder), Spent()
    with claimed_session(conninfo, target, "stage") as (conn, probed):
        # An online run may be under way: then this stages what changed, and the run's second column is left alone.
        online = bool(probed.open_run and probed.open_run["state"] == "filling")
        plan = replace(plan, online=online, fire_triggers=True)
        work = find_work(conn, probed, signature, plan)
        if work.scope in (None, "index"):
            log.info("stage: nothing to do: every row of %s has its vector of %s", probed.column, signature)
            return _nothing_to_do(signature, probed, spent)
        find_way(conn, probed, signature, work, plan)
        now = probed
        if work.scope == "all":
            concurrently = replace(plan, concurrent_index=True)
            with spent.on("index"):
                now = build_pending_indexes(conninfo, conn, probed, concurrently, progress or Progress())
        with _run(conn, now, signature, work, plan) as run_id:
            job = _Job(conninfo, conn, now, signature, plan, work, run_id, progress or Progress(), spent, engine)
            stager = job.stager(embedder)
            started = time.monotonic()
            job.stage(stager)
            return ReembedReport(
                duration_secs=time.monotonic() - started,
                rows_blank=work.rows_blank,
                rows_encoded=stager.rows,
                model=signature,
                previous_model=probed.model,
                run_id=run_id,
                workers=engine.reports if engine else [],
                spent=spent.so_far(),
                device=job.device(stager),
            )


def apply_staged(
    conninfo: str,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    progress: Progress | None = None,
    before_write: Notice | None = None,
) -> ReembedReport:
    """Put in place what is staged, without a model: rows that changed since they were staged are an error."""
    spent = Spent()
    with claimed_session(conninfo, target, _verb(plan)) as (conn, probed):
        signature, work = find_staged(conn, probed, plan)
        plan = _plan_for(work, plan)
        way, reason = find_way(conn, probed, signature, work, plan)
        if before_write is not None:
            with spent.on("waiting"):
                before_write(warning(probed, signature, work, plan, way))
        with _run(conn, probed, signature, work, plan) as run_id:
            job = _Job(conninfo, conn, probed, signature, plan, work, run_id, progress or Progress(), spent)
            return job.carry_out(way, reason)


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
    spent = Spent()
    with steps.translated(), _inside_transaction(connection):
        if expect is not None:
            _install_if_empty(connection, target)
        probed = probe(connection, target, verb=_verb(plan))
        _claim(connection, probed, "transaction/20_claim_run.sql")
        # Asked again, now that nobody else is at work on it.
        probed = probe(connection, target, verb=_verb(plan))
        if expect is not None:
            check_dimension(expect)
            if in_space_of(probed, expect):
                log.info("apply: nothing to do: %s is in the space of %s", probed.column, expect)
                return _nothing_to_do(expect, probed, spent)
            probed = _open_if_empty(connection, probed, expect)
        signature, work = find_staged(connection, probed, plan, expect)
        way, reason = find_way(connection, probed, signature, work, plan)
        assert probed.open_run is not None
        job = _Job("", connection, probed, signature, plan, work, probed.open_run["id"], Progress(), spent)
        applier = Applier(connection, job.values, plan, job.run_id, job.progress, spent=spent)
        return job.report(applier.retrying(lambda: applier.apply(way, reason)))


def script_staged(
    conninfo: str,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    plain: bool = False,
) -> str:
    """Return the psql script that does what :func:`apply_staged` would do now, every value filled in.

    ``plain`` gives SQL alone, for a migration tool that brings the connection and the transaction: no commands of
    psql, no BEGIN and COMMIT. It is not tied to the run that is open now: it applies what is staged for the same model
    in whichever database it runs, and on a table without text it needs nothing staged.

    Raises :class:`UsageError` for ``plain`` with an index that is built afterwards or kept, and for ``online``.
    """
    if plan.online:
        raise UsageError("an online run is no one script; sql/README.md says how to run its folders by hand")
    if plain and (plan.concurrent_index or not plan.drop_hnsw_first):
        raise UsageError(
            "--plain drops the vector indexes first and builds them in the same transaction, so it takes neither "
            "--concurrent-index nor --no-drop-hnsw-first"
        )
    with steps.translated(), connect(conninfo) as conn:
        probed = probe(conn, target, verb=_verb(plan))
        signature, work = find_staged(conn, probed, plan)
        way, reason = find_way(conn, probed, signature, work, plan)
        table, server = probed.table, probed.server
        staged = steps.query(conn, "probe/staged.sql", probed.values)[0]["rows_staged"]
        locked = "no writer" if way == "fill" else "nobody else"
        facts = [
            (
                "Database",
                f"{server['database']}, PostgreSQL {server['server_version']}, pgvector {server['pgvector_version']}",
            ),
            ("Rows", f"{work.rows_total:,}, {work.rows_blank:,} of them without text; {staged:,} vectors are staged"),
            ("Size", f"table {table['table_bytes']:,} bytes, indexes {table['index_bytes']:,} bytes"),
            ("Column", f"{table['embedding_full_type']} becomes {table['vector_type']}({signature.dimension})"),
            ("Model", f"{probed.model or 'none registered'}\nbecomes {signature}"),
            ("Locks", f"from the first step to COMMIT {locked} gets at the table"),
            *(("Note", note) for note in notes(probed, signature, work)),
        ]
        values = step_values(probed, signature, work, plan) | {
            "scope": work.scope,
            "package_version": package_version(),
        }
        return script(conn, probed, plan, values, (way, reason), facts, plain=plain)


def dry_run_reembed(
    conninfo: str,
    embedder: Embedder,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    calibrate: bool = False,
) -> DryRunSummary:
    """Say what :func:`run_reembed` would do. Calls the encoder zero times and writes nothing.

    ``calibrate`` predicts how long it will take and the disk that it will need: it encodes some of the texts and tries
    the run on a small copy, in a transaction that is never committed. Raises :class:`BadEmbedding` where the model
    gives a vector for one of those texts that cannot be searched.
    """
    signature = check_embedder(embedder)
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        probed = probe(conn, target, needs_package=False, verb=_verb(plan))
        work = find_work(conn, probed, signature, plan)
        way, reason = find_way(conn, probed, signature, work, plan) if work.scope else (None, None)
        staged = 0
        if probed.open_run and probed.open_run["staging_exists"]:
            staged = steps.query(conn, "probe/staged.sql", probed.values)[0]["rows_staged"]
        builds_index = (
            work.scope is not None
            and index_possible(probed, signature.dimension)
            and (work.scope != "missing" or not probed.index_is_there)
        )
        blank = work.rows_blank
        if work.scope is None:
            # A run has no need of it then.
            counts = count_rows(conn, probed)
            blank = counts["rows_total"] - counts["rows_with_text"]
        calibrated = None
        if calibrate and way is not None:
            # Here and not above, for no other dry run has a use for it.
            from .calibrate import Job, predict

            values = step_values(probed, signature, work, plan)
            pending = max(0, work.rows - staged)
            job = Job(conninfo, probed, plan, work, way, values, pending, builds_index)
            calibrated = predict(conn, embedder, job)
        return DryRunSummary(
            rows_to_update=work.rows,
            embedder_batches=math.ceil(work.rows / plan.batch_size),
            estimated_walltime_secs=fixed_estimate(work.rows, builds_index=builds_index),
            current_signature=probed.model,
            target_signature=signature,
            would_alter_typmod=probed.typmod != signature.dimension,
            rows_staged=staged,
            rows_blank=blank,
            would_build_index=builds_index,
            way=way,
            way_reason=reason,
            notes=notes(probed, signature, work),
            calibrated=calibrated,
        )


def register_model(conninfo: str, signature: ModelSignature, *, target: Target = VESTIGE) -> bool:
    """Register the first model of a target and stamp its dimension on the column.

    Returns False where the same model is registered already. Vectors that are there are taken to be of that model;
    the server checks their dimension.

    Raises :class:`ModelMismatch` where another model is registered.
    """
    with claimed_session(conninfo, target) as (conn, probed):
        if probed.model is not None and probed.model != signature:
            raise ModelMismatch(
                f"{probed.column} is registered under {probed.model}, not {signature}: "
                + difference(probed.model, signature),
                "only a re-embedding changes the registered model: vestige-sql migrate reembed; nothing was written",
            )
        if probed.model == signature and probed.typmod == signature.dimension:
            return False
        check_dimension(signature)
        values = probed.values | {
            "dimension": signature.dimension,
            "model_name": signature.name,
            "model_hash": signature.hash,
            "lock_timeout": "10s",
        }
        with conn.transaction():
            for folder in ("lock/exclusive", "register"):
                for step in steps.folder(folder):
                    steps.run(conn, step, values)
        log.info("register: %s is in the space of %s", probed.column, signature)
        return True


def abort_reembed(conninfo: str, *, target: Target = VESTIGE) -> bool:
    """Undo the run that is under way, whatever phase it died in: staged vectors go, and of an online run the second
    column with its indexes and triggers. Returns False where no run is under way; one that has been applied stays.
    """
    with claimed_session(conninfo, target, "back") as (conn, probed):
        run, named = probed.open_run, probed.values
        if run is None and (run := renamed_run(conn, probed)) is not None:
            # What it made is called as it was then, and hangs on the table as that is called now.
            named = run["variables"]
        if run is None or run["state"] == "applied":
            finish_open_run(conn, probed, indexed=False)
            return False
        plan = ReembedPlan(online=run["state"] == "filling")
        now = {key: probed.values[key] for key in ("oid", "name", "schema", "table")}
        values = named | now | {"lock_timeout": f"{round(plan.lock_wait_secs * 1000)}ms"}
        applier = Applier(conn, values, plan, run["id"], Progress(), conninfo)
        of_then = replace(applier, values=values | named)
        applied = Applied("abort", "")
        if plan.online:
            log.info("abort: dropping the new indexes, once the transactions that are open now have ended")
            applier.folder("abort/index", applied)

        def undo() -> Applied:
            for folder in ["lock/exclusive", "abort/column"] * plan.online:
                applier.folder(folder, applied)
            of_then.folder("abort", applied)
            return applied

        applier.retrying(undo)
        return True


def _nothing_to_do(signature: ModelSignature, probed: Probed, spent: Spent) -> ReembedReport:
    return ReembedReport(nothing_to_do=True, model=signature, previous_model=probed.model, spent=spent.so_far())


def _verb(plan: ReembedPlan) -> str:
    """What of docs/privileges.md a run by ``plan`` needs."""
    return "online" if plan.online else "keep" if plan.keep_old else "apply"


def _plan_for(work: Work, plan: ReembedPlan) -> ReembedPlan:
    """Where only vectors or the index are missing there is nothing to switch: online then means a concurrent index."""
    return replace(plan, online=False, concurrent_index=True) if plan.online and work.scope != "all" else plan


def finish_open_run(conn: psycopg.Connection[Any], probed: Probed, *, indexed: bool = True) -> None:
    """Close a run that died once its vectors were in place, and clear away what an online one made for itself."""
    run = probed.open_run
    if run is None:
        return
    switched = run["state"] == "applied" and run["way"] == "online"
    if switched:
        for step in steps.folder("online/clean_up"):
            record_step(conn, run["id"], steps.run(conn, step, probed.values))
    if indexed or switched:
        steps.run(conn, steps.load("run/finish.sql"), probed.values)


def build_pending_indexes(
    conninfo: str, conn: psycopg.Connection[Any], probed: Probed, plan: ReembedPlan, progress: Progress
) -> Probed:
    """Build the indexes that an earlier run has left to build, before another model makes their definitions stale."""
    run = probed.open_run
    if not probed.saved_indexes or probed.model is None or (run and run["state"] != "applied"):
        return probed
    names = ", ".join(index["name"] for index in probed.saved_indexes)
    log.info("reembed: an earlier run has left %s to build, which comes first", names)
    pending = Work("index", 0, 0, 0)
    plan = _plan_for(pending, plan)
    with _run(conn, probed, probed.model, pending, plan) as run_id:
        job = _Job(conninfo, conn, probed, probed.model, plan, pending, run_id, progress, Spent())
        job.carry_out("index", "left by an earlier run")
    return probe(conn, probed.target)


@contextmanager
def _inside_transaction(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Work behind a savepoint of the caller's transaction, with our settings, and give it back with the caller's."""
    # Asked before the savepoint: where the caller has sent nothing yet, this begins the transaction.
    before = steps.query(conn, "session/settings.sql", {})
    with conn.transaction():
        for step in ("transaction/05_pin_search_path.sql", "transaction/10_set_limits.sql"):
            steps.run(conn, steps.load(step), {})
        yield
        for row in before:
            steps.run(conn, steps.load("session/restore_setting.sql"), {"name": row["name"], "value": row["value"]})


def _install_if_empty(conn: psycopg.Connection[Any], target: Target) -> None:
    """Make the package's schema where it is missing and no row has text: CI and test runners make databases anew."""
    server = steps.query_one(conn, "probe/server.sql", {"verb": "apply"})
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
    if (probed.open_run and probed.open_run["staging_exists"]) or count_rows(conn, probed)["rows_with_text"]:
        return probed
    work = Work("all", 0, 0, 0)
    if staged_for(probed) is None:
        if probed.saved_indexes and probed.model is not None and probed.open_run is not None:
            # Left by an earlier run, with a definition for the dimension that the column has still.
            plan, pending = ReembedPlan(), Work("index", 0, 0, 0)
            values = step_values(probed, probed.model, pending, plan)
            applier = Applier(conn, values, plan, probed.open_run["id"], Progress())
            applier.retrying(lambda: applier.build_only(drop_invalid=bool(probed.invalid_indexes)))
            probed = probe(conn, probed.target)
        steps.run(conn, steps.load("run/finish.sql"), probed.values)
        _open_run(conn, probed, expect, work, ReembedPlan())
    for step in steps.folder("stage/create"):
        steps.run(conn, step, step_values(probed, expect, work, ReembedPlan()))
    return probe(conn, probed.target)


@contextmanager
def claimed_session(
    conninfo: str, target: Target, verb: str = "apply"
) -> Iterator[tuple[psycopg.Connection[Any], Probed]]:
    """Connect, probe, and claim the target for this run as long as the connection lives."""
    with steps.translated(), connect(conninfo) as conn:
        probed = probe(conn, target, verb=verb)
        _claim(conn, probed)
        # Asked again, now that nobody else is at work on it.
        yield conn, probe(conn, target, verb=verb)


def _claim(conn: psycopg.Connection[Any], probed: Probed, step: str = "session/claim_run.sql") -> None:
    deadline = time.monotonic() + _CLAIM_SECS
    while True:
        try:
            with conn.transaction():
                steps.run(conn, steps.load(step), probed.values)
            return
        except psycopg.Error as error:
            if error.sqlstate != steps.CHECK_FAILED:
                raise
            if time.monotonic() > deadline:
                who = "; ".join(
                    f"pid {h['pid']} ({h['role']}, {h['application_name']}, since {h['backend_start']:%Y-%m-%d %H:%M})"
                    for h in steps.query(conn, "probe/run_holder.sql", probed.values)
                )
                raise RunInProgress(
                    f"another run is at work on {probed.column}: {who or 'a session that is gone by now'}",
                    error.diag.message_hint or "",
                ) from error
        time.sleep(0.2)


def step_values(probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan) -> dict[str, Value]:
    return probed.values | {
        "dimension": signature.dimension,
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
def _run(
    conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan
) -> Iterator[int]:
    """Open the run in the audit, or go on with the open one, and keep the error that stops it."""
    run = probed.open_run
    goes_on = run is not None and (
        (run["state"] in ("staging", "filling") and run["scope"] == work.scope)
        or (run["state"] == "applied" and work.scope == "index")
    )
    if run is not None and not goes_on:
        # A run whose vectors are in place and whose index this run builds or replaces, or an empty one.
        finish_open_run(conn, probed)
    run_id: int = run["id"] if run is not None and goes_on else _open_run(conn, probed, signature, work, plan)
    if goes_on:
        log.info(
            "reembed: going on with run %d, begun %s",
            run_id,
            f"{run['started_at']:%Y-%m-%d %H:%M:%S %Z}" if run else "",
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


def _open_run(
    conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan
) -> int:
    values = probed.values | opening_values(conn, probed, signature, only_missing=work.scope == "missing")
    values |= {
        "scope": work.scope,
        "model_name": signature.name,
        "dimension": signature.dimension,
        "model_hash": signature.hash,
        "way": literal(conn, "online" if plan.online else None),
        "rows_total": work.rows,
    }
    done = steps.run(conn, steps.load("run/open.sql"), values)
    run_id: int = done.result[0]["id"]
    return run_id


@dataclass
class _Job:
    """One run under way: where, on what, for which model, how, and its row in the audit."""

    conninfo: str
    conn: psycopg.Connection[Any]
    probed: Probed
    signature: ModelSignature
    plan: ReembedPlan
    work: Work
    run_id: int
    progress: Progress
    spent: Spent
    engine: RayEngine | None = None

    def __post_init__(self) -> None:
        self.values = step_values(self.probed, self.signature, self.work, self.plan)

    def stager(self, embedder: Embedder) -> Stager:
        """Make the staging table if it is not there, and the stager for it."""
        with self.conn.transaction():
            for step in steps.folder("stage/create"):
                record_step(self.conn, self.run_id, steps.run(self.conn, step, self.values))
            steps.run(self.conn, steps.load(STAGING_FITS), self.values)
            # Who goes on with the run must read and write as these do.
            for name in (EVERY_ROW, EXTENT, FIRST, COPY, SETTLE, DISCARD):
                record_step(self.conn, self.run_id, StepRun(steps.load(name), None, 0.0, []))
        return Stager(
            embedder, self.values, self.plan.batch_size, self.probed.name, self.progress.advance, spent=self.spent
        )

    def stage(self, stager: Stager) -> None:
        """Stage until nothing is left, or a pass over the table meets no more pending rows than fit in one batch.

        What is stale is dropped after the first pass and encoded by the next: to compare the texts of all that is
        staged takes time, and a run that goes on is to encode first what nobody has encoded yet.
        """
        discard = steps.load(DISCARD)
        staged = steps.query(self.conn, "probe/staged.sql", self.values)[0]["rows_staged"]
        if staged:
            log.info("reembed: %d rows are staged already", staged)
        started, before = time.monotonic(), stager.rows
        with self._passes(stager) as one_pass, self.progress.rows(self.work.rows, staged):
            for again in range(_ROUNDS + 1):
                with self.spent.on("encoding"):
                    met = one_pass(bool(staged) and not again)
                if again and met <= stager.batch_size:
                    break
                steps.run(self.conn, steps.load("stage/analyze.sql"), self.values)
                if not self._is_left():
                    break
                steps.run(self.conn, discard, self.values)
        copied = StepRun(steps.load(COPY), stager.rows - before, time.monotonic() - started, [])
        record_step(self.conn, self.run_id, copied)

    def _is_left(self) -> bool:
        """Whether anything is pending or stale."""
        return bool(steps.query(self.conn, "probe/pending.sql", self.values)[0]["is_left"])

    @contextmanager
    def _passes(self, stager: Stager) -> Iterator[Callable[[bool], int]]:
        """What stages all that is pending once, and returns how many rows that were.

        It is told whether a run goes on: then it need not find what lies before the last row that was staged.
        """
        if self.engine is None:
            with connect(self.conninfo) as reader, connect(self.conninfo) as writer:
                yield lambda going_on: stager.run(writer, stager.in_place(reader, going_on=going_on))
        else:
            with self.engine.passes(
                self.conn, stager, self.signature, self.run_id, self.work.rows_total, self.progress
            ) as one_pass:

                def by_ranges(_: bool) -> int:
                    first = steps.query_one(self.conn, FIRST, self.values)
                    return 0 if first is None else one_pass(first["after"])

                yield by_ranges

    def carry_out(self, way: str, reason: str, embedder: Embedder | None = None) -> ReembedReport:
        """Stage with ``embedder``, if there is one, and apply. Rows that change meanwhile are an error without one."""
        applier = Applier(
            self.conn, self.values, self.plan, self.run_id, self.progress, self.conninfo, spent=self.spent
        )

        def build_only() -> Applied:
            return applier.build_only(drop_invalid=bool(self.probed.invalid_indexes))

        if way == "online":
            applied = self._online(applier, reason, embedder)
        elif self.work.scope == "index":
            applied = applier.retrying(build_only)
        elif embedder is None:
            applied = applier.retrying(lambda: applier.apply(way, reason))
        else:
            applier.stager = self.stager(embedder)
            applied = self._stage_and_apply(applier, applier.stager, way, reason)
        if self.work.scope == "missing" and self.lacks_index:
            applied.index_secs += applier.retrying(build_only).index_secs
        if self.plan.concurrent_index and way != "online" and (self.work.scope != "missing" or self.lacks_index):
            try:
                applier.build_concurrently(applied)
            except psycopg.Error as error:
                raise index_failed(error, self.probed) from error
        if way not in ("online", "fill"):
            applied.recall = measure_recall(self.conn, self.values, self.plan.recall_sample)
        record_report(self.conn, self.run_id, applied, applied.facts.get("duration_secs", 0.0))
        steps.run(self.conn, steps.load("run/finish.sql"), self.values)
        return self.report(applied, applier.stager)

    def _online(self, applier: Applier, reason: str, embedder: Embedder | None) -> Applied:
        run = self.probed.open_run
        filling = run is not None and run["state"] == "filling"
        stage = None
        if embedder is not None:
            stager = applier.stager = self.stager(embedder)
            stage = partial(self.stage, stager)
            if not filling:
                stage()
        else:
            steps.run(self.conn, steps.load(STAGING_FITS), self.values)
        quiet = keeps_triggers_quiet(self.conn, self.probed, self.plan)
        return Online(applier, stage, quiet=quiet, filling=filling).carry_out(reason)

    @property
    def lacks_index(self) -> bool:
        return not self.probed.index_is_there and index_possible(self.probed, self.signature.dimension)

    def _stage_and_apply(self, applier: Applier, stager: Stager, way: str, reason: str) -> Applied:
        for _ in range(_ROUNDS):
            self.stage(stager)
            try:
                return applier.retrying(lambda: applier.apply(way, reason))
            except TooManyPending:
                log.info("reembed: more rows changed meanwhile than one batch holds; encoding them first")
        raise CheckFailed(
            f"{self.probed.name} changes faster than its rows are encoded: more than {stager.batch_size} rows were new "
            f"each of {_ROUNDS} times it was locked",
            "the table is as it was and what is staged stays: run again when it changes less, or raise --batch-size",
        )

    def report(self, applied: Applied, stager: Stager | None = None) -> ReembedReport:
        return ReembedReport(
            rows_updated=applied.facts.get("rows_written") or 0,
            duration_secs=applied.facts.get("duration_secs", 0.0),
            index_rebuild_secs=applied.index_secs,
            rows_blank=applied.facts.get("rows_blank") or 0,
            rows_encoded=stager.rows if stager else 0,
            way=applied.way,
            way_reason=applied.way_reason,
            model=self.signature,
            previous_model=self.probed.model,
            run_id=self.run_id,
            lock_held_secs=applied.facts.get("lock_held_secs"),
            recall=applied.recall,
            notes=notes(self.probed, self.signature, self.work) + applied.notes,
            workers=self.engine.reports if self.engine else [],
            spent=self.spent.so_far(),
            device=self.device(stager) if stager else None,
        )

    def device(self, stager: Stager) -> str | None:
        """What the model runs on, as far as it says; where others encode, their lines say it."""
        encoded = stager.rows and not self.engine
        return getattr(stager.embedder, "device", None) if encoded else None


def index_failed(error: psycopg.Error, probed: Probed) -> VestigeError:
    """Return the error of this package for one of CREATE INDEX CONCURRENTLY."""
    if error.sqlstate == steps.CHECK_FAILED:
        return IndexInvalid(error.diag.message_primary or str(error), error.diag.message_hint or "")
    return ServerError(
        f"the index of {probed.column} could not be built: {error.diag.message_primary or str(error).strip()}",
        "vectors and registry are in place, searches scan the table until the index is there: run the same command "
        "again, which builds only the index, and drop first what CREATE INDEX CONCURRENTLY left INVALID",
    )
