"""Stage vectors for the pending rows.

A row is pending if it has text and no staged vector for the hash of that very text. Starting, resuming, and
catching up with rows that changed meanwhile use the same query, so there is no checkpoint that could be wrong. Other
workers may be running: if one of them staged a row first, the chunk is left to the next pass, which finds the rows
that are still pending.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import psycopg
from psycopg import sql

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.encode.probing import Reference
from vestige_sql.encode.window import encode_window, first_bad_row
from vestige_sql.errors import BadEmbedding
from vestige_sql.reembed.clock import Clock
from vestige_sql.reembed.page import Page
from vestige_sql.reembed.pgcopy import staged_rows
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")


_Result = TypeVar("_Result")

EVERY_ROW = "stage/page.sql"
CHANGED_ROWS = "stage/changed_page.sql"
PIECE = "stage/piece.sql"
"""The two ways to read pages: all rows of the table, or the rows that an online run has noted as changed."""

COPY, SETTLE, DISCARD = "stage/copy.sql", "stage/settle.sql", "stage/discard_stale.sql"
EXTENT, FIRST = "stage/extent.sql", "stage/first_pending.sql"
STAGING_FITS = "gate/15_staging_table_fits.sql"

PAGE_ROWS = 2_048
"""How many rows are read, encoded and committed as one chunk: enough that sorting by length fills the calls evenly.

Also the most work that a killed run loses: so many rows may be encoded and not committed.
"""

FAST_ROWS = 1_000
"""An embedder with more rows per second gets half a page at a time, so that it can encode during each COPY.

