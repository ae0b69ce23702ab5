"""What the runner asks of an embedding model: a name, a dimension, a signature, and texts in, vectors out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from vestige_sql.checks import wrong_characters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]
else:
    # To import numpy takes longer than all else that the command line's help needs.
    Vectors = Any


_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelSignature:
    """What makes two embedding models the same: all three fields agree, or the vectors do not mix.

    ``hash`` is 64 lowercase hex digits (SHA-256) over everything that changes a vector: graph bytes with
    external data, tokenizer, pooling, normalisation, prompt prefix and truncation length.

    Raises ``ValueError`` for an empty name or one that PostgreSQL cannot hold, a dimension below 1 or a malformed hash.
    """

    name: str
    dimension: int
    hash: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a model signature needs a name")
        if (wrong := wrong_characters(self.name)) is not None:
            raise ValueError(f"a model's name holds {wrong}: {self.name!r}")
        if self.dimension < 1 or self.dimension != int(self.dimension):
            raise ValueError(f"a model's dimension is a whole number from 1 on, not {self.dimension}")
        if not _HASH.fullmatch(self.hash):
            raise ValueError(f"a model's hash is 64 lowercase hex digits, not {self.hash!r}")

    def __str__(self) -> str:
        return f"{self.name} ({self.dimension} dimensions, hash {self.hash[:12]})"


@runtime_checkable
class Embedder(Protocol):
    """An embedding model. Bring your own, or take :class:`vestige_sql.encode.onnx.OnnxEmbedder`.

    An embedder may also have ``token_counts(texts) -> Sequence[int]``, the tokens of each text after
    truncation; where it has not, the length in characters stands in when texts are sorted into calls. And it may
    have ``embed_queries(texts)``, which is ``embed_batch`` for texts that are searched for; where it has not,
    questions are embedded as rows are. It may have ``call_tokens``, the tokens that one call should have, 1,024 where
    it does not say; ``calls_at_once``, how many calls it takes at the same time from as many threads, one where it does
    not say; and ``device``, the name of what it runs on, for the report.
    """

    @property
    def model_name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def signature(self) -> ModelSignature: ...

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """Return the embeddings of ``texts``: float32, shape ``(len(texts), dimension)``, row by row."""
        ...
