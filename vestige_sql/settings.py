"""Which database: from the command line, the environment, ``vestige.toml`` or the embedded server."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from vestige_sql import embedded as embedded_server
from vestige_sql.errors import UsageError


def resolve_conninfo(
    postgres_url: str | None, *, embedded: Path | None = None, config: Path = Path("vestige.toml")
) -> str:
    """Return a conninfo for libpq, from the first of these that says something.

    ``postgres_url``; the environment's ``DATABASE_URL``; ``url`` under ``[storage.postgres]`` in the file
    ``config``, where ``${VAR}`` stands for an environment variable; the embedded server with its data in the
    folder ``embedded``, which is started. An empty string says nothing. URLs in the manner of SQLAlchemy
    (``postgresql+psycopg://``) lose their driver.

    Raises ``UsageError`` if none says something, or what is said cannot be read. No message repeats a
    connection string, since a password may be in it.
    """
    if postgres_url:
        return _checked(postgres_url, "--postgres-url")
    if from_environment := os.environ.get("DATABASE_URL"):
        return _checked(from_environment, "DATABASE_URL")
    if from_file := _from_file(config):
        return _checked(from_file, f"[storage.postgres] url in {config}")
    if embedded is not None:
        return embedded_server.start(embedded)
    raise UsageError(
        "no database was named",
        "Name one with --postgres-url, with the environment variable DATABASE_URL, or as url under "
        f"[storage.postgres] in {config}. Or ask for the embedded server (the extra vestige-sql[embedded]).",
    )


def _from_file(config: Path) -> str | None:
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{config} cannot be read: {error}") from error
    for key in ("storage", "postgres"):
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{config}: {key} is not a table", "Write url under [storage.postgres].")
    url = table.get("url")
    if url is None:
        return None
    if not isinstance(url, str):
        raise UsageError(f"{config}: url under [storage.postgres] is not a string")

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise UsageError(
                f"{config}: url under [storage.postgres] uses ${{{name}}}, and {name} is not set",
                f"Set the environment variable {name}, or write the value in its place.",
            )
        return os.environ[name]

    return re.sub(r"\$\{([^}]*)\}", value, url)


def _checked(conninfo: str, source: str) -> str:
    conninfo = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", conninfo.strip())
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        raise UsageError(
            f"the connection string from {source} is none that libpq can read",
            "Write postgresql://user:password@host:5432/database, with special characters in the password "
            "percent-encoded, or host=... dbname=... user=...",
        ) from None
    return conninfo
