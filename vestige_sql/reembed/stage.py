"""Pending rows to staged vectors.

A row is pending when it has text and no staged vector for the hash of that very text. Starting, resuming and
catching up with rows that changed meanwhile are the same query, so there is no checkpoint to keep true. Nothing here
assumes to be alone: where another worker staged a row first, the chunk is left for the next pass, which finds what is
still pending.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import psycopg
from psycopg import sql

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.encode.window import encode_window, first_bad_row
from vestige_sql.errors import BadEmbedding
from vestige_sql.reembed.clock import Spent
from vestige_sql.reembed.pgcopy import staged_rows
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")


_Result = TypeVar("_Result")
_Column = TypeVar("_Column")

EVERY_ROW = "stage/page.sql"
CHANGED_ROWS = "stage/changed_page.sql"
"""The two ways to read pages: through the whole table, or through what an online run has noted as changed."""

COPY, SETTLE, DISCARD = "stage/copy.sql", "stage/settle.sql", "stage/discard_stale.sql"
EXTENT, FIRST = "stage/extent.sql", "stage/first_pending.sql"
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

# Blocks of the table that the first page is looked for in, and at most those of any page: what does not hold as many
# rows as thought is looked for again, and what holds more is sorted in vain.
_FIRST_BLOCKS, _MOST_BLOCKS = 128, 1 << 14

# The blocks of a chunk: two rows lie in each at least, and a server extends a table by up to 64 at once.
_BLOCK_ROWS, _BLOCKS_AHEAD = 2, 64

_IN_PLACE: dict[str, Value] = {"order_column": "ctid", "order_schema": "pg_catalog", "order_type": "tid"}


@dataclass(frozen=True)
class Page:
    """The pending ones of some rows. ``rows`` is how many were looked at, ``last`` the place of the last as text."""

    rows: int
    last: str
    ids: list[bytes]
    keys: list[str]
    texts: list[str]
    hashes: list[bytes]

    def without(self, ids: Set[bytes]) -> Page:
        """Leave rows out."""
        if ids.isdisjoint(self.ids):
            return self
        left = [row for row, id_ in enumerate(self.ids) if id_ not in ids]

        def those(column: list[_Column]) -> list[_Column]:
            return [column[row] for row in left]

        return replace(
            self, ids=those(self.ids), keys=those(self.keys), texts=those(self.texts), hashes=those(self.hashes)
        )


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

    def __post_init__(self) -> None:
        self._rows = self.page_rows  # of the next page

    def in_place(self, conn: psycopg.Connection[Any], *, going_on: bool = False) -> Iterator[Page]:
        """The pages of the table as it lies on disk, where a run is ``going_on`` from where it seems to have stopped.

        A row that moves meanwhile may be missed, or come twice.
        """
        extent = steps.query(conn, EXTENT, self.values)[0]
        after = (extent["after"] if going_on else None) or "(0,0)"
        block, blocks = _block(after), _FIRST_BLOCKS
        while block < extent["blocks"]:
            until = f"({block + blocks - 1},65535)"
            page = self._read(conn, EVERY_ROW, _IN_PLACE, after, until)
            if page is None:
                after, block, blocks = until, block + blocks, min(2 * blocks, _MOST_BLOCKS)
                continue
            yield page
            here = _block(page.last)
            # A few more than would do if all of the table were as full as this.
            blocks = min(1 + (here - block + 1) * self._rows * 5 // (page.rows * 4), _MOST_BLOCKS)
            after, block = page.last, here

    def by_key(
        self,
        conn: psycopg.Connection[Any],
        after: str | None = None,
        until: str | None = None,
        *,
        page_step: str = EVERY_ROW,
    ) -> Iterator[Page]:
        """The pages with keys in (after, until], the whole table by default."""
        order = {
            "order_column": self.values["id_column"],
            "order_schema": self.values["id_schema"],
            "order_type": self.values["id_sql_type"],
        }
        while (page := self._read(conn, page_step, order, after, until)) is not None:
            yield page
            after = page.last

    def run(self, writer: psycopg.Connection[Any], pages: Iterator[Page]) -> int:
        """Stage the pending rows of ``pages``, which are read on a connection of their own.

        The next page is read while the embedder is at work on this one. It is encoded while this one is copied only
        where both together are no more than one chunk, so that whoever is killed loses one chunk and not two. Returns
        how many pending rows this pass met. Raises :class:`BadEmbedding` naming the row where the model gives a vector
        that cannot be searched; what was encoded before is committed and stays staged.
        """
        met = 0
        rows = self._rows = self.page_rows
        copying, uncommitted = None, 0
        # Of rows that are on their way: one that moved since comes again, and would collide with itself.
        last: Set[bytes] = frozenset()
        last_but_one: Set[bytes] = frozenset()
        # Writing has a thread, for Ctrl-C does not get there: what is encoded is paid for, so let it commit.
        with (
            ThreadPoolExecutor(1, thread_name_prefix="vestige-sql-read") as reading,
            ThreadPoolExecutor(1, thread_name_prefix="vestige-sql-write") as writing,
        ):
            coming = reading.submit(next, pages, None)
            while (page := self._wait_for(coming, "reading")) is not None:
                # Here and not where it is found, for the reader may look at it at any time until then.
                self._rows = rows
                coming = reading.submit(next, pages, None)
                page = page.without(last).without(last_but_one)
                if not page.ids:
                    continue
                last, last_but_one = frozenset(page.ids), last
                met += len(page.ids)
                if copying is not None and uncommitted + len(page.ids) > self.page_rows:
                    self._wait_for(copying, "copying")
                    copying = None
                began = time.monotonic()
                pieces = self._encode(page)
                fast = len(page.ids) > FAST_ROWS * (time.monotonic() - began)
                rows = self.page_rows // 2 if fast and self.page_rows > FEWEST_ROWS else self.page_rows
                before, uncommitted = copying, len(page.ids)
                copying = writing.submit(self._commit, writer, uncommitted, pieces)
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
        self.stage_inside(conn, most, self.in_place(conn))

    def stage_inside(self, conn: psycopg.Connection[Any], most: int, pages: Iterator[Page]) -> None:
        """As :meth:`catch_up`, of ``pages`` on the same connection, where what is stale is gone already."""
        self._rows = self.page_rows
        left = most
        while (page := self._next(pages)) is not None:
            left -= len(page.ids)
            if left < 0:
                raise TooManyPending
            if page.ids:
                pieces = self._encode(page)
                with self.spent.on("copying"):
                    self._write(conn, len(page.ids), pieces)

    def _next(self, pages: Iterator[Page]) -> Page | None:
        with self.spent.on("reading"):
            return next(pages, None)

    def _read(
        self,
        conn: psycopg.Connection[Any],
        page_step: str,
        order: dict[str, Value],
        after: str | None,
        until: str | None,
    ) -> Page | None:
        values = (
            self.values
            | order
            | {
                "after": None if after is None else sql.Literal(after).as_string(conn),
                "until": None if until is None else sql.Literal(until).as_string(conn),
                "page_rows": self._rows,
                "page_bytes": PAGE_BYTES,
            }
        )
        # Ids stay the bytes that the server sent, whatever their type: all is taken from the raw result, for Python
        # has no value for some of them, such as dates before Christ.
        cursor = conn.cursor(binary=True)
        cursor.execute(steps.load(page_step).render(values, conn), prepare=False)
        result = cursor.pgresult
        assert result is not None
        if not result.ntuples:
            return None

        def column(number: int) -> list[bytes]:
            return [result.get_value(row, number) or b"" for row in pending]

        pending = [row for row in range(result.ntuples) if result.get_value(row, 2) == b"\x01"]
        last = result.get_value(result.ntuples - 1, 5)
        assert last is not None
        return Page(
            rows=result.ntuples,
            last=last.decode(),
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

    def _commit(self, conn: psycopg.Connection[Any], rows: int, pieces: Iterable[bytes | memoryview]) -> None:
        if self._write(conn, rows, pieces):
            steps.run(conn, steps.load(SETTLE), self.values | {"pages": rows // _BLOCK_ROWS + _BLOCKS_AHEAD})

    def _write(self, conn: psycopg.Connection[Any], rows: int, pieces: Iterable[bytes | memoryview]) -> bool:
        text = steps.load(COPY).render(self.values, conn)
        try:
            with self.writing(conn), conn.cursor().copy(text) as copy:
                for piece in pieces:
                    copy.write(piece)
        except psycopg.errors.UniqueViolation:
            log.info("reembed: a chunk of %d rows was staged by another worker; looking again", rows)
            return False
        self.wrote(rows)
        return True

    def wrote(self, rows: int) -> None:
        """Count a chunk that is committed, and say so."""
        self.batches += 1
        self.rows += rows
        log.info("reembed: wrote batch %d (%d rows)", self.batches, rows)
        self.on_rows(rows)


def _block(place: str) -> int:
    """The block of a row's place, which is a ctid as text: (block,offset)."""
    return int(place[1:].partition(",")[0])
