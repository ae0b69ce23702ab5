"""Texts to vectors with ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige_sql.encode.embedder import ModelSignature, Vectors
from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.graph import AGAIN, UNTOUCHED
from vestige_sql.encode.hub import resolve_model
from vestige_sql.encode.tokens import encode_long, groups, load_tokenizer
from vestige_sql.encode.window import first_bad_row, what_is_bad
from vestige_sql.errors import BadEmbedding, EncoderError, ModelUnsupported, UsageError
from vestige_sql.plan import DEVICES

if TYPE_CHECKING:
    import onnxruntime as ort


# On a CPU. On one core, MiniLM reaches these shares of sgemm's FLOP/s: 98 % in calls of 256 tokens, 93 % of 512, 86 %
# of 1,024 and 80 % of 2,048, because the activations outgrow the core's cache. Shorter calls are no faster.
_CALL_TOKENS_CPU = 256

# One call per core, since cores in one call wait for each other at every operator. At most 8, to bound memory: the
# attention alone takes 16 MB for a text of 512 tokens in a model of 16 heads. With more cores, several share a call.
_MOST_CALLS = 8

# On a GPU, a call has to keep thousands of cores busy. In a model of BERT-large's size, the activations of so many
# tokens take about 300 MB and the attention as much, which every current GPU has. Not measured.
_CALL_TOKENS_GPU = 1 << 14

# Most tokens to keep between counting and embedding, 8 bytes each: a page of 2,048 rows of 512 tokens.
_KEPT_TOKENS = 1 << 20

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# Without a mask a text's vector would depend on the padding, and therefore on the texts beside it.
_NEEDED = ("input_ids", "attention_mask")
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_OUTPUTS = ("last_hidden_state", "token_embeddings", "sentence_embedding")

# A text's token ids and type ids.
_Tokens = tuple[NDArray[np.int32], NDArray[np.int32]]


class OnnxEmbedder:
    """A sentence-transformers model that ONNX Runtime runs.

    ``threads`` is how many cores it uses, by default all that this process may use. ``device`` is "cuda", "cpu" or
    "auto". "auto" uses a GPU if the installed ONNX Runtime offers CUDA and can start it, else the CPU.

    The model is tried on two texts first, so that its faults are found before it is used. Raises
    ``ModelUnsupported`` if the graph cannot be loaded, has unknown inputs or outputs, lacks a needed one, or does not
    fit its tokenizer or configuration; ``BadEmbedding`` for NaN, infinity and zero vectors; and ``UsageError`` for
    "cuda" without a usable GPU, and for an unknown device.
    """

    def __init__(self, files: ModelFiles, *, threads: int | None = None, device: str = "auto") -> None:
        self._files = files
        self._device_asked = device
        self._tokenizer = load_tokenizer(files)
        self._pad_id = files.pad_id or 0
        self._counted: dict[str, _Tokens] = {}
        cores = threads or _cores()
        self._calls = min(cores, _MOST_CALLS)
        self._session = _session(files, cores // self._calls, device)
        self._inputs = {node.name: _integer(files, node) for node in self._session.get_inputs()}
        for needed in _NEEDED:
            if needed not in self._inputs:
                raise ModelUnsupported(
                    f"the graph {files.graph} has no input {needed}: it has {', '.join(self._inputs) or 'none'}", AGAIN
                )
        outputs = {node.name: node for node in self._session.get_outputs()}
        self._output = next((name for name in _OUTPUTS if name in outputs), "")
        if not self._output:
            raise ModelUnsupported(
                f"the graph {files.graph} has the outputs {', '.join(outputs)}, and the encoder understands "
                f"{', '.join(_OUTPUTS)}",
                AGAIN,
            )
        if (kind := outputs[self._output].type) not in _FLOATS:
            raise ModelUnsupported(
                f"the graph {files.graph} returns {self._output} as {kind}, and the encoder takes {', '.join(_FLOATS)}",
                f"pick a graph that returns floating-point vectors with --onnx-file; {UNTOUCHED}",
            )
        self._dimension = self._try_out()

    def _try_out(self) -> int:
        """Embed two texts of different length and return the dimension of their vectors."""
        texts = ["a", "A longer text, with a word \u2603 that few vocabularies have."]
        tokens = self._encode(texts)
        # If the tokenizer has more tokens than the graph, the highest one fails here, and not later on a row.
        highest = max(self._tokenizer.get_vocab().values(), default=0)
        ids = tokens[1][0]
        ids[len(ids) // 2 :][:1] = highest
        try:
            vectors = self._embed(tokens)
        except (BadEmbedding, EncoderError) as error:
            raise ModelUnsupported(
                f"the model {self.model_name} failed when it was tried out on two texts, one of them with its "
                f"tokenizer's highest token id, {highest}: {error}",
                f"its graph, its tokenizer and its configuration may not be of one model: {AGAIN}",
            ) from error
        dimension: int = vectors.shape[1]
        if self._files.hidden_size not in (None, dimension):
            raise ModelUnsupported(
                f"the graph {self._files.graph} gives {dimension} dimensions, and the configuration of the model "
                f"{self.model_name} says {self._files.hidden_size}",
                f"they are not of one model: {AGAIN}",
            )
        if (bad := first_bad_row(vectors)) is not None:
            raise BadEmbedding(
                f"the model {self.model_name} returned {what_is_bad(vectors[bad])} when it was tried out on the text "
                f"{texts[bad]!r}",
                AGAIN,
                row=bad,
            )
        return dimension

    @property
    def files(self) -> ModelFiles:
        return self._files

    @property
    def device_asked(self) -> str:
        """The requested ``device``: "auto", "cpu" or "cuda"."""
        return self._device_asked

    @property
    def device(self) -> str:
        """Where the model runs: "cpu" or "cuda"."""
        return "cuda" if _CUDA in self._session.get_providers() else "cpu"

    @property
    def call_tokens(self) -> int:
        """About how many tokens :func:`encode_window` puts into one call, padding included."""
        return _CALL_TOKENS_GPU if self.device == "cuda" else _CALL_TOKENS_CPU

    @property
    def calls_at_once(self) -> int:
        """How many calls of ``embed_batch`` :func:`encode_window` makes at the same time, each in a thread."""
        return 1 if self.device == "cuda" else self._calls

    @property
    def model_name(self) -> str:
        return self._files.name

    @property
    def dimension(self) -> int:
        return self._dimension

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, self.dimension, self._files.hash)

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text with prompt and special tokens, after truncation."""
        tokens = self._encode(texts)
        counts = [len(ids) for ids, _ in tokens]
        # Counted texts are embedded next: keep their tokens, so that `embed_batch` need not make them again.
        self._counted = dict(zip(texts, tokens, strict=True)) if sum(counts) <= _KEPT_TOKENS else {}
        return counts

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """Return the embeddings of ``texts`` as documents: float32, shape ``(len(texts), dimension)``.

        All texts go through the model in one call, padded to the longest; :func:`encode_window` makes calls
        of a sensible size. Raises ``EncoderError`` if the tokenizer or ONNX Runtime fails on them, and
        ``BadEmbedding`` if the graph returns the wrong shape.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        counted = self._counted  # another thread may replace it
        tokens = [found for text in texts if (found := counted.pop(text, None)) is not None]
        return self._embed(tokens if len(tokens) == len(texts) else self._encode(texts))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Like :meth:`embed_batch`, for questions: with the model's prompt for queries."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        return self._embed(self._encode(texts, self._files.query_prompt))

    def _encode(self, texts: Sequence[str], prompt: str | None = None) -> list[_Tokens]:
        """Return the token ids and type ids of each text, truncated, after ``prompt`` or the one for documents."""
        tokens = []
        prompt = self._files.prompt if prompt is None else prompt
        for group in groups(prompt + text for text in texts):
            try:
                if len(group) == 1:
                    encodings = [encode_long(self._tokenizer, group[0])]
                else:
                    encodings = self._tokenizer.encode_batch(group)
            # As in load_tokenizer. A tokenizer without a token for unknown words fails here.
            except Exception as error:
                raise EncoderError(
                    f"the tokenizer {self._files.tokenizer} failed on a text: {error}",
                    "download or export the model again; nothing was put in place",
                ) from error
            # Keep numbers only: an encoding also has its tokens as strings, and everything that was truncated.
            tokens += [(np.array(e.ids, np.int32), np.array(e.type_ids, np.int32)) for e in encodings]
        return tokens

    def _embed(self, tokens: list[_Tokens]) -> Vectors:
        lengths = np.array([len(ids) for ids, _ in tokens])
        present = np.arange(max(1, lengths.max())) < lengths[:, None]
        shape = present.shape
        arrays = {
            "input_ids": np.full(shape, self._pad_id, np.int64),
            "attention_mask": present.astype(np.int64),
            "token_type_ids": np.zeros(shape, np.int64),
        }
        ids, types = zip(*tokens, strict=True)
        arrays["input_ids"][present] = np.concatenate(ids)
        arrays["token_type_ids"][present] = np.concatenate(types)
        feed = {name: arrays[name].astype(dtype, copy=False) for name, dtype in self._inputs.items()}
        try:
            (output,) = self._session.run([self._output], feed)
        # ONNX Runtime's exceptions have no base of their own.
        except Exception as error:
            raise EncoderError(
                f"ONNX Runtime failed on a call of {shape[0]} texts of up to {shape[1]} tokens "
                f"with {self._files.graph}: {error}",
                "if memory ran out, lower --batch-size; if the graph takes only shorter texts, lower max_seq_length in "
                "sentence_bert_config.json; nothing was put in place",
            ) from error
        due = shape[:1] if self._output == "sentence_embedding" else shape
        if output.shape[:-1] != due:
            raise BadEmbedding(
                f"the graph {self._files.graph} returned {self._output} of shape {output.shape} for {shape[0]} texts "
                f"of up to {shape[1]} tokens, where {(*due, 'dimension')} was due",
                "export the graph again; nothing was put in place",
            )
        # The callers look for NaN and infinity, so numpy need not warn of them here.
        with np.errstate(invalid="ignore", over="ignore"):
            if self._output == "sentence_embedding":
                vectors = np.asarray(output, np.float32)
            elif self._files.pooling == "cls":
                vectors = np.array(output[:, 0], np.float32)
            else:
                vectors = _mean(output, present)
            return _normalize(vectors) if self._files.normalize else vectors


def load_embedder(
    name: str,
    *,
    revision: str | None = None,
    onnx_file: str | None = None,
    threads: int | None = None,
    device: str = "auto",
) -> OnnxEmbedder:
    """Find the model ``name`` as :func:`vestige_sql.encode.hub.resolve_model` does, and load it.

    Raises what that function and :class:`OnnxEmbedder` raise.
    """
    check_device(device)  # before a model is downloaded
    return OnnxEmbedder(resolve_model(name, revision=revision, onnx_file=onnx_file), threads=threads, device=device)


# --- The graph ---


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_device(device: str) -> None:
    """Raise ``UsageError`` unless ``device`` is one of ``DEVICES``."""
    if device not in DEVICES:
        raise UsageError(f"device must be one of {', '.join(DEVICES)}, not {device!r}", UNTOUCHED)


def _session(files: ModelFiles, threads: int, device: str) -> ort.InferenceSession:
    # Imported here because verbs without a model do not need it, and it starts a thread.
    import onnxruntime as ort

    check_device(device)
    offered = _CUDA in ort.get_available_providers()
    if device == "cuda" and not offered:
        raise UsageError(
            f"device cuda was asked for, and the installed ONNX Runtime {ort.__version__} does not offer it",
            "uninstall the package onnxruntime and then install onnxruntime-gpu, in this order because they share a "
            f"folder, or ask for cpu; {UNTOUCHED}",
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # ONNX Runtime would keep a pattern for every shape, and here nearly every call has a new shape.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    why = "ONNX Runtime fell back to the CPU"
    if offered and device != "cpu":
        try:
            # TensorFloat-32 keeps 10 bits of a product, so vectors from a GPU would differ from those of a CPU.
            # Without enable_fallback=0 a failed call would silently continue on the CPU.
            session = ort.InferenceSession(
                str(files.graph), options, [(_CUDA, {"use_tf32": "0"}), _CPU], enable_fallback=0
            )
            if device == "auto" or _CUDA in session.get_providers():
                return session
        # As in _embed. If the graph is at fault, the CPU cannot load it either, and says so below.
        except Exception as error:
            why = str(error)
    try:
        session = ort.InferenceSession(str(files.graph), options, [_CPU])
    except Exception as error:
        raise ModelUnsupported(
            f"ONNX Runtime cannot load {files.graph}: {error}",
            f"if it does not know an opset or operator, install a newer onnxruntime, else {AGAIN}",
        ) from error
    if device == "cuda":
        raise UsageError(
            f"device cuda was asked for, and ONNX Runtime {ort.__version__} cannot start it: {why}",
            "check that nvidia-smi lists a GPU, and that the CUDA and cuDNN that this ONNX Runtime is built for are "
            f"installed (pip install 'onnxruntime-gpu[cuda,cudnn]'), or ask for cpu; {UNTOUCHED}",
        )
    return session


def _integer(files: ModelFiles, node: Any) -> type[np.int64] | type[np.int32]:
    """Return the integer type of one of the graph's inputs."""
    types: dict[str, type[np.int64] | type[np.int32]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    if node.name not in _INPUTS or node.type not in types:
        raise ModelUnsupported(
            f"the graph {files.graph} asks for the input {node.name} of type {node.type}, and the encoder gives "
            f"{', '.join(_INPUTS)} as integers",
            f"export it with these inputs only; {UNTOUCHED}",
        )
    return types[node.type]


def _mean(output: NDArray[Any], present: NDArray[np.bool_]) -> Vectors:
    """Return the mean of the token vectors that are not padding, in float32 whatever the graph computes in."""
    tokens: Vectors = np.asarray(output, np.float32)
    # Multiplying with the mask would not do: the graph may return NaN for padding.
    tokens[~present] = 0
    counts = np.maximum(present.sum(axis=1, keepdims=True), 1).astype(np.float32)
    means: Vectors = tokens.sum(axis=1) / counts
    return means


def _normalize(vectors: Vectors) -> Vectors:
    # float64, because squares of float32 overflow. A zero vector stays zero, so that it is found later.
    norms = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1, keepdims=True))
    unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
