"""Texts to vectors with ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vestige_sql.encode.embedder import ModelSignature, Vectors
from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.hub import resolve_model
from vestige_sql.encode.tokens import AGAIN, encode_long, groups, load_tokenizer
from vestige_sql.encode.window import first_bad_row, what_is_bad
from vestige_sql.errors import BadEmbedding, EncoderError, ModelUnsupported, UsageError
from vestige_sql.plan import DEVICES

if TYPE_CHECKING:
    import onnxruntime as ort


# On a processor. Calls of 256 tokens do 98 % of the FLOP/s of sgemm on one core with MiniLM, of 512 tokens 93 %, of
# 1,024 86 % and of 2,048 80 %: their activations outgrow the core's cache. Shorter ones are no faster.
_CALL_TOKENS_CPU = 256

# Each core has a call of its own, for in a call the cores wait for each other at every operator; and from this many on
# several share one, for each holds activations: 16 MB of attention for a text of 512 tokens in a model of 16 heads.
_MOST_CALLS = 8

# On a GPU, where a call has to keep thousands of cores busy. With a model of BERT-large's size, activations of so many
# tokens take about 300 MB and attention as much, which every GPU of today has. Not measured.
_CALL_TOKENS_GPU = 1 << 14

# Tokens that are kept between counting and embedding, 8 bytes each: those of a page of 2,048 rows of 512 tokens.
_KEPT_TOKENS = 1 << 20

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# Without a mask a text's vector would depend on the padding, and so on the texts beside it.
_NEEDED = ("input_ids", "attention_mask")
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_OUTPUTS = ("last_hidden_state", "token_embeddings", "sentence_embedding")

# A text's token ids and type ids.
_Tokens = tuple[NDArray[np.int32], NDArray[np.int32]]


class OnnxEmbedder:
    """A sentence-transformers model that ONNX Runtime runs.

    ``threads`` is how many cores it uses, by default all that this process may. ``device`` is "cuda", "cpu",
    or "auto" for a GPU where the installed ONNX Runtime offers CUDA and starts it, and the processor elsewhere.

    The model is tried out on two texts, so that what is wrong with it is said before anything is done with it. Raises
    ``ModelUnsupported`` if the graph cannot be loaded, has inputs or outputs that are unknown here, lacks one that is
    needed, or does not fit its tokenizer or configuration; ``BadEmbedding`` for NaN, infinity and zero vectors; and
    ``UsageError`` for "cuda" where there is none, and for a device of another name.
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
                    f"The graph {files.graph} has no input {needed}: it has {', '.join(self._inputs) or 'none'}", AGAIN
                )
        outputs = {node.name: node for node in self._session.get_outputs()}
        self._output = next((name for name in _OUTPUTS if name in outputs), "")
        if not self._output:
            raise ModelUnsupported(
                f"The graph {files.graph} has the outputs {', '.join(outputs)}; "
                f"the encoder understands {', '.join(_OUTPUTS)}",
                AGAIN,
            )
        if (kind := outputs[self._output].type) not in _FLOATS:
            raise ModelUnsupported(
                f"The graph {files.graph} gives {self._output} as {kind}; the encoder takes {', '.join(_FLOATS)}",
                "Pick a graph of floating-point vectors with --onnx-file.",
            )
        self._dimension = self._try_out()

    def _try_out(self) -> int:
        """Embed two texts of different length and return the dimension that comes out."""
        texts = ["a", "A longer text, with a word \u2603 that few vocabularies have."]
        tokens = self._encode(texts)
        # A tokenizer that knows more tokens than the graph would fail on the first text that has one.
        highest = max(self._tokenizer.get_vocab().values(), default=0)
        ids = tokens[1][0]
        ids[len(ids) // 2 :][:1] = highest
        try:
            vectors = self._embed(tokens)
        except (BadEmbedding, EncoderError) as error:
            raise ModelUnsupported(
                f"The model {self.model_name} failed when it was tried out on two texts, one of them with its "
                f"tokenizer's highest token id, {highest}: {error}",
                f"Its graph, its tokenizer and its configuration may not be of one model. {AGAIN}",
            ) from error
        dimension: int = vectors.shape[1]
        if self._files.hidden_size not in (None, dimension):
            raise ModelUnsupported(
                f"The graph {self._files.graph} gives {dimension} dimensions, and the configuration of the model "
                f"{self.model_name} says {self._files.hidden_size}",
                f"They are not of one model. {AGAIN}",
            )
        if (bad := first_bad_row(vectors)) is not None:
            raise BadEmbedding(
                f"The model {self.model_name} gave {what_is_bad(vectors[bad])} when it was tried out on the text "
                f"{texts[bad]!r}",
                f"Nothing was written. {AGAIN}",
                row=bad,
            )
        return dimension

    @property
    def files(self) -> ModelFiles:
        return self._files

    @property
    def device_asked(self) -> str:
        """The ``device`` that was asked for: "auto", "cpu" or "cuda"."""
        return self._device_asked

    @property
    def device(self) -> str:
        """Where the model runs: "cpu" or "cuda"."""
        return "cuda" if _CUDA in self._session.get_providers() else "cpu"

    @property
    def call_tokens(self) -> int:
        """About how many tokens, padding included, :func:`encode_window` gives one call."""
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
        # Who counts is about to embed: `embed_batch` finds the tokens here, and does not make them again.
        self._counted = dict(zip(texts, tokens, strict=True)) if sum(counts) <= _KEPT_TOKENS else {}
        return counts

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """Return the embeddings of ``texts`` as documents: float32, shape ``(len(texts), dimension)``.

        All texts go through the model in one call, padded to the longest; :func:`encode_window` makes calls
        of a sensible size. Raises ``EncoderError`` if ONNX Runtime fails on it.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        counted = self._counted  # another thread may put a new one in its place
        tokens = [found for text in texts if (found := counted.pop(text, None)) is not None]
        return self._embed(tokens if len(tokens) == len(texts) else self._encode(texts))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """As :meth:`embed_batch`, of ``texts`` that are searched for: with the model's prompt for queries."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        return self._embed(self._encode(texts, self._files.query_prompt))

    def _encode(self, texts: Sequence[str], prompt: str | None = None) -> list[_Tokens]:
        """The token ids and type ids of each text, truncated, with the prompt for documents unless one is given."""
        tokens = []
        prompt = self._files.prompt if prompt is None else prompt
        for group in groups(prompt + text for text in texts):
            try:
                if len(group) == 1:
                    encodings = [encode_long(self._tokenizer, group[0])]
                else:
                    encodings = self._tokenizer.encode_batch(group)
            # As in load_tokenizer. One that has no token for a word it does not know fails here.
            except Exception as error:
                raise EncoderError(
                    f"The tokenizer {self._files.tokenizer} failed on a text: {error}",
                    f"Nothing was put in place. {AGAIN}",
                ) from error
            # Numbers only: an encoding holds its text's tokens as strings, and all that was truncated away.
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
                "If memory ran out, lower --batch-size. If the graph takes no texts as long as that, lower "
                "max_seq_length in sentence_bert_config.json.",
            ) from error
        due = shape[:1] if self._output == "sentence_embedding" else shape
        if output.shape[:-1] != due:
            raise BadEmbedding(
                f"The graph {self._files.graph} gave {self._output} of shape {output.shape} for {shape[0]} texts of up "
                f"to {shape[1]} tokens, where {(*due, 'dimension')} was due",
            )
        # NaN and infinity are found by whoever takes the vectors, and need no warning here.
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
    """Find the model ``name`` as :func:`vestige_sql.encode.hub.resolve_model` does, and load it."""
    check_device(device)  # before a model is downloaded
    return OnnxEmbedder(resolve_model(name, revision=revision, onnx_file=onnx_file), threads=threads, device=device)


