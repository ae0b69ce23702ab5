"""What follows the transformer: pooling, normalisation and layers, as modules.json lists them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.graph import AGAIN
from vestige_sql.encode.weights import Weights, read_weights, stored_precision
from vestige_sql.errors import EncoderError, ModelUnsupported

TOKENS, SENTENCE = "token_embeddings", "sentence_embedding"
"""What modules hand on to each other: a vector for each token, and one for the text."""

POOLINGS = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
"""The ways to make one vector of a text's tokens, in the order in which several are put side by side."""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Features:
    """What the modules work on: arrays by name, and which tokens are there and belong to the prompt.

    ``present`` has the shape (texts, tokens): False for padding. The first ``prompt_tokens`` of each text are those of
    its prompt, special tokens before it included.
    """

    arrays: dict[str, Vectors]
    present: NDArray[np.bool_]
    prompt_tokens: int = 0


@dataclass(frozen=True)
class Module:
    """One module: it takes one array of the features, and gives another. ``weights`` is the file that it needs."""

    takes: str = SENTENCE
    gives: str = SENTENCE
    weights: Path | None = None

    @property
    def kind(self) -> str:
        return type(self).__name__

    def size(self, given: int | None) -> int | None:
        """Return the dimension of what it gives, for the dimension of what it takes; None if unknown.

        Raises ``ModelUnsupported`` if it cannot take that.
        """
        return given

    def said(self) -> dict[str, Any]:
        """Return all of it that changes a vector, for the hash of the model."""
        said: dict[str, Any] = {"kind": self.kind, "takes": self.takes, "gives": self.gives}
        return said | ({"weights": sha256(self.weights)} if self.weights else {})

    def prepare(self) -> Callable[[Features], Vectors]:
        """Read the weights, and return the function that makes what this module gives."""
        raise NotImplementedError

    def _wrong_size(self, wanted: int, given: int) -> ModelUnsupported:
        return ModelUnsupported(
            f"the module {self.kind} takes vectors of {wanted} dimensions, and is given {given}", AGAIN
        )


@dataclass(frozen=True)
class Pooling(Module):
    """One vector of a text's tokens: by one of ``POOLINGS``, or by several, side by side."""

    takes: str = TOKENS
    modes: tuple[str, ...] = ("mean",)
    include_prompt: bool = True
    dimension: int | None = None

    def size(self, given: int | None) -> int | None:
        if None not in (given, self.dimension) and given != self.dimension:
            raise self._wrong_size(self.dimension or 0, given or 0)
        one = given or self.dimension
        return None if one is None else one * len(self.modes)

    def said(self) -> dict[str, Any]:
        return super().said() | {"modes": list(self.modes), "include_prompt": self.include_prompt}

    def prepare(self) -> Callable[[Features], Vectors]:
        def pool(features: Features) -> Vectors:
            present = features.present
            if not self.include_prompt and features.prompt_tokens:
                present = present & (np.arange(present.shape[1]) >= features.prompt_tokens)
            tokens = features.arrays[self.takes]
            parts = [pooled(tokens, present, mode) for mode in self.modes]
            return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

        return pool


@dataclass(frozen=True)
class Normalize(Module):
    """Vectors of length one."""

    def prepare(self) -> Callable[[Features], Vectors]:
        return lambda features: normalized(features.arrays[self.takes])


@dataclass(frozen=True)
class Dense(Module):
    """A linear layer and a function, with a shortcut beside it if it has ``use_residual``."""

    in_features: int = 0
    out_features: int = 0
    bias: bool = True
    activation: str = "Tanh"
    use_residual: bool = False

    def size(self, given: int | None) -> int | None:
        if given is not None and given != self.in_features:
            raise self._wrong_size(self.in_features, given)
        return self.out_features

    def said(self) -> dict[str, Any]:
        return super().said() | {
            "activation": self.activation, "bias": self.bias, "use_residual": self.use_residual
        }  # fmt: skip

    def prepare(self) -> Callable[[Features], Vectors]:
        assert self.weights is not None
        shape = (self.out_features, self.in_features)
        found = read_weights(self.weights)
        matrix = _tensor(self.weights, found, "linear.weight", shape).T
        bias = _tensor(self.weights, found, "linear.bias", shape[:1]) if self.bias else np.float32(0)
        activate = ACTIVATIONS[self.activation]
        shortcut = None
        if self.use_residual and self.in_features != self.out_features:
            shortcut = _tensor(self.weights, found, "residual.weight", shape).T

        def layer(features: Features) -> Vectors:
            given = features.arrays[self.takes]
            made: Vectors = activate(given @ matrix + bias)
            if self.use_residual:
                made = made + (given if shortcut is None else given @ shortcut)
            return made

        return layer


