"""One worker of many: it stages one range of keys after another, on any machine. Nothing here knows Ray."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import psycopg
from numpy.typing import NDArray

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder, ModelSignature, Vectors
from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.onnx import load_files
from vestige_sql.encode.probing import Reference
from vestige_sql.errors import ModelMismatch, ServerError, ServerLost
from vestige_sql.reembed.decide import difference
from vestige_sql.reembed.stage import Stager
from vestige_sql.steps.files import Value

# Poll interval while waiting for a turn to write. It is shorter than a chunk's commit (~0.1 s).
_SLOT_POLL_SECS = 0.05

# A pause after a lost connection, so that workers do not overload a server that is restarting.
_LOST_PAUSE_SECS = 1.0

Source = Callable[[int], Embedder]
"""A function that loads the model on a worker, given the number of threads."""


@dataclass(frozen=True)
class Assignment:
    """What every worker of a run needs to know.

    ``values`` are the step variables of the target, ``run_id`` and the model included. ``threads`` is the number of
    cores of one worker. ``copies`` is how many chunks all workers together may copy at the same time. ``files`` is the
    driver's :func:`files_hash`. ``reference`` is what the driver's model says to its probe texts, if it has some.
    """

    conninfo: str
    values: dict[str, Value]
    signature: ModelSignature
    table: str
    batch_size: int
    page_rows: int
    threads: int
    copies: int
    files: str
    reference: Reference | None = None


class Stopped(Exception):
    """The worker was told to stop."""


class Worker:
    """Stages ranges of keys, one at a time. :meth:`take` and :meth:`stop` may be called from another thread."""

    def __init__(self, assignment: Assignment) -> None:
        self.told = assignment
        self._embedder: Embedder | None = None
        self._connections = ExitStack()
        self._open: tuple[psycopg.Connection[Any], psycopg.Connection[Any]] | None = None
        self._stopped = threading.Event()
        self._counting = threading.Lock()
        self._fresh: list[int] = []
        self._pause_until = 0.0

    def ready(self, source: Source) -> tuple[str, int, str | None]:
        """Load the model, and return the machine's name, the process id, and the device or None.

        Raises :class:`ModelMismatch` if it is not the model of the run, or if the SQL files are not the driver's.
        """
        here = f"the worker on {socket.gethostname()} (pid {os.getpid()})"
        if files_hash() != self.told.files:
            raise ModelMismatch(
                f"{here} has another version of vestige-sql than the run",
                "install the same version of vestige-sql on every node; this worker wrote nothing",
            )
        embedder = source(self.told.threads)
        found, wanted = embedder.signature(), self.told.signature
        if found != wanted:
            raise ModelMismatch(
                f"{here} has another model than the run: {difference(found, wanted)}",
                "put the same files of the model in the same place on every node; this worker wrote nothing",
            )
        if self.told.reference is not None:
            self.told.reference.check(embedder)
        self._embedder = embedder
        return socket.gethostname(), os.getpid(), getattr(embedder, "device", None)

    def stage(self, after: str | None, until: str | None) -> tuple[int, list[int]]:
        """Stage the pending rows with keys in (after, until].

        Returns how many pending rows were met, and the number of rows of each chunk committed since the last
        :meth:`take`. Raises :class:`ServerLost` if a connection broke; what was committed before stays.
        """
        assert self._embedder is not None
        stager = Stager(
            cast(Embedder, _Stoppable(self._embedder, self._stopped)),
            self.told.values,
            self.told.batch_size,
            self.told.table,
            self._wrote,
            page_rows=self.told.page_rows,
            writing=self._writing,
            reference=self.told.reference,
        )
        met = 0
        try:
            with steps.translated():
                reader, writer = self._connected()
                # Ask first, so that nothing is encoded for a run that is over.
                steps.query(writer, "stage/check_run.sql", self.told.values)
                met = stager.run(writer, stager.by_key(reader, after, until))
        except Stopped:
            pass
        except ServerError as error:
            if self._open is not None and not any(conn.closed for conn in self._open):
                raise
            self.close()
            self._stopped.wait(_LOST_PAUSE_SECS)
            raise ServerLost(f"{socket.gethostname()} lost its connection: {error}", error.hint) from error
        return met, self.take()

    def take(self) -> list[int]:
        """Return the number of rows of each chunk committed since the last call."""
        with self._counting:
            fresh, self._fresh = self._fresh, []
        return fresh

    def stop(self) -> None:
        """Let :meth:`stage` return before its next call of the model. A chunk that is already encoded is committed."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connections; the next range opens new ones."""
        self._open = None
        self._connections.close()

    def _connected(self) -> tuple[psycopg.Connection[Any], psycopg.Connection[Any]]:
        if self._open is None:
            reader, writer = (self._connections.enter_context(connect(self.told.conninfo)) for _ in range(2))
            self._open = reader, writer
        return self._open

    def _wrote(self, rows: int) -> None:
        with self._counting:
            self._fresh.append(rows)

    @contextmanager
    def _writing(self, conn: psycopg.Connection[Any]) -> Iterator[None]:
        """The transaction of one chunk: it waits for its turn among all workers, and checks that the run is still open.

        A worker writes at most half of the time: after a chunk it writes nothing for as long as that chunk took. If
        the server keeps up, the pause is over before the next chunk is encoded. If it does not, every worker pauses,
        and the slower the server is, the longer they pause.
        """
        self._stopped.wait(self._pause_until - time.monotonic())
        while True:
            with conn.transaction():
                if steps.query(conn, "stage/copy_slot.sql", {"copies": self.told.copies}):
                    steps.query(conn, "stage/check_run.sql", self.told.values)
                    began = time.monotonic()
                    yield
                    break
            time.sleep(_SLOT_POLL_SECS * random.uniform(0.5, 1.5))
        ended = time.monotonic()
        self._pause_until = ended + (ended - began)


