"""Connections to PostgreSQL, with the search_path and the limits that the steps expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.pooler import check_keeps_session, is_pooled
from vestige_sql.database.settings import checked_conninfo
from vestige_sql.database.unreachable import what_to_do
from vestige_sql.errors import ServerError, TargetError, UsageError


@contextmanager
def connect(conninfo: str, *, read_only: bool = False, lift_limits: bool = True) -> Iterator[psycopg.Connection[Any]]:
    """Open an autocommit connection, and close it afterwards.

    Names without a schema mean PostgreSQL's own objects, whatever search_path the role has. The session has no time
    limits, unless ``lift_limits`` is False.

    Raises :class:`UsageError` if ``conninfo`` cannot be read, :class:`ServerError` if the connection fails, and
    :class:`TargetError` behind a pooler that shares sessions. No message repeats a password.
    """
    conninfo = checked_conninfo(conninfo)
    try:
        conn = psycopg.connect(
            conninfo, autocommit=True, fallback_application_name="vestige-sql", client_encoding="UTF8"
        )
    except psycopg.OperationalError as error:
        raise ServerError(
            f"cannot connect to PostgreSQL: {str(error).strip()}", f"{what_to_do(str(error))}; nothing was written"
        ) from error
    except (psycopg.ProgrammingError, UnicodeError):
        # For example connect_timeout=soon, or PGHOST=a..b.
        raise UsageError(
            "a connection parameter is invalid, in the connection string or in the environment (PGHOST and the like)",
            "check each of them, host names and numbers first; nothing was written",
        ) from None
    with conn:
        pooled = is_pooled(conn)
        if pooled:
            check_keeps_session(conn, conninfo)
        steps.run(conn, steps.load("session/05_pin_search_path.sql"), {})
        check_owners(conn)
        if lift_limits:
            steps.run(conn, steps.load("session/10_set_limits.sql"), {})
        # Else as the server has it: BEGIN READ WRITE is refused by a standby, before anybody can say that it is one.
        conn.read_only = read_only or None
        yield conn
        if pooled and conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            # The pooler keeps the session, and not every one of them clears it.
            conn.read_only = None
            for last in ("session/release_claims.sql", "session/reset_settings.sql"):
                steps.run(conn, steps.load(last), {})


def check_owners(conn: psycopg.Connection[Any]) -> None:
    """Raise :class:`TargetError` if a role that this one has no reason to trust made anything of the package's schema.

    docs/privileges.md says which roles trust each other.
    """
    try:
        steps.run(conn, steps.load("session/07_check_owners.sql"), {})
    except psycopg.Error as error:
        if error.sqlstate != steps.CHECK_FAILED:
            raise
        raise TargetError(error.diag.message_primary or str(error), error.diag.message_hint or "") from error


def check_encoding(database: str, encoding: str | None) -> None:
    """Raise :class:`TargetError` unless the database is encoded in UTF-8.

    Python cannot read every text of the other encodings, and they lack characters.
    """
    if encoding != "UTF8":
        raise TargetError(
            f"database {database} is encoded in {encoding}, and only UTF8 is supported",
            "copy it into a database in UTF8: createdb -T template0 -E UTF8 NEW, then pg_dump OLD | psql NEW; nothing "
            "was written",
        )
