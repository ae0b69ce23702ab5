"""The table and columns of a run, and what the probes found out about them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.installed import check_version
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import TargetError
from vestige_sql.plan import Target
from vestige_sql.reembed.open_run import Kept, OpenRun, find_open_run
from vestige_sql.reembed.refusals import (
    EVERY_WAY,
    OF_THE_PACKAGE,
    OF_THE_SERVER,
    OF_THE_TABLE,
    check_any_way,
    read_expressions,
    registry_refusals,
)
from vestige_sql.steps.files import Value

NAMES = ("schema", "table", "id_column", "id_columns", "content_column", "content_expression", "embedding_column")
"""The variables that name a table and its columns."""

CONTENT = "probe/content.sql"
"""How statements say the text, once ``TRY_EXPRESSIONS`` has read the expression in the same transaction."""

VECTOR_TYPES = ("vector", "halfvec")
MAX_DIMENSION = 16_000
"""The longest vector or halfvec that pgvector stores (VECTOR_MAX_DIM in its vector.h)."""


_OF_THE_TABLE = (
    "oid",
    "name",
    "schema",
    "table",
    "vector_type",
    "embedding_type",
    "staging_table",
    "lookup_function",
    "new_column",
    "kept_column",
    "kept_table",
    "changed_table",
    "outdated_table",
    "track_function",
    "insert_trigger",
    "update_trigger",
    "keep_function",
    "keep_trigger",
    "storage",
    "compression",
)
"""The columns of ``sql/probe/target.sql`` that are step variables too."""


@dataclass(frozen=True)
class Probed:
    """What the read-only probes found out about a target.

    ``server`` and ``table`` are the rows of ``sql/probe/server.sql`` and ``sql/probe/target.sql``; ``model`` is
    the registered signature, or None. ``refused`` are the rows of ``sql/probe/refusals/65_of_the_registry.sql``: what
    the registry no longer knows of the target. ``rows_of_run`` is the run that says which rows are meant, where the
    caller does not.
    """

    target: Target
    server: dict[str, Any]
    table: dict[str, Any]
    model: ModelSignature | None
    indexes: list[dict[str, Any]]
    saved_indexes: list[dict[str, Any]]
    open_run: OpenRun | None
    kept: Kept | None
    refused: list[dict[str, Any]]
    values: dict[str, Value] = field(repr=False)
    rows_of_run: int | None = None

    @property
    def name(self) -> str:
        """The table as SQL writes it, schema first, quoted if necessary."""
        name: str = self.table["name"]
        return name

    @property
    def column(self) -> str:
        """The embedding column as SQL writes it, schema and table first."""
        column: str = self.table["column"]
        return column

    @property
    def row_filter(self) -> str:
        """The condition that chooses the rows that are meant, empty for all rows."""
        return str(self.values["row_filter"])

    @property
    def rows_meant(self) -> str:
        """The rows of the column that are meant, for people."""
        return f"{self.column} WHERE {self.row_filter}" if self.row_filter else self.column

    def check_known(self, *whats: str) -> None:
        """Raise :class:`TargetError` for what the registry no longer knows: what rules out every way, and ``whats``."""
        for row in self.refused:
            if row["what"] in whats or set(row["rules_out"]) >= EVERY_WAY:
                raise TargetError(row["message"], row["hint"])

    def check_here(self, what: str) -> None:
        """Raise :class:`TargetError` for a refusal ``what`` about another table than this, which is there.

        Where that table is gone, whoever ends what was about it names this one.
        """
        for row in self.refused:
            if row["what"] == what and row["object"] != self.column:
                raise TargetError(row["message"], row["hint"])

    @property
    def typmod(self) -> int | None:
        """The column's dimension, or None if it has none."""
        typmod: int | None = self.table["typmod"]
        return typmod

    @property
    def index_is_there(self) -> bool:
        """Whether the column has a vector index, all of its vector indexes are valid, and none is still to be built.

        What REINDEX CONCURRENTLY left behind does not count.
        """
        wanted = [i for i in self.indexes if not i["left_over"]]
        return bool(wanted) and all(i["valid"] for i in wanted) and not self.saved_indexes

    @property
    def has_index(self) -> bool:
        """Whether the column has a vector index, valid or not, or one is still to be built."""
        return bool(self.saved_indexes) or any(not i["left_over"] for i in self.indexes)

    @property
    def invalid_indexes(self) -> list[str]:
        return [i["name"] for i in self.indexes if not i["valid"] and not i["left_over"]]


def _schema_named(name: str) -> str:
    """Return the schema of a qualified name, as written there."""
    found = re.match(r'\s*("(?:[^"]|"")*"|[^".]+)\s*\.', name)
    return found[1] if found else "of the table"


