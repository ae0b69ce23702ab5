"""Connections to PostgreSQL, with the search_path and the limits that the steps expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.pooler import check_keeps_session, is_pooled
from vestige_sql.database.settings import checked_conninfo
from vestige_sql.database.unreachable import what_to_do
from vestige_sql.errors import ServerError, TargetError, UsageError

Connection = psycopg.Connection[Any]

_idle: dict[tuple[str, bool, bool], list[tuple[ExitStack, Connection]]] | None = None


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep connections open for as long as the block runs: whoever is done with one leaves it to the next.

    Between two users a connection has no claim, and the settings of its role.
    """
    global _idle
    former, _idle = _idle, {}
    try:
        yield
    finally:
        left, _idle = _idle, former
        for held, _ in (one for several in left.values() for one in several):
            with suppress(psycopg.Error):
                held.close()


@contextmanager
def connect(conninfo: str, *, read_only: bool = False, lift_limits: bool = True) -> Iterator[Connection]:
    """Open an autocommit connection, and close it afterwards, or take one that is :func:`kept_open`.

    Names without a schema mean PostgreSQL's own objects, whatever search_path the role has. The session has no time
    limits, unless ``lift_limits`` is False.

    Raises :class:`UsageError` if ``conninfo`` cannot be read, :class:`ServerError` if the connection fails, and
    :class:`TargetError` behind a pooler that shares sessions. No message repeats a password.
    """
    idle, place = _idle, (conninfo, read_only, lift_limits)
    if idle is None:
        with _opened(conninfo, read_only=read_only, lift_limits=lift_limits) as conn:
            yield conn
        return
    while (found := _taken(idle.get(place, []), lift_limits=lift_limits)) is None and idle.get(place):
        pass
    if found is None:
        held = ExitStack()
        conn = held.enter_context(_opened(conninfo, read_only=read_only, lift_limits=lift_limits))
    else:
        held, conn = found
    with ExitStack() as failed:
        failed.push(held)
        yield conn
        if conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            _give_back(conn)
            failed.pop_all()
            idle.setdefault(place, []).append((held, conn))


def _taken(idle: list[tuple[ExitStack, Connection]], *, lift_limits: bool) -> tuple[ExitStack, Connection] | None:
    """Return one of the ``idle`` connections, as a new one would be; None if there is none, or it was closed."""
    if not idle:
        return None
    held, conn = idle.pop()
    try:
        _set(conn, lift_limits=lift_limits)
    except psycopg.Error:
        with suppress(psycopg.Error):
            held.close()
        return None
    return held, conn


def _set(conn: Connection, *, lift_limits: bool) -> None:
    steps.run(conn, steps.load("session/05_pin_search_path.sql"), {})
    if lift_limits:
        steps.run(conn, steps.load("session/10_set_limits.sql"), {})


def _give_back(conn: Connection) -> None:
    """Release the session's claims, and give it its own settings back."""
    for last in ("session/release_claims.sql", "session/reset_settings.sql"):
        steps.run(conn, steps.load(last), {})


@contextmanager
def _opened(conninfo: str, *, read_only: bool, lift_limits: bool) -> Iterator[Connection]:
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
            _give_back(conn)


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
