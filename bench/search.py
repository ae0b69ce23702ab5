"""Time the searches of Vestige's table, and see which indexes they use.

Texts are docstrings, varied where there are more rows than docstrings. Vectors are drawn around as many centres as
there are docstrings, so that they lie in clusters as those of texts do; a question lies near one of them, and its text
is two words of that docstring. Measured is ``search()`` on an open connection, with the question's vector ready in
memory: the encoding of a question is not in the figures.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
from demo.corpus import Document, documents
from pgvector.psycopg import register_vector

from vestige_sql import ModelSignature, register_model, search, steps
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode.embedder import Vectors
from vestige_sql.vestige.search import vector_text

DIMENSION = 384
LIMIT = 10
SPREAD = 0.7
"""The length of what is added to a centre of length 1: two vectors of a cluster have a cosine of about 2/3."""

SEARCHES: dict[str, dict[str, Any]] = {
    "text": {"mode": "text"},
    "vector": {"mode": "vector"},
    "hybrid": {"mode": "hybrid"},
    "hybrid, one node type": {"mode": "hybrid", "node_types": ["function"]},
    "hybrid, retrievability at least 0.9": {"mode": "hybrid", "min_retrievability": 0.9},
}
INDEXES = {"text": "idx_knowledge_nodes_search_vec", "vector": "idx_knowledge_nodes_embedding_hnsw"}


class Ready:
    """An embedder that has the questions' vectors already."""

    model_name = "drawn"
    dimension = DIMENSION

    def __init__(self, vectors: dict[str, Vectors]) -> None:
        self.vectors = vectors

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, DIMENSION, "0" * 64)

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.vectors[text] for text in texts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--questions", type=int, default=500)
    arguments = parser.parse_args()

    corpus = documents()
    rng = np.random.default_rng(0)
    centres = unit(rng.standard_normal((len(corpus), DIMENSION), np.float32))
    print("| rows | search | p50, ms | p99, ms | results | plans with its indexes |\n|---:|---|---:|---:|---:|---:|")
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
            url = embedded.start(folder)
            try:
                fill(url, rows, corpus, centres, rng)
                ready = Ready(make_questions(corpus[:rows], centres, rng, arguments.questions))
                with psycopg.connect(url, autocommit=True) as conn:
                    for name, options in SEARCHES.items():
                        print(f"| {rows:,} | {name} | {measure(conn, ready, options)} |", flush=True)
                    server = steps.query(conn, "probe/server.sql", {})[0]
            finally:
                embedded.stop(folder)
    print(
        f"\n{DIMENSION} dimensions, {arguments.questions} questions, limit {LIMIT}. "
        f"PostgreSQL {server['server_version']}, pgvector {server['pgvector_version']}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores.\n\n"
        f"    {shlex.join(['PYTHONPATH=examples', 'python', *sys.argv])}"
    )


def unit(vectors: Vectors) -> Vectors:
    of_length_1: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return of_length_1


def around(rng: np.random.Generator, centres: Vectors) -> Vectors:
    """Draw a unit vector near each of ``centres``."""
    return unit(centres + SPREAD * unit(rng.standard_normal(centres.shape, np.float32)))


def fill(conninfo: str, rows: int, corpus: list[Document], centres: Vectors, rng: np.random.Generator) -> None:
    """Fill ``knowledge_nodes`` with docstrings and schedules, and build its HNSW index."""
    migrate_up(conninfo)
    register_model(conninfo, Ready({}).signature())
    with psycopg.connect(conninfo, autocommit=True) as conn:
        register_vector(conn)
        columns = "content, node_type, tags, domains, embedding"
        with conn.cursor().copy(f"COPY knowledge_nodes ({columns}) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["text", "text", "text[]", "text[]", "vector"])
            for start in range(0, rows, len(corpus)):
                vectors = around(rng, centres)
                for document, vector in zip(corpus[: rows - start], vectors, strict=False):
                    text = f"{document.content}\n\n(release {start // len(corpus)})"
                    copy.write_row((text, document.node_type, document.tags, document.tags[:1], vector))
        conn.execute(
            "INSERT INTO scheduling (memory_id, retrievability)"
            " SELECT id, (hashtextextended(id::text, 0) & 1023) / 1023.0 FROM knowledge_nodes"
        )
        memory = conn.execute("SELECT current_database()").fetchone()
        assert memory is not None
        # For the build alone, which is not what is measured here.
        conn.execute(f"ALTER DATABASE \"{memory[0]}\" SET maintenance_work_mem = '1GB'")
        conn.execute("VACUUM (ANALYZE) knowledge_nodes, scheduling")
    migrate_up(conninfo)


def make_questions(
    corpus: list[Document], centres: Vectors, rng: np.random.Generator, count: int
) -> dict[str, Vectors]:
    """Return ``count`` questions of two words each, and their vectors."""
    draw = random.Random(0)
    found: dict[str, Vectors] = {}
    while len(found) < count:
        place = draw.randrange(len(corpus))
        words = sorted({*re.findall(r"[a-z]{5,}", corpus[place].docstring)})
        if len(words) >= 2:
            found[" ".join(draw.sample(words, 2))] = around(rng, centres[place])
    return found


def measure(conn: psycopg.Connection[Any], ready: Ready, options: dict[str, Any]) -> str:
    """Return a table's cells: milliseconds at the median and the 99th percentile, results a search, plans."""
    for question in list(ready.vectors)[:20]:
        search(conn, question, ready, limit=LIMIT, **options)
    seconds, results = [], 0
    for question in ready.vectors:
        start = time.perf_counter()
        results += len(search(conn, question, ready, limit=LIMIT, **options))
        seconds.append(time.perf_counter() - start)
    p50, p99 = 1000 * np.percentile(seconds, [50, 99])
    explained = [explain(conn, ready, question, options) for question in list(ready.vectors)[:20]]
    wanted = [INDEXES[mode] for mode in INDEXES if options["mode"] in (mode, "hybrid")]
    using = sum(all(index in plan for index in wanted) for plan in explained)
    return f"{p50:.1f} | {p99:.1f} | {results / len(seconds):.1f} | {using} of {len(explained)}"


def explain(conn: psycopg.Connection[Any], ready: Ready, question: str, options: dict[str, Any]) -> str:
    """Return the plan of the statement that ``search()`` runs."""
    found = steps.query_one(conn, "search/table.sql", {"target": "knowledge_nodes"})
    assert found is not None
    signature = ready.signature()
    filters = {
        name: psycopg.sql.Literal(options.get(name)).as_string(conn)
        for name in ("domains", "node_types", "tags", "min_retrievability")
    }
    values: dict[str, steps.Value] = found | filters | {
        "text": question, "vector": vector_text(ready.embed_batch([question])), "limit": LIMIT,
        "dimension": DIMENSION, "model_name": signature.name, "model_hash": signature.hash,
        "filtered": len({*options} - {"mode"}) > 0,
    }  # fmt: skip
    with conn.transaction():
        steps.run(conn, steps.load("search/set_scan.sql"), values)
        text = steps.load(f"search/{options['mode']}.sql").render(values, conn)
        return "\n".join(line for (line,) in conn.execute(b"EXPLAIN " + text.encode()))


if __name__ == "__main__":
    main()
