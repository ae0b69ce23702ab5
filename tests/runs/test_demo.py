"""The demonstration: its corpus, its old model, and its way from an empty database to the new model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psycopg
import pytest
from demo import __main__ as demonstration
from demo.corpus import Document, documents
from demo.hashing import HashingEmbedder
from demo.minilm import build_tiny
from demo.questions import ANSWERS

from vestige_sql import Embedder
from vestige_sql.cli import output
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.judge.rules import VERDICTS

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def corpus() -> list[Document]:
    return documents()


def elsewhere(code: str) -> str:
    """What ``code`` prints in another interpreter, where `hash()` has another seed."""
    path = os.pathsep.join([str(EXAMPLES), str(EXAMPLES.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "4711"}
    return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip()


def test_the_corpus_is_of_the_promised_size_and_kinds(corpus: list[Document]) -> None:
    assert 6_000 <= len(corpus) <= 8_000
    kinds = Counter(document.node_type for document in corpus)
    assert set(kinds) == {"module", "class", "function", "method"}
    assert min(kinds.values()) > 300
    assert all(document.content.strip() and "\0" not in document.content for document in corpus)
    assert all(document.tags for document in corpus)


def test_ids_are_unique_and_the_same_in_every_process(corpus: list[Document]) -> None:
    assert len({document.id for document in corpus}) == len(corpus)
    code = "from demo.corpus import documents; [print(d.id) for d in documents()]"
    assert elsewhere(code).split() == [str(document.id) for document in corpus]


def test_a_document_says_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "__init__.py").write_text('"""A box."""\n')
    (tmp_path / "box" / "lid.py").write_text(
        "try:\n"
        "    def shut():\n"
        "        'Shut it.'\n"
        "except ImportError:\n"
        "    def shut():\n"
        "        'The other one.'\n"
        "class Lid:\n"
        "    def __init__(self): pass\n"
        "    async def open(self):\n"
        "        'Open it.'\n"
    )
    (tmp_path / "box" / "broken.py").write_text("def (")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_box.py").write_text('"""Not part of it."""')

    found = documents(tmp_path)

    assert [(d.name, d.node_type, d.file, d.line, d.tags) for d in found] == [
        ("box", "module", "box/__init__.py", 1, ["box"]),
        ("box.lid.shut", "function", "box/lid.py", 2, ["box", "box.lid"]),
        ("box.lid.Lid.open", "method", "box/lid.py", 9, ["box", "box.lid"]),
    ]
    assert found[1].content == "box.lid.shut\n\nShut it."
    assert documents(tmp_path, limit=2) == found[:2]


def test_hashing_is_an_embedder_with_unit_vectors() -> None:
    embedder = HashingEmbedder()
    assert isinstance(embedder, Embedder)
    vectors = embedder.embed_batch(["Return the file's size.", "", "...", "the of and", "größe ñandú"])
    assert (vectors.shape, vectors.dtype) == ((5, 256), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embedder.embed_batch([]).shape == (0, 256)


def test_hashing_sees_shared_words_and_neither_their_order_nor_their_case() -> None:
    one, same, near, far = HashingEmbedder().embed_batch(
        ["open the zip archive", "Archive: ZIP, open!", "open a bzip2 archive", "sine of an angle"]
    )
    np.testing.assert_allclose(one, same, atol=1e-6)
    assert one @ near > 0.5 > abs(one @ far)


def test_hashing_gives_the_same_vectors_in_every_process() -> None:
    here = HashingEmbedder().embed_batch(["open the zip archive"]).tobytes().hex()
    code = (
        "from demo.hashing import HashingEmbedder;"
        "print(HashingEmbedder().embed_batch(['open the zip archive']).tobytes().hex())"
    )
    assert elsewhere(code) == here


def test_the_signature_names_the_dimension() -> None:
    signature, other = HashingEmbedder().signature(), HashingEmbedder(64).signature()
    assert signature.dimension == 256
    assert signature == HashingEmbedder().signature()
    assert signature.hash != other.hash


def test_the_questions_have_answers_in_the_corpus(corpus: list[Document]) -> None:
    names = {document.name for document in corpus}
    answered = [question for question, answers in ANSWERS.items() if names & set(answers)]
    assert len(answered) >= 40
    assert set(demonstration.QUESTIONS) <= set(answered)


ROWS = 200


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("model") / "tiny")


def demonstrate(conninfo: str, model: Path) -> int:
    """What `make reembed` does, on a small corpus with a small model."""
    demonstration.prepare(conninfo, lambda: documents(limit=ROWS))
    return demonstration.demonstrate(conninfo, model)


def assert_done(conninfo: str, model: Path) -> None:
    """Every document is there once, with the very vector that the new model gives it."""
    embedder = load_embedder(str(model))
    assert demonstration.registered(conninfo) == embedder.signature()
    corpus = documents(limit=ROWS)
    with psycopg.connect(conninfo) as conn:
        found = dict(conn.execute("SELECT id, embedding::real[] FROM knowledge_nodes").fetchall())
    assert set(found) == {document.id for document in corpus}
    expected = embedder.embed_batch([document.content for document in corpus])
    np.testing.assert_allclose([found[document.id] for document in corpus], expected, atol=1e-6)


def test_the_demonstration_asks_before_and_after_and_has_nothing_to_do_the_second_time(
    empty_db: str, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "BANNER_SECS", 0)
    monkeypatch.setattr(demonstration, "DERIVED", 20)
    few = {f"what is {document.name}": (document.name,) for document in documents(limit=ROWS)[::10]}
    monkeypatch.setattr(demonstration, "ANSWERS", few | {"what is not there": ("nothing.at_all",)})

    assert demonstrate(empty_db, model) == 0
    first = capsys.readouterr()
    order = ["Before: ", "migrate stage --postgres-url", "migrate judge --postgres-url", "migrate judge --postgres-url",
             "migrate reembed --postgres-url", "After: "]  # fmt: skip
    at = 0
    for said in order:
        at = first.out.index(said, at) + 1
    assert sum(first.out.count(f"\n{verdict}\n") for verdict in VERDICTS) == 2
    assert f"by {len(few)} questions as people ask them" in first.out
    assert all(first.out.count(f'"{question}"') == 2 for question in demonstration.QUESTIONS)
    assert f"{ROWS} rows updated" in first.err
    assert_done(empty_db, model)

    assert demonstrate(empty_db, model) == 0
    second = capsys.readouterr()
    assert "nothing to do" in second.err
    assert "Before: " not in second.out
    assert "migrate judge" not in second.out
    if all(find_spec(library) for library in ("jinja2", "matplotlib")):
        for name in ("derived", "judge", "reembed"):
            file = demonstration.report_file(model, name)
            assert str(file) in first.out
            assert "vestige-sql" in file.read_text(encoding="utf-8")
    assert_done(empty_db, model)


@pytest.mark.parametrize(
    "reached",
    [
        pytest.param("demonstration.register_model", id="migrated"),
        pytest.param("demonstration.Jsonb", id="filling"),
        pytest.param("demonstration.ask", id="filled"),
        pytest.param("OnnxEmbedder.embed_batch", id="encoding"),
        pytest.param("demonstration.write_questions", id="judging"),
    ],
)
def test_a_killed_demonstration_goes_on_from_where_it_was(
    reached: str, empty_db: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"""
import os, signal
from demo import __main__ as demonstration
from demo.corpus import documents
from pathlib import Path
from vestige_sql.cli import output
from vestige_sql.encoder import OnnxEmbedder

{reached} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
output.BANNER_SECS = 0
demonstration.DERIVED = 20
demonstration.prepare({empty_db!r}, lambda: documents(limit={ROWS}))
demonstration.demonstrate({empty_db!r}, Path({str(model)!r}))
"""
    with pytest.raises(subprocess.CalledProcessError) as killed:
        elsewhere(code)
    assert killed.value.returncode == -signal.SIGKILL

    monkeypatch.setattr(output, "BANNER_SECS", 0)
    monkeypatch.setattr(demonstration, "DERIVED", 20)
    if "questions" not in reached:
        # What comes after the encoding is the same each time.
        monkeypatch.setattr(demonstration, "judge", lambda *_: 0)
        monkeypatch.setattr(demonstration, "report", lambda *_: [])
    assert demonstrate(empty_db, model) == 0
    assert_done(empty_db, model)
