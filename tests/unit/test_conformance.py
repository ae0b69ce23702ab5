"""The encoder gives the vectors that sentence-transformers gives, for tiny models of each architecture.

``bench/conformance.py`` writes the models and the vectors; it needs torch, and this does not.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vestige_sql.encode.onnx import load_embedder
from vestige_sql.encode.window import embed_queries, encode_window

ARCHIVE = Path(__file__).parents[1] / "data" / "conformance.zip"
ARCHITECTURES = (
    "bert", "roberta", "xlm-roberta", "mpnet", "distilbert", "modernbert", "qwen3", "nomic-bert", "gte", "eurobert",
    "gemma3", "t5", "static",
)  # fmt: skip
LEAST = 0.99999


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("conformance")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder, json.loads((folder / "expected.json").read_text(encoding="utf-8"))


def agree(found: Any, expected: Any, *, lengths: bool = True) -> None:
    expected = np.array(expected)
    assert found.shape == expected.shape
    norms = np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1)
    assert ((found * expected).sum(axis=1) / (norms[0] * norms[1])).min() >= LEAST
    if lengths:
        assert np.allclose(*norms, rtol=1e-4)


def test_every_model_is_tried(models: tuple[Path, Any]) -> None:
    assert set(models[1]["models"]) == set(ARCHITECTURES)
    assert ARCHIVE.stat().st_size < 40_000 * len(ARCHITECTURES)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_as_sentence_transformers(models: tuple[Path, Any], name: str) -> None:
    folder, known = models
    texts, expected = known["texts"], known["models"][name]
    embedder = load_embedder(str(folder / name))
    agree(encode_window(embedder, texts, 3), expected["documents"])
    agree(embedder.embed_batch(texts), expected["documents"])
    agree(embed_queries(embedder, texts), expected["queries"])
    agree(load_embedder(str(folder / name), prompt="").embed_batch(texts), expected["plain"])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shortened(models: tuple[Path, Any], name: str) -> None:
    folder, known = models
    first = np.array(known["models"][name]["documents"])[:, :8]
    shortened = first / np.linalg.norm(first, axis=1, keepdims=True)
    agree(load_embedder(str(folder / name), dimension=8).embed_batch(known["texts"]), shortened)


def test_prompts_make_a_difference_here(models: tuple[Path, Any]) -> None:
    """Otherwise a prompt that is left out would not be noticed."""
    for name in ("xlm-roberta", "modernbert", "nomic-bert", "eurobert", "gemma3"):
        expected = models[1]["models"][name]
        for other in ("queries", "plain"):
            with pytest.raises(AssertionError):
                agree(np.array(expected["documents"]), expected[other])
