"""The step files: rendered as psql renders them, doing what their headers say, and passing squawk."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import make_steps
import pglast
import psycopg
import pytest
from support import FakeEmbedder, patch_run, seed
from support.lint import IGNORE, lint_faults, settings, squawk
from support.step_claims import (
    GRAMMAR,
    KEEPS_WRITERS_OFF,
    MODES,
    WITHOUT,
    Walks,
    all_steps,
    faults,
    lies,
    scenarios,
    step_values,
    unplanned,
)

from vestige_sql import ReembedPlan, resources, run_reembed, steps
from vestige_sql.steps.files import HEADER_FIELDS, OPTIONAL_FIELDS, Step, Value

STEPS = [step.name for step in all_steps()]

# --- Rendering is psql's ---

VALUES: Mapping[str, Value] = {
    "n": 5,
    "t": "vector",
    "plain": "embedding",
    "quote": "it's",
    "backslash": "C:\\dir\\n",
    "both": "\\'; DROP TABLE x; --",
    "double": 'My "Docs"',
    "unicode": "größe 日本 \U0001f418",
    "lines": "two\nlines",
    "colon": ":n",
    "empty": "",
    "größe": "the variable",
    "N": "upper case",
    "yes": True,
}

TRICKY = [
    "SELECT :n, :'plain', :\"plain\"",
    "SELECT ':n', ':plain' || :'plain' || ':n'",
    "SELECT 'it''s :n' || :'quote'",
    "SELECT 'a\\' || :'plain'",
    "SELECT E'\\' :n' || :'plain'",
    "SELECT e'\\\\' || :'plain' || E'it''s :n'",
    "SELECT U&'d\\0061t :n' || :'plain', N'x :n', B'01'",
    "SELECT e:n, E:n, te':n', \"e\":n",
    "SELECT :'quote', :'backslash', :'both', :'double', :'unicode', :'lines', :'colon', :'empty'",
    'SELECT :"quote", :"backslash", :"double", :"unicode", :"colon"',
    "SELECT $$ :n $$, $tag$ :n $$ :'plain' $tag$, $größe$ :n $größe$, $_1$ :n $_1$, :n",
    "SELECT $$ :n $$$$ :n $$, $1, a$b$ + :n, c$b$",
    "SELECT :t$$ :n $$, 1$$ :n $$, x.$$ :n $$",
    "SELECT /* :n /* :'plain' */ :n */ :n /* ' */ + :n",
    "SELECT 1 -- :n it's\n + :n",
    'SELECT "a :n", "b"":n" + :n, "--" + :n, "$$" + :n',
    "SELECT 1::int, :n::int, :'plain'::text, x:::t, (:n)::numeric(:n)",
    "SELECT f(a :=:n, b := :n, c =>:n)",
    "SELECT (ARRAY[1,2])[1 : 2], (ARRAY[1])[1:], (ARRAY[1])[:n:n], x[:n :: int]",
    "SELECT :größe, :'größe', :N, :n.:n, :n,:n, -:n",
    "SELECT ':' || :'plain', a: b, ?:n",
    "SELECT :yes, :'yes'",
    "SELECT 'one'\n'two :n' || :'plain'",
]


def _step(text: str, name: str = "x.sql") -> Step:
    """A step whose header lists what the text uses."""
    used = sorted(Step(name, text).variables)
    return Step(name, f"-- Variables:    {', '.join(used) or 'none'}\n\n{text}")


def _body(text: str) -> str:
    """A step's text from its first statement on: psql drops the comments before it."""
    return re.sub(r"\A(\s*--[^\n]*\n)*", "", text).strip()


