"""Puts what is staged for several targets in place together: in one transaction, all of it or nothing.

The locks of all targets come first, in the order of their names. So two such commands never wait for each other in a
circle. Then each target has its own plan from the gate on, and a check that fails for one undoes them all.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder
from vestige_sql.errors import CheckFailed, UsageError, VestigeError
from vestige_sql.plan import ReembedPlan, Target
from vestige_sql.reembed.apply import Applier
from vestige_sql.reembed.audit import Applied, auditing
from vestige_sql.reembed.clock import Clock
from vestige_sql.reembed.decide import verb_of
from vestige_sql.reembed.engine import Engine
from vestige_sql.reembed.job import Job
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.session import claim
from vestige_sql.reembed.stage import TooManyPending
from vestige_sql.reembed.target import Probed, probe
from vestige_sql.reembed.verbs import checked_encoder, run_of_staged, run_reembed, stage_reembed
from vestige_sql.report import ReembedReport

log = logging.getLogger("vestige_sql")

_ROUNDS = 8


@dataclass(frozen=True)
class Part:
    """One of the targets: its table, how it is re-embedded, and with what; without ``embedder`` it is staged."""

    target: Target
    plan: ReembedPlan
    embedder: Embedder | None = None
    engine: Engine | None = None


def check_together(plans: Sequence[ReembedPlan]) -> None:
    """Raise :class:`UsageError` for what cannot be put in place in one transaction."""
    if any(plan.online for plan in plans):
        raise UsageError(
            "--together does not go with --online: each target would switch in a transaction of its own",
            "leave out --online, and everybody waits for all the tables while they change; or leave out --together, "
            "and each switches by itself in milliseconds; nothing was written",
        )


def reembed_together(conninfo: str, parts: Sequence[Part], *, progress: Progress | None = None) -> list[ReembedReport]:
    """Stage every part that has an embedder, one after another, and put all parts in place in one transaction.

    Returns a report for each part, in their order. What is built concurrently is built after the transaction, and so is
    an index that alone is missing.

    Raises a :class:`VestigeError`. If it comes before the commit, no target has changed, and what is staged stays.
    """
    check_together([part.plan for part in parts])
    progress = progress or Progress()
    for _ in range(_ROUNDS):
        staged = [_stage(conninfo, part, progress) for part in parts]
        going = [part for part, report in zip(parts, staged, strict=True) if not report.nothing_to_do]
        try:
            placed = _place(conninfo, going, progress)
        except TooManyPending:
            log.info("reembed: more rows changed meanwhile than fit in one batch; encoding them first")
            continue
        reports = []
        for part, before in zip(parts, staged, strict=True):
            found = placed.get(part.target)
            if found is None:
                # Nothing was staged. An index may be missing.
                found = _only_index(conninfo, part, before, progress)
            reports.append(replace(found, rows_encoded=found.rows_encoded + before.rows_encoded))
        return reports
    raise CheckFailed(
        f"the {len(parts)} targets change faster than their rows are encoded: too many rows were new each of {_ROUNDS} "
        "times that they were locked",
        "no table has changed, and the staged vectors stay; run again when the tables change less, or raise "
        "--batch-size",
    )


def _stage(conninfo: str, part: Part, progress: Progress) -> ReembedReport:
    if part.embedder is None:
        return ReembedReport()
    return stage_reembed(conninfo, part.embedder, part.plan, target=part.target, progress=progress, engine=part.engine)


def _only_index(conninfo: str, part: Part, before: ReembedReport, progress: Progress) -> ReembedReport:
    if part.embedder is None:
        return replace(before, nothing_to_do=True)
    return run_reembed(conninfo, part.embedder, part.plan, target=part.target, progress=progress)


def _place(conninfo: str, parts: Sequence[Part], progress: Progress) -> dict[Target, ReembedReport]:
    """Put in place what is staged for all parts, and return their reports, without those that are done already."""
    with steps.translated(), connect(conninfo) as conn, ExitStack() as audited:
        found = [(probe(conn, part.target, verb=verb_of(part.plan)), part) for part in parts]
        found.sort(
            key=lambda each: tuple(str(each[0].values[name]) for name in ("schema", "table", "embedding_column"))
        )
        jobs = []
        for probed, part in found:
            claim(conn, probed)
            if (job := _job(conn, conninfo, part, progress)) is not None:
                jobs.append((part, job))
        appliers = []
        for part, job in jobs:
            audited.enter_context(auditing(job.run))
            stager = job.stager(part.embedder) if part.embedder is not None else None
            appliers.append(Applier(job.run, stager))
        if not appliers:
            return {}
        done = _in_one_transaction(appliers)
        log.info("reembed: %d targets were changed in one transaction", len(done))
        return _finished(jobs, appliers, done)


def place_in_order(probed: Probed) -> tuple[str, ...]:
    """Return what targets are ordered by: whoever locks several does it in this order."""
    return tuple(str(probed.values[name]) for name in ("schema", "table", "embedding_column"))


def _job(conn: psycopg.Connection[Any], conninfo: str, part: Part, progress: Progress) -> Job | None:
    # Probed again, now that nobody else is at work on it.
    probed = probe(conn, part.target, verb=verb_of(part.plan))
    expect = part.embedder.signature() if part.embedder is not None else None
    run = run_of_staged(conn, conninfo, probed, part.plan, progress, Clock(), expect)
    if run is None:
        return None
    reference = checked_encoder(run, part.embedder) if part.embedder is not None else None
    return Job(run, reference)


def _in_one_transaction(appliers: Sequence[Applier]) -> list[Applied]:
    # What is said of a lock that is not to be had is said of the target that is being locked.
    lead = replace(appliers[0])

    def work() -> list[Applied]:
        done = []
        for applier in appliers:
            lead.run = applier.run
            done.append(applier.lock())
        for applier, applied in zip(appliers, done, strict=True):
            lead.run = applier.run
            applier.place(applied)
        return done

    return lead.retrying(work)


def _finished(
    jobs: Sequence[tuple[Part, Job]], appliers: Sequence[Applier], done: Sequence[Applied]
) -> dict[Target, ReembedReport]:
    """Do what follows the transaction, for each target. The first error is raised once all have had their turn."""
    reports, failed = {}, None
    for (part, job), applier, applied in zip(jobs, appliers, done, strict=True):
        try:
            reports[part.target] = job.finish(applier, applied)
        except VestigeError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return reports
