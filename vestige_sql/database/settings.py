"""Which database: from the command line, the environment, ``vestige.toml`` or the embedded server."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from vestige_sql.database import embedded as embedded_server
from vestige_sql.errors import UsageError

CONNECTIONS_OF_A_RUN = 3
"""Connections that a run has open at once: its own, a reader and a writer while it encodes."""

_KNOWN = {"storage": ("backend", "postgres", "sqlite"), "storage.postgres": ("url", "max_connections")}
"""The keys of the tables that are this package's to read. What is under sqlite is Vestige's own."""


def resolve_conninfo(
    postgres_url: str | None, *, embedded: Path | None = None, config: Path = Path("vestige.toml")
) -> str:
    """Return a conninfo for libpq, from the first of these that says something.

    ``postgres_url``; the environment's ``DATABASE_URL``; ``url`` under ``[storage.postgres]`` in the file
    ``config``; the embedded server with its data in the folder ``embedded``, which is started. An empty string and
    white space say nothing. URLs in the manner of SQLAlchemy (``postgresql+psycopg://``) lose their driver.

    In the file's strings ``${VAR}`` stands for the environment variable, as it is; ``$${VAR}`` is ``${VAR}`` itself,
    and any other ``$`` is a dollar sign. Tables of the file other than ``[storage]`` are others' business.

    Raises ``UsageError`` if none says something, or what is said cannot be read: in the file also an unknown key, a
    variable that is not set, a value that makes no sense, and a backend other than "postgres". No message repeats
    a connection string, since a password may be in it.
    """
    if postgres_url and postgres_url.strip():
        return checked_conninfo(postgres_url, "--postgres-url")
    if from_environment := os.environ.get("DATABASE_URL", "").strip():
        return checked_conninfo(from_environment, "DATABASE_URL")
    if (from_file := _from_file(config)) and from_file.strip():
        return checked_conninfo(from_file, f"[storage.postgres] url in {config}")
    if embedded is not None:
        return embedded_server.start(embedded)
    raise UsageError(
        "no database was named",
        "Name one with --postgres-url, with the environment variable DATABASE_URL, or as url under "
        f"[storage.postgres] in {config}. Or ask for the embedded server (the extra vestige-sql[embedded]).",
    )


def connection_limit(config: Path = Path("vestige.toml")) -> int | None:
    """Return the most connections that one run may have open at once, None where nothing says so.

    It is ``max_connections`` under ``[storage.postgres]`` in the file ``config``, wherever the database itself is
    named, and never less than :data:`CONNECTIONS_OF_A_RUN`. Only runs on many machines ask: every other has that many.

    Raises ``UsageError`` as :func:`resolve_conninfo` does.
    """
    found = _storage(config).get("postgres", {}).get("max_connections")
    return None if found is None else _connections(found, config)


def _from_file(config: Path) -> str | None:
    storage = _storage(config)
    postgres = storage.get("postgres", {})
    if "backend" in storage:
        _check_backend(_string(storage, "backend", "storage", config), config)
    if "max_connections" in postgres:
        _connections(postgres["max_connections"], config)
    return _string(postgres, "url", "storage.postgres", config) if "url" in postgres else None


def _storage(config: Path) -> dict[str, Any]:
    """Return what stands under ``[storage]``, with no key in it that nobody knows."""
    try:
        found = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    # ValueError is for what is no UTF-8, no TOML, or a number that is too long; RecursionError for lists in lists.
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{config} cannot be read: {error}") from error
    if "storage" not in found:
        for key in found:
            if difflib.get_close_matches(key.lower(), ["storage"], cutoff=0.8):
                raise UsageError(f"{config}: unknown key {key}", "Did you mean storage?")
    storage = _table(found, "storage", "storage", config)
    _table(storage, "postgres", "storage.postgres", config)
    return storage


def _table(parent: dict[str, Any], key: str, name: str, config: Path) -> dict[str, Any]:
    table = parent.get(key, {})
    known = _KNOWN[name]
    if not isinstance(table, dict):
        raise UsageError(f"{config}: {key} is not a table", f"Write {' or '.join(known)} under [{name}].")
    for unknown in sorted(table.keys() - known):
        near = difflib.get_close_matches(unknown.lower(), known, n=1)
        raise UsageError(
            f"{config}: unknown key {unknown} under [{name}]",
            f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}.",
        )
    return table


def _string(table: dict[str, Any], key: str, name: str, config: Path) -> str:
    value = table[key]
    if not isinstance(value, str):
        raise UsageError(f"{config}: {key} under [{name}] is not a string")
    return _expanded(value, f"{config}: {key} under [{name}]")


def _expanded(text: str, where: str) -> str:
    def value(match: re.Match[str]) -> str:
        escaped, name, end = match.groups()
        if escaped:
            return match[0][1:]
        if not end or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise UsageError(
                f"{where} has a ${{ that begins no variable",
                "Write ${NAME} for the environment variable NAME, and $${ where ${ itself is meant.",
            )
        if name not in os.environ:
            raise UsageError(
                f"{where} uses ${{{name}}}, and {name} is not set",
                f"Set the environment variable {name}, or write the value in its place.",
            )
        return os.environ[name]

    return re.sub(r"\$(\$?)\{([^}]*)(\}?)", value, text)


def _check_backend(backend: str, config: Path) -> None:
    if backend == "postgres":
        return
    near = difflib.get_close_matches(backend.lower(), ["postgres"], cutoff=0.7)
    raise UsageError(
        f'{config}: backend under [storage] is "{backend}", and this package works on "postgres" alone',
        'Did you mean "postgres"?'
        if near
        else 'Once the memories are in PostgreSQL, write backend = "postgres". Until then name the database with '
        "--postgres-url or DATABASE_URL: the file is not asked for one then.",
    )


def _connections(value: Any, config: Path) -> int:
    where = f"{config}: max_connections under [storage.postgres]"
    if isinstance(value, str) and (expanded := _expanded(value, where)) != value and re.fullmatch(r"\d{1,9}", expanded):
        # A variable can only stand in a string.
        value = int(expanded)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{where} is not a whole number")
    if value < CONNECTIONS_OF_A_RUN:
        raise UsageError(
            f"{where} is {value}, and a run needs {CONNECTIONS_OF_A_RUN} at once",
            f"Raise it to {CONNECTIONS_OF_A_RUN} or more, or leave it out.",
        )
    return value


def checked_conninfo(conninfo: str, source: str = "the call") -> str:
    """Return ``conninfo`` as libpq takes it, once it is sure that libpq reads it as it was meant.

    Raises ``UsageError`` otherwise. No message repeats any of it, for a password that is not percent-encoded may be
    read as a part of anything: host, port or the name of a parameter.
    """
    if not isinstance(conninfo, str):
        raise _unreadable(source, f"is no text but a {type(conninfo).__name__}")
    try:
        conninfo = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", conninfo.strip())
        if "\0" in conninfo:
            raise _unreadable(source, "holds a NUL character")
        # libpq ends user and password at the first @, unless a / comes before.
        if re.match(r"postgresql://[^@/]*[@/][^?]*@", conninfo):
            raise _unreadable(source, "has an @ where libpq looks for a host or a database")
        parts = conninfo_to_dict(conninfo)
    # The second is for lone surrogates, which is what comes of arguments that are no UTF-8.
    except (psycopg.ProgrammingError, UnicodeError):
        raise _unreadable(source, "is none that libpq can read") from None
    for port in str(parts.get("port", "")).split(","):
        # Several hosts may have a port each, and an empty one is the default.
        if port.strip() and not (re.fullmatch(r"\s*\d{1,5}\s*", port, re.ASCII) and 0 < int(port) < 1 << 16):
            raise _unreadable(source, "has a port that is no number from 1 to 65535")
    try:
        for host in str(parts.get("host", "")).split(","):
            if not host.startswith(("/", "@")):
                host.encode("idna")
    except UnicodeError:
        raise _unreadable(source, "has a host that is no name of one") from None
    return conninfo


def _unreadable(source: str, what: str) -> UsageError:
    return UsageError(
        f"the connection string from {source} {what}",
        "Write postgresql://user:password@host:5432/database, with special characters in the password percent-encoded "
        "(@ is %40, / is %2F, : is %3A), or host=... dbname=... user=...",
    )
