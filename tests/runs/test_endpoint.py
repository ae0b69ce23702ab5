"""Whole runs with a model behind an endpoint, with an embedder of one's own, and from vectors known by name alone.

``VESTIGE_TEST_ENDPOINT="URL MODEL DIMENSION"`` names another server for the tests with a real one, such as llama.cpp's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pytest
from demo.minilm import build_tiny
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, check_space, dsn, registered, seed, typmod, vectors
from support.embedding_server import Answer, Stub, serving
from test_any_table import run_sql

from vestige_sql import ReembedPlan, Target, register_model, rollback, run_reembed, stage_reembed
from vestige_sql.encode.endpoint import Endpoint
from vestige_sql.encode.named import named_signature
from vestige_sql.encode.remote import PROBES, EndpointEmbedder
from vestige_sql.errors import BadEmbedding, EncoderError, LimitReached, ModelMismatch, TargetError
from vestige_sql.reembed import stage

OLD, NEW = FakeEmbedder("old", 24), FakeEmbedder("new", 32)
ROWS = 30
DIMENSION = 32

pytestmark = pytest.mark.usefixtures("_nowhere")


class Served(NamedTuple):
    url: str
    model: str
    dimension: int


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a real model, in a process of its own."""
    if named := os.environ.get("VESTIGE_TEST_ENDPOINT"):
        url, model, dimension = named.split()
        yield Served(url, model, int(dimension))
        return
    folder = build_tiny(tmp_path_factory.mktemp("models") / "tiny")
    command = [sys.executable, "-m", "support.embedding_server", str(folder), "tiny-bert"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        yield Served(process.stdout.readline().strip(), "tiny-bert", DIMENSION)
        process.terminate()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setattr(stage, "PAGE_ROWS", 10)
    with serving(Stub(NEW.vector)) as stub:
        yield stub


def embedder(stub: Stub, **options: Any) -> EndpointEmbedder:
    return EndpointEmbedder(Endpoint(stub.url, "new", DIMENSION, **options))


def sent(stub: Stub) -> list[str]:
    """The texts of rows that were sent."""
    return [text for text in stub.texts if text not in PROBES]


def check_vectors(conn: Conn, target: Target | None = None) -> None:
    for text, vector in vectors(conn, *([target] if target else [])).values():
        assert vector == list(NEW.vector(text)), text


def remembered(conn: Conn) -> int:
    row = conn.execute("SELECT count(*) FROM vestige_sql.encoder_probe").fetchone()
    assert row is not None
    return int(row[0])


# --- A real server ---


def test_a_run_and_a_search_on_a_real_server(db: str, conn: Conn, server: Served, vestige: Any) -> None:
    seed(conn, ROWS, OLD)
    here = ("--postgres-url", db, "--json")
    asked = ("--endpoint", server.url, "--model", server.model, "--price", "0.02")
    said = vestige("migrate", "reembed", *here, *asked, "--dimension", server.dimension, "--no-confirm")
    assert said.code == 0, said.out
    report = said.answer
    assert (report["rows_updated"], report["rows_encoded"]) == (ROWS, ROWS)
    assert report["tokens_spent"] > ROWS
    assert report["cost"] == pytest.approx(report["tokens_spent"] * 0.02e-6)
    assert report["device"] in server.url
    assert registered(conn) == (server.model, server.dimension, named_signature(server.model, server.dimension).hash)
    assert typmod(conn) == server.dimension

    # Each row has the vector of its text, as the server gives it when it is asked again.
    asking = EndpointEmbedder(Endpoint(server.url, server.model, server.dimension))
    found = vectors(conn)
    again = asking.embed_batch([text for text, _ in found.values()])
    for vector, (text, written) in zip(again, found.values(), strict=True):
        there = np.array(written, np.float32)
        cosine = float(vector @ there / (np.linalg.norm(vector) * np.linalg.norm(there)))
        assert cosine > 0.9999, text

    said = vestige("search", *here, "memory number 7", *asked[:2], "--mode", "vector", "-k", 1)
    assert [result["content"] for result in said.answer["results"]] == ["memory number 7"]

    # Nothing to do, and nothing is sent.
    said = vestige("migrate", "reembed", *here, *asked, "--dimension", server.dimension, "--no-confirm")
    assert said.answer["nothing_to_do"]


def test_a_dimension_that_the_model_does_not_have(db: str, conn: Conn, server: Served, vestige: Any) -> None:
    seed(conn, 3, OLD)
    said = vestige(
        "migrate", "reembed", "--postgres-url", db, "--endpoint", server.url, "--model", server.model,
        "--dimension", server.dimension + 1, "--no-confirm",
    )  # fmt: skip
    assert said.code == 1
    assert f"--dimension {server.dimension}," in said.err
    assert conn.execute("SELECT count(*) FROM vestige_sql.run").fetchone() == (0,)
    check_space(conn, OLD)


# --- Runs ---


def test_a_dry_run_sends_nothing_and_says_what_it_costs(db: str, conn: Conn, stub: Stub, vestige: Any) -> None:
    seed(conn, ROWS, OLD)
    asked = ("--endpoint", stub.url, "--model", "new", "--dimension", DIMENSION, "--price", "100", "--dry-run")
    summary = vestige("migrate", "reembed", "--postgres-url", db, *asked, "--json").answer
    characters = sum(len(f"memory number {i}") for i in range(ROWS))
    assert summary["estimated_tokens"] == ROWS + characters // 4
    assert summary["estimated_cost"] == pytest.approx(summary["estimated_tokens"] / 1e4)
    said = vestige("migrate", "reembed", "--postgres-url", db, *asked)
    assert f"estimated tokens   {summary['estimated_tokens']}, which cost 0.01" in said.err
    assert stub.requests == []


def test_what_it_costs_is_said_before_anything_is_sent(db: str, conn: Conn, stub: Stub) -> None:
    seed(conn, ROWS, OLD)

    class Declined(Exception):
        pass

    def decline(text: str) -> None:
        assert sent(stub) == []
        raise Declined(text)

    with pytest.raises(Declined, match=r"sent to 127\.0\.0\.1:\d+: about 1[0-9]{2} tokens, which cost 0\.01"):
        run_reembed(db, embedder(stub, price=100), before_write=decline)


@pytest.mark.parametrize("plan", [ReembedPlan(), ReembedPlan(online=True, recall_sample=0)])
def test_prompts_and_rows_that_come_later(db: str, conn: Conn, stub: Stub, plan: ReembedPlan) -> None:
    seed(conn, ROWS, OLD)
    report = run_reembed(db, embedder(stub), plan)
    assert report.rows_updated == ROWS
    check_vectors(conn)
    assert sorted(sent(stub)) == sorted(f"memory number {i}" for i in range(ROWS))
    assert remembered(conn) == len(PROBES)
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('late')")
    assert run_reembed(db, embedder(stub), plan).rows_encoded == 1
    check_vectors(conn)
    assert remembered(conn) == len(PROBES)


def test_a_text_that_is_refused_names_its_row(db: str, conn: Conn, stub: Stub) -> None:
    seed(conn, ROWS, OLD)
    stub.refuses = lambda text: text == "memory number 7"
    key = conn.execute("SELECT id FROM knowledge_nodes WHERE content = 'memory number 7'").fetchone()
    assert key is not None
    with pytest.raises(BadEmbedding, match=f"refused a text.*HTTP 413.*id = {key[0]}") as bad:
        run_reembed(db, embedder(stub))
    assert "--max-tokens" in bad.value.hint
    check_space(conn, OLD)
    stub.refuses = lambda _: False
    assert run_reembed(db, embedder(stub)).rows_updated == ROWS
    check_vectors(conn)


def test_a_service_that_goes_away_and_comes_back(db: str, conn: Conn, stub: Stub) -> None:
    seed(conn, ROWS, OLD)
    # The probe texts, a page of rows and the probe texts again; then it is down.
    stub.hook = lambda number: stub.faults.append(Answer(503, {})) if number >= 4 else None
    with pytest.raises(EncoderError, match="failed 1 times in a row") as failed:
        run_reembed(db, embedder(stub, attempts=1, calls_at_once=1), ReembedPlan(batch_size=10))
    assert "the same command resumes" in failed.value.hint
    check_space(conn, OLD)
    stub.hook = lambda _: None
    stub.faults.clear()
    before = len(stub.requests)
    assert run_reembed(db, embedder(stub)).rows_updated == ROWS
    check_vectors(conn)
    again = [text for asked in stub.requests[before:] for text in asked.body["input"] if text not in PROBES]
    assert 0 < len(again) <= ROWS - 10


# --- Limits ---


def test_a_limit_stops_and_the_same_command_goes_on(db: str, conn: Conn, stub: Stub, vestige: Any) -> None:
    seed(conn, ROWS, OLD)
    asked = ("--endpoint", stub.url, "--model", "new", "--dimension", DIMENSION, "--token-limit", 700)
    answers = []
    for _ in range(10):
        said = vestige("migrate", "reembed", "--postgres-url", db, *asked, "--no-confirm", "--json")
        answers.append(said.answer)
        if said.code == 0:
            break
        assert said.answer["kind"] == "LimitReached"
        check_space(conn, OLD)
    assert 1 < len(answers) < 6
    assert answers[-1]["rows_updated"] == ROWS
    check_vectors(conn)
    # Nothing was paid for twice.
    assert sorted(sent(stub)) == sorted(f"memory number {i}" for i in range(ROWS))


def test_a_limit_that_is_too_low_for_anything(db: str, conn: Conn, stub: Stub) -> None:
    seed(conn, ROWS, OLD)
    with pytest.raises(LimitReached, match="over --token-limit 5"):
        run_reembed(db, embedder(stub, token_limit=5))
    assert stub.requests == []
    assert conn.execute("SELECT count(*) FROM vestige_sql.run").fetchone() == (0,)


# --- Another model behind the same name ---


def test_another_model_is_found_out_at_the_start(db: str, conn: Conn, stub: Stub, vestige: Any) -> None:
    seed(conn, ROWS, OLD)
    run_reembed(db, embedder(stub))
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('late')")
    stub.vector = FakeEmbedder("another", DIMENSION).vector
    stub.requests.clear()
    for verb in (run_reembed, stage_reembed):
        with pytest.raises(ModelMismatch, match=r"new is another than on \d{4}-") as other:
            verb(db, embedder(stub))
        assert "--revision" in other.value.hint
    asked = ("--postgres-url", db, "--endpoint", stub.url)
    assert "is another than on" in vestige("search", "memory", *asked).err
    assert sent(stub) == []
    # With a revision of its own it is another model, which may re-embed everything.
    stub.vector = NEW.vector
    run_reembed(db, embedder(stub, revision="2"))
    name = registered(conn)
    assert name is not None
    assert name[2] == named_signature("new", DIMENSION, revision="2").hash
    assert remembered(conn) == 2 * len(PROBES)


@pytest.mark.parametrize("way_back", [False, True])
def test_another_model_is_found_out_before_its_vectors_are_staged(
    db: str, conn: Conn, stub: Stub, way_back: bool
) -> None:
    seed(conn, ROWS, OLD)

    def change(number: int) -> None:
        # After the probe texts, a page and its probe texts, and within the second page.
        if number == 5:
            stub.vector = FakeEmbedder("another", DIMENSION).vector

    stub.hook = change
    with pytest.raises(ModelMismatch, match="became another while rows were encoded") as other:
        run_reembed(db, embedder(stub, calls_at_once=1), ReembedPlan(batch_size=5))
    assert "abort" in other.value.hint
    check_space(conn, OLD)
    stub.hook = lambda _: None
    if way_back:
        stub.vector = NEW.vector
        run_reembed(db, embedder(stub))
        check_vectors(conn)
    else:
        with pytest.raises(ModelMismatch, match="is another than on"):
            run_reembed(db, embedder(stub))
        check_space(conn, OLD)


def test_small_differences_are_the_services_own(db: str, conn: Conn, stub: Stub) -> None:
    seed(conn, ROWS, OLD)
    run_reembed(db, embedder(stub))
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('late')")
    noise = np.random.default_rng(0)
    stub.vector = lambda text: NEW.vector(text) * (1 + noise.normal(0, 0.005, DIMENSION))
    assert run_reembed(db, embedder(stub)).rows_encoded == 1


def test_a_role_that_may_not_remember(db: str, conn: Conn, stub: Stub) -> None:
    seed(conn, 3, OLD)
    role = f"forgetful_{os.getpid()}"
    run_sql(conn, f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    try:
        run_sql(
            conn,
            f"ALTER TABLE knowledge_nodes OWNER TO {role}",
            f"GRANT USAGE, CREATE ON SCHEMA vestige_sql, public TO {role}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA vestige_sql, public TO {role}",
            f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vestige_sql TO {role}",
            f"REVOKE ALL ON vestige_sql.encoder_probe FROM {role}",
        )
        theirs = make_conninfo(dsn(conn), user=role, password="secret")
        grant = f"GRANT SELECT, INSERT ON vestige_sql.encoder_probe TO {role}"
        with pytest.raises(TargetError) as refused:
            run_reembed(theirs, embedder(stub))
        assert refused.value.hint.startswith(grant)
        assert sent(stub) == []
        run_sql(conn, grant)
        run_reembed(theirs, embedder(stub))
        check_vectors(conn)
    finally:
        run_sql(conn, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


# --- A model that is known by its name ---

STORE = Target("vector_store", "id", "content", "embedding")


def spring(conn: Conn) -> dict[str, list[float] | None]:
    """A table as Spring AI makes it, with vectors of a model that runs elsewhere; returns these by key."""
    run_sql(
        conn,
        "CREATE TABLE vector_store (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, content text, metadata json,"
        " embedding vector(16))",
        "CREATE INDEX spring_ai_vector_index ON vector_store USING hnsw (embedding vector_cosine_ops)",
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO vector_store (content, embedding) VALUES (%s, %s::real[]::vector)",
            [(f"doc {i}", [float(np.sin(i * 7 + j)) for j in range(16)]) for i in range(40)],
        )
    return {key: vector for key, (_, vector) in vectors(conn, STORE).items()}


@pytest.mark.parametrize("option", ["--online", "--keep-old"])
def test_a_first_run_is_rolled_back(db: str, conn: Conn, vestige: Any, stub: Stub, option: str) -> None:
    was = spring(conn)
    here = ("--postgres-url", db, "--table", "vector_store")
    known = ("--name", "text-embedding-ada-002", "--dimension", "16")
    said = vestige("migrate", "register", *here, *known, "--json")
    assert said.answer["registered"]
    assert said.answer["model"]["hash"] == named_signature("text-embedding-ada-002", 16).hash
    assert not vestige("migrate", "register", *here, *known, "--json").answer["registered"]
    asked = ("--endpoint", stub.url, "--model", "new", "--dimension", DIMENSION, "--no-confirm", "--json")
    said = vestige("migrate", "reembed", *here, *asked, option)
    assert said.code == 0, said.out
    assert said.answer["previous_model"]["name"] == "text-embedding-ada-002"
    assert not [note for note in said.answer["notes"] if "rollback" in note]
    check_vectors(conn, STORE)
    said = vestige("migrate", "rollback", *here, "--no-confirm", "--json")
    assert said.answer["model"]["name"] == "text-embedding-ada-002"
    assert {key: vector for key, (_, vector) in vectors(conn, STORE).items()} == was
    # The same model behind an endpoint is the registered one: only what lacks a vector is sent.
    conn.execute("INSERT INTO vector_store (content) VALUES ('late')")
    with serving(Stub(FakeEmbedder("ada", 16).vector)) as ada:
        former = EndpointEmbedder(Endpoint(ada.url, "text-embedding-ada-002", 16))
        assert run_reembed(db, former, target=STORE).rows_encoded == 1
        assert sent(ada) == ["late"]


@pytest.mark.parametrize("plan", [ReembedPlan(online=True), ReembedPlan(keep_old=True)])
def test_no_way_back_is_said_beforehand(db: str, conn: Conn, stub: Stub, plan: ReembedPlan) -> None:
    spring(conn)
    said: list[str] = []
    report = run_reembed(db, embedder(stub), plan, target=STORE, before_write=said.append)
    for text in (said[0], "\n".join(report.notes)):
        assert "No model is registered for the 40 vectors" in text
        assert "register --table vector_store --embedding-column embedding --name NAME --dimension 16" in text


def test_nothing_is_said_of_a_way_back_to_nothing(db: str, conn: Conn, stub: Stub) -> None:
    seed(conn, 3)
    report = run_reembed(db, embedder(stub), ReembedPlan(online=True))
    assert not [note for note in report.notes if "registered" in note]


def test_a_registration_asks_the_endpoint_too(db: str, conn: Conn, stub: Stub, vestige: Any) -> None:
    seed(conn, 5)
    asked = ("--endpoint", stub.url, "--model", "new", "--dimension", DIMENSION)
    assert vestige("migrate", "register", "--postgres-url", db, *asked).code == 0
    assert remembered(conn) == len(PROBES)
    stub.vector = FakeEmbedder("another", DIMENSION).vector
    with pytest.raises(ModelMismatch, match="is another than on"):
        run_reembed(db, embedder(stub))


# --- An embedder of one's own ---

MINE = """
from support import FakeEmbedder

def make(): return FakeEmbedder("mine", 16)
"""


def test_an_embedder_of_ones_own(db: str, conn: Conn, vestige: Any, tmp_path: Path) -> None:
    (tmp_path / "my_factory.py").write_text(MINE)
    seed(conn, ROWS, OLD)
    mine = FakeEmbedder("mine", 16)
    own = ("--embedder", "my_factory:make")
    here = ("--postgres-url", db, *own)
    said = vestige("migrate", "reembed", *here, "--dimension", 17, "--no-confirm")
    assert said.code == 1
    assert "--dimension is 17, and the model mine has 16" in said.err
    assert vestige("migrate", "stage", *here, "--dimension", 16).code == 0
    said = vestige(
        "migrate", "preview", "memory number 3", *here, "-k", 1, "--old-embedder", "my_factory:make", "--json"
    )
    assert said.answer["kind"] == "ModelMismatch"
    said = vestige("migrate", "preview", "memory number 3", *here, "-k", 1, "--json")
    assert [row["text"] for row in said.answer["question"]["new"]] == ["memory number 3"]
    assert vestige("migrate", "reembed", *here, "--dimension", 16, "--no-confirm").code == 0
    check_space(conn, mine)
    said = vestige("search", "memory number 3", *here, "--mode", "vector", "-k", 1, "--json")
    assert [result["content"] for result in said.answer["results"]] == ["memory number 3"]
    with psycopg.connect(db, autocommit=True) as other:
        other.execute("DELETE FROM embedding_model")
    assert vestige("migrate", "register", *here, "--dimension", 16, "--json").answer["registered"]


# --- Options that do not go together ---


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "no model was named"),
        ("--endpoint http://127.0.0.1:1", "--endpoint needs the name of a model there"),
        ("--embedder a:b --model m", "--embedder makes what encodes, and --model names something else"),
        ("--embedder a:b --endpoint http://127.0.0.1:1", "--endpoint names something else"),
        ("--model m --price 3", "--price requires --endpoint"),
        ("--model m --ask-dimension", "--ask-dimension requires --endpoint"),
        ("--model m --endpoint http://127.0.0.1:1 --onnx-file f", "--onnx-file is for models whose files are at hand"),
        ("--embedder a:b --revision 2", "--revision is for models on the hub and behind an endpoint"),
        ("--model m --endpoint 127.0.0.1:1/v1", "no http:// or https:// URL"),
        ("--model m --endpoint http://127.0.0.1:1 --spend-limit 3", "a spend limit needs the price"),
        ("--model m --endpoint http://127.0.0.1:1 --max-tokens 3", "max_tokens needs the tokenizer"),
        ("--model m --endpoint http://127.0.0.1:1 --calls-at-once 0", "calls_at_once must be"),
        ("--model m --endpoint http://127.0.0.1:1 --api-key-variable sk-1", "a name that no variable can have"),
        ("--model m --endpoint http://127.0.0.1:1 --token-limit 5 --engine ray", "--token-limit cannot be kept with"),
        ("--model m --endpoint http://127.0.0.1:1 --requests-per-minute 5 --engine ray", "cannot be kept with"),
        ("--embedder mine", "does not name a factory"),
    ],
)
def test_options_that_do_not_go_together(db: str, conn: Conn, vestige: Any, options: str, said: str) -> None:
    seed(conn, 2, OLD)
    found = vestige("migrate", "reembed", "--postgres-url", db, *options.split(), "--dimension", 8, "--no-confirm")
    assert found.code == 2
    assert said in found.err
    check_space(conn, OLD)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--name n --model m", "--model was given with --name"),
        ("--name n --endpoint http://h", "--endpoint was given with --name"),
        ("--name n --price 3", "--price was given with --name"),
        ("--name ", "the model's name is empty"),
    ],
)
def test_a_name_says_all_that_is_known(db: str, vestige: Any, options: str, said: str) -> None:
    words = options.split(" ")
    found = vestige(
        "migrate", "register", "--postgres-url", db, *words[:2], *words[2:] if words[1] else (), "--dimension", 8
    )
    assert found.code == 2
    assert said in found.err


