"""What two files of a model say about the same thing has to agree, and what is not known has to be harmless."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vestige_sql.encode.config import ANOTHER, read_json
from vestige_sql.encode.graph import AGAIN
from vestige_sql.errors import ModelUnsupported

# Tokenizers of this class are what tokenizer.json says, whatever else tokenizer_config.json has.
_AS_SAVED = ("PreTrainedTokenizerFast", "TokenizersBackend")

# tokenizer_config.json's key, and the name of the same thing in the normaliser of tokenizer.json.
_NORMALIZER = (
    ("do_lower_case", "lowercase"),
    ("strip_accents", "strip_accents"),
    ("tokenize_chinese_chars", "handle_chinese_chars"),
)

# What sentence_bert_config.json may say without changing a vector here: keys that are read, and those of another time.
_READ = ("max_seq_length", "do_lower_case")
_HARMLESS = ("unpad_inputs", "query_expansion_positions", "__version__")
# Arguments for loading weights and configuration with torch.
_ARGUMENTS = (
    "model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs",
)  # fmt: skip
_HARMLESS_ARGUMENTS = (
    "trust_remote_code", "torch_dtype", "dtype", "attn_implementation", "add_pooling_layer", "token", "cache_dir",
    "revision", "local_files_only", "low_cpu_mem_usage", "use_fast", "code_revision", "device_map",
)  # fmt: skip


def check_tokenizer(name: str, tokenizer: Path, config: dict[str, Any]) -> None:
    """Raise ``ModelUnsupported`` if tokenizer.json contradicts tokenizer_config.json, or texts are cut on the left."""
    saved = read_json(tokenizer) if _is_json(tokenizer) else {}
    truncation = saved.get("truncation")
    direction = truncation.get("direction") if isinstance(truncation, dict) else None
    sides = [str(side).lower() for side in (config.get("truncation_side"), direction) if side is not None]
    if len(set(sides)) > 1:
        raise ModelUnsupported(
            f"the model {name} contradicts itself: tokenizer_config.json truncates texts on the {sides[0]} "
            f"(truncation_side), and tokenizer.json on the {sides[1]}",
            f"ask its author which of them holds, and correct the other; {ANOTHER}",
        )
    if sides and sides[0] != "right":
        raise ModelUnsupported(
            f"the model {name} truncates texts on the left (truncation_side), and the encoder only on the right",
            ANOTHER,
        )
    if config.get("tokenizer_class") in _AS_SAVED:
        return
    for normalizer in _normalizers(saved.get("normalizer")):
        for key, same in _NORMALIZER:
            told, holds = config.get(key), normalizer.get(same)
            if isinstance(told, bool) and isinstance(holds, bool) and told != holds:
                raise ModelUnsupported(
                    f"the model {name} contradicts itself: {key} is {told} in tokenizer_config.json, and {same} is "
                    f"{holds} in tokenizer.json",
                    f"ask its author which of them holds, and correct the other; {AGAIN}",
                )


def _is_json(path: Path) -> bool:
    # A tokenizer that is none is refused by the package that reads it, with its own reason.
    try:
        return isinstance(read_json(path), dict)
    except ModelUnsupported:
        return False


def _normalizers(normalizer: Any) -> Iterator[dict[str, Any]]:
    """Yield those of BERT's kind: only they are set from tokenizer_config.json."""
    if isinstance(normalizer, dict):
        if normalizer.get("type") == "BertNormalizer":
            yield normalizer
        elif isinstance(normalizer.get("normalizers"), list):
            for part in normalizer["normalizers"]:
                yield from _normalizers(part)


def check_sentence_config(name: str, config: dict[str, Any]) -> None:
    """Raise ``ModelUnsupported`` if sentence_bert_config.json has a key that changes vectors in an unknown way."""
    for key, value in config.items():
        if key in _READ or key in _HARMLESS or value in (None, False, {}) or _is_plain(key, value):
            continue
        raise ModelUnsupported(
            f"the model {name} sets {key} to {value!r} in its sentence_bert_config.json, which the encoder does not "
            "know",
            f"upgrade vestige-sql, or {ANOTHER}",
        )


def _is_plain(key: str, value: Any) -> bool:
    """Whether a key of sentence-transformers 5 or 6 says what was always so: texts to the states of the last layer."""
    match key:
        case "transformer_task":
            return bool(value == "feature-extraction")
        case "module_output_name":
            return bool(value == "token_embeddings")
        case "modality_config":
            if not isinstance(value, dict) or "message" in value or not isinstance(value.get("text"), dict):
                return False
            output = value["text"].get("method_output_name")
            return value["text"].get("method") == "forward" and output in ("last_hidden_state", ["last_hidden_state"])
        case "processing_kwargs":
            return isinstance(value, dict) and all(part in (None, {}) for part in value.values())
        case _ if key in _ARGUMENTS:
            return isinstance(value, dict) and all(argument in _HARMLESS_ARGUMENTS for argument in value)
    return False


def check_kind(name: str, config: dict[str, Any]) -> None:
    """Raise ``ModelUnsupported`` if config_sentence_transformers.json says that the model makes no such vectors."""
    kind = config.get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise ModelUnsupported(
            f"the model {name} is a {kind}, and only a SentenceTransformer makes one vector of a text", ANOTHER
        )
