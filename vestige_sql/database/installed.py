"""What of this package is in a database: its functions, and the version that it is at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.errors import VersionMismatch
from vestige_sql.resources import package_version, resource_dir
from vestige_sql.steps import Step, Value

BEFORE_VERSIONS = "0.1.0"
"""The one release whose databases do not remember their version."""

_NOTHING = "nothing was written"


MAKES_THE_SCHEMA = re.compile(r"^CREATE SCHEMA IF NOT EXISTS vestige_sql;?[ \n]*$", re.MULTILINE)
"""The statement that makes the package's schema. It takes rights on the database even if the schema is there."""


def functions() -> list[Step]:
    """Return the files of ``sql/functions``, each of which makes the function that it is named after."""
    return steps.folder("functions")


def migrations() -> list[str]:
    """Return the texts of the migrations of the package's own schema, in their order."""
    return [file.read_text(encoding="utf-8") for file in _migration_files()]


def version_values() -> dict[str, Value]:
    """Return the step variables that say what this package would have a database be at."""
    return {
        # As sha256sum prints it, so that psql can be given the same.
        "function_files": "\n".join(f"{step.sha256}  sql/{step.name}" for step in functions()),
        "package_version": package_version(),
        "last_migration": [file.stem for file in _migration_files()][-1],
    }


def bring_up(conn: psycopg.Connection[Any]) -> list[str]:
    """Apply every function whose file has another text than the database remembers, drop those that have no file any
    more, and remember all that with the version; return the names of the functions that were applied.

    To be called in a transaction, once the migrations are applied.
    """
    values = version_values()
    changed = [row["name"] for row in steps.query(conn, "probe/functions.sql", values)]
    for name in changed:
        steps.run(conn, steps.load(f"functions/{name}.sql"), values)
    for step in steps.folder("upgrade"):
        steps.run(conn, step, values)
    return changed


def script_up() -> str:
    """Return as plain SQL what ``vestige-sql migrate up`` does once the migrations are applied, for tools that run
    files of SQL. Functions that have no file any more are forgotten by it, and not dropped.
    """
    return "\n".join(_script_lines())


def _script_lines() -> Iterator[str]:
    values = version_values()
    yield f"-- The functions of vestige-sql {package_version()}, for a database that has its migrations already."
    yield "-- Run it in one transaction, which it neither begins nor commits."
    for step in [*functions(), *(step for step in steps.folder("upgrade") if not step.is_gexec)]:
        yield f"\n-- sql/{step.name}\n-- SHA-256 {step.sha256}\n--"
        yield step.render(values).rstrip()


def check_version(conn: psycopg.Connection[Any], server: dict[str, Any], *, only_newer: bool = False) -> None:
    """Raise :class:`VersionMismatch` where the database is at another version than this package, or, for who is about
    to bring it to this one, at a newer one.

    ``server`` is the row of ``sql/probe/server.sql``. Nothing is said where the schema is missing or may not be read.
    """
    if not (server["package_schema_exists"] and server["package_functions_exist"]):
        return
    version: str | None = BEFORE_VERSIONS
    place, functions_differ = "older", None
    if server["version_table_exists"]:
        if not server["version_is_readable"]:
            return
        found = steps.query(conn, "probe/version.sql", version_values())[0]
        version, place, functions_differ = found["version"], found["place"], found["functions"]
    if place == "same" or (only_newer and place != "newer"):
        return
    ours = package_version()
    if place == "newer":
        raise VersionMismatch(
            f"database {server['database']} is at version {version} of vestige-sql, and this is {ours}",
            f"install the version that the database is at: pip install 'vestige-sql=={version}'; {_NOTHING}",
        )
    if version is None:
        raise VersionMismatch(
            f"database {server['database']} has the migrations of vestige-sql and is at no version, and this is {ours}",
            f"run: vestige-sql migrate up; {_NOTHING}",
        )
    if version == ours:
        raise VersionMismatch(
            f"database {server['database']} is at version {version} of vestige-sql as this is, and differs in "
            f"{functions_differ or 'its migrations'}",
            f"run: vestige-sql migrate up; {_NOTHING}",
        )
    raise VersionMismatch(
        f"database {server['database']} is at version {version} of vestige-sql, and this is {ours}, which is newer",
        f"run: vestige-sql migrate up; {_NOTHING}",
    )


def _migration_files() -> list[Path]:
    folder = resource_dir("migrations") / "reembed"
    return sorted(file for file in folder.glob("*.sql") if not file.name.endswith(".rollback.sql"))
