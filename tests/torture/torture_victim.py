"""One attempt of a re-embedding, or of undoing one, for a process of its own: the victim of the torture."""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import os
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from support import Conn, FakeEmbedder
from tqdm import tqdm

from vestige_sql import ReembedPlan, Target, abort_reembed, finalize, rollback, run_reembed, steps
from vestige_sql.errors import VestigeError
from vestige_sql.reembed import apply, online, stage
from vestige_sql.reembed.progress import Progress
from vestige_sql.steps import running

LOCKS = ("lock/exclusive/20_lock_target.sql", "lock/writers/20_lock_target.sql")


@dataclass(frozen=True)
class Point:
    """A place in a run: "before" or "after" the step ``name`` for the ``number``-th time, in the ``number``-th call of
    the model ("embed"), or once that chunk is committed ("chunk").
    """

    when: str
    name: str = ""
    number: int = 1

    def __str__(self) -> str:
        return " ".join(
            filter(None, (self.when, self.name, f"({self.number})" if self.number > 1 or not self.name else ""))
        )


@dataclass(frozen=True)
class Job:
    """What to do, and what befalls it.

    ``verb`` is "reembed", "rollback", "finalize" or "abort". At ``point`` the process kills itself ("kill"), ends its
    sessions ("end-all") or the one that is at it ("end-one"), or shuts the server down at once ("crash"). ``log`` gets
    a line for each call of the model, each lock and each step that writes; ``outcome`` how it ended.
    """

    conninfo: str
    direct: str
    verb: str
    target: Target
    model: tuple[str, int]
    plan: Mapping[str, Any]
    page_rows: int
    log: Path
    outcome: Path
    postmaster: int
    point: Point | None = None
    fate: str = "kill"


def act(job: Job) -> None:
    """Do ``job`` and write down how it ended, if it does."""
    faulthandler.dump_traceback_later(50)
    # So that a small table has many chunks and batches, one encoded while another is copied, and no time
    # is lost waiting.
    stage.PAGE_ROWS = job.page_rows
    stage.FEWEST_ROWS = stage.FAST_ROWS = 0
    online._FEWEST_ROWS = online._FIRST_ROWS = online._MOST_ROWS = job.page_rows
    apply._FIRST_PAUSE_SECS = 0.05
    # Its own would be a semaphore that outlives the process.
    tqdm.set_lock(threading.RLock())
    try:
        done = _Victim(job).act()
        told = {"done": dataclasses.asdict(done) if dataclasses.is_dataclass(done) else done}
    except BaseException as error:
        told = {
            "error": type(error).__name__,
            "is_ours": isinstance(error, VestigeError),
            "message": str(error),
            "hint": getattr(error, "hint", ""),
            "traceback": traceback.format_exc(),
        }
    job.outcome.write_text(json.dumps(told, default=str))


@dataclass
class _Victim:
    job: Job
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.log = os.open(self.job.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def act(self) -> Any:
        job = self.job
        run = steps.run

        def watched(conn: Conn, step: steps.Step, values: Mapping[str, steps.Value]) -> steps.StepRun:
            # Others watch the index build, when they like.
            if threading.current_thread() is not threading.main_thread():
                return run(conn, step, values)
            self._at("before", step.name, conn)
            if step.name in LOCKS:
                self._tell("lock", step.name)
            done = run(conn, step, values)
            if step.header["Run again"] != "safe, it only reads":
                self._tell("step", step.name)
            self._at("after", step.name, conn)
            return done

        steps.run = running.run = watched
        name, dimension = job.model
        plan = ReembedPlan(**job.plan)
        if job.verb == "reembed":
            embedder = FakeEmbedder(name, dimension, hook=self._embeds)
            return run_reembed(job.conninfo, embedder, plan, target=job.target, progress=_Chunks(self))
        if job.verb == "rollback":
            return rollback(job.conninfo, plan, target=job.target)
        if job.verb == "finalize":
            return finalize(job.conninfo, plan, target=job.target)
        return abort_reembed(job.conninfo, target=job.target)

    def _embeds(self, _: int, texts: Any) -> None:
        self._tell("encoded", texts)
        self._at("embed", "")

    def _tell(self, what: str, told: Any) -> None:
        # One call, so that a line is there as a whole or not at all.
        os.write(self.log, (json.dumps([what, told]) + "\n").encode())

    def _at(self, when: str, name: str, conn: Conn | None = None) -> None:
        self.seen[when, name] += 1
        point = self.job.point
        if point == Point(when, name, self.seen[when, name]):
            self._meet_fate(conn)

    def _meet_fate(self, conn: Conn | None) -> None:
        fate = self.job.fate
        self._tell("fate", fate)
        if fate == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fate == "crash":
            # That is what pg_ctl stop -m immediate does.
            os.kill(self.job.postmaster, signal.SIGQUIT)
        else:
            with psycopg.connect(self.job.direct, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'vestige-sql'"
                    " AND (%(pid)s::integer IS NULL OR pid = %(pid)s)",
                    {"pid": conn.info.backend_pid if conn is not None and fate == "end-one" else None},
                )


class _Chunks(Progress):
    def __init__(self, victim: _Victim) -> None:
        super().__init__()
        self._victim = victim

    def advance(self, rows: int) -> None:
        self._victim._tell("chunk", rows)
        self._victim._at("chunk", "")
