"""Texts to vectors by a service that speaks the OpenAI-compatible ``/v1/embeddings``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from vestige_sql.encode.allowance import Allowance
from vestige_sql.encode.embedder import ModelSignature, Vectors
from vestige_sql.encode.endpoint import UNTOUCHED, Endpoint
from vestige_sql.encode.service import Refused, Service
from vestige_sql.encode.tokens import CHARACTERS_A_TOKEN, groups
from vestige_sql.errors import BadEmbedding, EncoderError, ModelNotFound

PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    "A vector column holds the embeddings of one model, and the registry names it.",
    "Übergrößenträger, naïve café, 東京の天気, Привет, мир!",
    "SELECT id, body FROM documents WHERE updated_at > now() - interval '1 day';",
)
"""Texts whose vectors tell two models apart. They may never change: their vectors are remembered."""

# A request takes a moment however small it is, and the service cuts it into calls of its model.
_CALL_TOKENS = 8_192
_CALL_PAIRS = 1 << 62

# Fewer rows than with a model in this process, because what a killed run loses has been paid for.
_PAGE_ROWS = 512


class EndpointEmbedder:
    """A model behind an :class:`Endpoint`. It can be pickled: the key stays in the environment.

    Nothing is sent before the first text is embedded. Raises ``ModelNotFound`` for a tokenizer that is not there, and
    ``UsageError`` if the extra "endpoint" is not installed.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._allowance = Allowance(
            endpoint.requests_per_minute, endpoint.tokens_per_minute, endpoint.most_tokens, endpoint.limit
        )
        self._service = Service(
            endpoint.address,
            key_variable=endpoint.key_variable,
            timeout_secs=endpoint.timeout_secs,
            attempts=endpoint.attempts,
            connections=endpoint.calls_at_once,
            allowance=self._allowance,
        )
        self._tokenizer, cut = _load_tokenizer(endpoint.tokenizer, endpoint.max_tokens)
        self._signature = endpoint.signature(cut)
        # How many tokens the service counts for one of ours, from its answers.
        self._ratio = 1.0
        # The most texts that the service takes in one request, as far as it has refused more.
        self._most_texts: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return EndpointEmbedder, (self._endpoint,)

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def model_name(self) -> str:
        return self._endpoint.model

    @property
    def dimension(self) -> int:
        return self._endpoint.dimension

    @property
    def device(self) -> str:
        """Where the model runs: the service's host."""
        return urlsplit(self._endpoint.url).netloc

    @property
    def calls_at_once(self) -> int:
        return self._endpoint.calls_at_once

    call_tokens = _CALL_TOKENS
    call_pairs = _CALL_PAIRS
    page_rows = _PAGE_ROWS
    long_text = _CALL_PAIRS
    probe_texts = PROBES

    def signature(self) -> ModelSignature:
        return self._signature

    # --- Tokens ---

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """About how many tokens each text has with the prompt: counted by the tokenizer, or one for four bytes."""
        return self._counts([self._endpoint.prompt + text for text in texts])

    def _counts(self, inputs: Sequence[str]) -> list[int]:
        if self._tokenizer is None:
            return [1 + len(text.encode()) // CHARACTERS_A_TOKEN for text in inputs]
        return [len(e.ids) for group in groups(inputs) for e in self._tokenizer.encode_batch_fast(group)]

    def estimate(self, rows: int, size: int) -> tuple[int, float | None]:
        """Return about how many tokens ``rows`` texts of ``size`` bytes in all have, and what they cost, or None."""
        tokens = rows + (size + rows * len(self._endpoint.prompt.encode())) // CHARACTERS_A_TOKEN
        return tokens, self.cost(tokens)

    def cost(self, tokens: int) -> float | None:
        """Return what ``tokens`` cost, or None if no price is known."""
        return None if self._endpoint.price is None else tokens * self._endpoint.price / 1e6

    @property
    def tokens_spent(self) -> int:
        """The tokens that this object has spent, as the service counts them, or as estimated where it does not."""
        return self._allowance.tokens

    def reserve(self, counts: Sequence[int]) -> None:
        """Raise ``LimitReached`` if texts of so many tokens would go over the limit."""
        self._allowance.go_on()
        self._allowance.check(self._expected(counts))

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Ask once, and for a short time, while the block runs: others wait for it."""
        self._service.hurried = True
        try:
            yield
        finally:
            self._service.hurried = False

    def interrupt(self) -> None:
        """Cut short every wait for the service, because the run stops."""
        self._allowance.stop()

    def _expected(self, counts: Sequence[int]) -> int:
        return math.ceil(sum(counts) * self._ratio)

    # --- Vectors ---

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """Return the embeddings of ``texts`` as documents: float32, shape ``(len(texts), dimension)``.

        Raises ``EncoderError`` if the service cannot be reached or does not answer as agreed, ``LimitReached`` if the
        texts would go over a limit, and ``BadEmbedding`` if it refuses a text or returns the wrong shape.
        """
        return self._embed([self._endpoint.prompt + text for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Like :meth:`embed_batch`, for questions: with the prompt for queries."""
        self._allowance.go_on()
        return self._embed([self._endpoint.query_prompt + text for text in texts])

    def _embed(self, inputs: list[str]) -> Vectors:
        if self._endpoint.max_tokens is not None:
            inputs = self._cut(inputs)
        most = self._most_texts or max(1, len(inputs))
        parts = [self._split(inputs[at : at + most], at) for at in range(0, len(inputs), most)]
        return np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)

    def _cut(self, inputs: list[str]) -> list[str]:
        assert self._tokenizer is not None
        shortened = []
        for group in groups(inputs):
            for text, encoding in zip(group, self._tokenizer.encode_batch(group), strict=True):
                # The tokens that a text gets at its ends stand for no characters: their offsets are empty.
                ends = [end for start, end in encoding.offsets if end > start]
                shortened.append(text[: max(ends)] if encoding.overflowing and ends else text)
        return shortened

    def _split(self, inputs: list[str], first: int) -> Vectors:
        """Embed ``inputs`` in one request, or, if the service refuses so many, half of them at a time."""
        try:
            return self._ask(inputs)
        except Refused as refused:
            if len(inputs) == 1:
                raise BadEmbedding(
                    f"{self._service.name} refused a text of about {self._counts(inputs)[0]:,} tokens: {refused}",
                    "if it is too long, cut texts with --max-tokens and --tokenizer; the table is as it was, and the "
                    "staged vectors stay",
                    row=first,
                ) from refused
        half = (len(inputs) + 1) // 2
        vectors = np.concatenate([self._split(inputs[:half], first), self._split(inputs[half:], first + half)])
        # Both halves were taken, so it was their number, or their length together.
        self._most_texts = min(half, self._most_texts or half)
        return vectors

    def _ask(self, inputs: list[str]) -> Vectors:
        counted = sum(self._counts(inputs))
        asked: dict[str, Any] = {"model": self._endpoint.model, "input": inputs, "encoding_format": "float"}
        if self._endpoint.ask_dimension:
            asked["dimensions"] = self.dimension
        answer, tokens = self._service.ask(asked, math.ceil(counted * self._ratio))
        if tokens and counted:
            self._ratio = tokens / counted
        return self._vectors(answer, len(inputs))

    def _vectors(self, answer: list[Any], count: int) -> Vectors:
        if len(answer) != count:
            raise EncoderError(
                f"{self._service.name} returned {len(answer)} vectors for {count} texts",
                "it does not answer as /v1/embeddings should; nothing was put in place",
            )
        lengths = {len(vector) for vector in answer}
        if lengths != {self.dimension}:
            found = ", ".join(map(str, sorted(lengths)))
            raise EncoderError(
                f"{self._service.name} returned vectors of {found} dimensions, and --dimension is {self.dimension}",
                f"run again with --dimension {found}, or with --ask-dimension if the model can shorten its vectors; "
                "nothing was put in place",
            )
        vectors = np.array(answer)
        # A null or a string makes an array of another kind.
        if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
            raise EncoderError(
                f"{self._service.name} returned a vector with something in it that is no number",
                "the model may have failed on a text: look at the service's log; nothing was put in place",
            )
        with np.errstate(over="ignore"):
            return vectors.astype(np.float32)


