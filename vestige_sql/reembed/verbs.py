"""What a caller can do: run, stage, apply, register, abort."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.encode.probing import Reference
from vestige_sql.errors import ModelMismatch
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.adopt import adopt, is_former
from vestige_sql.reembed.apply import Applier
from vestige_sql.reembed.audit import Applied, auditing, finish_open_run
from vestige_sql.reembed.clock import Clock
from vestige_sql.reembed.decide import (
    check_dimension,
    check_embedder,
    difference,
    find_staged,
    find_work,
    in_space_of,
    notes,
    plan_for,
    settle_way,
    verb_of,
    warning,
)
from vestige_sql.reembed.encoder import check_remembered, estimated_spending, remember, said_spending
from vestige_sql.reembed.encoding import encodes_with, encoding_of, record_encoding, recorded_encoding, say_encoding
from vestige_sql.reembed.engine import Engine, outlives_restarts
from vestige_sql.reembed.job import Job, build_pending_indexes, nothing_to_do
from vestige_sql.reembed.names import check_not_renamed, renamed_run
from vestige_sql.reembed.precision import check_precision, record_computed, told
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.rows import fits_column
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.session import check_connections, claimed_session
from vestige_sql.reembed.shorten import find_shortening, staged_by
from vestige_sql.reembed.target import Probed
from vestige_sql.report import ReembedReport
from vestige_sql.steps import plans

log = logging.getLogger("vestige_sql")


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
    engine: Engine | None = None,
) -> ReembedReport:
    """Encode every row's content with ``embedder`` and put the vectors in place, with index and registry.

    ``conninfo`` is anything that libpq takes. ``before_write`` is called once, before the first write, with a text
    that says what readers and writers will notice. An exception from it stops the run. What a killed run has staged is
    not encoded again. If there is an ``engine``, its workers encode.

    Raises a :class:`VestigeError` that says what state the data is in.
    """
    signature, clock, progress = check_embedder(embedder), Clock(), progress or Progress()
    with claimed_session(conninfo, target, verb_of(plan)) as (conn, probed):
        work = find_work(conn, probed, signature, plan)
        run = Run(conn, probed, signature, plan_for(work, plan), work, conninfo, progress, clock, engine)
        encodes_with(run, embedder)
        find_shortening(run, embedder)
        if work.scope is None:
            log.info("reembed: nothing to do: %s is in the space of %s", probed.column, signature)
            finish_open_run(conn, probed)
            return nothing_to_do(run)
        settle_way(run)
        if engine is None and work.scope != "index":
            check_connections(conn)
        reference = checked_encoder(run, embedder)
        _warn(run, before_write, embedder)
        if work.scope == "all":
            with clock.on("index"):
                run.probed = build_pending_indexes(run)
        with auditing(run):
            record_encoding(conn, run.values, signature, run.encoding)
            record_computed(run, embedder)
            remember(conn, embedder, reference)
            return Job(run, reference).carry_out(embedder)


@outlives_restarts
def stage_reembed(
    conninfo: str,
    embedder: Embedder,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    progress: Progress | None = None,
    before_write: Notice | None = None,
    engine: Engine | None = None,
) -> ReembedReport:
    """Encode the pending rows and stage their vectors. Nothing live is touched.

    The arguments are those of :func:`run_reembed`.
    """
    signature, clock, progress = check_embedder(embedder), Clock(), progress or Progress()
    with claimed_session(conninfo, target, "stage") as (conn, probed):
        # If an online run is under way, this stages what changed, and leaves the run's second column alone.
        online = bool(probed.open_run and probed.open_run.filling)
        # Nor are views in the way of it, if they can be made again when the vectors are put in place.
        plan = replace(plan, online=online, fire_triggers=True, recreate_views=True)
        work = find_work(conn, probed, signature, plan)
        run = Run(conn, probed, signature, plan, work, conninfo, progress, clock, engine, verb="stage")
        encodes_with(run, embedder)
        find_shortening(run, embedder)
        if work.scope in (None, "index"):
            log.info("stage: nothing to do: every row of %s has its vector of %s", probed.column, signature)
            return nothing_to_do(run)
        settle_way(run)
        if engine is None:
            check_connections(conn)
        reference = checked_encoder(run, embedder)
        if before_write is not None:
            before_write(warning(run))
        if work.scope == "all":
            with clock.on("index"):
                run.probed = build_pending_indexes(replace(run, plan=replace(plan, concurrent_index=True)))
        say_encoding(run)
        with auditing(run):
            record_encoding(conn, run.values, signature, run.encoding)
            record_computed(run, embedder)
            remember(conn, embedder, reference)
            job = Job(run, reference)
            stager = job.stager(embedder)
            started = time.monotonic()
            job.stage(stager)
            return ReembedReport(
                duration_secs=time.monotonic() - started,
                rows_blank=work.rows_blank,
                rows_encoded=stager.rows,
                model=signature,
                previous_model=probed.model,
                run_id=run.id,
                workers=engine.reports if engine else [],
                spent=clock.so_far(),
                device=job.device(stager),
                **job.computed(stager),
                notes=notes(run),
                encoding=run.encoding,
                rows_shortened=run.rows_shortened,
                staged_by=staged_by(run, stager.rows),
                **job.spending(stager),
            )


def apply_staged(
    conninfo: str,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    progress: Progress | None = None,
    before_write: Notice | None = None,
) -> ReembedReport:
    """Put the staged vectors in place, without a model. Rows that changed since they were staged are an error.

    If the last run has put them in place already, there is nothing to do.
    """
    progress, clock = progress or Progress(), Clock()
    with claimed_session(conninfo, target, verb_of(plan)) as (conn, probed):
        run = run_of_staged(conn, conninfo, probed, plan, progress, clock)
        if run is None:
            return nothing_to_do(Run(conn, probed, probed.model, plan, clock=clock))
        _warn(run, before_write)
        with auditing(run):
            return Job(run).carry_out()


def run_of_staged(
    conn: psycopg.Connection[Any],
    conninfo: str,
    probed: Probed,
    plan: ReembedPlan,
    progress: Progress,
    clock: Clock,
    expect: ModelSignature | None = None,
) -> Run | None:
    """Return the run that puts in place what is staged, for ``expect`` if that is given; None where it is in place."""
    if _is_done(conn, probed):
        log.info("apply: nothing to do: what was staged for %s is in place: %s", probed.column, probed.model)
        return None
    signature, work = find_staged(conn, probed, plan, expect)
    run = Run(conn, probed, signature, plan_for(work, plan), work, conninfo, progress, clock)
    run.encoding = recorded_encoding(conn, run.values, signature)
    settle_way(run)
    return run


def _is_done(conn: psycopg.Connection[Any], probed: Probed) -> bool:
    """Whether nothing is staged because the last run has put it in place, to the model that is registered."""
    check_not_renamed(conn, probed)
    last = steps.query_one(conn, "probe/last_run.sql", probed.values)
    if probed.open_run is not None or probed.model is None or last is None:
        return False
    to = ModelSignature(last["name"], last["dimension"], last["hash"])
    return last["state"] == "done" and last["scope"] in ("all", "missing") and in_space_of(probed, to)


def _warn(run: Run, before_write: Notice | None, embedder: Embedder | None = None) -> None:
    if before_write is None:
        say_encoding(run)
    else:
        text = warning(run)
        if embedder is not None and (spending := estimated_spending(run, embedder)) is not None:
            text += f"\nThe texts are sent to {getattr(embedder, 'device', embedder.model_name)}: "
            text += f"{said_spending(spending)}."
        if embedder is not None and getattr(embedder, "agreement", None) and run.work.scope != "index":
            text += f"\nVectors are {told(embedder)}. They are the same as in fp32, but for rounding."
        with run.clock.on("waiting"):
            before_write(text)


def checked_encoder(run: Run, embedder: Embedder) -> Reference | None:
    """Return what the embedder says to its probe texts, if something is to be encoded and it has some."""
    if run.work.scope not in ("all", "missing"):
        return None
    check_precision(run, embedder)
    with run.clock.on("encoding"):
        return check_remembered(run.conn, embedder)


def register_model(
    conninfo: str,
    signature: ModelSignature,
    *,
    target: Target = VESTIGE,
    embedder: Embedder | None = None,
) -> bool:
    """Register the first model of a target and stamp its dimension on the column.

    Returns False if the same model is registered already. Existing vectors are taken to be of that model. The server
    checks their dimension. ``embedder``, if given, is the model itself: how it makes vectors is recorded, so that
    questions are encoded in the same way. And if an earlier version gave that model another signature, because it
    truncated texts earlier, the signature of now replaces it, unless a text is so long that its vector differs.
    What it says to its ``probe_texts``, if it has some, is remembered.

    Raises :class:`ModelMismatch` if another model is registered.
    """
    with claimed_session(conninfo, target) as (conn, probed):
        encoding = encoding_of(embedder) if embedder is not None else None
        if is_former(probed, embedder):
            adopt(conn, probed, embedder, signature)
            record_encoding(conn, probed.values, signature, encoding)
            return True
        if probed.model is not None and probed.model != signature:
            raise ModelMismatch(
                f"{probed.column} is registered under {probed.model}, not {signature}: "
                + difference(probed.model, signature),
                "nothing was written; only vestige-sql migrate reembed changes the registered model",
            )
        fits = fits_column(probed, signature.dimension, in_place=bool(probed.row_filter))
        if probed.model == signature and fits:
            record_encoding(conn, probed.values, signature, encoding)
            return False
        check_dimension(signature)
        reference = check_remembered(conn, embedder) if embedder else None
        register_first(conn, probed, signature)
        record_encoding(conn, probed.values, signature, encoding)
        if embedder is not None:
            remember(conn, embedder, reference)
        log.info("register: %s is in the space of %s", probed.column, signature)
        return True


def register_first(conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature) -> None:
    """Run the plan ``register`` in one transaction, on a target that has no other model. PostgreSQL's errors pass."""
    values = probed.values | {
        "dimension": signature.dimension,
        "model_name": signature.name,
        "model_hash": signature.hash,
        "lock_timeout": "10s",
    }
    with conn.transaction():
        for step in plans.load("register").steps(when={"some_rows"} if probed.row_filter else ()):
            steps.run(conn, step, values)


