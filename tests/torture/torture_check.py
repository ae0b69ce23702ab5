"""Says from the database alone what is wrong with a table that is, or was, re-embedded.

It shares no code with the package nor with the other tests, so that a fault of theirs is not also its own. What it
knows of the package is what is promised: the registry, the names of what is kept on purpose, and how rows ought to be.

Whatever vector is there must be the registered model's of the row's very text, and a row that no writer touched has its
vector at every instant. A row that a writer gave a text and no vector may lack one for as long as no run was due to
fill it: until the model changes. A rollback brings back rows without the former vector too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

LEDGER = """
    CREATE SCHEMA torture;
    CREATE TABLE torture.ledger (
        change bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key text NOT NULL,
        -- the other columns as they are from then on, NULL where the row is gone
        row text,
        -- whether it has another text from then on
        is_new_text boolean NOT NULL,
        -- when the model was registered that was the registered one
        epoch timestamptz
    );
"""


@dataclass(frozen=True)
class Model:
    """A model whose vectors are hashes: element i is (byte i of SHAKE-256, as int8, plus 1/2) / 128, of the model's
    name, its salt, the dimension and the text, with NUL in between.
    """

    name: str
    dimension: int
    salt: str = ""

    @property
    def hash(self) -> str:
        return hashlib.sha256(f"{self.name}\0{self.salt}".encode()).hexdigest()

    def vector(self, text: str) -> list[float]:
        told = "\0".join((self.name, self.salt, str(self.dimension), text)).encode()
        octets = np.frombuffer(hashlib.shake_256(told).digest(self.dimension), dtype="i1")
        vector: list[float] = ((octets.astype("f8") + 0.5) / 128).tolist()
        return vector


@dataclass(frozen=True)
class Table:
    """The table to look at, and its columns, by their plain names."""

    schema: str
    name: str
    key: str | tuple[str, ...]
    content: str
    embedding: str

    def key_of(self, alias: str) -> sql.Composable:
        """The key of a row of ``alias``: a column, or a row of several."""
        if isinstance(self.key, str):
            return sql.Identifier(alias, self.key)
        return sql.SQL("ROW({})").format(sql.SQL(", ").join(sql.Identifier(alias, name) for name in self.key))

    @property
    def is_vestiges(self) -> bool:
        return (self.name, self.embedding) == ("knowledge_nodes", "embedding")

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def oid(self) -> sql.Composed:
        """The table as an expression of type regclass."""
        return sql.SQL("format('%I.%I', {}::text, {}::text)::regclass").format(
            sql.Literal(self.schema), sql.Literal(self.name)
        )


@dataclass
class Seen:
    """What a look at the table found besides complaints.

    ``model`` is the registered one. ``texts`` counts the rows with text, ``lacking`` those of them without a vector,
    and ``new_texts`` the texts that writers wrote, as of the ledger.
    """

    complaints: list[str]
    model: Model | None
    texts: int
    lacking: int
    new_texts: int


class Checker:
    """Takes a snapshot of the table, and holds the table against it as often as wanted."""

    def __init__(self, conninfo: str, table: Table, models: Sequence[Model]) -> None:
        self.conninfo = conninfo
        self.table = table
        self.models = models
        self._vectors: dict[tuple[Model, str], list[float]] = {}
        with psycopg.connect(conninfo) as conn:
            conn.execute(LEDGER)
            names = conn.execute(
                sql.SQL(
                    "SELECT attname FROM pg_attribute WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped"
                    " AND attname <> {} ORDER BY attname"
                ).format(table.oid, sql.Literal(table.embedding))
            ).fetchall()
            columns = sql.SQL(", ").join(sql.SQL("t.{}::text").format(sql.Identifier(name)) for (name,) in names)
            self.row = sql.SQL("jsonb_build_array({})::text").format(columns)
            """Every column but the embedding, as an expression over the table as ``t``."""
            self._rows: dict[str, str] = {key: row for key, _, _, row in self._read_rows(conn)}
            self._catalog = self._read_catalog(conn)

    # --- Looking ---

    def look(self, **how: Any) -> Seen:
        """As :meth:`look_on`, at one instant, by a session of its own."""
        with psycopg.connect(self.conninfo, row_factory=dict_row) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # Before the snapshot is taken: ALTER TABLE shows a table that it wrote anew empty to older ones.
            conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(self.table.identifier))
            return self.look_on(conn, **how)

    def look_on(
        self,
        conn: psycopg.Connection[Any],
        *,
        at_rest: bool = False,
        kept: bool = False,
        lacking: str = "epoch",
        index_may_lack: bool = False,
    ) -> Seen:
        """Say what is wrong, as ``conn`` sees it, whose rows are dicts.

        ``at_rest`` says that no run is under way, so that nothing may be left of one, save what is ``kept`` on purpose.
        ``lacking`` says which rows with text may lack a vector: "none", those that got it in this "epoch" of the
        registry, or all that ever got one of a writer ("changed"), as after a rollback. ``index_may_lack`` is for the
        time in which an index is built after the vectors were put in place.
        """
        complaints: list[str] = []
        ledger = conn.execute("SELECT key, row, is_new_text, epoch FROM torture.ledger ORDER BY change").fetchall()
        registry = self.registry(conn)
        model = None
        if registry is None:
            complaints.append("no model is registered")
        else:
            named = (registry["name"], registry["dimension"], registry["hash"])
            model = next((m for m in self.models if (m.name, m.dimension, m.hash) == named), None)
            if model is None:
                complaints.append(f"the registry names {named}, which is none of the models")
        if model is not None:
            complaints += self._check_typmod(conn, model)
        found = self._read_rows(conn)
        complaints += self._check_rows(found, ledger)
        last = {change["key"]: change for change in ledger if change["is_new_text"]}
        empty, texts = 0, 0
        for key, content, vector, _ in found:
            if content is None or not content.strip():
                if vector is not None:
                    complaints.append(f"row {key} has no text and a vector")
                continue
            texts += 1
            if vector is None:
                empty += 1
                change = last.get(key)
                in_epoch = change is not None and registry is not None and change["epoch"] == registry["updated_at"]
                if not {"none": False, "epoch": in_epoch, "changed": change is not None}[lacking]:
                    complaints.append(f"row {key} lacks a vector")
            elif model is not None and vector != self._vector(model, content):
                complaints.append(f"row {key} has {self._whose(vector, content)}, and {model.name} is registered")
        complaints += self._check_live_indexes(conn, index_may_lack)
        if at_rest:
            complaints += self._check_rest(conn, kept)
            if kept:
                complaints += self._check_kept(conn, found)
        new_texts = sum(change["is_new_text"] for change in ledger)
        return Seen(complaints, model, texts, empty, new_texts)

    def _vector(self, model: Model, text: str) -> list[float]:
        if (model, text) not in self._vectors:
            self._vectors[model, text] = model.vector(text)
        return self._vectors[model, text]

    def _whose(self, vector: list[float], content: str) -> str:
        for model in self.models:
            if vector == self._vector(model, content):
                return f"the vector of {model.name}"
        return f"a vector of {len(vector)} dimensions that no model gives for its text"

    def registry(self, conn: psycopg.Connection[Any]) -> dict[str, Any] | None:
        """The registered model's ``name``, ``dimension`` and ``hash``, and ``updated_at``."""
        if self.table.is_vestiges:
            query = sql.SQL(
                "SELECT model_name AS name, dimension, model_hash AS hash, updated_at FROM {}.embedding_model"
            ).format(sql.Identifier(self.table.schema))
        else:
            query = sql.SQL(
                "SELECT model_name AS name, dimension, model_hash AS hash, updated_at FROM vestige_sql.model"
                " WHERE (table_schema, table_name, column_name) = ({}, {}, {})"
            ).format(*map(sql.Literal, (self.table.schema, self.table.name, self.table.embedding)))
        return conn.cursor(row_factory=dict_row).execute(query).fetchone()

    def _read_rows(
        self, conn: psycopg.Connection[Any], column: str | None = None
    ) -> list[tuple[str, str | None, list[float] | None, str]]:
        """Key, content, vector and the other columns of every row."""
        found = conn.cursor(row_factory=psycopg.rows.tuple_row).execute(
            sql.SQL("SELECT {}::text, t.{}::text, t.{}::real[], {} FROM {} AS t").format(
                self.table.key_of("t"),
                sql.Identifier(self.table.content),
                sql.Identifier(column or self.table.embedding),
                self.row,
                self.table.identifier,
            ),
            binary=True,
        )
        return found.fetchall()

    # --- Complaining ---

    def _check_typmod(self, conn: psycopg.Connection[Any], model: Model) -> Iterable[str]:
        row = conn.execute(
            sql.SQL(
                "SELECT format_type(atttypid, atttypmod) AS type, atttypmod FROM pg_attribute"
                " WHERE attrelid = {} AND attname = {} AND NOT attisdropped"
            ).format(self.table.oid, sql.Literal(self.table.embedding))
        ).fetchone()
        if row is None:
            yield "there is no embedding column"
        elif row["atttypmod"] != model.dimension:
            yield f"the column is of type {row['type']}, and {model.name} has {model.dimension} dimensions"

    def _check_rows(self, found: list[tuple[str, Any, Any, str]], ledger: list[dict[str, Any]]) -> Iterable[str]:
        expected: dict[str, str | None] = {**self._rows, **{change["key"]: change["row"] for change in ledger}}
        there = {key: row for key, _, _, row in found}
        if len(there) != len(found):
            yield "two rows have the same key"
        for key, row in expected.items():
            if row is not None and key not in there:
                yield f"row {key} is gone"
            elif row is None and key in there:
                yield f"row {key} is there, which was deleted"
            elif row is not None and there[key] != row:
                yield f"row {key} was {row} and is {there[key]}"
        for key in there.keys() - expected.keys():
            yield f"row {key} is there, and nobody wrote it"

    def _check_live_indexes(self, conn: psycopg.Connection[Any], may_lack: bool) -> Iterable[str]:
        """The live column has the indexes that it had, valid ones, under their names."""
        there = {name: (definition, valid) for name, definition, valid in self._indexes(conn)}
        for name, definition, _ in self._catalog["indexes"]:
            now = there.get(name)
            is_vectors = " USING hnsw " in definition or " USING ivfflat " in definition
            if may_lack and is_vectors and (now is None or now == (definition, False)):
                continue
            if now is None:
                yield f"index {name} is gone"
            elif now[0] != definition:
                yield f"index {name} was {definition} and is {now[0]}"
            elif not now[1]:
                yield f"index {name} is INVALID"

    def _check_rest(self, conn: psycopg.Connection[Any], kept: bool) -> Iterable[str]:
        now = self._read_catalog(conn)
        for what, before in self._catalog.items():
            on_purpose = _KEPT.get(what, ()) if kept else ()
            for one in now[what]:
                if one not in before and not any(mark in str(one) for mark in on_purpose):
                    yield f"{what}: there is {one}, which was not there before"
            for one in before:
                if one not in now[what]:
                    yield f"{what}: there is no {one} any more"
        for what, query in _LEFT_OVER.items():
            for row in conn.execute(query).fetchall():  # type: ignore[arg-type]
                yield f"{what}: {row}"
        there = conn.execute("SELECT place FROM vestige_sql.kept").fetchall()
        if kept != bool(there):
            yield f"former vectors are {'not ' if kept else ''}kept: {there}"

    def _check_kept(self, conn: psycopg.Connection[Any], found: list[tuple[str, Any, Any, str]]) -> Iterable[str]:
        """What is kept are vectors of the former model, of the rows' texts."""
        row = conn.execute("SELECT place, model_name, dimension, model_hash FROM vestige_sql.kept").fetchone()
        if row is None:
            return
        named = (row["model_name"], row["dimension"], row["model_hash"])
        model = next((m for m in self.models if (m.name, m.dimension, m.hash) == named), None)
        if model is None:
            yield f"kept are vectors of {named}, which is none of the models"
            return
        if row["place"] == "column":
            name = next(column[0] for column in self._columns(conn) if column[0].startswith("former_embedding_"))
            former = [(key, content, vector) for key, content, vector, _ in self._read_rows(conn, name)]
        else:
            (table,) = (name for (name,) in self._relations(conn) if name.startswith("kept_"))
            texts = {key: content for key, content, _, _ in found}
            hashed = conn.cursor(row_factory=psycopg.rows.tuple_row).execute(
                sql.SQL("SELECT id::text, content_hash, embedding::real[] FROM {}").format(
                    sql.Identifier("vestige_sql", table)
                ),
                binary=True,
            )
            former = [
                (key, texts[key], vector)
                for key, content_hash, vector in hashed
                # another text, or none any more: it would not be taken back
                if key in texts and hashlib.sha256((texts[key] or "").encode()).digest() == content_hash
            ]
        for key, content, vector in former:
            if vector is not None and vector != self._vector(model, content or ""):
                yield f"row {key} has kept {self._whose(vector, content or '')}, and {model.name} is the former one"

    # --- The catalog ---

    def _read_catalog(self, conn: psycopg.Connection[Any]) -> dict[str, list[tuple[Any, ...]]]:
        return {
            "columns": self._columns(conn),
            "indexes": self._indexes(conn),
            "triggers and constraints": self._ask(
                conn,
                "SELECT tgname, tgenabled::text, pg_get_triggerdef(oid) FROM pg_trigger"
                " WHERE tgrelid = {oid} AND NOT tgisinternal"
                " UNION ALL SELECT conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE {oid} IN (conrelid, confrelid)",
            ),
            "relations of the package": self._relations(conn),
            "functions of the package": self._ask(
                conn, "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'vestige_sql'::regnamespace"
            ),
        }

    def _columns(self, conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
        # The embedding's dimension is to change, and its place may.
        return self._ask(
            conn,
            "SELECT attname, format_type(atttypid, CASE WHEN attname = {embedding} THEN -1 ELSE atttypmod END),"
            " attnotnull, pg_get_expr(adbin, adrelid), attgenerated::text, attidentity::text, attstorage::text,"
            " attacl::text, col_description(attrelid, attnum) FROM pg_attribute"
            " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
            " WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped",
        )

    def _indexes(self, conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
        return self._ask(
            conn,
            "SELECT relname, pg_get_indexdef(indexrelid), indisvalid AND indisready AND indislive"
            " FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = {oid}",
        )

    def _relations(self, conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
        return self._ask(
            conn,
            "SELECT relname FROM pg_class"
            " WHERE relnamespace = 'vestige_sql'::regnamespace AND relkind IN ('r', 'v', 'S')",
        )

    def _ask(self, conn: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
        rendered = sql.SQL(query).format(oid=self.table.oid, embedding=sql.Literal(self.table.embedding))  # type: ignore[arg-type]
        return sorted(conn.cursor(row_factory=psycopg.rows.tuple_row).execute(rendered).fetchall(), key=str)


_KEPT = {
    "columns": ("former_embedding_",),
    "indexes": ("former_embedding_",),
    "triggers and constraints": ("vestige_sql_forget_stale_",),
    "relations of the package": ("kept_",),
    "functions of the package": ("forget_stale_",),
}
"""What may be there besides while former vectors are kept, by a part of what is said of it."""

_LEFT_OVER = {
    "an index that is still to be built": "SELECT index_name, definition FROM vestige_sql.saved_index",
    "a run that is still open": "SELECT id, state, way, last_error FROM vestige_sql.run"
    " WHERE state NOT IN ('done', 'aborted')",
}
