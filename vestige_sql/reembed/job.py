"""One run under way: stage, apply, build, report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder
from vestige_sql.encode.probing import Reference
from vestige_sql.errors import CheckFailed, IndexInvalid, ServerError, VestigeError
from vestige_sql.reembed.apply import Applier
from vestige_sql.reembed.audit import Applied, auditing, record_report, record_step
from vestige_sql.reembed.decide import keeps_triggers_quiet, notes, plan_for
from vestige_sql.reembed.indexes import gets_index, index_possible, lacks_index
from vestige_sql.reembed.online import Online
from vestige_sql.reembed.precision import computed_by, recorded_computed
from vestige_sql.reembed.recall import measure_recall
from vestige_sql.reembed.run import Run, Work
from vestige_sql.reembed.shorten import shorten, staged_by
from vestige_sql.reembed.stage import (
    COPY,
    DISCARD,
    EVERY_ROW,
    EXTENT,
    FIRST,
    PIECE,
    SETTLE,
    STAGING_FITS,
    Stager,
    TooManyPending,
)
from vestige_sql.reembed.target import Probed, probe
from vestige_sql.report import ReembedReport
from vestige_sql.steps import plans
from vestige_sql.steps.running import StepRun
from vestige_sql.terminal import some_of

log = logging.getLogger("vestige_sql")


# So many rounds encode the changes made meanwhile, before the table is said to change too fast. Each round is shorter
# than the last by the ratio of the rates of change and of encoding. A handful is enough, or no number is.
_ROUNDS = 8

_LEFT = "left by an earlier run"


def nothing_to_do(run: Run) -> ReembedReport:
    return ReembedReport(nothing_to_do=True, model=run.model, previous_model=run.probed.model, spent=run.clock.so_far())


def build_pending_indexes(run: Run) -> Probed:
    """Build the indexes that an earlier run has not built, before another model makes their definitions stale.

    Returns what the probes say of the target afterwards.
    """
    probed = run.probed
    if not probed.saved_indexes or probed.model is None or (probed.open_run and probed.open_run.under_way):
        return probed
    names = some_of([index["name"] for index in probed.saved_indexes])
    log.info("%s: an earlier run has not built %s; building this first", run.verb, names)
    pending = Work("index")
    plan = plan_for(pending, run.plan)
    earlier = Run(
        run.conn,
        probed,
        probed.model,
        plan,
        pending,
        run.conninfo,
        run.progress,
        way="index",
        reason=_LEFT,
        verb=run.verb,
    )
    with auditing(earlier):
        Job(earlier).carry_out()
    return probe(run.conn, probed.target)


@dataclass
class Job:
    """A run that is carried out: stage, apply, build, report.

    ``reference`` is what the embedder says to its probe texts, if it has some.
    """

    run: Run
    reference: Reference | None = None

    def stager(self, embedder: Embedder) -> Stager:
        """Create the staging table if it is missing, and return the stager for it."""
        with self.run.conn.transaction():
            for step in plans.load("stage").steps("create"):
                record_step(self.run.conn, self.run.id, steps.run(self.run.conn, step, self.run.values))
            steps.run(self.run.conn, steps.load(STAGING_FITS), self.run.values)
            # Whoever resumes the run must read and write as these do.
            for name in (EVERY_ROW, PIECE, EXTENT, FIRST, COPY, SETTLE, DISCARD):
                record_step(self.run.conn, self.run.id, StepRun(steps.load(name), None, 0.0, []))
        return Stager(
            embedder,
            self.run.values,
            self.run.plan.batch_size,
            self.run.probed.name,
            self.run.progress.advance,
            spent=self.run.clock,
            reference=self.reference,
        )

    def stage(self, stager: Stager) -> None:
        """Stage until nothing is left, or until a pass over the table meets no more rows than fit in one batch.

        Stale rows are dropped after the first pass and encoded by the next. Comparing the texts of all staged rows
        takes time, and a run that resumes should first encode what nobody has encoded yet.
        """
        self.run.progress.begin("encode the texts")
        discard = steps.load(DISCARD)
        if self.run.shortens:
            record_step(self.run.conn, self.run.id, shorten(self.run, stager))
        staged = steps.query(self.run.conn, "probe/staged.sql", self.run.values)[0]["rows_staged"]
        if staged:
            log.info("%s: %d rows are staged already", self.run.verb, staged)
        started, before = time.monotonic(), stager.rows
        with self._passes(stager) as one_pass, self.run.progress.rows(self.run.work.rows, staged):
            for again in range(_ROUNDS + 1):
                with self.run.clock.on("encoding"):
                    met = one_pass(bool(staged) and not again)
                if again and met <= stager.batch_size:
                    break
                steps.run(self.run.conn, steps.load("stage/analyze.sql"), self.run.values)
                if not self._is_left():
                    break
                steps.run(self.run.conn, discard, self.run.values)
        copied = StepRun(steps.load(COPY), stager.rows - before, time.monotonic() - started, [])
        record_step(self.run.conn, self.run.id, copied)

    def _is_left(self) -> bool:
        """Whether anything is pending or stale."""
        return bool(steps.query(self.run.conn, "probe/pending.sql", self.run.values)[0]["is_left"])

    @contextmanager
    def _passes(self, stager: Stager) -> Iterator[Callable[[bool], int]]:
        """Yield a function that stages all pending rows once, and returns how many rows these were.

        Its argument says whether a run resumes. Then it need not look for rows before the last one that was staged.
        """
        if self.run.engine is None:
            with connect(self.run.conninfo) as reader, connect(self.run.conninfo) as writer:
                yield lambda going_on: stager.run(writer, stager.in_place(reader, going_on=going_on))
        else:
            run, passes = self.run, self.run.engine.passes
            with ExitStack() as started:

                @cache
                def workers() -> Callable[[str | None], int]:
                    # Not before there is something for them to do: a cluster may be far away, or gone.
                    return started.enter_context(
                        passes(run.conn, stager, run.model, run.id, run.work.rows_total, run.progress)
                    )

                def by_ranges(_: bool) -> int:
                    first = steps.query_one(run.conn, FIRST, run.values)
                    return 0 if first is None else workers()(first["after"])

                yield by_ranges

    def carry_out(self, embedder: Embedder | None = None) -> ReembedReport:
        """Stage with ``embedder``, if there is one, and apply. Without one, rows that change meanwhile are an error."""
        run, applier = self.run, Applier(self.run)
        scope = run.work.scope
        run.progress.plan(self._phases(embedder is not None))
        if run.way == "online":
            applied = self._online(applier, embedder)
        elif scope == "index":
            applied = applier.retrying(applier.build_only)
        elif embedder is None:
            applied = applier.retrying(applier.apply)
        else:
            applier.stager = self.stager(embedder)
            applied = self._stage_and_apply(applier, applier.stager)
        return self.finish(applier, applied)

    def finish(self, applier: Applier, applied: Applied) -> ReembedReport:
        """Do what follows the transaction that put vectors in place: indexes, measuring, the end of the audit."""
        run, scope = self.run, self.run.work.scope
        if scope == "missing" and self.lacks_index:
            applied.index_secs += applier.retrying(applier.build_only).index_secs
        if run.plan.concurrent_index and run.way != "online" and (scope != "missing" or self.lacks_index):
            try:
                applier.build_concurrently(applied)
            except psycopg.Error as error:
                raise index_failed(error, run.probed) from error
        if run.way not in ("online", "fill"):
            applied.recall = measure_recall(run.conn, run.values, run.plan.recall_sample)
        record_report(run.conn, run.id, applied, applied.facts.get("duration_secs", 0.0))
        steps.run(run.conn, steps.load("run/close.sql"), run.values)
        return self.report(applied, applier.stager)

    def _phases(self, encodes: bool) -> list[str]:
        """Return the phases that the run will have, in order, as people are told them."""
        run = self.run
        encoding = ["encode the texts"] if encodes and run.work.scope != "index" else []
        indexing = ["build the index"]
        if run.way == "online":
            return [*encoding, "add the second column", "fill it", *indexing, "catch up with changes", "switch"]
        if run.work.scope == "index":
            return indexing
        builds = self.lacks_index
        if run.work.scope != "missing":
            builds = index_possible(run.probed, run.model.dimension) and gets_index(
                run.probed, run.model.dimension, run.plan
            )
        return [*encoding, "put the vectors in place", *(indexing if builds else [])]

    def _online(self, applier: Applier, embedder: Embedder | None) -> Applied:
        open_run = self.run.probed.open_run
        filling = open_run is not None and open_run.filling
        stage = None
        if embedder is not None:
            stager = applier.stager = self.stager(embedder)
            stage = partial(self.stage, stager)
            if not filling:
                stage()
        else:
            steps.run(self.run.conn, steps.load(STAGING_FITS), self.run.values)
        quiet = keeps_triggers_quiet(self.run.conn, self.run.probed)
        return Online(applier, stage, quiet=quiet, filling=filling).carry_out()

    @property
    def lacks_index(self) -> bool:
        return lacks_index(self.run.probed, self.run.model.dimension, self.run.plan)

    def _stage_and_apply(self, applier: Applier, stager: Stager) -> Applied:
        for _ in range(_ROUNDS):
            self.stage(stager)
            try:
                return applier.retrying(applier.apply)
            except TooManyPending:
                log.info("reembed: more rows changed meanwhile than fit in one batch; encoding them first")
        raise CheckFailed(
            f"{self.run.probed.name} changes faster than its rows are encoded: more than {stager.batch_size} rows were "
            f"new each of {_ROUNDS} times it was locked",
            "the table is as it was, and the staged vectors stay; run again when the table changes less, or raise "
            "--batch-size",
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
            model=self.run.model,
            previous_model=self.run.probed.model,
            run_id=self.run.id,
            lock_held_secs=applied.facts.get("lock_held_secs"),
            recall=applied.recall,
            notes=notes(self.run) + applied.notes,
            workers=self.run.engine.reports if self.run.engine else [],
            spent=self.run.clock.so_far(),
            device=self.device(stager) if stager else None,
            encoding=self.run.encoding,
            rows_shortened=self.run.rows_shortened,
            staged_by=staged_by(self.run, stager.rows) if stager else None,
            **(self.spending(stager) if stager else {}),
            **self.computed(stager),
        )

    def device(self, stager: Stager) -> str | None:
        """Return the device that the model says it runs on. If workers encode, their own reports say it."""
        encoded = stager.rows and not self.run.engine
        return getattr(stager.embedder, "device", None) if encoded else None

    def computed(self, stager: Stager | None) -> dict[str, Any]:
        """Return in what precision vectors are computed here, and were in this run, as fields of the report."""
        precision, runtime = computed_by(stager.embedder) if stager and stager.rows else (None, None)
        computed = recorded_computed(self.run.conn, self.run.values, self.run.model, self.run.id)
        return {"precision": precision, "runtime": runtime, "computed": computed}

    def spending(self, stager: Stager) -> dict[str, Any]:
        """Return the tokens that the embedder has spent and their cost, as fields of the report."""
        tokens = getattr(stager.embedder, "tokens_spent", None)
        cost = getattr(stager.embedder, "cost", None)
        if tokens is None or self.run.engine:
            return {}
        return {"tokens_spent": tokens, "cost": cost(tokens) if cost else None}


def index_failed(error: psycopg.Error, probed: Probed) -> VestigeError:
    """Return this package's error for an error of CREATE INDEX CONCURRENTLY."""
    if error.sqlstate == steps.CHECK_FAILED:
        return IndexInvalid(error.diag.message_primary or str(error), error.diag.message_hint or "")
    return ServerError(
        f"the index of {probed.column} could not be built: {error.diag.message_primary or str(error).strip()}",
        "vectors and registry are in place, and searches scan the table until the index is there; drop first the index "
        "that CREATE INDEX CONCURRENTLY left INVALID; then the same command builds only the index",
    )
