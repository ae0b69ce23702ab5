"""Hold the encoder against sentence-transformers: tiny models of random weights, one of each architecture.

Writes tests/data/conformance.zip: for each model its folder with an ONNX graph, some texts, and the vectors that
sentence-transformers gives to them as documents and as questions. The tests hold the encoder to these. It needs torch,
which nothing else here does, so it runs in an environment of its own:

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch sentence-transformers onnx
    PYTHONPATH=examples /tmp/torch/bin/python bench/conformance.py
"""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from demo.minilm import _tokenizer
from sentence_transformers import SentenceTransformer, models

OUT = Path(__file__).parents[1] / "tests" / "data" / "conformance.zip"
CHARACTERS = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *CHARACTERS, *(f"##{c}" for c in CHARACTERS)]
MAX_TOKENS = 24
SMALL = {
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "pad_token_id": 0,
}
ENDS = {"bos_token_id": 2, "eos_token_id": 3}
# Of one word to some that are truncated, in one call and so padded; twice the same; nothing but unknown words.
TEXTS = ["a", "memory server", "The quick brown fox jumps over the lazy dog.", "x" * 60, "a", "漢字 ☃", "one two three"]


def configurations() -> dict[str, Any]:
    """Return a configuration for each architecture."""
    t = transformers
    return {
        "bert": t.BertConfig(**SMALL, max_position_embeddings=64),
        "roberta": t.RobertaConfig(**SMALL, **ENDS, max_position_embeddings=66, type_vocab_size=1),
        "xlm-roberta": t.XLMRobertaConfig(**SMALL, **ENDS, max_position_embeddings=66, type_vocab_size=1),
        "mpnet": t.MPNetConfig(**SMALL, **ENDS, max_position_embeddings=66),
        "distilbert": t.DistilBertConfig(
            vocab_size=len(WORDS), dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=64
        ),
        "modernbert": t.ModernBertConfig(
            **SMALL, **ENDS, cls_token_id=2, sep_token_id=3, max_position_embeddings=64, global_attn_every_n_layers=2,
            local_attention=8,
        ),
        "qwen3": t.Qwen3Config(**SMALL, **ENDS, num_key_value_heads=1, head_dim=8, max_position_embeddings=64),
        "nomic-bert": t.NomicBertConfig(**SMALL, head_dim=8, max_position_embeddings=64),
        "gte": t.GteConfig(**SMALL, max_position_embeddings=64),
        "eurobert": t.EuroBertConfig(**SMALL, **ENDS, num_key_value_heads=2, head_dim=8, max_position_embeddings=64),
        # embeddinggemma: every token sees all others, near ones in one layer and all of them in the next
        "gemma3": t.Gemma3TextConfig(
            **SMALL, **ENDS, num_key_value_heads=1, head_dim=8, query_pre_attn_scalar=8, max_position_embeddings=64,
            sliding_window=8, use_bidirectional_attention=True, layer_types=["sliding_attention", "full_attention"],
        ),
        "t5": t.T5Config(
            vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=24, num_layers=2, num_decoder_layers=1, num_heads=2,
            pad_token_id=0, eos_token_id=3,
        ),
    }  # fmt: skip


# What comes after the transformer: pooling, lengths of the Dense layers, whether vectors get length one, prompts.
LAYOUTS: dict[str, tuple[str, tuple[int, ...], bool, dict[str, str]]] = {
    "bert": ("mean", (), True, {}),
    "roberta": ("cls", (), True, {}),
    "xlm-roberta": ("mean", (), True, {"query": "query: ", "document": "passage: "}),
    "mpnet": ("mean", (), False, {}),
    "distilbert": ("max", (12,), True, {}),
    "modernbert": ("mean", (), True, {"query": "q: ", "document": "d: "}),
    "qwen3": ("lasttoken", (), True, {"query": "Instruct: find\nQuery:"}),
    "nomic-bert": ("mean", (), True, {"query": "search_query: ", "document": "search_document: "}),
    "gte": ("cls", (), True, {}),
    "eurobert": ("lasttoken", (), True, {"query": "Query: ", "document": "Document: "}),
    "gemma3": ("mean", (24, 12), True, {"query": "task: search result | query: ", "document": "title: none | text: "}),
    "t5": ("mean", (12,), True, {}),
}


