"""The signature of a model that is known by its name alone, because none of its files are at hand."""

from __future__ import annotations

import hashlib
import json

from vestige_sql.checks import check_number, check_text
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import UsageError

# As pgvector's longest vector.
_MOST_DIMENSIONS = 16_000


def named_signature(
    name: str, dimension: int, *, revision: str = "", prompt: str = "", cut: str = ""
) -> ModelSignature:
    """Return the signature of the model that somebody calls ``name``, such as one behind an endpoint.

    Nothing can be read of such a model, so its hash is the SHA-256 of what people say of it: a JSON document in UTF-8,
    keys sorted, no white space, with the keys ``version`` (1), ``kind`` ("named"), ``name``, ``dimension``,
    ``revision`` (any text that tells two versions of the model apart) and ``prompt`` (what goes before every stored
    text). ``cut`` says how texts are cut before they are sent, and is a key only where they are. The same words give
    the same signature, wherever the model runs. As with a model's files, the prompt for questions is not in it, because
    it changes the vector of no row.

    Raises ``UsageError`` for an empty name, for text that PostgreSQL cannot store, and for a dimension out of range.
    """
    for what, text in (("name", name), ("revision", revision), ("prompt", prompt)):
        check_text(what, text)
    if not name.strip():
        raise UsageError("the model's name is empty", "give the name that its users know it by; nothing was written")
    check_number("dimension", dimension, 1, _MOST_DIMENSIONS)
    document = {
        "version": 1,
        "kind": "named",
        "name": name,
        "dimension": int(dimension),
        "revision": revision,
        "prompt": prompt,
    } | ({"cut": cut} if cut else {})
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return ModelSignature(name, int(dimension), hashlib.sha256(text.encode()).hexdigest())
