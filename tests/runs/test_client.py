"""The application's side: questions encoded with the registered model before a switch, meanwhile and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from demo.minilm import build_tiny
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, granted, literal, seed

from vestige_sql import ModelSignature, ReembedPlan, Target, register_model, rollback, run_reembed
from vestige_sql.client.registered import RegisteredModel, load_from
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import ModelMismatch, TargetError

OLD, NEW, ALIKE = FakeEmbedder("old", 16), FakeEmbedder("new", 32), FakeEmbedder("alike", 16)
DOCUMENTS = Target("documents")
ONLINE = ReembedPlan(online=True, recall_sample=0, pause_secs=0)
NEAREST = "SELECT content FROM documents ORDER BY embedding <=> %s::vector LIMIT 1"


@pytest.fixture
def documents(db: str, conn: Conn) -> str:
    conn.execute("CREATE TABLE documents (id bigint PRIMARY KEY, content text, embedding vector(16))")
    for number in range(20):
        text = f"text {number}"
        conn.execute("INSERT INTO documents VALUES (%s, %s, %s)", [number, text, literal(OLD.vector(text))])
    register_model(db, OLD.signature(), target=DOCUMENTS)
    return db


class Loads:
    """Loads the stand-ins by their signatures, and counts."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __call__(self, wanted: ModelSignature, _: object) -> FakeEmbedder:
        self.loaded.append(wanted.name)
        return {each.signature(): each for each in (OLD, NEW, ALIKE)}[wanted]


def nearest(conn: Conn) -> Callable[[Any], str]:
    def run(vector: Any) -> str:
        row = conn.execute(NEAREST, [literal(vector)]).fetchone()
        assert row is not None
        return str(row[0])

    return run


@pytest.mark.parametrize("plan", [ReembedPlan(), ONLINE], ids=["offline", "online"])
@pytest.mark.parametrize("other", [NEW, ALIKE], ids=["another dimension", "the same dimension"])
def test_a_switch_between_two_questions_is_noticed(
    documents: str, conn: Conn, plan: ReembedPlan, other: FakeEmbedder
) -> None:
    loads = Loads()
    model = RegisteredModel(conn, "documents", load=loads)
    assert model.ask("text 7", nearest(conn)) == "text 7"
    run_reembed(documents, other, plan, target=DOCUMENTS)
    assert model.ask("text 7", nearest(conn)) == "text 7"
    assert model.ask("text 3", nearest(conn)) == "text 3"
    assert model.signature() == other.signature()
    if plan.online:
        rollback(documents, target=DOCUMENTS)
        assert model.ask("text 5", nearest(conn)) == "text 5"
    assert loads.loaded == ["old", other.model_name]


@pytest.mark.parametrize("other", [NEW, ALIKE], ids=["another dimension", "the same dimension"])
@pytest.mark.parametrize("transaction", [False, True])
def test_a_switch_while_a_question_is_asked_is_noticed(
    documents: str, conn: Conn, other: FakeEmbedder, transaction: bool
) -> None:
    """The question is encoded, then the model is switched, then the query is sent."""
    switched = []

    with psycopg.connect(documents, autocommit=not transaction) as mine:
        model = RegisteredModel(mine, "documents", load=Loads())
        if transaction:
            mine.execute("CREATE TEMPORARY TABLE of_the_caller (id int)")

        def run(vector: Any) -> str:
            if not switched:
                run_reembed(documents, other, target=DOCUMENTS)
                switched.append(vector)
            return nearest(mine)(vector)

        assert model.ask("text 7", run) == "text 7"
        assert len(switched[0]) == OLD.dimension
        if transaction:
            assert mine.execute("SELECT count(*) FROM of_the_caller").fetchone() == (0,)


def test_an_error_that_is_no_switch_passes(documents: str, conn: Conn) -> None:
    model = RegisteredModel(conn, "documents", load=Loads())
    with pytest.raises(psycopg.errors.DataException):
        model.ask("text 7", lambda vector: conn.execute(NEAREST, ["[1,2,3]"]))
    with pytest.raises(ZeroDivisionError):
        model.ask("text 7", lambda vector: 1 / 0)
    assert model.ask("text 7", nearest(conn)) == "text 7"


def test_another_model_than_the_registered_one_is_refused(documents: str, conn: Conn) -> None:
    model = RegisteredModel(conn, "documents", load=lambda wanted, recorded: ALIKE)
    with pytest.raises(ModelMismatch, match=r"documents is registered with old .* what was loaded for it is alike"):
        model.embed_queries(["text 7"])


