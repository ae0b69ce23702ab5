"""What a run needs from an engine that encodes on other machines, and how it survives a server's restart."""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol, TypeVar, cast

import psycopg

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import ServerLost
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.stage import Stager
from vestige_sql.report import ReembedReport, WorkerReport

log = logging.getLogger("vestige_sql")


class Engine(Protocol):
    """Encodes on other machines: :class:`vestige_sql.cluster.engine.RayEngine`, or a class like it.

    ``reports`` has one entry per worker, also during a run.
    """

    reports: list[WorkerReport]

    def passes(
        self,
        conn: psycopg.Connection[Any],
        stager: Stager,
        signature: ModelSignature,
        run_id: int,
        rows: int,
        progress: Progress,
    ) -> AbstractContextManager[Callable[[str | None], int]]:
        """Start the workers for the run ``run_id``, and stop them at the end.

        The block gets a function that makes one pass over the pending rows after a key, and returns how many it met.
        ``rows`` is about how many rows the table has.
        """
        ...


_Verb = TypeVar("_Verb", bound=Callable[..., ReembedReport])

# How long the server may be away, and how often in a row if no row is staged in between.
_RESTART_SECS = 600.0
_RESTARTS = 5


def outlives_restarts(verb: _Verb) -> _Verb:
    """Let a verb with an ``engine`` resume once a server that went away is back.

    The claim on the target ended with the connection, so the verb starts again. If another run has claimed the target
    meanwhile, it is refused.
    """

    @functools.wraps(verb)
    def again(conninfo: str, *args: Any, **options: Any) -> ReembedReport:
        engine: Engine | None = options.get("engine")
        if engine is None:
            return verb(conninfo, *args, **options)
        engine.reports.clear()
        staged, restarts = 0, 0
        begun = time.monotonic()
        while True:
            try:
                report = verb(conninfo, *args, **options)
                # Nearly all of the time before the server went away was spent on encoding.
                encoding = report.spent["encoding"] + time.monotonic() - begun - sum(report.spent.values())
                return dataclasses.replace(
                    report, rows_encoded=staged + report.rows_encoded, spent=report.spent | {"encoding": encoding}
                )
            except ServerLost as error:
                before, staged = staged, sum(report.rows for report in engine.reports)
                restarts = 1 if staged > before else restarts + 1
                if restarts > _RESTARTS or not _back(conninfo, error):
                    raise
                log.warning("stage: the server is back; the run resumes")
                if "before_write" in options:
                    options["before_write"] = None

    return cast(_Verb, again)


def _back(conninfo: str, error: ServerLost) -> bool:
    """Wait for the server, and return whether it came back."""
    log.warning("stage: %s; waiting up to %.0f s for it", error, _RESTART_SECS)
    deadline = time.monotonic() + _RESTART_SECS
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            psycopg.connect(conninfo).close()
            return True
        time.sleep(1)
    return False
