"""Which table and columns a run is about, and what the probes said of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import check_encoding
from vestige_sql.database.installed import check_version
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import TargetError
from vestige_sql.plan import Target
from vestige_sql.steps.files import Value

VECTOR_TYPES = ("vector", "halfvec")
READING = ("look", "gate")
"""The verbs that only read, for which a role need not own the table."""

MAX_DIMENSION = 16_000
"""The longest vector or halfvec that pgvector stores (VECTOR_MAX_DIM in its vector.h)."""


@dataclass(frozen=True)
class Probed:
    """What the read-only probes said of a target.

    ``server`` and ``table`` are the rows of ``sql/probe/server.sql`` and ``sql/probe/target.sql``; ``model`` is
    the registered signature, or None.
    """

    target: Target
    server: dict[str, Any]
    table: dict[str, Any]
    model: ModelSignature | None
    indexes: list[dict[str, Any]]
    saved_indexes: list[dict[str, Any]]
    open_run: dict[str, Any] | None
    kept: dict[str, Any] | None
    values: dict[str, Value] = field(repr=False)

    @property
    def name(self) -> str:
        """The table as SQL writes it, schema first, with quotes where it needs them."""
        name: str = self.table["name"]
        return name

    @property
    def column(self) -> str:
        """The embedding column as SQL writes it, schema and table first."""
        column: str = self.table["column"]
        return column

    @property
    def typmod(self) -> int | None:
        """The column's dimension, or None where it has none."""
        typmod: int | None = self.table["typmod"]
        return typmod

    @property
    def index_is_there(self) -> bool:
        """Whether the column has a vector index, all that it has are valid, and none is still to be built."""
        return bool(self.indexes) and all(i["valid"] for i in self.indexes) and not self.saved_indexes

    @property
    def invalid_indexes(self) -> list[str]:
        return [i["name"] for i in self.indexes if not i["valid"]]


def check_server(server: dict[str, Any], *, needs_package: bool) -> None:
    """Raise :class:`TargetError` where the server cannot serve a run."""
    if server["pgvector_version"] is None:
        raise TargetError(
            f"database {server['database']} has no pgvector: the extension vector is not installed in it",
            "install pgvector on the server, then run: vestige-sql migrate up; nothing was written",
        )
    check_encoding(server["database"], server["encoding"])
    if server["missing_grants"]:
        raise _lacks_rights(server["role"], "in the schema vestige_sql", server["missing_grants"])
    if not needs_package:
        return
    if server["in_recovery"]:
        raise TargetError("this server is a standby and takes no writes", "connect to the primary; nothing was written")
    if server["read_only"]:
        raise TargetError(
            f"transactions of role {server['role']} on database {server['database']} are read-only: see "
            "default_transaction_read_only",
            "set it off for the role, the database or this session (PGOPTIONS='-c default_transaction_read_only=off'); "
            "nothing was written",
        )
    if not (server["package_schema_exists"] and server["package_functions_exist"]):
        raise TargetError(
            f"database {server['database']} lacks the schema vestige_sql, which keeps staging and audit",
            "run: vestige-sql migrate up; nothing was written",
        )


def _lacks_rights(role: str, where: str, grants: list[str]) -> TargetError:
    return TargetError(f"role {role} lacks rights {where}", f"{'; '.join(grants)}; (nothing was written)")


def _schema_named(name: str) -> str:
    """The schema of a qualified name, as it is written there."""
    found = re.match(r'\s*("(?:[^"]|"")*"|[^".]+)\s*\.', name)
    return found[1] if found else "of the table"


def _check_table(target: Target, table: dict[str, Any] | None, role: str, *, owner_only: bool = True) -> dict[str, Any]:
    nothing = "nothing was written"
    if table is None:
        raise TargetError(
            f"there is no table {target.table} in this database, or not along the search_path",
            f"name it with --table schema.table, with double quotes where it has capitals; {nothing}",
        )
    name = table["name"]
    if table["schema"] == "vestige_sql":
        raise TargetError(f"{name} is in the package's own schema, where no table of yours belongs", nothing)
    kinds = {
        "p": "a partitioned table",
        "f": "a foreign table",
        "v": "a view",
        "m": "a materialized view",
        "i": "an index",
        "S": "a sequence",
        "c": "a composite type",
    }
    if table["kind"] != "r":
        raise TargetError(
            f"{name} is {kinds.get(table['kind'], 'not a table')}, and only plain tables can be re-embedded", nothing
        )
    if table["persistence"] == "t":
        raise TargetError(f"{name} is a temporary table, which no other session can see", nothing)
    if table["is_typed"]:
        raise TargetError(f"{name} is a typed table, whose columns cannot be altered", nothing)
    if table["inherits"]:
        raise TargetError(f"{name} is part of an inheritance tree or a partition, which is not supported", nothing)
    for column, found in (
        (target.id_column, table["id_sql_type"]),
        (target.content_column, table["content_type"]),
        (target.embedding_column, table["embedding_type"]),
    ):
        if found is None:
            raise TargetError(
                f"{name} has no column {column}",
                f"name the columns with --id-column, --content-column and --embedding-column; {nothing}",
            )
    if table["content_type"] == "bytea":
        raise TargetError(
            f"{name}.{target.content_column} is of type bytea, which is no text",
            f"name the column with the text with --content-column; {nothing}",
        )
    if table["embedding_type"] not in VECTOR_TYPES or not table["embedding_is_pgvectors"]:
        raise TargetError(
            f"{name}.{target.embedding_column} is of type {table['embedding_full_type']}, not a vector column",
            f"name the pgvector column with --embedding-column; {nothing}",
        )
    if target.embedding_column in (target.id_column, target.content_column):
        raise TargetError(
            f"{name}.{target.embedding_column} cannot be the embedding column and the key or the text too",
            f"name three columns with --id-column, --content-column and --embedding-column; {nothing}",
        )
    if not (table["id_is_unique"] and table["id_not_null"]):
        key = table["primary_key"]
        composite = key is not None and ", " in key and target.id_column in key.split(", ")
        raise TargetError(
            f"{name}.{target.id_column} is "
            + (f"only a part of the composite key ({key})" if composite else "no key: it is not unique and NOT NULL"),
            f"name a single-column key with --id-column, or make one; {nothing}",
        )
    if table["embedding_generated"]:
        raise TargetError(f"{name}.{target.embedding_column} is a generated column, it cannot be written", nothing)
    if table["embedding_inherited"]:
        raise TargetError(f"{name}.{target.embedding_column} is inherited, it cannot be altered", nothing)
    if owner_only and not table["is_owner"]:
        raise TargetError(
            f"role {role} does not own {name}, its owner is {table['owner']}",
            f"run as {table['owner']}, or GRANT {table['owner']} TO {role}; {nothing}",
        )
    if table["row_security_applies"]:
        raise TargetError(
            f"{name} forces row level security on its owner, so that rows may be hidden from this run",
            f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY for the time of the run, or run as a role with BYPASSRLS; "
            + nothing,
        )
    if table["missing_grants"]:
        raise _lacks_rights(role, f"that a run on {name} needs", table["missing_grants"])
    return table