def _psql(
    psql: str, conninfo: str, text: str, values: Mapping[str, Value], *options: str
) -> subprocess.CompletedProcess[str]:
    variables = [
        part
        for name, value in values.items()
        for part in ("-v", f"{name}={str(value).lower() if isinstance(value, bool) else value}")
    ]
    return subprocess.run(
        [psql, "-X", "-q", *options, *variables, "-d", conninfo, "-f", "-"],
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def one_db(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """A database for the tests that leave nothing behind in it."""
    with databases() as conninfo:
        yield conninfo


@pytest.mark.parametrize("text", TRICKY)
def test_a_text_goes_to_the_server_as_psql_would_send_it(psql: str, one_db: str, text: str) -> None:
    sent = _psql(psql, one_db, text + "\n;\n", VALUES, "-e", "-o", "/dev/null")
    with psycopg.connect(one_db) as conn:
        assert _body(_step(text).render(VALUES, conn)) == sent.stdout.strip().removesuffix(";").strip()


@pytest.mark.parametrize("name", STEPS)
def test_a_step_file_goes_to_the_server_as_psql_would_send_it(
    psql: str, empty_values: tuple[str, dict[str, Value]], name: str
) -> None:
    """With the variables that the header lists and no others, so that none is missing from it."""
    conninfo, values = empty_values
    step = steps.load(name)
    listed = {key: values[key] for key in step.header["Variables"].split(", ") if key != "none"}
    given = {key: "NULL" if value is None else value for key, value in listed.items()}
    sent = _psql(psql, conninfo, _body(step.text), given, "-e", "-o", "/dev/null").stdout.strip()
    with psycopg.connect(conninfo) as conn:
        ours = _body(step.render(given, conn))
    if step.is_gexec:
        # psql shows the statements that come of it too.
        ours = ours.removesuffix("\\gexec").strip()
        sent = sent[: len(ours)]
    assert ours == sent


@pytest.fixture(scope="module")
def empty_values(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[tuple[str, dict[str, Value]]]:
    """A database in which the steps find nothing that they could change, and values from one in which they would."""
    with databases() as conninfo:
        with psycopg.connect(conninfo, autocommit=True) as conn:
            values = step_values(conn)
            conn.execute("DROP SCHEMA vestige_sql CASCADE; DROP TABLE knowledge_nodes, embedding_model CASCADE")
        yield conninfo, values


def test_a_variable_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"sql/a/10_b\.sql needs a value for its variable dimension"):
        _step("SELECT :dimension, :'plain'", "a/10_b.sql").render({"plain": "x"})


@pytest.mark.parametrize("listed", ["none", "one", "one, two, three", "two"])
def test_a_header_that_does_not_list_what_is_used_is_an_error(listed: str) -> None:
    step = Step("a.sql", f"-- Variables:    {listed}\n\nSELECT :one, :'two', ':three'")
    with pytest.raises(ValueError, match=r"sql/a\.sql: the header lists"):
        step.render({"one": 1, "two": 2, "three": 3})


def test_null_is_null_in_every_form() -> None:
    step = _step("SELECT :a, :'b'")
    assert step.render({"a": None, "b": None}).endswith("SELECT NULL, NULL")


GEXEC = """
SELECT x.first, x.second, NULL, 'INSERT INTO did VALUES (' || x.n || ' * 10 + 3)'
FROM (VALUES (1, 'INSERT INTO did VALUES (11)', 'INSERT INTO did VALUES (12)'),
             (2, 'INSERT INTO did VALUES (21); INSERT INTO did VALUES (22)', NULL),
             (:third, 'INSERT INTO did VALUES (:third)', :'last')) AS x (n, first, second)
ORDER BY x.n \\gexec
"""


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("INSERT INTO did VALUES (32)", [11, 12, 13, 21, 22, 23]),
        ("no statement", [11, 12, 13, 21, 22, 23]),
    ],
)
def test_gexec_runs_each_field_as_psql_does(
    psql: str, conn: psycopg.Connection, db: str, last: str, expected: list[int]
) -> None:
    """Row by row, field by field, NULL left out, no variable in what is generated, and no further than an error."""
    conn.execute("CREATE TABLE did (what int, id serial)")
    values = {"third": 3, "last": last}

    def did() -> list[int]:
        return [what for (what,) in conn.execute("SELECT what FROM did ORDER BY id").fetchall()]

    theirs = _psql(psql, db, GEXEC, values, "-v", "ON_ERROR_STOP=1")
    assert "syntax error" in theirs.stderr
    by_psql = did()
    conn.execute("TRUNCATE did")
    with pytest.raises(psycopg.errors.SyntaxError) as error:
        steps.run(conn, _step(GEXEC, "a/10_b.sql"), values)
    assert error.value.__notes__ == ["in sql/a/10_b.sql"]
    assert did() == by_psql == expected


