"""The command line: what it says and answers, its exit codes, and that nothing is written where it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from demo.minilm import build_tiny
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support import (
    HNSW,
    HNSW_DEFINITION,
    Conn,
    FakeEmbedder,
    Said,
    catalog,
    check_space,
    everything,
    index_definition,
    registered,
    rows,
    seed,
    space_of,
    typmod,
)

from vestige_sql import ModelSignature, cli
from vestige_sql.cli import models, output
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.reembed import stage

DIMENSION = 32

OLD = FakeEmbedder("old", 16)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model folder with 32 dimensions."""
    return str(build_tiny(tmp_path_factory.mktemp("models") / "tiny", dimension=DIMENSION))


@pytest.fixture(scope="session")
def signature(tiny: str) -> ModelSignature:
    return load_embedder(tiny).signature()


pytestmark = pytest.mark.usefixtures("_nowhere")


def reembed(db: str, model: str, *more: object, dimension: int = DIMENSION) -> list[object]:
    model_options = ["--model", model, "--dimension", dimension]
    return ["migrate", "reembed", "--postgres-url", db, *model_options, "--no-confirm", *more]


# --- What goes right ---


def test_a_run_for_people(db: str, conn: Conn, tiny: str, vestige: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "PAGE_ROWS", 5)
    seed(conn, 12, OLD)
    before = rows(conn)
    said = vestige(*reembed(db, tiny))
    assert (said.code, said.out) == (0, "")
    assert [line for line in said.err.splitlines() if "wrote batch" in line] == [
        "reembed: wrote batch 1 (5 rows)",
        "reembed: wrote batch 2 (5 rows)",
        "reembed: wrote batch 3 (2 rows)",
    ]
    assert "12 rows updated in " in said.err
    assert "index built in " in said.err
    assert "applied by rewrite (the fastest way)" in said.err
    assert "locked for everybody" in said.err
    embedder = load_embedder(tiny)
    assert registered(conn) == tuple(vars(embedder.signature()).values())
    assert typmod(conn) == DIMENSION
    assert rows(conn) == before
    text = "memory number 7"
    found = conn.execute(
        "SELECT content FROM knowledge_nodes ORDER BY embedding <=> %s::real[]::vector LIMIT 1",
        (embedder.embed_batch([text])[0].tolist(),),
    ).fetchone()
    assert found == (text,)

    said = vestige(*reembed(db, tiny))
    assert (said.code, said.out) == (0, "")
    assert "nothing to do" in said.err


def test_a_run_in_json(db: str, conn: Conn, tiny: str, vestige: Any, signature: ModelSignature) -> None:
    seed(conn, 12, OLD)
    said = vestige(*reembed(db, tiny, "--json", "--apply", "swap"))
    assert (said.code, said.err) == (0, "")
    answer = said.answer
    assert (answer["rows_updated"], answer["rows_blank"], answer["way"]) == (12, 0, "swap")
    assert answer["duration_secs"] > 0
    assert answer["index_rebuild_secs"] > 0
    assert (answer["previous_model"], answer["model"]) == (vars(OLD.signature()), vars(signature))

    said = vestige(*reembed(db, tiny, "--json"))
    assert (said.code, said.err) == (0, "")
    assert (said.answer["nothing_to_do"], said.answer["rows_updated"]) == (True, 0)


def test_a_dry_run(db: str, conn: Conn, tiny: str, vestige: Any, signature: ModelSignature) -> None:
    seed(conn, 12, OLD)
    before = everything(conn)
    said = vestige(*reembed(db, tiny, "--dry-run", "--batch-size", 5))
    assert (said.code, said.out) == (0, "")
    for text in (str(OLD.signature()), str(signature), "12", "nothing is written"):
        assert text in said.err
    said = vestige(*reembed(db, tiny, "--dry-run", "--batch-size", 5, "--json"))
    assert (said.code, said.err) == (0, "")
    answer = said.answer
    assert (answer["rows_to_update"], answer["embedder_batches"]) == (12, 3)
    assert answer["estimated_walltime_secs"] == pytest.approx(12 / 50 + 30)
    assert answer["current_signature"] == vars(OLD.signature())
    assert answer["target_signature"] == vars(signature)
    assert answer["would_alter_typmod"] is True
    assert everything(conn) == before


