"""Where a model truncates a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vestige_sql.encode.config import NO_LIMIT, whole
from vestige_sql.encode.graph import UNTOUCHED
from vestige_sql.errors import ModelUnsupported, UsageError

# These models number their positions from pad_token_id + 1, so their position table is longer than their longest text.
_POSITIONS_AFTER_PAD = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer")

# What a configuration has where positions are angles or distances: any number of tokens can be numbered.
_ROTARY: tuple[str, ...] = (
    "rope_theta",
    "rope_parameters",
    "rope_scaling",
    "rotary_emb_base",
    "rotary_emb_fraction",
    "rotary_pct",
)
_ROTARY += ("global_rope_theta", "local_rope_theta", "rope_local_base_freq", "rotary_scaling_factor")
_WITHOUT_TABLE = ("alibi", "rope", "rotary")
_TYPES_WITHOUT_TABLE: tuple[str, ...] = (
    "nomic_bert",
    "modernbert",
    "modernbert-decoder",
    "eurobert",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
)
_TYPES_WITHOUT_TABLE += ("gemma3", "gemma3_text", "llama", "mistral", "phi3", "t5", "mt5", "umt5", "xlnet", "neobert")


@dataclass(frozen=True)
class Limit:
    """``tokens`` is where texts are truncated, special tokens included; None for nowhere.

    ``former`` is where versions before 0.2.0 truncated, if that was elsewhere.
    """

    tokens: int | None
    former: int | None = None


def read_limit(
    name: str,
    sentence: dict[str, Any],
    tokenizer_config: dict[str, Any],
    config: dict[str, Any],
    asked: int | None,
) -> Limit:
    """Return where the model truncates, or where it was ``asked`` to.

    As in sentence-transformers, max_seq_length, if given, replaces all other limits. But a model with a table of
    positions can number no more tokens than the table has rows.

    Raises ``ModelUnsupported`` if nothing is stated, and ``UsageError`` for more tokens than the table has rows.
    """
    positions = whole(name, config, "max_position_embeddings")
    if positions is not None and config.get("model_type") in _POSITIONS_AFTER_PAD:
        positions -= (whole(name, config, "pad_token_id") or 0) + 1
    stated = whole(name, sentence, "max_seq_length")
    limit = _least(stated or whole(name, tokenizer_config, "model_max_length"), positions)
    table = positions if has_table(config) else None
    if asked is not None:
        if asked < 1 or (table is not None and 0 < table < asked):
            raise UsageError(
                f"--max-tokens is {asked}, and the model {name} "
                + (f"takes 1 to {table} tokens" if table else "takes at least 1 token"),
                f"its table of positions has no more rows; give a number in between, or leave it out; {UNTOUCHED}"
                if table
                else f"give a whole number from 1 on, or leave it out; {UNTOUCHED}",
            )
        return Limit(asked)
    if limit is None:
        raise ModelUnsupported(
            f"the model {name} does not state where it truncates a text",
            f'add --max-tokens N, or put {{"max_seq_length": N}} into its sentence_bert_config.json; {UNTOUCHED}',
        )
    if table is None and (longer := _least(stated)) is not None:
        return Limit(longer, limit if limit != longer else None)
    return Limit(limit)


def has_table(config: dict[str, Any]) -> bool:
    """Whether the model looks positions up in a table: not if its configuration says that they are computed."""
    kind = str(config.get("position_embedding_type", "")).lower()
    computed = any(word in kind for word in _WITHOUT_TABLE) or config.get("alibi") is True
    return not (
        computed
        or config.get("model_type") in _TYPES_WITHOUT_TABLE
        or any(config.get(key) is not None for key in _ROTARY)
    )


def _least(*limits: int | None) -> int | None:
    # xlnet says -1 for "no limit".
    return min((limit for limit in limits if limit is not None and 0 < limit < NO_LIMIT), default=None)