def probe(conn: psycopg.Connection[Any], target: Target, *, needs_package: bool = True, verb: str = "apply") -> Probed:
    """Ask the read-only questions about ``target``. What the role lacks depends on the ``verb``: docs/privileges.md.

    Raises :class:`VersionMismatch` before anything else where the database is at another version of this package, and
    :class:`TargetError` where the target cannot be re-embedded, whatever the model.
    """
    server = steps.query_one(conn, "probe/server.sql", {"verb": verb})
    assert server is not None
    check_version(conn, server)
    check_server(server, needs_package=needs_package)
    named: dict[str, Value] = {
        "target": target.table,
        "id_column": target.id_column,
        "content_column": target.content_column,
        "embedding_column": target.embedding_column,
    }
    try:
        found = steps.query_one(conn, "probe/target.sql", named | {"verb": verb})
    except (psycopg.errors.SyntaxError, psycopg.errors.InvalidName, psycopg.errors.FeatureNotSupported) as error:
        raise TargetError(
            f"{target.table} is no table name: {error.diag.message_primary}",
            'write it as in SQL, such as app.documents or "App"."My Docs"; nothing was written',
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise TargetError(
            f"role {server['role']} may not look up {target.table}: {error.diag.message_primary}",
            f"GRANT USAGE ON SCHEMA {_schema_named(target.table)} TO {server['role']}; nothing was written",
        ) from error
    table = _check_table(target, found, server["role"], owner_only=verb not in READING)

    values: dict[str, Value] = named | {
        key: table[key]
        for key in (
            "oid",
            "name",
            "schema",
            "table",
            "id_type",
            "id_sql_type",
            "id_schema",
            "vector_type",
            "embedding_type",
            "staging_table",
            "lookup_function",
            "new_column",
            "kept_column",
            "kept_table",
            "changed_table",
            "track_function",
            "insert_trigger",
            "update_trigger",
            "keep_function",
            "keep_trigger",
            "storage",
            "compression",
        )
    }
    values["vector_schema"] = table["embedding_type_schema"]
    values["index_column"] = target.embedding_column

    model = None
    if table["registry"] != "none" and (row := steps.query_one(conn, f"probe/model_{table['registry']}.sql", values)):
        model = ModelSignature(row["name"], row["dimension"], row["hash"]) if row["hash"] else None
    installed = server["package_schema_exists"] and server["package_functions_exist"]
    return Probed(
        target=target,
        server=server,
        table=table,
        model=model,
        indexes=steps.query(conn, "probe/indexes.sql", values),
        saved_indexes=steps.query(conn, "probe/saved_indexes.sql", values) if installed else [],
        open_run=steps.query_one(conn, "probe/open_run.sql", values) if installed else None,
        kept=steps.query_one(conn, "probe/kept.sql", values) if installed else None,
        values=values,
    )


@dataclass(frozen=True)
class Blockers:
    """What hangs on the column and rules a way of applying out: names by way.

    ``drop`` are statements that drop the views among them, and ``recreate`` those that make them again, in order.
    """

    alter: list[str]
    swap: list[str]
    drop: list[str]
    recreate: list[str]


def blockers(conn: psycopg.Connection[Any], probed: Probed, dimension: int) -> Blockers:
    """Return what rules out ALTER COLUMN TYPE (rewrite, widen), and what rules out swapping the column."""
    old = probed.typmod or (probed.model.dimension if probed.model else None)
    rows = steps.query(
        conn,
        "probe/blockers.sql",
        probed.values | {"dimension": dimension, "dimension_changes": old != dimension, "old_dimension": old},
    )
    views = steps.query(conn, "probe/views.sql", probed.values)
    everywhere = [view["object"] for view in views]
    if probed.table["embedding_default"] and old != dimension:
        everywhere.append(f"the default of {probed.column}, a vector of the old dimension")
    return Blockers(
        alter=[f"{row['object']} ({row['kind']})" for row in rows if row["blocks_alter"]] + everywhere,
        swap=[f"{row['object']} ({row['kind']})" for row in rows if row["blocks_swap"]] + everywhere,
        drop=[view["drop"] for view in reversed(views)],
        recreate=[view["recreate"] for view in views],
    )
