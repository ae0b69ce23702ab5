"""How a model makes vectors, from the options to the registry's record and back: prompts, length, dimension."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo.minilm import build_tiny
from support import Conn, seed

from vestige_sql import (
    ReembedPlan,
    Target,
    apply_staged,
    dry_run_reembed,
    finalize,
    register_model,
    run_reembed,
    stage_reembed,
)
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import ModelMismatch
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status

TEXTS = ["pick a lottery winner", "an index of a table", "the lock of a row"]
PROMPTS = ("--prompt", "passage: ", "--query-prompt", "query: ")
TOLD = "prompt 'passage: ', question prompt 'query: ', pooling mean, normalised, truncated at 64 tokens, 32 dimensions"


@pytest.fixture(scope="module")
def e5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "e5-small-v2")


@pytest.fixture(autouse=True)
def away_from_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)


def command(verb: str, db: str, model: Path, *more: object) -> list[object]:
    where = ["--postgres-url", db, "--model", model]
    return ["migrate", verb, *where, "--dimension", 32, *more, *(["--no-confirm"] if verb == "reembed" else [])]


def test_a_family_that_asks_for_a_prompt_has_to_be_told(db: str, conn: Conn, e5: Path, vestige: Any) -> None:
    seed(conn, texts=TEXTS)
    for verb in ("reembed", "stage", "register"):
        said = vestige(*command(verb, db, e5))
        assert said.code == 1
        assert "asks for a prompt before each text" in said.err
        assert "--prompt 'passage: ' --query-prompt 'query: '" in said.err
    assert conn.execute("SELECT count(*) FROM vestige_sql.run").fetchall() == [(0,)]
    said = vestige(*command("reembed", db, e5, *PROMPTS))
    assert said.code == 0, said.err
    prompted = load_embedder(str(e5), prompt="passage: ", query_prompt="query: ")
    plain = load_embedder(str(e5), prompt="")
    expected = sorted(plain.embed_batch([f"passage: {text}" for text in TEXTS]).tolist())
    np.testing.assert_allclose(sorted(stored(conn)), expected, atol=1e-6)
    assert status(db)["model"] == prompted.signature()


def stored(conn: Conn) -> Any:
    found = conn.execute("SELECT embedding::text FROM knowledge_nodes").fetchall()
    return [json.loads(text) for (text,) in found]


def test_search_and_preview_encode_questions_as_recorded(
    db: str, conn: Conn, e5: Path, vestige: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, texts=TEXTS)
    assert vestige(*command("reembed", db, e5, *PROMPTS)).code == 0
    monkeypatch.chdir(e5.parent)  # where the registered name is a folder

    def nearest(*more: object) -> float:
        said = vestige("search", "--postgres-url", db, "the lock", "--json", "--mode", "vector", "-k", 1, *more)
        assert said.code == 0, said.err
        return float(json.loads(said.out)["results"][0]["distance"])

    model = load_embedder(str(e5), prompt="")
    rows = model.embed_batch([f"passage: {text}" for text in TEXTS])
    for options, question in (((), "query: the lock"), (("--query-prompt", "other: "), "other: the lock")):
        asked = model.embed_batch([question])[0]
        assert nearest(*options) == pytest.approx(1 - float((rows @ asked).max()), abs=1e-5)
    # Another prompt for texts is another model.
    said = vestige("search", "--postgres-url", db, "the lock", "--prompt", "", "--mode", "vector")
    assert said.code == 1
    assert "they differ in hash" in said.err

    # The question's prompt changes no vector: register keeps another in the record.
    said = vestige(*command("register", db, e5, "--prompt", "passage: ", "--query-prompt", "other: ", "--json"))
    assert json.loads(said.out)["registered"] is False
    assert nearest() == pytest.approx(1 - float((rows @ asked).max()), abs=1e-5)

    # The same of what is staged.
    assert vestige(*command("stage", db, e5, "--prompt", "text: ", "--query-prompt", "ask: ")).code == 0
    said = vestige("migrate", "preview", "--postgres-url", db, "the lock", "--json", "-k", 1)
    assert said.code == 0, said.err
    asked = model.embed_batch(["ask: the lock"])[0]
    distance = 1 - float((model.embed_batch([f"text: {text}" for text in TEXTS]) @ asked).max())
    assert json.loads(said.out)["question"]["new"][0]["distance"] == pytest.approx(distance, abs=1e-5)
    # The vectors of before 0.2.0 have no record. They were made without a prompt, if the hash says so.
    conn.execute("TRUNCATE vestige_sql.encoding")
    assert vestige("migrate", "abort", "--postgres-url", db).code == 0
    assert vestige(*command("reembed", db, e5, "--prompt", "")).code == 0
    conn.execute("TRUNCATE vestige_sql.encoding")
    assert nearest() == pytest.approx(
        1 - float((model.embed_batch(TEXTS) @ model.embed_batch(["the lock"])[0]).max()), abs=1e-5
    )


def test_how_texts_become_vectors_is_shown_everywhere(db: str, conn: Conn, e5: Path, vestige: Any) -> None:
    seed(conn, texts=TEXTS)
    said = vestige(*command("reembed", db, e5, *PROMPTS, "--dry-run"))
    assert f"encoding           {TOLD}, onnx/model.onnx, fp32" in said.err
    said = vestige(*command("stage", db, e5, *PROMPTS))
    assert f"stage: e5-small-v2: {TOLD}" in said.err
    script = script_staged(db)
    assert f"-- Encoding:     {TOLD}" in script
    embedder = load_embedder(str(e5), prompt="passage: ", query_prompt="query: ")
    recorded = {key: value for key, value in embedder.encoding.items() if key != "notes"}
    assert status(db)["open_run"]["encoding"] == recorded
    assert status(db)["encoding"] is None
    said = vestige("migrate", "apply", "--postgres-url", db, "--no-confirm")
    assert " ".join(said.err.split()).count(TOLD) == 2  # in the warning before, and in the report
    assert f"encoding    {TOLD}" in vestige("migrate", "status", "--postgres-url", db).out
    shown = json.loads(vestige("migrate", "status", "--postgres-url", db, "--json").out)
    assert shown["encoding"] == recorded
    assert dry_run_reembed(db, embedder).as_json()["encoding"] == embedder.encoding
    # The same from Python, with a report.
    other = load_embedder(str(e5), prompt="", query_prompt="")
    assert run_reembed(db, other).as_json()["encoding"] == other.encoding
    assert stage_reembed(db, embedder).encoding == embedder.encoding
    assert apply_staged(db).encoding == recorded


def test_a_table_that_was_renamed_keeps_its_record(db: str, conn: Conn, e5: Path) -> None:
    conn.execute("CREATE TABLE papers (id int PRIMARY KEY, content text, embedding vector)")
    conn.execute("INSERT INTO papers VALUES (1, 'a row of a table')")
    embedder = load_embedder(str(e5), prompt="passage: ", query_prompt="query: ")
    run_reembed(db, embedder, target=Target("papers"))
    conn.execute("ALTER TABLE papers RENAME TO articles")
    register_model(db, embedder.signature(), target=Target("articles"))
    assert status(db, target=Target("articles"))["encoding"]["query_prompt"] == "query: "


# --- Models that were truncated earlier ---


@pytest.fixture
def alibi(tmp_path: Path) -> Path:
    folder = build_tiny(tmp_path / "alibi", max_seq_length=400)
    config = {"hidden_size": 32, "max_position_embeddings": 100, "position_embedding_type": "alibi", "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_model_that_is_truncated_later_now_is_taken_over_without_encoding(
    db: str, conn: Conn, alibi: Path, vestige: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """98 letters and two special tokens are as many as before 0.2.0."""
    seed(conn, texts=["ab " * 49, "a lock"])
    before = load_embedder(str(alibi), max_tokens=100)
    run_reembed(db, before)
    conn.execute("TRUNCATE vestige_sql.encoding")
    was = stored(conn)
    now = load_embedder(str(alibi))
    assert now.former_signature() == before.signature() != now.signature()
    # Search finds the former limit by itself, and a run says what to do.
    monkeypatch.chdir(alibi.parent)
    assert vestige("search", "--postgres-url", db, "lock", "--mode", "vector").code == 0
    said = vestige(*command("reembed", db, alibi, "--dry-run"))
    assert "with the same options finds out whether any text is longer" in " ".join(said.err.split())
    assert vestige(*command("register", db, alibi)).code == 0
    assert status(db)["model"] == now.signature()
    assert stored(conn) == was
    assert run_reembed(db, now).nothing_to_do
    assert vestige("search", "--postgres-url", db, "lock", "--mode", "vector").code == 0


def test_a_longer_text_has_another_vector_and_is_counted(db: str, conn: Conn, alibi: Path, vestige: Any) -> None:
    seed(conn, texts=["ab " * 49 + "c", "ab " * 300, "a lock"])
    run_reembed(db, load_embedder(str(alibi), max_tokens=100))
    said = vestige(*command("register", db, alibi))
    assert said.code == 1
    assert "2 rows have more tokens, and another vector" in said.err
    assert "--max-tokens 100" in said.err
    with pytest.raises(ModelMismatch, match="is registered under alibi"):
        register_model(db, load_embedder(str(alibi)).signature())
    said = vestige(*command("reembed", db, alibi, "--max-tokens", 100, "--json"))
    assert json.loads(said.out)["nothing_to_do"]
    assert run_reembed(db, load_embedder(str(alibi))).rows_encoded == 3


# --- Fewer dimensions of the same model ---


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny", normalize=False)


def has_subvector(conn: Conn) -> bool:
    return conn.execute("SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'subvector')").fetchall() == [(True,)]


class Counting:
    """A model that counts the texts that it is given."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.texts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def embed_batch(self, texts: Any) -> Any:
        self.texts += texts
        return self.model.embed_batch(texts)


