"""Puts the staged vectors in place: folders of SQL steps, in the order of a plan, in one transaction.

The runner knows folders, not steps. It runs the files that ``ls`` shows in a folder, in the order of their numbers.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

import psycopg
from psycopg.errors import Diagnostic

from vestige_sql import steps
from vestige_sql.errors import LockNotAvailable
from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.audit import Applied, record_report, record_step
from vestige_sql.reembed.refusals import ASK, NOTHING_REFUSES
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.stage import Stager
from vestige_sql.steps import plans
from vestige_sql.steps.running import StepRun

log = logging.getLogger("vestige_sql")

_Done = TypeVar("_Done")

# pgvector's notice in hnswbuild.c.
_OUTGROWN = re.compile(r"hnsw graph no longer fits into maintenance_work_mem after (\d+) tuples")

_ENDS_PREPARED = "; a prepared transaction ends with COMMIT PREPARED or ROLLBACK PREPARED, in its database"

_FIRST_PAUSE_SECS = 1.0
_LONGEST_PAUSE_SECS = 15.0


def conditions(plan: ReembedPlan) -> set[str]:
    """Return those conditions of the plans under ``sql/plans/`` that ``plan`` makes true."""
    said = {
        "keep_old": plan.keep_old,
        "keep_indexes": not plan.drop_hnsw_first,
        "concurrent_index": plan.concurrent_index,
        "recreate_views": plan.recreate_views,
    }
    return {condition for condition, holds in said.items() if holds}


def in_the_way(sessions: Iterable[dict[str, Any]]) -> str:
    """Return one line of text about those of ``probe/sessions.sql`` that hold a lock on the target."""
    return "; ".join(
        f"the prepared transaction {s['query']!r} ({s['role']}, for {s['transaction_secs']:.0f} s)"
        if s["pid"] is None
        else f"pid {s['pid']} ({s['role']}, {s['application_name'] or 'unnamed'}, {s['state']}, "
        f"{s['transaction_secs'] or 0:.0f} s: {s['query']})"
        for s in sessions
        if s["granted"]
    )


def folders_of(way: str, plan: ReembedPlan) -> list[str]:
    """Return the folders under ``sql/`` that apply by ``way``, in order, all in one transaction."""
    return plans.load(way).folders(when=conditions(plan))


def split_at_lock(folders: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the folders up to the last that locks the target, and those that follow."""
    first = max(number for number, name in enumerate(folders, 1) if plans.role(name) == "lock")
    return list(folders[:first]), list(folders[first:])


