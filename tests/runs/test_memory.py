"""The memory of a run is bounded, however many rows there are and however long their texts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from demo.minilm import build_tiny
from support import Conn

import vestige_sql
from vestige_sql.encode import openvino

DIMENSION = 768

LIMIT_MB = 200
"""What a run may need beyond the model's weights."""


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def growth_mb(db: str, table: str, model: int | Path = DIMENSION, *options: str) -> float:
    """By how much the peak of a process grows in which ``table`` is re-embedded.

    ``model`` is the folder of a model, or the dimension of a fake one, which hashes the whole of each text. With the
    option "worker" it is staged as by a worker of Ray, with "bf16" it is computed in that.
    """
    paths = [str(Path(__file__).parents[1]), str(Path(vestige_sql.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parents[1] / "support" / "memory_run.py"), db, table, str(model), *options],
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


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny"), max_seq_length=512)


@pytest.mark.parametrize(("option", "longest"), [((), 11_000_000), (("worker",), 5_000_000)], ids=["run", "worker"])
def test_a_text_of_100_mb_takes_no_more_than_its_beginning(
    db: str, conn: Conn, tiny: Path, option: tuple[str, ...], longest: int
) -> None:
    # One that ends a page of short texts, several that are a page each, and several in one page.
    repeated = f"CASE i WHEN 7 THEN {longest} WHEN 8 THEN 2000000 WHEN 9 THEN 2000000 ELSE 40000 END"
    long = f"'ordinary words ' || i || repeat(' and more', {repeated})"
    fill(conn, "long", 20, f"CASE WHEN i > 6 THEN {long} ELSE 'short ' || i END")
    # Not even once as a whole, where it takes 33 MB, 40 with the second page that is on its way.
    assert growth_mb(db, "long", tiny, *option) < LIMIT_MB / 2
    if not option:
        assert conn.execute("SELECT count(DISTINCT embedding) FROM long").fetchone() == (20,)


@pytest.mark.skipif(not openvino.is_offered(), reason="no OpenVINO here, or a processor without bfloat16")
def test_lengths_of_all_kinds_take_no_more_in_bf16(db: str, conn: Conn, tiny: Path) -> None:
    # OpenVINO compiles for each shape that it meets, and keeps some of that.
    fill(conn, "lengths", 1_500, "repeat('a ', 1 + i % 500) || i")
    assert growth_mb(db, "lengths", tiny, "bf16") < LIMIT_MB
