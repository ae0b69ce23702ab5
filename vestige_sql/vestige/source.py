"""A Vestige SQLite database: its version, what it contains, and its rows, one by one.

Vestige's tables differ by version, so only ``knowledge_nodes`` with an id and a content is required, and whatever
columns exist are read. SQLite allows any value in any column. Values that PostgreSQL cannot store as text or vector
are found here, all other faults by the steps of ``sql/from_sqlite``.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vestige_sql.errors import SourceError
from vestige_sql.resources import resource_dir
from vestige_sql.vestige import vectors
from vestige_sql.vestige.values import PLACED, SqliteValue, json_of, quoted, readable, text_of, vector_of
from vestige_sql.vestige.vectors import Kept, Vectors

VERSION = 15
"""The version of Vestige's SQLite schema that a source must have, or be upgraded to."""


@dataclass(frozen=True)
class Table:
    """A table of the source that has a place in PostgreSQL.

    ``places`` are the columns that have a column in the staging table, in its order. The columns of ``key`` identify a
    row. With ``has_metadata``, all other columns go into the row's metadata. ``vector`` is the column of the vector.
    """

    name: str
    key: tuple[str, ...]
    places: tuple[str, ...]
    has_metadata: bool = True
    vector: str | None = None


TABLES = (
    Table("users", ("id",), ("id", "handle", "display_name", "created_at", "metadata")),
    Table("groups", ("id",), ("id", "handle", "display_name", "created_at", "metadata")),
    Table(
        "group_memberships", ("user_id", "group_id"), ("user_id", "group_id", "role", "joined_at"), has_metadata=False
    ),
    Table(
        "domains",
        ("id",),
        ("id", "label", "top_terms", "memory_count", "created_at", "metadata"),
        vector="centroid",
    ),
    Table(
        "knowledge_nodes",
        ("id",),
        (
            *("id", "content", "node_type", "tags", "metadata", "domains", "domain_scores", "codebase"),
            *("owner_user_id", "visibility", "shared_with_groups", "created_at", "updated_at", "stability"),
            *("difficulty", "retrieval_strength", "last_accessed", "next_review", "reps", "lapses"),
        ),
        vector="embedding",
    ),
    Table(
        "memory_connections",
        ("source_id", "target_id"),
        ("source_id", "target_id", "link_type", "strength", "created_at"),
        has_metadata=False,
    ),
    Table(
        "review_events",
        ("id",),
        ("memory_id", "timestamp", "rating", "prior_state", "new_state"),
        has_metadata=False,
    ),
)
"""In the order in which they are copied: a table comes after those that it refers to."""

_EMBEDDINGS = "node_embeddings"
_HAVE_A_PLACE = {table.name for table in TABLES} | {"schema_version"} | vectors.PLACED


@dataclass(frozen=True)
class Row:
    """A row for its staging table: ``fields`` are in the binary form of PostgreSQL's text, the last may be a vector.

    ``problem`` says what PostgreSQL cannot store. ``bad_vector`` says why the memory is copied without its vector.
    """

    key: str
    problem: str | None
    fields: list[bytes | None]
    bad_vector: str | None = None

    @property
    def size(self) -> int:
        """About how many bytes of memory the row takes."""
        return sum(len(value) for value in self.fields if value)


