"""Measure what the bridge between two models finds, against the number of pairs that it was fitted on.

The rows are the demonstration's corpus: docstrings of the standard library. Each pair of models is staged as a run
stages it, and bridged with ever more pairs. recall@10 is that of ``migrate bridge``: exact, among all rows, on those
that are held out. One pair is far: word hashing knows no meaning, and the bridge has to refuse it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from demo import minilm
from demo.corpus import documents
from demo.hashing import HashingEmbedder
from encode import quantise
from own_server import server_with

from vestige_sql import Target, abort_reembed, run_reembed, stage_reembed
from vestige_sql.bridge.bridging import BridgePlan, bridge
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode.embedder import Embedder, ModelSignature, Vectors
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.encode.window import encode_window

PAIRS = (200, 500, 1_000, 2_000, 5_000)
TARGET = Target("documents")


@dataclass
class Encoded:
    """An embedder that has encoded all texts already, so that each model does so once."""

    model_name: str
    model: ModelSignature
    vectors: dict[str, Vectors]

    @property
    def dimension(self) -> int:
        return self.model.dimension

    def signature(self) -> ModelSignature:
        return self.model

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.vectors[text] for text in texts])


def encoded(embedder: Embedder, texts: list[str]) -> Encoded:
    vectors = encode_window(embedder, texts, 128)
    return Encoded(embedder.model_name, embedder.signature(), dict(zip(texts, vectors, strict=True)))


def measure(conninfo: str, old: Encoded, new: Encoded) -> list[dict[str, Any]]:
    """Bridge a table of all texts from ``old`` to ``new`` and back, with each number of pairs."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("DROP TABLE IF EXISTS documents")
        conn.execute("CREATE TABLE documents (id int PRIMARY KEY, content text, embedding vector)")
        with conn.cursor() as cursor:
            cursor.executemany("INSERT INTO documents VALUES (%s, %s)", list(enumerate(old.vectors)))
    run_reembed(conninfo, old, target=TARGET)
    stage_reembed(conninfo, new, target=TARGET)
    found = []
    for pairs in sorted({min(pairs, len(old.vectors)) for pairs in PAIRS}):
        answer = bridge(conninfo, BridgePlan(pairs=pairs, min_recall=0), target=TARGET)
        maps = [{key: each[key] for key in ("direction", "method", "centred", "recall", "low", "high")}
                for each in answer["maps"]]  # fmt: skip
        found.append({"pairs": answer["pairs"], "held_out": answer["held_out"], "maps": maps})
    abort_reembed(conninfo, target=TARGET)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--models", type=Path, default=Path(".vestige"), help="where all-MiniLM-L6-v2 is, or is put")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    texts = list(dict.fromkeys(document.content for document in documents()))[: args.rows]
    folder = str(minilm.build(args.models))
    with tempfile.TemporaryDirectory() as scratch:
        exact = encoded(load_embedder(folder), texts)
        small = shutil.copytree(folder, Path(scratch) / "int8")
        quantise(Path(folder) / "onnx" / "model.onnx", small / "onnx" / "model.onnx")
        others = {
            "int8": encoded(load_embedder(str(small), onnx_file="onnx/model.onnx"), texts),
            "32 tokens a text": encoded(load_embedder(folder, max_tokens=32), texts),
            "its first 192 dimensions": encoded(load_embedder(folder, dimension=192), texts),
            "word hashing": encoded(HashingEmbedder(), texts),
        }
        with server_with({"fsync": "off"}) as conninfo:
            with psycopg.connect(conninfo, autocommit=True) as conn:
                conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
            migrate_up(conninfo, vestige=False)
            found = {name: measure(conninfo, other, exact) for name, other in others.items()}
    if args.json:
        print(json.dumps({"rows": len(texts), "from": found}, indent=1))
        return
    for name, rows in found.items():
        print(f"\n{name}, and all-MiniLM-L6-v2: recall@10 with its 95 % interval")
        for row in rows:
            said = "   ".join(
                f"{each['direction']} {each['recall']:.3f} [{each['low']:.3f}, {each['high']:.3f}] {each['method']}"
                for each in row["maps"]
            )
            print(f"{row['pairs']:>6} pairs   {said}")


if __name__ == "__main__":
    main()
