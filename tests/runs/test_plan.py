"""``migrate plan``: it says what a run then does, in order, who waits, and how to go back; and it changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from demo.minilm import build_tiny
from support import Conn, FakeEmbedder, everything, seed

from vestige_sql import ReembedPlan, cli, dry_run_reembed, register_model, run_reembed
from vestige_sql.steps import plans

OLD, NEW = FakeEmbedder("old", 16), FakeEmbedder("new", 32)

PLANS = {
    "rewrite": ReembedPlan(),
    "swap": ReembedPlan(apply="swap"),
    "widen": ReembedPlan(apply="widen"),
    "keep": ReembedPlan(keep_old=True),
    "concurrent": ReembedPlan(concurrent_index=True),
    "online": ReembedPlan(online=True, recall_sample=0),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("name", PLANS)
def test_the_steps_of_the_plan_are_those_that_the_run_takes(db: str, conn: Conn, name: str) -> None:
    seed(conn, 20, OLD)
    register_model(db, OLD.signature())
    before = everything(conn)
    summary = dry_run_reembed(db, NEW, PLANS[name])
    assert everything(conn) == before
    planned = [step["file"].removeprefix("sql/") for phase in summary.phases for step in phase.steps]
    report = run_reembed(db, NEW, PLANS[name])
    taken = [
        file
        for (file,) in conn.execute("SELECT file FROM vestige_sql.step WHERE run_id = %s ORDER BY id", [report.run_id])
    ]
    assert taken
    # The audit has the steps that act. The plan has them all, in the same order; some of an online run's repeat.
    assert set(taken) <= set(planned)
    order = [file for file in dict.fromkeys(taken) if not file.startswith("stage/")]
    assert order == sorted(order, key=planned.index)


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("rewrite", ["nobody", "everybody"]),
        ("concurrent", ["nobody", "everybody", "nobody"]),
        (
            "online",
            ["nobody", "everybody", *["nobody"] * 6, "everybody", "nobody", "nobody"],
        ),
    ],
)
def test_who_waits_is_what_the_headers_say(db: str, conn: Conn, name: str, waits: list[str]) -> None:
    seed(conn, 5, OLD)
    phases = dry_run_reembed(db, NEW, PLANS[name]).phases
    found = [phase.waits for phase in phases]
    # Steps that take SHARE ROW EXCLUSIVE in the filling keep no reader off.
    assert [wait if wait != "writers" else "nobody" for wait in found] == waits
    for phase in phases:
        for step in phase.steps:
            if step["waits"] == "everybody":
                assert phase.waits == "everybody"


def test_rows_that_lack_a_vector_make_writers_wait_alone(db: str, conn: Conn) -> None:
    seed(conn, 5, OLD)
    register_model(db, OLD.signature())
    conn.execute("UPDATE knowledge_nodes SET embedding = NULL WHERE id IN (SELECT id FROM knowledge_nodes LIMIT 2)")
    summary = dry_run_reembed(db, OLD)
    assert summary.way == "fill"
    assert summary.phases[-1].waits == "writers"
    assert "no vector is replaced" in summary.undo[-1]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rewrite", "vestige-sql migrate reembed --model old --dimension 16, which encodes every row again"),
        ("keep", "vestige-sql migrate rollback, under a lock"),
        ("online", "vestige-sql migrate rollback, in milliseconds"),
    ],
)
def test_the_way_back_is_said(db: str, conn: Conn, name: str, says: str) -> None:
    seed(conn, 5, OLD)
    register_model(db, OLD.signature())
    undo = dry_run_reembed(db, NEW, PLANS[name]).undo
    assert undo[0].startswith("Before the vectors are in place: vestige-sql migrate abort")
    assert says in undo[1]


def test_nothing_to_do_has_no_phases(db: str, conn: Conn) -> None:
    seed(conn, 5, OLD)
    run_reembed(db, NEW)
    summary = dry_run_reembed(db, NEW)
    assert (summary.nothing_to_do, summary.phases, summary.undo) == (True, [], [])


def test_a_plan_is_measured_unless_told_not_to(
    db: str, conn: Conn, tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", db)
    seed(conn, 30, OLD)
    before = everything(conn)

    def said(*options: str) -> str:
        assert cli.main(["migrate", "plan", "--model", str(tiny), "--dimension", "32", *options]) == 0
        return capsys.readouterr().out

    text = said()
    assert re.search(r"^time +.*, measured on 30 of the table's rows$", text, re.MULTILINE)
    assert re.search(r"^disk +.* more than now at its peak", text, re.MULTILINE)
    assert "Plan for public.knowledge_nodes.embedding" in text
    assert re.search(r"^   ! sql/lock/exclusive/20_lock_target.sql +Keep everybody off", text, re.MULTILINE)
    assert "sql/registry" not in text
    assert "sql/registry" in said("--all-steps")
    assert "a fixed estimate of 50 rows a second" in said("--no-calibrate")

    markdown = said("--markdown", "--no-calibrate")
    assert markdown.startswith("### Re-embedding of `public.knowledge_nodes.embedding`\n\n| | |\n|---|---|\n| from |")
    assert "| `sql/apply/rewrite/20_rewrite_column.sql` |" in markdown
    assert markdown.count("<details>") == markdown.count("</details>") == 2

    answer: dict[str, Any] = json.loads(said("--json", "--no-calibrate"))
    assert [phase["name"] for phase in answer["phases"]] == ["stage", "apply"]
    assert answer["undo"]
    assert everything(conn) == before


def test_what_a_name_contains_makes_no_markdown(db: str, conn: Conn, tiny: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DATABASE_URL", db)
    conn.execute("CREATE TABLE documents (id int PRIMARY KEY, content text, embedding vector(3))")
    conn.execute("INSERT INTO documents VALUES (1, 'one', '[1,2,3]')")
    conn.execute('CREATE PUBLICATION "<b>|[x](y)" FOR TABLE documents')
    options = ["--table", "documents", "--model", str(tiny), "--dimension", "32", "--no-calibrate", "--markdown"]
    assert cli.main(["migrate", "plan", *options]) == 0
    out = capsys.readouterr().out
    assert r"\<b\>\|\[x\](y)" in out
    assert "<b>" not in out


def test_every_plan_has_a_title() -> None:
    for name in plans.names():
        assert re.match(r"[A-Z].*\.", plans.load(name).comment), name