def near(conn: Conn, model: Any) -> None:
    """Every text has the vector that the model gives it."""
    rows = conn.execute("SELECT content, embedding::text FROM knowledge_nodes WHERE btrim(content) <> ''").fetchall()
    assert rows
    expected = model.embed_batch([text for text, _ in rows])
    np.testing.assert_allclose([json.loads(vector) for _, vector in rows], expected, atol=1e-6)


@pytest.mark.parametrize("plan", [ReembedPlan(), ReembedPlan(online=True)], ids=["offline", "online"])
def test_where_only_the_dimension_shrinks_no_text_is_encoded(
    db: str, conn: Conn, tiny: Path, plan: ReembedPlan
) -> None:
    seed(conn, texts=[*TEXTS, ""])
    whole, half, short = (Counting(load_embedder(str(tiny), dimension=d)) for d in (32, 16, 8))
    assert run_reembed(db, whole).staged_by == "encoding"
    conn.execute("UPDATE knowledge_nodes SET embedding = NULL WHERE content = %s", (TEXTS[0],))
    notes = dry_run_reembed(db, half).notes
    assert any("The live vectors are of the same model, with 32 dimensions" in note for note in notes)
    report = run_reembed(db, half, plan)
    near(conn, half.model)
    assert status(db)["model"] == half.model.signature()
    if not has_subvector(conn):
        assert (report.rows_shortened, report.rows_encoded) == (0, 3)
        assert any("cannot shorten them, 0.7 can" in note for note in report.notes)
        return
    # The row without a vector alone is encoded.
    assert half.texts == [TEXTS[0]]
    assert (report.rows_updated, report.rows_shortened, report.rows_encoded) == (3, 2, 1)
    assert report.staged_by == "shortening 2 live vectors (sql/stage/shorten.sql), and encoding 1 texts"
    assert [step[0] for step in conn.execute(
        "SELECT rows_affected FROM vestige_sql.step WHERE file = 'stage/shorten.sql'"
    )] == [2]  # fmt: skip
    if plan.online:
        finalize(db)
    report = run_reembed(db, short, plan)
    near(conn, short.model)
    assert (short.texts, report.rows_shortened) == ([], 3)
    if plan.online:
        finalize(db)
    # Back to more dimensions, every text is encoded.
    assert run_reembed(db, half, plan).rows_shortened == 0
    near(conn, half.model)


