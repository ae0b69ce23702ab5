"""The command line as the runbook's test calls it: it waits for nobody, and pauses where it is told to.

``VESTIGE_TEST_PAUSE`` is a step that is about to run, or a number of chunks that are committed: then it says "paused",
and goes on when its stdin ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import psycopg

from vestige_sql import apply, cli, reembed, stage, steps
from vestige_sql.progress import Progress

cli._BANNER_SECS = 0
reembed._CLAIM_SECS = 0.1
apply._FIRST_PAUSE_SECS = apply._LONGEST_PAUSE_SECS = 0.01
stage.PAGE_ROWS = 60

where = os.environ.get("VESTIGE_TEST_PAUSE")
chunks = 0
run, advance = steps.run, Progress.advance


def pause() -> None:
    print("paused", flush=True)
    sys.stdin.read()


def pausing_run(conn: psycopg.Connection[Any], step: steps.Step, values: Mapping[str, steps.Value]) -> steps.StepRun:
    if step.name == where:
        pause()
    return run(conn, step, values)


def pausing_advance(self: Progress, rows: int) -> None:
    global chunks  # noqa: PLW0603
    advance(self, rows)
    chunks += 1
    if str(chunks) == where:
        pause()


steps.run = pausing_run
Progress.advance = pausing_advance  # type: ignore[method-assign]
sys.exit(cli.main())
