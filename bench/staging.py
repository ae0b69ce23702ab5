"""What a staged row takes: bytes in the staging table with its index, and bytes of WAL.

These are sizes, and no timings: they are the same on any machine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence

import numpy as np
import psycopg

from vestige_sql import ModelSignature, Target, stage_reembed, steps
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode.embedder import Vectors
from vestige_sql.reembed.target import probe
from vestige_sql.reembed.verbs import abort_reembed

DOCUMENTS = Target("documents", content_column="body")


class Random:
    """A model whose vectors are random numbers, which no compression makes smaller."""

    def __init__(self, dimension: int) -> None:
        self.model_name = "random"
        self.dimension = dimension
        self._random = np.random.default_rng(0)

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, self.dimension, "0" * 64)

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        return self._random.standard_normal((len(texts), self.dimension), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_480)
    arguments = parser.parse_args()

    print("| key | vector | staging, bytes a row | of these the index | WAL, bytes a row |\n|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        server = embedded.start(folder)
        try:
            migrate_up(server, vestige=False)
            for key, fill in (("bigint", "i"), ("uuid", "gen_random_uuid()")):
                for vector_type, dimension in (
                    ("vector", 384),
                    ("vector", 768),
                    ("vector", 1024),
                    ("vector", 1536),
                    ("halfvec", 768),
                    ("halfvec", 1536),
                ):
                    with psycopg.connect(server, autocommit=True) as conn:
                        conn.execute(f"""
                            DROP TABLE IF EXISTS documents;
                            CREATE TABLE documents (
                                id {key} PRIMARY KEY, body text, embedding {vector_type}({dimension}));
                            INSERT INTO documents SELECT {fill}, 'document number ' || i
                                FROM generate_series(1, {arguments.rows}) AS i""")
                        conn.execute("VACUUM ANALYZE documents")
                        conn.execute("CHECKPOINT")
                        sizes = measured(conn, server, dimension, arguments.rows)
                        print(f"| {key} | {vector_type}({dimension}) | {sizes} |", flush=True)
        finally:
            embedded.stop(folder)


def measured(conn: psycopg.Connection, server: str, dimension: int, rows: int) -> str:
    """Return a line's cells."""
    (before,) = conn.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ()
    stage_reembed(server, Random(dimension), target=DOCUMENTS)
    (wal,) = conn.execute("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", (before,)).fetchone() or ()
    table = f"vestige_sql.{probe(conn, DOCUMENTS).values['staging_table']}"
    total, index = conn.execute(
        "SELECT pg_total_relation_size(%(t)s::regclass), pg_indexes_size(%(t)s::regclass)", {"t": table}
    ).fetchone() or (0, 0)
    assert steps.query(conn, "probe/staged.sql", probe(conn, DOCUMENTS).values)[0]["rows_staged"] == rows
    abort_reembed(server, target=DOCUMENTS)
    return f"{total / rows:,.0f} | {index / rows:,.0f} | {int(wal) / rows:,.0f}"


if __name__ == "__main__":
    main()
