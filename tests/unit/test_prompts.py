"""Prompts given, configured or asked for by a card; where texts are truncated; files that contradict each other."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo.minilm import build_tiny

from vestige_sql.encode.families import FAMILIES, family_of
from vestige_sql.encode.hub import resolve_model
from vestige_sql.encode.limits import has_table
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.encode.window import embed_queries
from vestige_sql.errors import ModelUnsupported, PromptNeeded, UsageError

TEXTS = ["a", "memory server"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "tiny"))


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def change(path: Path, **values: Any) -> None:
    write(path, json.loads(path.read_text() if path.exists() else "{}") | values)


# --- Prompts ---


def test_a_prompt_that_is_given_replaces_the_configured_one(copy: Path, tiny: Path) -> None:
    write(copy / "config_sentence_transformers.json", {"prompts": {"document": "no: ", "query": "never: "}})
    plain, given = load_embedder(str(tiny)), load_embedder(str(copy), prompt="doc: ", query_prompt="ask: ")
    np.testing.assert_array_equal(given.embed_batch(TEXTS), plain.embed_batch([f"doc: {t}" for t in TEXTS]))
    np.testing.assert_array_equal(embed_queries(given, TEXTS), plain.embed_batch([f"ask: {t}" for t in TEXTS]))
    assert given.signature().hash == resolve_hash(build_with(copy, "doc: "))
    none = load_embedder(str(copy), prompt="", query_prompt="")
    np.testing.assert_array_equal(none.embed_batch(TEXTS), plain.embed_batch(TEXTS))
    assert none.signature().hash == plain.signature().hash
    # A question's prompt changes the vector of no row.
    assert load_embedder(str(tiny), query_prompt="ask: ").signature() == plain.signature()


def build_with(folder: Path, prompt: str) -> Path:
    write(folder / "config_sentence_transformers.json", {"prompts": {"document": prompt}})
    return folder


def resolve_hash(folder: Path) -> str:
    return resolve_model(str(folder)).hash


@pytest.mark.parametrize("option", ["prompt", "query_prompt"])
@pytest.mark.parametrize("text", ["a\0b", "a\udce9b", "a" * 10_001])
def test_a_prompt_that_cannot_be_one(tiny: Path, option: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} "):
        load_embedder(str(tiny), **{option: text})


ASKS = {
    "e5-small-v2": ("passage: ", "query: "),
    "multilingual-e5-base": ("passage: ", "query: "),
    "e5_large-unsupervised_onnx".replace("_l", "-l"): ("passage: ", "query: "),
    "my-e5-base-finetuned": ("passage: ", "query: "),
    "nomic-embed-text-v1": ("search_document: ", "search_query: "),
    "nomic-embed-text-v1.5": ("search_document: ", "search_query: "),
    "ModernBERT-embed-base": ("search_document: ", "search_query: "),
}


@pytest.mark.parametrize("name", ASKS)
def test_a_family_whose_card_asks_for_a_prompt_has_to_be_told(tiny: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / name))
    prompt, query = ASKS[name]
    with pytest.raises(PromptNeeded, match=re.escape(f"{prompt!r} before texts that are stored")) as refused:
        load_embedder(str(folder))
    # The hint is the rest of the command.
    assert f"--prompt '{prompt}' --query-prompt '{query}'" in refused.value.hint
    with pytest.raises(PromptNeeded) as refused:
        load_embedder(str(folder), prompt=prompt)
    assert f"add --query-prompt '{query}'" in refused.value.hint
    told = load_embedder(str(folder), prompt=prompt, query_prompt=query)
    assert (told.files.prompt, told.files.query_prompt, told.files.notes) == (prompt, query, ())
    # Without one on purpose, neither is asked for again.
    without = load_embedder(str(folder), prompt="")
    assert (without.files.prompt, without.files.query_prompt, without.files.notes) == ("", "", ())
    assert without.signature().hash == load_embedder(str(tiny)).signature().hash != told.signature().hash
    # What the configuration has need not be given.
    write(
        folder / "config_sentence_transformers.json", {"prompts": {"passage": prompt, "query": query, "document": ""}}
    )
    assert load_embedder(str(folder)).signature() == told.signature()


@pytest.mark.parametrize(
    "name",
    ["e5-mistral-7b-instruct", "nomic-embed-text-v2-moe", "nomic-embed-text-v15", "modernbert-embedder", "me5-base"],
)
def test_other_models_of_like_names_are_not_asked(tiny: Path, tmp_path: Path, name: str) -> None:
    assert load_embedder(str(shutil.copytree(tiny, tmp_path / name))).files.prompt == ""


def test_a_family_that_asks_for_questions_alone_is_only_noted(tiny: Path, tmp_path: Path) -> None:
    for name, said in (
        ("bge-small-en-v1.5", "Represent this sentence"),
        ("multilingual-e5-large-instruct", "Instruct: "),
    ):
        folder = str(shutil.copytree(tiny, tmp_path / name))
        (note,) = load_embedder(folder).files.notes
        assert "--query-prompt" in note
        assert said in note
        assert load_embedder(folder, query_prompt="").files.notes == ()
        assert load_embedder(folder).encoding["notes"] == [note]


def test_a_renamed_folder_is_known_by_its_card_or_its_architecture(copy: Path) -> None:
    (copy / "README.md").write_text('Do I need to add the prefix "query: " and "passage: " to input texts? Yes, ..')
    with pytest.raises(PromptNeeded, match="E5"):
        load_embedder(str(copy))
    (copy / "README.md").write_bytes(b"\xff not in UTF-8")
    assert load_embedder(str(copy)).files.prompt == ""
    change(copy / "config.json", model_type="nomic_bert")
    with pytest.raises(PromptNeeded, match="nomic-embed-text"):
        load_embedder(str(copy))
    # Others of that architecture have configured what they want: for questions, and nothing for texts.
    write(copy / "config_sentence_transformers.json", {"prompts": {"query": "Represent this: "}})
    assert load_embedder(str(copy)).files.prompt == ""


def test_every_family_says_where_it_is_from() -> None:
    for family in FAMILIES:
        assert family.source.startswith("https://")
        assert family.prompt or family.query_prompt
    assert family_of("intfloat/e5-small-v2", "", None) is family_of("e5-small-v2", "", None) is not None
    assert family_of("all-MiniLM-L6-v2", "", "bert") is None


# --- Where texts are truncated ---


@pytest.mark.parametrize(
    ("sentence", "config", "expected", "former"),
    [
        # A table of positions is the end.
        (8192, {"max_position_embeddings": 512}, 512, None),
        (8192, {"max_position_embeddings": 514, "model_type": "xlm-roberta", "pad_token_id": 1}, 512, None),
        (8192, {"max_position_embeddings": 512, "position_embedding_type": "absolute"}, 512, None),
        # Angles and distances have none.
        (8192, {"max_position_embeddings": 2048, "model_type": "nomic_bert"}, 8192, 2048),
        (8192, {"max_position_embeddings": 512, "position_embedding_type": "alibi"}, 8192, 512),
        (8192, {"max_position_embeddings": 4096, "rope_theta": 160000.0}, 8192, 4096),
        (8192, {"max_position_embeddings": 8192, "model_type": "modernbert"}, 8192, None),
        (128, {"max_position_embeddings": 2048, "model_type": "nomic_bert"}, 128, None),
        # As sentence-transformers does, where max_seq_length says nothing.
        (None, {"max_position_embeddings": 2048, "model_type": "nomic_bert"}, 2048, None),
        (256, {"model_type": "t5"}, 256, None),
    ],
)
def test_only_a_table_of_positions_limits(
    copy: Path, sentence: int | None, config: Any, expected: int, former: int | None
) -> None:
    write(copy / "sentence_bert_config.json", {"max_seq_length": sentence} if sentence else {})
    write(copy / "config.json", config)
    write(copy / "config_sentence_transformers.json", {"prompts": {"document": "d: ", "query": "q: "}})
    files = resolve_model(str(copy))
    assert (files.max_tokens, files.former_max_tokens) == (expected, former)


def test_the_former_length_gives_the_former_signature(copy: Path) -> None:
    write(copy / "config.json", {"max_position_embeddings": 512, "position_embedding_type": "alibi", "pad_token_id": 0})
    write(copy / "sentence_bert_config.json", {"max_seq_length": 600})
    now = load_embedder(str(copy))
    former = now.former_signature()
    assert former is not None
    assert former.hash != now.signature().hash
    assert load_embedder(str(copy), max_tokens=512).signature() == former
    assert load_embedder(str(copy), max_tokens=512).former_signature() is None
    assert (
        load_embedder(str(copy), dimension=8).former_signature()
        == load_embedder(str(copy), max_tokens=512, dimension=8).signature()
    )


def test_max_tokens_overrides(copy: Path) -> None:
    embedder = load_embedder(str(copy), max_tokens=10)
    assert embedder.token_counts(["ab " * 500]) == [10]
    assert embedder.signature().hash == resolve_hash_with_length(copy, 10)
    assert load_embedder(str(copy), max_tokens=512).token_counts(["ab " * 500]) == [512]
    for tokens in (513, 0, -1):
        with pytest.raises(UsageError, match=f"--max-tokens is {tokens}, and the model tiny takes 1 to 512 tokens"):
            load_embedder(str(copy), max_tokens=tokens)
    with pytest.raises(ModelUnsupported, match="truncates texts to 2 tokens"):
        load_embedder(str(copy), max_tokens=2)
    write(copy / "config.json", {})
    write(copy / "sentence_bert_config.json", {})
    assert load_embedder(str(copy), max_tokens=100).files.max_tokens == 100
    with pytest.raises(UsageError, match="takes at least 1 token"):
        load_embedder(str(copy), max_tokens=0)


def resolve_hash_with_length(folder: Path, tokens: int) -> str:
    write(folder / "sentence_bert_config.json", {"max_seq_length": tokens})
    return resolve_model(str(folder)).hash


def test_what_has_a_table_of_positions() -> None:
    assert has_table({})
    assert has_table({"model_type": "bert", "position_embedding_type": "relative_key_query"})
    for config in ({"alibi": True}, {"position_embedding_type": "rope"}, {"rope_parameters": {}}, {"model_type": "t5"}):
        assert not has_table(config)


# --- What contradicts itself, and what is not known ---


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"do_lower_case": False}, "do_lower_case is False in tokenizer_config.json, and lowercase is True"),
        ({"tokenize_chinese_chars": False}, "handle_chinese_chars is True in tokenizer.json"),
        ({"truncation_side": "left"}, "on the left .truncation_side., and tokenizer.json on the right"),
    ],
)
def test_a_tokenizer_that_contradicts_its_configuration_is_refused(copy: Path, told: Any, said: str) -> None:
    write(copy / "tokenizer_config.json", told)
    with pytest.raises(ModelUnsupported, match=said):
        resolve_model(str(copy))


def test_a_tokenizer_that_agrees_is_taken(copy: Path) -> None:
    write(copy / "tokenizer_config.json", {"do_lower_case": True, "strip_accents": None, "truncation_side": "right"})
    assert resolve_model(str(copy)).max_tokens == 64
    # Here the class of the tokenizer takes tokenizer.json as it is, and do_lower_case says nothing.
    write(copy / "tokenizer_config.json", {"do_lower_case": False, "tokenizer_class": "PreTrainedTokenizerFast"})
    assert resolve_model(str(copy)).max_tokens == 64


def test_a_tokenizer_that_cuts_on_the_left_by_itself_is_refused(copy: Path) -> None:
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    tokenizer["truncation"]["direction"] = "Left"
    write(copy / "tokenizer.json", tokenizer)
    with pytest.raises(ModelUnsupported, match="truncates texts on the left"):
        resolve_model(str(copy))


HARMLESS = {
    "transformer_task": "feature-extraction",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    "module_output_name": "token_embeddings",
    "processing_kwargs": {"text": {}},
    "unpad_inputs": True,
    "query_length": None,
    "query_expansion": None,
    "model_args": {"torch_dtype": "float16", "attn_implementation": "sdpa"},
    "tokenizer_args": {},
}


def test_what_sentence_transformers_6_saves_is_understood(copy: Path) -> None:
    before = resolve_model(str(copy)).hash
    change(copy / "sentence_bert_config.json", **HARMLESS)
    change(copy / "config_sentence_transformers.json", model_type="SentenceTransformer", similarity_fn_name="cosine")
    assert resolve_model(str(copy)).hash == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("transformer_task", "fill-mask"),
        ("module_output_name", "sentence_embedding"),
        ("modality_config", {"text": {"method": "forward", "method_output_name": "pooler_output"}}),
        ("modality_config", {"text": HARMLESS["modality_config"]["text"], "message": {"method": "forward"}}),  # type: ignore[index]
        ("modality_config", ["text"]),
        ("processing_kwargs", {"text": {"max_length": 32}}),
        ("document_length", 300),
        ("query_expansion", {"strategy": "fixed", "length": 32}),
        ("model_args", {"num_hidden_layers": 3}),
        ("tokenizer_name_or_path", "another/model"),
        ("of_the_future", 1),
    ],
)
def test_a_key_that_matters_and_is_not_known_is_refused(copy: Path, key: str, value: Any) -> None:
    change(copy / "sentence_bert_config.json", **{key: value})
    with pytest.raises(ModelUnsupported, match=f"sets {key} to"):
        resolve_model(str(copy))


def test_a_model_of_another_kind_is_refused(copy: Path) -> None:
    change(copy / "config_sentence_transformers.json", model_type="SparseEncoder")
    with pytest.raises(ModelUnsupported, match="is a SparseEncoder"):
        resolve_model(str(copy))