def test_a_calibrated_dry_run(db: str, conn: Conn, tiny: str, vestige: Any) -> None:
    seed(conn, 12, OLD)
    before = everything(conn)
    said = vestige(*reembed(db, tiny, "--dry-run", "--calibrate"))
    assert (said.code, said.out) == (0, "")
    for text in ("calibrated time", "12 texts took", "calibrated disk", "at its peak"):
        assert text in said.err
    said = vestige(*reembed(db, tiny, "--dry-run", "--calibrate", "--engine", "ray", "--json"))
    assert (said.code, said.err) == (0, "")
    found = said.answer["calibrated"]
    assert found["walltime_secs"] > found["encoding_secs"] > 0
    assert found["disk_peak_bytes"] > found["staging_bytes"] > 0
    assert any("ray" in note for note in found["notes"])
    assert everything(conn) == before
    said = vestige(*reembed(db, tiny, "--calibrate"))
    assert said.code == 2 and "--calibrate requires --dry-run" in said.err


def test_what_stage_says_begins_with_its_name(db: str, conn: Conn, tiny: str, vestige: Any) -> None:
    seed(conn, 6, OLD)
    said = vestige("migrate", "stage", "--postgres-url", db, "--model", tiny, "--dimension", DIMENSION)
    assert (said.code, said.out) == (0, "")
    lines = said.err.splitlines()
    # The line of a chunk is the same for every verb.
    lines.remove("reembed: wrote batch 1 (6 rows)")
    assert [line for line in lines if "encoded in" in line or "s in all" in line] == lines[1:3]
    assert lines[0].startswith("stage: tiny: no prompt")
    assert all(line.startswith("stage: ") for line in lines), said.err


def test_every_verb_in_json(empty_db: str, tiny: str, vestige: Any, signature: ModelSignature) -> None:
    def ask(verb: str, *more: object) -> Any:
        said = vestige("migrate", verb, "--postgres-url", empty_db, "--json", *more)
        assert (said.code, said.err) == (0, ""), verb
        return said.answer

    model = "--model", tiny, "--dimension", DIMENSION
    up = ask("up")
    assert up["applied"][0] == "0001_init"
    assert list(up["waiting"]) == ["0002_hnsw"]
    registered = ask("register", *model)
    assert registered.pop("encoding")["file"] == "onnx/model.onnx"
    assert registered == {"registered": True, "model": vars(signature)}
    assert ask("register", *model)["registered"] is False
    assert ask("up")["applied"] == ["0002_hnsw"]
    with psycopg.connect(empty_db, autocommit=True) as conn:
        seed(conn, 6)
        assert ask("stage", *model)["rows_encoded"] == 6
        found = ask("status")
        assert (found["model"], found["dimension"]) == (vars(signature), DIMENSION)
        assert (found["open_run"]["rows_staged"], found["open_run"]["share_done"]) == (6, 1)
        assert ask("probe")["rows"]["rows_missing"] == 6
        assert any("complete" in name for name in ask("gate")["holds"])
        assert ask("abort") == {"aborted": True}
        assert ask("abort") == {"aborted": False}
        assert ask("stage", *model)["rows_encoded"] == 6
        assert ask("apply", "--no-confirm")["rows_updated"] == 6
        assert index_definition(conn) == HNSW_DEFINITION
        assert conn.execute("SELECT count(embedding) FROM knowledge_nodes").fetchone() == (6,)
    assert [run["state"] for run in ask("status")["last_runs"]] == ["done", "aborted"]


