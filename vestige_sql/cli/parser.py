"""The parser of the command line, made from the verbs."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from vestige_sql.cli import exits, groups, many, options, output, targets
from vestige_sql.cli.verbs import COMMANDS, MIGRATE, Verb
from vestige_sql.plan import names_several
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
    parser.set_defaults(run=verb.run, verb=verb.NAME)
    options.server(parser)
    verb.add_options(parser)
    if getattr(verb, "MANY", False):
        many.add_options(parser, together=getattr(verb, "TOGETHER", False))
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
        names: list[str] = []
        while given and self._names_target(given[0]) and (self._takes_many or not names):
            names.append(given.pop(0))
        every = self._takes_many and "--all" in given
        if every and names:
            self.error(f"--all means every target of {targets.CONFIG}: leave out {' and '.join(names)}")
        if every:
            names = targets.every()
        each = [self._parsed(name, given, namespace) for name in dict.fromkeys(names)]
        each = each or [self._parsed(None, given, namespace)]
        if len(each) > 1 or every or (self._takes_many and names_several(each[0].table)):
            return many.of(each, given), []
        return each[0], []

    @property
    def _takes_many(self) -> bool:
        return any(action.dest == "every_target" for action in self._actions)

    def _parsed(self, name: str | None, given: Sequence[str], namespace: argparse.Namespace | None) -> Any:
        """Return what the options say, those of the target ``name`` of the file included."""
        of_target = targets.arguments(name, self, given) if name else []
        kept = None if namespace is None else argparse.Namespace(**vars(namespace))
        parsed, unknown = super().parse_known_args([*of_target, *given], kept)
        if name:
            parsed.named = name
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed

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
