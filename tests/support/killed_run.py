"""A run that kills itself, for a process of its own: the victim of the tests of interrupted runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from support import Conn, FakeEmbedder
from vestige_sql import ReembedPlan, run_reembed, steps
from vestige_sql.reembed import online, stage
from vestige_sql.reembed.progress import Progress
from vestige_sql.steps import running


@dataclass(frozen=True)
class Point:
    """Where to die.

    ``what`` is "embed" (in call ``number``), "chunk" (once chunk ``number`` is committed), "before" or "after" (the
    step ``name``, the ``number``-th time), or "commit" (when COMMIT is sent after that step, and not answered).
    """

    what: str
    name: str = ""
    number: int = 1


def kill(victims: Any, db: str, model: FakeEmbedder, fields: Mapping[str, Any], point: Point) -> None:
    """Run with ``model`` in a process that is killed at ``point``."""
    process = victims.Process(target=run, args=(db, model.model_name, model.dimension, fields, point))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, f"{point} was not reached"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(conninfo: str, name: str, dimension: int, plan: Mapping[str, Any], point: Point, page_rows: int = 5) -> None:
    """Re-embed with ``FakeEmbedder(name, dimension)`` and die at ``point``."""
    stage.PAGE_ROWS = page_rows
    online._FEWEST_ROWS = online._FIRST_ROWS = online._MOST_ROWS = page_rows
    # Its own would be a semaphore that outlives the process.
    tqdm.set_lock(threading.RLock())
    run_step = steps.run
    seen = 0

    def watched(conn: Conn, step: steps.Step, values: Mapping[str, steps.Value]) -> steps.StepRun:
        nonlocal seen
        here = step.name == point.name
        seen += here
        if here and seen == point.number and point.what == "before":
            die()
        done = run_step(conn, step, values)
        if here and seen == point.number:
            if point.what == "after":
                die()
            if point.what == "commit":
                conn.pgconn.send_query(b"COMMIT")
                conn.pgconn.flush()
                die()
        return done

    class Dies(Progress):
        def advance(self, rows: int) -> None:
            nonlocal seen
            seen += point.what == "chunk"
            if point.what == "chunk" and seen == point.number:
                die()

    steps.run = running.run = watched  # type: ignore[assignment]
    hook = (lambda call, _: die() if call == point.number else None) if point.what == "embed" else None
    run_reembed(conninfo, FakeEmbedder(name, dimension, hook=hook), ReembedPlan(**plan), progress=Dies())
