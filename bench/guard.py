"""Compare what this tree measures with what was measured before, by ratios: run by hand before a release, not in CI.

Each ratio is of two things that take turns in one run, so that the machine's speed is in both; higher is better. The
former ones are in ratios.json beside this file. One that is worse by more than a fifth is measured again, and if it
stays so it is named, and the exit code is 1. ``--write`` writes what is measured there, for a change that is meant.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median

import index
import whole
from apply import COPY_ALONE, IN_PLACE, WAYS, make_rows, take_turns
from demo import minilm
from demo.corpus import documents
from encode import in_table_order, model_flop, sgemm_flops, vestige

from vestige_sql.encode.onnx import load_embedder

FILE = Path(__file__).with_name("ratios.json")
WORSE = 0.8
TURNS = 3


def encoder() -> dict[str, float]:
    """The encoder against calls in table order, and its FLOP/s against those of sgemm."""
    texts = Random(0).sample([document.content for document in documents()], 500)
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        model = minilm.build(Path(folder))
        embedder = load_embedder(str(model), device="cpu")
        ours, plain = vestige(embedder, texts), in_table_order(embedder, texts)
        flop = model_flop(model / "onnx" / "model.onnx", embedder.dimension, embedder.token_counts(texts))
        seconds = [(ours()[0], plain()[0], sgemm_flops()) for _ in range(TURNS)]
    return {
        "encode_window over calls in table order": median(slow / fast for fast, slow, _ in seconds),
        "FLOP/s of the encoder over sgemm": median(flop / fast / gemm for fast, _, gemm in seconds),
    }


def write_path() -> dict[str, float]:
    """Staging and rewriting against UPDATEs in place and COPY alone, 10,000 rows, with a free encoder."""
    rows = make_rows("documents", 10_000, 384, 768)
    compared = ["staging COPY + rewrite", *IN_PLACE, COPY_ALONE]
    measured, _ = take_turns(rows, {name: WAYS[name] for name in compared}, TURNS)
    ours, *in_place, copy = (median(result.seconds for result in measured[name]) for name in compared)
    return {"rewrite over the best in place": min(in_place) / ours, "rewrite over COPY alone": copy / ours}


def whole_job() -> dict[str, float]:
    """A whole run against the encoder alone, 1,000 docstrings."""
    seconds, reports, _ = whole.measure(1_000, TURNS)
    return {"a whole run over the encoder alone": whole.share(seconds, reports)}


def index_build() -> dict[str, float]:
    """The index by the package's settings against the server's own, 20,000 vectors of 768 dimensions."""
    built = index.measure(20_000, 768)
    return {"the index over the server's settings": built.plain / built.package}


def scale() -> dict[str, float]:
    """Seconds a row and peak memory at 10,000 rows against 100,000, with an encoder that costs nothing."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("scale.py"), "--rows", "100000", "--only", "run", "--json"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    few, many = json.loads(done.stdout.splitlines()[-1]).values()
    return {
        "seconds a row of 10,000 over 100,000": few["duration"] / many["duration"],
        "peak memory of 10,000 rows over 100,000": few["peak_mb"] / many["peak_mb"],
    }


PARTS: tuple[Callable[[], dict[str, float]], ...] = (encoder, write_path, whole_job, index_build, scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep what is measured as what later runs compare with")
    parser.add_argument("--only", choices=[part.__name__ for part in PARTS], action="append", help="one part (all)")
    arguments = parser.parse_args()
    parts = [part for part in PARTS if part.__name__ in (arguments.only or [part.__name__])]

    before: dict[str, float] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    found: dict[str, float] = {}
    print("| ratio | before | now |\n|---|---:|---:|")
    for part in parts:
        measured = part()
        if not arguments.write and worse(measured, before):
            again = part()
            measured = {name: max(ratio, again[name]) for name, ratio in measured.items()}
        found |= measured
        for name, ratio in measured.items():
            print(f"| {name} | {before.get(name, float('nan')):.2f} | {ratio:.2f} |", flush=True)
    if arguments.write:
        FILE.write_text(json.dumps(before | {name: round(ratio, 3) for name, ratio in found.items()}, indent=2) + "\n")
    elif names := worse(found, before):
        raise SystemExit("\nWorse by more than a fifth: " + "; ".join(names))


def worse(found: dict[str, float], before: dict[str, float]) -> list[str]:
    """Return the names of the ratios that are worse than before by more than a fifth."""
    return [name for name, ratio in found.items() if ratio < WORSE * before.get(name, 0)]


if __name__ == "__main__":
    main()
