"""Why a connection failed, and what to do about it, from what libpq says."""

from __future__ import annotations

import re

_USUAL = "check that the server is running, and the address in --postgres-url or DATABASE_URL"

_HINTS = (
    (
        "password authentication failed|no password supplied",
        "the password is wrong or missing, or there is no such role, which the server does not tell apart: check user "
        "and password in the connection string, or PGPASSWORD or ~/.pgpass",
    ),
    (
        "role .* does not exist",
        "there is no such role on this server: check the user in the connection string (without one it is PGUSER, or "
        "your own name on this machine); psql -c '\\du' lists the roles",
    ),
    (
        "database .* does not exist",
        "the server is reached, but has no such database: check its name in the connection string (without one it is "
        "the user's); psql -l lists the databases, and createdb makes one",
    ),
    ("not permitted to log in", "name a role that may log in, or have an administrator run ALTER ROLE .. LOGIN"),
    (
        "permission denied for database",
        "this role may not connect to the database: have its owner run GRANT CONNECT ON DATABASE .. TO ..",
    ),
    (
        "(peer|ident) authentication failed",
        "through a socket the server lets only the user of that name in: run as that user, or name the host, such as "
        "localhost, and a password",
    ),
    (
        "no pg_hba.conf entry|pg_hba.conf rejects",
        "the server lets this user, database and address in only otherwise: try sslmode=require, or have an "
        "administrator add a line to pg_hba.conf",
    ),
    (
        "too many connections|too many clients|remaining connection slots",
        "wait until others have left, or raise the limit: ALTER ROLE .. CONNECTION LIMIT, ALTER DATABASE .. CONNECTION "
        "LIMIT or max_connections; a run needs 3 connections",
    ),
    ("starting up|shutting down|in recovery mode", "wait a moment, until the server takes connections again"),
    (
        "not in hot standby mode|hot standby mode is|session is (not )?read-only",
        "no server of those named is of the kind that target_session_attrs asks for: leave it out, or name another",
    ),
    (
        "does not support SSL",
        "the server has no TLS: leave sslmode out if the connection needs no encryption",
    ),
    (
        "certificate",
        "check sslmode, sslrootcert, sslcert and sslkey; sslmode=verify-full needs the server's own root certificate",
    ),
    ("could not translate host name", "the host's name is unknown: check it in the connection string, and the network"),
    (
        "connection refused|no such file or directory|no route to host",
        "no server listens there: check host and port in --postgres-url or DATABASE_URL, and that the server is "
        "running",
    ),
    ("timeout|timed out", "no server answered in time: check host and port, and whether a firewall is in between"),
)


def what_to_do(message: str) -> str:
    """Return what to do after a connection failed with libpq's ``message``.

    A server in another language than English gets the usual words.
    """
    for pattern, way_out in _HINTS:
        if re.search(pattern, message, re.IGNORECASE):
            return way_out
    return _USUAL
