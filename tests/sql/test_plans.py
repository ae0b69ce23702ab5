"""The plans: read the same by the package and by the shell, and the only place where the order of steps stands."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from vestige_sql import steps
from vestige_sql.resources import resource_dir
from vestige_sql.steps import plans
from vestige_sql.steps.plans import CONDITIONS, Part, Plan

ROOT = Path(__file__).parents[2]
SQL = resource_dir("sql")


def sql_plan(*arguments: str, cwd: Path = ROOT, script: str = "sql/plan") -> subprocess.CompletedProcess[str]:
    return subprocess.run([script, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def way_of(plan: Plan, folders: list[str]) -> str | None:
    return next((name.removeprefix("apply/") for name in folders if plans.role(name) == "apply"), plan.way)


def every_case(plan: Plan) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every part, under every combination of its conditions."""
    for part in plan.parts:
        known = sorted(frozenset[str]().union(*(line.conditions for line in part.lines)))
        for count in range(len(known) + 1):
            for when in combinations(known, count):
                yield part.name, when


@pytest.mark.parametrize("name", plans.names())
def test_psql_gets_what_the_runner_runs(name: str) -> None:
    plan = plans.load(name)
    for part, when in every_case(plan):
        if len(ways := sorted({"rows", "swap", "widen"} & {*when}, key=["swap", "widen", "rows"].index)) > 1:
            said = f"only one way at a time, not {' and '.join(f'apply/{way}' for way in ways)}"
            with pytest.raises(ValueError, match=said):
                plan.folders(part, when)
            continue
        folders = plan.folders(part, when)
        way = way_of(plan, folders)
        expected = ["-v", f"way={way}"] if way else []
        expected += [argument for step in plan.steps(part, when) for argument in ("-f", f"sql/{step.name}")]
        said = sql_plan(name, *([part] if len(plan.parts) > 1 else []), *when)
        assert (said.returncode, said.stdout.splitlines()) == (0, expected), (part, when, said.stderr)
        assert [step.name for step in plan.steps(part, when)] == [s.name for f in folders for s in steps.folder(f)]


