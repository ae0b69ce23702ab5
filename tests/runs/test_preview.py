"""Preview: what the old space and the staged one answer, before anything is switched, is what searches find in each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from demo.minilm import build_tiny
from psycopg import sql
from support import Conn, FakeEmbedder, Points, columns_of, everything, key_of, literal, seed, table_name, vectors

from vestige_sql import VESTIGE, Target, apply_staged, cli, register_model, run_reembed, stage_reembed
from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import CheckFailed, ModelMismatch, UsageError
from vestige_sql.look.preview import preview, staged_models
from vestige_sql.reembed.verbs import abort_reembed

ROOT = Path(__file__).parents[2]
OLD, NEW = FakeEmbedder("old", 16), FakeEmbedder("new", 24)
QUESTION = "which memory"


class Alike(FakeEmbedder):
    """Another model whose vectors point where those of ``OLD`` do."""

    def vector(self, text: str) -> Vectors:
        return OLD.vector(text) * 2


def nearest(
    conn: Conn, vector: str, limit: int, *, but: str = "", operator: str = "<=>", target: Target = VESTIGE
) -> Any:
    """The keys of the rows nearest to ``vector`` in the live column, by an exact search."""
    query = sql.SQL(
        "SELECT {id}::text FROM {table} WHERE {id}::text <> %(but)s AND {embedding} IS NOT NULL"
        " ORDER BY ({embedding} {operator} %(vector)s) + 0, {id} LIMIT %(limit)s"
    ).format(
        id=key_of(target),
        table=table_name(target),
        embedding=sql.Identifier(columns_of(target)[2]),
        operator=sql.SQL(operator),  # type: ignore[arg-type]
    )
    return [key for (key,) in conn.execute(query, {"but": but, "vector": vector, "limit": limit})]


def keys(rows: Sequence[Any]) -> list[str]:
    return [row["key"] for row in rows]


@pytest.fixture
def staged(db: str, conn: Conn) -> list[str]:
    """40 rows in the old space, all with text staged in the new one, and two without text."""
    texts = seed(conn, embedder=OLD, texts=[*(f"memory number {i}" for i in range(40)), "", "  "])
    stage_reembed(db, NEW)
    return texts


def test_each_space_answers_as_a_search_in_it_does(db: str, conn: Conn, staged: list[str]) -> None:
    before = everything(conn)
    found = preview(db, QUESTION, NEW, OLD, limit=7)
    assert everything(conn) == before
    assert (found["old_model"], found["new_model"]) == staged_models(db) == (OLD.signature(), NEW.signature())
    assert (found["rows_with_text"], found["rows_staged"], found["rows_in_both"]) == (40, 40, 40)
    asked = found["question"]
    assert asked["stand_in"] is None
    assert keys(asked["old"]) == nearest(conn, literal(OLD.vector(QUESTION)), 7)
    texts = {key: text for key, (text, _) in vectors(conn).items()}
    assert all(row["text"] == texts[row["key"]] for row in asked["old"] + asked["new"])
    assert [row["distance"] for row in asked["old"]] == sorted(row["distance"] for row in asked["old"])
    # What it said of the new space is what is found there once it is in place.
    apply_staged(db)
    assert keys(asked["new"]) == nearest(conn, literal(NEW.vector(QUESTION)), 7)


def test_the_overlap_is_that_of_the_nearest_neighbours(db: str, conn: Conn, staged: list[str]) -> None:
    found = preview(db, limit=5, sample=12)["overlap"]
    old = {row["key"]: nearest(conn, literal(OLD.vector(row["text"])), 5, but=row["key"]) for row in found["rows"]}
    assert [row["old_nearest"] for row in found["rows"]] == list(old.values())
    assert preview(db, limit=5, sample=12)["overlap"] == found
    again = preview(db, limit=5, sample=20)["overlap"]["rows"]
    assert {*keys(found["rows"])} < {*keys(again)}
    apply_staged(db)
    for row in found["rows"]:
        assert row["new_nearest"] == nearest(conn, literal(NEW.vector(row["text"])), 5, but=row["key"])
        assert row["overlap"] == len({*row["old_nearest"]} & {*row["new_nearest"]}) / 5
    overlaps = [row["overlap"] for row in found["rows"]]
    assert len(overlaps) == 12
    assert overlaps == sorted(overlaps)
    assert found["mean"] == pytest.approx(sum(overlaps) / 12)
    assert 0 < found["mean"] < 1


def test_a_model_that_sees_the_same_overlaps_wholly(db: str, conn: Conn) -> None:
    seed(conn, 30, OLD)
    stage_reembed(db, Alike("alike", OLD.dimension))
    overlap = preview(db, limit=4, sample=1000)["overlap"]
    assert (len(overlap["rows"]), overlap["mean"]) == (30, 1.0)


def test_a_row_stands_in_where_the_old_model_is_not_at_hand(db: str, conn: Conn, staged: list[str]) -> None:
    asked = preview(db, QUESTION, NEW, limit=6)["question"]
    assert asked["stand_in"] == asked["new"][0]["key"]
    assert keys(asked["old"]) == nearest(conn, literal(OLD.vector(asked["new"][0]["text"])), 6)
    assert asked["old"][0]["key"] == asked["stand_in"]


def test_there_may_be_no_old_space(db: str, conn: Conn) -> None:
    seed(conn, 8)
    stage_reembed(db, NEW)
    found = preview(db, QUESTION, NEW, limit=3, sample=3)
    assert found["old_model"] is None
    assert (found["question"]["old"], len(found["question"]["new"])) == ([], 3)
    assert found["overlap"] == {"mean": None, "limit": 3, "rows": []}
    with pytest.raises(ModelMismatch, match="no model is registered"):
        preview(db, QUESTION, NEW, OLD)


def test_what_is_staged_so_far_is_previewed(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, 30, OLD)
    monkeypatch.setattr("vestige_sql.reembed.stage.PAGE_ROWS", 10)

    def die(call: int, _: Sequence[str]) -> None:
        if call == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage_reembed(db, FakeEmbedder(NEW.model_name, NEW.dimension, hook=die))
    conn.execute("DELETE FROM knowledge_nodes WHERE id IN (SELECT id FROM knowledge_nodes ORDER BY ctid LIMIT 2)")
    conn.execute(
        "UPDATE knowledge_nodes SET content = 'changed'"
        " WHERE id = (SELECT id FROM knowledge_nodes ORDER BY ctid LIMIT 1)"
    )
    found = preview(db, QUESTION, NEW, OLD, limit=50, sample=50)
    assert (found["rows_with_text"], found["rows_staged"], found["rows_in_both"]) == (28, 17, 17)
    asked = found["question"]
    assert (len(asked["old"]), len(asked["new"])) == (28, 18)
    # Neighbours are sought among the rows that both spaces have, so nothing that is only not staged yet has moved.
    assert len(found["overlap"]["rows"]) == 17
    assert found["overlap"]["mean"] == 1


def test_any_table_is_previewed_by_the_distance_of_its_index(db: str, conn: Conn) -> None:
    target = Target('"My Docs"', "Doc Id", "Body", "Vec")
    conn.execute('CREATE TABLE "My Docs" ("Doc Id" text COLLATE "C" PRIMARY KEY, "Body" text, "Vec" vector)')
    conn.cursor().executemany(
        'INSERT INTO "My Docs" VALUES (%s, %s, %s::vector)',
        [(f"it's {i}", f"memory {i}", literal(OLD.vector(f"memory {i}") * (1 + i))) for i in range(15)],
    )
    register_model(db, OLD.signature(), target=target)
    conn.execute('CREATE INDEX ON "My Docs" USING hnsw ("Vec" vector_l2_ops)')
    stage_reembed(db, NEW, target=target)
    asked = preview(db, QUESTION, NEW, OLD, limit=5, sample=2, target=target)["question"]
    by_length = nearest(conn, literal(OLD.vector(QUESTION)), 5, operator="<->", target=target)
    assert keys(asked["old"]) == by_length
    assert by_length != nearest(conn, literal(OLD.vector(QUESTION)), 5, target=target)


# --- What is refused ---


def test_nothing_staged_is_nothing_to_preview(db: str, conn: Conn) -> None:
    seed(conn, 5, OLD)
    for when in ("before", "after"):
        with pytest.raises(CheckFailed, match=r"nothing is staged for public\.knowledge_nodes\.embedding"):
            preview(db, QUESTION, NEW, OLD)
        if when == "before":
            run_reembed(db, NEW)
    conn.execute("UPDATE knowledge_nodes SET embedding = NULL")
    stage_reembed(db, NEW)
    with pytest.raises(CheckFailed, match="of the registered model"):
        preview(db, sample=3)


def test_another_model_is_refused(db: str, conn: Conn, staged: list[str]) -> None:
    with pytest.raises(ModelMismatch) as error:
        preview(db, QUESTION, OLD, OLD)
    assert str(NEW.signature()) in str(error.value)
    assert str(OLD.signature()) in str(error.value)
    with pytest.raises(ModelMismatch, match="they differ in hash"):
        preview(db, QUESTION, NEW, FakeEmbedder("old", 16, salt="x"))
    for arguments in ({}, {"question": " "}, {"sample": -1}, {"question": QUESTION}, {"sample": 1, "limit": 0}):
        with pytest.raises(UsageError):
            preview(db, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ["abort", "apply", "another run"])
def test_a_switch_meanwhile_is_noticed(db: str, staged: list[str], monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def meanwhile() -> None:
        if what == "apply":
            apply_staged(db)
        else:
            abort_reembed(db)
        if what == "another run":
            stage_reembed(db, FakeEmbedder("third", NEW.dimension))

    points = Points(monkeypatch)
    points.before("preview/question.sql", meanwhile)
    with pytest.raises(CheckFailed, match="put in place or dropped during the preview"):
        preview(db, QUESTION, NEW, OLD)


# --- By hand and by command ---


def test_psql_with_the_files_says_the_same(db: str, staged: list[str], psql: str) -> None:
    done = subprocess.run(
        [psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "sample=6", "-v", "limit=5", "-v", "operator=<=>"]
        + [arg for file in ("variables.psql", "preview/rows.sql", "preview/overlap.sql")
           for arg in ("-f", str(ROOT / "sql" / file))]
        + [db],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = preview(db, limit=5, sample=6)["overlap"]["rows"]
    lines = done.stdout.splitlines()
    assert "40|40|40" in lines
    assert [line.partition("|")[0] for line in lines[-6:]] == keys(rows)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    prompts = {"query": "ask: "}
    return build_tiny(folder / "before", dimension=16), build_tiny(
        folder / "after", dimension=24, seed=1, prompts=prompts
    )


@pytest.fixture
def vestige(
    db: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Any]:
    """Runs ``vestige-sql migrate preview`` on ``db``, from a folder with nothing in it, away from the hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def run(*argv: object) -> Any:
        capsys.readouterr()
        code = cli.main(["migrate", "preview", "--postgres-url", db, *map(str, argv)])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return run


