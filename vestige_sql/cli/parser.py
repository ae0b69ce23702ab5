"""The parser of the command line, made from the verbs."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from vestige_sql.cli import exits, groups, options, output, targets
from vestige_sql.cli.verbs import COMMANDS, MIGRATE, Verb
from vestige_sql.resources import package_version


def make_parser() -> argparse.ArgumentParser:
    """Return the parser. What it parses has ``run``, the function of the verb that was given.

    Parsing raises ``UsageError`` for a target that ``vestige.toml`` has not, or describes wrongly.
    """
    parser = _Parser(prog="vestige-sql", description="Change the embedding model of a pgvector table.")
    parser.epilog = f"{exits.said()}; the help of a command has its own"
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    parser.add_argument(
        "--print-completion",
        action=_Completion,
        choices=("bash", "zsh", "tcsh"),
        help="print a completion script for a shell and exit; needs the extra vestige-sql[completion]",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    migrate = commands.add_parser("migrate", help="change a table's model, in one run or step by step")
    verbs = migrate.add_subparsers(required=True, metavar="VERB")
    for verb in MIGRATE:
        _add(verbs, verb)
    for verb in COMMANDS:
        _add(commands, verb)
    return parser


def _add(verbs: argparse._SubParsersAction[Any], verb: Verb) -> None:
    parser = verbs.add_parser(verb.NAME, help=verb.HELP, description=verb.HELP, epilog=exits.said(verb.NAME))
    parser.set_defaults(run=verb.run)
    options.server(parser)
    verb.add_options(parser)
    groups.arrange(parser)
    parser.usage = groups.usage(parser)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors never repeat a connection string, wherever it was put, and that says what was meant.

    A verb's parser takes the name of a target of ``vestige.toml`` first, and then has that target's options.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        given = list(args or [])
        named = given[0] if given and self._names_target(given[0]) else None
        if named:
            given[:1] = targets.arguments(named, self, given[1:])
        parsed, unknown = super().parse_known_args(given, namespace)
        if named:
            parsed.named = named
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def _names_target(self, first: str) -> bool:
        known = {action.dest for action in self._actions}
        # "target_name" is of a target that is yet to be written.
        if "table" not in known or "target_name" in known or not re.fullmatch(r"\w[\w.-]*", first):
            return False
        # Before a question, only what the file names is a target.
        return "question" not in known or first in targets.named()

    def error(self, message: str) -> NoReturn:
        super().error(re.sub(r"(://|password\s*=).*", r"\1...", message, flags=re.DOTALL) + self._meant(message))

    def _meant(self, message: str) -> str:
        """Return what was probably meant by the word that ``message`` does not know."""
        if found := re.search(r"invalid choice: '(\w+)'", message):
            verbs = {verb.NAME: f"vestige-sql migrate {verb.NAME}" for verb in MIGRATE}
            known = verbs | {verb.NAME: f"vestige-sql {verb.NAME}" for verb in COMMANDS}
        elif found := re.search(r"unrecognized arguments:.*?(--[a-z-]+)", message):
            known = {option: option for action in self._actions for option in action.option_strings}
        else:
            return ""
        near = difflib.get_close_matches(found[1], known, n=1)
        return f"\ndid you mean {known[near[0]]}?" if near else ""


class _Completion(argparse.Action):
    """As shtab's own, which is imported only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, shell: Any, option: str | None = None) -> None:
        try:
            import shtab
        except ImportError:
            parser.error(f"{option} needs shtab: pip install 'vestige-sql[completion]'")
        output.document(shtab.complete(parser, shell) + "\n")
        parser.exit()


class _Version(argparse.Action):
    """As argparse's own, which needs the version beforehand: looking it up takes a moment."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(package_version())
        parser.exit()