def _load_tokenizer(place: str | None, max_tokens: int | None) -> tuple[Any, str]:
    """Return the tokenizer, and how it cuts texts, "" if it does not."""
    if place is None:
        return None, ""
    import hashlib

    from tokenizers import Tokenizer

    path = Path(place).expanduser()
    if path.is_dir():
        path /= "tokenizer.json"
    if not path.is_file():
        path = _from_hub(place)
    try:
        text = path.read_text("utf-8")
        tokenizer = Tokenizer.from_str(text)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if max_tokens is None:
            return tokenizer, ""
        tokenizer.enable_truncation(max_tokens)
    # The package tokenizers raises the class Exception itself.
    except Exception as error:
        raise ModelNotFound(
            f"the tokenizer {path} cannot be used: {error}",
            f"name a tokenizer.json as transformers saves it, and --max-tokens above its special tokens; {UNTOUCHED}",
        ) from error
    return tokenizer, f"{max_tokens} tokens of {hashlib.sha256(text.encode()).hexdigest()}"


def _from_hub(name: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, "tokenizer.json"))
    # Each major version of huggingface_hub uses another HTTP library, which has its own errors.
    except Exception as error:
        raise ModelNotFound(
            f"there is no tokenizer {name}: it is no file, no folder that has a tokenizer.json, and the hub did not "
            f"provide one: {error}",
            f"name a tokenizer.json, or a folder or hub repository that has one; {UNTOUCHED}",
        ) from error
