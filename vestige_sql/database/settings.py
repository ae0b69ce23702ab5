"""Find the database: from the command line, the environment, ``vestige.toml`` or the embedded server."""

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
from vestige_sql.database.clients import PROXIES, SSLMODES, in_libpqs_words
from vestige_sql.errors import UsageError

CONNECTIONS_OF_A_RUN = 3
"""How many connections a run has open at once: its own, and a reader and a writer while it encodes."""

_NOTHING = "nothing was written"

_KNOWN = {"storage": ("backend", "postgres", "sqlite"), "storage.postgres": ("url", "max_connections")}
"""The keys of the tables that this package reads. The table sqlite is Vestige's own."""


def resolve_conninfo(
    postgres_url: str | None, *, embedded: Path | None = None, config: Path = Path("vestige.toml")
) -> str:
    """Return a conninfo for libpq, from the first of these that is set.

    ``postgres_url``; the environment variable ``DATABASE_URL``; ``url`` under ``[storage.postgres]`` in the file
    ``config``; the embedded server with its data in the folder ``embedded``, which is started. An empty string and
    white space count as not set. URLs of other clients are understood: ``postgresql+psycopg://``, ``jdbc:postgresql://``,
    and the parameters of :mod:`vestige_sql.database.clients`.

    In the file's strings ``${VAR}`` stands for the value of that environment variable, ``$${VAR}`` for the text
    ``${VAR}``, and any other ``$`` for itself. Only the table ``[storage]`` of the file is read.

    Raises ``UsageError`` if none is set, or if the connection string or the file cannot be read. In the file, errors
    are also: an unknown key, a variable that is not set, a value out of range or of another type, and a backend other
    than "postgres". No message repeats a connection string, because it may contain a password.
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
        "name one with --postgres-url, with the environment variable DATABASE_URL, or as url under "
        f"[storage.postgres] in {config}, or ask for the embedded server with --embedded (the extra "
        f"vestige-sql[embedded]); {_NOTHING}",
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


def read_file(config: Path = Path("vestige.toml")) -> dict[str, Any]:
    """Return the tables of the file ``config``, none where there is no such file.

    Raises ``UsageError`` where it cannot be read.
    """
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    # ValueError: not UTF-8, not TOML, or a number with too many digits. RecursionError: lists in lists.
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{config} cannot be read: {error}", f"correct the file, or let this user read it; {_NOTHING}"
        ) from error


def _storage(config: Path) -> dict[str, Any]:
    """Return the table ``[storage]``. Raises ``UsageError`` for an unknown key in it."""
    found = read_file(config)
    if "storage" not in found:
        for key in found:
            if difflib.get_close_matches(key.lower(), ["storage"], cutoff=0.8):
                raise UsageError(f"{config}: unknown key {key}", f"did you mean storage? {_NOTHING}")
    storage = _table(found, "storage", "storage", config)
    _table(storage, "postgres", "storage.postgres", config)
    return storage


def _table(parent: dict[str, Any], key: str, name: str, config: Path) -> dict[str, Any]:
    table = parent.get(key, {})
    known = _KNOWN[name]
    if not isinstance(table, dict):
        raise UsageError(f"{config}: {key} is not a table", f"write {' or '.join(known)} under [{name}]; {_NOTHING}")
    for unknown in sorted(table.keys() - known):
        near = difflib.get_close_matches(unknown.lower(), known, n=1)
        raise UsageError(
            f"{config}: unknown key {unknown} under [{name}]",
            f"did you mean {near[0]}? {_NOTHING}" if near else f"the known keys are {', '.join(known)}; {_NOTHING}",
        )
    return table


def _string(table: dict[str, Any], key: str, name: str, config: Path) -> str:
    value = table[key]
    if not isinstance(value, str):
        raise UsageError(f"{config}: {key} under [{name}] is not a string", f"put the value in quotes; {_NOTHING}")
    return expanded(value, f"{config}: {key} under [{name}]")


def expanded(text: str, where: str) -> str:
    """Return ``text`` with the values of environment variables in place of ``${VAR}``; ``where`` is for the error."""

    def value(match: re.Match[str]) -> str:
        escaped, name, end = match.groups()
        if escaped:
            return match[0][1:]
        if not end or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise UsageError(
                f"{where} has a ${{ that begins no variable",
                f"write ${{NAME}} for the environment variable NAME, and $${{ for the text ${{ itself; {_NOTHING}",
            )
        if name not in os.environ:
            raise UsageError(
                f"{where} uses ${{{name}}}, and {name} is not set",
                f"set the environment variable {name}, or write the value in its place; {_NOTHING}",
            )
        return os.environ[name]

    return re.sub(r"\$(\$?)\{([^}]*)(\}?)", value, text)


def _check_backend(backend: str, config: Path) -> None:
    if backend == "postgres":
        return
    near = difflib.get_close_matches(backend.lower(), ["postgres"], cutoff=0.7)
    raise UsageError(
        f'{config}: backend under [storage] is "{backend}", and this package works only on "postgres"',
        f'did you mean "postgres"? {_NOTHING}'
        if near
        else 'once the memories are in PostgreSQL, write backend = "postgres"; until then name the database with '
        f"--postgres-url or DATABASE_URL, so that it is not looked for in the file; {_NOTHING}",
    )


def _connections(value: Any, config: Path) -> int:
    where = f"{config}: max_connections under [storage.postgres]"
    if isinstance(value, str) and (replaced := expanded(value, where)) != value and re.fullmatch(r"\d{1,9}", replaced):
        # TOML allows a variable only in a string.
        value = int(replaced)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{where} is not a whole number", f"write a number without a decimal point; {_NOTHING}")
    if value < CONNECTIONS_OF_A_RUN:
        raise UsageError(
            f"{where} is {value}, and a run needs {CONNECTIONS_OF_A_RUN} at once",
            f"raise it to {CONNECTIONS_OF_A_RUN} or more, or leave it out; {_NOTHING}",
        )
    return value


def checked_conninfo(conninfo: str, source: str = "the call") -> str:
    """Return ``conninfo`` in the form that libpq takes, after checking that libpq reads it as it was meant.

    Raises ``UsageError`` otherwise. No message repeats any part of it: a password that is not percent-encoded may be
    read as part of the host, of the port or of a parameter's name.
    """
    if not isinstance(conninfo, str):
        raise _unreadable(source, f"is not a string but of type {type(conninfo).__name__}")
    try:
        conninfo = conninfo.strip()
        if conninfo.startswith(PROXIES):
            raise UsageError(
                f"the connection string from {source} is the address of Prisma's proxy, not of a PostgreSQL server",
                f"name the server's own address, which Prisma calls the direct URL; {_NOTHING}",
            )
        conninfo = in_libpqs_words(conninfo)
        if "\0" in conninfo:
            raise _unreadable(source, "contains a NUL character")
        # libpq ends user and password at the first @, unless a / comes before.
        if re.match(r"postgresql://[^@/]*[@/][^?]*@", conninfo):
            raise _unreadable(source, "has an @ where libpq looks for a host or a database")
        parts = conninfo_to_dict(conninfo)
    # UnicodeError: lone surrogates, into which Python turns arguments that are not UTF-8.
    except (psycopg.ProgrammingError, UnicodeError):
        if "?" in conninfo and _is_read(conninfo.partition("?")[0]):
            raise _unreadable(source, "has a parameter after the ? that libpq does not know") from None
        raise _unreadable(source, "cannot be read by libpq") from None
    if parts.get("sslmode", SSLMODES[0]) not in SSLMODES:
        raise UsageError(
            f"the connection string from {source} has an sslmode that libpq does not know",
            f"give one of {', '.join(SSLMODES)}; {_NOTHING}",
        )
    for port in str(parts.get("port", "")).split(","):
        # Several hosts may have a port each, and an empty one is the default.
        if port.strip() and not (re.fullmatch(r"\s*\d{1,5}\s*", port, re.ASCII) and 0 < int(port) < 1 << 16):
            raise _unreadable(source, "has a port that is not a number from 1 to 65535")
    try:
        for host in str(parts.get("host", "")).split(","):
            if not host.startswith(("/", "@")):
                host.encode("idna")
    except UnicodeError:
        raise _unreadable(source, "has a host that is not a valid host name") from None
    return conninfo


def _is_read(conninfo: str) -> bool:
    try:
        conninfo_to_dict(conninfo)
    except (psycopg.ProgrammingError, UnicodeError):
        return False
    return True


def _unreadable(source: str, what: str) -> UsageError:
    return UsageError(
        f"the connection string from {source} {what}",
        "write postgresql://user:password@host:5432/database, with special characters in the password percent-encoded "
        f"(@ is %40, / is %2F, : is %3A), or host=.. dbname=.. user=..; {_NOTHING}",
    )
