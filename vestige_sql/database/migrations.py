"""Apply the yoyo migrations, Vestige's schema and the package's own, and the functions that the steps call.

The files are plain SQL. The stock ``yoyo`` command can apply them too, and records them in the same tables
(``_yoyo_migration``, ``_yoyo_log``, ``_yoyo_version`` and ``yoyo_lock`` in the current schema). This module differs in
three ways: a killed run leaves no lock behind, an error stops it, and a migration that cannot be applied yet is left
for later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict
from yoyo import default_migration_table, read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.exceptions import BadMigration, MigrationConflict

from vestige_sql import steps
from vestige_sql.database.connection import check_encoding, connect
from vestige_sql.database.installed import MAKES_THE_SCHEMA, bring_up, check_version
from vestige_sql.database.settings import checked_conninfo
from vestige_sql.database.unreachable import what_to_do
from vestige_sql.errors import ServerError, TargetError, UsageError, VestigeError
from vestige_sql.resources import resource_dir

#: SQLSTATE of a migration that cannot be applied yet: its transaction is rolled back, and a later run tries again.
NOT_YET = "VS100"

#: How long to wait for another run. Migrations take seconds, except an index build.
LOCK_TIMEOUT = "30s"


@dataclass(frozen=True)
class Applied:
    """What :func:`migrate_up` did. The name of a migration or a function is its file's, without ``.sql``.

    ``applied`` are the migrations applied now, in order. ``waiting`` maps each one that could not be applied yet to
    the reason, for example ``0002_hnsw`` before the first model is registered. ``functions`` are those that were made,
    or made anew because their text had changed.
    """

    applied: list[str]
    waiting: dict[str, str]
    functions: list[str] = field(default_factory=list)


def migrate_up(conninfo: str, *, vestige: bool = True) -> Applied:
    """Apply every migration that is not applied yet, each in its own transaction, and in one more every function that
    is not as its file makes it; then the database is at this version of the package.

    ``vestige=False`` leaves out Vestige's own schema, for tables that are not Vestige's. Simultaneous runs wait for
    each other. A run that was killed at any point can be repeated.

    Raises ``UsageError`` for a connection string that libpq cannot read, ``TargetError`` for a database that is not in
    UTF-8, ``VersionMismatch`` for one that is at a newer version of the package, and ``ServerError`` if the server
    cannot be reached, refuses, or fails a migration. A failed migration is rolled back; those before it stay applied.
    """
    conninfo = checked_conninfo(conninfo)
    folders = ("vestige", "reembed") if vestige else ("reembed",)
    migrations = read_migrations(*(str(resource_dir("migrations") / folder) for folder in folders))
    applied: list[str] = []
    waiting: dict[str, str] = {}
    try:
        with _open(conninfo, vestige=vestige) as backend, backend.lock():
            _check_not_newer(conninfo)
            for migration in backend.to_apply(migrations):
                if missing := sorted(other.id for other in migration.depends if other.id in waiting):
                    waiting[migration.id] = f"it needs {', '.join(missing)}"
                    continue
                try:
                    backend.apply_one(migration)
                except psycopg.Error as error:
                    cause = _first(error)
                    if cause.sqlstate != NOT_YET:
                        raise _failed(f"migration {migration.id}", cause) from error
                    waiting[migration.id] = ". ".join(_lines(cause))
                else:
                    applied.append(migration.id)
            functions = _bring_up(conninfo)
    except (BadMigration, MigrationConflict) as error:
        raise VestigeError(
            f"the migration files do not fit together: {error}",
            "files were added to the installed package or removed from it: install it again; nothing was applied",
        ) from error
    except psycopg.Error as error:
        raise _failed("yoyo's own tables", _first(error)) from error
    return Applied(applied, waiting, functions)


def _check_not_newer(conninfo: str) -> None:
    with connect(conninfo, read_only=True) as conn:
        server = steps.query(conn, "probe/server.sql", {})[0]
        check_version(conn, server, only_newer=True)


def _bring_up(conninfo: str) -> list[str]:
    """Apply the functions whose files have another text than the database remembers, and return their names."""
    with connect(conninfo) as conn:
        try:
            with conn.transaction():
                return bring_up(conn)
        except psycopg.Error as error:
            where = ", ".join(getattr(error, "__notes__", [])) or "the functions"
            if not isinstance(error, errors.InsufficientPrivilege):
                raise _failed(where, error) from error
            raise ServerError(
                f"{where}: {error.diag.message_primary}; its transaction was rolled back",
                "Run it as the role that owns the schema vestige_sql and its functions, or as a member of it: that is "
                "who ran it first. The migrations are applied.",
            ) from error


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that leaves a schema alone that is there.

    PostgreSQL asks for CREATE on the database even then, which managed servers and careful administrators do not give:
    they make the schema, and have the role own it.
    """

    def execute(self, query: Any, *args: Any, **options: Any) -> _Cursor:
        if isinstance(query, str) and MAKES_THE_SCHEMA.search(query):
            server = steps.query(self.connection, "probe/server.sql", {})[0]
            if server["package_schema_exists"]:
                return self
        return super().execute(query, *args, **options)


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's backend, but its lock ends with its connection, and it takes every conninfo that libpq takes."""

    _is_locked: bool = False

    def __init__(self, conninfo: str) -> None:
        # Everything goes into args: yoyo's own URI parser knows no services, no socket folders and no lists of hosts.
        uri = DatabaseURI("postgresql+psycopg", *[None] * 5, args=conninfo_to_dict(conninfo))
        self._conninfo = conninfo
        super().__init__(uri, default_migration_table)
        self.connection.cursor_factory = _Cursor

    def copy(self) -> _Backend:
        """Return the backend that applies one migration. A migration may build an index."""
        backend = _Backend(self._conninfo)
        backend.execute(steps.load("session/limit_workers.sql").render({}, backend.connection))
        backend.commit()
        return backend

    def create_lock_table(self) -> None:
        # The base class ignores every error here, so a role that may not create tables would get a confusing error
        # later. If two processes find the table missing at once, the second may fail, since the table exists by then.
        create = self.format_sql(self.create_lock_table_sql)
        with suppress(errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject):
            self.execute(create.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))

    def get_log_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return dict(super().get_log_data(*args, **kwargs))
        except (KeyError, OSError):  # OSError from Python 3.13 on
            # getpass finds no name for the account: containers run under user ids that no passwd file has.
            os.environ["LOGNAME"] = f"uid {os.getuid()}"
            try:
                return dict(super().get_log_data(*args, **kwargs))
            finally:
                del os.environ["LOGNAME"]

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:
        """Keep other migrations out while a ``with`` block runs.

        yoyo's lock is a row, which stays behind after a killed process. This lock is the server's lock on that table:
        the INSERT of a stock ``yoyo`` waits for it, and it ends with its connection, however that ends.

        Raises ``ServerError`` if another process keeps the lock for :data:`LOCK_TIMEOUT`, or a stock ``yoyo`` has it.
        """
        if self._is_locked:
            yield
            return
        table = sql.Identifier(self.lock_table)
        with psycopg.connect(self._conninfo) as guard:
            guard.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            # The connection is idle as long as the migrations take, and a server's setting could end it.
            guard.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            try:
                guard.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(table))
            except errors.LockNotAvailable as error:
                raise ServerError(
                    f"another process has been migrating this database for over {LOCK_TIMEOUT}; "
                    "this one applied nothing",
                    "wait until the other process is done, then run vestige-sql migrate up again",
                ) from error
            row = guard.execute(sql.SQL("SELECT pid, ctime FROM {}").format(table)).fetchone()
            if row is not None:
                raise ServerError(
                    f"the migrations of this database are locked by a stock yoyo, process {row[0]}, "
                    f"since {row[1]:%Y-%m-%d %H:%M:%S} UTC; nothing was applied",
                    "if that process is still running, wait for it; if it has died, remove its lock with "
                    "yoyo break-lock --database postgresql+psycopg://.. and run vestige-sql migrate up again",
                )
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False