def test_the_status_for_people(db: str, conn: Conn, vestige: Any) -> None:
    seed(conn, 6, OLD)
    said = vestige("migrate", "status", "--postgres-url", db)
    assert said.code == 0
    for text in ("public.knowledge_nodes.embedding", str(OLD.signature()), HNSW):
        assert text in said.out


def test_as_a_process(db: str, conn: Conn, tiny: str) -> None:
    seed(conn, 3, OLD)
    root = Path(cli.__file__).parents[2]
    environment = os.environ | {"DATABASE_URL": db, "PYTHONPATH": str(root)}

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vestige_sql.cli", "migrate", *argv],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    done = run("reembed", "--model", tiny, "--dimension", str(DIMENSION), "--no-confirm", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["rows_updated"] == 3
    assert run("reembed", "--model", tiny, "--dimension", "700").returncode == 1
    assert run("reembed", "--model", tiny).returncode == 2


# --- The warning ---


def test_the_warning_waits_five_seconds_unless_told_not_to(
    db: str, conn: Conn, tiny: str, vestige: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, 3, OLD)
    before = everything(conn)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        # Not a byte before the wait is over.
        assert everything(conn) == before
        waits.append(seconds)

    monkeypatch.setattr(output, "time", SimpleNamespace(sleep=wait))
    command = [arg for arg in reembed(db, tiny) if arg != "--no-confirm"]
    said = vestige(*command)
    assert (said.code, waits) == (0, [5])
    assert "Ctrl-C within 5 seconds" in said.err
    assert "locked for everybody" in said.err
    # Nothing to do needs no warning.
    said = vestige(*command)
    assert (said.code, waits) == (0, [5])
    assert "Ctrl-C" not in said.err


