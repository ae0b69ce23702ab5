"""The workers of one run on a Ray cluster, and which range of keys each one stages."""

from __future__ import annotations

import logging
import os
import statistics
import textwrap
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from vestige_sql import steps
from vestige_sql.cluster.ranges import KeyRange, range_rows
from vestige_sql.cluster.worker import Assignment, Carried, Shipped, Source, Worker, files_hash
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.encode.onnx import OnnxEmbedder
from vestige_sql.errors import EngineError, ModelNotFound, ServerLost, VestigeError
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.stage import Stager
from vestige_sql.report import WorkerReport

if TYPE_CHECKING:
    from vestige_sql.cluster.engine import RayEngine

log = logging.getLogger("vestige_sql")


# With at most so many workers, the rows per second of each are shown.
_SHOWN_ONE_BY_ONE = 8

_POLL_SECS = 1.0
_SAY_EVERY_SECS = 30.0

# A worker is called slow if its range takes this many times the median, and at least this many seconds.
_STRAGGLES = 3.0
_STRAGGLES_SECS = 10.0

# A worker that fails this often without finishing a range is given up. If this many workers are lost one after the
# other on the same range, its rows kill them, and the run is given up.
_FAILURES = 3

# How long a worker may take for its current call of the model and its commit after it was told to stop.
_STOP_SECS = 60.0
_CLOSE_SECS = 5.0


class _Actor(Worker):
    """A worker in its own process."""

    def ready(self, source: Source) -> tuple[str, int, str | None]:
        # Tokenizers read this when they are first used. Without it they use all cores.
        os.environ.setdefault("RAYON_NUM_THREADS", str(self.told.threads))
        return super().ready(source)


@dataclass
class _Member:
    """A worker: its actor, its current range, and since when. Without a range it is loading the model, or idle."""

    report: WorkerReport
    actor: Any = None
    range: KeyRange | None = None
    since: float = 0.0
    failures: int = 0
    asked: Any = None
    named: bool = False
    shipped: bool = False


