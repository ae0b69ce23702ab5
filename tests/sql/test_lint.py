"""Every migration parses and passes squawk, or says why not; test_steps.py has the steps."""

from __future__ import annotations

from pathlib import Path

import pglast
import pytest
from support.lint import IGNORE, lint_faults, squawk

from vestige_sql.resources import resource_dir

_ROOT = resource_dir("migrations")
MIGRATIONS = sorted(path.relative_to(_ROOT).as_posix() for path in _ROOT.rglob("*.sql") if path.parent.name != "sqlite")


# --- The migrations ---


@pytest.mark.parametrize("name", MIGRATIONS)
def test_a_migration_parses_and_passes_squawk(tmp_path: Path, name: str) -> None:
    text = (_ROOT / name).read_text(encoding="utf-8")
    pglast.parse_sql(text)
    without = squawk(tmp_path / "without", {name: IGNORE.sub("", text)}, "--assume-in-transaction")
    with_them = squawk(tmp_path / "with", {name: text}, "--assume-in-transaction")
    assert lint_faults(text, without[name], with_them[name]) == []


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
    assert [fault for fault in lint_faults(text, without[""], with_them[""]) if fault in expected] == expected