class _Stoppable:
    """An embedder that raises :class:`Stopped` instead of encoding once ``stopped`` is set."""

    def __init__(self, embedder: Embedder, stopped: threading.Event) -> None:
        self._embedder = embedder
        self._stopped = stopped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        if self._stopped.is_set():
            raise Stopped
        return self._embedder.embed_batch(texts)


def files_hash() -> str:
    """Return the SHA-256 over the step files of staging, 64 hex digits: all workers must run the same files."""
    return hashlib.sha256("".join(step.sha256 for step in steps.folder("stage")).encode()).hexdigest()


# --- Where the model comes from ---


@dataclass(frozen=True)
class Carried:
    """An embedder that is sent to the workers as it is."""

    embedder: Embedder

    def __call__(self, threads: int) -> Embedder:
        return self.embedder


@dataclass(frozen=True)
class Shipped:
    """A model that is sent with its files, for machines that can read neither its folder nor the hub.

    ``device`` and ``precision`` are as :func:`~vestige_sql.encode.onnx.load_files` takes them. ``parts`` are the bytes
    of the graph, its external data, the tokenizer and weights of modules, by their path below the folder that they are
    written to.
    """

    files: ModelFiles
    hash: str
    parts: dict[str, NDArray[np.uint8]]
    device: str = "auto"
    precision: str = "fp32"

    @classmethod
    def pack(cls, files: ModelFiles, device: str = "auto", precision: str = "fp32") -> Shipped:
        """Map the model's files into memory."""
        return cls(
            files,
            files.hash,
            {to: np.asarray(np.memmap(path, np.uint8, "r")) for to, path in files.parts.items()},
            device,
            precision,
        )

    def __call__(self, threads: int) -> Embedder:
        """Load the model from this machine's temporary folder. The first process that needs it writes it there."""
        from filelock import FileLock

        home = Path(tempfile.gettempdir()) / f"vestige-sql-{os.getuid()}"
        home.mkdir(mode=0o700, exist_ok=True)
        folder = home / self.hash
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                half = folder.with_suffix(".half")
                shutil.rmtree(half, ignore_errors=True)
                for name, data in self.parts.items():
                    (half / name).parent.mkdir(parents=True, exist_ok=True)
                    data.tofile(half / name)
                half.rename(folder)
        return load_files(self.files.moved(folder), threads=threads, device=self.device, precision=self.precision)