@dataclass
class Source:
    """An open source. ``columns`` and ``counts`` (rows) are by the table's name; full-text indexes are left out."""

    path: Path
    conn: sqlite3.Connection = field(repr=False)
    version: int
    columns: dict[str, list[str]]
    counts: dict[str, int]
    vectors: Vectors | None
    """The live vectors, None if there are none or they cannot be read."""
    unreadable: str | None
    """What keeps the vectors from being read, None if nothing does."""
    unknown: list[str]
    """The tables of a schema newer than the newest known one that may have vectors."""

    @property
    def tables(self) -> list[Table]:
        """The tables that the source has and that have a place in PostgreSQL, in the order in which they are copied."""
        return [table for table in TABLES if table.name in self.columns]

    @property
    def left_behind(self) -> dict[str, int]:
        """The tables without a place in PostgreSQL, and how many rows each has."""
        return {name: rows for name, rows in self.counts.items() if name not in _HAVE_A_PLACE}

    @property
    def columns_left_behind(self) -> dict[str, list[str]]:
        """The columns without a place in PostgreSQL, of tables whose rows have no metadata to put them into."""
        found = {
            table.name: [column for column in self.columns[table.name] if column not in table.places]
            for table in self.tables
            if not table.has_metadata and self.counts[table.name]
        }
        return {name: columns for name, columns in found.items() if columns}

    def rows(self, table: Table, kept: Kept | None) -> Iterator[Row]:
        """Yield the rows of ``table``, with the vectors that are ``kept``, or without vectors if it is None."""
        own = self.columns[table.name]
        rest = [column for column in own if column not in table.places and column != table.vector]
        selected = [*table.places, *rest] if table.has_metadata else [*table.places, *table.key]
        select = [f"t.{quoted(name)}" if name in own else "NULL" for name in selected]
        source = quoted(table.name) + " AS t"
        vector: list[str] = []
        if table.vector in own:
            vector = [table.vector]
            select.append(f"t.{quoted(table.vector)}")
        elif table.name == "knowledge_nodes" and self.vectors is not None and kept is not None:
            vector = [name for name in self.vectors.columns if name != "node_id"]
            select += [f"e.{quoted(name)}" for name in vector]
            source += f" LEFT JOIN {self.vectors.table} AS e ON {self.vectors.live('t', 'e')}"
            source += f" AND {self.vectors.taken('e', kept)}"
        dimension = kept.dimension if kept is not None and (kept.centroids or table.vector != "centroid") else None
        twice = self._ids_of_several(table)
        seen: set[str] = set()
        with self.reading():
            for found in self.conn.execute(f"SELECT {', '.join(select)} FROM {source}"):
                named = dict(zip(selected, found, strict=False))
                own_vector = dict(zip(vector, found[len(selected) :], strict=True))
                row = _row(table, named, rest, own_vector, dimension)
                if twice and row.key.lower() in twice:
                    if row.key.lower() in seen:
                        row = Row(row.key, "another row has the same id, but for upper and lower case", row.fields)
                    seen.add(row.key.lower())
                yield row

    def _ids_of_several(self, table: Table) -> set[str]:
        """Return the ids in lower case that several rows have, because they are one UUID in PostgreSQL."""
        if table.key != ("id",) or "id" not in self.columns[table.name]:
            return set()
        with self.reading():
            query = f"SELECT lower(id) FROM {quoted(table.name)} WHERE id IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
            return {readable(key) for (key,) in self.conn.execute(query)}

    def vectors_without_memory(self) -> Iterator[str]:
        """Yield the ids of live vectors that no memory has."""
        if self.vectors is not None:
            with self.reading():
                yield from vectors.of_no_memory(self.conn, self.vectors)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn SQLite's errors into this package's."""
        with _translated(self.path):
            yield


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open the database ``path`` read-only, in one snapshot, and close it afterwards.

    Raises :class:`SourceError` if it is not a Vestige database or cannot be read.
    """
    # Without pathlib, which raises for a name that is too long for a file.
    if not os.path.isfile(path):  # noqa: PTH113
        raise SourceError(
            f"there is no file {path}", "name the SQLite database with --sqlite-path; nothing was written"
        )
    with _translated(path):
        conn = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
    try:
        with _translated(path):
            # One snapshot for all tables: otherwise a memory written meanwhile could have edges and no row.
            conn.execute("BEGIN")
            yield _inspected(path, conn)
    finally:
        conn.close()


def upgrade(source: Source, path: Path) -> None:
    """Upgrade the database ``path`` to the layout of version 15.

    ``path`` is the source's own file, which must be closed, or another one, into which the source is copied first.
    Tables and columns of that version that are missing are added, with their defaults, and ``schema_version`` is set
    to 15. Nothing is dropped, and rows change only by those defaults. If ``has_embedding`` was missing, it then says
    which memories have a vector. This is not Vestige's own migration: see the header of
    ``migrations/sqlite/version_15.sql``. Raises :class:`SourceError` if SQLite refuses.
    """
    if path != source.path:
        with source.reading(), _closing(sqlite3.connect(path)) as copy:
            source.conn.backup(copy)
    script = (resource_dir("migrations") / "sqlite" / "version_15.sql").read_text(encoding="utf-8")
    with (
        _translated(path),
        _closing(sqlite3.connect(":memory:")) as wanted,
        _closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as conn,
    ):
        wanted.executescript(script)
        conn.execute("BEGIN IMMEDIATE")
        flagged = "has_embedding" in {name.lower() for name, *_ in _columns(conn, "knowledge_nodes")}
        for table, create in wanted.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
            there = {name.lower() for name, *_ in _columns(conn, table)}
            if not there:
                conn.execute(create)
                continue
            for name, kind, not_null, default in _columns(wanted, table):
                if name not in there:
                    # SQLite adds a NOT NULL column only if it has a default.
                    given = f" DEFAULT {default}" if default is not None else ""
                    constraint = " NOT NULL" if not_null and given else ""
                    conn.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(name)} {kind}{constraint}{given}")
        if not flagged:
            conn.execute(
                f"UPDATE knowledge_nodes SET has_embedding = 1 WHERE id IN (SELECT node_id FROM {_EMBEDDINGS})"
            )
        conn.execute("DELETE FROM schema_version")
        conn.execute("INSERT INTO schema_version (version, applied_at) VALUES (?, datetime('now'))", (VERSION,))
        conn.execute("COMMIT")