@pytest.fixture
def staged_by_tiny(db: str, conn: Conn, models: tuple[Path, Path]) -> list[str]:
    texts = seed(conn, texts=["pick a lottery winner", "an index of a table", "the lock of a row", "a row of a table"])
    old, new = (load_embedder(str(folder)) for folder in models)
    run_reembed(db, old)
    stage_reembed(db, new)
    return texts


def test_the_command_for_people(vestige: Any, staged_by_tiny: list[str], models: tuple[Path, Path]) -> None:
    old, new = models
    said = vestige("a lottery", "-k", 2, "--sample", 3, "--model", new, "--old-model", old)
    assert said.code == 0, said.err
    assert "old model   before (16 dimensions" in said.out
    assert "new model   after (24 dimensions" in said.out
    assert "staged      4 of 4 rows with text" in said.out
    assert "'a lottery', " in said.out
    assert "old space" in said.out
    assert said.out.count("lottery winner") >= 1
    assert "stands in" not in said.out + said.err
    assert "of the 2 nearest neighbours, mean of 3 rows" in said.out


def test_the_command_in_json(
    vestige: Any, db: str, staged_by_tiny: list[str], models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (load_embedder(str(folder)) for folder in models)
    monkeypatch.chdir(models[0].parent)  # where both are found by their names
    said = vestige("a lottery", "--json", "--sample", 2)
    assert (said.code, said.err) == (0, "")
    answer = json.loads(said.out)
    expected = preview(db, "a lottery", new, old, sample=2)
    assert answer["old_model"] == vars(old.signature())
    assert answer["new_model"] == vars(new.signature())
    assert {name: answer[name] for name in ("question", "overlap")} == {
        name: expected[name] for name in ("question", "overlap")
    }


def test_the_command_without_the_old_model(vestige: Any, staged_by_tiny: list[str], models: tuple[Path, Path]) -> None:
    said = vestige("a lottery", "--model", models[1])
    assert said.code == 0
    assert "the old model is not at hand" in said.err
    assert "stands in for the question" in said.out
    # Named, it has to be the one.
    said = vestige("a lottery", "--model", models[1], "--old-model", models[1])
    assert said.code == 1
    assert "before (16 dimensions" in said.err
    said = vestige("a lottery")
    assert said.code == 1
    assert "cannot be resolved by its name" in said.err
    assert "--model" in said.err
    assert vestige().code == 2
    assert vestige("--sample", 2).code == 0
