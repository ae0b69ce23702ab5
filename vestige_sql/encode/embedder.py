"""What the runner needs from an embedding model: name, dimension, signature, and vectors for texts."""

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
    # Importing numpy takes longer than everything else that the command line's help needs.
    Vectors = Any


_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelSignature:
    """What identifies an embedding model. Vectors of two models mix only if all three fields agree.

    ``hash`` is 64 lowercase hex digits (SHA-256) over everything that changes a vector: graph bytes with
    external data, tokenizer, pooling, normalisation, prompt prefix and truncation length.

    Raises ``ValueError`` for an empty name, a name that PostgreSQL cannot store, a dimension that is not a whole number
    from 1 on, or a malformed hash.
    """

    name: str
    dimension: int
    hash: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a model signature needs a name")
        if (wrong := wrong_characters(self.name)) is not None:
            raise ValueError(f"a model's name contains {wrong}: {self.name!r}")
        if self.dimension < 1 or self.dimension != int(self.dimension):
            raise ValueError(f"a model's dimension must be a whole number from 1 on, not {self.dimension}")
        if not _HASH.fullmatch(self.hash):
            raise ValueError(f"a model's hash must be 64 lowercase hex digits, not {self.hash!r}")

    def __str__(self) -> str:
        return f"{self.name} ({self.dimension} dimensions, hash {self.hash[:12]})"


@runtime_checkable
class Embedder(Protocol):
    """An embedding model. Bring your own, or use :class:`vestige_sql.encode.onnx.OnnxEmbedder`.

    An embedder may have more than this protocol asks for:

    - ``token_counts(texts) -> Sequence[int]``: the tokens of each text after truncation. Texts are sorted into calls
      by them, without it by the number of characters.
    - ``embed_queries(texts)``: like ``embed_batch``, for questions. Without it, questions are embedded like rows.
    - ``call_tokens``: how many tokens one call should have, by default 1,024.
    - ``calls_at_once``: how many calls it takes at the same time, each from a thread of its own, by default one.
    - ``is_enough(beginning) -> bool``: whether every text that begins with ``beginning`` has the same vector, because
      the model truncates. A text of more than 262,144 characters is then read only so far; without it, whole. It is
      called from another thread than the others.
    - ``call_pairs``: how many pairs of tokens one call should have, the square of a text's length added up over its
      texts, by default 128 for each of its tokens.
    - ``page_rows``: how many rows are read, encoded and committed at a time, by default 2,048.
    - ``reserve(token_counts)``: called before the calls for some texts. What it raises stops the run before any of
      these texts is encoded.
    - ``interrupt()``: called if the run stops while calls are made from several threads: they should end soon.
    - ``probe_texts``: some texts, for a model that no file identifies. Each run embeds them first, and compares their
      vectors with those that are remembered in the database, and again before it stages what it has encoded.
    - ``hurried()``: a context in which it fails sooner rather than try again, because others wait for a table's lock.
    - ``estimate(rows, size) -> (tokens, cost or None)``: what ``rows`` texts of ``size`` bytes in all would take.
    - ``tokens_spent``: how many tokens were paid for so far, and ``cost(tokens)``: what so many cost, or None.
    - ``device``: the name of what it runs on, for the report.
    """

    @property
    def model_name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def signature(self) -> ModelSignature: ...

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        """Return the embeddings of ``texts``: float32, shape ``(len(texts), dimension)``, row by row."""
        ...
