"""Connections to PostgreSQL, with names and limits as the steps expect them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.settings import checked_conninfo
from vestige_sql.errors import ServerError, TargetError, UsageError


@contextmanager
def connect(conninfo: str, *, read_only: bool = False, lift_limits: bool = True) -> Iterator[psycopg.Connection[Any]]:
    """Open an autocommit connection, whose session has no time limits unless told otherwise, and close it afterwards.

    Names without a schema are PostgreSQL's own in it, whatever search_path the role has.

    Raises :class:`UsageError` for a ``conninfo`` that cannot be read, and :class:`ServerError` where no connection can
    be made. No message repeats a password.
    """
    conninfo = checked_conninfo(conninfo)
    try:
        conn = psycopg.connect(
            conninfo, autocommit=True, fallback_application_name="vestige-sql", client_encoding="UTF8"
        )
    except psycopg.OperationalError as error:
        raise ServerError(
            f"cannot connect to PostgreSQL: {str(error).strip()}",
            "check --postgres-url (or DATABASE_URL) and that the server is running; nothing was written",
        ) from error
    except (psycopg.ProgrammingError, UnicodeError):
        # Such as connect_timeout=soon, or PGHOST=a..b.
        raise UsageError(
            "a parameter of the connection makes no sense, in the connection string or in the environment (PGHOST and "
            "the like)",
            "look at each, host names and numbers first; nothing was written",
        ) from None
    with conn:
        steps.run(conn, steps.load("session/05_pin_search_path.sql"), {})
        if lift_limits:
            steps.run(conn, steps.load("session/10_set_limits.sql"), {})
        # Else as the server has it: BEGIN READ WRITE is refused by a standby, before anybody can say that it is one.
        conn.read_only = read_only or None
        yield conn


def check_encoding(database: str, encoding: str | None) -> None:
    """Raise :class:`TargetError` where a database has texts that Python cannot read, or lacks characters."""
    if encoding != "UTF8":
        raise TargetError(
            f"database {database} is encoded in {encoding}, and only UTF8 is supported",
            "copy it into one in UTF8: createdb -T template0 -E UTF8 NEW, then pg_dump OLD | psql NEW; nothing was "
            "written",
        )
