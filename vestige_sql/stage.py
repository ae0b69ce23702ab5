"""Pending rows to staged vectors.

A row is pending when it has text and no staged vector for the hash of that very text. Starting, resuming and
catching up with rows that changed meanwhile are the same query, so there is no checkpoint to keep true. Nothing here
assumes to be alone: where another worker staged a row first, the chunk is left for the next pass, which finds what is
still pending.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import psycopg
from psycopg import sql

from . import steps
from .embedder import Embedder, Vectors
from .encoder import encode_window, first_bad_row
from .errors import BadEmbedding
from .pgcopy import staged_rows
from .spent import Spent
from .steps import Value

log = logging.getLogger("vestige_sql")

_Result = TypeVar("_Result")

EVERY_ROW = "stage/page.sql"
CHANGED_ROWS = "stage/changed_page.sql"
"""The two ways to read pages: through the whole table, or through what an online run has noted as changed."""

COPY, DISCARD, FIRST = "stage/copy.sql", "stage/discard_stale.sql", "stage/first_pending.sql"
STAGING_FITS = "gate/15_staging_table_fits.sql"

PAGE_ROWS = 2_048
"""Rows read, encoded and committed as one: a window wide enough that sorting it by length fills the calls evenly.

It is also how many rows may be encoded and not committed, which is what whoever is killed loses.
"""

FAST_ROWS = 1_000
"""Rows a second from which an embedder gets half a page at a time: a slower one hardly notices that it waits for each
COPY, and this one is at work during it. Half a window is padded 1 % more (all-MiniLM-L6-v2, docstrings of the standard
library).
"""

FEWEST_ROWS = 512
"""Fewer rows are not halved: what is saved would go into round trips."""

PAGE_BYTES = 8 << 20
"""About how many bytes of text one page may bring, so that memory stays bounded when the texts are long."""


@dataclass(frozen=True)
class Page:
    """Rows in the order of their key. ``last_key`` is the last row's key as text, None where there was no row."""

    last_key: str | None
    ids: list[bytes]
    keys: list[str]
    texts: list[str]
    hashes: list[bytes]


class TooManyPending(Exception):
    """More rows are pending than the caller wants to encode now."""


