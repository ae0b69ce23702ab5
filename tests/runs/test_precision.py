"""Runs in bfloat16: what they say and keep, how they go on in the other precision, and what stops before a write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from demo.minilm import build_tiny
from support import Conn, FakeEmbedder, seed

from vestige_sql import Target, apply_staged, dry_run_reembed, run_reembed, stage_reembed
from vestige_sql.encode import bf16, openvino
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import ModelUnsupported
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.predict.precisions import neighbours_kept
from vestige_sql.reembed.precision import sample
from vestige_sql.reembed.target import probe

needs_bf16 = pytest.mark.skipif(not openvino.is_offered(), reason="no OpenVINO here, or a processor without bfloat16")

TEXTS = [f"row {at}: an index on a table that nobody has seen {'for some time ' * (at % 4)}" for at in range(30)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


def command(db: str, tiny: Path, *more: object, verb: str = "reembed") -> list[object]:
    no_confirm = ["--no-confirm"] if verb == "reembed" else []
    return ["migrate", verb, "--postgres-url", db, "--model", tiny, "--dimension", 32, *no_confirm, *more]


def runs(conn: Conn) -> int:
    row = conn.execute("SELECT count(*) FROM vestige_sql.run").fetchone()
    assert row is not None
    return int(row[0])


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def fp32() -> str:
    return f"fp32 by ONNX Runtime {onnxruntime.__version__}"


def in_bf16() -> str:
    return f"bf16 by OpenVINO {openvino.version()}"


@needs_bf16
def test_a_run_in_bf16_says_so_everywhere(db: str, conn: Conn, tiny: Path, vestige: Any) -> None:
    seed(conn, texts=[*TEXTS, "", "  "])
    said = vestige(*command(db, tiny, "--precision", "bf16"))
    assert said.code == 0, said.err
    way = in_bf16()
    assert f"computed in {way}: on 30 texts of the table its vectors have a cosine of 0.9999" in said.err
    assert f"Vectors are computed in {way}. They are the same as in fp32, but for rounding." in " ".join(
        said.err.split()
    )
    assert f"reembed: vectors were computed in {way}" in said.err
    found = np.array(
        [
            np.fromstring(v[1:-1], sep=",")
            for (v,) in conn.execute(
                'SELECT embedding::text FROM knowledge_nodes WHERE embedding IS NOT NULL ORDER BY content COLLATE "C"'
            )
        ]
    )
    exact = load_embedder(str(tiny)).embed_batch(sorted(TEXTS))
    assert (found * exact).sum(axis=1).min() >= bf16.LEAST_COSINE
    assert np.abs(found - exact).max() > 1e-5
    # The same model: there is nothing to do in fp32, and what is new is embedded beside the others.
    said = vestige(*command(db, tiny, "--json"))
    assert said.answer["nothing_to_do"]
    seed(conn, texts=["one more"])
    answer = vestige(*command(db, tiny, "--json", "--precision", "bf16")).answer
    assert (answer["rows_updated"], answer["precision"], answer["runtime"]) == (1, *way.split(" by "))
    assert answer["computed"] == [way]
    assert [run["computed"] for run in status(db)["last_runs"]] == [[way], [way]]
    assert vestige("migrate", "status", "--postgres-url", db).out.count(f"computed in {way}") == 2


@needs_bf16
def test_a_run_is_resumed_in_the_other_precision(db: str, conn: Conn, tiny: Path, vestige: Any) -> None:
    seed(conn, texts=TEXTS[:20])
    one, other = fp32(), in_bf16()
    first = stage_reembed(db, load_embedder(str(tiny)))
    assert (first.computed, first.rows_encoded) == ([one], 20)
    seed(conn, texts=TEXTS[20:])
    second = stage_reembed(db, load_embedder(str(tiny), precision="bf16"))
    assert (second.computed, second.rows_encoded, second.run_id) == ([one, other], 10, first.run_id)
    assert second.model == first.model
    open_run = status(db)["open_run"]
    assert open_run["computed"] == [one, other]
    assert "computed" not in (open_run["encoding"] or {})
    assert f"computed in {one}, then in {other}" in vestige("migrate", "status", "--postgres-url", db).out
    assert f"-- Computed:     in {one}, then in {other}\n" in script_staged(db)
    applied = apply_staged(db)
    assert (applied.rows_updated, applied.precision, applied.computed) == (30, None, [one, other])
    # Who goes on with the model is told how it makes vectors, and a record made again forgets no run.
    run_reembed(db, load_embedder(str(tiny), query_prompt="query: "))
    kept = conn.execute("SELECT settings -> 'computed' FROM vestige_sql.encoding").fetchall()
    assert [entry["precision"] for entry in kept[0][0]] == ["fp32", "bf16"]


@needs_bf16
def test_other_vectors_stop_the_run_before_a_write(
    db: str, conn: Conn, tiny: Path, vestige: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, texts=TEXTS)

    class Wrong(openvino.OpenVino):
        def __call__(self, *args: Any) -> Any:
            return super().__call__(*args) + np.float32(0.2)

    monkeypatch.setattr(bf16, "OpenVino", Wrong)
    for verb in ("reembed", "stage"):
        said = vestige(*command(db, tiny, "--precision", "bf16", verb=verb))
        assert said.code == 1
        assert "the model tiny gives other vectors in bf16 than in fp32: of 30 texts the least cosine is 0." in said.err
        assert "run the same command with --precision fp32" in said.err
    assert runs(conn) == 0
    assert status(db)["open_run"] is None
    with pytest.raises(ModelUnsupported, match="gives other vectors"):
        run_reembed(db, load_embedder(str(tiny), precision="bf16"))
    assert runs(conn) == 0


def test_what_is_not_on_offer_is_refused_before_a_write(
    db: str, conn: Conn, tiny: Path, vestige: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, texts=TEXTS)
    monkeypatch.setitem(sys.modules, "openvino", None)
    for verb in ("reembed", "stage", "plan"):
        said = vestige(*command(db, tiny, "--precision", "bf16", verb=verb))
        assert said.code == 2
        assert "--precision bf16 needs OpenVINO, which cannot be imported" in said.err
        assert "pip install 'vestige-sql[openvino]'" in said.err
    assert runs(conn) == 0
    # fp32 needs none of it, and keeps what it was computed in too.
    report = run_reembed(db, load_embedder(str(tiny), precision="fp32"))
    assert (report.precision, report.computed) == ("fp32", [fp32()])


@pytest.mark.parametrize(("rows", "length"), [(0, 1), (3, 1), (5_000, 40), (200, 20_000)])
def test_a_sample_is_small_however_large_the_table_is(db: str, conn: Conn, rows: int, length: int) -> None:
    conn.execute("CREATE TABLE t (id integer PRIMARY KEY, content text, embedding vector(3))")
    conn.execute(
        "INSERT INTO t SELECT i, CASE WHEN i %% 3 > 0 THEN repeat(md5(i::text), %s) WHEN i %% 2 = 0 THEN '' END"
        " FROM generate_series(1, %s) AS i",
        (length, rows),
    )
    values = probe(conn, Target("t"), needs_package=False).values
    found = sample(conn, values)
    assert found == sample(conn, values)
    assert len(found) == {0: 0, 3: 2, 5_000: 64, 200: 64}[rows]
    assert all(1 <= len(text) <= 1 << 14 for text in found)


@needs_bf16
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_calibrating_measures_both(db: str, conn: Conn, tiny: Path, vestige: Any, precision: str) -> None:
    seed(conn, texts=TEXTS)
    dry = ("--dry-run", "--calibrate", "--precision", precision)
    exact, fast = vestige(*command(db, tiny, *dry, "--json")).answer["calibrated"]["precisions"]
    assert f"{exact['precision']} by {exact['runtime']}" == fp32()
    assert f"{fast['precision']} by {fast['runtime']}" == in_bf16()
    assert exact["rows_per_sec"] > 0
    assert fast["rows_per_sec"] > 0
    assert (exact["texts"], fast["texts"]) == (30, 30)
    assert exact["least_cosine"] is None
    assert bf16.LEAST_COSINE <= fast["least_cosine"] < 1
    assert 0.5 < fast["neighbours_kept"] <= 1
    said = vestige(*command(db, tiny, *dry))
    assert f"measured           {in_bf16()}: " in said.err
    assert "least cosine with fp32 0.9999" in said.err
    planned = unwrapped(vestige(*command(db, tiny, "--precision", precision, verb="plan")).out)
    assert f"precision {in_bf16()}: " in planned
    assert runs(conn) == 0


@needs_bf16
def test_calibrating_says_where_bf16_would_be_refused(
    db: str, conn: Conn, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, texts=TEXTS)

    class Wrong(openvino.OpenVino):
        def __call__(self, *args: Any) -> Any:
            return super().__call__(*args) + np.float32(0.5)

    monkeypatch.setattr(bf16, "OpenVino", Wrong)
    summary = dry_run_reembed(db, load_embedder(str(tiny)), calibrate=True)
    assert summary.calibrated is not None
    (only,) = summary.calibrated.precisions
    assert only.refused is not None
    assert "gives other vectors in bf16 than in fp32" in str(only)


def test_calibrating_compares_nothing_without_a_choice(
    db: str, conn: Conn, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(conn, texts=TEXTS)
    monkeypatch.setitem(sys.modules, "openvino", None)
    for embedder in (load_embedder(str(tiny)), FakeEmbedder("new", 16)):
        summary = dry_run_reembed(db, embedder, calibrate=True)
        assert summary.calibrated is not None
        assert summary.calibrated.precisions == []


def test_neighbours_are_counted() -> None:
    rows = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    assert neighbours_kept(rows, 3 * rows) == 1
    assert neighbours_kept(rows, rows[::-1].copy()) < 0.5
    # One neighbour of two rows, in whatever space.
    assert neighbours_kept(rows[:2], rows[2:4]) == 1
