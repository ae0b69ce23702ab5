"""Which vectors a copy takes from Vestige: the live ones, of one model, of memories that have one, and no others."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from support import Conn, FakeEmbedder, everything, registered
from support.vestige_sqlite import (
    LEGACY_PROFILE,
    MODEL,
    active,
    blob,
    build,
    build_real,
    change,
    key,
    memory,
    profile,
    vectors,
)

from vestige_sql import ModelSignature, cli, register_model, run_reembed
from vestige_sql.errors import ModelMismatch, SourceError, VestigeError
from vestige_sql.plan import CopyPlan
from vestige_sql.vestige.copy import dry_run_copy, run_copy
from vestige_sql.vestige.vectors import NEWEST_KNOWN

NOMIC = "nomic-ai/nomic-embed-text-v1.5"
MINILM = "all-MiniLM-L6-v2"
QWEN = "qwen3-balanced"

Rows = dict[str, list[dict[str, Any]]]


def signature(name: str, dimension: int) -> ModelSignature:
    return ModelSignature(name, dimension, "5" * 64)


def embedded(conn: Conn) -> dict[str, str | None]:
    """The vector of each memory, by its number."""
    found = conn.execute("SELECT id::text, embedding::text FROM knowledge_nodes ORDER BY id").fetchall()
    return {str(int(one_id[-4:], 16)): vector for one_id, vector in found}


def memories(count: int, **values: Any) -> list[dict[str, Any]]:
    return [memory(n, **{"has_embedding": 1} | values) for n in range(count)]


def two_profiles(switched: str) -> Rows:
    """Four memories under two profiles of one dimension, ``switched`` being active, and a mirror of neither."""
    return {
        "knowledge_nodes": memories(4),
        "node_embeddings": [{"node_id": key(n), **vectors([9, 9, n], model=NOMIC)} for n in range(4)],
        "embedding_profiles": [profile(LEGACY_PROFILE, NOMIC, 3), profile(QWEN, "acme/qwen", 3)],
        "embedding_profile_state": active(switched),
        "embedding_profile_vectors": [
            *({"profile_id": LEGACY_PROFILE, "node_id": key(n), **vectors([1, n, 0], model=NOMIC)} for n in range(4)),
            # Its own runtime writes the profile's id for the model.
            *({"profile_id": QWEN, "node_id": key(n), **vectors([2, n, 0], model=QWEN)} for n in range(3)),
        ],
    }


@pytest.mark.parametrize("version", [28, 32, NEWEST_KNOWN])
@pytest.mark.parametrize(("switched", "model", "first"), [(LEGACY_PROFILE, NOMIC, 1), (QWEN, "acme/qwen", 2)])
def test_the_vectors_of_the_active_profile_are_the_live_ones(
    db: str, conn: Conn, tmp_path: Path, version: int, switched: str, model: str, first: int
) -> None:
    path = build_real(tmp_path / "s.db", version, two_profiles(switched))
    report = run_copy(db, path, signature=signature(model, 3))
    count = 3 if switched == QWEN else 4
    # A memory that only the mirror or another profile has a vector of has none.
    expected = {str(n): f"[{first},{n},0]" if n < count else None for n in range(4)}
    assert embedded(conn) == expected
    found = report.tables["node_embeddings"]
    assert (found.presented, found.new, found.bad) == (count, count, 0)
    assert (report.errors, report.profile, report.model) == ([], switched, signature(model, 3))
    other = {LEGACY_PROFILE: QWEN, QWEN: LEGACY_PROFILE}[switched]
    assert report.vectors_left == {f"profile {other}": 7 - count}
    assert "search_document: {content}" in " ".join(report.notes)
    assert conn.execute("SELECT metadata -> 'node_embeddings' FROM knowledge_nodes LIMIT 1").fetchone() == (
        {"profile_id": switched, "created_at": "2026-01-02T03:04:05+00:00"},
    )


def test_what_a_profile_leaves_empty_is_encoded_by_reembed(db: str, conn: Conn, tmp_path: Path) -> None:
    embedder = FakeEmbedder("acme/qwen", 3)
    run_copy(db, build_real(tmp_path / "s.db", 35, two_profiles(QWEN)), signature=embedder.signature())
    assert run_reembed(db, embedder).rows_updated == 1
    after = embedded(conn)
    assert [after[str(n)] for n in range(3)] == [f"[2,{n},0]" for n in range(3)] and after["3"] is not None


def test_a_profile_that_is_not_registered_is_not_taken_for_the_mirrors_model(
    db: str, conn: Conn, tmp_path: Path
) -> None:
    register_model(db, signature(NOMIC, 3))
    before = everything(conn)
    with pytest.raises(ModelMismatch, match=r"are of acme/qwen \(3 dimensions\), and .* is registered under nomic"):
        run_copy(db, build_real(tmp_path / "s.db", 35, two_profiles(QWEN)))
    assert everything(conn) == before


def test_profiles_that_were_made_and_never_activated_leave_the_old_table_live(
    db: str, conn: Conn, tmp_path: Path
) -> None:
    rows = two_profiles(QWEN) | {"embedding_profile_state": []}
    run_copy(db, build_real(tmp_path / "s.db", 28, rows), signature=signature(NOMIC, 3))
    assert embedded(conn) == {str(n): f"[9,9,{n}]" for n in range(4)}


def test_an_active_profile_that_nobody_describes_stops_the_vectors_and_not_the_text(
    db: str, conn: Conn, tmp_path: Path
) -> None:
    rows = two_profiles(QWEN)
    rows["embedding_profiles"].pop()
    path = build_real(tmp_path / "s.db", 35, rows)
    before = everything(conn)
    with pytest.raises(SourceError, match="names the active profile qwen3-balanced") as error:
        run_copy(db, path, signature=signature("acme/qwen", 3))
    assert "--without-embeddings" in error.value.hint and "nothing was written" in error.value.hint
    assert everything(conn) == before
    assert run_copy(db, path, CopyPlan(embeddings=False)).tables["knowledge_nodes"].new == 4


# --- has_embedding ---


@pytest.mark.parametrize("version", [15, 16, 35])
def test_a_memory_without_the_flag_has_no_vector(db: str, conn: Conn, tmp_path: Path, version: int) -> None:
    rows: Rows = {
        "knowledge_nodes": [memory(n, has_embedding=flag) for n, flag in enumerate([1, 0, None, 1])],
        "node_embeddings": [{"node_id": key(n), **vectors([1, n, 0])} for n in range(4)],
    }
    if version >= 28:
        rows["embedding_profiles"] = [profile(LEGACY_PROFILE, MODEL, 3)]
        rows["embedding_profile_state"] = active(LEGACY_PROFILE)
        rows["embedding_profile_vectors"] = [{"profile_id": LEGACY_PROFILE, **row} for row in rows["node_embeddings"]]
    path = build_real(tmp_path / "s.db", version, rows)
    report = run_copy(db, path, signature=signature(MODEL, 3))
    assert embedded(conn) == {"0": "[1,0,0]", "1": None, "2": None, "3": "[1,3,0]"}
    assert report.errors == [] and report.vectors_left == {"has_embedding = 0": 2}
    found = report.tables["node_embeddings"]
    assert (found.presented, found.new, found.bad) == (2, 2, 0)


def test_a_faulty_vector_of_a_memory_without_the_flag_is_no_fault(db: str, conn: Conn, tmp_path: Path) -> None:
    rows: Rows = {
        "knowledge_nodes": [memory(0, has_embedding=1), memory(1, has_embedding=0)],
        "node_embeddings": [
            {"node_id": key(0), **vectors([1, 0, 0])},
            {"node_id": key(1), **vectors([0, 0], model="another")},
        ],
    }
    assert run_copy(db, build_real(tmp_path / "s.db", 16, rows), signature=signature(MODEL, 3)).errors == []
    assert embedded(conn) == {"0": "[1,0,0]", "1": None}


def test_an_upgrade_makes_a_flag_that_says_which_memories_have_a_vector(db: str, conn: Conn, tmp_path: Path) -> None:
    rows = {
        "knowledge_nodes": [memory(n) for n in range(2)],
        "node_embeddings": [{"node_id": key(0), **vectors([1, 0, 0])}],
    }
    path = build(tmp_path / "s.db", 4, rows)
    run_copy(db, path, CopyPlan(allow_source_upgrade=True, upgrade_in_place=True), signature=signature(MODEL, 3))
    assert embedded(conn) == {"0": "[1,0,0]", "1": None}
    assert conn.execute("SELECT metadata -> 'has_embedding' FROM knowledge_nodes ORDER BY id").fetchall() == [
        (1,),
        (0,),
    ]


# --- Several models ---


def mixed(version: int = 16, registry: str | None = None) -> Rows:
    """Nomic's vectors, with some of MiniLM between them: of its own dimension, and of Nomic's."""
    whose = [NOMIC, MINILM, NOMIC, MINILM, NOMIC, NOMIC]
    sizes = [3, 4, 3, 3, 3, 5]
    rows: Rows = {
        "knowledge_nodes": memories(6),
        "node_embeddings": [
            {"node_id": key(n), **vectors([1, n, *([0] * (size - 2))], model=name)}
            for n, (name, size) in enumerate(zip(whose, sizes, strict=True))
        ],
        "domains": [{"id": "work", "label": "Work", "centroid": blob([1, 2, 3]), "created_at": "2026-01-01"}],
    }
    if registry is not None:
        rows["embedding_model"] = [
            {"id": 1, "name": registry, "dimension": 3, "hash": "5" * 64, "created_at": "2026-01-01"}
        ]
    if version >= 28:
        rows["embedding_profiles"] = [profile(LEGACY_PROFILE, NOMIC, 3)]
        rows["embedding_profile_state"] = active(LEGACY_PROFILE)
        rows["embedding_profile_vectors"] = [{"profile_id": LEGACY_PROFILE, **row} for row in rows["node_embeddings"]]
    return rows


def vector(number: int, size: int) -> str:
    return f"[1,{number}{',0' * (size - 2)}]"


OF_NOMIC = {"0": vector(0, 3), "1": None, "2": vector(2, 3), "3": None, "4": vector(4, 3), "5": None}


@pytest.mark.parametrize("named_by", ["--model", "registered", "source's registry", "active profile"])
def test_one_of_several_models_is_kept_and_the_others_wait_for_reembed(
    db: str, conn: Conn, tmp_path: Path, named_by: str
) -> None:
    embedder = FakeEmbedder(NOMIC, 3)
    wanted = signature(NOMIC, 3) if named_by == "source's registry" else embedder.signature()
    if named_by == "registered":
        register_model(db, wanted)
    rows = mixed(28 if named_by == "active profile" else 16, NOMIC if named_by == "source's registry" else None)
    path = build_real(tmp_path / "s.db", 28 if named_by == "active profile" else 16, rows)
    offered = wanted if named_by in ("--model", "active profile") else None
    seen = dry_run_copy(db, path, signature=offered)
    report = run_copy(db, path, signature=offered)
    assert embedded(conn) == OF_NOMIC
    assert (report.errors, report.model) == ([], wanted)
    assert report.vectors_left == {
        f"{MINILM} (4 dimensions)": 1,
        f"{MINILM} (3 dimensions)": 1,
        f"{NOMIC} (5 dimensions)": 1,
    }
    assert (seen.vectors_left, seen.notes[:2]) == (report.vectors_left, report.notes[:2])
    found = report.tables["node_embeddings"]
    assert (found.presented, found.new, found.bad) == (3, 3, 0)
    said = " ".join(report.notes)
    assert "migrate reembed" in said and "centroids of 1 domains stay behind" in said
    assert conn.execute("SELECT label, centroid FROM domains").fetchall() == [("Work", None)]
    assert registered(conn) == (wanted.name, 3, wanted.hash)
    if named_by != "source's registry":
        assert run_reembed(db, embedder).rows_updated == 3
        after = embedded(conn)
        assert all(after[n] == kept for n, kept in OF_NOMIC.items() if kept is not None)
        assert None not in after.values()


def test_another_one_of_several_models_can_be_kept(db: str, conn: Conn, tmp_path: Path) -> None:
    path = build_real(tmp_path / "s.db", 16, mixed(registry=NOMIC))
    # A model from the hub has an owner, which Vestige's name of it lacks.
    report = run_copy(db, path, signature=signature(f"sentence-transformers/{MINILM}", 4))
    assert embedded(conn) == {str(n): vector(n, 4) if n == 1 else None for n in range(6)}
    assert report.errors == [] and sum(report.vectors_left.values()) == 5


def test_several_models_of_which_nothing_names_one_stop_it(db: str, conn: Conn, tmp_path: Path) -> None:
    path = build_real(tmp_path / "s.db", 16, mixed())
    before = everything(conn)
    for run in (run_copy, dry_run_copy):
        with pytest.raises(ModelMismatch) as error:
            run(db, path)
        assert f"come from several models: {NOMIC} (3 dimensions, 3), " in str(error.value)
        for of_one in (f"{MINILM} (3", f"{MINILM} (4", f"{NOMIC} (5"):
            assert f"{of_one} dimensions, 1)" in str(error.value)
        assert "--model NAME_OR_DIR" in error.value.hint and "nothing was written" in error.value.hint
    with pytest.raises(ModelMismatch, match="and --model is acme/none"):
        run_copy(db, path, signature=signature("acme/none", 3))
    assert everything(conn) == before


@pytest.mark.parametrize(
    "names",
    [[None, "acme/x", "x"], [None, MODEL], ["acme/x", "other/x"], [None, None, "other"]],
    ids=["named goes first", "unnamed beside named", "two owners", "unnamed beside others"],
)
def test_what_has_no_name_or_two_owners_is_not_taken_for_the_model_that_is_named(
    db: str, conn: Conn, tmp_path: Path, names: list[str | None]
) -> None:
    """The table has no NOT NULL here, as in a database that another tool has written."""
    rows = {
        "knowledge_nodes": [memory(n) for n in range(len(names))],
        "node_embeddings": [{"node_id": key(n), **vectors([1, n, 0], model=name)} for n, name in enumerate(names)],
    }
    path = build(tmp_path / "s.db", 16, rows)
    wanted = signature(MODEL if MODEL in names else "x", 3)
    try:
        run_copy(db, path, signature=wanted)
    except ModelMismatch as error:
        assert "several models" in str(error)
        assert embedded(conn) == {}
        assert names in (["acme/x", "other/x"], [None, None, "other"])
    else:
        taken = [n for n, found in embedded(conn).items() if found is not None]
        assert taken == [str(n) for n, name in enumerate(names) if name == wanted.name]


def test_a_faulty_vector_is_reported_whatever_else_is_there(db: str, tmp_path: Path) -> None:
    rows = mixed()
    rows["node_embeddings"][2]["embedding"] = b"short"
    rows["node_embeddings"][1]["embedding"] = b"short too"
    report = run_copy(db, build_real(tmp_path / "s.db", 16, rows), signature=signature(NOMIC, 3))
    # That of another model would have stayed behind anyway.
    assert [(row.id, row.reason) for row in report.errors] == [
        (key(2), "embedding has 5 bytes, and 3 dimensions take 12")
    ]


def test_vectors_that_are_older_than_a_change_of_their_memory_are_counted(db: str, conn: Conn, tmp_path: Path) -> None:
    rows: Rows = {
        "knowledge_nodes": [
            memory(n, has_embedding=1, updated_at=changed)
            for n, changed in enumerate(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+00:00", "2026-01-01"])
        ],
        "node_embeddings": [{"node_id": key(n), **vectors([1, n, 0])} for n in range(3)],
    }
    report = run_copy(db, build_real(tmp_path / "s.db", 16, rows), signature=signature(MODEL, 3))
    assert [note for note in report.notes if note.startswith("1 of the vectors were made before")]
    # The statement of docs/copy.md finds the same one.
    text = (Path(__file__).parents[2] / "docs" / "copy.md").read_text(encoding="utf-8")
    statement = text[text.index("    UPDATE knowledge_nodes SET embedding = NULL") :].split("\n\n")[0]
    conn.execute(statement)  # type: ignore[call-overload]
    assert embedded(conn) == {"0": "[1,0,0]", "1": None, "2": "[1,2,0]"}


# --- A schema that is newer than the newest known one ---


def newer(path: Path, *statements: str) -> Path:
    build_real(path, NEWEST_KNOWN + 1, two_profiles(QWEN))
    for statement in statements:
        change(path, statement)
    return path


def test_a_newer_schema_is_read_and_named(
    db: str, conn: Conn, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    path = newer(tmp_path / "s.db", "CREATE TABLE walk_receipts (id TEXT, n INTEGER)")
    register_model(db, signature("acme/qwen", 3))
    caplog.set_level(logging.INFO)
    verb = ["migrate", "copy", "--sqlite-path", str(path), "--postgres-url", db, "--json"]
    assert cli.main(verb) == 0
    answer = json.loads(capsys.readouterr().out)
    assert f"has version {NEWEST_KNOWN + 1}, and {NEWEST_KNOWN} is the newest that is known" in answer["notes"][0]
    assert (answer["profile"], answer["vectors_left"]) == (QWEN, {f"profile {LEGACY_PROFILE}": 4})
    assert embedded(conn)["0"] == "[2,0,0]"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE chunk_embeddings (node_id TEXT, data BLOB)",
        "CREATE TABLE chunks (node_id TEXT, vector BLOB)",
    ],
)
def test_a_newer_schema_with_vectors_elsewhere_stops_the_vectors_and_not_the_text(
    db: str, conn: Conn, tmp_path: Path, statement: str
) -> None:
    path = newer(tmp_path / "s.db", statement)
    before = everything(conn)
    for run in (run_copy, dry_run_copy):
        with pytest.raises(VestigeError, match="may be in tables that are not known: chunk") as error:
            run(db, path, signature=signature("acme/qwen", 3))
        assert "--without-embeddings" in error.value.hint
    assert everything(conn) == before
    assert run_copy(db, path, CopyPlan(embeddings=False)).tables["knowledge_nodes"].new == 4
    # In a version that is known the table is somebody else's.
    change(path, "UPDATE schema_version SET version = ?", NEWEST_KNOWN)
    assert run_copy(db, path, signature=signature("acme/qwen", 3)).tables["node_embeddings"].bad == 0


def test_a_newer_schema_without_the_known_columns_gives_its_text(db: str, conn: Conn, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    build_real(path, NEWEST_KNOWN + 1, {"knowledge_nodes": memories(2)})
    change(path, "ALTER TABLE node_embeddings RENAME COLUMN embedding TO packed")
    with pytest.raises(SourceError, match="node_embeddings has no columns node_id and embedding"):
        run_copy(db, path)
    assert run_copy(db, path, CopyPlan(embeddings=False)).tables["knowledge_nodes"].new == 2
    assert embedded(conn) == {"0": None, "1": None}
