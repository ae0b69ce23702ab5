"""Embeds the texts of a batch, and finds out which of them cannot be embedded."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.encode.probing import Reference
from vestige_sql.encode.window import encode_window, first_bad_row, what_is_bad
from vestige_sql.errors import BadEmbedding, EncoderError

_BATCH_SIZE = 128

# So many texts that fail one after the other, and none that does not, say that it is the model which fails.
_FAILURES = 3

_CHECK_SECS = 60.0
"""How often the probe texts are embedded again, of a model that no file identifies: they cost tokens too."""


@dataclass
class Encoder:
    """An embedder, what it said to its probe texts, and how its vectors are stored: "vector" or "halfvec"."""

    embedder: Embedder
    reference: Reference | None
    vector_type: str
    checked_at: float = field(default_factory=time.monotonic)

    def encode(self, texts: Sequence[str]) -> tuple[dict[int, Vectors], dict[int, str]]:
        """Return the vectors of ``texts`` by their places, each float32 of shape ``(dimension,)``, and the errors.

        Raises :class:`EncoderError` if it is the model that fails and not a text, :class:`LimitReached` if the texts
        would cost too much, and :class:`ModelMismatch` if the model became another.
        """
        found: dict[int, Vectors] = {}
        errors: dict[int, str] = {}
        left = list(range(len(texts)))
        while left:
            try:
                vectors = encode_window(self.embedder, [texts[place] for place in left], _BATCH_SIZE)
            except BadEmbedding as error:
                if error.row is None:
                    raise
                errors[left.pop(error.row)] = str(error)
                continue
            except EncoderError:
                self._one_by_one(texts, left, found, errors)
                break
            self._take(left, vectors, found, errors)
            break
        self._check()
        return found, errors

    def _one_by_one(
        self, texts: Sequence[str], left: list[int], found: dict[int, Vectors], errors: dict[int, str]
    ) -> None:
        failures = 0
        for place in left:
            try:
                self._take([place], encode_window(self.embedder, [texts[place]], _BATCH_SIZE), found, errors)
                failures = -len(texts)
            except (BadEmbedding, EncoderError) as error:
                failures += 1
                if failures == _FAILURES:
                    raise
                errors[place] = str(error)

    def _take(self, places: list[int], vectors: Vectors, found: dict[int, Vectors], errors: dict[int, str]) -> None:
        stored = vectors
        if self.vector_type == "halfvec":
            with np.errstate(over="ignore"):
                stored = vectors.astype(np.float16).astype(np.float32)
        for row, place in enumerate(places):
            if first_bad_row(stored[row : row + 1]) is None:
                found[place] = vectors[row]
            else:
                errors[place] = f"the model {self.embedder.model_name} returned {what_is_bad(stored[row])}"

    def _check(self) -> None:
        if self.reference is not None and time.monotonic() - self.checked_at > _CHECK_SECS:
            self.reference.check(self.embedder)
            self.checked_at = time.monotonic()


def as_json(rows: Iterable[dict[str, Any]]) -> str:
    """Return ``rows`` as the steps read them. A key is JSON already."""
    return json.dumps([row | {"key": json.loads(row["key"])} for row in rows], ensure_ascii=False)


def literal(vector: Vectors) -> str:
    """Return ``vector`` as pgvector reads it, to the last bit."""
    return f"[{','.join(vector.astype(str))}]"