A slower embedder hardly notices the wait for a COPY. Half a window needs 1 % more padding (all-MiniLM-L6-v2,
docstrings of the standard library).
"""

FEWEST_ROWS = 512
"""Pages of at most so many rows are not halved: the round trips would cost what is saved."""

PAGE_BYTES = 8 << 20
"""About how many bytes of text one page may have, so that memory stays bounded with long texts."""

TEXT_CHARACTERS = 1 << 18
"""How much of a text is read with its page. Few models use more; for one that does, the rest is read in pieces."""

PIECE_CHARACTERS = 1 << 22
"""The most characters of a piece: it exists several times, in the connection and as bytes and text."""

# How many blocks of the table are searched for the first page, and the most for any page. With too few blocks, the page
# needs another query; with too many, rows are sorted in vain.
_FIRST_BLOCKS, _MOST_BLOCKS = 128, 1 << 14

# The most blocks of a chunk: each has at least two rows, and a server extends a table by up to 64 blocks at once.
_BLOCK_ROWS, _BLOCKS_AHEAD = 2, 64

_ORDER = ("order_key", "order_columns", "order_type", "is_after_k", "is_up_to_u")
_CTID = ("t.ctid", "t.ctid", "tid", "t.ctid OPERATOR(pg_catalog.>) k.id", "t.ctid OPERATOR(pg_catalog.<=) u.id")
IN_PLACE: dict[str, Value] = dict(zip(_ORDER, _CTID, strict=True))
BY_KEY = dict(zip(_ORDER, ("key", "key_columns", "id_sql_type", "key_is_after_k", "key_is_up_to_u"), strict=True))
"""What the variables of ``stage/page.sql`` are, in the two orders in which a table is read."""

_READ = ("read_schema", "read_table")
"""The variables for what is read: the table, or one of its partitions."""


class TooManyPending(Exception):
    """There are more pending rows than the caller wants to encode now."""


@dataclass
class Stager:
    """Stages the pending rows of one target with one model.

    ``values`` are the step variables of the target. ``on_rows`` is called with the number of rows after each
    committed chunk. ``writing`` opens the transaction for a chunk, and commits it. ``spent`` is the clock of the run.
    ``batches`` and ``rows`` count the committed chunks and their rows. ``reference`` is what the embedder says to its
    probe texts: no chunk is staged if it says something else by then.
    """

    embedder: Embedder
    values: dict[str, Value]
    batch_size: int
    table: str
    on_rows: Callable[[int], None] = lambda _: None
    page_rows: int = field(default_factory=lambda: PAGE_ROWS)
    writing: Callable[[psycopg.Connection[Any]], AbstractContextManager[Any]] = lambda conn: conn.transaction()
    spent: Clock = field(default_factory=Clock)
    batches: int = 0
    rows: int = 0
    reference: Reference | None = None

    def __post_init__(self) -> None:
        self.page_rows = min(self.page_rows, getattr(self.embedder, "page_rows", self.page_rows))
        self._rows = self.page_rows  # of the next page

    def in_place(self, conn: psycopg.Connection[Any], *, going_on: bool = False) -> Iterator[Page]:
        """Yield the pages of the table in the order on disk. A run that is ``going_on`` begins where it seems to have
        stopped.

        The partitions of a partitioned table come one after another. A row that moves meanwhile may be missed, or may
        come twice. So may the rows of a partition that comes or goes: other passes read what is there then.
        """
        extents = steps.query(conn, EXTENT, self.values)
        if going_on:
            begun = next((i for i, extent in enumerate(extents) if extent["after"] is not None), 0)
            extents = extents[begun:]
        for extent in extents:
            try:
                yield from self._pages_of(conn, extent, (extent["after"] if going_on else None) or "(0,0)")
            except psycopg.errors.UndefinedTable:
                if extent["read_table"] == self.values["table"]:
                    raise
                log.info("stage: the partition %s is gone by now", extent["read_table"])

    def _pages_of(self, conn: psycopg.Connection[Any], extent: dict[str, Any], after: str) -> Iterator[Page]:
        """Yield the pages of one table of ``stage/extent.sql`` behind the place ``after``, in the order on disk."""
        order = IN_PLACE | {variable: extent[variable] for variable in _READ}
        block, blocks = _block(after), _FIRST_BLOCKS
        while block < extent["blocks"]:
            until = f"({block + blocks - 1},65535)"
            page = self._read(conn, EVERY_ROW, order, after, until)
            if page is None:
                after, block, blocks = until, block + blocks, min(2 * blocks, _MOST_BLOCKS)
                continue
            yield page
            here = _block(page.last)
            # A few more blocks than would be enough if the whole table were as full as these.
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
        """Yield the pages with keys in (after, until], by default of the whole table."""
        order = {variable: self.values[of_key] for variable, of_key in BY_KEY.items()}
        order |= dict(zip(_READ, (self.values["schema"], self.values["table"]), strict=True))
        while (page := self._read(conn, page_step, order, after, until)) is not None:
            yield page
            after = page.last

    def run(self, writer: psycopg.Connection[Any], pages: Iterator[Page]) -> int:
        """Stage the pending rows of ``pages``, which are read on another connection than ``writer``.

        The next page is read while this one is encoded. It is encoded while this one is copied only if both together
        are at most one chunk, so that a killed run loses one chunk and not two. Returns how many pending rows this
        pass met. If the model returns a vector that cannot be searched, raises :class:`BadEmbedding`, which names the
        row; what was encoded before is committed and stays staged.
        """
        met = 0
        rows = self._rows = self.page_rows
        copying, uncommitted = None, 0
        # The ids of the chunks that are being written. A row that moved meanwhile comes again, and its second vector
        # would violate the staging table's key.
        last: Set[bytes] = frozenset()
        last_but_one: Set[bytes] = frozenset()
        # Writes get a thread because Ctrl-C cannot interrupt it; encoded chunks always commit.
        with (
            ThreadPoolExecutor(1, thread_name_prefix="vestige-sql-read") as reading,
            ThreadPoolExecutor(1, thread_name_prefix="vestige-sql-write") as writing,
        ):
            coming = reading.submit(next, pages, None)
            while (page := self._wait_for(coming, "reading")) is not None:
                # Set it only here, while the reader is idle: it reads this value at any time while it works.
                self._rows = rows
                coming = reading.submit(next, pages, None)
                met += page.changed
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

    def _wait_for(self, future: Future[_Result], activity: str) -> _Result:
        with self.spent.on(activity):
            return future.result()

    def catch_up(self, conn: psycopg.Connection[Any], most: int) -> None:
        """Delete the stale vectors and stage the pending rows, only on ``conn`` and inside its transaction.

        Raises :class:`TooManyPending` once more than ``most`` rows are pending, before the page with the excess is
        encoded.
        """
        steps.run(conn, steps.load(DISCARD), self.values)
        self.stage_inside(conn, most, self.in_place(conn))

    def stage_inside(self, conn: psycopg.Connection[Any], most: int, pages: Iterator[Page]) -> None:
        """Like :meth:`catch_up`, for ``pages`` of the same connection, if the stale vectors are deleted already."""
        self._rows = self.page_rows
        left = most
        while (page := self._next(pages)) is not None:
            left -= len(page.ids)
            if left < 0:
                raise TooManyPending
            if page.ids:
                with getattr(self.embedder, "hurried", nullcontext)():
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
                "text_characters": TEXT_CHARACTERS,
            }
        )
        # Ids stay the bytes that the server sent, whatever their type. Everything is taken from the raw result, because
        # Python has no value for some ids, such as dates before Christ.
        cursor = conn.cursor(binary=True)
        cursor.execute(steps.load(page_step).render(values, conn), prepare=False)
        result = cursor.pgresult
        assert result is not None
        if not result.ntuples:
            return None

        pending = [row for row in range(result.ntuples) if result.get_value(row, 2) == b"\x01"]
        last = result.get_value(result.ntuples - 1, 5)
        assert last is not None
        texts = {row: (result.get_value(row, 3) or b"").decode() for row in pending}
        changed = 0
        for row in pending:
            tuple_, version = result.get_value(row, 6), result.get_value(row, 7)
            if tuple_ is None or version is None:
                continue
            text = self._as_long_as_needed(conn, texts.pop(row), tuple_.decode(), version.decode())
            if text is None:
                changed += 1
            else:
                texts[row] = text
        pending = [row for row in pending if row in texts]

        def column(number: int) -> list[bytes]:
            return [result.get_value(row, number) or b"" for row in pending]

        return Page(
            rows=result.ntuples,
            last=last.decode(),
            ids=column(0),
            keys=[key.decode() for key in column(1)],
            texts=[texts[row] for row in pending],
            hashes=column(4),
            changed=changed,
        )

    def _as_long_as_needed(self, conn: psycopg.Connection[Any], text: str, place: str, version: str) -> str | None:
        """Return the text that begins with ``text``, as far as the model needs it. None if its row has changed."""
        is_enough = getattr(self.embedder, "is_enough", None)
        asked, size = 0, TEXT_CHARACTERS
        while True:
            # Asking costs as much as tokenising, so it is worth it only for a much longer text.
            if is_enough is not None and len(text) >= 4 * asked:
                if is_enough(text):
                    return text
                asked = len(text)
            size = min(4 * size, PIECE_CHARACTERS)
            values: dict[str, Value] = {"tuple": place, "version": version}
            values |= {"first_character": len(text) + 1, "text_characters": size}
            cursor = conn.cursor(binary=True)
            cursor.execute(steps.load(PIECE).render(self.values | values, conn), prepare=False)
            assert cursor.pgresult is not None
            if not cursor.pgresult.ntuples:
                return None
            piece = (cursor.pgresult.get_value(0, 0) or b"").decode()
            # CPython lengthens it in place, as long as nothing else refers to it. Joining would take it twice.
            text += piece
            if len(piece) < size:
                return text

    def _encode(self, page: Page) -> Iterable[bytes | memoryview]:
        try:
            with self.spent.on("encoding"):
                vectors = encode_window(
                    self.embedder, page.texts, self.batch_size, counting=self.spent.on("tokenizing")
                )
                if self.reference is not None:
                    self.reference.check(self.embedder)
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
            raise self._bad(page, bad, f"the model {self.embedder.model_name} returned {what}{rounded} for")
        return staged_rows(page.ids, page.hashes, vectors, vector_type)

    def _bad(self, page: Page, row: int, what: str) -> BadEmbedding:
        return BadEmbedding(
            f"{what} the row of {self.table} with {self.values['key_name']} = {page.keys[row]}",
            "look at that row's text, or pick another graph of the model with --onnx-file, then run again; if a "
            "service refuses long texts, cut them with --max-tokens; the table is as it was, and the staged vectors "
            "stay",
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
            log.info("stage: another worker has staged rows of this chunk of %d; the next pass looks again", rows)
            return False
        self.wrote(rows)
        return True

    def wrote(self, rows: int) -> None:
        """Count a committed chunk, and log it."""
        self.batches += 1
        self.rows += rows
        log.info("reembed: wrote batch %d (%d rows)", self.batches, rows)
        self.on_rows(rows)


def _block(place: str) -> int:
    """Return the block of a row's place, which is a ctid as text: (block,offset)."""
    return int(place[1:].partition(",")[0])