@dataclass(frozen=True)
class LayerNorm(Module):
    """Vectors of mean 0 and variance 1, times weights."""

    dimension: int = 0

    def size(self, given: int | None) -> int | None:
        if given is not None and given != self.dimension:
            raise self._wrong_size(self.dimension, given)
        return self.dimension

    def prepare(self) -> Callable[[Features], Vectors]:
        assert self.weights is not None
        found = read_weights(self.weights)
        scale = _tensor(self.weights, found, "norm.weight", (self.dimension,))
        shift = _tensor(self.weights, found, "norm.bias", (self.dimension,))
        return lambda features: layer_norm(features.arrays[self.takes]) * scale + shift


@dataclass(frozen=True)
class StaticEmbedding(Module):
    """A vector for each token, whatever stands beside it; a text's vector is their mean. It needs no graph."""

    takes: str = "input_ids"

    def table(self) -> NDArray[Any]:
        """Return the vectors, one row a token id.

        model2vec may keep fewer rows than tokens, with a mapping from one to the other, and a weight for each token.
        """
        assert self.weights is not None
        found = read_weights(self.weights)
        table = found.get("embedding.weight")
        if table is None:
            table = found.get("embeddings")
        if table is None or table.ndim != 2:
            raise ModelUnsupported(
                f"{self.weights} has no table of token vectors: it has {', '.join(sorted(found)) or 'nothing'}", AGAIN
            )
        mapping, weights = found.get("mapping"), found.get("weights")
        if mapping is not None and "embedding.weight" not in found:
            if mapping.size and not 0 <= mapping.min() <= mapping.max() < len(table):
                raise ModelUnsupported(f"{self.weights} maps tokens to vectors that it does not have", AGAIN)
            table = table[mapping]
        if weights is not None and "embedding.weight" not in found:
            if weights.shape != (len(table),):
                raise ModelUnsupported(f"{self.weights} has {weights.size} weights for {len(table)} tokens", AGAIN)
            table = table.astype(np.float32) * weights[:, None]
        return table.astype(np.float32, copy=False)

    @property
    def precision(self) -> str:
        assert self.weights is not None
        found = stored_precision(self.weights, "embedding.weight")
        return found if found != "unknown" else stored_precision(self.weights, "embeddings")


@dataclass
class Pipeline:
    """Modules that run one after another. ``dimension`` is that of the text's vector, None if it is not stated."""

    modules: tuple[Module, ...]
    _ready: list[tuple[Module, Callable[[Features], Vectors]]] = field(init=False)

    def __post_init__(self) -> None:
        self._ready = [(module, module.prepare()) for module in self.modules]

    def __call__(self, features: Features) -> Vectors:
        """Return the vector of each text: float32, shape (texts, dimension)."""
        for module, make in self._ready:
            features.arrays[module.gives] = make(features)
        return features.arrays[SENTENCE].astype(np.float32, copy=False)


def dimensions(modules: tuple[Module, ...], tokens: int | None) -> dict[str, int | None]:
    """Return the dimension of each array after all modules, for that of the token vectors. None where unknown.

    Raises ``ModelUnsupported`` if one of them takes another dimension than it is given.
    """
    sizes: dict[str, int | None] = {TOKENS: tokens}
    for module in modules:
        sizes[module.gives] = module.size(sizes.get(module.takes))
    return sizes


def after_pooling(modules: tuple[Module, ...]) -> tuple[Module, ...]:
    """Return the modules after the last pooling."""
    last = max((at for at, module in enumerate(modules) if isinstance(module, Pooling)), default=-1)
    return modules[last + 1 :]


