"""Show the progress of a run: a live bar in a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import psycopg
from tqdm import tqdm

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")


_POLL_SECS = 0.5
_LOG_EVERY_SECS = 10.0
_SAY_EVERY_SECS = 30.0


class Progress:
    """Shows progress on stderr: a bar if ``live``, otherwise only log lines."""

    def __init__(self, *, live: bool = False) -> None:
        self._live = live
        self._bar: tqdm[Any] | None = None
        self._said = time.monotonic()

    @contextmanager
    def rows(self, total: int, done: int, doing: str = "encoding") -> Iterator[None]:
        """Show the rows done, the rows per second and the time left while the block runs."""
        with tqdm(total=total, initial=done, unit=" rows", desc=doing, disable=not self._live) as bar:
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
        return IndexWatch(conninfo, values, live=self._live)


class IndexWatch:
    """Polls ``pg_stat_progress_create_index`` on a connection of its own while the build goes on."""

    def __init__(self, conninfo: str | None, values: dict[str, Value], *, live: bool) -> None:
        self._values = values
        self._live = live
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
        form = "{desc}{percentage:3.0f}%|{bar}| {elapsed}"
        with tqdm(total=100, desc="index", bar_format=form, disable=not self._live) as bar:
            while not self._stop.wait(_POLL_SECS):
                row = steps.query_one(conn, "probe/index_progress.sql", self._values)
                if row is None or row["blocks_share"] is None:
                    continue
                bar.set_description(f"index ({row['phase']})", refresh=False)
                bar.update(round(100 * row["blocks_share"]) - bar.n)
                if not self._live and time.monotonic() - logged > _LOG_EVERY_SECS:
                    logged = time.monotonic()
                    log.info("reembed: index: %s, %d%% of the table", row["phase"], 100 * row["blocks_share"])


class LiveHandler(logging.StreamHandler[Any]):
    """A log handler that prints above the bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=self.stream)
