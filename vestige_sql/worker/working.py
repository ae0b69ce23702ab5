"""The worker: one thread a target, until it is told to stop."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.errors import EncoderError, ServerError
from vestige_sql.plan import Target
from vestige_sql.worker.keeper import Keeper
from vestige_sql.worker.plan import Kept, Load, WorkerPlan

log = logging.getLogger("vestige_sql")

_FIRST_WAIT_SECS, _LONGEST_WAIT_SECS = 1.0, 60.0

_STATE = (
    "the vectors that are there stay, and the rows that wait stay noted; correct the cause, and start the worker "
    "again: it goes on from there"
)

Tell = Callable[[Kept], None]


def run_worker(
    conninfo: str,
    load: Load,
    plan: WorkerPlan = WorkerPlan(),  # noqa: B008  (frozen)
    *,
    targets: Sequence[tuple[Target, Load | None]],
    stop: threading.Event | None = None,
    tell: Tell = lambda _: None,
) -> list[Kept]:
    """Keep the vectors of ``targets`` up to date until ``stop`` is set, or for one pass with ``plan.once``.

    A target may come with a ``load`` of its own. ``tell`` is called after each pass that did something. What was begun
    is committed when it returns. Returns what was done, by target.

    Raises the :class:`VestigeError` that ended a target's worker. The others are stopped then, too.
    """
    stop = stop or threading.Event()
    process = f"{socket.gethostname()}:{os.getpid()}"
    every = [Kept(target.table) for target, _ in targets]

    def keep(place: int) -> None:
        target, own = targets[place]
        try:
            _Loop(conninfo, target, plan, own or load, stop, every[place], tell, process).run()
        except BaseException:
            stop.set()
            raise

    if len(targets) == 1:
        keep(0)
        return every
    with ThreadPoolExecutor(len(targets), thread_name_prefix="vestige-sql-worker") as pool:
        running = [pool.submit(keep, place) for place in range(len(targets))]
        try:
            for done in running:
                done.result()
        finally:
            stop.set()
    return every


def drop_trigger(conninfo: str, target: Target) -> None:
    """Drop the trigger that notes the changes of ``target``. Raises a :class:`VestigeError` if that cannot be done."""

    def load(wanted: ModelSignature, _: object) -> Embedder:
        raise AssertionError(wanted)

    with steps.translated(_STATE), connect(conninfo) as conn:
        Keeper(conn, target, WorkerPlan(), load, threading.Event(), Kept(), {}).uninstall()


class _Loop:
    """The passes over one target, across lost connections and failures of the model."""

    def __init__(
        self,
        conninfo: str,
        target: Target,
        plan: WorkerPlan,
        load: Load,
        stop: threading.Event,
        kept: Kept,
        tell: Tell,
        process: str,
    ) -> None:
        self._conninfo, self._target, self._plan, self._load = conninfo, target, plan, load
        self._stop, self._kept, self._tell, self._process = stop, kept, tell, process
        self._models: dict[ModelSignature, Embedder] = {}
        self._failing_since: float | None = None
        self._wait_secs = _FIRST_WAIT_SECS
        self._keeper: Keeper | None = None

    def run(self) -> None:
        """Make passes until the worker is stopped. Raises what ends it."""
        while not self._stop.is_set() or self._keeper is None:
            try:
                with steps.translated(_STATE), connect(self._conninfo) as conn:
                    self._passes(conn)
                return
            except (ServerError, EncoderError) as error:
                if self._plan.once or self._keeper is None or not self._may_go_on(error):
                    raise

    def _passes(self, conn: psycopg.Connection[Any]) -> None:
        former = self._keeper
        keeper = Keeper(
            conn, former.target if former else self._target, self._plan, self._load, self._stop, self._kept,
            self._models, self._process,
        )  # fmt: skip
        if former is not None:
            keeper.process_id, keeper.error = former.process_id, former.error
        keeper.open()
        self._keeper = keeper
        while True:
            before = self._kept.embedded, self._kept.cleared, self._kept.failed
            try:
                keeper.run_pass()
            except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                # Something got another name since the look. Probing finds it, or says what is missing.
                keeper.open()
                continue
            except EncoderError as error:
                keeper.error = str(error)
                keeper.beat("failing")
                raise
            self._failing_since, self._wait_secs = None, _FIRST_WAIT_SECS
            if before != (self._kept.embedded, self._kept.cleared, self._kept.failed):
                self._tell(self._kept)
            if self._plan.once or self._stop.is_set():
                keeper.beat("stopped")
                return
            keeper.wait(self._plan.poll_secs)

    def _may_go_on(self, error: ServerError | EncoderError) -> bool:
        """Wait before the next attempt, longer each time. Returns False if it has failed for too long."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > self._plan.give_up_secs:
            log.error("worker: %s: given up after %.0f s", self._kept.target, now - self._failing_since)
            return False
        log.warning("worker: %s: %s; the next attempt is in %.0f s", self._kept.target, error, self._wait_secs)
        self._stop.wait(self._wait_secs)
        self._wait_secs = min(2 * self._wait_secs, _LONGEST_WAIT_SECS)
        return True