def _tensor(path: Path, found: Weights, name: str, shape: tuple[int, ...]) -> Vectors:
    tensor = found.get(name)
    if tensor is None or tensor.shape != shape:
        has = "none" if tensor is None else f"one of {tensor.shape}"
        raise ModelUnsupported(f"{path} has no tensor {name} of shape {shape}, which was due, but {has}", AGAIN)
    return tensor.astype(np.float32, copy=False)


# --- The arithmetic ---


def pooled(tokens: Vectors, present: NDArray[np.bool_], mode: str) -> Vectors:
    """Return one vector for each text of its tokens that are ``present``: float32, shape (texts, dimension)."""
    first = present.argmax(axis=1)
    if mode == "cls":
        return np.array(tokens[np.arange(len(tokens)), first])
    if mode == "lasttoken":
        last = present.shape[1] - 1 - present[:, ::-1].argmax(axis=1)
        # A text without any token of its own has a zero vector, which is found later.
        there = present.any(axis=1, keepdims=True)
        return np.asarray(np.where(there, tokens[np.arange(len(tokens)), last], 0), np.float32)
    # Multiplying with the mask would not do: the graph may return NaN for padding.
    there = present.reshape(*present.shape, 1)
    if mode == "max":
        largest: Vectors = np.where(there, tokens, np.float32(-np.inf)).max(axis=1)
        return largest
    tokens = np.where(there, tokens, np.float32(0))
    weights = present.astype(np.float32)
    if mode == "weightedmean":
        # A token weighs as much as its place in the text, the prompt's tokens counted.
        weights *= np.arange(1, present.shape[1] + 1, dtype=np.float32)
        tokens *= weights[:, :, None]
    counts = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    means: Vectors = tokens.sum(axis=1) / (np.sqrt(counts) if mode == "mean_sqrt_len_tokens" else counts)
    return means


def mean_of_rows(table: Vectors, ids: NDArray[np.int64], present: NDArray[np.bool_]) -> Vectors:
    """Return the mean of the rows of ``table`` at each text's ids: float32, shape (texts, dimension). 0 without any.

    Raises ``EncoderError`` if the table does not have that many rows.
    """
    if (highest := int(ids[present].max(initial=0))) >= len(table):
        raise EncoderError(
            f"the model has {len(table)} token vectors, and its tokenizer gave the token {highest}",
            "download the model again; nothing was put in place",
        )
    made = np.zeros((len(ids), table.shape[1]), np.float32)
    # One text at a time: padding would be looked up for nothing.
    for row, (of_text, there) in enumerate(zip(ids, present, strict=True)):
        if there.any():
            made[row] = table[of_text[there]].mean(axis=0)
    return made


def normalized(vectors: Vectors) -> Vectors:
    # float64, because squares of float32 overflow. A zero vector stays zero, so that it is found later.
    norms = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=-1, keepdims=True))
    unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit


def layer_norm(vectors: Vectors) -> Vectors:
    """Return vectors of mean 0 and variance 1, as torch's LayerNorm without weights."""
    wide = vectors.astype(np.float64)
    wide = wide - wide.mean(axis=-1, keepdims=True)
    made: Vectors = (wide / np.sqrt(np.square(wide).mean(axis=-1, keepdims=True) + 1e-5)).astype(np.float32)
    return made


def shortened(vectors: Vectors, dimension: int, *, layer_norm_first: bool) -> Vectors:
    """Return the first ``dimension`` numbers of each vector, at length one."""
    return normalized((layer_norm(vectors) if layer_norm_first else vectors)[:, :dimension])


def _gelu(x: Vectors) -> Vectors:
    # numpy has no error function.
    erf = np.frompyfunc(math.erf, 1, 1)(x / np.float32(math.sqrt(2))).astype(np.float32)
    return np.asarray(x * np.float32(0.5) * (np.float32(1) + erf), np.float32)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda x: x,
    "Tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, np.float32(0)),
    "GELU": _gelu,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "SiLU": lambda x: x / (1 + np.exp(-x)),
}
"""What a Dense layer may end with, by the name of torch's class."""