def _check_path(backend: _Backend, *, vestige: bool) -> None:
    """Raise ``TargetError`` if a role that is not trusted made what yoyo or a migration would use by its name."""
    found = steps.query(backend.connection, "probe/objects_on_path.sql", {"vestige": vestige})
    if found:
        raise TargetError(
            f"migrate up would use what roles made that {backend.connection.info.user} does not trust: "
            + ", ".join(row["object"] for row in found),
            "whatever they do would be done with the rights of this role; look at them, and drop them or give them to "
            "this role; or run it as the role that owns them; nothing was applied",
        )


def _open(conninfo: str, *, vestige: bool) -> _Backend:
    try:
        backend = _Backend(conninfo)
    except (psycopg.ProgrammingError, UnicodeError):
        # For example connect_timeout=soon. libpq's message repeats the value, which may contain a password.
        raise UsageError("a connection parameter is invalid", "check each of them; nothing was applied") from None
    except psycopg.OperationalError as error:
        raise unreachable(conninfo, error) from error
    try:
        check_encoding(backend.connection.info.dbname, backend.connection.info.parameter_status("server_encoding"))
        with connect(conninfo, read_only=True):
            pass  # or it says why this package will not work through this connection
        _check_path(backend, vestige=vestige)
        backend.create_lock_table()
    except BaseException:
        backend.connection.close()
        raise
    return backend