def test_another_prompt_or_a_layer_norm_is_no_shortening(db: str, conn: Conn, tiny: Path) -> None:
    seed(conn, texts=TEXTS)
    run_reembed(db, load_embedder(str(tiny)))
    for more in ({"prompt": "doc: "}, {"layer_norm_first": True}):
        model = load_embedder(str(tiny), dimension=8, **more)  # type: ignore[arg-type]
        assert run_reembed(db, model).rows_shortened == 0
        near(conn, model)
        run_reembed(db, load_embedder(str(tiny)))


def test_a_text_that_changes_while_vectors_are_shortened_is_encoded(
    db: str, conn: Conn, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a run that goes on: what is stale by then is not shortened once more."""
    if not has_subvector(conn):
        pytest.skip("subvector came with pgvector 0.7")
    seed(conn, texts=TEXTS)
    run_reembed(db, load_embedder(str(tiny)))
    short = load_embedder(str(tiny), dimension=8)
    report = stage_reembed(db, short)
    assert (report.rows_shortened, report.rows_encoded) == (3, 0)
    conn.execute("UPDATE knowledge_nodes SET content = 'another text' WHERE content = %s", (TEXTS[1],))
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('a new text')")
    # As if the run had been killed between dropping what is stale and encoding it.
    staging = conn.execute("SELECT relname FROM pg_class WHERE relname LIKE 'stage\\_%%' AND relkind = 'r'").fetchall()
    conn.execute(
        f"DELETE FROM vestige_sql.{staging[0][0]} s USING knowledge_nodes k"  # type: ignore[arg-type]
        " WHERE k.id = s.id AND k.content = 'another text'"
    )
    report = run_reembed(db, short)
    assert (report.rows_updated, report.rows_shortened, report.rows_encoded) == (4, 0, 2)
    near(conn, short)
