"""The house: which room may know which, and that no room's module or function outgrows a reader's patience."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import vestige_sql

PACKAGE = Path(vestige_sql.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

KNOWS = {
    "steps": set(),
    "encode": set(),
    "database": {"steps"},
    "reembed": {"steps", "database", "encode"},
    "predict": {"steps", "database", "encode", "reembed"},
    "cluster": {"steps", "database", "encode", "reembed"},
    "vestige": {"steps", "database", "encode", "reembed"},
    "pipelines": {"reembed", "encode"},
    "client": {"steps", "encode"},
    "look": {"steps", "database", "encode", "reembed", "predict", "vestige"},
    "judge": {"steps", "database", "encode", "reembed", "vestige"},
    "doctor": {"steps", "database", "reembed"},
    "bridge": {"steps", "database", "encode", "reembed"},
    "worker": {"steps", "database", "encode", "reembed"},
    "html": {"encode"},
    "cli": {
        *("steps", "database", "encode", "reembed", "predict", "vestige", "look", "judge", "doctor", "bridge"),
        *("cluster", "pipelines", "html", "worker"),
    },
}
"""The rooms that each room may import from. What is not named can be replaced without touching that room."""

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 75


def parsed(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def imported(module: str) -> Iterator[str]:
    """The modules and packages that a module imports, at its top or inside a function."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports name the whole path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_folder_is_a_room() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(KNOWS)


@pytest.mark.parametrize("room", KNOWS)
def test_a_room_knows_only_what_it_builds_on(room: str) -> None:
    modules = [module for module in MODULES if module.startswith(f"{room}/")]
    assert len(modules) > 1
    known = KNOWS[room] | {room}
    for module in modules:
        for name in imported(module):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if package == "vestige_sql" and other in KNOWS:
                assert other in known, f"{module} imports {name}"


def test_no_room_knows_another_both_ways() -> None:
    for room, known in KNOWS.items():
        assert not any(room in KNOWS[other] for other in known)


def test_encoding_knows_no_postgresql_and_steps_know_no_vectors() -> None:
    for room, strangers in (("encode", {"psycopg", "pgvector", "yoyo"}), ("steps", {"numpy", "onnxruntime"})):
        for module in MODULES:
            if module.startswith(f"{room}/"):
                assert not {name.partition(".")[0] for name in imported(module)} & strangers, module


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_read_in_one_sitting(module: str) -> None:
    assert len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MOST_LINES_OF_A_FUNCTION, f"{module}: {node.name}()"