class Tokens(torch.nn.Module):
    """The token vectors of a transformer, from ids and mask alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        masks = attention_mask
        if self.model.config.model_type == "gemma3_text":
            # Its own masks cannot be traced. Here they are: all tokens of a text, or those nearer than the window.
            place = torch.arange(input_ids.shape[1])
            near = (place[:, None] - place[None, :]).abs() < self.model.config.sliding_window
            all_of_it = attention_mask[:, None, None, :].bool() & torch.ones_like(near)[None, None]
            lowest = torch.finfo(torch.float32).min
            masks = {
                "full_attention": (~all_of_it).float() * lowest,
                "sliding_attention": (~(all_of_it & near[None, None])).float() * lowest,
            }
        return self.model(input_ids=input_ids, attention_mask=masks).last_hidden_state


def build(name: str, config: Any, folder: Path) -> dict[str, Any]:
    """Write the model into ``folder``, and return what sentence-transformers makes of the texts."""
    torch.manual_seed(len(name))
    config._attn_implementation = "eager"
    plain = folder.parent / f"{name}-plain"
    kind = transformers.T5EncoderModel._from_config if name == "t5" else transformers.AutoModel.from_config
    network = kind(config).eval()
    with torch.no_grad():
        for weights in network.parameters():
            if weights.dim() > 1:
                weights.normal_(0, 0.3)
    network.save_pretrained(plain)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_loaded(_tokenizer(WORDS)), pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=MAX_TOKENS,
    )  # fmt: skip
    tokenizer.save_pretrained(plain)
    pooling, dense, normal, prompts = LAYOUTS[name]
    parts: list[Any] = [models.Transformer(str(plain), max_seq_length=MAX_TOKENS)]
    parts.append(models.Pooling(16, pooling))
    for given, wanted in itertools.pairwise((16, *dense)):
        then = torch.nn.Tanh() if len(dense) == 1 else torch.nn.Identity()
        parts.append(models.Dense(given, wanted, activation_function=then))
    if normal:
        parts.append(models.Normalize())
    whole = SentenceTransformer(modules=parts, prompts=prompts, device="cpu")
    whole.save(str(folder))
    (folder / "onnx").mkdir()
    ids = torch.randint(4, 90, (2, 7))
    free = {0: "texts", 1: "tokens"}
    torch.onnx.export(
        Tokens(network), (ids, torch.ones_like(ids)), str(folder / "onnx" / "model.onnx"), dynamo=False,
        opset_version=17, input_names=["input_ids", "attention_mask"], output_names=["last_hidden_state"],
        dynamic_axes=dict.fromkeys(("input_ids", "attention_mask", "last_hidden_state"), free),
    )  # fmt: skip
    for left in (*folder.glob("*.safetensors"), *folder.glob("README.md")):
        left.unlink()
    return vectors(whole)


def static(folder: Path) -> dict[str, Any]:
    """Write a model of one vector a token, such as those of model2vec, as build() does."""
    torch.manual_seed(7)
    table = models.StaticEmbedding(_loaded(_tokenizer(WORDS)), embedding_weights=torch.randn(len(WORDS), 16).numpy())
    whole = SentenceTransformer(modules=[table, models.Normalize()], device="cpu")
    whole.save(str(folder))
    (folder / "README.md").unlink(missing_ok=True)
    return vectors(whole)


def vectors(whole: Any) -> dict[str, Any]:
    """Return what sentence-transformers makes of the texts as documents, as questions and without a prompt."""
    return {
        "documents": np.asarray(whole.encode_document(TEXTS), np.float64).tolist(),
        "queries": np.asarray(whole.encode_query(TEXTS), np.float64).tolist(),
        "plain": np.asarray(whole.encode(TEXTS, prompt=""), np.float64).tolist(),
    }


def _loaded(value: dict[str, Any]) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(value))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "models"
        root.mkdir()
        found = {}
        for name, config in configurations().items():
            found[name] = build(name, config, root / name)
            shutil.rmtree(root / f"{name}-plain")
        found["static"] = static(root / "static")
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.writestr("expected.json", json.dumps({"texts": TEXTS, "versions": versions, "models": found}))
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(root))
    print(f"{OUT}: {OUT.stat().st_size:,} bytes, {len(found)} models")


if __name__ == "__main__":
    main()