class Fleet:
    """The workers of one run, and the range of each."""

    def __init__(
        self,
        ray: Any,
        engine: RayEngine,
        conn: psycopg.Connection[Any],
        stager: Stager,
        signature: ModelSignature,
        run_id: int,
        rows: int,
        progress: Progress,
    ) -> None:
        self._ray = ray
        self._conn = conn
        self._stager = stager
        self._progress = progress
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        free = self._free_connections()
        workers, threads, connections, copies = engine.plan(nodes, free)
        self._range_rows = engine.range_rows or range_rows(rows, workers, stager.page_rows)
        log.info(
            "stage: %d workers of %d threads on %d nodes, in ranges of %d rows; they use %d of the server's %d free "
            "connections and copy %d chunks at a time",
            workers, threads, len(nodes), self._range_rows, connections, free, copies,
        )  # fmt: skip
        self._needs = {"CPU": threads} | ({"GPU": engine.gpus_per_worker} if engine.gpus_per_worker else {})
        self._warned = time.monotonic()
        self._assignment = ray.put(
            Assignment(
                conninfo=make_conninfo(conn.info.dsn, password=conn.info.password or None),
                values=stager.values | {"run_id": run_id},
                signature=signature,
                table=stager.table,
                batch_size=stager.batch_size,
                page_rows=stager.page_rows,
                threads=threads,
                copies=copies,
                files=files_hash(),
                reference=stager.reference,
            )
        )
        self._actor = ray.remote(
            num_cpus=threads,
            num_gpus=engine.gpus_per_worker,
            # A restarted actor would keep its range until Ray has placed it again. Any other worker can take it now.
            max_restarts=0,
            concurrency_groups={"aside": 1},
        )(_Actor)
        self._sent: Any = None
        self._source = self._put(engine.load) if engine.load else self._carried()
        self._calls: dict[Any, _Member] = {}
        self._idle: list[_Member] = []
        self._again: deque[KeyRange] = deque()
        self._secs: deque[float] = deque(maxlen=100)
        self._refusal: VestigeError | None = None
        known = {report.worker: report for report in engine.reports}
        for number in range(1, workers + 1):
            if number not in known:
                engine.reports.append(WorkerReport(number))
        for report in engine.reports[:workers]:
            self._employ(_Member(report))

    # --- One pass ---

    def run(self, after: str | None) -> int:
        """Make one pass over the pending rows after the key ``after``; return how many it met.

        Raises :class:`EngineError` or a worker's error if no worker is left.
        """
        self._met = 0
        self._cut = self._ranges(after)
        while True:
            while self._idle and (piece := self._next()) is not None:
                self._give(self._idle.pop(), piece)
            if self._idle and not any(member.range for member in self._calls.values()):
                return self._met
            if not self._calls:
                raise self._refusal or EngineError(
                    "no worker is left",
                    "see the log lines before; the staged vectors stay, and the same command resumes",
                )
            done, _ = self._ray.wait(list(self._calls), timeout=_POLL_SECS)
            for call in done:
                self._settle(call)
            self._look()

    def _ranges(self, after: str | None) -> Iterator[KeyRange]:
        while True:
            literal = None if after is None else sql.Literal(after).as_string(self._conn)
            values = self._stager.values | {"after": literal, "range_rows": self._range_rows}
            end = steps.query_one(self._conn, "stage/range.sql", values)
            until = None if end is None else end["until"]
            yield KeyRange(after, until)
            if until is None:
                return
            after = until

    def _next(self) -> KeyRange | None:
        return self._again.popleft() if self._again else next(self._cut, None)

    def _give(self, member: _Member, piece: KeyRange) -> None:
        member.range, member.since, member.named = piece, time.monotonic(), False
        self._calls[member.actor.stage.remote(piece.after, piece.until)] = member

    def _settle(self, call: Any) -> None:
        """Handle the result of a call that has ended."""
        member = self._calls.pop(call)
        piece, member.range = member.range, None
        report = member.report
        secs = time.monotonic() - member.since
        if piece is not None:
            report.busy_secs += secs
        try:
            result = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            self._failed(member, piece, error)
            return
        except self._ray.exceptions.RayError as error:
            self._lost(member, piece, error)
            return
        if piece is None:
            report.node, report.pid, report.device = result
            log.info("stage: %s is ready", report)
        else:
            met, chunks = result
            self._met += met
            if member.asked is not None:
                # Rows that it has reported in answer to a question are not among those that it returns.
                with suppress(self._ray.exceptions.RayError):
                    self._count(member, self._ray.get(member.asked))
                member.asked = None
            self._count(member, chunks)
            self._secs.append(secs)
            report.ranges += 1
            member.failures = 0
        self._idle.append(member)

    # --- Who comes and goes ---

    def _employ(self, member: _Member) -> None:
        """Let Ray place a worker wherever there is room, now or later."""
        member.actor, member.asked, member.shipped = self._actor.remote(self._assignment), None, False
        self._calls[member.actor.ready.remote(self._source)] = member

    def _lost(self, member: _Member, piece: KeyRange | None, error: Exception) -> None:
        report = member.report
        report.lost += 1
        why = _brief(error)
        log.warning("stage: %s was lost%s: %s", report, f" at {piece}" if piece else "", why)
        if piece is not None:
            piece = KeyRange(piece.after, piece.until, piece.lost + 1)
            if piece.lost == _FAILURES:
                raise EngineError(
                    f"{_FAILURES} workers were lost one after the other at {piece}; the last said: {why}",
                    "look at those rows, and check whether a node ran out of memory; the staged vectors stay, and the "
                    "same command resumes",
                )
            self._again.append(piece)
        member.failures += 1
        if member.failures == _FAILURES:
            error = EngineError(
                f"{report} was lost {_FAILURES} times in a row: {why}",
                "check that its node has the same vestige-sql, and enough memory for the model; the staged vectors "
                "stay, and the same command resumes",
            )
            self._refuse(member, error)
        else:
            self._employ(member)

    def _failed(self, member: _Member, piece: KeyRange | None, error: Any) -> None:
        cause = error.cause
        if piece is not None and isinstance(cause, ServerLost):
            # If the server itself is away, this raises.
            self._free_connections()
            log.warning("stage: %s: %s", member.report, cause)
            self._again.append(piece)
            member.failures += 1
            if member.failures == _FAILURES:
                self._refuse(member, cause)
            else:
                self._idle.append(member)
        elif piece is None and isinstance(cause, ModelNotFound) and not member.shipped and self._ships:
            member.shipped = True
            self._calls[member.actor.ready.remote(self._shipped())] = member
        elif piece is None and isinstance(cause, VestigeError):
            self._refuse(member, cause)
        else:
            self._idle.append(member)
            raise (cause if isinstance(cause, VestigeError) else error) from None

    def _refuse(self, member: _Member, error: VestigeError) -> None:
        log.error("stage: %s gets no more work: %s", member.report, error)
        member.report.error = str(error)
        self._refusal = error
        self._ray.kill(member.actor)

    def stop(self) -> None:
        """Let every worker commit the chunk that it has encoded, and end them all."""
        ray = self._ray
        at_work = {call: member for call, member in self._calls.items() if member.range}
        try:
            if at_work:
                log.info("stage: stopping %d workers; they commit what they have encoded", len(at_work))
                for member in at_work.values():
                    member.actor.stop.options(concurrency_group="aside").remote()
                over, _ = ray.wait(list(at_work), num_returns=len(at_work), timeout=_STOP_SECS)
                for call in over:
                    with suppress(ray.exceptions.RayError):
                        self._count(at_work[call], ray.get(call)[1])
            if ending := [member.actor.close.remote() for member in [*at_work.values(), *self._idle]]:
                ray.wait(ending, num_returns=len(ending), timeout=_CLOSE_SECS)
        finally:
            for member in [*self._calls.values(), *self._idle]:
                ray.kill(member.actor)

    # --- The model ---

    @property
    def _ships(self) -> bool:
        """Whether the driver's model can be sent as files."""
        return isinstance(self._stager.embedder, OnnxEmbedder)

    def _carried(self) -> Any:
        return self._shipped() if self._ships else self._put(Carried(self._stager.embedder))

    def _shipped(self) -> Any:
        """Put the model's files into Ray's object store, which brings them to each node once."""
        if self._sent is None:
            embedder = self._stager.embedder
            assert isinstance(embedder, OnnxEmbedder)
            self._sent = self._put(Shipped.pack(embedder.files, embedder.device_asked, embedder.precision_asked))
        return self._sent

    def _put(self, source: Source) -> Any:
        try:
            return self._ray.put(source)
        except TypeError as error:
            raise EngineError(
                f"the model {self._stager.embedder.model_name} cannot be sent to other processes: {error}",
                "give RayEngine(load=..) a function that loads the model on a node; nothing was encoded",
            ) from error

    # --- What is shown ---

    def _count(self, member: _Member, chunks: Sequence[int]) -> None:
        for rows in chunks:
            self._stager.wrote(rows)
            member.report.rows += rows
        member.report.rows_per_sec = member.report.rows / max(self._busy_secs(member), 1e-3)

    def _busy_secs(self, member: _Member) -> float:
        return member.report.busy_secs + (time.monotonic() - member.since if member.range else 0.0)

    def _look(self) -> None:
        """Ask the workers how far they are, and show it."""
        ray = self._ray
        busy = [member for member in self._calls.values() if member.range]
        asked = {member.asked: member for member in busy if member.asked is not None}
        if asked:
            told, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
            for answer in told:
                asked[answer].asked = None
                with suppress(ray.exceptions.RayError):
                    self._count(asked[answer], ray.get(answer))
        for member in busy:
            if member.asked is None:
                member.asked = member.actor.take.options(concurrency_group="aside").remote()
            self._name_if_slow(member)
        reports = [member.report for member in busy if member.report.rows]
        if reports:
            rates = [report.rows_per_sec for report in reports]
            each = (
                ", ".join(f"{rate:.0f}" for rate in rates)
                if len(rates) <= _SHOWN_ONE_BY_ONE
                else f"{min(rates):.0f} to {max(rates):.0f} each"
            )
            self._progress.say(f"{len(busy)} workers, {sum(rates):.0f} rows/s: {each}")
        if busy or self._idle:
            self._warned = time.monotonic()
        elif time.monotonic() - self._warned > _SAY_EVERY_SECS:
            self._warned = time.monotonic()
            log.warning(
                "stage: no worker is ready yet: each needs %s, and the cluster has %s",
                _resources(self._needs), _resources(ray.cluster_resources()),
            )  # fmt: skip

    def _name_if_slow(self, member: _Member) -> None:
        secs = time.monotonic() - member.since
        if member.named or not self._secs or secs < _STRAGGLES_SECS:
            return
        median = statistics.median(self._secs)
        if secs > _STRAGGLES * median:
            member.named = True
            log.warning(
                "stage: %s is slow: it has worked for %.0f s on %s, and the median of all ranges is %.0f s",
                member.report, secs, member.range, median,
            )  # fmt: skip

    def _free_connections(self) -> int:
        row = steps.query_one(self._conn, "probe/connections.sql", {})
        assert row is not None
        free: int = row["free"]
        return free


def _brief(error: Exception) -> str:
    """Return the first and the last line of Ray's message: what happened, and why."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return textwrap.shorten(" .. ".join([lines[0], *lines[1:][-1:]]), 300, placeholder=" ..")


def _resources(found: dict[str, float]) -> str:
    return ", ".join(f"{found.get(kind, 0):g} {kind}" for kind in ("CPU", "GPU") if kind == "CPU" or kind in found)
