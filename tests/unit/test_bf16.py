"""A model computed in bfloat16: the vectors of fp32 but for rounding, and refused by name where that cannot be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo.minilm import build_tiny
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import save_file

import vestige_sql
from vestige_sql.cli.models import source
from vestige_sql.cli.parser import make_parser
from vestige_sql.cluster.worker import Shipped
from vestige_sql.encode import bf16, openvino
from vestige_sql.encode.bf16 import Bf16Embedder
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.encode.window import embed_queries, encode_window
from vestige_sql.errors import EncoderError, ModelUnsupported, UsageError

needs_bf16 = pytest.mark.skipif(not openvino.is_offered(), reason="no OpenVINO here, or a processor without bfloat16")
needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="no OpenVINO here")

ARCHIVE = Path(__file__).parents[1] / "data" / "conformance.zip"
WORDS = "the lock of a row and an index on a table that nobody has seen for some time"
TEXTS = [(WORDS[at % 7 :] + " ") * (1 + at % 5) + str(at) for at in range(40)] + ["a", "", "\u2603", "word " * 300]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


def cosines(one: Any, other: Any) -> Any:
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@needs_bf16
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prompt": "passage: ", "query_prompt": "query: ", "max_tokens": 9},
        {"dimension": 16},
        {"dimension": 16, "layer_norm_first": True, "threads": 1},
    ],
    ids=["plain", "prompts, truncated", "shortened", "after a layer norm"],
)
def test_the_vectors_are_those_of_fp32(tiny: Path, options: dict[str, Any]) -> None:
    exact, fast = (load_embedder(str(tiny), precision=precision, **options) for precision in ("fp32", "bf16"))
    assert isinstance(fast, Bf16Embedder)
    assert fast.signature() == exact.signature()
    assert fast.encoding == exact.encoding
    assert (exact.precision, fast.precision) == ("fp32", "bf16")
    assert exact.runtime.startswith("ONNX Runtime ")
    assert fast.runtime == f"OpenVINO {openvino.version()}"
    assert (fast.device, fast.device_asked, fast.calls_at_once) == ("cpu", "auto", exact.calls_at_once)
    assert fast.token_counts(TEXTS) == exact.token_counts(TEXTS)
    for encode in (lambda model: encode_window(model, TEXTS, 16), lambda model: embed_queries(model, TEXTS)):
        found, expected = encode(fast), encode(exact)
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        assert cosines(found, expected).min() >= bf16.LEAST_COSINE
        # It was bfloat16, and not fp32 by another name.
        assert np.abs(found - expected).max() > 1e-5
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)


@needs_bf16
@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta", "mpnet", "distilbert", "modernbert", "qwen3"])
def test_other_architectures_agree_or_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path, [file for file in archive.namelist() if file.startswith(f"{name}/")])
    exact = load_embedder(str(tmp_path / name)).embed_batch(TEXTS)
    try:
        found = load_embedder(str(tmp_path / name), precision="bf16").embed_batch(TEXTS)
    except ModelUnsupported as refused:
        assert "gives other vectors in bf16" in str(refused)
    else:
        # Of random weights, which add up to more rounding than trained ones.
        assert cosines(exact, found).min() >= 0.999


@needs_bf16
def test_the_texts_beside_one_make_no_difference(tiny: Path) -> None:
    fast = load_embedder(str(tiny), precision="bf16")
    alone = np.concatenate([fast.embed_batch([text]) for text in TEXTS])
    assert cosines(alone, fast.embed_batch(TEXTS)).min() >= bf16.LEAST_COSINE


@needs_bf16
def test_agreement_is_measured_before_and_after_the_first_call(tiny: Path) -> None:
    fast = load_embedder(str(tiny), precision="bf16")
    for _ in range(2):
        found = fast.agreement(TEXTS)
        assert found.texts == len(TEXTS)
        assert bf16.LEAST_COSINE <= found.least_cosine < 1
    # ONNX Runtime's weights are given back.
    assert fast._session is None
    assert fast._graph is not None
    assert fast._graph.session is None


@needs_bf16
@pytest.mark.parametrize("first", ["embed_batch", "agreement"])
def test_other_vectors_are_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    class Wrong(openvino.OpenVino):
        def __call__(self, *args: Any) -> Any:
            return super().__call__(*args) + np.float32(0.5)

    monkeypatch.setattr(bf16, "OpenVino", Wrong)
    fast = load_embedder(str(tiny), precision="bf16")
    with pytest.raises(
        ModelUnsupported, match=r"other vectors in bf16 than in fp32: of \d+ texts the least"
    ) as refused:
        getattr(fast, first)(TEXTS)
    assert "--precision fp32" in refused.value.hint
    # Nor does it go on with them when it is asked again.
    with pytest.raises(ModelUnsupported, match="other vectors in bf16"):
        fast.embed_batch(TEXTS)


@needs_bf16
def test_a_call_that_fails_says_so(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = load_embedder(str(tiny), precision="bf16")
    fast.embed_batch(["a"])
    assert fast._graph is not None
    monkeypatch.setattr(fast._graph.compute, "_model", None)
    monkeypatch.setattr(fast._graph.compute, "_requests", type("None", (), {})())
    with pytest.raises(EncoderError, match=r"OpenVINO .* failed on a call of 1 texts of up to \d+ tokens"):
        fast.embed_batch(["a"])


@needs_bf16
def test_calls_have_few_shapes(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = load_embedder(str(tiny), precision="bf16")
    fast.embed_batch(["a"])
    # No longer than the model truncates, where its table of positions may end.
    assert [fast._length_of_call(longest) for longest in (1, 8, 9, 33, 63, 64)] == [8, 8, 16, 40, 64, 64]
    for most in (8_190, None):
        monkeypatch.setattr(fast, "_files", replace(fast.files, max_tokens=most))
        lengths = [fast._length_of_call(longest) for longest in range(1, 8_191)]
        assert len(set(lengths)) < 150
        assert lengths[-1] == most or most is None
        for longest, length in enumerate(lengths, 1):
            assert longest <= length <= max(longest + 8, longest * 17 // 16)


@needs_openvino
def test_openvino_comes_without_its_telemetry(tiny: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from vestige_sql.encode import openvino; openvino.is_offered(); openvino.version();"
        "print([name for name in sys.modules if 'openvino_telemetry' in name])"
    )
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(Path(vestige_sql.__file__).parents[1])}
    environment.pop("CI", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_fp32_imports_no_openvino(tiny: Path) -> None:
    code = (
        "import sys; from vestige_sql.encode.onnx import load_embedder;"
        f"load_embedder({str(tiny)!r}).embed_batch(['a']); print('openvino' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(vestige_sql.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


# --- What is refused, on any machine ---


class Core:
    """OpenVINO's view of a processor that has no bfloat16."""

    def get_property(self, device: str, name: str) -> Any:
        assert device == "CPU"
        return {"OPTIMIZATION_CAPABILITIES": ["FP32", "INT8", "BIN"], "FULL_DEVICE_NAME": "An Older Processor "}[name]