def test_ctrl_c_at_the_warning(db: str, conn: Conn, tiny: str, vestige: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(conn, 3, OLD)
    before = everything(conn)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(output, "time", SimpleNamespace(sleep=interrupt))
    said = vestige(*(arg for arg in reembed(db, tiny) if arg != "--no-confirm"))
    assert said.code == 1
    assert "interrupted" in said.err
    assert everything(conn) == before


def test_ctrl_c_while_encoding(db: str, conn: Conn, tiny: str, vestige: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "PAGE_ROWS", 5)
    seed(conn, 20, OLD)
    before, described = rows(conn), catalog(conn)

    def interrupt(call: int, _: object) -> None:
        if call == 3:
            raise KeyboardInterrupt

    new = FakeEmbedder("new", DIMENSION, hook=interrupt)
    monkeypatch.setattr(models, "load", lambda _: new)
    said = vestige(*reembed(db, "new"))
    assert said.code == 1
    assert "the same command goes on from there" in said.err
    assert space_of(conn, [OLD]) is OLD
    assert (rows(conn), catalog(conn)) == (before, described)
    assert vestige(*reembed(db, "new")).code == 0
    # What was encoded before the interrupt was on its way, and none of it is encoded again.
    assert len(new.texts) == 20
    check_space(conn, new)


# --- What goes wrong ---


def check_refused(said: Said, code: int, *texts: str) -> None:
    """One message, of one or two lines, that says all of ``texts``."""
    assert said.code == code, said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.startswith("vestige-sql: ")
    assert said.err.count("vestige-sql: ") == 1 + said.err.count("run: vestige-sql: ")
    for text in texts:
        assert text in said.err


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--json"]], ids=["reembed", "dry run", "json"])
def test_a_wrong_dimension(db: str, conn: Conn, tiny: str, vestige: Any, more: list[str]) -> None:
    seed(conn, 3, OLD)
    before = everything(conn)
    said = vestige(*reembed(db, tiny, *more, dimension=384))
    if "--json" in more:
        assert said.answer["kind"] == "DimensionMismatch"
        assert "384" in said.answer["error"]
        assert f"--dimension {DIMENSION}" in said.answer["hint"]
        said = said._replace(out="")
    check_refused(said, 1, "384", str(DIMENSION), "nothing was written")
    assert everything(conn) == before


@pytest.mark.parametrize("name", ["no-such-model", "nobody/no-such-model", "/no/such/folder"])
def test_an_unknown_model(db: str, conn: Conn, vestige: Any, name: str) -> None:
    seed(conn, 3, OLD)
    before = everything(conn)
    said = vestige(*reembed(db, name))
    check_refused(said, 1, name, "folder")
    assert everything(conn) == before


TARGETS = {
    "no such table": (["--table", "nowhere"], ["no table nowhere", "--table"]),
    "no such schema": (["--table", "nowhere.nothing"], ["no table nowhere.nothing"]),
    "a malformed name": (["--table", "app..documents"], ["app..documents", "no table"]),
    "too many dots": (["--table", "a.b.c.d"], ["a.b.c.d"]),
    "an empty name": (["--table", ""], ["no table"]),
    "no such column": (["--content-column", "body"], ["no column body", "--content-column"]),
    "no such key": (["--id-column", "key"], ["no column key", "--id-column"]),
    "not a vector column": (["--embedding-column", "content"], ["content is of type text", "--embedding-column"]),
    "not a key": (["--id-column", "node_type"], ["node_type is no key", "not unique"]),
    "no key": (["--table", "keyless"], ["keyless has no key", "make one"]),
    "no key, and one named": (["--table", "keyless", "--id-column", "id"], ["keyless.id is no key", "make one"]),
    "several keys": (
        ["--table", "many"],
        ["many has no primary key, but several other keys: (a), (b, c)", "--id-column"],
    ),
    "several texts": (
        ["--table", "many", "--id-column", "a"],
        ["many has no column content, and several of text: title, body", "--content-column"],
    ),
    "several vectors": (
        ["--table", "many", "--id-column", "a", "--content-column", "body"],
        ["many has several columns of vectors: e, f", "--embedding-column"],
    ),
    "no text": (["--table", "bare"], ["bare has no column of text", "it has id, e"]),
    "no vectors": (["--table", "scheduling", "--content-column", "memory_id"], ["scheduling has no column of vectors"]),
    "a composite key": (
        ["--table", "edges", "--id-column", "source_id", "--content-column", "edge_type", "--embedding-column", "e"],
        ["source_id is only a part of the composite key (source_id, target_id, edge_type)"],
    ),
    "a view": (["--table", "seen"], ["public.seen is a view"]),
    "a partition": (["--table", "part"], ["public.part is a partition of public.parts", "--table public.parts;"]),
}


def has_halfvec(conn: Conn) -> bool:
    return conn.execute("SELECT FROM pg_type WHERE typname = 'halfvec'").fetchone() is not None


@pytest.mark.parametrize(("options", "texts"), TARGETS.values(), ids=TARGETS)
def test_no_target(db: str, conn: Conn, tiny: str, vestige: Any, options: list[str], texts: list[str]) -> None:
    seed(conn, 3, OLD)
    # pgvector has halfvec from 0.7 on; two vectors are as many.
    halfvec = "halfvec" if has_halfvec(conn) else "vector"
    for statement in (
        "CREATE TABLE keyless (id bigint, content text, embedding vector(3))",
        "ALTER TABLE edges ADD COLUMN e vector(3)",
        "CREATE TABLE many (a int UNIQUE NOT NULL, b int NOT NULL, c int NOT NULL, title text, body varchar(100),"
        f" e vector(3), f {halfvec}(3), UNIQUE (b, c))",
        "CREATE TABLE bare (id int PRIMARY KEY, e vector(3))",
        "CREATE VIEW seen AS SELECT id, content FROM knowledge_nodes",
        "CREATE TABLE parts (id bigint, content text, embedding vector(3)) PARTITION BY RANGE (id)",
        "CREATE TABLE part PARTITION OF parts DEFAULT",
    ):
        conn.execute(statement)  # type: ignore[arg-type]
    before = everything(conn)
    for more in ([], ["--dry-run"]):
        check_refused(vestige(*reembed(db, tiny, *options, *more)), 1, *texts)
    assert everything(conn) == before


def test_a_view_on_the_column(db: str, conn: Conn, tiny: str, vestige: Any) -> None:
    seed(conn, 3, OLD)
    conn.execute("CREATE VIEW nearest AS SELECT id, embedding FROM knowledge_nodes WHERE node_type = 'fact'")
    before = everything(conn)
    for way in ("auto", "rewrite", "widen", "swap"):
        said = vestige(*reembed(db, tiny, "--apply", way))
        check_refused(said, 1, "nearest", "CREATE", "nothing was written")
    assert everything(conn) == before
    # What the message says to do works.
    lines = [line.strip() for line in said.err.replace("\n ", " ").splitlines()]
    drop, create = [line for line in lines if line.startswith(("DROP", "CREATE"))]
    assert drop.startswith("DROP VIEW")
    view = catalog(conn)["views"]
    conn.execute(drop)  # type: ignore[arg-type]
    assert vestige(*reembed(db, tiny)).code == 0
    conn.execute(create)  # type: ignore[arg-type]
    assert catalog(conn)["views"] == view


def test_not_the_owner(server_url: str, db: str, conn: Conn, tiny: str, vestige: Any) -> None:
    seed(conn, 3, OLD)
    role = f"vestige_stranger_{os.getpid()}"
    name = sql.Identifier(role)
    conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(name))
    try:
        conn.execute(sql.SQL("GRANT ALL ON SCHEMA vestige_sql TO {}").format(name))
        conn.execute(sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA vestige_sql, public TO {}").format(name))
        conn.execute(sql.SQL("GRANT ALL ON ALL FUNCTIONS IN SCHEMA vestige_sql TO {}").format(name))
        before = everything(conn)
        stranger = make_conninfo(db, user=role, password="secret")
        said = vestige(*reembed(stranger, tiny))
        owner = conn.execute("SELECT current_user").fetchone()
        assert owner is not None
        check_refused(said, 1, f"{role} does not own public.knowledge_nodes", str(owner[0]), "nothing was written")
        assert everything(conn) == before
    finally:
        conn.execute(sql.SQL("DROP OWNED BY {}").format(name))
        conn.execute(sql.SQL("DROP ROLE {}").format(name))


def test_no_pgvector_in_the_database(empty_db: str, tiny: str, vestige: Any) -> None:
    with psycopg.connect(empty_db, autocommit=True) as conn:
        conn.execute("CREATE TABLE knowledge_nodes (id bigint PRIMARY KEY, content text, embedding real[])")
        before = everything(conn)
        for more in ([], ["--dry-run"]):
            check_refused(vestige(*reembed(empty_db, tiny, *more)), 1, "has no pgvector", "vestige-sql migrate up")
        assert everything(conn) == before


def test_no_package_schema(empty_db: str, tiny: str, vestige: Any) -> None:
    with psycopg.connect(empty_db, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION vector")
        conn.execute("CREATE TABLE notes (id bigint PRIMARY KEY, content text, embedding vector(3))")
        conn.execute("INSERT INTO notes VALUES (1, 'one')")
        before = everything(conn)
        for verb in ("reembed", "stage", "register", "apply", "abort", "sql"):
            model = ["--model", tiny, "--dimension", DIMENSION] if verb in ("reembed", "stage", "register") else []
            said = vestige("migrate", verb, "--postgres-url", empty_db, "--table", "notes", *model)
            check_refused(said, 1, "lacks the schema vestige_sql", "vestige-sql migrate up")
        assert vestige("migrate", "status", "--postgres-url", empty_db, "--table", "notes").code == 0
        assert everything(conn) == before
        # What the message says to do works, and leaves the tables of another making alone.
        assert vestige("migrate", "up", "--package-only", "--postgres-url", empty_db).code == 0
        assert vestige(*reembed(empty_db, tiny, "--table", "notes")).code == 0
        assert conn.execute("SELECT vector_dims(embedding) FROM notes").fetchall() == [(DIMENSION,)]


def test_no_server(tiny: str, vestige: Any, tmp_path: Path) -> None:
    for url in (f"postgresql://postgres@/postgres?host={tmp_path}", f"host={tmp_path} dbname=none"):
        started = time.monotonic()
        check_refused(vestige(*reembed(url, tiny)), 1, "cannot connect", str(tmp_path), "--postgres-url")
        assert time.monotonic() - started < 5


def test_no_such_database(db: str, conn: Conn, tiny: str, vestige: Any) -> None:
    check_refused(vestige(*reembed(make_conninfo(db, dbname="no_such_database"), tiny)), 1, "no_such_database")


def test_no_database_named(tiny: str, vestige: Any) -> None:
    said = vestige("migrate", "reembed", "--model", tiny, "--dimension", DIMENSION)
    check_refused(said, 2, "no database was named", "DATABASE_URL", "vestige.toml")


def test_a_conninfo_that_is_none(tiny: str, vestige: Any) -> None:
    said = vestige(*reembed("host=x secret password=hush", tiny))
    check_refused(said, 2, "--postgres-url")
    assert "hush" not in said.err


def test_another_model_is_registered(db: str, conn: Conn, tiny: str, vestige: Any, signature: ModelSignature) -> None:
    seed(conn, 3, OLD)
    before = everything(conn)
    said = vestige("migrate", "register", "--postgres-url", db, "--model", tiny, "--dimension", DIMENSION)
    check_refused(said, 1, str(OLD.signature()), str(signature), "vestige-sql migrate reembed")
    assert everything(conn) == before


def test_nothing_staged(db: str, conn: Conn, vestige: Any) -> None:
    seed(conn, 3, OLD)
    before = everything(conn)
    for verb in ("apply", "sql", "gate"):
        check_refused(vestige("migrate", verb, "--postgres-url", db), 1, "nothing is staged", "migrate stage")
    assert everything(conn) == before


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["migrate"],
        ["migrate", "sideways"],
        ["migrate", "reembed"],
        ["migrate", "reembed", "--model", "m"],
        ["migrate", "reembed", "--model", "m", "--dimension", "many"],
        ["migrate", "reembed", "--model", "m", "--dimension", "3", "--apply", "in-place"],
        ["migrate", "reembed", "--model", "m", "--dimension", "3", "--no-such-option"],
        ["migrate", "reembed", "--model", "m", "--dimension", "3", "--postgres-url", "dbname=x", "--batch-size", "0"],
        ["migrate", "reembed", "--model", "m", "--dimension", "3", "--postgres-url", "dbname=x", "--lock-timeout", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage(vestige: Any, argv: list[str]) -> None:
    said = vestige(*argv)
    assert (said.code, said.out) == (2, "")
    assert "vestige-sql" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("option", "has", "has_not"),
    [
        ("--quiet", (), ("stage:", "sql/")),
        ("--verbose", ("stage: ", "sql/stage/analyze.sql: ", "sql/probe/target.sql: 1 rows in "), ()),
    ],
)
def test_how_much_is_logged(
    db: str, conn: Conn, tiny: str, vestige: Any, option: str, has: tuple[str, ...], has_not: tuple[str, ...]
) -> None:
    seed(conn, 3, OLD)
    said = vestige("migrate", "stage", "--postgres-url", db, "--model", tiny, "--dimension", "32", option)
    assert said.code == 0
    assert not [text for text in has if text not in said.err], said.err
    assert not [text for text in has_not if text in said.err], said.err