@dataclass
class Applier:
    """Runs the folders of plans for a run, and records their steps in the audit.

    ``stager`` encodes the few rows that changed between the last pass and the lock. Without it, they are an error.
    ``started`` is when the first row was read (``time.monotonic()``).
    """

    run: Run
    stager: Stager | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def conn(self) -> psycopg.Connection[Any]:
        return self.run.conn

    def retrying(self, work: Callable[[], _Done], before: Callable[[], None] | None = None) -> _Done:
        """Do ``work`` in a transaction of its own, in several attempts if the table cannot be locked.

        ``before`` is done before each attempt, outside the transaction.

        Raises :class:`LockNotAvailable`, which names the sessions in the way, if the last attempt fails too, and
        :class:`TooManyPending` if more rows changed than fit in one batch. Nothing is in place then.
        """
        attempt = 1
        pause = _FIRST_PAUSE_SECS
        while True:
            if before is not None:
                before()
            try:
                with self.run.clock.on("apply"), self.conn.transaction():
                    return work()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                sessions = self.sessions() or "sessions that are gone by now"
                if attempt == self.run.plan.lock_attempts:
                    raise LockNotAvailable(
                        f"{self.run.values['name']} could not be locked in {attempt} attempts of "
                        f"{self.run.plan.lock_wait_secs:g} s; in the way: {sessions}",
                        "the table is as it was, and the staged vectors stay; run again when those sessions are done; "
                        "this tool ends nobody's session"
                        + (_ENDS_PREPARED if "prepared transaction" in sessions else ""),
                    ) from error
                log.info(
                    "reembed: the table is locked (attempt %d of %d) by %s; trying again in %.0f s",
                    attempt, self.run.plan.lock_attempts, sessions, pause,
                )  # fmt: skip
                with self.run.clock.on("waiting"):
                    time.sleep(pause)
                attempt += 1
                pause = min(2 * pause, _LONGEST_PAUSE_SECS)
            except psycopg.errors.DiskFull as error:
                # Parallel HNSW builds share maintenance_work_mem through /dev/shm, which containers keep small.
                if "shared memory" not in str(error) or self.run.values["index_workers"] == 0:
                    raise
                log.info("reembed: no shared memory for parallel workers; building the index without them")
                self.run.values["index_workers"] = 0

    def sessions(self) -> str:
        """Return one line of text about the sessions that hold a lock on the target."""
        return in_the_way(steps.query(self.conn, "probe/sessions.sql", self.run.values))

    def apply(self) -> Applied:
        """Run the folders of the run's way in the transaction that is open, and commit nothing."""
        applied = self.lock()
        self.place(applied)
        return applied

    def lock(self) -> Applied:
        """Run the folders of the run's way up to the last that locks the target."""
        applied = Applied(self.run.way, self.run.reason)
        self.run.values["way"] = self.run.way
        self._run(split_at_lock(folders_of(self.run.way, self.run.plan))[0], applied)
        return applied

    def place(self, applied: Applied) -> None:
        """Run the folders that follow those of :meth:`lock`."""
        self._run(split_at_lock(folders_of(self.run.way, self.run.plan))[1], applied)

    def build_only(self) -> Applied:
        """Build the missing indexes in the transaction that is open, with the vectors as they are."""
        applied = Applied("index", "only the index is missing")
        when = conditions(self.run.plan) | ({"drop_invalid"} if self.run.probed.invalid_indexes else set())
        self._run(plans.load("index").folders(when=when), applied)
        return applied

    def build_concurrently(self, applied: Applied) -> None:
        """Build the missing indexes in autocommit, while readers and writers continue."""
        self._run((name for name in plans.load("concurrent-index").folders() if plans.role(name) == "build"), applied)

    def _run(self, names: Iterable[str], applied: Applied) -> None:
        """Run folders in order, each as its role requires."""
        for role, group in groupby(names, plans.role):
            if role == "build":
                self.build_indexes(list(group), applied)
                continue
            for name in group:
                if role == "gate":
                    self._gate(name, applied)
                elif role == "apply":
                    self._put_in_place(name, applied)
                else:
                    if role == "report":
                        self._report(applied)
                    if role == "lock":
                        self.run.progress.begin("put the vectors in place")
                    self.folder(name, applied)

    def _gate(self, name: str, applied: Applied) -> None:
        try:
            with self.conn.transaction():
                self.folder(name, applied)
        except psycopg.Error as error:
            if self.stager is None or error.sqlstate != steps.CHECK_FAILED:
                raise
            self.stager.catch_up(self.conn, self.run.plan.batch_size)
            self.folder(name, applied)

    def _put_in_place(self, name: str, applied: Applied) -> None:
        fallback = plans.load(applied.way).falls_back_to
        try:
            with self.conn.transaction():
                self.folder(name, applied)
        except psycopg.OperationalError:
            # A lock, a full disk, a server going down: another way would not help.
            raise
        except psycopg.Error as error:
            if fallback is None:
                raise
            refused = str(error).partition("\n")[0]
            log.info("reembed: the server refused %s (%s); taking %s", applied.way, refused, fallback)
            applied.way_reason = f"the server refused {applied.way}: {refused}"
            applied.way = self.run.values["way"] = fallback
            # The fallback may be ruled out by what the first way keeps.
            self.folder(ASK, applied)
            self.folder(NOTHING_REFUSES, applied)
            self.folder(f"apply/{fallback}", applied)

    def build_indexes(self, names: Sequence[str], applied: Applied) -> None:
        """Run the folders that build indexes. Keep their duration, and what the server says about their memory."""
        outgrown: list[int] = []

        def notice(diagnostic: Diagnostic) -> None:
            if match := _OUTGROWN.search(diagnostic.message_primary or ""):
                outgrown.append(int(match[1]))

        self.run.progress.begin("build the index")
        started = time.monotonic()
        self.conn.add_notice_handler(notice)
        try:
            with self.run.progress.index_build(self.run.conninfo or None, self.run.values):
                for name in names:
                    self.folder(name, applied)
        finally:
            self.conn.remove_notice_handler(notice)
        applied.index_secs += time.monotonic() - started
        for rows in outgrown:
            memory, total = applied.facts["memory_kb"], applied.facts["rows_indexed"]
            needed = max(applied.facts["needed_kb"], memory * total // rows)
            applied.notes.append(
                f"the graph of an index outgrew its {memory >> 10} MB of memory after {rows:,} of {total:,} rows, and "
                f"the rest was added more slowly, on disk: --index-memory {(needed >> 10) + 1} would hold it"
            )

    def folder(self, name: str, applied: Applied) -> None:
        """Run the steps of a folder and record each in the audit. If a step returns one row, it is kept as facts."""
        with self.run.clock.on(_activity(name)):
            for step in steps.folder(name):
                self.record(self._step(step, applied))

    def folders_briefly(self, names: Sequence[str], applied: Applied) -> None:
        """Run the steps of several folders as :meth:`folder` does, in the transaction that is open.

        They are recorded at its end, in one round trip. The table is locked, so everybody waits for each round trip.
        """
        with self.run.clock.on("apply"):
            ran = [self._step(step, applied) for name in names for step in steps.folder(name)]
            with self.conn.pipeline():
                for done in ran:
                    self.record(done)

    def _step(self, step: steps.Step, applied: Applied) -> StepRun:
        done = steps.run(self.conn, step, self.run.values)
        if len(done.result) == 1:
            applied.facts |= done.result[0]
        log.debug("reembed: ran sql/%s in %.3f s", step.name, done.seconds)
        return done

    def record(self, done: StepRun) -> None:
        """Record in the audit that a step ran."""
        record_step(self.conn, self.run.id, done)

    def _report(self, applied: Applied) -> None:
        """Record the way and the durations in the audit, as of the registry update."""
        seconds = time.monotonic() - self.started - applied.index_secs
        applied.facts["duration_secs"] = seconds
        record_report(self.conn, self.run.id, applied, seconds)


def _activity(folder: str) -> str:
    """Return the activity that the time of a folder of steps counts as."""
    role = plans.role(folder)
    if role == "lock":
        return "waiting"
    if role in ("ask", "gate", "verify"):
        return "gate"
    return "index" if "index" in folder else "apply"
