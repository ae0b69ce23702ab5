"""Texts to vectors with ONNX Runtime, or with a table of token vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vestige_sql.encode.embedder import ModelSignature, Vectors
from vestige_sql.encode.files import Asked, ModelFiles
from vestige_sql.encode.graph import AGAIN, UNTOUCHED
from vestige_sql.encode.hub import resolve_model
from vestige_sql.encode.modules import (
    SENTENCE,
    TOKENS,
    Features,
    Pipeline,
    Pooling,
    StaticEmbedding,
    after_pooling,
    mean_of_rows,
    shortened,
)
from vestige_sql.encode.session import Graph, check_device, check_precision, cores_here
from vestige_sql.encode.tokens import Tokens, is_enough, load_tokenizer, padded, prompt_length, tokenized
from vestige_sql.encode.tryout import check_alone, check_both_outputs, left_to_do
from vestige_sql.encode.window import first_bad_row, what_is_bad
from vestige_sql.errors import BadEmbedding, DimensionMismatch, EncoderError, ModelUnsupported, UsageError

# On a CPU. On one core, MiniLM reaches these shares of sgemm's FLOP/s: 98 % in calls of 256 tokens, 93 % of 512, 86 %
# of 1,024 and 80 % of 2,048, because the activations outgrow the core's cache. Shorter calls are no faster.
_CALL_TOKENS_CPU = 256

# A table of token vectors has no activations: a call is a lookup.
_CALL_TOKENS_STATIC = 1 << 16

# One call per core, since cores in one call wait for each other at every operator. At most 8, to bound memory: the
# attention alone takes 16 MB for a text of 512 tokens in a model of 16 heads. With more cores, several share a call.
_MOST_CALLS = 8

# On a GPU, a call has to keep thousands of cores busy. In a model of BERT-large's size, the activations of so many
# tokens take about 300 MB and the attention as much, which every current GPU has. Not measured.
_CALL_TOKENS_GPU = 1 << 14

# Most tokens to keep between counting and embedding, 8 bytes each: a page of 2,048 rows of 512 tokens.
_KEPT_TOKENS = 1 << 20


class OnnxEmbedder:
    """A sentence-transformers model that ONNX Runtime runs, or that is a table of token vectors.

    ``threads`` is how many cores it uses, by default all that this process may use. ``device`` is "cuda", "cpu" or
    "auto". "auto" uses a GPU if the installed ONNX Runtime offers CUDA and can start it, else the CPU.

    The model is tried on one text and on three first, so that its faults are found before it is used. Raises
    ``ModelUnsupported`` if the graph cannot be loaded, has unknown inputs or outputs, lacks a needed one, or does not
    fit its tokenizer or configuration; ``BadEmbedding`` for NaN, infinity and zero vectors; ``DimensionMismatch`` if
    vectors are to be shortened to more dimensions than they have; and ``UsageError`` for "cuda" without a usable GPU,
    and for an unknown device.
    """

    def __init__(self, files: ModelFiles, *, threads: int | None = None, device: str = "auto") -> None:
        self._files = files
        self._device_asked = device
        self._tokenizer = load_tokenizer(files)
        self._pad_id = files.pad_id or 0
        self._counted: dict[str, Tokens] = {}
        cores = threads or cores_here()
        self._calls = min(cores, _MOST_CALLS)
        self._threads = cores // self._calls
        modules = files.modules
        self._graph = self._table = None
        if isinstance(modules[0], StaticEmbedding):
            check_device(device)
            self._table, modules = modules[0].table(), modules[1:]
        else:
            self._graph = Graph(files, self._threads, device)
            self._session: Any = self._graph.session
        self._one_by_one = self._graph is not None and self._graph.fixed_texts == 1
        self._from_tokens = self._graph is not None and self._graph.output != SENTENCE
        # A graph that makes one vector of a text has pooled. What it leaves to do is found when it is tried out.
        self._pipeline = Pipeline(modules if self._from_tokens or self._table is not None else after_pooling(modules))
        self._prompt_tokens = {prompt: self._prompt_length(prompt) for prompt in (files.prompt, files.query_prompt)}
        self._own_dimension = 0  # until it is tried out
        self._own_dimension = self._try_out()
        self.shorten_to(files.dimension)

    # --- Before it is used ---

    def shorten_to(self, dimension: int | None) -> None:
        """Shorten vectors to ``dimension`` from here on, unless that is the model's own, or None."""
        if dimension is not None and not 1 <= dimension <= self._own_dimension:
            raise DimensionMismatch(
                f"--dimension is {dimension}, and the model {self.model_name} has {self._own_dimension} dimensions",
                f"run again with --dimension {self._own_dimension}, or with another model; {UNTOUCHED}",
            )
        if dimension == self._own_dimension:
            dimension = None
        if dimension is None and self._files.layer_norm_first:
            raise UsageError(
                f"--layer-norm-first is for vectors that are shortened, and those of {self.model_name} stay at "
                f"{self._own_dimension} dimensions",
                f"give a smaller --dimension, or leave it out; {UNTOUCHED}",
            )
        if dimension != self._files.dimension:
            self._files = replace(self._files, dimension=dimension)

    def _try_out(self) -> int:
        """Embed two texts, the longer one alone, and three, and return the dimension of their vectors."""
        if self._graph is not None and self._graph.fixed_texts not in (None, 1):
            raise ModelUnsupported(
                f"the graph {self._files.graph} takes exactly {self._graph.fixed_texts} texts in a call",
                f"export it with a batch axis that varies, or of 1; {UNTOUCHED}",
            )
        texts = ["a", "A longer text, with a word \u2603 that few vocabularies have.", "Some words."]
        tokens = self._encode(texts)
        # If the tokenizer has more tokens than the graph, the highest one fails here, and not later on a row.
        highest = max(self._tokenizer.get_vocab().values(), default=0)
        ids = tokens[1][0]
        ids[len(ids) // 2 :][:1] = highest
        try:
            self._together(tokens[:2])
            alone, vectors = self._embed(tokens[1:2]), self._together(tokens)
        except (BadEmbedding, EncoderError) as error:
            raise ModelUnsupported(
                f"the model {self.model_name} failed when it was tried out on one to three texts, one of them with its "
                f"tokenizer's highest token id, {highest}: {error}",
                f"its graph, its tokenizer and its configuration may not be of one model: {AGAIN}",
            ) from error
        dimension: int = vectors.shape[1]
        if self._files.stated_dimension not in (None, dimension):
            raise ModelUnsupported(
                f"the graph {self._files.graph} gives {dimension} dimensions, and the configuration of the model "
                f"{self.model_name} says {self._files.stated_dimension}",
                f"they are not of one model: {AGAIN}",
            )
        if (bad := first_bad_row(vectors)) is not None:
            raise BadEmbedding(
                f"the model {self.model_name} returned {what_is_bad(vectors[bad])} when it was tried out on the text "
                f"{texts[bad]!r}",
                AGAIN,
                row=bad,
            )
        check_alone(self._files, alone[0], vectors[1])
        if self._graph is not None and self._from_tokens and SENTENCE in self._graph.outputs:
            check_both_outputs(self._files, self._graph.run(*padded(tokens[1:2], self._pad_id), SENTENCE)[0], alone[0])
        return dimension

    def _together(self, tokens: list[Tokens]) -> Vectors:
        """Embed several texts in one call; one by one from here on, if the graph turns out to take no more."""
        try:
            return self._embed(tokens)
        except EncoderError:
            # The same text twice needs no padding. If that works, padding or a token is at fault.
            if self._one_by_one or self._table is not None or self._takes([tokens[1], tokens[1]]):
                raise
            self._one_by_one = True
            return self._embed(tokens)

    def _takes(self, tokens: list[Tokens]) -> bool:
        """Whether a call of these texts works."""
        try:
            self._embed(tokens)
        except EncoderError:
            return False
        return True

    def _prompt_length(self, prompt: str) -> int:
        """Return how many tokens before a text pooling leaves out for ``prompt``."""
        leaves_out = any(isinstance(m, Pooling) and not m.include_prompt for m in self._files.modules)
        return prompt_length(self._tokenizer, prompt) if prompt and leaves_out else 0

    # --- What it is ---

    @property
    def files(self) -> ModelFiles:
        return self._files

    @property
    def device_asked(self) -> str:
        """The requested ``device``: "auto", "cpu" or "cuda"."""
        return self._device_asked

    precision_asked = "fp32"
    """What :func:`load_files` takes for such a model."""

    @property
    def device(self) -> str:
        """Where the model runs: "cpu" or "cuda"."""
        return "cuda" if self._graph is not None and self._graph.on_cuda else "cpu"

    @property
    def precision(self) -> str:
        """What it is computed in: that of the graph's weights, such as "fp32"."""
        return self._files.precision

    @property
    def runtime(self) -> str:
        """What computes it, with its version."""
        if self._table is not None:
            return f"numpy {np.__version__}"
        import onnxruntime as ort

        return f"ONNX Runtime {ort.__version__}"

    @property
    def call_tokens(self) -> int:
        """About how many tokens :func:`encode_window` puts into one call, padding included."""
        if self._table is not None:
            return _CALL_TOKENS_STATIC
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
        return self._files.dimension or self._own_dimension

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, self.dimension, self._files.hash)

    def former_signature(self) -> ModelSignature | None:
        """Return the signature that versions before 0.2.0 gave the model, or None if it is the same."""
        former = self._files.former_max_tokens
        if former is None:
            return None
        hash = self._files.hash_at(self._files.dimension, max_tokens=former)
        return ModelSignature(self.model_name, self.dimension, hash)

    @property
    def former_options(self) -> dict[str, Any]:
        """What to give to :func:`load_embedder` for the model of :meth:`former_signature`."""
        files = self._files
        return {"prompt": files.prompt, "max_tokens": files.former_max_tokens, "dimension": files.dimension}

    def shortened_from(self, dimension: int) -> ModelSignature | None:
        """Return the signature of the vectors of ``dimension`` dimensions whose first numbers are this model's vectors.

        None if this model's vectors are not the first numbers of longer ones, at length one.
        """
        if not self.dimension < dimension <= self._own_dimension:
            return None
        longer = None if dimension == self._own_dimension else dimension
        # A whole vector has not been through the layer norm that comes before shortening.
        if longer is None and self._files.layer_norm_first:
            return None
        return ModelSignature(self.model_name, dimension, self._files.hash_at(longer))

    @property
    def encoding(self) -> dict[str, Any]:
        """How texts become vectors, for people and the registry's record. Every value is one of JSON's."""
        files = self._files
        return {
            "prompt": files.prompt,
            "query_prompt": files.query_prompt,
            "pooling": files.pooling,
            "normalize": files.normalize,
            "max_tokens": files.max_tokens,
            "dimension": self.dimension,
            "model_dimension": self._own_dimension,
            "layer_norm_first": files.layer_norm_first,
            "file": files.graph_name,
            "precision": files.precision,
            "notes": list(files.notes),
        }

    # --- Encoding ---

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text with prompt and special tokens, after truncation."""
        tokens = self._encode(texts)
        counts = [len(ids) for ids, _ in tokens]
        # Counted texts are embedded next: keep their tokens, so that `embed_batch` need not make them again.
        self._counted = dict(zip(texts, tokens, strict=True)) if sum(counts) <= _KEPT_TOKENS else {}
        return counts

    def is_enough(self, beginning: str) -> bool:
        """Whether every text that begins with ``beginning`` has the same vector, because of the truncation."""
        return is_enough(self._tokenizer, self._files.prompt + beginning, special_tokens=self._table is None)

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
        return self._short(self._embed(tokens if len(tokens) == len(texts) else self._encode(texts)))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Like :meth:`embed_batch`, for questions: with the model's prompt for queries."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        prompt = self._files.query_prompt
        return self._short(self._embed(self._encode(texts, prompt), prompt))

    def _short(self, vectors: Vectors) -> Vectors:
        if self._files.dimension is None:
            return vectors
        return shortened(vectors, self._files.dimension, layer_norm_first=self._files.layer_norm_first)

    def _encode(self, texts: Sequence[str], prompt: str | None = None) -> list[Tokens]:
        """Return the token ids and type ids of each text, truncated, after ``prompt`` or the one for documents."""
        prompt = self._files.prompt if prompt is None else prompt
        special = self._table is None
        return tokenized(self._tokenizer, self._files, (prompt + text for text in texts), special_tokens=special)

    def _embed(self, tokens: list[Tokens], prompt: str | None = None) -> Vectors:
        """Return vectors of the model's own dimension for texts after ``prompt``, or the one for documents."""
        if self._one_by_one and len(tokens) > 1:
            return np.concatenate([self._embed([one], prompt) for one in tokens])
        ids, types, present = padded(tokens, self._pad_id, self._length_of_call)
        # The callers look for NaN and infinity, so numpy need not warn of them here.
        with np.errstate(invalid="ignore", over="ignore"):
            if self._table is not None:
                given, name = mean_of_rows(self._table, ids, present), SENTENCE
            else:
                assert self._graph is not None
                given = self._graph.run(ids, types, present)
                name = TOKENS if self._from_tokens else SENTENCE
            self._check_size(given.shape[-1], name)
            length = self._prompt_tokens[self._files.prompt if prompt is None else prompt]
            return self._pipeline(Features({name: given}, present, length))

    def _length_of_call(self, longest: int) -> int:
        """Return how many tokens the texts of a call are padded to, of which the longest has so many."""
        return longest

    def _check_size(self, given: int, name: str) -> None:
        """Check the dimension of the graph's output, of the first call only."""
        if self._own_dimension or self._graph is None:
            return
        if name == SENTENCE:
            self._pipeline = Pipeline(left_to_do(self._files, given))
        elif self._files.hidden_size not in (None, given):
            raise ModelUnsupported(
                f"the graph {self._files.graph} gives {given} dimensions, and the configuration of the model "
                f"{self.model_name} says {self._files.hidden_size}",
                f"they are not of one model: {AGAIN}",
            )


