"""Every SQL file parses, and passes squawk but for what it says itself, with the reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pglast
import pytest
from step_claims import Walks, all_steps, scenarios

from vestige_sql import steps
from vestige_sql.resources import resource_dir

IGNORE = re.compile(r"^\s*-- squawk-ignore(?:-file)?\b *(?P<rules>[^\n]*?)(?: -- (?P<reason>[^\n]*))?$", re.MULTILINE)
"""An exception: the rules, and after a second ``--`` the reason."""

STEPS = [step.name for step in all_steps()]

_ROOT = resource_dir("migrations")
MIGRATIONS = sorted(path.relative_to(_ROOT).as_posix() for path in _ROOT.rglob("*.sql"))


def squawk(folder: Path, texts: Mapping[str, str], *options: str) -> dict[str, set[str]]:
    """Return the rules that fire, by name of the text."""
    command = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    assert command, "squawk is not installed: pip install squawk-cli"
    folder.mkdir(exist_ok=True)
    names = {}
    for number, (name, text) in enumerate(texts.items()):
        path = folder / f"{number}.sql"
        path.write_text(text, encoding="utf-8")
        names[str(path)] = name
    done = subprocess.run(
        [command, "--reporter", "json", "--pg-version", "14", *options, *names],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    found: dict[str, set[str]] = defaultdict(set)
    for violation in json.loads(done.stdout or "[]"):
        found[names[violation["file"]]].add(violation["rule_name"])
    return found


def exceptions(text: str) -> dict[str, str]:
    """The rules that a file makes an exception from, with the reasons."""
    return {
        rule.strip(): (match["reason"] or "").strip()
        for match in IGNORE.finditer(text)
        for rule in match["rules"].split(",")
    }


def faults(text: str, fires: set[str], fires_all_the_same: set[str]) -> list[str]:
    """What is wrong with a file's exceptions, given what fires without them and with them."""
    claimed = exceptions(text)
    found = [f"{rule} has no exception" for rule in sorted(fires - set(claimed))]
    found += [f"the exception from {rule} is not needed" for rule in sorted(set(claimed) - fires)]
    found += [
        f"the exception from {rule} gives no reason" for rule, reason in claimed.items() if len(reason.split()) < 3
    ]
    return found + [f"{rule} fires all the same" for rule in sorted(fires_all_the_same)]


# --- The steps ---


def settings(name: str) -> str:
    """The limits that a run has set by the time it comes to the step ``name``."""
    limits = ["SET statement_timeout = 0;"]
    before = [
        scenario.names[: scenario.names.index(name)]
        for scenario in scenarios()
        # COMMIT ends what lock/ has set.
        if name in scenario.names and not name.startswith("index/concurrently/")
    ]
    if before and all(any(earlier.startswith("lock/") for earlier in names) for names in before):
        limits.append("SET lock_timeout = '2s';")
    return "\n".join(limits)


@pytest.fixture(scope="module")
def fires(walks: Walks, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The rules that fire on each step file and on what it generates, without its exceptions and with them."""
    folder = tmp_path_factory.mktemp("squawk")
    without: dict[str, set[str]] = defaultdict(set)
    with_them: dict[str, set[str]] = defaultdict(set)
    for forbidden in (False, True):
        texts = {}
        for name in STEPS:
            if (steps.load(name).header["Transaction"] == "forbidden") == forbidden:
                statements = dict.fromkeys(sql for seen in walks.seen(name) for sql in seen.sent)
                texts[name] = ";\n".join([settings(name), *(sql.rstrip("; \n") for sql in statements)]) + ";\n"
        options = [] if forbidden else ["--assume-in-transaction"]
        for name, rules in squawk(folder / "with", texts, *options).items():
            with_them[name] |= rules
        bare = {name: IGNORE.sub("", text) for name, text in texts.items()}
        for name, rules in squawk(folder / "without", bare, *options).items():
            without[name] |= rules
    return without, with_them


@pytest.mark.parametrize("name", STEPS)
def test_a_step_parses_and_does_one_thing(walks: Walks, name: str) -> None:
    for seen in walks.seen(name):
        for text in seen.sent:
            assert len(pglast.parse_sql(text)) == 1


@pytest.mark.parametrize("name", STEPS)
def test_a_step_passes_squawk(fires: tuple[dict[str, set[str]], dict[str, set[str]]], name: str) -> None:
    without, with_them = fires
    assert faults(steps.load(name).text, without[name], with_them[name]) == []


# --- The migrations ---


@pytest.mark.parametrize("name", MIGRATIONS)
def test_a_migration_parses_and_passes_squawk(tmp_path: Path, name: str) -> None:
    text = (_ROOT / name).read_text(encoding="utf-8")
    pglast.parse_sql(text)
    without = squawk(tmp_path / "without", {name: IGNORE.sub("", text)}, "--assume-in-transaction")
    with_them = squawk(tmp_path / "with", {name: text}, "--assume-in-transaction")
    assert faults(text, without[name], with_them[name]) == []


# --- The lint itself ---

WIDEN = "SET lock_timeout = 1; SET statement_timeout = 1;\nALTER TABLE t\n    ALTER COLUMN c TYPE text;\n"


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("-- squawk-ignore-file changing-column-type -- the rewrite is meant\n", []),
        ("", ["changing-column-type has no exception"]),
        ("-- squawk-ignore-file changing-column-type\n", ["the exception from changing-column-type gives no reason"]),
        (
            "-- squawk-ignore-file changing-column-type, ban-drop-table -- the rewrite is meant\n",
            ["the exception from ban-drop-table is not needed"],
        ),
        (
            "-- squawk-ignore-file changing-colum-type -- the rewrite is meant\n",
            ["changing-column-type has no exception", "the exception from changing-colum-type is not needed"],
        ),
        ("-- squawk-ignore-file\n", ["changing-column-type has no exception"]),
    ],
)
def test_an_exception_needs_a_rule_that_fires_and_a_reason(tmp_path: Path, comment: str, expected: list[str]) -> None:
    text = comment + WIDEN
    without = squawk(tmp_path / "without", {"": IGNORE.sub("", text)})
    with_them = squawk(tmp_path / "with", {"": text})
    assert [fault for fault in faults(text, without[""], with_them[""]) if fault in expected] == expected
