"""Changes the model while search goes on: a second column is filled, indexed, caught up with, and takes the name.

Each phase is a part of ``sql/plans/online`` that finds out by itself how far it is. So a run that was killed resumes,
and a DBA can run the parts one after another, hours apart.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.errors import CheckFailed
from vestige_sql.reembed.apply import Applier, conditions
from vestige_sql.reembed.audit import Applied, forget_outdated
from vestige_sql.reembed.open_run import find_open_run
from vestige_sql.reembed.recall import check_recall, measure_recall
from vestige_sql.reembed.stage import CHANGED_ROWS, TooManyPending
from vestige_sql.steps import plans
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")


# A batch of the filling is sized to take about this long. Its rows are locked for that time.
_BATCH_SECS = 0.2
_FEWEST_ROWS, _FIRST_ROWS, _MOST_ROWS = 20, 200, 5_000

_LAG_POLL_SECS = 0.5
_LOG_EVERY_SECS = 10.0

# Each round is shorter than the last by the ratio of the rates of change and of encoding. A few rounds are enough, or
# no number is.
_ROUNDS = 8

_SWITCH_ATTEMPTS = 20

# So many of these never block readers, however many changes there are. Later ones encode up to 1, 2, 4, 8 .. rows with
# everybody locked out.
_GENTLE_ATTEMPTS = 8

_LOCK_POLL_SECS = 0.005


@dataclass
class Online:
    """One online run.

    ``applier`` has the connection, the step variables and the audit. ``stage`` stages the pending rows of the whole
    table, and is None if there is no model at hand. ``filling`` says that an earlier process has added the second
    column.
    """

    applier: Applier
    stage: Callable[[], None] | None
    quiet: bool
    filling: bool
    lock_held_secs: float = 0.0

    def __post_init__(self) -> None:
        self.run = self.applier.run
        self.conn, self.values, self.plan = self.run.conn, self.run.values, self.run.plan
        self.values["way"] = "online"
        self._order = plans.load("online")
        # Of these, each part of the plan takes those that it knows.
        self._when = ({"quiet"} if self.quiet else set()) | (conditions(self.plan) & {"recreate_views"})
        self._locked_at = 0.0
        self._caught_up = self._switched = False

    def carry_out(self) -> Applied:
        """Run every phase that is left, the switch included.

        Raises :class:`RecallTooLow` and :class:`CheckFailed`. The former vectors are live then, and the work is kept.
        """
        applied = Applied("online", self.run.reason)
        if not self.filling:
            self._prepare(applied)
        self.values["index_column"] = self.values["second_column"] = self.values["new_column"]
        if self.stage is not None:
            # Earlier changes were not noted. A pass over the table finds them, since it begins after noting has begun.
            self.stage()
        self._fill(applied)
        started = time.monotonic()
        self._build_indexes(applied)
        applied.index_secs = time.monotonic() - started
        self.run.progress.begin("catch up with changes")
        self._catch_up(self.plan.batch_size)
        self._verify(applied)
        self._check_recall(applied)
        self._switch(applied)
        for done in forget_outdated(self.conn, self.values, quiet=self.quiet):
            self.applier.record(done)
        for name in self._order.folders("clear"):
            # The run is closed once all the rest is in the audit.
            if plans.role(name) != "close":
                self._folder(name, applied)
        applied.facts["duration_secs"] = time.monotonic() - self.applier.started - applied.index_secs
        return applied

    def _folder(self, name: str, applied: Applied) -> None:
        self.applier.folder(name, applied)

    def _part(self, name: str, applied: Applied) -> None:
        for folder in self._order.folders(name, self._when):
            self._folder(folder, applied)

    def _prepare(self, applied: Applied) -> None:
        self.run.progress.begin("add the second column")
        if self.stage is None:
            with self.conn.transaction():
                for name in plans.load("gate").folders():
                    self._folder(name, applied)

        def prepare() -> Applied:
            self._part("prepare", applied)
            return applied

        self.applier.retrying(prepare)
        log.info("reembed: the second column is there; changes are noted from now on")

    def _fill(self, applied: Applied) -> None:
        """Write the staged vectors into the second column in batches of about ``_BATCH_SECS`` each."""
        self.run.progress.begin("fill it")
        *before, step = self._order.steps("fill", self._when)
        staged = steps.query(self.conn, "probe/staged.sql", self.values)[0]["rows_staged"]
        run = find_open_run(self.conn, self.values)
        filled = run.rows_filled if run else 0
        started, logged = time.monotonic(), time.monotonic()
        rows, slowest = _FIRST_ROWS, 0.0
        with self.run.progress.rows(staged, filled, "filling"), self.run.clock.on("apply"):
            while (batch := self._batch(before, step, {"batch_rows": rows})).result:
                self.run.progress.advance(batch.result[0]["rows_filled"] - filled)
                filled = batch.result[0]["rows_filled"]
                slowest = max(slowest, batch.seconds)
                if batch.result[0]["fill_passes"] == 0:
                    # The next batch begins another range of keys. All batches of one range have the same size.
                    rows, slowest = _next_size(rows, slowest), 0.0
                if time.monotonic() - logged > _LOG_EVERY_SECS:
                    logged = time.monotonic()
                    log.info("reembed: filled %d of %d rows", filled, staged)
                with self.run.clock.on("waiting"):
                    self._pause()
        for done in (*before, step):
            rows_filled = filled if done is step else None
            self.applier.record(steps.StepRun(done, rows_filled, time.monotonic() - started, []))
        log.info("reembed: filled %d rows in %.1f s", filled, time.monotonic() - started)

    def _batch(self, before: Sequence[steps.Step], step: steps.Step, values: dict[str, Value]) -> steps.StepRun:
        """Run ``step`` in one short transaction, after the steps ``before`` it, whose settings end with it."""
        under_lock = self.conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE
        with self.conn.transaction():
            for setting in before:
                steps.run(self.conn, setting, self.values)
            done = steps.run(self.conn, step, self.values | values)
            if under_lock:
                # Writing gave the table's own triggers the role's search_path, until the end of the transaction.
                steps.run(self.conn, steps.load("transaction/05_pin_search_path.sql"), {})
        return done

    def _pause(self) -> None:
        time.sleep(self.plan.pause_secs)
        logged = None
        while (lag := steps.query(self.conn, "probe/replication.sql", {})[0]["lag_bytes"]) > self.plan.max_lag_bytes:
            if logged is None or time.monotonic() - logged > _LOG_EVERY_SECS:
                logged = time.monotonic()
                log.info("reembed: a replica is %.0f MB behind; waiting for it", lag / 1e6)
            time.sleep(_LAG_POLL_SECS)

    def _build_indexes(self, applied: Applied) -> None:
        with self.conn.transaction():
            self._part("save", applied)
        for role, group in groupby(self._order.folders("index"), plans.role):
            if role == "build":
                self.applier.build_indexes(list(group), applied)
                continue
            for name in group:
                self._folder(name, applied)

    def _changes(self) -> int:
        """Return the number of changed rows that are noted."""
        changes: int = steps.query(self.conn, "probe/changed.sql", self.values)[0]["changes"]
        return changes

    def _catch_up(self, most: int) -> bool:
        """Encode and write changed rows while readers and writers continue.

        Returns whether at most ``most`` are left.
        """
        for _ in range(_ROUNDS):
            if not self._changes():
                return True
            self._stage_changed()
            self._write_changed()
            if self._changes() <= most:
                return True
        return False

    def _stage_changed(self, *, beside_lock: bool = False) -> None:
        """Stage changed rows on connections of their own: what these commit stays, even if the switch fails.

        ``beside_lock`` says that this run holds writers off. Then these connections wait only briefly for locks.
        """
        with connect(self.run.conninfo) as reader, connect(self.run.conninfo) as writer:
            for name in self._order.folders("catch-up", {"beside_lock"} if beside_lock else ()):
                for step in steps.folder(name):
                    if plans.role(name) == "lock":
                        for conn in (reader, writer):
                            steps.run(conn, step, self.values)
                    else:
                        self.applier.record(steps.run(writer, step, self.values))
            if (stager := self.applier.stager) is not None:
                stager.run(writer, stager.by_key(reader, page_step=CHANGED_ROWS))

    def _write_changed(self) -> None:
        """Write the staged vectors of changed rows, in one pass: rows may change as fast as they are written."""
        *before, step = self._order.steps("write", self._when)
        rows, after = _FIRST_ROWS, 0
        with self.run.clock.on("apply"):
            while after is not None:
                batch = self._batch(before, step, {"batch_rows": rows, "after_change": after})
                after = batch.result[0]["last_change"]
                rows = _next_size(rows, batch.seconds)

    def _verify(self, applied: Applied) -> None:
        with self.conn.transaction():
            self._part("verify", applied)
        if noted := applied.facts["rows_noted"]:
            log.info("reembed: %d rows lacked the vector of their text; they are noted as changed", noted)

    def _check_recall(self, applied: Applied) -> None:
        applied.recall = measure_recall(self.conn, self.values, self.plan.recall_sample)
        check_recall(self.conn, self.values, applied.recall, self.plan.min_recall, self.plan.recall_sample)

    def _switch(self, applied: Applied) -> None:
        """Lock the table, check that nothing is stale, and swap the columns' names."""
        self.run.progress.begin("switch")
        failed = None
        for attempt in range(_SWITCH_ATTEMPTS):
            most = min(self.plan.batch_size, 2**attempt >> _GENTLE_ATTEMPTS)
            try:
                self.applier.retrying(
                    lambda most=most: self._try(applied, most),  # type: ignore[misc]
                    before=lambda: self._get_ready(applied),
                )
            except TooManyPending:
                failed = None
                continue
            except psycopg.Error as error:
                # If a row has changed meanwhile, or all were written anew, the check may hold the next time.
                if error.sqlstate != steps.CHECK_FAILED or self._is_ready():
                    raise
                if self.applier.stager is None and self._changes():
                    raise
                failed = error
                continue
            if not self._switched:
                failed = None
                continue
            self.lock_held_secs = time.monotonic() - self._locked_at
            applied.facts["lock_held_secs"] = self.lock_held_secs
            log.info("reembed: switched; the table was locked for %.0f ms", 1000 * self.lock_held_secs)
            return
        if failed is not None:
            raise failed
        raise CheckFailed(
            f"{self.values['name']} changes faster than its rows are encoded: more than {most} rows were new at the "
            "last attempt to switch",
            "search goes on in the former vectors, and nothing is lost; run the same command again when the table is "
            "used less",
        )

    def _get_ready(self, applied: Applied) -> None:
        if not self._verified():
            # VACUUM FULL, CLUSTER and the like have written the table anew.
            self._verify(applied)
        self._caught_up = self._catch_up(0)

    def _is_ready(self) -> bool:
        return self._verified() and not self._changes()

    def _verified(self) -> bool:
        """Whether the table's rows are still in the file in which they were verified."""
        run = find_open_run(self.conn, self.values)
        return run is not None and run.verified

    def _try(self, applied: Applied, most: int) -> Applied:
        holding = not self._caught_up and not most
        switch = self._order.folders("switch", self._when | ({"writers_held"} if holding else set()))
        locks = [name for name in switch if plans.role(name) == "lock"]
        if holding:
            if not self._lock_holding_writers_off(applied, locks):
                return applied
            self._locked_at = time.monotonic()
        else:
            for name in locks:
                self._folder(name, applied)
            self._locked_at = time.monotonic()
            if most and self._changes() and (stager := self.applier.stager) is not None:
                # This is slower for everybody, and the only way if readers and changes never pause.
                self._part("catch-up", applied)
                stager.stage_inside(self.conn, most, stager.by_key(self.conn, page_step=CHANGED_ROWS))
                self._write_changed()
        self.applier.folders_briefly([name for name in switch if name not in locks], applied)
        self._switched = True
        return applied

    def _lock_holding_writers_off(self, applied: Applied, locks: list[str]) -> bool:
        """Lock the table although rows change all the time: writers wait while the last rows are encoded.

        Returns False if readers never left the lock free. What was encoded is kept even so.
        """
        self._part("hold-writers", applied)
        if self._changes() > self.plan.batch_size:
            raise TooManyPending
        self._stage_changed(beside_lock=True)
        self._write_changed()
        *before, at_once = locks
        for name in before:
            self._folder(name, applied)
        deadline = time.monotonic() + self.plan.lock_wait_secs
        while True:
            try:
                with self.conn.transaction():
                    self._folder(at_once, applied)
                return True
            except psycopg.errors.LockNotAvailable:
                if time.monotonic() > deadline:
                    return False
            with self.run.clock.on("waiting"):
                time.sleep(_LOCK_POLL_SECS)


def _next_size(rows: int, seconds: float) -> int:
    """Return the next batch's size, in rows: between half and twice ``rows``, by how many seconds these took."""
    wanted = rows * min(2.0, max(0.5, _BATCH_SECS / max(seconds, 1e-6)))
    return max(_FEWEST_ROWS, min(_MOST_ROWS, int(wanted)))
