"""Show the progress of a run: a live bar in a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import psycopg
from tqdm import tqdm

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.report import span
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")


_POLL_SECS = 0.5
_LOG_EVERY_SECS = 10.0
_SAY_EVERY_SECS = 30.0

# Of less of a phase nothing is foretold.
_TELLING_SHARE = 0.02
_TELLING_SECS = 2.0


class Progress:
    """Shows progress on stderr: a bar if ``live``, otherwise only log lines."""

    def __init__(self, *, live: bool = False) -> None:
        self._live = live
        self._bar: tqdm[Any] | None = None
        self._said = time.monotonic()
        self._phases: Sequence[str] = ()
        self._phase = -1
        self._verb = "reembed"

    def plan(self, phases: Sequence[str], verb: str = "reembed") -> None:
        """Say which phases the run will have, in order. What is said of them begins with ``verb``."""
        self._phases, self._phase, self._verb = phases, -1, verb

    def begin(self, phase: str) -> None:
        """Say that ``phase`` begins, and which of how many it is. One that is under way or over is not said again."""
        number = self._phases.index(phase) if phase in self._phases else -1
        if number > self._phase and len(self._phases) > 1:
            self._phase = number
            log.info("%s: phase %d of %d: %s", self._verb, number + 1, len(self._phases), phase)

    def _of_phases(self, doing: str) -> str:
        return f"{self._phase + 1}/{len(self._phases)} {doing}" if self._phase >= 0 else doing

    @contextmanager
    def rows(self, total: int, done: int, doing: str = "encoding") -> Iterator[None]:
        """Show the rows done, the rows per second and the time left while the block runs."""
        with tqdm(total=total, initial=done, unit=" rows", desc=self._of_phases(doing), disable=not self._live) as bar:
            self._bar = bar
            try:
                yield
            finally:
                self._bar = None

    def advance(self, rows: int) -> None:
        if self._bar is not None:
            self._bar.update(rows)

    def say(self, text: str) -> None:
        """Show ``text`` behind the bar, or log it, at most once every 30 seconds."""
        if self._live and self._bar is not None:
            self._bar.set_postfix_str(text)
        elif not self._live and time.monotonic() - self._said > _SAY_EVERY_SECS:
            self._said = time.monotonic()
            log.info("stage: %s", text)

    def index_build(self, conninfo: str | None, values: dict[str, Value]) -> IndexWatch:
        """Show an index build while the block runs, from the server's own progress view."""
        return IndexWatch(conninfo, values, live=self._live, doing=self._of_phases("index"))


class IndexWatch:
    """Polls ``pg_stat_progress_create_index`` on a connection of its own while the build goes on."""

    def __init__(self, conninfo: str | None, values: dict[str, Value], *, live: bool, doing: str = "index") -> None:
        self._values = values
        self._live = live
        self._doing = doing
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(conninfo,), daemon=True) if conninfo else None

    def __enter__(self) -> IndexWatch:
        if self._thread:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _watch(self, conninfo: str) -> None:
        # Watching is optional: if it fails, the build goes on.
        try:
            with connect(conninfo, read_only=True) as conn:
                self._poll(conn)
        except Exception as error:
            log.debug("index progress is not shown: %s", error)

    def _poll(self, conn: psycopg.Connection[Any]) -> None:
        logged = time.monotonic()
        form = "{desc}{percentage:3.0f}%|{bar}| {elapsed}{postfix}"
        left = TimeLeft()
        with tqdm(total=100, desc=self._doing, bar_format=form, disable=not self._live) as bar:
            while not self._stop.wait(_POLL_SECS):
                row = steps.query_one(conn, "probe/index_progress.sql", self._values)
                if row is None or row["blocks_share"] is None:
                    continue
                secs = left.of(row["phase"], row["blocks_share"], time.monotonic())
                said = "" if secs is None else f"about {span(secs)} left"
                bar.set_description(f"{self._doing} ({row['phase']})", refresh=False)
                bar.set_postfix_str(said, refresh=False)
                bar.update(round(100 * row["blocks_share"]) - bar.n)
                if not self._live and time.monotonic() - logged > _LOG_EVERY_SECS:
                    logged = time.monotonic()
                    share = f"{100 * row['blocks_share']:.0f}% of the table"
                    log.info("reembed: index: %s, %s", row["phase"], f"{share}, {said}" if said else share)


class TimeLeft:
    """How long a phase of an index build will take from now on, by how long its share so far has taken."""

    def __init__(self) -> None:
        self._phase, self._first, self._share, self._since = "", 0.0, 0.0, 0.0

    def of(self, phase: str, share: float, now: float) -> float | None:
        """Return the seconds left at the time ``now``, None while too little of the phase is done to say.

        ``share`` is what is done of the table, from 0 to 1. The next index begins at 0 again.
        """
        if phase != self._phase or share < self._share:
            self._phase, self._first, self._since = phase, share, now
        self._share = share
        done, secs = share - self._first, now - self._since
        if done < _TELLING_SHARE or secs < _TELLING_SECS:
            return None
        return secs * (1 - share) / done


class LiveHandler(logging.StreamHandler[Any]):
    """A log handler that prints above the bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=self.stream)
