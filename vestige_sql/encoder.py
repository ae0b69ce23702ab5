"""Texts to vectors with ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer, normalizers

from vestige_sql.embedder import Embedder, ModelSignature, Vectors
from vestige_sql.errors import BadEmbedding, EncoderError, ModelUnsupported
from vestige_sql.model import ModelFiles, resolve_model

if TYPE_CHECKING:
    import onnxruntime as ort

# The size of one call, in tokens, padding included, and in pairs of tokens: activations grow with the tokens,
# attention with the square of a text's length. Measured with MiniLM on two cores, larger calls are no faster
# and need more memory.
_CALL_TOKENS = 1024
_CALL_PAIRS = 1 << 17

# English text has about four characters a token; for embedders that do not count tokens themselves.
_CHARACTERS_A_TOKEN = 4

# Characters tokenised in one go. The tokenizer keeps what it truncates away, so its memory is that of the
# whole texts.
_GROUP_CHARACTERS = 1 << 16

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# Without a mask a text's vector would depend on the padding, and so on the texts beside it.
_NEEDED = ("input_ids", "attention_mask")
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_OUTPUTS = ("last_hidden_state", "token_embeddings", "sentence_embedding")


_AGAIN = "Download or export it again."


class OnnxEmbedder:
    """A sentence-transformers model that ONNX Runtime runs, on a GPU where its package offers CUDA.

    ``threads`` is how many cores one call takes, by default all that this process may use.

    The model is tried out on two texts, so that what is wrong with it is said before anything is done with it. Raises
    ``ModelUnsupported`` if the graph cannot be loaded, has inputs or outputs that are unknown here, lacks one that is
    needed, or does not fit its tokenizer or configuration; and ``BadEmbedding`` for NaN, infinity and zero vectors.
    """

    def __init__(self, files: ModelFiles, *, threads: int | None = None) -> None:
        self._files = files
        self._tokenizer = _tokenizer(files)
        self._pad_id = files.pad_id or 0
        self._session = _session(files, threads)
        self._inputs = {node.name: _integer(files, node) for node in self._session.get_inputs()}
        for needed in _NEEDED:
            if needed not in self._inputs:
                raise ModelUnsupported(
                    f"The graph {files.graph} has no input {needed}: it has {', '.join(self._inputs) or 'none'}", _AGAIN
                )
        outputs = {node.name: node for node in self._session.get_outputs()}
        self._output = next((name for name in _OUTPUTS if name in outputs), "")
        if not self._output:
            raise ModelUnsupported(
                f"The graph {files.graph} has the outputs {', '.join(outputs)}; "
                f"the encoder understands {', '.join(_OUTPUTS)}",
                _AGAIN,
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
                f"Its graph, its tokenizer and its configuration may not be of one model. {_AGAIN}",
            ) from error
        dimension: int = vectors.shape[1]
        if self._files.hidden_size not in (None, dimension):
            raise ModelUnsupported(
                f"The graph {self._files.graph} gives {dimension} dimensions, and the configuration of the model "
                f"{self.model_name} says {self._files.hidden_size}",
                f"They are not of one model. {_AGAIN}",
            )
        if (bad := first_bad_row(vectors)) is not None:
            raise BadEmbedding(
                f"The model {self.model_name} gave {_what_is_bad(vectors[bad])} when it was tried out on the text "
                f"{texts[bad]!r}",
                f"Nothing was written. {_AGAIN}",
                row=bad,
            )
        return dimension

    @property
    def files(self) -> ModelFiles:
        return self._files

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
        return [len(ids) for ids, _ in self._encode(texts)]

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """Return the embeddings of ``texts`` as documents: float32, shape ``(len(texts), dimension)``.

        All texts go through the model in one call, padded to the longest; :func:`encode_window` makes calls
        of a sensible size. Raises ``EncoderError`` if ONNX Runtime fails on it.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        return self._embed(self._encode(texts))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """As :meth:`embed_batch`, of ``texts`` that are searched for: with the model's prompt for queries."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        return self._embed(self._encode(texts, self._files.query_prompt))

    def _encode(
        self, texts: Sequence[str], prompt: str | None = None
    ) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """The token ids and type ids of each text, truncated, with the prompt for documents unless one is given."""
        tokens = []
        prompt = self._files.prompt if prompt is None else prompt
        for group in _groups(prompt + text for text in texts):
            try:
                if len(group) == 1:
                    encodings = [_encode_long(self._tokenizer, group[0])]
                else:
                    encodings = self._tokenizer.encode_batch(group)
            # As in _tokenizer. One that has no token for a word it does not know fails here.
            except Exception as error:
                raise EncoderError(
                    f"The tokenizer {self._files.tokenizer} failed on a text: {error}",
                    f"Nothing was put in place. {_AGAIN}",
                ) from error
            # Numbers only: an encoding holds its text's tokens as strings, and all that was truncated away.
            tokens += [(np.array(e.ids, np.int32), np.array(e.type_ids, np.int32)) for e in encodings]
        return tokens

    def _embed(self, tokens: list[tuple[NDArray[np.int32], NDArray[np.int32]]]) -> Vectors:
        shape = len(tokens), max(1, *(len(ids) for ids, _ in tokens))
        arrays = {
            "input_ids": np.full(shape, self._pad_id, np.int64),
            "attention_mask": np.zeros(shape, np.int64),
            "token_type_ids": np.zeros(shape, np.int64),
        }
        for row, (ids, types) in enumerate(tokens):
            arrays["input_ids"][row, : len(ids)] = ids
            arrays["attention_mask"][row, : len(ids)] = 1
            arrays["token_type_ids"][row, : len(ids)] = types
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
                vectors = _mean(output, arrays["attention_mask"])
            return _normalize(vectors) if self._files.normalize else vectors


def load_embedder(
    name: str, *, revision: str | None = None, onnx_file: str | None = None, threads: int | None = None
) -> OnnxEmbedder:
    """Find the model ``name`` as :func:`vestige_sql.model.resolve_model` does, and load it."""
    return OnnxEmbedder(resolve_model(name, revision=revision, onnx_file=onnx_file), threads=threads)


def encode_window(embedder: Embedder, texts: Sequence[str], batch_size: int) -> Vectors:
    """Return the embeddings of ``texts`` in the order given: float32, shape ``(len(texts), dimension)``.

    Equal texts are encoded once. The rest is sorted by length and cut into calls of ``embed_batch`` of at
    most ``batch_size`` texts and about 1,024 tokens, padding included: padding is work too, and a window in
    table order is mostly padding.

    Raises ``BadEmbedding`` if the embedder returns anything but float32 of the right shape.
    """
    places: dict[str, int] = {}
    rows = [places.setdefault(text, len(places)) for text in texts]
    unique = list(places)
    vectors = np.empty((len(unique), embedder.dimension), np.float32)
    for call in _calls(_token_counts(embedder, unique), batch_size):
        batch = embedder.embed_batch([unique[i] for i in call])
        vectors[call] = _checked(embedder, batch, len(call), rows.index(call[0]))
    return vectors[rows]


def embed_queries(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Return the embeddings of ``texts`` as questions: float32, shape ``(len(texts), dimension)``.

    By the embedder's own ``embed_queries``, or by ``embed_batch`` where it has none.

    Raises ``BadEmbedding`` for anything but float32 of that shape, and for a vector that cannot be searched for.
    """
    embed = getattr(embedder, "embed_queries", embedder.embed_batch)
    vectors = _checked(embedder, embed(texts), len(texts))
    if (bad := first_bad_row(vectors)) is not None:
        raise BadEmbedding(
            f"The model {embedder.model_name} gave {_what_is_bad(vectors[bad])} for {texts[bad]!r}",
            "Nothing was searched for.",
            row=bad,
        )
    return vectors


