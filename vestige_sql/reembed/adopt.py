"""Gives the registered model its signature of now, where an earlier version gave it another and no vector differs."""

from __future__ import annotations

import logging
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.errors import ModelMismatch
from vestige_sql.reembed.target import Probed
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")

# A token has one byte of text at least, but a tokenizer may first write one character as many: U+FDFA, of 3 bytes,
# becomes 18 characters of 33 bytes.
_TOKENS_A_BYTE = 16

# So much of a text is looked at. Hardly any has longer tokens all along.
_CHARACTERS_A_TOKEN = 32

_TEXTS_AT_ONCE = 64


def is_former(probed: Probed, embedder: Embedder | None) -> bool:
    """Whether the registered model is the embedder's, with the signature that an earlier version gave it."""
    former = getattr(embedder, "former_signature", None)
    under_way = probed.open_run is not None and probed.open_run.under_way
    return former is not None and not under_way and probed.model is not None and former() == probed.model


def adopt(conn: psycopg.Connection[Any], probed: Probed, embedder: Any, signature: ModelSignature) -> None:
    """Register ``signature`` instead of the former one, if no text of the target is so long that its vector differs.

    Raises :class:`ModelMismatch` if there is one, with how many there are. Nothing is encoded.
    """
    tokens = embedder.files.former_max_tokens
    longer = _count_longer(conn, probed, embedder, tokens)
    if longer:
        raise ModelMismatch(
            f"{probed.column} is registered under {probed.model}, which truncates at {tokens:,} tokens, and "
            f"{signature} truncates later: {longer:,} rows have more tokens, and another vector",
            f"nothing was written; stay with the vectors that are there by --max-tokens {tokens} in each command, or "
            "encode all of them with vestige-sql migrate reembed",
        )
    values = probed.values | {
        "model_name": signature.name,
        "dimension": signature.dimension,
        "model_hash": signature.hash,
    }
    with conn.transaction():
        steps.run(conn, steps.load("first_model/20_set_model.sql"), values)
    log.info("register: no text has more than %s tokens, so every vector is that of %s", f"{tokens:,}", signature)


def _count_longer(conn: psycopg.Connection[Any], probed: Probed, embedder: Any, tokens: int) -> int:
    """Return how many rows have a text of more than ``tokens`` tokens."""
    step = steps.load("probe/long_texts.sql")
    limits: dict[str, Value] = {
        "text_bytes": tokens // _TOKENS_A_BYTE,
        "text_characters": tokens * _CHARACTERS_A_TOKEN,
    }
    text = step.render(probed.values | limits, conn)
    longer = 0
    with conn.transaction(), conn.cursor(name="vestige_sql_long_texts") as cursor:
        cursor.execute(text)
        while rows := cursor.fetchmany(_TEXTS_AT_ONCE):
            counts = embedder.token_counts([content for content, _ in rows])
            # One that goes on after so many characters is taken to be longer, whatever its characters are.
            longer += sum(count > tokens or goes_on for count, (_, goes_on) in zip(counts, rows, strict=True))
    return longer
