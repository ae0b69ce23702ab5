"""Measure what another precision would bring on the user's own texts: how fast it is, and how far its vectors agree."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.encode.graph import QUANTISED
from vestige_sql.encode.onnx import OnnxEmbedder, load_files
from vestige_sql.encode.window import encode_window
from vestige_sql.errors import ModelUnsupported
from vestige_sql.report import MeasuredPrecision

# The most texts, and about how long one turn may take in the slower precision. Each has two turns.
_TEXTS = 1_000
_SECS = 4.0
_NEIGHBOURS = 10
_WARM_UP = 16


def compare_precisions(
    embedder: Embedder, texts: Sequence[str], batch_size: int, secs_per_text: float
) -> list[MeasuredPrecision]:
    """Encode some of ``texts`` in each precision that is on offer here, and return what that took, fp32 first.

    ``secs_per_text`` is what one takes in the embedder's own. Returns nothing where there is no choice.
    """
    texts = list(dict.fromkeys(texts))[: min(_TEXTS, max(2, int(_SECS / max(secs_per_text, 1e-6))))]
    if len(texts) < 2 or not _may_choose(embedder):
        return []
    assert isinstance(embedder, OnnxEmbedder)
    other = "fp32" if embedder.precision_asked == "bf16" else "bf16"
    loaded = {
        embedder.precision_asked: embedder,
        other: load_files(embedder.files, device=embedder.device_asked, precision=other),
    }
    seconds: dict[str, float] = {}
    vectors: dict[str, Vectors] = {}
    try:
        for model in loaded.values():
            encode_window(model, texts[:_WARM_UP], batch_size)
        # Each comes first once, so that what else the machine does hits both.
        for precision in (*loaded, *reversed(loaded)):
            began = time.monotonic()
            vectors[precision] = encode_window(loaded[precision], texts, batch_size)
            took = time.monotonic() - began
            seconds[precision] = min(took, seconds.get(precision, took))
    except ModelUnsupported as error:
        bf16 = loaded["bf16"]
        return [MeasuredPrecision(bf16.precision, bf16.runtime, 0, refused=str(error))]
    exact, found = vectors["fp32"], vectors["bf16"]
    fp32, bf16 = loaded["fp32"], loaded["bf16"]
    return [
        MeasuredPrecision(fp32.precision, fp32.runtime, len(texts), len(texts) / seconds["fp32"]),
        MeasuredPrecision(
            bf16.precision,
            bf16.runtime,
            len(texts),
            len(texts) / seconds["bf16"],
            least_cosine=float(cosines(exact, found).min()),
            neighbours_kept=neighbours_kept(exact, found),
        ),
    ]


def _may_choose(embedder: Embedder) -> bool:
    if not isinstance(embedder, OnnxEmbedder) or embedder.device == "cuda":
        return False
    if embedder.files.static or embedder.files.precision in QUANTISED:
        return False
    from vestige_sql.encode.openvino import is_offered

    return is_offered()


def cosines(one: Vectors, other: Vectors) -> Vectors:
    """Return the cosine of each row of ``one`` with that of ``other``."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    found: Vectors = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return found


def neighbours_kept(exact: Vectors, found: Vectors) -> float:
    """Return the mean share of each row's ten nearest by cosine among ``exact`` that are so among ``found`` too."""
    count = min(_NEIGHBOURS, len(exact) - 1)

    def nearest(rows: Vectors) -> list[set[int]]:
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        likeness = unit @ unit.T
        np.fill_diagonal(likeness, -np.inf)
        return [set(row) for row in np.argpartition(-likeness, count - 1)[:, :count].tolist()]

    pairs = zip(nearest(exact), nearest(found), strict=True)
    return float(np.mean([len(one & other) / count for one, other in pairs]))