def test_gexec_without_rows_runs_nothing(conn: psycopg.Connection) -> None:
    done = steps.run(conn, _step("SELECT 'DROP TABLE knowledge_nodes' WHERE false \\gexec"), {})
    assert (done.rows, done.result) == (None, [])


# --- The headers by themselves ---


@pytest.mark.parametrize("name", STEPS)
def test_a_header_is_whole(name: str) -> None:
    assert faults(steps.load(name)) == []


def test_what_counts_as_blank_is_the_same_everywhere() -> None:
    # Some steps run before vestige_sql.has_text() may be there, and say what it says.
    files = [*resources.resource_dir("sql").rglob("*.sql"), *resources.resource_dir("migrations").rglob("*.sql")]
    lists = [found for file in files for found in re.findall(r"E'[^']*\\u3000[^']*'", file.read_text(encoding="utf-8"))]
    assert len(lists) > 1
    assert len(set(lists)) == 1


def test_every_step_file_stands_in_a_plan() -> None:
    assert unplanned() == []


@pytest.fixture
def doctored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that the package takes for its own."""
    shutil.copytree(resources.resource_dir("sql"), tmp_path / "sql")
    for module in ("vestige_sql.steps.files", "vestige_sql.steps.plans", "support.step_claims", "make_steps"):
        monkeypatch.setattr(f"{module}.resource_dir", lambda name: tmp_path / name)
    return tmp_path / "sql"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        *((f"-- {name}:.*\n", "", "its fields are") for name in HEADER_FIELDS if name not in OPTIONAL_FIELDS),
        ("(-- Rewrites:).*", r"\1     nothing", "Rewrites says"),
        ("-- Run again:", "-- Fires:        no triggers\n-- Run again:", "Fires says"),
        (r"(-- Run again:.*)", r"\1\n-- Fires:        INSERT triggers", "its fields are"),
        (r"-- (Locks:.*)\n-- (Transaction:.*)\n", r"-- \2\n-- \1\n", "its fields are"),
        ("-- Locks:", "-- Lock:", "its fields are"),
        (r"\A-- .*\n", "--\n", "it does not begin with a sentence"),
        (r"\A-- .*\n", "-- replace\n", "it does not begin with a sentence"),
        ("ACCESS EXCLUSIVE on the target", "ACCESS EXCLUSIVE", "Locks says"),
        ("ACCESS EXCLUSIVE on the target", "VERY EXCLUSIVE on the target", "Locks says"),
        (", to the end of the transaction", "", "Locks lacks"),
        ("ACCESS EXCLUSIVE on the target", "ACCESS SHARE on the target", "Locks has no need of"),
        ("required", "needed", "Transaction says"),
        ("heap and every index of the target", "everything", "Rewrites says"),
        ("-- Run again:", "-- Fires:        none\n-- Run again:", "Fires says"),
        ("safe,", "fine,", "Run again says"),
        ("(Undo: ).*", r"\1", "Undo says"),
        ("(Variables: .*)", r"\1, one_more", "Variables says"),
        ("(Variables: +)schema, (.*)", r"\1\2", "Variables says"),
        ("(Variables: +)schema, table, (.*)", r"\1table, schema, \2", "Variables says"),
    ],
)
def test_a_doctored_header_is_found(doctored: Path, old: str, new: str, fault: str) -> None:
    name = "apply/rewrite/20_rewrite_column.sql"
    text, count = re.subn(old, new, (doctored / name).read_text())
    assert count == 1
    (doctored / name).write_text(text)
    assert any(found.startswith(fault) for found in faults(steps.load(name)))


def test_a_new_file_is_picked_up_or_missed(doctored: Path) -> None:
    new = "-- Ask.\n"
    (doctored / "apply/rewrite/15_new.sql").write_text(new)
    (doctored / "probe/new.sql").write_text(new)
    (doctored / "apply/another").mkdir()
    (doctored / "apply/another/10_new.sql").write_text(new)
    assert unplanned() == ["apply/another/10_new.sql"]
    order = (doctored / "plans/rewrite").read_text()
    (doctored / "plans/another").write_text(order.replace("apply/rewrite", "apply/another"))
    assert unplanned() == []
    assert "apply/another/10_new.sql" in make_steps.files()["Apply, in one transaction"]
    (doctored / "run/new.sql").write_text(new)
    (doctored / "odd").mkdir()
    (doctored / "odd/10_new.sql").write_text(new)
    assert unplanned() == ["odd/10_new.sql", "run/new.sql"]
    with pytest.raises(SystemExit, match="does not know when these run: odd"):
        make_steps.page()


# --- The headers against a server ---


def claiming(text: str, field: str, claim: str) -> str:
    """A step's text whose header says ``claim`` in ``field``; where the lack of the field says it, without."""
    if field in OPTIONAL_FIELDS:
        changed = re.sub(rf"(?m)^-- {field}:.*\n", "", text)
        if claim != WITHOUT[field]:
            changed, count = re.subn(r"(?m)^-- Run again:", f"-- {field + ':':<14}{claim}\n-- Run again:", changed)
            assert count == 1
    else:
        changed, count = re.subn(rf"(?m)^(-- {field}: +).*", lambda m: m[1] + claim, text)
        assert count == 1
    assert (WITHOUT | Step("x.sql", changed).header)[field] == claim
    return changed