def unreachable(conninfo: str, error: psycopg.OperationalError) -> ServerError:
    """Return the error for a failed connection: it names the server and libpq's message, and no password."""
    parts = conninfo_to_dict(conninfo)
    named = [f"{key} {parts[key]}" for key in ("service", "host", "port", "dbname", "user") if parts.get(key)]
    return ServerError(
        f"cannot connect to PostgreSQL ({', '.join(named) or 'the defaults of libpq'}): {str(error).strip()}",
        f"{what_to_do(str(error))}; nothing was applied",
    )


def _first(error: psycopg.Error) -> psycopg.Error:
    """Return the first error: a ROLLBACK that fails on a dead connection hides the error before it."""
    while isinstance(error.__context__, psycopg.Error):
        error = error.__context__
    return error


def _lines(error: psycopg.Error) -> list[str]:
    return [line for line in (error.diag.message_primary or str(error).strip(), error.diag.message_hint) if line]


def _failed(what: str, error: psycopg.Error) -> ServerError:
    message, *hint = _lines(error)
    if isinstance(error, errors.InsufficientPrivilege):
        hint = [
            "run vestige-sql migrate up as the owner of the database, or GRANT CREATE ON DATABASE and GRANT CREATE ON "
            "SCHEMA public (or the role's own schema, with a search_path to it) TO this role; only a superuser may "
            "create the extension vector, once in this database: CREATE EXTENSION vector; in place of the right on the "
            "database it may also make the schema: CREATE SCHEMA vestige_sql AUTHORIZATION this role; the migrations "
            "applied before stay"
        ]
    elif isinstance(error, errors.InvalidSchemaName):
        hint = [
            "yoyo keeps its own tables in the first schema of the role's search_path, and there is none: ALTER ROLE .. "
            "IN DATABASE .. SET search_path = .., to a schema in which the role may create; the migrations applied "
            "before stay"
        ]
    elif isinstance(error, errors.FeatureNotSupported | errors.UndefinedFile) and "extension" in message:
        hint = [
            "install pgvector on the server's machine (https://github.com/pgvector/pgvector), then run vestige-sql "
            "migrate up again; the migrations applied before stay"
        ]
    return ServerError(
        f"{what}: {message}; its transaction was rolled back",
        " ".join(hint)
        or "correct that, and run vestige-sql migrate up again, which applies the rest; the migrations applied before "
        "stay",
    )
