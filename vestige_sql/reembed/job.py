"""One run under way: stage, apply, build, report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.errors import CheckFailed, IndexInvalid, ServerError, VestigeError
from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.apply import Applier
from vestige_sql.reembed.audit import Applied, auditing, record_report, record_step, step_values
from vestige_sql.reembed.clock import Clock
from vestige_sql.reembed.decide import Work, index_possible, keeps_triggers_quiet, notes, plan_for
from vestige_sql.reembed.engine import Engine
from vestige_sql.reembed.online import Online
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.recall import measure_recall
from vestige_sql.reembed.stage import (
    COPY,
    DISCARD,
    EVERY_ROW,
    EXTENT,
    FIRST,
    SETTLE,
    STAGING_FITS,
    Stager,
    TooManyPending,
)
from vestige_sql.reembed.target import Probed, probe
from vestige_sql.report import ReembedReport
from vestige_sql.steps import plans
from vestige_sql.steps.running import StepRun

log = logging.getLogger("vestige_sql")


# How often changes made meanwhile are chased before the table is said to change too fast. Each round is shorter than
# the last by the ratio of the rates of change and of encoding, so that a handful is enough or none is.
_ROUNDS = 8


def nothing_to_do(signature: ModelSignature, probed: Probed, spent: Clock) -> ReembedReport:
    return ReembedReport(nothing_to_do=True, model=signature, previous_model=probed.model, spent=spent.so_far())


def build_pending_indexes(
    conninfo: str, conn: psycopg.Connection[Any], probed: Probed, plan: ReembedPlan, progress: Progress
) -> Probed:
    """Build the indexes that an earlier run has left to build, before another model makes their definitions stale."""
    run = probed.open_run
    if not probed.saved_indexes or probed.model is None or (run and run.under_way):
        return probed
    names = ", ".join(index["name"] for index in probed.saved_indexes)
    log.info("reembed: an earlier run has left %s to build, which comes first", names)
    pending = Work("index", 0, 0, 0)
    plan = plan_for(pending, plan)
    with auditing(conn, probed, probed.model, pending, plan) as run_id:
        job = Job(conninfo, conn, probed, probed.model, plan, pending, run_id, progress, Clock())
        job.carry_out("index", "left by an earlier run")
    return probe(conn, probed.target)


@dataclass
class Job:
    """One run under way: where, on what, for which model, how, and its row in the audit."""

    conninfo: str
    conn: psycopg.Connection[Any]
    probed: Probed
    signature: ModelSignature
    plan: ReembedPlan
    work: Work
    run_id: int
    progress: Progress
    spent: Clock
    engine: Engine | None = None

    def __post_init__(self) -> None:
        self.values = step_values(self.probed, self.signature, self.work, self.plan)

    def stager(self, embedder: Embedder) -> Stager:
        """Make the staging table if it is not there, and the stager for it."""
        with self.conn.transaction():
            for step in plans.load("stage").steps("create"):
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
        steps.run(self.conn, steps.load("run/close.sql"), self.values)
        return self.report(applied, applier.stager)

    def _online(self, applier: Applier, reason: str, embedder: Embedder | None) -> Applied:
        run = self.probed.open_run
        filling = run is not None and run.filling
        stage = None
        if embedder is not None:
            stager = applier.stager = self.stager(embedder)
            stage = partial(self.stage, stager)
            if not filling:
                stage()
        else:
            steps.run(self.conn, steps.load(STAGING_FITS), self.values)
        quiet = keeps_triggers_quiet(self.conn, self.probed)
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
