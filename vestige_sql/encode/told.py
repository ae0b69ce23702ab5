"""How an encoder makes vectors of texts, said to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def told(encoding: Mapping[str, Any]) -> str:
    """Return an embedder's ``encoding`` as one line of text, in the order of what happens to a text."""
    parts = []
    for key, name in (("prompt", "prompt"), ("query_prompt", "question prompt")):
        if key in encoding:
            parts.append(f"{name} {encoding[key]!r}" if encoding[key] else f"no {name}")
    if encoding.get("pooling"):
        parts.append(
            f"pooling {encoding['pooling']}, {'normalised' if encoding.get('normalize') else 'not normalised'}"
        )
    if "max_tokens" in encoding:
        most = encoding["max_tokens"]
        parts.append("no truncation" if most is None else f"truncated at {most:,} tokens")
    if encoding.get("dimension"):
        whole = encoding.get("model_dimension") or encoding["dimension"]
        shortened = f", the first of {whole:,}" if whole != encoding["dimension"] else ""
        first = " after a layer norm" if encoding.get("layer_norm_first") else ""
        parts.append(f"{encoding['dimension']:,} dimensions{shortened}{first}")
    for key in ("file", "precision", "endpoint", "revision"):
        if encoding.get(key):
            parts.append(str(encoding[key]))
    return ", ".join(parts)


def notes_of(encoding: Mapping[str, Any]) -> list[str]:
    """Return what people should know of an ``encoding`` before they use it."""
    notes = [str(note) for note in encoding.get("notes") or ()]
    whole = encoding.get("model_dimension") or 0
    if whole > (encoding.get("dimension") or whole):
        notes.append(
            f"Vectors are shortened from {whole:,} to {encoding['dimension']:,} dimensions, at length one. Models that "
            "were not trained for it (Matryoshka) find much less."
        )
    return notes
