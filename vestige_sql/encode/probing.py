"""Tells whether a model is still the one that it was: a few texts are embedded again, and their vectors compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vestige_sql.encode.embedder import Embedder, Vectors
from vestige_sql.encode.window import encode_window, first_bad_row
from vestige_sql.errors import BadEmbedding, EncoderError, ModelMismatch

LEAST_COSINE = 0.999
"""Two vectors of one text and one model have at least this cosine, whenever they were made.

Services answer with small differences, by the other texts of a call and by the processor: cosines of 0.9999 and more.
Other models, and other versions of one, are far below.
"""


@dataclass(frozen=True)
class Reference:
    """The probe texts of a model, and its vectors of them: float32, shape ``(len(texts), dimension)``."""

    texts: tuple[str, ...]
    vectors: Vectors

    def check(self, embedder: Embedder) -> None:
        """Embed the texts again. Raises :class:`ModelMismatch` if ``embedder`` is another model by now."""
        now = probe_vectors(embedder, self.texts).astype(np.float64)
        was = self.vectors.astype(np.float64)
        cosines = (now * was).sum(axis=1) / np.sqrt((now**2).sum(axis=1) * (was**2).sum(axis=1))
        # NaN is no match.
        if not (cosines >= LEAST_COSINE).all():
            raise ModelMismatch(
                f"the model {embedder.model_name} became another while rows were encoded: it gives another vector to "
                f"{self.texts[int(cosines.argmin())]!r} than before, with a cosine of {cosines.min():.4f}",
                "the last rows were not staged, and those before are of the model of then; if the service has that "
                "model again, the same command resumes; else vestige-sql migrate abort drops what is staged",
            )


def probe_texts(embedder: Embedder) -> tuple[str, ...]:
    """Return the texts that tell the embedder's model from others; none for a model that its files identify."""
    return tuple(getattr(embedder, "probe_texts", ()))


def probe_vectors(embedder: Embedder, texts: tuple[str, ...]) -> Vectors:
    """Return the embeddings of ``texts``: float32, shape ``(len(texts), dimension)``.

    Raises ``EncoderError`` if the embedder gives no vectors that can be searched, and what the embedder raises.
    """
    try:
        vectors = encode_window(embedder, texts, len(texts))
    except BadEmbedding as error:
        raise EncoderError(
            f"the model {embedder.model_name} was tried out on {len(texts)} short texts, and failed: {error}",
            "check its name, its dimension and the options that are sent with each text; nothing was put in place",
        ) from error
    if (bad := first_bad_row(vectors)) is not None:
        raise EncoderError(
            f"the model {embedder.model_name} returned no vector that can be searched for the text {texts[bad]!r}",
            "look at the service's log; nothing was put in place",
        )
    return vectors
