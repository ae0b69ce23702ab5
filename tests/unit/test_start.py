"""What is imported when: the command line answers at once where there is nothing to compute."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import vestige_sql
from vestige_sql.cli import verbs

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