# --- The graph ---


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_device(device: str) -> None:
    """Raise ``UsageError`` unless ``device`` is the name of one."""
    if device not in DEVICES:
        raise UsageError(f"device is one of {', '.join(DEVICES)}, not {device!r}")


def _session(files: ModelFiles, threads: int, device: str) -> ort.InferenceSession:
    # Here and not above, for verbs without a model have no use for it, and it starts a thread.
    import onnxruntime as ort

    check_device(device)
    offered = _CUDA in ort.get_available_providers()
    if device == "cuda" and not offered:
        raise UsageError(
            f"device cuda was asked for, and the ONNX Runtime that is installed, {ort.__version__}, does not offer it",
            "Replace the package onnxruntime by onnxruntime-gpu (uninstall the one first, for they share a folder), "
            "or ask for cpu. Nothing was written.",
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # A pattern is kept for every shape, and here nearly every call has a shape of its own.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    why = "ONNX Runtime fell back to the CPU"
    if offered and device != "cpu":
        try:
            # TensorFloat-32 keeps 10 bits of a product: vectors made on a GPU would not be those made on a CPU.
            # Nor may a call that fails go on elsewhere unsaid.
            session = ort.InferenceSession(
                str(files.graph), options, [(_CUDA, {"use_tf32": "0"}), _CPU], enable_fallback=0
            )
            if device == "auto" or _CUDA in session.get_providers():
                return session
        # As in _embed. If it is for the graph, the CPU will not load it either.
        except Exception as error:
            why = str(error)
    try:
        session = ort.InferenceSession(str(files.graph), options, [_CPU])
    except Exception as error:
        raise ModelUnsupported(
            f"ONNX Runtime cannot load {files.graph}: {error}",
            f"{AGAIN} For an opset or operator that it does not know, take a newer onnxruntime.",
        ) from error
    if device == "cuda":
        raise UsageError(
            f"device cuda was asked for, and ONNX Runtime {ort.__version__} cannot start it: {why}",
            "See that nvidia-smi lists a GPU, and that the CUDA and cuDNN that this ONNX Runtime is built for are "
            "installed (pip install 'onnxruntime-gpu[cuda,cudnn]'), or ask for cpu. Nothing was written.",
        )
    return session


def _integer(files: ModelFiles, node: Any) -> type[np.int64] | type[np.int32]:
    """The integer type that one of the graph's inputs takes."""
    types: dict[str, type[np.int64] | type[np.int32]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    if node.name not in _INPUTS or node.type not in types:
        raise ModelUnsupported(
            f"The graph {files.graph} asks for the input {node.name} of type {node.type}; "
            f"the encoder gives {', '.join(_INPUTS)} as integers",
            "Export it with these inputs alone.",
        )
    return types[node.type]


def _mean(output: NDArray[Any], present: NDArray[np.bool_]) -> Vectors:
    """The mean of the token vectors that are not padding, in float32 whatever the graph computes in."""
    tokens: Vectors = np.asarray(output, np.float32)
    # Not by multiplying with the mask: a graph may leave NaN where there is only padding.
    tokens[~present] = 0
    counts = np.maximum(present.sum(axis=1, keepdims=True), 1).astype(np.float32)
    means: Vectors = tokens.sum(axis=1) / counts
    return means


def _normalize(vectors: Vectors) -> Vectors:
    # Squares of float32 overflow long before float64; a zero vector stays zero, to be found as such.
    norms = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1, keepdims=True))
    unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