def _checked(embedder: Embedder, batch: object, count: int, row: int = 0) -> Vectors:
    """Return ``batch`` if it is float32 of the shape due for ``count`` texts, the first of which is ``row``."""
    expected = count, embedder.dimension
    if not isinstance(batch, np.ndarray) or batch.dtype != np.float32 or batch.shape != expected:
        got = f"{batch.dtype} {batch.shape}" if isinstance(batch, np.ndarray) else type(batch).__name__
        raise BadEmbedding(
            f"The model {embedder.model_name} returned {got} for {count} texts, "
            f"where a float32 array of shape {expected} was due",
            row=row,
        )
    return batch


def first_bad_row(vectors: Vectors) -> int | None:
    """The first row that no vector search can use: NaN or infinity in it, or zero throughout."""
    bad = ~np.isfinite(vectors).all(axis=1) | ~vectors.any(axis=1)
    return int(bad.argmax()) if bad.any() else None


def _what_is_bad(vector: Vectors) -> str:
    return "a zero vector" if np.isfinite(vector).all() else "NaN or infinity"


def _token_counts(embedder: Embedder, texts: Sequence[str]) -> Sequence[int]:
    counts = getattr(embedder, "token_counts", None)
    if counts is not None:
        return list(counts(texts))
    return [1 + len(text) // _CHARACTERS_A_TOKEN for text in texts]


def _calls(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    # The longest first: the largest buffers are then allocated once, and a lack of memory shows at once.
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    at = 0
    while at < len(order):
        length = max(1, lengths[order[at]])
        size = max(1, min(batch_size, _CALL_TOKENS // length, _CALL_PAIRS // length**2))
        yield order[at : at + size]
        at += size


# --- Tokens ---


def _tokenizer(files: ModelFiles) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer))
    # The tokenizers package raises Exception itself.
    except Exception as error:
        raise ModelUnsupported(f"The tokenizer {files.tokenizer} cannot be read: {error}", _AGAIN) from error
    special = tokenizer.num_special_tokens_to_add(False)
    if files.max_tokens <= special:
        raise ModelUnsupported(
            f"The model {files.name} truncates texts to {files.max_tokens} tokens, and its tokenizer adds {special} to "
            "each: nothing is left of the text",
            "Put the right max_seq_length into its sentence_bert_config.json.",
        )
    # Published tokenizers carry the settings of their training, such as padding every text to 128 tokens.
    tokenizer.no_padding()
    tokenizer.enable_truncation(files.max_tokens)
    if files.lower_case:
        own = [tokenizer.normalizer] if tokenizer.normalizer else []
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    return tokenizer


def _groups(texts: Iterable[str]) -> Iterator[list[str]]:
    group: list[str] = []
    characters = 0
    for text in texts:
        if group and characters + len(text) > _GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
        group.append(text)
        characters += len(text)
    if group:
        yield group


def _encode_long(tokenizer: Tokenizer, text: str) -> Encoding:
    """Encode one text, reading no more of it than decides the tokens that truncation leaves.

    Tokenizers work word by word, as their pre-tokenizer cuts words, so cutting the text can only change the
    words at the cut. A prefix will do if truncation leaves none of its last words; where the pre-tokenizer
    finds no words, the whole text is read.
    """
    length = _GROUP_CHARACTERS
    while length < len(text):
        encoding = tokenizer.encode(text[:length])
        if encoding.overflowing:
            kept = max((word for word in encoding.word_ids if word is not None), default=0)
            last = max((word for word in encoding.overflowing[-1].word_ids if word is not None), default=0)
            if kept + 2 < last:
                return encoding
        length *= 4
    return tokenizer.encode(text)


# --- The graph ---


def _session(files: ModelFiles, threads: int | None) -> ort.InferenceSession:
    # Here and not above, for verbs without a model have no use for it, and it starts a thread.
    import onnxruntime as ort

    options = ort.SessionOptions()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    options.intra_op_num_threads = cores if threads is None else threads
    # A pattern is kept for every shape, and here nearly every call has a shape of its own.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    # TensorFloat-32 keeps 10 bits of a product: vectors made on a GPU would not be those made on a CPU.
    cuda = ("CUDAExecutionProvider", {"use_tf32": "0"})
    available = ort.get_available_providers()
    providers: list[Any] = [cuda] if cuda[0] in available else []
    try:
        return ort.InferenceSession(str(files.graph), options, [*providers, "CPUExecutionProvider"])
    except Exception as error:
        raise ModelUnsupported(
            f"ONNX Runtime cannot load {files.graph}: {error}",
            f"{_AGAIN} For an opset or operator that it does not know, take a newer onnxruntime.",
        ) from error


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


def _mean(output: NDArray[Any], mask: NDArray[np.int64]) -> Vectors:
    """The mean of the token vectors that are not padding, in float32 whatever the graph computes in."""
    tokens: Vectors = np.asarray(output, np.float32)
    # Not by multiplying with the mask: a graph may leave NaN where there is only padding.
    tokens[mask == 0] = 0
    counts = np.maximum(mask.sum(axis=1, keepdims=True), 1).astype(np.float32)
    means: Vectors = tokens.sum(axis=1) / counts
    return means


def _normalize(vectors: Vectors) -> Vectors:
    # Squares of float32 overflow long before float64; a zero vector stays zero, to be found as such.
    norms = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1, keepdims=True))
    unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