def load_embedder(
    name: str,
    *,
    revision: str | None = None,
    onnx_file: str | None = None,
    threads: int | None = None,
    device: str = "auto",
    prompt: str | None = None,
    query_prompt: str | None = None,
    max_tokens: int | None = None,
    dimension: int | None = None,
    layer_norm_first: bool = False,
    graph_repo: str | None = None,
    precision: str = "fp32",
) -> OnnxEmbedder:
    """Find the model ``name`` as :func:`vestige_sql.encode.hub.resolve_model` does, and load it.

    ``prompt`` goes before every stored text and ``query_prompt`` before every question, "" for none; without them they
    are those of the model's configuration. ``max_tokens`` is where texts are truncated. A ``dimension`` below the
    model's own shortens vectors to their first numbers, at length one, as Matryoshka models allow;
    ``layer_norm_first`` brings a vector to mean 0 and variance 1 before. ``graph_repo`` is another hub repository or
    folder to take the graph from, which has to be of the same model. ``precision`` "bf16" computes it in bfloat16 with
    OpenVINO: the same model, as :class:`vestige_sql.encode.bf16.Bf16Embedder` says.

    Raises what that function and the class raise, and ``PromptNeeded`` if the card of the model's family is known to
    ask for a prompt, its configuration has none, and none was given.
    """
    check_device(device)  # before a model is downloaded
    check_precision(precision, device)
    asked = Asked(onnx_file, prompt, query_prompt, max_tokens, dimension, layer_norm_first, graph_repo)
    files = resolve_model(name, revision=revision, asked=asked)
    return load_files(files, threads=threads, device=device, precision=precision)


def load_files(
    files: ModelFiles, *, threads: int | None = None, device: str = "auto", precision: str = "fp32"
) -> OnnxEmbedder:
    """Load the model of ``files``, computed in ``precision``. Raises what :func:`load_embedder` raises."""
    if precision == "bf16":
        from vestige_sql.encode.bf16 import Bf16Embedder

        return Bf16Embedder(files, threads=threads, device=device)
    return OnnxEmbedder(files, threads=threads, device=device)
