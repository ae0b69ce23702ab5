"""What other clients of PostgreSQL write into a connection URL, in libpq's words.

DATABASE_URL is often an ORM's or a provider's. libpq refuses a parameter that it does not know, and these know others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

_SCHEMES = "postgres|postgresql|postgis|pgsql|timescale|timescaledb|timescalegis|postgresql_psycopg2"
_URL = re.compile(rf"(?:jdbc:|r2dbc:)?(?:{_SCHEMES})(?:\+\w+)?://")

PROXIES = ("prisma://", "prisma+postgres://")
"""Addresses of Prisma's proxy, which speaks another language than PostgreSQL."""

_NOT_OURS = {
    # Signs of a pooler: what stands behind the address is found out from the server itself.
    "pgbouncer", "supa", "workaround",
    # Pools of connections: a run opens the three that it needs.
    "connection_limit", "pool_timeout", "pool_size", "max_overflow", "pool_recycle", "pool_pre_ping", "pool_mode",
    "pool_max_conns", "pool_min_conns", "pool_max_conn_lifetime", "pool_max_conn_lifetime_jitter",
    "pool_max_conn_idle_time", "pool_health_check_period", "max_connections", "min_connections", "max_conns",
    "maxpoolsize", "minpoolsize", "pooling", "conn_max_age", "conn_health_checks", "pool", "max_lifetime",
    "idle_timeout", "disable_server_side_cursors",
    # Prepared statements, encodings and types, which each client has its own way with.
    "statement_cache_size", "statement_cache_capacity", "statement_cache_mode", "description_cache_capacity",
    "prepared_statement_cache_size", "prepared_statements", "preparethreshold", "preparedstatementcachequeries",
    "preparedstatementcachesizemib", "prefersimpleprotocol", "default_query_exec_mode", "prefer_simple_protocol",
    "prefer_query_mode", "preferquerymode", "binary_parameters", "disable_prepared_binary_result", "binarytransfer",
    "rewritebatchedinserts", "rewritebatchedstatements", "stringtype", "charset", "serverversion", "fetch_types",
    # Limits of time and zones, which a run sets for its own sessions.
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "command_timeout", "sockettimeout",
    "socket_timeout", "query_timeout", "timezone", "tcpkeepalive",
}  # fmt: skip

_RENAMED = {
    "applicationname": "application_name",
    "connecttimeout": "connect_timeout",
    "connection_timeout": "connect_timeout",
    "logintimeout": "connect_timeout",
}

_SERVER_TYPES = {
    "any": "any", "primary": "primary", "master": "primary", "secondary": "standby", "slave": "standby",
    "prefersecondary": "prefer-standby", "preferslave": "prefer-standby", "preferprimary": "any",
}  # fmt: skip

_SCHEMA = ("schema", "currentschema", "search_path", "schema_search_path")

# Without dashes and underscores.
_SSLMODES = {
    "disable": "disable", "disabled": "disable", "false": "disable", "off": "disable", "no": "disable", "0": "disable",
    "allow": "allow", "prefer": "prefer", "preferred": "prefer", "require": "require", "required": "require",
    "true": "require", "on": "require", "yes": "require", "1": "require", "noverify": "require",
    "verifyca": "verify-ca", "verifyfull": "verify-full", "verifyidentity": "verify-full",
}  # fmt: skip

_SSLACCEPT = {"strict": "verify-full", "accept_invalid_certs": "require"}

SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def in_libpqs_words(conninfo: str) -> str:
    """Return the connection string ``conninfo`` in libpq's words, if it is a URL; otherwise as it is.

    A parameter of another client becomes libpq's, or is left out where it is about that client's pool, cache or types.
    One that nobody here knows stays, so that libpq refuses it.
    """
    match = _URL.match(conninfo)
    if match is None:
        return conninfo
    rest = conninfo[match.end() :]
    # For libpq, user and password end at the first @ before any /, whatever is in them.
    credentials = re.match("[^/@]*@", rest)
    place = rest.find("?", credentials.end() if credentials else 0)
    if place < 0:
        return f"postgresql://{rest}"
    address, query = rest[:place], rest[place + 1 :]
    said = [parameter.partition("=") for parameter in query.split("&") if parameter]
    found = list(_translated([(name, value) for name, _, value in said]))
    return f"postgresql://{address}" + (f"?{'&'.join(found)}" if found else "")


def _translated(said: list[tuple[str, str]]) -> Iterator[str]:
    names = {name.lower() for name, _ in said}
    options, path = "", ""
    for name, value in said:
        known = name.lower()
        # An @ or / belongs to a password or a host: this was no parameter, whatever it looks like.
        if known == "options":
            options = value
        elif re.search("[@/]", value) or (known not in _NOT_OURS and not value):
            yield f"{name}={value}"
        elif known in _SCHEMA:
            path = _search_path(known, unquote(value))
        elif known == "sslmode" or (known in ("ssl", "sslaccept") and "sslmode" not in names):
            yield f"sslmode={_sslmode(known, value)}"
        elif known == "targetservertype":
            yield f"target_session_attrs={_SERVER_TYPES.get(value.lower(), value)}"
        elif known in _RENAMED and _RENAMED[known] not in names:
            yield f"{_RENAMED[known]}={value}"
        elif known not in _NOT_OURS and known not in ("ssl", "sslaccept", *_RENAMED):
            yield f"{name}={value}"
    if path:
        # libpq's options are words of a command line, in which a backslash keeps a space.
        words = re.sub(r"([\\ ])", r"\\\1", path)
        options = "%20".join(filter(None, (options, quote(f"-csearch_path={words}", safe=""))))
    if options:
        yield f"options={options}"


def _search_path(name: str, value: str) -> str:
    """Return the search_path that a parameter means: Prisma's is the name of one schema, as it is."""
    if name != "schema":
        return value
    doubled = value.replace('"', '""')
    return f'"{doubled}"'


def _sslmode(name: str, value: str) -> str:
    if name == "sslaccept":
        return _SSLACCEPT.get(value.lower(), value)
    return _SSLMODES.get(re.sub("[-_]", "", value.lower()), value)
