"""Graphs from another repository: the vectors are the model's own, and another model's graph is refused."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo.minilm import build_tiny
from test_model import Hub, Machine

from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import ModelNotFound, ModelUnsupported

TEXTS = ["a", "memory server", "The quick brown fox"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny", external_data=True)


@pytest.fixture
def parted(whole: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The model without its graph, and the graph with what onnx-community has beside it."""
    model = Path(shutil.copytree(whole, tmp_path / "tiny"))
    shutil.rmtree(model / "onnx")
    graph = tmp_path / "graph"
    shutil.copytree(whole / "onnx", graph / "onnx")
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(whole / name, graph / name)
    return model, graph


def test_the_vectors_are_the_models_own(whole: Path, parted: tuple[Path, Path]) -> None:
    model, graph = parted
    with pytest.raises(ModelUnsupported, match="has no ONNX graph") as refused:
        load_embedder(str(model))
    assert "--graph-repo" in refused.value.hint
    embedder = load_embedder(str(model), graph_repo=str(graph))
    assert embedder.signature() == load_embedder(str(whole)).signature()
    assert np.array_equal(embedder.embed_batch(TEXTS), load_embedder(str(whole)).embed_batch(TEXTS))
    assert embedder.files.graph_name == f"{graph}:onnx/model.onnx"


def test_nothing_else_is_taken_from_there(whole: Path, parted: tuple[Path, Path]) -> None:
    model, graph = parted
    other = {"prompts": {"document": "theirs: "}}
    (graph / "config_sentence_transformers.json").write_text(json.dumps(other))
    (graph / "modules.json").write_text("not even JSON")
    (graph / "sentence_bert_config.json").write_text('{"max_seq_length": 3}')
    assert load_embedder(str(model), graph_repo=str(graph)).signature() == load_embedder(str(whole)).signature()


def change(file: str, **values: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return edit


def change_word(folder: Path) -> None:
    path = folder / "tokenizer.json"
    value = json.loads(path.read_text())
    vocabulary = value["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    path.write_text(json.dumps(value))


def change_case(folder: Path) -> None:
    path = folder / "tokenizer.json"
    value = json.loads(path.read_text())
    value["normalizer"]["lowercase"] = False
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (change("config.json", hidden_size=64), "its hidden_size is 64, and the model's is 32"),
        (change("config.json", pad_token_id=1), "its pad_token_id is 1, and the model's is 0"),
        (change("config.json", hidden_size=None), "nothing says whether"),
        (lambda folder: (folder / "config.json").unlink(), "nothing says whether"),
        (change_word, "differ in their vocabularies"),
        (change_case, "differ in the tokens of 'The quick"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "that one cannot be read"),
        (lambda folder: shutil.rmtree(folder / "onnx"), "has no ONNX graph"),
        (lambda folder: (folder / "onnx" / "model.onnx_data").unlink(), "model.onnx_data, which is missing"),
    ],
)
def test_another_models_graph_is_refused(parted: tuple[Path, Path], edit: Callable[[Path], None], said: str) -> None:
    model, graph = parted
    edit(graph)
    with pytest.raises(ModelUnsupported) as refused:
        load_embedder(str(model), graph_repo=str(graph))
    assert said in str(refused.value)


def test_a_tokenizer_that_only_looks_different(parted: tuple[Path, Path]) -> None:
    """Whoever exports a graph saves the tokenizer anew, with other settings of padding."""
    model, graph = parted
    change("tokenizer.json", padding=None, truncation=None)(graph)
    load_embedder(str(model), graph_repo=str(graph))
    (graph / "tokenizer.json").unlink()
    load_embedder(str(model), graph_repo=str(graph))


def test_a_name_that_is_none(parted: tuple[Path, Path]) -> None:
    with pytest.raises(ModelNotFound, match="the hub allows no such name"):
        load_embedder(str(parted[0]), graph_repo="no/such/folder")


class TwoHubs(Hub):
    """A hub with the model's repository, and onnx-community's."""

    def __init__(self, model: Path, graph: Path) -> None:
        super().__init__({"main": model})
        self.folders = {self.repo: self.revisions, "onnx-community/tiny": Hub({"main": graph}).revisions}

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.repo = next((repo for repo in self.folders if repo in path), self.repo)
        self.revisions = self.folders[self.repo]
        return super().answer(path)


@pytest.fixture
def hub(parted: tuple[Path, Path]) -> Iterator[TwoHubs]:
    hub = TwoHubs(*parted)
    thread = threading.Thread(target=hub.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()
    thread.join(5)


def test_two_repositories_of_the_hub(whole: Path, hub: TwoHubs, tmp_path: Path) -> None:
    machine = Machine(hub, tmp_path / "home")
    expected = load_embedder(str(whole)).signature().hash
    answer = machine.resolve("tiny", graph_repo="onnx-community/tiny")
    assert answer == {"name": "sentence-transformers/tiny", "hash": expected, "rows": 1}
    # From the cache afterwards.
    hub.requests.clear()
    assert machine.resolve("tiny", graph_repo="onnx-community/tiny", offline=True) == answer
    assert hub.requests == []
    answer = machine.resolve("tiny", graph_repo="onnx-community/other")
    assert answer["error"] == "ModelNotFound"
    assert "the graph of onnx-community/other was not found" in answer["message"]
    answer = machine.resolve("tiny", graph_repo="onnx-community/other", offline=True)
    assert "HF_HUB_OFFLINE forbids" in answer["message"]