class Broken:
    def __init__(self) -> None:
        raise RuntimeError("libopenvino_intel_cpu_plugin.so: cannot open shared object file")


def pretend(monkeypatch: pytest.MonkeyPatch, core: type) -> None:
    module = type("module", (), {"Core": core, "get_version": staticmethod(lambda: "2026.4.1-22982-e213a147257")})
    monkeypatch.setattr(openvino, "_openvino", lambda: module)
    openvino.version.cache_clear()


@pytest.fixture(autouse=True)
def _version_of_now() -> Any:
    yield
    openvino.version.cache_clear()


def test_a_processor_without_bf16_is_refused_by_name(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Core)
    with pytest.raises(UsageError, match="this one, An Older Processor, computes in FP32, INT8, BIN") as refused:
        load_embedder(str(tiny), precision="bf16")
    assert "OpenVINO 2026.4.1 says" in str(refused.value)
    assert "leave --precision bf16 out" in refused.value.hint
    assert not openvino.is_offered()


def test_a_missing_or_broken_openvino_is_refused_by_name(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Broken)
    with pytest.raises(UsageError, match=r"plugin for processors, which cannot be loaded: libopenvino_intel_cpu"):
        load_embedder(str(tiny), precision="bf16")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UsageError, match="needs OpenVINO, which cannot be imported") as refused:
        load_embedder("a/model-that-is-nowhere", precision="bf16")
    assert "pip install 'vestige-sql[openvino]'" in refused.value.hint
    assert not openvino.is_offered()


def test_what_bf16_does_not_go_with(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="precision must be one of fp32, bf16, not 'int8'"):
        load_embedder(str(tiny), precision="int8")
    with pytest.raises(UsageError, match="--device cuda was given"):
        load_embedder(str(tiny), precision="bf16", device="cuda")
    monkeypatch.setattr(openvino, "check_offered", lambda device="auto": None)
    monkeypatch.setattr(bf16, "check_offered", lambda device="auto": None)
    quantised = shutil.copytree(tiny, tmp_path / "small")
    graph = quantised / "onnx" / "model.onnx"
    quantize_dynamic(graph, graph.with_name("int8.onnx"), weight_type=QuantType.QInt8)
    with pytest.raises(UsageError, match=r"onnx/int8\.onnx of small has weights in int8"):
        load_embedder(str(quantised), precision="bf16", onnx_file="onnx/int8.onnx")
    static = tmp_path / "static"
    static.mkdir()
    shutil.copy(tiny / "tokenizer.json", static)
    save_file({"embedding.weight": np.ones((500, 8), np.float32)}, static / "model.safetensors")
    listed = [{"type": "sentence_transformers.models.StaticEmbedding", "path": "."}]
    (static / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(UsageError, match="static is a table of token vectors"):
        load_embedder(str(static), precision="bf16")


@pytest.mark.parametrize("where", [["--embedder", "a:b"], ["--endpoint", "http://localhost:1", "--model", "x"]])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_endpoints_and_own_embedders_have_their_own_precision(where: list[str], precision: str) -> None:
    args = make_parser().parse_args(["migrate", "reembed", *where, "--dimension", "8", "--precision", precision])
    with pytest.raises(UsageError, match="--precision is for models whose files are at hand"):
        source(args)


def test_workers_are_told(tiny: Path) -> None:
    args = make_parser().parse_args(
        ["migrate", "reembed", "--model", str(tiny), "--dimension", "32", "--precision", "bf16", "--engine", "ray"]
    )
    assert source(args).asked["precision"] == "bf16"
    if not openvino.is_offered():
        return
    fast = load_embedder(str(tiny), precision="bf16")
    sent = Shipped.pack(fast.files, fast.device_asked, fast.precision_asked)(1)
    assert isinstance(sent, Bf16Embedder)
    assert sent.signature() == fast.signature()
    assert source(args)(1).precision == "bf16"  # type: ignore[attr-defined]
