"""A verb is a module: what it is called, what it does in a phrase, its options, and ``run``.

A verb's options come on top of those for the server, which all verbs have. ``run`` returns the exit code, None for 0,
and raises :class:`vestige_sql.errors.VestigeError` for what goes wrong.
"""

from __future__ import annotations

import argparse
from functools import cache
from typing import Protocol

from vestige_sql.cli.verbs import (
    abort,
    apply,
    bridge,
    check,
    copy_sqlite,
    doctor,
    finalize,
    gate,
    init,
    judge,
    plan,
    preview,
    probe,
    reembed,
    register,
    rollback,
    search,
    sql,
    stage,
    status,
    up,
    worker,
)


class Verb(Protocol):
    """What the module of a verb has."""

    NAME: str
    HELP: str

    def add_options(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int | None: ...


MIGRATE: tuple[Verb, ...] = (
    up,
    register,
    plan,
    reembed,
    stage,
    apply,
    probe,
    doctor,
    gate,
    check,
    sql,
    status,
    copy_sqlite,
    rollback,
    finalize,
    abort,
    preview,
    judge,
    bridge,
)
"""The verbs under ``vestige-sql migrate``, in the order of its help."""

COMMANDS: tuple[Verb, ...] = (init, search, worker)
"""The verbs beside ``vestige-sql migrate``."""


def options_of(verb: Verb) -> tuple[argparse.Action, ...]:
    """Return the options of ``verb`` without those for the server, which all verbs have."""
    return _options()[verb.NAME]


@cache
def _options() -> dict[str, tuple[argparse.Action, ...]]:
    found = {}
    for verb in (*MIGRATE, *COMMANDS):
        parser = argparse.ArgumentParser(add_help=False)
        verb.add_options(parser)
        found[verb.NAME] = tuple(parser._actions)
    return found
