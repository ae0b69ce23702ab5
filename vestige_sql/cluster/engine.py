"""Staging on many machines, with Ray.

The table is divided into ranges of keys, many more than there are workers. A worker is a Ray actor around
:class:`~vestige_sql.cluster.worker.Worker`. A worker that has finished a range gets the next one. The staging table is
the only record of what is done. If a worker is lost, another gets its range, and finds the pending rows in it with the
usual query.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import psycopg

from vestige_sql.checks import check_number
from vestige_sql.cluster.fleet import Fleet
from vestige_sql.cluster.worker import Source
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import EngineError, ServerLost, UsageError
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.stage import Stager
from vestige_sql.report import WorkerReport

_CORES_PER_WORKER = 4
_CONNECTIONS_PER_WORKER = 2

_CHECK_CLUSTER = (
    "name the address that `ray status` prints on the head node, port included (Ray's own is 6379), and check that the "
    "cluster runs with the same versions of Ray and Python; what is staged stays; nothing more was encoded"
)
_ANSWER_SECS = 7.0
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HTTP2_SETTINGS = b"\x04"


@dataclass
class RayEngine:
    """Where the workers run and how many there are; give it to ``run_reembed`` or ``stage_reembed``.

    - ``address``: the cluster's address, as Ray takes it. Without it, and without ``RAY_ADDRESS`` in the environment,
      a local Ray is started, and stopped afterwards.
    - ``workers``: how many, by default one for each ``gpus_per_worker`` GPUs, or one for every four cores of a node.
    - ``threads_per_worker``: cores of a worker, by default cores / workers.
    - ``max_connections``: how many connections to the server this run may have, by default half of the free ones. A
      worker has two.
    - ``max_copies``: how many chunks may be copied at the same time, by default half as many as there may be workers.
    - ``range_rows``: rows of a range.
    - ``load``: a function that loads the model on a node, given the number of threads. Without it, or if it raises
      ``ModelNotFound``, the driver's model is sent there.

    Afterwards, ``reports`` has one :class:`WorkerReport` per worker.

    Raises :class:`UsageError` for a value out of range, for the address of a Ray Client, and if Ray is not installed.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float = 0
    threads_per_worker: int | None = None
    max_connections: int | None = None
    max_copies: int | None = None
    range_rows: int | None = None
    load: Source | None = None
    reports: list[WorkerReport] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        for name in ("workers", "threads_per_worker", "max_connections", "max_copies", "range_rows"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 1)
        check_number("gpus_per_worker", self.gpus_per_worker, 0, whole=False)
        address = self.address or os.environ.get("RAY_ADDRESS", "")
        if address.startswith("ray://"):
            raise UsageError(
                f"{address} is the address of a Ray Client, which cannot run workers for this command",
                "run the command on a machine of the cluster, or as a job: ray job submit -- vestige-sql migrate ..; "
                "nothing was written",
            )
        if importlib.util.find_spec("ray") is None:
            raise UsageError(
                "the engine ray needs Ray, which is not installed",
                "install it with pip install 'vestige-sql[ray]', or leave --engine ray out; nothing was written",
            )

    @contextmanager
    def passes(
        self,
        conn: psycopg.Connection[Any],
        stager: Stager,
        signature: ModelSignature,
        run_id: int,
        rows: int,
        progress: Progress,
    ) -> Iterator[Callable[[str | None], int]]:
        """Start the workers for the run ``run_id``, and stop them at the end.

        Yields a function that makes one pass over the pending rows after a key, and returns how many it met. ``conn``
        is the run's own connection, ``rows`` is about how many rows the table has.

        Raises :class:`ServerLost` if ``conn`` broke, and :class:`EngineError` if no worker is left.
        """
        try:
            with _connected(self.address) as ray:
                fleet = Fleet(ray, self, conn, stager, signature, run_id, rows, progress)
                try:
                    yield fleet.run
                finally:
                    fleet.stop()
        except psycopg.OperationalError as error:
            if not conn.closed:
                raise
            raise ServerLost(
                f"PostgreSQL went away: {error}".strip(),
                "the staged vectors stay; once the server is back, the same command resumes",
            ) from error

    def plan(self, nodes: Sequence[dict[str, float]], free: int) -> tuple[int, int, int, int]:
        """Return the number of workers, of threads per worker, of connections, and of copies at the same time.

        ``nodes`` are the resources of each node, ``free`` is how many connections the server has left.

        Raises :class:`EngineError` if there is no room for a single worker.
        """
        connections = free // 2 if self.max_connections is None else min(free, self.max_connections - 1)
        most = connections // _CONNECTIONS_PER_WORKER
        if most < 1:
            raise EngineError(
                f"there is no room for a worker's {_CONNECTIONS_PER_WORKER} connections: the server has {free} left"
                + (
                    f", and the limit is {self.max_connections}"
                    if self.max_connections
                    else ", and a run may use half of them"
                ),
                "raise --max-connections, or max_connections on the server, or end other sessions; nothing was encoded",
            )
        cores = [max(1, int(node.get("CPU", 0))) for node in nodes if node.get("CPU", 0) >= 1] or [1]
        if self.workers is not None:
            workers = self.workers
        elif self.gpus_per_worker:
            workers = sum(int(node.get("GPU", 0) / self.gpus_per_worker) for node in nodes)
        else:
            workers = sum(max(1, count // _CORES_PER_WORKER) for count in cores)
        if workers < 1:
            raise EngineError(
                f"no node has {self.gpus_per_worker:g} GPUs",
                "lower --gpus-per-worker, or give --workers N if the cluster grows by itself; nothing was encoded",
            )
        workers = min(workers, most)
        threads = self.threads_per_worker or max(1, min(*cores, sum(cores) // workers))
        copies = min(workers, self.max_copies or max(1, most // 2))
        return workers, threads, workers * _CONNECTIONS_PER_WORKER, copies


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Use the open connection to Ray, else connect to ``address``, else start a Ray for as long as the block runs."""
    import ray

    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"address": address} if address else {"address": "local", "include_dashboard": False}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address:
        _check_answers(address)
    # Ray writes notes about nodes and workers to stdout, which is for our own answer.
    with redirect_stdout(sys.stderr):
        try:
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
        # Ray ends the process where the head does not answer.
        except (Exception, SystemExit) as error:
            where = f"reach Ray at {address}" if address else "start Ray"
            raise EngineError(f"cannot {where}: {error}", _CHECK_CLUSTER) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise :class:`EngineError` within seconds where no head node answers at ``address``.

    Ray itself tries for minutes. A head node speaks gRPC, so HTTP/2: the server's SETTINGS answer the client's preface
    (RFC 9113, section 3.4). An ``address`` without a port, such as "auto" or "local", is for Ray to find.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal():
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECS) as connection:
            connection.sendall(_HTTP2_PREFACE)
            answered = connection.recv(9)
    except (OSError, OverflowError) as error:
        raise EngineError(f"no Ray answers at {address}: {error}", _CHECK_CLUSTER) from error
    if answered[3:4] != _HTTP2_SETTINGS:
        raise EngineError(f"what answers at {address} is not the head node of a Ray cluster", _CHECK_CLUSTER)
