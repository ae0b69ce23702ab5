"""What follows the transformer: layers, poolings, tables of token vectors, decoders' graphs, shortened vectors."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from demo.minilm import build_tiny
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from vestige_sql.encode.graph import precision
from vestige_sql.encode.hub import resolve_model
from vestige_sql.encode.onnx import OnnxEmbedder, load_embedder
from vestige_sql.encode.tokens import padded
from vestige_sql.encode.weights import read_weights
from vestige_sql.errors import DimensionMismatch, ModelUnsupported, UsageError

TEXTS = ["a", "memory server", "The quick brown fox jumps over the lazy dog.", "ab " * 200]
RANDOM = np.random.default_rng(0)


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def layers(folder: Path, *modules: tuple[str, dict[str, Any], dict[str, Any]]) -> Path:
    """Give a model modules after its transformer: kind, configuration and weights of each."""
    listed = [{"type": "sentence_transformers.models.Transformer", "path": ""}]
    for at, (kind, config, weights) in enumerate(modules, 1):
        listed.append({"type": f"sentence_transformers.models.{kind}", "path": f"{at}_{kind}"})
        write(folder / f"{at}_{kind}" / "config.json", config)
        if weights:
            save_file(weights, folder / f"{at}_{kind}" / "model.safetensors")
    write(folder / "modules.json", listed)
    return folder


def dense(takes: int, gives: int, activation: str = "activation.Tanh", **more: Any) -> tuple[str, Any, Any]:
    config = {"in_features": takes, "out_features": gives, "bias": True}
    weights = {"linear.weight": RANDOM.normal(0, 1, (gives, takes)), "linear.bias": RANDOM.normal(0, 1, gives)}
    config |= {"activation_function": f"torch.nn.modules.{activation}"} | more
    return "Dense", config, {name: array.astype(np.float32) for name, array in weights.items()}


def norm(size: int) -> tuple[str, Any, Any]:
    weights = {"norm.weight": RANDOM.normal(1, 1, size), "norm.bias": RANDOM.normal(0, 1, size)}
    return "LayerNorm", {"dimension": size}, {name: array.astype(np.float32) for name, array in weights.items()}


MEAN = ("Pooling", {"pooling_mode": "mean", "embedding_dimension": 32}, {})
NORMALIZE = ("Normalize", {}, {})


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def linear(module: tuple[str, Any, Any], vectors: Any) -> Any:
    return vectors @ module[2]["linear.weight"].T.astype(np.float64) + module[2]["linear.bias"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny", normalize=False)


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "tiny"))


@pytest.fixture(scope="module")
def pooled(tiny: Path) -> Any:
    """The mean of the tokens of each text, in float64."""
    return load_embedder(str(tiny)).embed_batch(TEXTS).astype(np.float64)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear.Identity": lambda x: x,
    "activation.Tanh": np.tanh,
    "activation.ReLU": lambda x: np.maximum(x, 0),
    "activation.GELU": lambda x: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "activation.Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "activation.SiLU": lambda x: x / (1 + np.exp(-x)),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_dense_layer(copy: Path, pooled: Any, activation: str) -> None:
    layer = dense(32, 7, activation)
    embedder = load_embedder(str(layers(copy, MEAN, layer, NORMALIZE)))
    assert embedder.dimension == 7
    expected = unit(ACTIVATIONS[activation](linear(layer, pooled)))
    np.testing.assert_allclose(embedder.embed_batch(TEXTS), expected, atol=2e-6)


def test_layers_in_any_order(copy: Path, pooled: Any) -> None:
    wide, short, last = dense(32, 40, "linear.Identity"), dense(40, 12), norm(12)
    embedder = load_embedder(str(layers(copy, MEAN, NORMALIZE, wide, ("Dropout", {"dropout": 0.1}, {}), short, last)))
    made = np.tanh(linear(short, linear(wide, unit(pooled))))
    centred = made - made.mean(axis=1, keepdims=True)
    made = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    expected = made * last[2]["norm.weight"] + last[2]["norm.bias"]
    np.testing.assert_allclose(embedder.embed_batch(TEXTS), expected, atol=2e-5)


def test_a_layer_of_tokens_before_the_pooling(copy: Path, pooled: Any) -> None:
    layer = dense(32, 5, "linear.Identity", module_input_name="token_embeddings")
    pooling = ("Pooling", {"pooling_mode": "mean", "embedding_dimension": 5}, {})
    # The mean of a linear layer is the layer of the mean.
    vectors = load_embedder(str(layers(copy, layer, pooling))).embed_batch(TEXTS)
    np.testing.assert_allclose(vectors, linear(layer, pooled), atol=2e-5)


def test_a_shortcut_beside_a_layer(copy: Path, pooled: Any) -> None:
    layer = dense(32, 6, "linear.Identity", use_residual=True)
    layer[2]["residual.weight"] = RANDOM.normal(0, 1, (6, 32)).astype(np.float32)
    vectors = load_embedder(str(layers(copy, MEAN, layer))).embed_batch(TEXTS)
    np.testing.assert_allclose(vectors, linear(layer, pooled) + pooled @ layer[2]["residual.weight"].T, atol=2e-5)


def test_the_prompt_may_be_left_out_of_pooling(tmp_path: Path, tiny: Path) -> None:
    prompts = {"document": "doc: ", "query": "q: "}
    folder = build_tiny(tmp_path / "m", normalize=False, prompts=prompts)
    write(folder / "1_Pooling" / "config.json", {"pooling_mode": ["cls", "mean"], "include_prompt": False})
    embedder = load_embedder(str(folder))
    whole = load_embedder(str(build_tiny(tmp_path / "whole", normalize=False)))
    for vectors, prompt in ((embedder.embed_batch(["xyz"]), "doc: "), (embedder.embed_queries(["xyz"]), "q: ")):
        # [CLS] and one token a character that is no space; then x, y, z and [SEP].
        left_out = 1 + len(prompt.strip())
        tokens = _token_vectors(whole, prompt + "xyz")[left_out:]
        assert len(tokens) == 4
        np.testing.assert_allclose(vectors[0], np.concatenate([tokens[0], tokens.mean(axis=0)]), atol=2e-6)
    assert embedder.signature().hash != load_embedder(str(whole.files.graph.parents[1])).signature().hash


def _token_vectors(embedder: OnnxEmbedder, text: str) -> Any:
    ids, types, present = padded(embedder._encode([text], ""), embedder._pad_id)
    assert embedder._graph is not None
    return embedder._graph.run(ids, types, present)[0]


def test_weights_of_modules_are_part_of_the_hash(copy: Path) -> None:
    layer = dense(32, 7)
    folder = layers(copy, MEAN, layer)
    before = resolve_model(str(folder)).hash
    assert resolve_model(str(folder)).hash == before
    layer[2]["linear.bias"][3] += 1
    save_file(layer[2], folder / "2_Dense" / "model.safetensors")
    assert resolve_model(str(folder)).hash != before


def test_the_hash_of_a_usual_model_is_that_of_version_0_1_0(tiny: Path) -> None:
    import hashlib

    files = resolve_model(str(tiny))
    document = {
        "version": 1,
        "graph": hashlib.sha256(files.graph.read_bytes()).hexdigest(),
        "external_data": {},
        "tokenizer": hashlib.sha256(files.tokenizer.read_bytes()).hexdigest(),
        "pooling": "mean",
        "normalize": False,
        "prompt": "",
        "max_tokens": 64,
        "lower_case": False,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert files.hash == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ([MEAN, dense(16, 8)], "takes vectors of 16 dimensions, and is given 32"),
        ([MEAN, norm(8)], "takes vectors of 8 dimensions"),
        ([MEAN, ("Dense", {"in_features": 32, "out_features": 4}, {})], "weights of its module Dense are missing"),
        ([MEAN, dense(32, 4, "activation.Softshrink")], "ends with .*Softshrink"),
        ([MEAN, ("Dense", dense(32, 4)[1] | {"activation_function": "my.Own"}, {})], "ends with my.Own"),
        ([MEAN, dense(32, 4, gating=True)], "sets gating"),
        ([MEAN, ("Dense", {"in_features": 32}, dense(32, 4)[2])], "does not state out_features"),
        (
            [MEAN, ("Dense", dense(32, 5)[1], dense(32, 4)[2])],
            r"no tensor linear.weight of shape \(5, 32\), which was due, but one of \(4, 32\)",
        ),
        ([dense(32, 4), MEAN], "Dense takes sentence_embedding, which none before it gives"),
        ([MEAN, dense(32, 4, module_input_name="all_layer_embeddings")], "takes all_layer_embeddings"),
        ([MEAN, dense(32, 4, module_input_name=5)], "not a name"),
        ([("Pooling", {"pooling_mode": "mean", "token_weights": True}, {})], "sets token_weights"),
    ],
)
def test_layers_that_cannot_be_right_are_refused(copy: Path, modules: Any, said: str) -> None:
    with pytest.raises(ModelUnsupported, match=said):
        load_embedder(str(layers(copy, *modules)))


def test_weights_that_are_damaged_are_refused(copy: Path) -> None:
    folder = layers(copy, MEAN, dense(32, 4))
    path = folder / "2_Dense" / "model.safetensors"
    whole = path.read_bytes()
    for cut in (0, 4, 9, 60, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelUnsupported, match="does not hold a model's weights"):
            load_embedder(str(folder))
    path.unlink()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(whole)
    with pytest.raises(ModelUnsupported, match="does not hold a model's weights"):
        load_embedder(str(folder))


def test_a_pickle_can_run_nothing(tmp_path: Path) -> None:
    import pickle
    import zipfile

    class Runs:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps({"linear.weight": Runs()}))
    with pytest.raises(ModelUnsupported, match="only tensors are read"):
        read_weights(path)
    assert not (tmp_path / "ran").exists()


def test_weights_that_torch_saved(tmp_path: Path) -> None:
    """The archive as torch.save writes it, put together by hand: torch is no dependency."""
    import pickle
    import zipfile

    numbers = np.arange(6, dtype=np.float32)

    class Named:
        """Pickled as a name of torch."""

        def __init__(self, module: str, name: str) -> None:
            self.module, self.name = module, name

    class Torch(pickle._Pickler):  # type: ignore[name-defined]
        def persistent_id(self, thing: Any) -> Any:
            return ("storage", Named("torch", "FloatStorage"), "0", "cpu", 6) if thing is numbers else None

        def save(self, thing: Any, save_persistent_id: bool = True) -> None:
            if isinstance(thing, Named):
                self.write(f"c{thing.module}\n{thing.name}\n".encode())
            else:
                super().save(thing, save_persistent_id)

    class Tensor:
        def __init__(self, *arguments: Any) -> None:
            self.arguments = arguments

    def reduced(pickler: Any, tensor: Tensor) -> None:
        pickler.save(Named("torch._utils", "_rebuild_tensor_v2"))
        pickler.save(tensor.arguments)
        pickler.write(pickle.REDUCE)

    Torch.dispatch = pickle._Pickler.dispatch | {Tensor: reduced}  # type: ignore[attr-defined]
    path = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w") as archive, archive.open("model/data.pkl", "w") as file:
        Torch(file, 2).dump({"linear.weight": Tensor(numbers, 0, (2, 3), (1, 2), False, {})})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model/data/0", numbers.tobytes())
    # Strides say that the columns come first.
    np.testing.assert_array_equal(read_weights(path)["linear.weight"], [[0, 2, 4], [1, 3, 5]])


# --- A table of token vectors ---


def static(folder: Path, tiny: Path, weights: dict[str, Any], *, path: str = "", limit: int | None = None) -> Path:
    """A model that is a table of token vectors, in the layout of model2vec, or in a folder of its own."""
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if limit:
        tokenizer.enable_truncation(limit)
    (folder / path).mkdir(parents=True)
    tokenizer.save(str(folder / path / "tokenizer.json"))
    save_file(weights, folder / path / "model.safetensors")
    kinds = [("StaticEmbedding", path or "."), ("Normalize", "1_Normalize")]
    write(folder / "modules.json", [{"type": f"sentence_transformers.models.{kind}", "path": at} for kind, at in kinds])
    return folder


@pytest.mark.parametrize("path", ["", "0_StaticEmbedding"])
def test_a_table_of_token_vectors(tmp_path: Path, tiny: Path, path: str) -> None:
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    table = RANDOM.normal(0, 1, (tokenizer.get_vocab_size(), 10)).astype(np.float32)
    embedder = load_embedder(str(static(tmp_path / "m", tiny, {"embedding.weight": table}, path=path)))
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    np.testing.assert_allclose(embedder.embed_batch(TEXTS), [unit(table[i].mean(axis=0)) for i in ids], atol=1e-6)
    assert (embedder.dimension, embedder.files.max_tokens, embedder.device) == (10, None, "cpu")
    # As the special tokens are left out, and as far as the tokenizer says, if it says so.
    assert embedder.token_counts(["ab", "ab " * 500]) == [2, 1000]
    short = load_embedder(str(static(tmp_path / "s", tiny, {"embedding.weight": table}, limit=8)))
    assert short.token_counts(["ab", "ab " * 500]) == [2, 8]
    assert short.signature().hash != embedder.signature().hash
    assert load_embedder(str(tmp_path / "m"), max_tokens=5).token_counts(["ab " * 500]) == [5]


def test_a_table_with_fewer_rows_than_tokens_and_a_weight_for_each(tmp_path: Path, tiny: Path) -> None:
    words = Tokenizer.from_file(str(tiny / "tokenizer.json")).get_vocab_size()
    rows = RANDOM.normal(0, 1, (9, 4)).astype(np.float16)
    mapping, weights = RANDOM.integers(0, 9, words), RANDOM.uniform(0.5, 2, words)
    few = {"embeddings": rows, "mapping": mapping, "weights": weights.astype(np.float64)}
    whole = {"embeddings": (rows.astype(np.float32)[mapping] * weights[:, None]).astype(np.float32)}
    made = [
        load_embedder(str(static(tmp_path / str(n), tiny, w))).embed_batch(TEXTS) for n, w in enumerate((few, whole))
    ]
    np.testing.assert_allclose(made[0], made[1], atol=1e-6)
    assert load_embedder(str(tmp_path / "0")).encoding["precision"] == "fp16"
    few["mapping"] = mapping + 5
    with pytest.raises(ModelUnsupported, match="maps tokens to vectors that it does not have"):
        load_embedder(str(static(tmp_path / "wrong", tiny, few)))
    with pytest.raises(ModelUnsupported, match="tokenizer gave the token"):
        load_embedder(str(static(tmp_path / "short", tiny, {"embeddings": rows})))
    with pytest.raises(ModelUnsupported, match="no table of token vectors"):
        load_embedder(str(static(tmp_path / "none", tiny, {"other": rows})))


# --- Graphs of other kinds ---


def edited(folder: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    return folder


def decoder(kind: int) -> Callable[[onnx.ModelProto], None]:
    """Have a graph ask for positions, which it looks up, and for what came before, which it has no use for."""

    def change(model: onnx.ModelProto) -> None:
        graph = model.graph
        (slices,) = (node for node in graph.node if node.op_type == "Slice")
        graph.node.insert(
            list(graph.node).index(slices),
            helper.make_node("Gather", [slices.input[0], "position_ids"], [slices.output[0]], "by position"),
        )
        graph.node.remove(slices)
        graph.input.append(helper.make_tensor_value_info("position_ids", TensorProto.INT64, ["batch", "sequence"]))
        for part in ("key", "value"):
            shape = ["batch", 2, "past", 8]
            graph.input.append(helper.make_tensor_value_info(f"past_key_values.0.{part}", kind, shape))
        graph.input.append(helper.make_tensor_value_info("use_cache_branch", TensorProto.BOOL, [1]))

    return change


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_a_decoder_asks_for_positions_and_for_what_came_before(copy: Path, tiny: Path, kind: int) -> None:
    expected = load_embedder(str(tiny)).embed_batch(TEXTS)
    vectors = load_embedder(str(edited(copy, decoder(kind)))).embed_batch(TEXTS)
    np.testing.assert_allclose(vectors, expected, atol=2e-6)


def test_a_past_that_cannot_be_empty_is_refused(copy: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        decoder(TensorProto.FLOAT)(model)
        model.graph.input[-2].type.tensor_type.shape.dim[2].dim_value = 4

    with pytest.raises(ModelUnsupported, match="which cannot be left empty"):
        load_embedder(str(edited(copy, change)))


@pytest.mark.parametrize("output", ["last_hidden_state", "sentence_embedding"])
def test_bfloat16_becomes_float32(tmp_path: Path, tiny: Path, output: str) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[-1].attribute[0].i = TensorProto.BFLOAT16
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.BFLOAT16

    folder = edited(build_tiny(tmp_path / "m", normalize=False, output=output), change)
    vectors = load_embedder(str(folder)).embed_batch(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, load_embedder(str(tiny)).embed_batch(TEXTS), atol=2e-2)
    if output == "sentence_embedding":
        assert not vectors.view(np.uint32).astype(np.uint32)[:, ::1].__and__(np.uint32(0xFFFF)).any()


def test_a_batch_of_one_is_run_one_by_one(copy: Path, tiny: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1

    vectors = load_embedder(str(edited(copy, change))).embed_batch(TEXTS)
    np.testing.assert_allclose(vectors, load_embedder(str(tiny)).embed_batch(TEXTS), atol=2e-6)


def test_a_batch_that_turns_out_to_be_of_one_is_run_one_by_one(copy: Path, tiny: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        last = model.graph.node[-1]
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, -1, 32]), "one text"))
        reshape = helper.make_node("Reshape", [last.input[0], "one text"], ["reshaped"])
        model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1, 32), np.float32), "zeros"))
        # Texts of different length do not fit into one: adding what stands there fails.
        added = helper.make_node("Add", ["reshaped", last.input[0]], ["twice"])
        last.input[0] = "twice"
        model.graph.node.insert(len(model.graph.node) - 1, reshape)
        model.graph.node.insert(len(model.graph.node) - 1, added)

    vectors = load_embedder(str(edited(copy, change))).embed_batch(TEXTS)
    np.testing.assert_allclose(vectors, 2 * load_embedder(str(tiny)).embed_batch(TEXTS), atol=4e-6)


def test_a_graph_that_mixes_the_texts_of_a_call_is_refused(copy: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        last = model.graph.node[-1]
        model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "texts"))
        mixed = helper.make_node("ReduceMax", [last.input[0]], ["mixed"], axes=[0], keepdims=1)
        spread = helper.make_node("Sub", [last.input[0], "mixed"], ["spread"])
        added = helper.make_node("Add", ["spread", last.input[0]], ["added"])
        last.input[0] = "added"
        for node in (mixed, spread, added):
            model.graph.node.insert(len(model.graph.node) - 1, node)

    with pytest.raises(ModelUnsupported, match="another vector alone than beside others"):
        load_embedder(str(edited(copy, change)))


def both_outputs(pooling: str) -> Callable[[onnx.ModelProto], None]:
    """Add the output sentence_embedding: one token of the text, or their mean without a mask."""

    def change(model: onnx.ModelProto) -> None:
        hidden = model.graph.node[-1].input[0]
        if pooling == "mean":
            model.graph.node.append(
                helper.make_node("ReduceMean", [hidden], ["sentence_embedding"], axes=[1], keepdims=0)
            )
        else:
            model.graph.initializer.append(numpy_helper.from_array(np.int64(0), "first"))
            model.graph.node.append(helper.make_node("Gather", [hidden, "first"], ["sentence_embedding"], axis=1))
        model.graph.output.append(helper.make_tensor_value_info("sentence_embedding", 1, ["batch", 32]))

    return change


def identity(size: int) -> tuple[str, Any, Any]:
    weights = {"linear.weight": np.eye(size, dtype=np.float32), "linear.bias": np.zeros(size, np.float32)}
    return "Dense", dense(size, size, "linear.Identity")[1], weights


def test_a_graph_with_both_outputs_has_to_agree_with_the_layers(copy: Path, pooled: Any) -> None:
    edited(copy, both_outputs("mean"))
    # Without layers the graph's own vector is not looked at.
    np.testing.assert_allclose(load_embedder(str(copy)).embed_batch(TEXTS), pooled, atol=2e-6)
    np.testing.assert_allclose(
        load_embedder(str(layers(copy, MEAN, identity(32)))).embed_batch(TEXTS), pooled, atol=2e-6
    )
    for layer in (dense(32, 32), dense(32, 8)):
        with pytest.raises(ModelUnsupported, match=r"the second is not what Dense of modules\.json"):
            load_embedder(str(layers(copy, MEAN, layer)))


def test_a_graph_with_one_vector_says_by_its_size_whether_layers_are_in_it(tmp_path: Path, pooled: Any) -> None:
    folder = build_tiny(tmp_path / "m", output="sentence_embedding")
    layer = dense(32, 8)
    vectors = load_embedder(str(layers(folder, MEAN, layer))).embed_batch(TEXTS)
    np.testing.assert_allclose(vectors, np.tanh(linear(layer, pooled)), atol=2e-6)
    # 64 dimensions are halved by the layer that is in the graph: only the length is left to do.
    write(folder / "config.json", {"hidden_size": 64, "max_position_embeddings": 512})
    wide = ("Pooling", {"pooling_mode": "mean", "embedding_dimension": 64}, {})
    vectors = load_embedder(str(layers(folder, wide, dense(64, 32), NORMALIZE))).embed_batch(TEXTS)
    np.testing.assert_allclose(vectors, unit(pooled), atol=2e-6)
    write(folder / "config.json", {"hidden_size": 32, "max_position_embeddings": 512})
    with pytest.raises(ModelUnsupported, match="nothing says whether Dense"):
        load_embedder(str(layers(folder, MEAN, dense(32, 32))))


def test_a_quantised_graph_is_chosen_by_name_only(copy: Path, tmp_path: Path) -> None:
    assert precision(copy / "onnx" / "model.onnx") == "fp32"
    named = Path(shutil.copytree(copy, tmp_path / "named"))
    (named / "onnx" / "model.onnx").rename(named / "onnx" / "model_qint8_avx512.onnx")
    with pytest.raises(ModelUnsupported, match=r"onnx/model_qint8_avx512\.onnx .* is quantised") as refused:
        resolve_model(str(named))
    assert "--onnx-file onnx/model_qint8_avx512.onnx" in refused.value.hint
    assert resolve_model(str(named), onnx_file="onnx/model_qint8_avx512.onnx").precision == "fp32"

    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(numpy_helper.from_array(np.zeros((64, 64), np.int8), "whole numbers"))

    # Also where its name does not say so.
    edited(copy, change)
    with pytest.raises(ModelUnsupported, match=r"onnx/model\.onnx .* is quantised"):
        resolve_model(str(copy))
    assert load_embedder(str(copy), onnx_file="model.onnx").encoding["precision"] == "int8"


# --- Shortened vectors ---


@pytest.mark.parametrize("layer_norm_first", [False, True])
def test_shortened_vectors_have_length_one(tiny: Path, pooled: Any, layer_norm_first: bool) -> None:
    embedder = load_embedder(str(tiny), dimension=8, layer_norm_first=layer_norm_first)
    whole = pooled
    if layer_norm_first:
        whole = whole - whole.mean(axis=1, keepdims=True)
        whole = whole / np.sqrt((whole**2).mean(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(embedder.embed_batch(TEXTS), unit(whole[:, :8]), atol=2e-6)
    np.testing.assert_array_equal(embedder.embed_queries(TEXTS), embedder.embed_batch(TEXTS))
    assert embedder.embed_batch([]).shape == (0, 8)
    assert (embedder.dimension, embedder.signature().dimension, embedder.encoding["model_dimension"]) == (8, 8, 32)


def test_the_dimension_is_part_of_the_signature(tiny: Path) -> None:
    whole = load_embedder(str(tiny)).signature()
    assert load_embedder(str(tiny), dimension=32).signature() == whole
    hashes = [
        load_embedder(str(tiny), dimension=dimension, layer_norm_first=first).signature().hash
        for dimension, first in ((8, False), (8, True), (9, False))
    ]
    assert len({whole.hash, *hashes}) == 4


def test_only_the_first_numbers_of_longer_vectors_are_shorter_ones(tiny: Path) -> None:
    whole, half, short = (load_embedder(str(tiny), dimension=d) for d in (32, 16, 8))
    assert half.shortened_from(32) == whole.signature()
    assert short.shortened_from(16) == half.signature()
    assert short.shortened_from(8) is short.shortened_from(4) is short.shortened_from(33) is None
    centred = load_embedder(str(tiny), dimension=8, layer_norm_first=True)
    assert centred.shortened_from(32) is None
    assert centred.shortened_from(16) == load_embedder(str(tiny), dimension=16, layer_norm_first=True).signature()


def test_a_dimension_that_the_model_does_not_have(tiny: Path) -> None:
    for dimension in (0, 33, -1):
        with pytest.raises(DimensionMismatch, match=f"--dimension is {dimension}, and the model tiny has 32"):
            load_embedder(str(tiny), dimension=dimension)
    with pytest.raises(UsageError, match="--layer-norm-first is for vectors that are shortened"):
        load_embedder(str(tiny), layer_norm_first=True)


def test_a_configuration_may_shorten(copy: Path) -> None:
    write(copy / "config_sentence_transformers.json", {"truncate_dim": 8})
    assert load_embedder(str(copy)).signature() == load_embedder(str(copy), dimension=8).signature()
    assert load_embedder(str(copy), dimension=32).dimension == 32
