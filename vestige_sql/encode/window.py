"""Sort the texts of a window by length, divide them into calls of the model, and check what it returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.encode.tokens import CHARACTERS_A_TOKEN
from vestige_sql.errors import BadEmbedding

# The size of one call in tokens, padding included.
CALL_TOKENS = 1024

# A call's limit in pairs of tokens, per token of its size. Activations grow with the number of tokens, attention with
# the square of a text's length.
PAIRS_A_TOKEN = 128


# Texts of more tokens are encoded one at a time: the attention of one takes 200 MB and more in a model of 12 heads.
_LONG_TEXT = 2048


def encode_window(
    embedder: Embedder,
    texts: Sequence[str],
    batch_size: int,
    *,
    counting: AbstractContextManager[object] | None = None,
) -> Vectors:
    """Return the embeddings of ``texts`` in the order given: float32, shape ``(len(texts), dimension)``.

    Equal texts are encoded once. The texts are sorted by length and divided into calls of ``embed_batch``, because
    padding is work too, and a window in table order is mostly padding. A call has at most ``batch_size`` texts and
    about ``embedder.call_tokens`` tokens, padding included (by default 1,024). ``embedder.calls_at_once`` calls run at
    the same time, each in a thread (by default one). ``counting`` is entered while tokens are counted.
    ``embedder.reserve`` is called with the counts before all others, if there is one.

    Raises ``BadEmbedding`` if the embedder returns anything but float32 of the right shape.
    """
    unique = list(dict.fromkeys(texts))
    vectors = np.empty((len(unique), embedder.dimension), np.float32)
    with counting or nullcontext():
        lengths = _token_counts(embedder, unique)
    if (reserve := getattr(embedder, "reserve", None)) is not None:
        reserve(lengths)

    def embed(call: list[int]) -> None:
        words = [unique[i] for i in call]
        try:
            vectors[call] = _checked(embedder, embedder.embed_batch(words), len(call))
        except BadEmbedding as error:
            error.row = texts.index(words[min(error.row or 0, len(words) - 1)])
            raise

    tokens = getattr(embedder, "call_tokens", CALL_TOKENS)
    calls = list(_calls(lengths, batch_size, tokens, getattr(embedder, "call_pairs", tokens * PAIRS_A_TOKEN)))
    # The longest come first. One at a time, since the attention of one alone may take hundreds of megabytes.
    while calls and lengths[calls[0][0]] > getattr(embedder, "long_text", _LONG_TEXT):
        embed(calls.pop(0))
    if (threads := min(len(calls), getattr(embedder, "calls_at_once", 1))) > 1:
        with ThreadPoolExecutor(threads, thread_name_prefix="vestige-sql-encode") as pool:
            interrupt = getattr(embedder, "interrupt", None)
            running = [pool.submit(embed, call) for call in calls]
            try:
                # Where calls can be interrupted, an earlier one may wait for minutes while a later one has failed.
                for done in running if interrupt is None else as_completed(running):
                    done.result()
            except BaseException:
                # Calls that have not begun by now do not run.
                pool.shutdown(wait=False, cancel_futures=True)
                if interrupt is not None:
                    interrupt()
                raise
    else:
        for call in calls:
            embed(call)
    if len(unique) == len(texts):
        return vectors
    places = {text: place for place, text in enumerate(unique)}
    return vectors[[places[text] for text in texts]]


def embed_queries(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Return the embeddings of ``texts`` as questions: float32, shape ``(len(texts), dimension)``.

    Uses the embedder's ``embed_queries``, or ``embed_batch`` if it has none.

    Raises ``BadEmbedding`` for anything but float32 of that shape, and for a vector that cannot be searched for.
    """
    embed = getattr(embedder, "embed_queries", embedder.embed_batch)
    vectors = _checked(embedder, embed(texts), len(texts))
    if (bad := first_bad_row(vectors)) is not None:
        raise BadEmbedding(
            f"the model {embedder.model_name} returned {what_is_bad(vectors[bad])} for {texts[bad]!r}",
            "rephrase the question, or pick another graph with --onnx-file; nothing was searched for",
            row=bad,
        )
    return vectors


def _checked(embedder: Embedder, batch: object, count: int) -> Vectors:
    """Return ``batch`` if it is float32 of the shape due for ``count`` texts."""
    expected = count, embedder.dimension
    if not isinstance(batch, np.ndarray) or batch.dtype != np.float32 or batch.shape != expected:
        got = f"{batch.dtype} {batch.shape}" if isinstance(batch, np.ndarray) else type(batch).__name__
        raise BadEmbedding(
            f"the model {embedder.model_name} returned {got} for {count} texts, "
            f"where a float32 array of shape {expected} was due",
            "correct the graph or the embedder; nothing was put in place",
            row=0,
        )
    return batch


def first_bad_row(vectors: Vectors) -> int | None:
    """Return the first row that no vector search can use: with NaN or infinity, or all zero. None if there is none."""
    bad = ~np.isfinite(vectors).all(axis=1) | ~vectors.any(axis=1)
    return int(bad.argmax()) if bad.any() else None


def what_is_bad(vector: Vectors) -> str:
    return "a zero vector" if np.isfinite(vector).all() else "NaN or infinity"


def _token_counts(embedder: Embedder, texts: Sequence[str]) -> Sequence[int]:
    counts = getattr(embedder, "token_counts", None)
    if counts is not None:
        return list(counts(texts))
    return [1 + len(text) // CHARACTERS_A_TOKEN for text in texts]


def _calls(lengths: Sequence[int], batch_size: int, tokens: int, pairs: int) -> Iterator[list[int]]:
    # The longest first: the largest buffers are then allocated once, and too little memory shows early.
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    at = 0
    while at < len(order):
        length = max(1, lengths[order[at]])
        size = max(1, min(batch_size, tokens // length, pairs // length**2))
        yield order[at : at + size]
        at += size
