"""Makes the commands that messages name complete: with the target and the database of the command that was given."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from vestige_sql.cli import options
from vestige_sql.cli.verbs import MIGRATE, options_of
from vestige_sql.errors import UsageError
from vestige_sql.plan import Target

_COMMAND = re.compile(r"vestige-sql migrate (" + "|".join(re.escape(verb.NAME) for verb in MIGRATE) + r")\b")
_UP_TO_THE_END = re.compile(r"[^;,()\n]*")


def completer(args: argparse.Namespace) -> Callable[[Any], Any]:
    """Return a function that completes the commands in a text, or in all texts of an answer.

    What a message says of "vestige-sql migrate abort" can then be pasted: it names the table and columns that ``args``
    name, and the database. A connection string with a password is not repeated: the command reads ``DATABASE_URL``.
    """
    target = _target(args)
    server = _server(args)

    def completed(found: re.Match[str]) -> str:
        rest = _UP_TO_THE_END.match(found.string, found.end())
        assert rest is not None
        said = rest[0]
        words = [found[0]]
        if target and found[1] in _with_table() and "--table" not in said and not said.startswith(f" {target}"):
            words.append(target)
        if server and "--embedded" not in said and "--postgres-url" not in said:
            words.append(server)
        return " ".join(words)

    def complete(what: Any) -> Any:
        if isinstance(what, str):
            return _COMMAND.sub(completed, what)
        if isinstance(what, dict):
            return {key: complete(value) for key, value in what.items()}
        if isinstance(what, list | tuple):
            return [complete(value) for value in what]
        return what

    return complete


@cache
def _with_table() -> frozenset[str]:
    """The verbs that work on a table."""
    return frozenset(verb.NAME for verb in MIGRATE if any(action.dest == "table" for action in options_of(verb)))


def _target(args: argparse.Namespace) -> str:
    if name := getattr(args, "named", None):
        # Of the tables that a pattern names this is one.
        return shlex.join((name, "--table", args.table)) if getattr(args, "of_pattern", False) else str(name)
    if hasattr(args, "target_name"):
        # What vestige-sql init says names the target that it has written.
        return ""
    parts = {part.name: getattr(args, part.name) for part in fields(Target) if hasattr(args, part.name)}
    try:
        return Target(**parts).as_options()
    except UsageError:
        # What is wrong with it is about to be said.
        return ""


def _server(args: argparse.Namespace) -> str:
    if getattr(args, "embedded", None):
        return shlex.join(("--embedded", str(args.embedded)))
    url = getattr(args, "postgres_url", None)
    if not url:
        return ""
    return '--postgres-url "$DATABASE_URL"' if options.has_password(url) else shlex.join(("--postgres-url", url))
