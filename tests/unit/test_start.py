"""What is imported when: the command line answers at once where there is nothing to compute."""

from __future__ import annotations

import argparse
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vestige_sql
from vestige_sql.cli import exits, verbs
from vestige_sql.cli.groups import GROUPS, of_verb
from vestige_sql.cli.parser import make_parser
from vestige_sql.cli.verbs.check import EXIT_CODES
from vestige_sql.judge.rules import VERDICTS

ROOT = Path(__file__).parents[2]

TAKE_TIME = {
    "huggingface_hub",
    "numpy",
    "onnxruntime",
    "pgvector",
    "psycopg",
    "ray",
    "tokenizers",
    "tqdm",
    "yoyo",
}
"""What takes longer to import than Python takes to start."""


def imported(code: str, *argv: str) -> set[str]:
    """The packages that a process has imported once it has run ``code``."""
    # The last line, whatever the code has printed.
    ask = "import json, sys; print('\\n' + json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"try:\n    {code}\nexcept SystemExit:\n    pass\n{ask}", *argv],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("migrate", "copy", "--help"),
        ("migrate", "reembed", "--model", "m", "--dimension", "3", "--batch-size", "0"),
    ],
    ids=" ".join,
)
def test_help_and_wrong_usage_import_nothing_that_takes_time(argv: tuple[str, ...]) -> None:
    assert not imported("from vestige_sql.cli import main; main()", *argv) & TAKE_TIME


def test_the_package_imports_what_is_asked_for() -> None:
    assert not imported("from vestige_sql import ReembedPlan, Target, VestigeError") & TAKE_TIME
    assert imported("from vestige_sql import run_reembed") & TAKE_TIME


def test_every_public_name_is_there() -> None:
    assert set(vestige_sql.__all__) <= set(dir(vestige_sql))
    for name in vestige_sql.__all__:
        assert getattr(vestige_sql, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vestige_sql.nothing  # noqa: B018


def test_every_module_of_a_verb_is_in_the_help() -> None:
    modules = {f"{verbs.__name__}.{found.name}" for found in pkgutil.iter_modules(verbs.__path__)}
    listed = [*verbs.MIGRATE, *verbs.COMMANDS]
    assert sorted(verb.__name__ for verb in listed) == sorted(modules)  # type: ignore[attr-defined]
    for argv, shown in ((("migrate",), verbs.MIGRATE), ((), verbs.COMMANDS)):
        said = subprocess.run(
            [sys.executable, "-m", "vestige_sql.cli", *argv, "--help"], capture_output=True, text=True, check=True
        ).stdout
        places = [said.index(f"\n    {verb.NAME} ") for verb in shown]
        assert places == sorted(places)


# --- The help ---


def _helps() -> dict[str, argparse.ArgumentParser]:
    """The parsers of all verbs, by what is typed."""

    def below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
        (choices,) = (a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        return dict(choices)

    commands = below(make_parser())
    return {f"migrate {name}": parser for name, parser in below(commands.pop("migrate")).items()} | commands


@pytest.mark.parametrize(
    ("name", "parser"), _helps().items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_options_stand_in_groups_with_those_of_every_day_first(name: str, parser: argparse.ArgumentParser) -> None:
    shown = [group for group in parser._action_groups if group._group_actions]
    titles = [group.title for group in shown]
    assert len(titles) == len(set(titles))
    order = list(GROUPS)
    known = [order.index(title) for title in titles if title in GROUPS]
    assert known == sorted(known)
    # Each option is in one group, and where it belongs.
    held = [action for group in shown for action in group._group_actions]
    assert {id(action) for action in held} == {id(action) for action in parser._actions}
    assert len(held) == len(parser._actions)
    for group in shown:
        for option in (option for action in group._group_actions for option in action.option_strings):
            homes = [title for title, (_, listed) in of_verb(parser).items() if option in listed]
            assert homes in ([], [group.title]), option
    said = parser.format_help()
    assert parser.format_usage().count("\n") == 1 or len(parser.format_usage()) < 250
    verb = name.rsplit(maxsplit=1)[-1]
    assert " ".join(exits.said(verb).split()) in " ".join(said.split())


def test_the_help_of_reembed_begins_with_what_everybody_needs() -> None:
    said = _helps()["migrate reembed"].format_help()
    assert said.startswith("usage: vestige-sql migrate reembed [TARGET] --dimension N [OPTIONS]\n")
    titles = ["options", "target", "model", "dry run", "placing", "online", "endpoint", "many machines", "expert"]
    places = [said.index(f"\n{title}:\n") for title in titles]
    assert places == sorted(places)
    for option, title in (
        ("--table", "target"),
        ("--model", "model"),
        ("--onnx-file", "expert"),
        ("--engine", "many machines"),
    ):
        assert titles[sum(place < said.index(f"\n  {option} ") for place in places) - 1] == title


def test_one_place_says_the_exit_codes() -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (\d) \| (.*?) ?\| (.*?) ?\| (.*?) ?\| (.*?) ?\|$", page, re.MULTILINE)
    assert [int(code) for code, *_ in table] == sorted(exits.of("judge"))
    for column, codes in enumerate((exits.EVERY, exits.OWN["check"], exits.OWN["doctor"], exits.OWN["judge"]), 1):
        assert {int(row[0]): row[column] for row in table if row[column]} == codes
    assert {what: code for code, what in exits.OWN["judge"].items()} == VERDICTS
    assert sorted(exits.OWN["check"]) == sorted(EXIT_CODES.values())
    # Elsewhere they stand only beside what a single verb says.
    for name in ("README.md", "docs/runbook.md", "docs/online.md"):
        assert "0 done" not in (ROOT / name).read_text(encoding="utf-8")
    assert verbs.options_of(verbs.reembed) is verbs.options_of(verbs.reembed)
