"""Notice a pooler that shares a client's session with others, such as PgBouncer in transaction mode.

Behind one, settings would stay in the sessions of others, and the claim of a run would belong to nobody.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.errors import TargetError

_ASKED_AGAIN = 20
"""How often a pool with several idle sessions gets the chance to give another one."""

_OTHERS = 3
"""How many other connections look for this one's session. They stay open, so that each is given another session."""

_PATIENCE_SECS = 8.0

_WAY_OUT = (
    "nothing was set or written; connect to the server itself, or through a pooler in session mode (for Supabase that "
    "is port 5432 instead of 6543)"
)

_keep_sessions: set[str] = set()


def is_pooled(conn: psycopg.Connection[Any]) -> bool:
    """Whether something stands between this connection and its server process.

    The server says its process in the protocol, for cancel requests. A pooler must give a number of its own there, or
    it could not tell which of its clients cancels.
    """
    return conn.info.backend_pid != _process(conn)


def check_keeps_session(conn: psycopg.Connection[Any], conninfo: str) -> None:
    """Raise :class:`TargetError` if a pooler gives the transactions of ``conn`` to several sessions.

    Nothing is set in any session. Three things give such a pooler away, whatever its name is. An idle pool gives the
    session at once to the next client, who then has the session of this one. A pool that gives its sessions in turn or
    at random gives this client another one soon. And a pool that takes no transaction at all says so, as an error.
    """
    if conninfo in _keep_sessions:
        return
    process = _process(conn)
    shared = any(_process(conn) != process for _ in range(_ASKED_AGAIN))
    if not shared:
        with _others(conninfo) as others:
            shared = any(other == process for other in others) or _process(conn) != process
    if shared:
        raise TargetError(
            "this connection goes through a pooler that gives each transaction another session of the server, as "
            "PgBouncer does in transaction mode; a run needs a session of its own",
            _WAY_OUT,
        )
    _keep_sessions.add(conninfo)


def _process(conn: psycopg.Connection[Any]) -> int:
    process: int = steps.query(conn, "probe/process.sql", {})[0]["process"]
    return process


@contextmanager
def _others(conninfo: str) -> Iterator[Iterator[int]]:
    """Yield the server processes of other connections, each of which stays in a transaction until the end."""
    opened: list[psycopg.Connection[Any]] = []

    def processes() -> Iterator[int]:
        for _ in range(_OTHERS):
            with _patience(opened):
                try:
                    other = psycopg.connect(
                        conninfo, fallback_application_name="vestige-sql", client_encoding="UTF8", connect_timeout=5
                    )
                    opened.append(other)
                    process = _process(other)
                except psycopg.Error as error:
                    raise TargetError(
                        "this connection goes through a pooler, and whether it keeps sessions apart cannot be found "
                        f"out: a second connection failed: {str(error).strip()}",
                        _WAY_OUT,
                    ) from error
            yield process

    try:
        yield processes()
    finally:
        for other in opened:
            with suppress(psycopg.Error):
                other.close()


@contextmanager
def _patience(opened: list[psycopg.Connection[Any]]) -> Iterator[None]:
    """Break off the newest connection if it still waits for a session after a while."""

    def break_off() -> None:
        if opened:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(opened[-1].fileno())) as its:
                its.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_PATIENCE_SECS, break_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
