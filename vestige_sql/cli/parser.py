"""The parser of the command line, made from the verbs."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from vestige_sql.cli import options
from vestige_sql.cli.verbs import COMMANDS, MIGRATE, Verb
from vestige_sql.resources import package_version


def make_parser() -> argparse.ArgumentParser:
    """Return the parser. What it parses has ``run``, the function of the verb that was given."""
    parser = _Parser(prog="vestige-sql", description="Change the embedding model of a pgvector table.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    migrate = commands.add_parser("migrate", help="change a table's model, in one run or step by step")
    verbs = migrate.add_subparsers(required=True, metavar="VERB")
    for verb in MIGRATE:
        _add(verbs, verb)
    for verb in COMMANDS:
        _add(commands, verb)
    return parser


def _add(verbs: argparse._SubParsersAction[Any], verb: Verb) -> None:
    parser = verbs.add_parser(verb.NAME, help=verb.HELP, description=verb.HELP)
    parser.set_defaults(run=verb.run)
    options.server(parser)
    verb.add_options(parser)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors never repeat a connection string, wherever it was put."""

    def error(self, message: str) -> NoReturn:
        super().error(re.sub(r"(://|password\s*=).*", r"\1...", message, flags=re.DOTALL))


class _Version(argparse.Action):
    """As argparse's own, which needs the version beforehand: looking it up takes a moment."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(package_version())
        parser.exit()