@pytest.fixture
def _newest_locks(server_url: str, name: str) -> None:
    """Skip where the server takes fewer locks than the header says: GRANT holds its table since PostgreSQL 18."""
    if name != "online/prepare/35_copy_grants.sql":
        return
    with psycopg.connect(server_url) as conn:
        if conn.info.server_version < 180000:
            pytest.skip("before PostgreSQL 18 GRANT locks no table")


@pytest.mark.usefixtures("_newest_locks")
@pytest.mark.parametrize("name", STEPS)
def test_a_header_says_what_the_server_says(walks: Walks, name: str) -> None:
    assert lies(steps.load(name), walks.seen(name)) == []


@pytest.mark.usefixtures("_newest_locks")
@pytest.mark.parametrize("name", STEPS)
def test_a_lie_in_a_header_is_found(walks: Walks, name: str) -> None:
    """Every other word of the vocabulary in every field whose truth can be seen from outside."""
    step, seen = steps.load(name), walks.seen(name)
    header = WITHOUT | step.header
    locks = re.fullmatch(GRAMMAR["Locks"], header["Locks"])
    assert locks is not None
    others: dict[str, list[str]] = defaultdict(list)
    others["Locks"] = [
        f"{mode} on the target{', to the end of the transaction' * (mode in KEEPS_WRITERS_OFF)}"
        for mode in ("none", *MODES)
        if mode != locks["mode"]
    ]
    others["Locks"] += [
        f"{header['Locks']}, ROW SHARE on the staging table",
        f"{header['Locks']}, SHARE on embedding_model",
    ]
    if "advisory" not in header["Locks"]:
        others["Locks"].append(f"{header['Locks']}, one advisory lock")
    if header["Transaction"] == "forbidden":
        others["Transaction"] = ["required", "either"]
    else:
        others["Transaction"] = ["forbidden"]
        if any(s.changes_live or s.needs_transaction for s in seen):
            others["Transaction"].append("either")
    # A file is rewritten by every step that says so, and indexes need not be there for one that does not.
    others["Rewrites"] = ["nothing"] if header["Rewrites"] != "nothing" else ["heap and every index of the target"]
    others["Fires"] = [
        {"no triggers": "no triggers, while triggers/disable/ has them off"}.get(header["Fires"], "no triggers")
    ]
    others["Run again"] = (
        ["safe, it only reads"] if header["Run again"].startswith("refused") else ["refused, it is there"]
    )
    if any(s.changes_anything for s in seen):
        others["Run again"].append("safe, it only reads")
    if any(s.changes_live for s in seen):
        others["Undo"].append("nothing to undo")
    for field, claims in others.items():
        for claim in claims:
            text = claiming(step.text, field, claim)
            assert lies(replace(step, text=text), seen) != [], f"{field}: {claim}"


