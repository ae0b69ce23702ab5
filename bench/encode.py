"""Compare two ways of cutting texts into calls of the model: in table order, and by `encode_window`."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
import onnxruntime
from demo import minilm
from demo.corpus import documents

from vestige_sql.embedder import Vectors
from vestige_sql.encoder import OnnxEmbedder, encode_window, load_embedder

BATCH = 128

Way = Callable[[OnnxEmbedder, list[str]], Vectors]


def in_table_order(embedder: OnnxEmbedder, texts: list[str]) -> Vectors:
    """Encode ``BATCH`` rows at a time as they come, each call padded to its longest text."""
    return np.concatenate([embedder.embed_batch(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)])


def in_window(embedder: OnnxEmbedder, texts: list[str]) -> Vectors:
    return encode_window(embedder, texts, BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1000, help="how many docstrings, drawn at random")
    parser.add_argument("--model", help="a model's folder or name (default: all-MiniLM-L6-v2 from its wheel)")
    arguments = parser.parse_args()

    texts = Random(0).sample([document.content for document in documents()], arguments.texts)
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        embedder = load_embedder(arguments.model or str(minilm.build(Path(folder))))
        embedder.embed_batch(texts[:8])  # the first call also allocates
        runs: dict[Way, list[float]] = {in_window: [], in_table_order: []}
        vectors = {}
        # The short one before and after the long one, in case the machine gets busier meanwhile.
        for way in (in_window, in_table_order, in_window):
            start = time.perf_counter()
            vectors[way] = way(embedder, texts)
            runs[way].append(time.perf_counter() - start)

    lengths = [len(text) for text in texts]
    seconds = {way: median(times) for way, times in runs.items()}
    apart = np.abs(vectors[in_window] - vectors[in_table_order]).max()
    print(
        f"{len(texts):,} docstrings, median {median(lengths):,.0f} characters, longest {max(lengths):,}. "
        f"{embedder.model_name}, onnxruntime {onnxruntime.__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores. The vectors differ by {apart:.1g} at most.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
        "| texts go to the model | rows/s | ratio |\n|---|---:|---:|"
    )
    for name, way in ((f"in table order, {BATCH} a call", in_table_order), ("by `encode_window`", in_window)):
        ratio = seconds[in_table_order] / seconds[way]
        print(f"| {name} | {len(texts) / seconds[way]:.0f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