def test_it_works_from_anywhere(tmp_path: Path) -> None:
    said = sql_plan("fill", cwd=tmp_path, script=str(SQL / "plan")).stdout.splitlines()
    assert [name for name in said[2:] if name != "-f"] == [str(SQL / s.name) for s in plans.load("fill").steps()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name one of these plans: abort bridge concurrent-index"),
        (["rewrit"], "there is no plan rewrit; there are: abort"),
        (["../plan"], "name one of these plans"),
        (["online"], "online: name one of its parts: prepare fill"),
        (["online", "prepare", "fill"], "online: only one part at a time"),
        (["rollback-table", "swap", "widen"], "rollback-table: only one way at a time, not swap and widen"),
        (["fill", "keep_old"], "fill: the plan has no part and no condition keep_old"),
    ],
)
def test_a_mistake_runs_nothing(psql: str, arguments: list[str], message: str) -> None:
    said = sql_plan(*arguments)
    assert said.returncode == 2
    assert message in said.stderr
    # Its words stand in a psql command, whose other files must not run either.
    done = subprocess.run(
        [psql, "-X", "-d", "host=/nowhere", "-f", "sql/session/10_set_limits.sql", *said.stdout.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "unrecognized option" in done.stderr
    assert "connection" not in done.stderr


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that the package takes for its own: its plan "own" is to be written."""
    shutil.copytree(SQL, tmp_path / "sql")
    for module in ("files", "plans"):
        monkeypatch.setattr(f"vestige_sql.steps.{module}.resource_dir", lambda name: tmp_path / name)
    (tmp_path / "sql/empty").mkdir()
    return tmp_path / "sql/plans/own"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[apply] one transaction\ngate if hungry", r"^sql/plans/own:2: unknown condition hungry"),
        ("[apply] one transaction\ngate\n\nnowhere", r"^sql/plans/own:4: there is no step in sql/nowhere"),
        ("[apply] one transaction\nempty", r"^sql/plans/own:2: there is no step in sql/empty"),
        ("[apply] one transaction\ngate/99_none.sql", r"^sql/plans/own:2: there is no step in sql/gate/99_none\.sql"),
        ("[apply] one transaction\ngate when quiet", r"^sql/plans/own:2: this is no line of a plan"),
        ("[apply] one transaction\ngate if", r"^sql/plans/own:2: this is no line of a plan"),
        ("gate\n[apply] one transaction", r"^sql/plans/own:1: this is no line of a plan"),
        ("[apply] somehow\ngate", r"^sql/plans/own:1: a part is run in one of these ways"),
        ("[quiet] one transaction\ngate", r"^sql/plans/own:1: quiet is a condition's name, or another part's"),
        ("[a] one transaction\ngate\n[a] no transaction\ngate", r"^sql/plans/own:3: a is a condition's name, or"),
        ("falls back to nothing\n[a] one transaction\ngate", r"^sql/plans/own:1: there is no plan nothing"),
        ("[apply] one transaction\n# gate", r"^sql/plans/own: it has no part, or one without a line"),
        ("# gate", r"^sql/plans/own: it has no part, or one without a line"),
    ],
)
def test_a_plan_with_a_mistake_is_an_error(written: Path, text: str, fault: str) -> None:
    written.write_text("[apply] one transaction\ngate")
    assert plans.load("own").folders() == ["gate"]
    written.write_text(text)
    with pytest.raises(ValueError, match=fault):
        plans.load("own")


def test_what_a_caller_names_has_to_be_there() -> None:
    with pytest.raises(FileNotFoundError, match="there is no plan nothing; there are abort, bridge, concurrent-index"):
        plans.load("nothing")
    with pytest.raises(ValueError, match="no plan knows the condition hungry"):
        plans.load("fill").folders(when={"hungry"})
    with pytest.raises(KeyError, match="sql/plans/fill has no part prepare; it has apply"):
        plans.load("fill").folders("prepare")


def test_every_condition_is_of_use() -> None:
    assert set(CONDITIONS) == {condition for name in plans.names() for condition in plans.load(name).conditions}


def test_every_role_is_some_folders() -> None:
    lines = [line for name in plans.names() for part in plans.load(name).parts for line in part.lines]
    assert {plans.role(line.folder) for line in lines} == {*plans.ROLES, None}


def test_every_plan_begins_with_what_it_does() -> None:
    for name in plans.names():
        assert (SQL / "plans" / name).read_text().startswith("# "), name


# --- No list of folders stands anywhere else ---


VERBS = frozenset({"abort", "finalize", "register"})
"""Folders called as verbs of the command line are, which are listed for other reasons."""


def orders_in(text: str) -> list[tuple[int, list[str]]]:
    """Where a text of Python has two folders of plans or more in one list, tuple, set or call."""
    folders = {name for plan in map(plans.load, plans.names()) for part in plan.parts for name in _folders(part)}
    found = []
    for node in ast.walk(ast.parse(text)):
        elements = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else []
        if isinstance(node, ast.Call):
            elements = node.args
        named = [each.value for each in elements if isinstance(each, ast.Constant) and each.value in folders]
        if len(named) > 1 and isinstance(node, ast.expr):
            found.append((node.lineno, named))
    return found


def _folders(part: Part) -> set[str]:
    return {line.folder for line in part.lines if not line.folder.endswith(".sql")} - VERBS


def test_no_list_of_folders_stands_anywhere_else() -> None:
    files = [*ROOT.glob("vestige_sql/**/*.py"), *ROOT.glob("docs/*.py"), *ROOT.glob("tests/**/*.py")]
    assert len(files) > 50
    assert {file.relative_to(ROOT).as_posix(): found for file in files if (found := orders_in(file.read_text()))} == {}


@pytest.mark.parametrize(
    "text",
    [
        'ORDER = ("gate", "keep")',
        'for name in ["lock/exclusive", other, "gate"]: pass',
        'ORDER = {"index/save", "index/drop"}',
        'run("gate", "keep")',
    ],
)
def test_a_list_of_folders_is_found(text: str) -> None:
    text = "\n" + text
    assert [line for line, _ in orders_in(text)] == [2]