def abort_reembed(conninfo: str, *, target: Target = VESTIGE) -> bool:
    """Undo the run that is under way, in whatever phase it stopped.

    This drops the staged vectors, and of an online run the second column with its indexes and triggers. Returns False
    if no run is under way. A run that has been applied stays.
    """
    with claimed_session(conninfo, target, "back") as (conn, probed):
        # What a run made has its name from then, and hangs on the table under the table's name of now.
        if (renamed := renamed_run(conn, probed)) is None:
            probed.check_here("run_of_another")
        run, named = (renamed, renamed.variables) if renamed else (probed.open_run, probed.values)
        if run is None or run.state == "applied":
            finish_open_run(conn, probed, indexed=False)
            return False
        plan = ReembedPlan(online=run.filling)
        now = {key: probed.values[key] for key in ("oid", "name", "schema", "table")}
        undone = Run(conn, probed, run.model, plan, conninfo=conninfo, id=run.id)
        undone.values |= named | now | {"second_column": named["new_column"]}
        applier = Applier(undone)
        of_then = Applier(replace(undone))
        of_then.run.values |= undone.values | named
        applied = Applied("abort", "")
        order = plans.load("abort")
        if plan.online:
            log.info("abort: dropping the new indexes as soon as the transactions that are open now have ended")
            for folder in order.folders("index"):
                applier.folder(folder, applied)

        def undo() -> Applied:
            always = order.folders("undo")
            for folder in order.folders("undo", {"filling"} if plan.online else ()):
                # The steps that only an online run needs are about the table itself, under its name of now.
                (of_then if folder in always else applier).folder(folder, applied)
            return applied

        applier.retrying(undo)
        return True
