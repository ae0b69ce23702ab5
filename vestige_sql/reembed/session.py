"""A session that has claimed its target for one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.database.settings import CONNECTIONS_OF_A_RUN
from vestige_sql.errors import RunInProgress, TargetError
from vestige_sql.plan import Target
from vestige_sql.reembed.target import Probed, probe

# So long this run waits for another on the same target. It is enough for one that is just ending.
_CLAIM_SECS = 3.0


@contextmanager
def claimed_session(
    conninfo: str, target: Target, verb: str = "apply"
) -> Iterator[tuple[psycopg.Connection[Any], Probed]]:
    """Connect, probe, and claim the target for this run, for as long as the connection lives."""
    with steps.translated(), connect(conninfo) as conn:
        probed = probe(conn, target, verb=verb)
        claim(conn, probed)
        # Probed again, now that nobody else is at work on it.
        yield conn, probe(conn, target, verb=verb)


def claim(conn: psycopg.Connection[Any], probed: Probed, step: str = "session/claim_run.sql") -> None:
    deadline = time.monotonic() + _CLAIM_SECS
    while True:
        try:
            with conn.transaction():
                steps.run(conn, steps.load(step), probed.values)
            return
        except psycopg.Error as error:
            if error.sqlstate != steps.CHECK_FAILED:
                raise
            if time.monotonic() > deadline:
                who = "; ".join(
                    f"pid {h['pid']} ({h['role']}, {h['application_name']}, since {h['backend_start']:%Y-%m-%d %H:%M})"
                    for h in steps.query(conn, "probe/run_holder.sql", probed.values)
                )
                raise RunInProgress(
                    f"another run is at work on {probed.column}: {who or 'a session that has ended since'}",
                    error.diag.message_hint or "",
                ) from error
        time.sleep(0.2)


def check_connections(conn: psycopg.Connection[Any]) -> None:
    """Raise :class:`TargetError` unless the server lets this role have as many connections as encoding takes.

    A role or a database may have a limit, and a server may be full: better to hear that before anything is written.
    """
    needed = CONNECTIONS_OF_A_RUN - 1
    left = steps.query(conn, "probe/connections.sql", {})[0]
    if left["free"] < needed:
        raise TargetError(
            f"encoding takes {needed} more connections, and {left['whose']} lets this role have {max(left['free'], 0)}",
            f"{left['way_out']}; nothing was written",
        )
