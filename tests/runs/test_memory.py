"""The memory of a run is bounded, however many rows there are and however long their texts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import Conn

import vestige_sql

DIMENSION = 768

LIMIT_MB = 200
"""What a run may need beyond the model's weights."""


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def growth_mb(db: str, table: str, dimension: int = DIMENSION) -> float:
    """By how much the peak of a process grows in which ``table`` is re-embedded."""
    paths = [str(Path(__file__).parents[1]), str(Path(vestige_sql.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parents[1] / "support" / "memory_run.py"), db, table, str(dimension)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def fill(conn: Conn, table: str, rows: int, text: str) -> None:
    conn.execute(f"CREATE TABLE {table} (id integer PRIMARY KEY, content text, embedding vector(3))")  # type: ignore[arg-type]
    conn.execute(f"INSERT INTO {table} SELECT i, {text} FROM generate_series(1, {rows}) AS i")  # type: ignore[arg-type]
    # The index is the server's work, and takes it longest; one that hardly has a row is quick.
    conn.execute(f"CREATE INDEX {table}_hnsw ON {table} USING hnsw (embedding vector_cosine_ops) WHERE id < 10")  # type: ignore[arg-type]


def test_memory_does_not_grow_with_the_rows(db: str, conn: Conn) -> None:
    fill(conn, "few", 4_000, "'row ' || i")
    fill(conn, "many", 20_000, "'row ' || i")
    few, many = growth_mb(db, "few"), growth_mb(db, "many")
    assert many < LIMIT_MB
    # Vectors of all those rows would be 47 MB more.
    assert many - few < 24


def test_memory_does_not_grow_with_the_texts(db: str, conn: Conn) -> None:
    # 60 MB of text, in fewer rows than make a page of short ones: all at once would take 175 MB, by pages it is 90.
    fill(conn, "long", 300, "repeat(md5(i::text), 6250)")
    assert growth_mb(db, "long", 32) < 140
    # And a single text that is larger than a page of them.
    fill(conn, "one", 20, "CASE WHEN i = 7 THEN repeat('word ', 2000000) ELSE 'short ' || i END")
    assert growth_mb(db, "one", 32) < LIMIT_MB