def test_what_is_not_there_is_named(documents: str, conn: Conn, empty_db: str) -> None:
    with pytest.raises(TargetError, match=r'the model of nothing cannot be looked up: .*"nothing" does not exist'):
        RegisteredModel(conn, "nothing").signature()
    conn.execute("CREATE TABLE others (id int PRIMARY KEY, embedding vector(3))")
    with pytest.raises(ModelMismatch, match="no model is registered for others"):
        RegisteredModel(conn, "others").signature()
    with pytest.raises(ModelMismatch, match=r"no model is registered for documents\.other"):
        RegisteredModel(conn, "documents", column="other").signature()
    with psycopg.connect(empty_db) as elsewhere, pytest.raises(TargetError, match="cannot be looked up"):
        elsewhere.execute("CREATE TABLE documents (id int)")
        RegisteredModel(elsewhere, "documents").signature()


def test_several_columns_are_told_apart(documents: str, conn: Conn) -> None:
    conn.execute("ALTER TABLE documents ADD COLUMN title_embedding vector(32)")
    register_model(documents, NEW.signature(), target=Target("documents", embedding_column="title_embedding"))
    with pytest.raises(ModelMismatch, match="embedding, title_embedding"):
        RegisteredModel(conn, "documents").signature()
    for column, wanted in (("embedding", OLD), ("title_embedding", NEW)):
        assert RegisteredModel(conn, "documents", column=column).signature() == wanted.signature()


def test_vestiges_own_table_is_registered_elsewhere(db: str, conn: Conn) -> None:
    seed(conn, 3, OLD)
    register_model(db, OLD.signature())
    assert RegisteredModel(conn, "knowledge_nodes").signature() == OLD.signature()


def test_a_model_is_loaded_as_it_was_recorded(db: str, conn: Conn, tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "a model")
    conn.execute("CREATE TABLE documents (id bigint PRIMARY KEY, content text, embedding vector(32))")
    conn.execute("INSERT INTO documents VALUES (1, 'a text')")
    embedder = load_embedder(str(folder), prompt="passage: ", query_prompt="query: ")
    run_reembed(db, embedder, target=DOCUMENTS)
    model = RegisteredModel(conn, "documents", load=load_from({embedder.model_name: folder}))
    assert np.array_equal(model.embed_queries(["which"]), embedder.embed_queries(["which"]))
    assert np.array_equal(model.embed_documents(["which"]), embedder.embed_batch(["which"]))
    assert not np.array_equal(model.embed_queries(["which"]), model.embed_documents(["which"]))


def test_the_granted_rights_are_enough(documents: str, conn: Conn) -> None:
    role = f"asks_{conn.info.dbname}"
    conn.execute(f"CREATE ROLE {role} LOGIN")  # type: ignore[arg-type]
    conn.execute(f"GRANT SELECT ON documents TO {role}")  # type: ignore[arg-type]
    try:
        with psycopg.connect(make_conninfo(documents, user=role), autocommit=True) as theirs:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                theirs.execute("SELECT * FROM vestige_sql.registered('documents')")
            for statement in granted("RegisteredModel", role, str(conn.info.dbname)):
                conn.execute(statement)  # type: ignore[arg-type]
            model = RegisteredModel(theirs, "documents", load=Loads())
            assert model.ask("text 7", nearest(theirs)) == "text 7"
    finally:
        conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[arg-type]


def test_langchain_asks_with_the_registered_model(documents: str, conn: Conn) -> None:
    pytest.importorskip("langchain_core")
    from vestige_sql.client.langchain import RegisteredEmbeddings

    embeddings = RegisteredEmbeddings(RegisteredModel(conn, "documents", load=Loads()))
    assert len(embeddings.embed_query("text 7")) == 16
    run_reembed(documents, NEW, target=DOCUMENTS)
    assert nearest(conn)(np.array(embeddings.embed_query("text 7"))) == "text 7"
    assert [len(vector) for vector in embeddings.embed_documents(["one", "two"])] == [32, 32]


def test_llama_index_asks_with_the_registered_model(documents: str, conn: Conn) -> None:
    pytest.importorskip("llama_index.core")
    from vestige_sql.client.llama_index import RegisteredEmbedding

    embedding = RegisteredEmbedding(RegisteredModel(conn, "documents", load=Loads()))
    assert len(embedding.get_query_embedding("text 7")) == 16
    run_reembed(documents, NEW, target=DOCUMENTS)
    assert len(embedding.get_text_embedding("text 7")) == 32