@pytest.mark.parametrize(
    "plan",
    [*(ReembedPlan(apply=way) for way in ("rewrite", "swap", "widen")), ReembedPlan(concurrent_index=True)],
    ids=lambda plan: plan.apply + " concurrently" * plan.concurrent_index,
)
def test_the_runner_opens_transactions_as_the_headers_say(
    db: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, plan: ReembedPlan
) -> None:
    seed(conn, embedder=FakeEmbedder("old", 8))
    found: dict[str, str] = {}
    run = steps.run

    def spying(conn: psycopg.Connection, step: Step, values: Mapping[str, Value]) -> steps.StepRun:
        found[step.name] = conn.info.transaction_status.name
        return run(conn, step, values)

    patch_run(monkeypatch, spying)
    run_reembed(db, FakeEmbedder("new", 12), plan)
    outside = {steps.load(name).header["Transaction"]: name for name, status in found.items() if status == "IDLE"}
    inside = {steps.load(name).header["Transaction"]: name for name, status in found.items() if status == "INTRANS"}
    assert "required" not in outside, outside
    assert "forbidden" not in inside, inside
    assert "required" in inside
    assert ("forbidden" in outside) == plan.concurrent_index


# --- The table of them all ---


def test_the_table_of_steps_is_not_stale() -> None:
    written = Path(make_steps.HERE, "steps.md").read_text(encoding="utf-8")
    assert written == make_steps.page(), "docs/steps.md is not what the headers say: make docs"


def test_the_table_has_every_step_once_in_the_order_of_its_run() -> None:
    rows = re.findall(r"^\| \[(\S+)\]\(\.\./sql/\1\)", make_steps.page(), re.MULTILINE)
    assert sorted(rows) == STEPS
    for scenario in scenarios():
        if scenario.state == "staged" and "concurrently" not in scenario.name:
            # What runs twice stands where it runs last.
            names = list(dict.fromkeys(reversed(scenario.names)))[::-1]
            places = [rows.index(name) for name in names]
            assert places == sorted(places), scenario.name


# --- Parsed, and by squawk ---


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
                texts[name] = (
                    ";\n".join([settings(name, walks.scenarios), *(sql.rstrip("; \n") for sql in statements)]) + ";\n"
                )
        options = [] if forbidden else ["--assume-in-transaction"]
        bare = {name: IGNORE.sub("", text) for name, text in texts.items()}
        without |= squawk(folder / "without", bare, *options)
        # Most files have no exceptions: what fires is the same.
        with_them |= {name: without[name] for name in texts if texts[name] == bare[name]}
        with_them |= squawk(
            folder / "with", {name: texts[name] for name in texts if texts[name] != bare[name]}, *options
        )
    return without, with_them


@pytest.mark.parametrize("name", STEPS)
def test_a_step_parses_and_does_one_thing(walks: Walks, name: str) -> None:
    for seen in walks.seen(name):
        for text in seen.sent:
            assert len(pglast.parse_sql(text)) == 1


@pytest.mark.parametrize("name", STEPS)
def test_a_step_passes_squawk(fires: tuple[dict[str, set[str]], dict[str, set[str]]], name: str) -> None:
    without, with_them = fires
    assert lint_faults(steps.load(name).text, without[name], with_them[name]) == []