@dataclass
class Stager:
    """Stages what is pending of one target with one model.

    ``values`` are the step variables of the target; ``on_rows`` is called with the number of rows after each
    committed chunk. ``writing`` opens the transaction that a chunk is copied in, and commits it. ``spent`` is the clock
    of the run.
    """

    embedder: Embedder
    values: dict[str, Value]
    batch_size: int
    table: str
    on_rows: Callable[[int], None] = lambda _: None
    page_rows: int = field(default_factory=lambda: PAGE_ROWS)
    writing: Callable[[psycopg.Connection[Any]], AbstractContextManager[Any]] = lambda conn: conn.transaction()
    spent: Spent = field(default_factory=Spent)
    batches: int = 0
    rows: int = 0

    def run(
        self,
        reader: psycopg.Connection[Any],
        writer: psycopg.Connection[Any],
        *,
        after: str | None = None,
        until: str | None = None,
        page_step: str = EVERY_ROW,
    ) -> int:
        """Stage the pending rows with keys in (after, until], the whole table by default.

        The next page is read while the embedder is at work on this one. It is encoded while this one is copied only
        where both together are no more than one chunk, so that whoever is killed loses one chunk and not two. Returns
        how many pending rows this pass met. Raises :class:`BadEmbedding` naming the row where the model gives a vector
        that cannot be searched; what was encoded before is committed and stays staged.
        """
        met = 0
        rows = self.page_rows
        copying, uncommitted = None, 0
        # Writing has a thread, for Ctrl-C does not get there: what is encoded is paid for, so let it commit.
        with (
            ThreadPoolExecutor(1, thread_name_prefix="vestige-sql-read") as reading,
            ThreadPoolExecutor(1, thread_name_prefix="vestige-sql-write") as writing,
        ):
            coming = reading.submit(self._read, reader, after, until, page_step, rows)
            while (page := self._wait_for(coming, "reading")).last_key is not None:
                coming = reading.submit(self._read, reader, page.last_key, until, page_step, rows)
                if not page.ids:
                    continue
                met += len(page.ids)
                if copying is not None and uncommitted + len(page.ids) > self.page_rows:
                    self._wait_for(copying, "copying")
                    copying = None
                began = time.monotonic()
                pieces = self._encode(page)
                fast = len(page.ids) > FAST_ROWS * (time.monotonic() - began)
                rows = self.page_rows // 2 if fast and self.page_rows > FEWEST_ROWS else self.page_rows
                before, uncommitted = copying, len(page.ids)
                copying = writing.submit(self._write, writer, uncommitted, pieces)
                if before is not None:
                    self._wait_for(before, "copying")
            if copying is not None:
                self._wait_for(copying, "copying")
        return met

    def _wait_for(self, future: Future[_Result], phase: str) -> _Result:
        with self.spent.on(phase):
            return future.result()

    def catch_up(self, conn: psycopg.Connection[Any], most: int) -> None:
        """Drop what is stale and stage what is pending on ``conn`` alone, inside its transaction.

        Raises :class:`TooManyPending` once more than ``most`` rows are pending, before those are encoded.
        """
        steps.run(conn, steps.load(DISCARD), self.values)
        self.stage_inside(conn, most, EVERY_ROW)

    def stage_inside(self, conn: psycopg.Connection[Any], most: int, page_step: str) -> None:
        """As :meth:`catch_up`, where what is stale is gone already."""
        left = most
        for page in self._pages(conn, page_step):
            left -= len(page.ids)
            if left < 0:
                raise TooManyPending
            if page.ids:
                pieces = self._encode(page)
                with self.spent.on("copying"):
                    self._write(conn, len(page.ids), pieces)

    def _pages(self, conn: psycopg.Connection[Any], page_step: str) -> Iterator[Page]:
        with self.spent.on("reading"):
            page = self._read(conn, None, None, page_step, self.page_rows)
        while page.last_key is not None:
            yield page
            with self.spent.on("reading"):
                page = self._read(conn, page.last_key, None, page_step, self.page_rows)

    def _read(
        self, conn: psycopg.Connection[Any], after: str | None, until: str | None, page_step: str, rows: int
    ) -> Page:
        values = self.values | {
            "after": None if after is None else sql.Literal(after).as_string(conn),
            "until": None if until is None else sql.Literal(until).as_string(conn),
            "page_rows": rows,
            "page_bytes": PAGE_BYTES,
        }
        # Ids stay the bytes that the server sent, whatever their type: all is taken from the raw result, for Python
        # has no value for some of them, such as dates before Christ.
        cursor = conn.cursor(binary=True)
        cursor.execute(steps.load(page_step).render(values, conn), prepare=False)
        result = cursor.pgresult
        assert result is not None

        def column(number: int) -> list[bytes]:
            return [result.get_value(row, number) or b"" for row in pending]

        pending = [row for row in range(result.ntuples) if result.get_value(row, 2) == b"\x01"]
        last = result.get_value(result.ntuples - 1, 1) if result.ntuples else None
        return Page(
            last_key=None if last is None else last.decode(),
            ids=column(0),
            keys=[key.decode() for key in column(1)],
            texts=[text.decode() for text in column(3)],
            hashes=column(4),
        )

    def _encode(self, page: Page) -> Iterable[bytes | memoryview]:
        try:
            with self.spent.on("encoding"):
                vectors = encode_window(
                    self.embedder, page.texts, self.batch_size, counting=self.spent.on("tokenizing")
                )
        except BadEmbedding as error:
            raise self._bad(page, error.row or 0, f"{error}, from") from error
        vector_type = str(self.values["embedding_type"])
        stored: Vectors = vectors
        if vector_type == "halfvec":
            with np.errstate(over="ignore"):
                stored = vectors.astype(np.float16).astype(np.float32)
        if (bad := first_bad_row(stored)) is not None:
            what = "NaN or infinity" if not np.isfinite(stored[bad]).all() else "a zero vector"
            rounded = " once rounded to halfvec" if stored is not vectors and np.isfinite(vectors[bad]).all() else ""
            raise self._bad(page, bad, f"the model {self.embedder.model_name} gave {what}{rounded} for")
        return staged_rows(page.ids, page.hashes, vectors, vector_type)

    def _bad(self, page: Page, row: int, what: str) -> BadEmbedding:
        return BadEmbedding(
            f"{what} the row of {self.table} with {self.values['id_column']} = {page.keys[row]}",
            "nothing was put in place, the table is as it was; look at that row's text and at the model, "
            "then run again: what is staged stays",
        )

    def _write(self, conn: psycopg.Connection[Any], rows: int, pieces: Iterable[bytes | memoryview]) -> None:
        text = steps.load(COPY).render(self.values, conn)
        try:
            with self.writing(conn), conn.cursor().copy(text) as copy:
                for piece in pieces:
                    copy.write(piece)
        except psycopg.errors.UniqueViolation:
            log.info("reembed: a chunk of %d rows was staged by another worker; looking again", rows)
            return
        self.wrote(rows)

    def wrote(self, rows: int) -> None:
        """Count a chunk that is committed, and say so."""
        self.batches += 1
        self.rows += rows
        log.info("reembed: wrote batch %d (%d rows)", self.batches, rows)
        self.on_rows(rows)