@contextmanager
def _closing(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield conn
    finally:
        conn.close()


def _columns(conn: sqlite3.Connection, table: str) -> list[tuple[str, str, bool, str | None]]:
    return conn.execute('SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?)', (table,)).fetchall()


def _inspected(path: Path, conn: sqlite3.Connection) -> Source:
    tables = conn.execute(
        "SELECT name, sql FROM sqlite_master"
        " WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
    ).fetchall()
    # The full-text index is derived from the memories, and PostgreSQL has search_vec instead.
    virtual = [name for name, sql in tables if sql.upper().startswith("CREATE VIRTUAL")]
    names = [name for name, _ in tables if name not in virtual and not any(name.startswith(f"{v}_") for v in virtual)]
    columns = {name: [column for column, *_ in _columns(conn, name)] for name in names}
    if not {"id", "content"} <= set(columns.get("knowledge_nodes", [])):
        raise SourceError(
            f"{path} is not a Vestige database: it has no table knowledge_nodes with the columns id and content",
            f"name the file that Vestige writes with --sqlite-path; the tables of this one are: "
            f"{', '.join(names) or 'none'}; nothing was written",
        )
    counts = {name: conn.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0] for name in names}
    version = 0
    if "version" in columns.get("schema_version", []):
        version = conn.execute("SELECT max(version) FROM schema_version").fetchone()[0] or 0
    if not isinstance(version, int):
        raise SourceError(
            f"{path}: the version in schema_version is {version!r}, not a number",
            "the file is damaged, or not Vestige's: name another one with --sqlite-path; nothing was written",
        )
    found, unreadable = vectors.find(conn, columns, counts)
    unknown = vectors.unknown_tables(conn, columns) if version > vectors.NEWEST_KNOWN else []
    conn.text_factory = bytes
    return Source(path, conn, version, columns, counts, found, unreadable, unknown)


def _row(
    table: Table,
    named: Mapping[str, SqliteValue],
    rest: list[str],
    own_vector: Mapping[str, SqliteValue],
    dimension: int | None,
) -> Row:
    problems = []
    fields: list[bytes | None] = []
    for column in table.places:
        try:
            fields.append(text_of(named[column]))
        except ValueError as error:
            problems.append(f"{column} {error}")
            fields.append(None)
    extra: dict[str, Any] = {}
    if table.has_metadata:
        extra = {column: json_of(named[column]) for column in rest}
    bad_vector = None
    vector = None
    if table.vector is not None:
        if dimension is not None and own_vector.get(table.vector) is not None:
            try:
                vector = vector_of(own_vector[table.vector], own_vector.get("dimensions"), dimension)
                kept = {name: json_of(own_vector[name]) for name in own_vector if name not in PLACED}
                if kept:
                    extra[_EMBEDDINGS] = kept
            except ValueError as error:
                bad_vector = f"{table.vector} {error}"
        if table.name == "domains" and bad_vector:
            problems.append(bad_vector)
    if table.has_metadata:
        fields.append(json.dumps({name: value for name, value in extra.items() if value is not None}).encode())
    if table.vector is not None:
        fields.append(vector)
    key = ", ".join(readable(named[column]) for column in table.key)
    return Row(key, "; ".join(problems) or None, fields, bad_vector)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        hint = {
            "database is locked": "another process is writing to it: stop Vestige, then run again",
            "unable to open database file": "either this account may not read it, or it is in WAL mode and its folder "
            "cannot be written to: copy it elsewhere, with its -wal file, and name the copy",
        }.get(str(error), "check it with: sqlite3 FILE 'PRAGMA integrity_check'")
        raise SourceError(
            f"SQLite says of {path}: {error}",
            f"{hint}; what was copied before this stays, and the same command copies what is missing",
        ) from error
