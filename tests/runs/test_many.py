"""One command on many targets: what is said of them, what becomes of one that fails, and what a pattern names."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import Conn, FakeEmbedder, check_space, dsn, typmod

from vestige_sql import ReembedPlan, Target, steps
from vestige_sql.errors import LockNotAvailable
from vestige_sql.look.candidates import matching_tables
from vestige_sql.plan import names_several
from vestige_sql.reembed.together import Part, reembed_together

MODEL = FakeEmbedder("tenants' model", 24)

_FACTORY = """
from support import FakeEmbedder

LOADED = []


def make():
    LOADED.append(FakeEmbedder("tenants' model", 24))
    return LOADED[-1]
"""

_TOML = """
[targets.tenants]
table = "tenant_*.documents"
embedder = "many_factory:make"
dimension = 24

[targets.chunks]
table = '"My App"."Chunks"'
content_column = "body"
embedder = "many_factory:make"
dimension = 24
"""


@pytest.fixture
def folder(tmp_path: Path, db: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", db)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "many_factory.py").write_text(_FACTORY)
    (tmp_path / "vestige.toml").write_text(_TOML)
    yield tmp_path
    sys.modules.pop("many_factory", None)


def make(conn: Conn, table: str, rows: int = 3, *, text: str = "content", more: str = "") -> None:
    schema = table.partition(".")[0]
    conn.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")  # type: ignore[arg-type]
    conn.execute(f"CREATE TABLE {table} (id bigserial PRIMARY KEY, {text} text, embedding vector(8){more})")  # type: ignore[arg-type]
    conn.execute(f"INSERT INTO {table} ({text}) SELECT 'text ' || i FROM generate_series(1, {rows}) i")  # type: ignore[arg-type]


@pytest.fixture
def tenants(conn: Conn, folder: Path) -> list[Target]:
    """Two tenants and a table of another name."""
    for number in (10, 2):
        make(conn, f"tenant_{number}.documents", number)
    make(conn, '"My App"."Chunks"', 4, text="body")
    return [Target(f"tenant_{number}.documents") for number in (10, 2)] + [Target('"My App"."Chunks"', "id", "body")]


def loaded() -> list[FakeEmbedder]:
    import many_factory  # type: ignore[import-not-found]

    return list(many_factory.LOADED)


def test_one_command_changes_all_targets_with_one_model(vestige: Any, conn: Conn, tenants: list[Target]) -> None:
    said = vestige("migrate", "reembed", "chunks", "tenants", "--no-confirm")
    assert said.code == 0, said.err
    for target in tenants:
        check_space(conn, MODEL, target)
    assert len(loaded()) == 1
    lines = said.err.splitlines()
    places = [line for line in lines if line.startswith("[")]
    assert [line.partition(":")[0] for line in places] == [
        "[1/3] chunks", "[2/3] tenant_10.documents", "[3/3] tenant_2.documents",
    ]  # fmt: skip
    assert places[1].startswith("[2/3] tenant_10.documents: 10 rows, ")
    assert said.err.count("reembed: wrote batch 1") == 3
    # The warning comes once, and says of whom it is.
    assert said.err.count("About to re-embed") == 3
    assert said.err.count("Then the table is locked for everybody") == 1
    assert "phase 1 of" not in said.err
    assert lines[-1].startswith("3 of 3 targets done in ")
    again = vestige("migrate", "reembed", "--all", "--no-confirm")
    assert again.code == 0
    assert again.err.count(": nothing to do") == 3
    assert "About to" not in again.err
    assert len(loaded()) == 2 and not loaded()[1].calls


def test_answers_are_a_list(vestige: Any, conn: Conn, tenants: list[Target]) -> None:
    said = vestige("migrate", "reembed", "tenants", "--no-confirm", "--json")
    assert said.code == 0, said.err
    assert [(one["name"], one["table"], one["rows_updated"]) for one in said.answer] == [
        ("tenants", "tenant_10.documents", 10), ("tenants", "tenant_2.documents", 2),
    ]  # fmt: skip
    status = vestige("migrate", "status", "--all", "--json")
    assert [one["model"]["name"] if one["model"] else None for one in status.answer] == ["tenants' model"] * 2 + [None]
    # A pattern that names one table is answered with a list, too.
    assert len(vestige("migrate", "status", "--table", "tenant_2.doc*", "--json").answer) == 1
    assert isinstance(vestige("migrate", "status", "chunks", "--json").answer, dict)


def test_what_will_fail_is_said_before_the_first_encoding(vestige: Any, conn: Conn, tenants: list[Target]) -> None:
    make(conn, "tenant_3.documents")
    conn.execute("CREATE VIEW tenant_2.v AS SELECT id, embedding FROM tenant_2.documents")
    conn.execute("ALTER TABLE tenant_3.documents DROP COLUMN embedding")
    said = vestige("migrate", "reembed", "tenants", "chunks", "--no-confirm")
    assert said.code == 1
    first_batch = said.err.index("wrote batch")
    for label, what in (("tenant_2.documents", "view tenant_2.v"), ("tenant_3.documents", "embedding")):
        start = said.err.index(f"vestige-sql: {label}: ")
        assert start < said.err.index("About to re-embed") < first_batch
        assert what in said.err[start:first_batch]
    for target in (tenants[0], tenants[2]):
        check_space(conn, MODEL, target)
    assert "[2/4] tenant_2.documents: failed" in said.err
    assert "2 of 4 targets done in " in said.err
    # What is left is one command that can be pasted.
    command = said.err.strip().splitlines()[-1]
    conn.execute("DROP VIEW tenant_2.v")
    conn.execute("ALTER TABLE tenant_3.documents ADD embedding vector(8)")
    words = shlex.split(command.partition("type: ")[2])
    assert words == [
        "vestige-sql", "migrate", "reembed", "tenants", "--no-confirm",
        "--table", "tenant_2.documents, tenant_3.documents",
    ]  # fmt: skip
    said = vestige(*words[1:])
    assert said.code == 0, said.err
    assert "2 of 2 targets done" in said.err
    for target in tenants:
        check_space(conn, MODEL, target)


def test_a_target_that_fails_later_does_not_stop_the_others(vestige: Any, conn: Conn, tenants: list[Target]) -> None:
    conn.execute("CREATE VIEW tenant_10.v AS SELECT id, embedding FROM tenant_10.documents")
    said = vestige("migrate", "reembed", "tenants", "--stop-on-error", "--no-confirm", "--json")
    assert said.code == 1
    assert [one.get("kind") for one in said.answer] == ["TargetError", None]
    assert [one.get("error") for one in said.answer[1:]] == ["not begun"]
    conn.execute("DROP VIEW tenant_10.v")
    said = vestige("migrate", "stage", "--all")
    assert said.code == 0, said.err
    assert "3 of 3 targets done" in said.err
    conn.execute("DELETE FROM tenant_2.documents WHERE id = 1")
    conn.execute("INSERT INTO tenant_2.documents (content) VALUES ('not staged')")
    said = vestige("migrate", "apply", "--all", "--no-confirm")
    assert said.code == 1
    assert "vestige-sql: tenant_2.documents: " in said.err
    assert "'tenant_2.documents'" not in said.err
    assert said.err.strip().endswith("vestige-sql migrate apply tenants --no-confirm --table tenant_2.documents")
    for target in (tenants[0], tenants[2]):
        check_space(conn, MODEL, target)
    said = vestige("migrate", "abort", "--all", "--json")
    assert [one["aborted"] for one in said.answer] == [False, True, False]


def test_every_verb_takes_several(vestige: Any, conn: Conn, tenants: list[Target], folder: Path) -> None:
    said = vestige("migrate", "register", "--all")
    assert said.code == 0, said.err
    assert said.err.count("done") >= 3
    old = (folder / "many_factory.py").read_text()
    (folder / "many_factory.py").write_text(old.replace("tenants' model", "next"))
    del sys.modules["many_factory"]
    plan = vestige("migrate", "plan", "--all", "--no-calibrate")
    assert plan.code == 0, plan.err
    assert plan.out.count("Plan for ") == 3
    dry = vestige("migrate", "reembed", "--all", "--dry-run", "--json")
    assert [one["rows_to_update"] for one in dry.answer] == [10, 2, 4]
    said = vestige("migrate", "reembed", "--all", "--keep-old", "--no-confirm")
    assert said.code == 0, said.err
    assert vestige("migrate", "doctor", "--all", "--json").answer[2]["target"] == '"My App"."Chunks".embedding'
    said = vestige("migrate", "rollback", "--all", "--no-confirm")
    assert said.code == 0, said.err
    assert said.err.count("About to go back") == 3
    for name, rows in conn.execute(
        "SELECT to_name, count(*) FROM vestige_sql.run WHERE scope = 'back' GROUP BY to_name"
    ).fetchall():
        assert (name, rows) == ("tenants' model", 3)
    said = vestige("migrate", "finalize", "tenants", "chunks", "--no-confirm", "--json")
    assert [one["finalized"] for one in said.answer] == [True] * 3


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("status", "--all", "tenants"), "unrecognized arguments: tenants"),
        (("status", "tenants", "--all"), "leave out tenants"),
        (("status", "tenants", "tenant"), "has no target tenant"),
        (("probe", "tenants"), "names several tables, and this command works on one"),
        (("probe", "tenants", "chunks"), "unrecognized arguments: chunks"),
        (("stage", "tenants", "--lock", "x.lock"), "--lock writes the file of one target"),
        (("doctor", "tenants", "--report", "x.html"), "--report writes the page of one target"),
        (("status", "--table", "tenant_9*.documents, tenant_2.documents"), "is named like tenant_9*.documents"),
        (("status", "tenants", "twice"), "tenant_2.documents and twice are the same vectors"),
        (("stage", "one", "two"), "one and two are rows of one column of tenant_2.documents"),
        (("reembed", "one", "two", "--together"), "one and two are rows of one column of tenant_2.documents"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_several_targets_cannot_be_is_said(
    vestige: Any, tenants: list[Target], folder: Path, argv: tuple[str, ...], message: str
) -> None:
    with (folder / "vestige.toml").open("a") as file:
        file.write("\n[targets.twice]\ntable = 'TENANT_2.\"documents\"'\nembedding_column = 'embedding'\n")
        for name in ("one", "two"):
            file.write(f"\n[targets.{name}]\ntable = 'tenant_2.documents'\nwhere = \"content <> '{name}'\"\n")
            file.write("embedder = 'many_factory:make'\ndimension = 24\n")
    said = vestige("migrate", *argv)
    assert said.code in (1, 2)
    assert message in said.err


def test_check_answers_for_several_lock_files(vestige: Any, conn: Conn, tenants: list[Target], folder: Path) -> None:
    files = []
    for number, table in enumerate(("tenant_10.documents", "tenant_2.documents")):
        files.append(f"{number}.lock")
        model = ("--embedder", "many_factory:make", "--dimension", 24)
        assert vestige("migrate", "stage", "--table", table, *model, "--lock", files[-1]).code == 0
    check = ("migrate", "check", "--expect", files[0], "--expect", files[1])
    assert vestige(*check).code == 3
    assert vestige("migrate", "apply", "--table", "tenant_2.documents", "--no-confirm").code == 0
    said = vestige(*check, "--json")
    assert [(one["table"], one["file"], one["state"]) for one in said.answer] == [
        ("tenant_10.documents", "0.lock", "staged"), ("tenant_2.documents", "1.lock", "applied"),
    ]  # fmt: skip
    assert said.code == 3
    conn.execute("INSERT INTO tenant_10.documents (content) VALUES ('not staged')")
    said = vestige(*check)
    assert said.code == 4
    assert "vestige-sql migrate stage --table tenant_10.documents" in said.err and "--lock 0.lock" in said.err
    assert vestige(*check, "--expect", "no.lock").code == 2


# --- What a pattern names ---


def test_a_pattern_names_tables_as_sql_names_them(db: str, conn: Conn) -> None:
    conn.execute("DROP TABLE knowledge_nodes, domains CASCADE")
    conn.execute('CREATE SCHEMA "Tenant_1"; CREATE SCHEMA tenant_1; CREATE SCHEMA tenantx1; CREATE SCHEMA "we*ird"')
    for name in (
        '"Tenant_1".documents',
        "tenant_1.documents",
        "tenantx1.documents",
        'tenant_1."My Docs"',
        '"we*ird"."a,b.c"',
        "public.notes",
        "tenant_1.notes",
        '"we*ird"."""q"""',
    ):
        conn.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, content text, embedding vector(3))")  # type: ignore[arg-type]
    conn.execute("CREATE TABLE tenant_1.users (id int)")
    conn.execute("CREATE TABLE public.parted (id int, embedding vector(3)) PARTITION BY LIST (id)")
    conn.execute("CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES IN (1)")
    conn.execute("CREATE VIEW public.seen AS SELECT * FROM public.notes")
    for pattern, names in {
        "tenant_*.documents": ["tenant_1.documents"],
        "TENANT*.Documents": ["tenant_1.documents", "tenantx1.documents"],
        '"Tenant"*.documents': ['"Tenant_1".documents'],
        '*."My Docs"': ['tenant_1."My Docs"'],
        "tenant_1.*": ['tenant_1."My Docs"', "tenant_1.documents", "tenant_1.notes"],
        '"we*ird".*': ['"we*ird"."""q"""', '"we*ird"."a,b.c"'],
        '"we*ird"."a,b.c"': ['"we*ird"."a,b.c"'],
        '*."""q"""': ['"we*ird"."""q"""'],
        "not*": ["public.notes"],
        " tenant_1.users ,not*": ["public.notes", "tenant_1.users"],
        "*": ["public.notes", "public.parted"],
        "public.*arted*, not*, notes": ["public.notes", "public.parted"],
    }.items():
        assert matching_tables(db, pattern) == names, pattern
        assert names_several(pattern) == (pattern != '"we*ird"."a,b.c"')
    conn.execute("SET search_path = tenant_1, public")
    rows = steps.query(conn, "probe/matching_tables.sql", {"target": "not*"})
    assert [row["name"] for row in rows] == ["tenant_1.notes"]
    assert conn.execute("SHOW search_path").fetchone() == ("tenant_1, public",)
    for pattern in (
        "ten%.documents",
        "seen*",
        "a.b.c*",
        "vestige_sql.*",
        "my docs*",
        '"tenant*.documents',
        "",
        "*.",
        ",",
    ):
        rows = steps.query(conn, "probe/matching_tables.sql", {"target": pattern})
        assert [row["name"] for row in rows if row["name"] is not None] == [], pattern


def test_a_plain_json_document_is_on_stdout_alone(vestige: Any, tenants: list[Target]) -> None:
    said = vestige("migrate", "status", "--all", "--json")
    assert isinstance(json.loads(said.out), list)
    assert not said.err


# --- Together ---


def states(conn: Conn, tenants: list[Target]) -> list[int]:
    return [typmod(conn, target) for target in tenants]


def test_together_all_change_in_one_transaction(vestige: Any, conn: Conn, tenants: list[Target]) -> None:
    said = vestige("migrate", "reembed", "--all", "--together", "--no-confirm", "--keep-old")
    assert said.code == 0, said.err
    assert "3 targets were changed in one transaction" not in said.err
    assert "3 of 3 targets done" in said.err
    for target in tenants:
        check_space(conn, MODEL, target)
    # All of the registry was written by one transaction.
    assert conn.execute("SELECT count(*), count(DISTINCT xmin::text) FROM vestige_sql.model").fetchone() == (3, 1)
    assert conn.execute(
        "SELECT count(*), count(*) FILTER (WHERE state = 'done' AND rows_written > 1) FROM vestige_sql.run"
    ).fetchone() == (3, 3)
    again = vestige("migrate", "reembed", "--all", "--together", "--no-confirm", "--json")
    assert [one["nothing_to_do"] for one in again.answer] == [True] * 3
    assert vestige("migrate", "rollback", "--all", "--no-confirm").code == 1  # no model was registered before


def test_together_a_check_that_fails_for_one_stops_all(vestige: Any, conn: Conn, tenants: list[Target]) -> None:
    assert vestige("migrate", "stage", "--all").code == 0
    conn.execute("INSERT INTO tenant_2.documents (content) VALUES ('not staged')")
    said = vestige("migrate", "apply", "--all", "--together", "--no-confirm", "--json")
    assert said.code == 1
    assert [one["kind"] for one in said.answer] == ["CheckFailed"] * 3
    assert states(conn, tenants) == [8, 8, 8]
    # What changes while it encodes is encoded under the lock.
    said = vestige("migrate", "reembed", "--all", "--together", "--no-confirm", "--json")
    assert said.code == 0, said.err
    assert [one["rows_updated"] for one in said.answer] == [10, 3, 4]
    assert [one["rows_encoded"] for one in said.answer] == [0, 1, 0]
    for target in tenants:
        check_space(conn, MODEL, target)


def test_together_a_target_that_cannot_be_changed_keeps_the_others_as_they_are(
    vestige: Any, conn: Conn, tenants: list[Target]
) -> None:
    conn.execute("CREATE VIEW tenant_2.v AS SELECT id, embedding FROM tenant_2.documents")
    said = vestige("migrate", "reembed", "--all", "--together", "--no-confirm")
    assert said.code == 1
    assert "tenant_2.v" in said.err
    assert "--together changes all targets or none" in said.err
    assert "wrote batch" not in said.err and "About to" not in said.err
    assert said.err.strip().endswith("type: vestige-sql migrate reembed tenants chunks --together --no-confirm")
    assert states(conn, tenants) == [8, 8, 8]
    said = vestige("migrate", "reembed", "--all", "--together", "--online", "--no-confirm")
    assert said.code == 2
    assert "--together does not go with --online" in said.err
    # Who holds a lock is named, with its table; nothing has changed.
    conn.execute("DROP VIEW tenant_2.v")
    with psycopg.connect(dsn(conn)) as holder:
        holder.execute("SELECT FROM tenant_2.documents")
        targets = [Part(target, ReembedPlan(lock_attempts=1, lock_timeout_secs=0.05), MODEL) for target in tenants]
        with pytest.raises(LockNotAvailable, match=r"tenant_2\.documents could not be locked"):
            reembed_together(dsn(conn), targets)
    assert states(conn, tenants) == [8, 8, 8]
    reports = reembed_together(dsn(conn), targets[::-1])
    assert [report.rows_updated for report in reports] == [4, 2, 10]
    assert states(conn, tenants) == [24, 24, 24]


def test_rows_that_change_meanwhile_are_encoded_before_all_change(conn: Conn, tenants: list[Target]) -> None:
    def write(call: int, texts: Any) -> None:
        # The first two targets are staged already, and more rows are new than fit in one batch.
        if call == 5:
            conn.execute("INSERT INTO tenant_10.documents (content) SELECT 'late ' || i FROM generate_series(1, 9) i")

    model = FakeEmbedder("tenants' model", 24, hook=write)
    plan = ReembedPlan(batch_size=4)
    reembed_together(dsn(conn), [Part(target, plan, model) for target in tenants])
    for target in tenants:
        check_space(conn, MODEL, target)
    assert len(model.texts) == 10 + 2 + 4 + 9


def test_one_script_has_one_transaction(
    vestige: Any, conn: Conn, db: str, tenants: list[Target], psql: str, tmp_path: Path
) -> None:
    assert vestige("migrate", "stage", "--all").code == 0
    said = vestige("migrate", "sql", "tenants", "chunks", "--keep-old")
    assert said.code == 0, said.err
    script = said.out
    lines = script.splitlines()
    assert lines.count("BEGIN;") == lines.count("COMMIT;") == 1
    locks = [line for line in lines if line.startswith("LOCK TABLE") and "ACCESS EXCLUSIVE" in line]
    assert [line.split()[2] for line in locks] == ['"My', '"tenant_10"."documents"', '"tenant_2"."documents"']
    assert max(lines.index(line) for line in locks) < lines.index("\\echo sql/gate/03_nothing_refuses.sql")
    file = tmp_path / "script.sql"
    file.write_text(script)
    conn.execute("INSERT INTO tenant_2.documents (content) VALUES ('not staged')")
    command = [psql, "-X", db, "-f", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert states(conn, tenants) == [8, 8, 8]
    conn.execute("DELETE FROM tenant_2.documents WHERE content = 'not staged'")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    for target in tenants:
        check_space(conn, MODEL, target)
    assert conn.execute("SELECT count(*), count(DISTINCT xmin::text) FROM vestige_sql.model").fetchone() == (3, 1)
    assert conn.execute("SELECT count(*) FROM vestige_sql.run WHERE state = 'done'").fetchone() == (3,)
    assert "--plain prints the script of one target" in vestige("migrate", "sql", "--all", "--plain").err