def find_table(conn: psycopg.Connection[Any], target: Target, role: str) -> dict[str, Any]:
    """Return the schema and the name of the target's table, both empty where there is no such table.

    Raises :class:`TargetError` for what is no table's name, or where the ``role`` may not look it up.
    """
    try:
        return steps.query_one(conn, "probe/table.sql", {"target": target.table}) or {"schema": "", "table": ""}
    except (psycopg.errors.SyntaxError, psycopg.errors.InvalidName, psycopg.errors.FeatureNotSupported) as error:
        raise TargetError(
            f"{target.table} is no table name: {error.diag.message_primary}",
            'nothing was written; write it as in SQL, such as app.documents or "App"."My Docs"',
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise TargetError(
            f"role {role} may not look up {target.table}: {error.diag.message_primary}",
            f"nothing was written; GRANT USAGE ON SCHEMA {_schema_named(target.table)} TO {role}",
        ) from error


def find_columns(
    conn: psycopg.Connection[Any], target: Target, place: dict[str, Any], *, begun: bool
) -> dict[str, Value]:
    """Return the names of the target's columns. Where none is given, an open run or kept vectors say it.

    ``begun`` says whether there may be such a run.
    """
    given = target.names()
    named = steps.query_one(conn, "probe/columns.sql", place | given)
    assert named is not None
    if begun and (of_run := steps.query_one(conn, "probe/begun_with.sql", place | named)):
        # A text that is named here is not the run's: refusals and the run itself say so.
        texts = {"content_column", "content_expression"}
        is_named = any(given[variable] is not None for variable in texts)
        more = {
            variable: of_run[variable] or ""
            for variable, name in given.items()
            if name is None and variable in of_run and not (is_named and variable in texts)
        }
        if any(named[variable] != name for variable, name in more.items()):
            named = steps.query_one(conn, "probe/columns.sql", place | named | given | more)
            assert named is not None
    return named


def expressions_read(conn: psycopg.Connection[Any]) -> str:
    """Return what this transaction has read in the target's expressions, for those that may not write."""
    row = conn.execute("SELECT coalesce(current_setting('vestige_sql.expressions', true), '')").fetchone()
    assert row is not None
    return str(row[0])


def find_rows(
    conn: psycopg.Connection[Any], target: Target, named: dict[str, Value], *, begun: bool
) -> tuple[str, int | None]:
    """Return the condition that chooses the target's rows, empty for all, and the run that says so, if one does.

    Where none is given, an open run or kept vectors say it. ``begun`` says whether there may be such a run.
    """
    if target.where is not None:
        return target.where, None
    # An open run or former vectors that are kept say which rows they are of.
    of_run = steps.query_one(conn, "probe/begun_with.sql", named) if begun else None
    return (of_run["row_filter"], of_run["run_id"]) if of_run and of_run["row_filter"] else ("", None)


def probe(conn: psycopg.Connection[Any], target: Target, *, needs_package: bool = True, verb: str = "apply") -> Probed:
    """Ask the read-only questions about ``target``.

    The rights that the role needs depend on the ``verb``: docs/privileges.md. Without ``needs_package`` nothing is to
    be written, so a standby will do.

    Raises :class:`VersionMismatch` before anything else if the database is at another version of this package, and
    :class:`TargetError` if the target cannot be re-embedded with any model.
    """
    server = steps.query_one(conn, "probe/server.sql", {})
    assert server is not None
    check_version(conn, server)
    named: dict[str, Value] = {
        "verb": verb,
        "only_asking": not needs_package,
        "target": target.table,
    }
    # The server is asked before the table is looked up, and names no column.
    none = dict.fromkeys(NAMES, "")
    check_any_way(conn, OF_THE_SERVER, named | none)
    place = find_table(conn, target, server["role"])
    named |= place | find_columns(conn, target, place, begun=server["package_functions_exist"])
    named["row_condition"], rows_of_run = find_rows(conn, target, named, begun=server["package_functions_exist"])
    named["expressions_read"] = ""
    with read_expressions(conn, named):
        check_any_way(conn, OF_THE_TABLE, named)
        content = steps.query_one(conn, CONTENT, named)
        named |= steps.query_one(conn, "probe/row_filter.sql", {}) or {}
        named["expressions_read"] = expressions_read(conn)
    assert content is not None
    named |= content
    check_any_way(conn, OF_THE_PACKAGE, named)
    named |= steps.query_one(conn, "probe/chosen.sql", named) or {}
    named["keep_untyped"] = False
    table = steps.query_one(conn, "probe/target.sql", named)
    key = steps.query_one(conn, "probe/key.sql", named)
    assert table is not None and key is not None
    table |= {name: value for name, value in key.items() if name.startswith("id_")}
    expression = str(named["content_expression"]) or None
    target = Target(
        target.table,
        str(named["id_column"]),
        None if expression else str(named["content_column"]),
        str(named["embedding_column"]),
        str(named["row_filter"]) or None,
        expression,
    )

    values: dict[str, Value] = named | key | {name: table[name] for name in _OF_THE_TABLE}
    values["vector_schema"] = table["embedding_type_schema"]
    values["index_column"] = target.embedding_column

    installed = server["package_schema_exists"] and server["package_functions_exist"]
    model = None
    registry = "vestige_here" if table["registry"] == "vestige" and installed else table["registry"]
    if registry != "none" and (row := steps.query_one(conn, f"probe/model_{registry}.sql", values)):
        model = ModelSignature(row["name"], row["dimension"], row["hash"]) if row["hash"] else None
    kept = steps.query_one(conn, "probe/kept.sql", values) if installed else None
    if installed and verb != "look":
        # What a run carries out as it stands there is looked at before anything is done.
        steps.query(conn, "gate/13_written_by_trusted_roles.sql", values)
    return Probed(
        target=target,
        server=server,
        table=table,
        model=model,
        indexes=steps.query(conn, "probe/indexes.sql", values),
        saved_indexes=steps.query(conn, "probe/saved_indexes.sql", values) if installed else [],
        open_run=find_open_run(conn, values) if installed else None,
        kept=Kept(**kept) if kept else None,
        refused=registry_refusals(conn, values) if installed else [],
        values=values,
        rows_of_run=rows_of_run,
    )
