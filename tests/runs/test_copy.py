"""Copying Vestige SQLite databases of several versions: all arrives, bad rows are named, again is no more."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import Conn, FakeEmbedder, Points, dsn, everything, registered, seed, typmod
from support.vestige_sqlite import (
    DIMENSION,
    MODEL,
    NEWEST,
    blob,
    build,
    change,
    columns,
    connection,
    elements,
    embedding,
    key,
    memories,
    memory,
)

from vestige_sql import ModelSignature, cli, register_model, run_reembed
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import (
    ModelMismatch,
    RunInProgress,
    ServerError,
    SourceError,
    TargetError,
    UsageError,
    VestigeError,
)
from vestige_sql.plan import CopyPlan
from vestige_sql.vestige import copy
from vestige_sql.vestige.copy import dry_run_copy, run_copy
from vestige_sql.vestige.copy_report import BadRow, CopyReport
from vestige_sql.vestige.source import VERSION

SIGNATURE = ModelSignature(MODEL, DIMENSION, "5" * 64)
ANN, BOB, TEAM = (f"c0000000-0000-4000-8000-00000000000{n}" for n in range(3))

TABLES = ("users", "groups", "group_memberships", "domains", "knowledge_nodes", "scheduling", "edges", "review_events")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(conn: Conn) -> dict[str, list[Any]]:
    """Every row of every table that a copy goes to, vectors as the bytes that they are."""
    return {
        table: conn.execute(
            f"SELECT to_jsonb(t) - 'id' - 'search_vec' AS j FROM {table} t ORDER BY to_jsonb(t)::text"  # type: ignore[arg-type]
        ).fetchall()
        for table in TABLES
    }


def one(conn: Conn, query: str, *values: Any) -> Any:
    row = conn.execute(query, values).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def counted(report: CopyReport) -> dict[str, tuple[int, int | None, int]]:
    return {name: (c.presented, c.new, c.bad) for name, c in report.tables.items() if c.presented}


def everything_there_is() -> dict[str, list[dict[str, Any]]]:
    """Rows in every table that has a place."""
    return memories(3) | {
        "users": [
            {"id": ANN, "handle": "ann", "display_name": "Ann", "created_at": "2023-01-01", "email": "a@x.org"},
            {"id": BOB, "handle": "bob"},
        ],
        "groups": [{"id": TEAM, "handle": "crew", "metadata": '{"floor": 3}', "created_at": "2023-02-01"}],
        "group_memberships": [{"user_id": ANN, "group_id": TEAM, "role": "admin", "joined_at": "2023-03-01 10:00"}],
        "domains": [
            {"id": "work", "label": "Work", "centroid": blob([1, 2, 3, 4]), "top_terms": '["a", "b"]',
             "memory_count": 7, "created_at": "2023-04-01T00:00:00+02:00", "color": "red"}
        ],
        "knowledge_nodes": [
            memory(0, owner_user_id=ANN, visibility="group", shared_with_groups=json.dumps([TEAM]), codebase="repo"),
            memory(1, metadata='{"codebase": "lifted", "n": [1, 2.50], "source": "a chat"}'),
            memory(2, metadata='{"source": "another", "codebase": 7}', codebase=""),
        ],
        "embedding_model": [{"id": 1, "name": MODEL, "dimension": DIMENSION, "hash": SIGNATURE.hash}],
        "review_events": [
            {"id": 17, "memory_id": key(1), "timestamp": "2024-07-01", "rating": 3, "prior_state": '{"s": 1}'},
            {"id": 18, "memory_id": key(1), "timestamp": "2024-07-02T00:00:00Z", "rating": 4},
        ],
    }  # fmt: skip


# --- What becomes what ---


def test_every_column_has_its_place(db: str, conn: Conn, tmp_path: Path) -> None:
    report = run_copy(db, build(tmp_path / "s.db", NEWEST, everything_there_is()))
    assert report.errors == []
    assert counted(report) == {
        "users": (2, 2, 0),
        "groups": (1, 1, 0),
        "group_memberships": (1, 1, 0),
        "domains": (1, 1, 0),
        "knowledge_nodes": (3, 3, 0),
        "node_embeddings": (3, 3, 0),
        "memory_connections": (2, 2, 0),
        "review_events": (2, 2, 0),
    }
    utc = {"tzinfo": UTC}
    assert conn.execute(
        "SELECT id::text, content, node_type, tags, domains, domain_scores, codebase, owner_user_id::text, visibility,"
        " shared_with_groups::text[], created_at, updated_at, search_vec @@ to_tsquery('memory')"
        " FROM knowledge_nodes WHERE id = %s", (key(0),),
    ).fetchone() == (
        key(0), "memory number 0", "decision", ["one", "größe 🐘"], ["work"], {"work": 0.5}, "repo", ANN, "group",
        [TEAM], datetime(2024, 1, 2, 3, 4, 5, **utc), datetime(2024, 2, 3, 4, 5, 6, **utc), True,
    )  # fmt: skip
    assert conn.execute("SELECT * FROM scheduling WHERE memory_id = %s", (key(1),)).fetchone()[1:] == (  # type: ignore[index]
        3.5, 0.1, 0.75, datetime(2024, 3, 4, 5, 6, 7, **utc), datetime(2024, 4, 5, 6, 7, 8, **utc), 3, 1
    )  # fmt: skip
    assert conn.execute(
        "SELECT source_id::text, target_id::text, edge_type, weight, created_at FROM edges"
    ).fetchall() == [(key(n), key(n + 1), "semantic", 0.5, datetime(2024, 5, 6, 7, 8, 9, **utc)) for n in range(2)]
    assert conn.execute(
        "SELECT memory_id::text, timestamp, rating, prior_state, new_state FROM review_events ORDER BY id"
    ).fetchall() == [
        (key(1), datetime(2024, 7, 1, **utc), 3, {"s": 1}, None),
        (key(1), datetime(2024, 7, 2, **utc), 4, None, None),
    ]
    assert conn.execute(
        "SELECT id::text, handle, display_name, metadata FROM users WHERE handle <> 'local' ORDER BY handle"
    ).fetchall() == [
        (ANN, "ann", "Ann", {"email": "a@x.org"}), (BOB, "bob", None, {}),
    ]  # fmt: skip
    assert conn.execute("SELECT id::text, handle, metadata, created_at FROM groups").fetchall() == [
        (TEAM, "crew", {"floor": 3}, datetime(2023, 2, 1, **utc))
    ]
    assert conn.execute("SELECT user_id::text, role, joined_at FROM group_memberships").fetchall() == [
        (ANN, "admin", datetime(2023, 3, 1, 10, **utc))
    ]
    assert conn.execute(
        "SELECT label, centroid::text, top_terms, memory_count, created_at, metadata FROM domains"
    ).fetchall() == [("Work", "[1,2,3,4]", ["a", "b"], 7, datetime(2023, 3, 31, 22, **utc), {"color": "red"})]
    assert registered(conn) == (MODEL, DIMENSION, SIGNATURE.hash)
    assert typmod(conn) == DIMENSION
    assert report.left_behind == {"intentions": 0}
    assert report.columns_left_behind == {
        "memory_connections": ["last_activated", "activation_count"], "review_events": ["id"]
    }  # fmt: skip


def test_a_column_without_a_place_goes_into_metadata_under_its_name(db: str, conn: Conn, tmp_path: Path) -> None:
    rows = everything_there_is()
    rows["knowledge_nodes"].append(
        memory(3, metadata="[1]", scope=None, source=b"\0\xff", sentiment_score=float("inf"))
    )
    run_copy(db, build(tmp_path / "s.db", NEWEST, rows))
    of_column = {
        "retention_strength": 0.5, "sentiment_score": -0.25, "source": "a chat", "valid_from": "2024-01-01",
        "scope": "agent", "flashbulb": 0, "protected": 1,
        "node_embeddings": {"created_at": "2024-01-02T03:04:06+00:00", "version": 1},
    }  # fmt: skip
    found = conn.execute("SELECT metadata, codebase FROM knowledge_nodes ORDER BY id").fetchall()
    assert found == [
        (of_column, "repo"),
        (of_column | {"codebase": "lifted", "n": [1, 2.5]}, "lifted"),
        # what a column would overwrite is kept as well
        (of_column | {"codebase": 7, "metadata": {"source": "another"}}, ""),
        (
            {k: v for k, v in of_column.items() if k not in ("scope", "node_embeddings")}
            | {"metadata": [1], "source": r"\x00ff", "sentiment_score": "inf"},
            None,
        ),
    ]


@pytest.mark.parametrize("version", [1, 4, 14, 15, 16, NEWEST])
def test_a_source_of_any_version_is_read_by_the_columns_that_it_has(
    db: str, conn: Conn, tmp_path: Path, version: int
) -> None:
    register_model(db, SIGNATURE)
    path = build(tmp_path / "s.db", version, memories(4))
    before = sha256(path)
    plan = CopyPlan(batch_size=3, allow_source_upgrade=True)
    report = run_copy(db, path, plan)
    assert sha256(path) == before
    assert report.errors == []
    assert (report.source_version, report.upgraded) == (version, version < VERSION)
    assert counted(report)["knowledge_nodes"] == (4, 4, 0)
    assert counted(report)["node_embeddings"] == (4, 4, 0)
    assert one(conn, "SELECT count(*) FROM edges") == (3 if version >= 3 else 0)
    found = one(conn, "SELECT metadata FROM knowledge_nodes WHERE id = %s", key(1))
    given = {"valid_from": 2, "scope": 4, "protected": 14}
    for name, since in given.items():
        default = {"valid_from": None, "scope": "user", "protected": 0}[name]
        assert found.get(name) == (memory(1)[name] if version >= since else default)
    assert run_copy(db, path, plan).tables["knowledge_nodes"].new == 0


def test_vectors_arrive_bit_for_bit(db: str, conn: Conn, tmp_path: Path) -> None:
    register_model(db, SIGNATURE)
    run_copy(db, build(tmp_path / "s.db", 15, memories(5)))
    for number in range(5):
        sent = one(conn, "SELECT vector_send(embedding) FROM knowledge_nodes WHERE id = %s", key(number))
        little = blob(elements(number))
        assert sent == b"\0\4\0\0" + b"".join(little[i : i + 4][::-1] for i in range(0, len(little), 4))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T23:59:59Z", "2024-02-29 23:59:59"),
        ("2024-02-29t23:59:59.5z", "2024-02-29 23:59:59.5"),
        ("2024-02-29T23:59:59.123456789+00:00", "2024-02-29 23:59:59.123457"),
        ("2024-02-29T23:59:59-08:30", "2024-03-01 08:29:59"),
        ("2024-02-29 23:59:59", "2024-02-29 23:59:59"),
        ("2024-02-29 23:59", "2024-02-29 23:59:00"),
        ("2024-02-29", "2024-02-29 00:00:00"),
        ("2024-02-29 23:59:59 UTC", "2024-02-29 23:59:59"),
        ("2023-02-29T23:59:59Z", None),
        ("2024-02-29T25:00:00Z", None),
        ("2024-02-29T23:59:59+99:00", None),
        ("now", None),
        ("infinity", None),
        ("29.02.2024", None),
        ("1709251199", None),
        ("", None),
    ],
)
def test_a_timestamp_is_read_as_rfc_3339_and_as_utc_without_a_zone(
    one_db: Conn, text: str, expected: str | None
) -> None:
    one_db.execute("SET timezone = 'Asia/Tokyo'; SET datestyle = 'German, DMY'")
    found = one(
        one_db, "SELECT to_char(vestige_sql.read_timestamp(%s) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", text
    )
    assert found == (
        None if expected is None else f"{expected}.000000"[:26] if "." not in expected else f"{expected:0<26}"
    )


@pytest.fixture(scope="module")
def one_db(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Conn]:
    with databases() as conninfo, psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


# --- Bad rows ---

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "id": ({"id": "not-a-uuid"}, "id is no UUID: 'not-a-uuid'"),
    "no id": ({"id": None}, "id is no UUID: NULL"),
    "id in capitals": ({"id": key(0).upper()}, "another row has the same id, but for upper and lower case"),
    "tags": ({"tags": '["a", '}, "tags is no JSON array of strings: '[\"a\", '"),
    "tags of numbers": ({"tags": "[1]"}, "tags is no JSON array of strings: '[1]'"),
    "escaped NUL": ({"tags": r'["\u0000"]'}, r"tags is no JSON array of strings: "),
    "domain_scores": ({"domain_scores": "[]"}, "domain_scores is no JSON object: '[]'"),
    "metadata": ({"metadata": "{"}, "metadata is no JSON: '{'"),
    "created_at": ({"created_at": "yesterday"}, "created_at is no timestamp: 'yesterday'"),
    "next_review": ({"next_review": "soon"}, "next_review is no timestamp: 'soon'"),
    "stability": ({"stability": "much"}, "stability is no number: 'much'"),
    "reps": ({"reps": 1.5}, "reps is no whole number: '1.5'"),
    "NUL": ({"content": "a\0b"}, "content contains a NUL character"),
    "no UTF-8": ({"content": b"\xff"}, "content is not UTF-8"),
    "visibility": ({"visibility": "secret"}, "visibility is no private, group or public: 'secret'"),
    "owner": ({"owner_user_id": BOB}, f"owner_user_id is no user in PostgreSQL: '{BOB}'"),
    "groups": ({"shared_with_groups": '["x"]'}, "shared_with_groups is no JSON array of UUIDs: '[\"x\"]'"),
    "two at once": ({"id": "x", "reps": "y"}, "id is no UUID: 'x'; reps is no whole number: 'y'"),
}


def test_a_bad_memory_is_reported_and_the_rest_moves(db: str, conn: Conn, tmp_path: Path) -> None:
    bad = [memory(10 + n, **values) for n, (values, _) in enumerate(BAD.values())]
    rows = {"knowledge_nodes": [memory(0), *bad, memory(1)]}
    path = build(tmp_path / "s.db", NEWEST, rows)
    report = run_copy(db, path, CopyPlan(batch_size=4))
    ids = [str(row["id"]).replace("None", "NULL") for row in bad]
    assert [(row.table, row.id) for row in sorted(report.errors, key=lambda e: ids.index(e.id))] == [
        ("knowledge_nodes", one_id) for one_id in ids
    ]
    reasons = {row.id: row.reason for row in report.errors}
    for one_id, (_, expected) in zip(ids, BAD.values(), strict=True):
        assert reasons[one_id].startswith(expected)
    assert counted(report) == {"knowledge_nodes": (len(BAD) + 2, 2, len(BAD))}
    assert conn.execute("SELECT id::text FROM knowledge_nodes ORDER BY id").fetchall() == [(key(0),), (key(1),)]
    assert one(conn, "SELECT count(*) FROM scheduling") == 2


def test_a_bad_vector_is_reported_and_its_memory_moves_without_one(db: str, conn: Conn, tmp_path: Path) -> None:
    register_model(db, SIGNATURE)
    bad = {
        0: (blob([1, 2, 3]), "embedding has 12 bytes, and 4 dimensions take 16"),
        1: (b"12345", "embedding has 5 bytes, and 4 dimensions take 16"),
        2: (blob([1, float("nan"), 0, 0]), "embedding contains NaN or infinity"),
        3: (blob([0, 0, 0, 0]), "embedding is a zero vector"),
        4: (7, "embedding is not a BLOB"),
    }
    vectors = [embedding(n, **({"embedding": bad[n][0]} if n in bad else {})) for n in range(12)]
    vectors[5]["dimensions"] = 8
    vectors.append(embedding(99))
    rows = {"knowledge_nodes": [memory(n) for n in range(12)], "node_embeddings": vectors}
    report = run_copy(db, build(tmp_path / "s.db", 15, rows))
    found = {row.id: row.reason for row in report.errors}
    assert {row.table for row in report.errors} == {"node_embeddings"}
    assert set(found) == {key(n) for n in (*range(6), 99)}
    for number, (_, expected) in bad.items():
        assert found[key(number)].startswith(expected)
    assert found[key(5)] == "embedding states 8 dimensions, and has 4"
    assert found[key(99)] == "the source has no memory with this node_id"
    assert counted(report) == {"knowledge_nodes": (12, 12, 0), "node_embeddings": (13, 6, 7)}
    assert one(conn, "SELECT count(embedding) FROM knowledge_nodes") == 6
    assert "migrate reembed" in " ".join(report.notes)


def test_what_refers_to_nothing_is_reported(db: str, conn: Conn, tmp_path: Path) -> None:
    rows = {
        "users": [{"id": ANN, "handle": "ann"}, {"id": BOB, "handle": "local"}, {"id": TEAM, "handle": "ann"}],
        "group_memberships": [{"user_id": ANN, "group_id": TEAM}, {"user_id": ANN, "group_id": TEAM, "role": "boss"}],
        "knowledge_nodes": [memory(0), memory(1), memory(2, owner_user_id=BOB)],
        "memory_connections": [connection(0, 1), connection(0, 2), connection(1, 7, source_id="x")],
        "review_events": [
            {"id": 1, "memory_id": key(2), "timestamp": "2024-01-01", "rating": 1},
            {"id": 2, "memory_id": key(0), "timestamp": "2024-01-01", "rating": 99999},
            {"id": 3, "memory_id": key(0), "timestamp": "2024-01-01", "rating": 2},
        ],
        "domains": [{"id": "ok", "label": "ok"}, {"id": "bad", "label": "bad", "top_terms": "x"}],
    }
    report = run_copy(db, build(tmp_path / "s.db", NEWEST, rows))
    local = one(conn, "SELECT id FROM users WHERE handle = 'local'")
    assert report.errors == [
        BadRow("users", BOB, "handle 'local' is that of another user in PostgreSQL"),
        BadRow("users", TEAM, "handle 'ann' is that of another row"),
        BadRow("group_memberships", f"{ANN}, {TEAM}", "role is no member or admin: 'boss'"),
        BadRow("group_memberships", f"{ANN}, {TEAM}", f"group_id is no group in PostgreSQL: '{TEAM}'"),
        BadRow("domains", "bad", "top_terms is no JSON array of strings: 'x'"),
        BadRow("knowledge_nodes", key(2), f"owner_user_id is no user in PostgreSQL: '{BOB}'"),
        BadRow("memory_connections", f"x, {key(7)}", "source_id is no UUID: 'x'"),
        BadRow("memory_connections", f"{key(0)}, {key(2)}", f"target_id is no memory in PostgreSQL: '{key(2)}'"),
        BadRow("review_events", "2", "rating is no whole number: '99999'"),
        BadRow("review_events", "1", f"memory_id is no memory in PostgreSQL: '{key(2)}'"),
    ]
    assert {name: c[1] for name, c in counted(report).items()} == {
        "users": 1, "group_memberships": 0, "domains": 1, "knowledge_nodes": 2, "memory_connections": 1,
        "review_events": 1,
    }  # fmt: skip
    assert conn.execute("SELECT DISTINCT owner_user_id FROM knowledge_nodes").fetchall() == [(local,)]


# --- Again ---


def test_again_nothing_is_new_and_what_is_there_stays_as_it_is(db: str, conn: Conn, tmp_path: Path) -> None:
    path = build(tmp_path / "s.db", NEWEST, everything_there_is())
    run_copy(db, path)
    conn.execute("UPDATE knowledge_nodes SET content = 'mine' WHERE id = %s", (key(0),))
    conn.execute("DELETE FROM knowledge_nodes WHERE id = %s", (key(2),))
    conn.execute("DELETE FROM review_events WHERE rating = 3")
    conn.execute("INSERT INTO review_events (memory_id, rating) VALUES (%s, 1)", (key(0),))
    report = run_copy(db, path)
    assert {name: c.new for name, c in report.tables.items() if c.new} == {
        "knowledge_nodes": 1, "node_embeddings": 1, "memory_connections": 1, "review_events": 1
    }  # fmt: skip
    assert one(conn, "SELECT content FROM knowledge_nodes WHERE id = %s", key(0)) == "mine"
    before = contents(conn)
    report = run_copy(db, path)
    assert not any(c.new for c in report.tables.values())
    assert contents(conn) == before


@pytest.mark.parametrize(
    ("step", "memories_there"),
    [
        ("from_sqlite/knowledge_nodes/insert/20_insert.sql", 3),
        ("from_sqlite/knowledge_nodes/insert/30_insert_scheduling.sql", 3),
        ("from_sqlite/memory_connections/insert/20_insert.sql", 10),
        ("first_model/20_set_model.sql", 0),
    ],
)
def test_a_copy_that_was_cut_off_goes_on(
    db: str, conn: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, memories_there: int
) -> None:
    path = build(tmp_path / "s.db", 16, everything_there_is() | memories(10))

    def cut_off() -> None:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )

    points = Points(monkeypatch)
    # in the second batch, where there is one
    points.after(step, lambda: points.after(step, cut_off) if memories_there == 3 else cut_off())
    with pytest.raises(ServerError) as error:
        run_copy(db, path, CopyPlan(batch_size=3))
    assert "rolled back" in error.value.hint
    assert one(conn, "SELECT count(*) FROM knowledge_nodes") == memories_there
    report = run_copy(db, path, CopyPlan(batch_size=3))
    assert report.tables["knowledge_nodes"].new == 10 - memories_there
    assert report.errors == []
    assert [one(conn, f"SELECT count(*) FROM {table}") for table in ("knowledge_nodes", "scheduling", "edges")] == [
        10,
        10,
        9,
    ]
    assert one(conn, "SELECT count(embedding) FROM knowledge_nodes") == 10


def test_two_at_once_are_refused(db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vestige_sql.reembed.session._CLAIM_SECS", 0.1)
    path = build(tmp_path / "s.db", 15, {"knowledge_nodes": [memory(0)]})
    refused: list[VestigeError] = []

    def second() -> None:
        with pytest.raises(RunInProgress) as error:
            run_copy(db, path)
        refused.append(error.value)

    Points(monkeypatch).before("from_sqlite/knowledge_nodes/insert/20_insert.sql", second)
    assert run_copy(db, path).tables["knowledge_nodes"].new == 1
    assert len(refused) == 1


def test_batches_are_bounded_in_rows_and_in_bytes(
    db: str, conn: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "BATCH_BYTES", 10_000)
    rows = [memory(n, content="x" * 9_000 if n < 4 else "short") for n in range(11)]
    points = Points(monkeypatch)
    run_copy(db, build(tmp_path / "s.db", 15, {"knowledge_nodes": rows}), CopyPlan(batch_size=3))
    # three alone, one with two short ones, then three and two
    assert points.ran.count("from_sqlite/knowledge_nodes/insert/20_insert.sql") == 6
    assert one(conn, "SELECT count(*) FROM knowledge_nodes") == 11


# --- Models ---


def with_model(path: Path, **vectors: int) -> Path:
    """A source whose vectors are of the models named, as many as given."""
    names = [name.replace("__", "/") for name, count in vectors.items() for _ in range(count)]
    rows = {
        "knowledge_nodes": [memory(n) for n in range(len(names))],
        "node_embeddings": [embedding(n, model=name) for n, name in enumerate(names)],
    }
    return build(path, 16, rows)


def refused(conn: Conn, run: Callable[[], Any]) -> VestigeError:
    """The error of ``run``, which has written nothing."""
    before = everything(conn)
    with pytest.raises(VestigeError) as error:
        run()
    assert everything(conn) == before
    assert "nothing was written" in error.value.hint
    return error.value


def test_vectors_of_several_models_stop_it(db: str, conn: Conn, tmp_path: Path) -> None:
    path = with_model(tmp_path / "s.db", one=3, two=1)
    error = refused(conn, lambda: run_copy(db, path))
    assert isinstance(error, ModelMismatch)
    assert "several models: one (3), two (1)" in str(error)
    assert "migrate reembed" in error.hint and "--without-embeddings" in error.hint
    report = run_copy(db, path, CopyPlan(embeddings=False))
    assert counted(report) == {"knowledge_nodes": (4, 4, 0), "node_embeddings": (4, 0, 0)}
    assert registered(conn) is None
    embedder = FakeEmbedder("new", 8)
    assert run_reembed(db, embedder).rows_updated == 4


def test_a_registry_that_names_another_model_than_the_vectors_stops_it(db: str, conn: Conn, tmp_path: Path) -> None:
    path = with_model(tmp_path / "s.db", one=3)
    change(path, "INSERT INTO embedding_model (name, dimension, hash) VALUES ('two', 4, ?)", "a" * 64)
    assert "several models" in str(refused(conn, lambda: run_copy(db, path)))


@pytest.mark.parametrize(
    "other",
    [ModelSignature("other", DIMENSION, "5" * 64), ModelSignature(MODEL, 8, "5" * 64)],
    ids=["name", "dimension"],
)
def test_another_model_than_the_registered_one_stops_it(
    db: str, conn: Conn, tmp_path: Path, other: ModelSignature
) -> None:
    register_model(db, other)
    path = build(tmp_path / "s.db", 15, memories(2))
    error = refused(conn, lambda: run_copy(db, path))
    assert isinstance(error, ModelMismatch)
    assert str(other) in str(error) and f"{MODEL} ({DIMENSION} dimensions" in str(error)
    assert "migrate reembed" in error.hint
    refused(conn, lambda: dry_run_copy(db, path))


def test_another_hash_than_the_registered_one_stops_it(db: str, conn: Conn, tmp_path: Path) -> None:
    register_model(db, ModelSignature(MODEL, DIMENSION, "6" * 64))
    path = build(tmp_path / "s.db", 16, everything_there_is())
    assert "hash 555555555555" in str(refused(conn, lambda: run_copy(db, path)))


def test_a_model_that_nobody_has_the_hash_of_is_not_made_up(db: str, conn: Conn, tmp_path: Path) -> None:
    path = build(tmp_path / "s.db", 15, memories(2))
    error = refused(conn, lambda: run_copy(db, path))
    assert "--model NAME_OR_DIR" in error.hint and "--without-embeddings" in error.hint
    wrong = ModelSignature("acme/large", DIMENSION, "7" * 64)
    assert "acme/large" in str(refused(conn, lambda: run_copy(db, path, signature=wrong)))
    # a model from a folder has no owner in its name
    signature = ModelSignature(MODEL.rpartition("/")[2], DIMENSION, "7" * 64)
    assert run_copy(db, path, signature=signature).model == signature
    assert registered(conn) == (signature.name, DIMENSION, signature.hash)
    assert run_copy(db, path).model == signature
    with pytest.raises(ModelMismatch, match="--model is"):
        run_copy(db, path, signature=SIGNATURE)


def test_vectors_without_the_name_of_a_model_stop_it(db: str, conn: Conn, tmp_path: Path) -> None:
    register_model(db, SIGNATURE)
    rows = memories(2)
    rows["node_embeddings"] = [embedding(n, model=None) for n in range(2)]
    path = build(tmp_path / "s.db", 15, rows)
    assert "--model NAME_OR_DIR" in refused(conn, lambda: run_copy(db, path)).hint
    assert counted(run_copy(db, path, signature=SIGNATURE))["node_embeddings"] == (2, 2, 0)


def test_vectors_that_nothing_is_registered_for_stop_it(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("INSERT INTO knowledge_nodes (content, embedding) VALUES ('mine', '[1, 2, 3, 4]')")
    path = build(tmp_path / "s.db", 16, everything_there_is())
    assert "migrate register" in refused(conn, lambda: run_copy(db, path)).hint


# --- Both ends ---


def test_an_old_version_is_refused_without_leave(db: str, conn: Conn, tmp_path: Path) -> None:
    path = build(tmp_path / "s.db", 14, {"knowledge_nodes": [memory(0)]})
    error = refused(conn, lambda: run_copy(db, path))
    assert isinstance(error, SourceError)
    assert "version 14" in str(error) and "--allow-source-upgrade" in error.hint
    refused(conn, lambda: dry_run_copy(db, path))
    before = sha256(path)
    assert "from version 14 to 15" in dry_run_copy(db, path, CopyPlan(allow_source_upgrade=True)).notes[-1]
    assert (one(conn, "SELECT count(*) FROM knowledge_nodes"), sha256(path)) == (0, before)
    with pytest.raises(UsageError):
        CopyPlan(upgrade_in_place=True)


def layout(path: Path, table: str) -> set[tuple[str, str, Any]]:
    conn = sqlite3.connect(path)
    found = conn.execute("SELECT name, type, dflt_value FROM pragma_table_info(?)", (table,)).fetchall()
    conn.close()
    return set(found)


@pytest.mark.parametrize("version", [1, 14])
def test_an_upgrade_in_place_makes_what_version_15_has_and_keeps_every_row(
    db: str, tmp_path: Path, version: int
) -> None:
    path = build(tmp_path / "s.db", version, {"knowledge_nodes": [memory(0)]})
    old = layout(path, "knowledge_nodes")
    # of the version that it is upgraded to
    wanted = {declaration.split()[0] for declaration in columns("knowledge_nodes", 15)}
    report = run_copy(db, path, CopyPlan(allow_source_upgrade=True, upgrade_in_place=True))
    assert report.upgraded and counted(report) == {"knowledge_nodes": (1, 1, 0)}
    assert {name for name, _, _ in layout(path, "knowledge_nodes")} >= wanted
    assert layout(path, "knowledge_nodes") >= old
    for table in ("memory_connections", "merge_plans", "composition_outcomes"):
        assert layout(path, table)
    conn = sqlite3.connect(path)
    assert conn.execute("SELECT version FROM schema_version").fetchall() == [(15,)]
    names = sorted({name for name, _, _ in old} & set(memory(0)))
    kept = conn.execute(f"SELECT {', '.join(names)} FROM knowledge_nodes").fetchone()
    assert kept == tuple(memory(0)[name] for name in names)
    conn.close()
    assert not run_copy(db, path).upgraded


def test_a_dry_run_looks_at_every_row_and_writes_nothing(db: str, conn: Conn, tmp_path: Path) -> None:
    rows = everything_there_is()
    rows["knowledge_nodes"].append(memory(3, tags="broken"))
    rows["node_embeddings"].append(embedding(3, embedding=b"short"))
    path = build(tmp_path / "s.db", NEWEST, rows)
    seed(conn, 2)
    before, source = contents(conn), sha256(path)
    report = dry_run_copy(db, path)
    assert report.dry_run and report.model == SIGNATURE
    assert [(row.table, row.id) for row in report.errors] == [("node_embeddings", key(3)), ("knowledge_nodes", key(3))]
    found = report.tables["knowledge_nodes"]
    assert (found.presented, found.new, found.bad, found.in_postgres) == (4, None, 1, 2)
    assert (contents(conn), sha256(path), registered(conn)) == (before, source, None)
    # Temporary tables go with their session, which may take the server a moment.
    left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'copy!_%%' ESCAPE '!' AND relpersistence <> 't'"
    assert one(conn, left) == 0


@pytest.mark.parametrize("kind", ["missing", "no database", "no vestige", "empty file", "folder"])
def test_what_is_no_vestige_database_is_said(one_db: Conn, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd name?#%.db"
    if kind == "no database":
        path.write_bytes(b"this is not SQLite" * 100)
    elif kind == "no vestige":
        change(path, "CREATE TABLE notes (id TEXT)")
    elif kind == "empty file":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    before = everything(one_db)
    with pytest.raises(SourceError, match="odd name"):
        run_copy(dsn(one_db), path)
    assert everything(one_db) == before


def test_odd_file_names_and_a_database_in_wal_mode(db: str, conn: Conn, tmp_path: Path) -> None:
    path = build(tmp_path / "odd name?#%.db", 15, {"knowledge_nodes": [memory(0)]})
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = wal")
    writer.execute("UPDATE knowledge_nodes SET content = 'in the log alone'")
    writer.commit()
    before = sha256(path)
    assert counted(run_copy(db, path)) == {"knowledge_nodes": (1, 1, 0)}
    assert one(conn, "SELECT content FROM knowledge_nodes") == "in the log alone"
    assert sha256(path) == before
    writer.close()


def test_a_destination_without_vestiges_tables_is_said(db: str, conn: Conn, tmp_path: Path) -> None:
    path = build(tmp_path / "s.db", 15, {"knowledge_nodes": [memory(0)]})
    conn.execute("DROP TABLE scheduling, review_events")
    error = refused(conn, lambda: run_copy(db, path))
    assert isinstance(error, TargetError)
    assert "table public.scheduling, table public.review_events" in str(error)
    assert "migrate up" in error.hint


def test_a_database_without_anything_is_said(empty_db: str, tmp_path: Path) -> None:
    path = build(tmp_path / "s.db", 15, {"knowledge_nodes": [memory(0)]})
    with pytest.raises(TargetError) as error:
        run_copy(empty_db, path)
    assert "migrate up" in error.value.hint


def test_rows_go_through_the_index_that_is_there(db: str, conn: Conn, tmp_path: Path) -> None:
    register_model(db, SIGNATURE)
    assert migrate_up(db).applied == ["0002_hnsw"]
    rows = memories(30)
    for number, row in enumerate(rows["node_embeddings"]):
        row["embedding"] = blob([1, number, 0, 0])
    report = run_copy(db, build(tmp_path / "s.db", 15, rows))
    assert "idx_knowledge_nodes_embedding_hnsw" in report.notes[0]
    conn.execute("SET enable_seqscan = off")
    found = one(conn, "SELECT id::text FROM knowledge_nodes ORDER BY embedding <=> %s::vector LIMIT 1", "[1, 7, 0, 0]")
    assert found == key(7)


# --- The command ---


def test_the_command_answers_and_exits(db: str, conn: Conn, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = everything_there_is()
    rows["intentions"] = [{"id": "i", "content": "later"}]
    path = build(tmp_path / "s.db", NEWEST, rows)
    verb = ["migrate", "copy", "--from", "sqlite", "--to", "postgres", "--sqlite-path", str(path), "--postgres-url", db]

    assert cli.main([*verb, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"]["knowledge_nodes"]["presented"] == 3
    assert one(conn, "SELECT count(*) FROM knowledge_nodes") == 0

    assert cli.main([*verb, "--batch-size", "2"]) == 0
    said = capsys.readouterr().err
    assert "copy: knowledge_nodes: 3 presented, 3 new" in said
    assert "copy: table intentions has no place in PostgreSQL: 1 rows" in said
    assert "columns of memory_connections without a place: last_activated, activation_count" in said

    change(path, "UPDATE knowledge_nodes SET tags = 'broken' WHERE id = ?", key(1))
    assert cli.main([*verb, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["errors"] == [
        {"table": "knowledge_nodes", "id": key(1), "reason": "tags is no JSON array of strings: 'broken'"}
    ]
    assert answer["tables"]["knowledge_nodes"] == {"presented": 3, "new": 0, "bad": 1, "in_postgres": 3}
    assert answer["left_behind"] == {"intentions": 1}

    assert cli.main(["migrate", "copy", "--sqlite-path", os.devnull, "--postgres-url", db, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["kind"] == "SourceError"
    with pytest.raises(SystemExit) as error:
        cli.main(["migrate", "copy", "--from", "oracle", "--sqlite-path", str(path)])
    assert error.value.code == 2