def test_the_key_is_nowhere(db: str, conn: Conn, stub: Stub, vestige: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in what is said, whatever the service answers, nor in the database."""
    key = "sk-very-secret-key"
    monkeypatch.setenv("VESTIGE_SQL_API_KEY", key)
    seed(conn, 3, OLD)
    asked = ("--endpoint", stub.url, "--model", "new", "--dimension", DIMENSION, "--no-confirm")
    stub.faults.append(Answer(401, {"error": {"message": f"Incorrect API key provided: {key}"}}))
    first = vestige("migrate", "reembed", "--postgres-url", db, *asked)
    stub.faults += [None, Answer(418, f"no {key}".encode())]
    second = vestige("migrate", "reembed", "--postgres-url", db, *asked, "--json")
    assert (first.code, second.code) == (1, 1)
    runs = conn.execute("SELECT jsonb_agg(r)::text FROM vestige_sql.run r").fetchone()
    assert runs is not None and "HTTP 418" in runs[0] and key not in runs[0]
    third = vestige("migrate", "reembed", "--postgres-url", db, *asked, "--json")
    assert third.code == 0
    assert {asked.headers["authorization"] for asked in stub.requests} == {f"Bearer {key}"}
    for said in (first, second, third):
        assert key not in said.out + said.err


def test_register_and_rollback_from_python(db: str, conn: Conn) -> None:
    was = spring(conn)
    register_model(db, named_signature("ada", 16), target=STORE)
    run_reembed(db, NEW, ReembedPlan(online=True), target=STORE)
    assert rollback(db, target=STORE).model == named_signature("ada", 16)
    assert {key: vector for key, (_, vector) in vectors(conn, STORE).items()} == was
