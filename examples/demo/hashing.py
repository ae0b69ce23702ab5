"""A simple old model: counts of words, hashed into 256 buckets. It sees which words two texts share, no more.

Feature hashing: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from vestige_sql.encode.embedder import ModelSignature, Vectors

_WORD = re.compile(r"[^\W_]+")
# The words that every text has say nothing about what it shares with another.
_STOP_WORDS = """
a an and are as at be by can do for from has have how i if in is it its my no not of on or so than that the
their them then these they this to was were what when where which while who will with you your
"""
_IGNORED = frozenset(_STOP_WORDS.split())


class HashingEmbedder:
    """Words in lower case, each counted with its sign in its bucket; the vector is L2-normalised."""

    def __init__(self, dimension: int = 256) -> None:
        self._dimension = dimension

    @property
    def model_name(self) -> str:
        return "demo-word-hashing"

    @property
    def dimension(self) -> int:
        return self._dimension

    def signature(self) -> ModelSignature:
        """The hash is over all that decides a vector: words, stop words, hash function, dimension, norm."""
        recipe = f"{_WORD.pattern} lower {sorted(_IGNORED)} blake2b-8 signed count {self._dimension} l2"
        return ModelSignature(self.model_name, self._dimension, hashlib.sha256(recipe.encode()).hexdigest())

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """Return float32 unit vectors of shape ``(len(texts), dimension)``; none is zero."""
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in _WORD.findall(text.lower()):
                if word not in _IGNORED:
                    bucket, sign = _bucket(word, self._dimension)
                    row[bucket] += sign
            if not row.any():
                # No word at all, or words of opposite signs that met in one bucket: cosine needs a direction.
                row[0] = 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


@lru_cache(maxsize=1 << 16)
def _bucket(word: str, dimension: int) -> tuple[int, int]:
    number = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    return (number >> 1) % dimension, 1 if number & 1 else -1
