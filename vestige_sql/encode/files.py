"""A model's folder in sentence-transformers layout: its graph, tokenizer, pooling, prompts and length.

Nothing is guessed. If the configuration leaves something out, or says it in an unknown way, that is an error.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from vestige_sql.encode.graph import AGAIN, UNTOUCHED, external_data, inside
from vestige_sql.errors import ModelUnsupported

Pooling = Literal["mean", "cls"]

GRAPHS = ("onnx/model.onnx", "model.onnx")
SENTENCE_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)

# The prompts that encode_document() looks for, in this order, says the documentation of sentence-transformers. An
# empty prompt does not count: saving a model writes an empty "document" beside its author's "passage".
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
# The prompt that encode_query() looks for, says the same documentation.
_QUERY_PROMPTS = ("query",)

# Older pooling configs have one flag per mode; newer ones say "pooling_mode" with the short name.
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}

# These models number their positions from pad_token_id + 1, so their position table is longer than their longest text.
_POSITIONS_AFTER_PAD = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer")

# transformers writes 1e30 for a tokenizer without a limit.
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class ModelFiles:
    """Where a model's files are, and what its configuration says about turning texts into vectors.

    ``name`` is the model's id on the hub, or the base name of its folder. ``external_data`` are the files that the
    graph keeps weights in, relative to the graph's folder. ``max_tokens`` is the truncation length, special tokens
    included. ``prompt`` goes before every stored text, ``query_prompt`` before every question. With ``lower_case``,
    texts are put in lower case before the tokenizer's own normaliser. ``hidden_size`` is the dimension that the
    configuration states, or None.
    """

    name: str
    graph: Path
    external_data: tuple[str, ...]
    tokenizer: Path
    pooling: Pooling
    normalize: bool
    prompt: str
    query_prompt: str
    max_tokens: int
    lower_case: bool
    pad_id: int | None
    hidden_size: int | None = None

    @cached_property
    def hash(self) -> str:
        """64 lowercase hex digits over everything that changes a vector, and nothing else.

        SHA-256 of a JSON document: UTF-8, keys sorted, no white space, with the keys ``version`` (1),
        ``graph`` and ``tokenizer`` (SHA-256 of the file), ``external_data`` (location in the graph to SHA-256
        of the file), ``pooling``, ``normalize``, ``prompt``, ``max_tokens`` and ``lower_case``. It contains no path
        and no name, so a model has the same hash in the hub's cache, in a folder and on another machine. It does not
        contain ``query_prompt``: that changes the vector of no row, so a new one is no reason to re-embed.
        """
        document = {
            "version": 1,
            "graph": _sha256(self.graph),
            "external_data": {location: _sha256(self.graph.parent / location) for location in self.external_data},
            "tokenizer": _sha256(self.tokenizer),
            "pooling": self.pooling,
            "normalize": self.normalize,
            "prompt": self.prompt,
            "max_tokens": self.max_tokens,
            "lower_case": self.lower_case,
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


_ANOTHER = f"use a model without it, since the vectors would differ from the author's; {UNTOUCHED}"


def asked_graph(onnx_file: str) -> tuple[str, str]:
    return onnx_file, f"onnx/{onnx_file}"


def choose_graph(model: str, files: Iterable[str], onnx_file: str | None) -> str:
    """Return the path of the graph inside the model: the one asked for, the usual one, or the only one."""
    graphs = sorted(file for file in files if file.endswith(".onnx"))
    if not graphs:
        raise ModelUnsupported(
            f"the model {model} has no ONNX graph",
            "export one to onnx/model.onnx in the model's folder, for example with optimum-cli export onnx; "
            f"{UNTOUCHED}",
        )
    found = [graph for graph in (asked_graph(onnx_file) if onnx_file else GRAPHS) if graph in graphs]
    if not found and not onnx_file and len(graphs) == 1:
        found = graphs
    if not found:
        problem = f"has no graph {onnx_file}" if onnx_file else "has several ONNX graphs, none named model.onnx"
        raise ModelUnsupported(
            f"the model {model} {problem}: {', '.join(graphs)}", f"pick one of them with --onnx-file; {UNTOUCHED}"
        )
    return found[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- The configuration ---


def read_model(name: str, folder: Path, onnx_file: str | None) -> ModelFiles:
    # This comes first: without modules.json the folder is no model, and searching it for graphs could take very long.
    transformer, pooling, pooled_size, normalize = _modules(name, folder)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.onnx") if path.is_file()]
    graph = folder / choose_graph(name, files, onnx_file)
    data = external_data(graph)
    for location in data:
        path = graph.parent / location
        if not path.is_file():
            raise ModelUnsupported(
                f"the model {name} is not complete: its graph keeps weights in {location}, which is missing",
                f"put that file into {graph.parent}; {UNTOUCHED}",
            )
        # The files in the hub's cache are links, all to one folder.
        real = path.resolve()
        if real.parent != graph.resolve().parent and not real.is_relative_to(folder.resolve()):
            raise ModelUnsupported(
                f"the model {name} keeps weights outside its folder: {location} is a link to {real}",
                f"replace the link by the file itself; nothing outside the folder was read; {UNTOUCHED}",
            )
    tokenizer = transformer / "tokenizer.json"
    if not tokenizer.is_file():
        raise ModelUnsupported(
            f"the model {name} has no tokenizer.json in {transformer}",
            "save its fast tokenizer with transformers: "
            f"AutoTokenizer.from_pretrained({name!r}).save_pretrained({str(transformer)!r}); {UNTOUCHED}",
        )
    sentence: dict[str, Any] = next((c for file in SENTENCE_CONFIGS if (c := _json(transformer / file))), {})
    config = _json(transformer / "config.json")
    tokenizer_config = _json(transformer / "tokenizer_config.json")
    if tokenizer_config.get("truncation_side", "right") != "right":
        raise ModelUnsupported(
            f"the model {name} truncates texts on the left (truncation_side), and the encoder only on the right",
            _ANOTHER,
        )
    prompts = _json(folder / "config_sentence_transformers.json")
    hidden_size = _whole(name, config, "hidden_size")
    if None not in (hidden_size, pooled_size) and hidden_size != pooled_size:
        raise ModelUnsupported(
            f"the model {name} contradicts itself: its hidden_size is {hidden_size}, and it pools vectors of "
            f"{pooled_size} dimensions",
            AGAIN,
        )
    pad_id = _whole(name, config, "pad_token_id")
    return ModelFiles(
        name=name,
        graph=graph,
        external_data=data,
        tokenizer=tokenizer,
        pooling=pooling,
        normalize=normalize,
        prompt=_prompt(name, prompts, _DOCUMENT_PROMPTS, others=_QUERY_PROMPTS),
        query_prompt=_prompt(name, prompts, _QUERY_PROMPTS, others=_DOCUMENT_PROMPTS),
        max_tokens=_max_tokens(name, sentence, tokenizer_config, config),
        lower_case=bool(sentence.get("do_lower_case")),
        # Some configurations say -1 for "none". An id outside every vocabulary means none too.
        pad_id=pad_id if pad_id is not None and 0 <= pad_id < _NO_LIMIT else None,
        hidden_size=hidden_size or pooled_size,
    )


def _modules(name: str, folder: Path) -> tuple[Path, Pooling, int | None, bool]:
    """Read modules.json: the transformer's folder, pooling mode, pooled dimension, and whether to normalise."""
    path = folder / "modules.json"
    if not path.is_file():
        raise ModelUnsupported(
            f"the model {name} has no modules.json, so nothing says how its tokens are pooled to one vector",
            "download the original model in sentence-transformers layout, and put this graph into its onnx folder; "
            f"{UNTOUCHED}",
        )
    modules = _json(path, list)
    kinds = []
    for module in modules:
        if not isinstance(module, dict) or not all(isinstance(module.get(key), str) for key in ("type", "path")):
            raise ModelUnsupported(f"{path} does not state type and path of each module", AGAIN)
        package, _, kind = module["type"].rpartition(".")
        if package.split(".")[0] != "sentence_transformers" or kind not in (
            "Transformer",
            "Pooling",
            "Normalize",
        ):
            raise ModelUnsupported(
                f"the model {name} needs the module {module['type']}, which the encoder does not support",
                f"use a model of Transformer, Pooling and Normalize only; {UNTOUCHED}",
            )
        if module["path"] and not inside(module["path"]):
            raise ModelUnsupported(f"the model {name} has a module outside its folder: {module['path']}", AGAIN)
        kinds.append(kind)
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ModelUnsupported(
            f"the model {name} consists of the modules {', '.join(kinds) or '(none)'}",
            f"use a model of Transformer, Pooling and optionally Normalize, in this order; {UNTOUCHED}",
        )
    normalize = len(kinds) == 3
    if normalize:
        key = _json(folder / modules[2]["path"] / "config.json").get("module_input_name", "sentence_embedding")
        if key != "sentence_embedding":
            raise ModelUnsupported(
                f"the model {name} normalises {key}, and the encoder only sentence_embedding", _ANOTHER
            )
    return folder / modules[0]["path"], *_pooling(name, folder / modules[1]["path"] / "config.json"), normalize


def _pooling(name: str, path: Path) -> tuple[Pooling, int | None]:
    config = _json(path)
    modes = config.get("pooling_mode") or [mode for flag, mode in _POOLING_FLAGS.items() if config.get(flag)]
    modes = modes if isinstance(modes, list) else [modes]
    if len(modes) != 1 or modes[0] not in ("mean", "cls"):
        said = " and ".join(map(str, modes)) + " pooling" if modes else f"no pooling mode in {path}"
        raise ModelUnsupported(
            f"the model {name} asks for {said}, which the encoder does not support",
            f"use a model with mean or cls pooling; {UNTOUCHED}",
        )
    if config.get("include_prompt") is False:
        raise ModelUnsupported(
            f"the model {name} leaves the prompt's tokens out of pooling (include_prompt is false), "
            "which the encoder does not support",
            _ANOTHER,
        )
    # Older files say word_embedding_dimension.
    sizes = [_whole(name, config, key) for key in ("embedding_dimension", "word_embedding_dimension")]
    return cast(Pooling, modes[0]), sizes[0] or sizes[1]


def _prompt(name: str, config: dict[str, Any], names: tuple[str, ...], *, others: tuple[str, ...]) -> str:
    """Return the prompt of the first of ``names`` that has one, else the default prompt, unless it is for ``others``.

    The default prompt goes before every text without a prompt of its own, queries and documents alike.
    """
    prompts = config.get("prompts") or {}
    default = config.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(text, str | None) for text in (*prompts.values(), default)):
        raise ModelUnsupported(f"the model {name} has prompts that are not strings", AGAIN)
    if default is not None and default not in prompts:
        raise ModelUnsupported(
            f"the model {name} has the default prompt {default}, which is not among its prompts: "
            f"{', '.join(prompts) or '(none)'}",
            AGAIN,
        )
    for prompt in (*names, default if default not in others else None):
        if text := prompts.get(prompt):
            return cast(str, text)
    return ""


def _max_tokens(name: str, sentence: dict[str, Any], tokenizer_config: dict[str, Any], config: dict[str, Any]) -> int:
    positions = _whole(name, config, "max_position_embeddings")
    if positions is not None and config.get("model_type") in _POSITIONS_AFTER_PAD:
        positions -= (_whole(name, config, "pad_token_id") or 0) + 1
    # As in sentence-transformers: max_seq_length, if given, replaces the tokenizer's limit.
    limits = (
        _whole(name, sentence, "max_seq_length") or _whole(name, tokenizer_config, "model_max_length"),
        positions,
    )
    # xlnet says -1 for "no limit".
    known = [limit for limit in limits if limit is not None and 0 < limit < _NO_LIMIT]
    if not known:
        raise ModelUnsupported(
            f"the model {name} does not state where it truncates a text",
            f'put {{"max_seq_length": N}} into its sentence_bert_config.json; {UNTOUCHED}',
        )
    return min(known)


def _whole(name: str, config: dict[str, Any], key: str) -> int | None:
    """Return the whole number that a configuration gives for ``key``, or None."""
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise ModelUnsupported(f"the model {name} has {value!r} as its {key}, which is not a whole number", AGAIN)
    return int(value)


def _json(path: Path, kind: type = dict) -> Any:
    """Return the content of a JSON file of the model, or an empty ``kind`` if there is no such file."""
    if not path.is_file():
        # An interrupted download leaves a link to nowhere. Treating that as "no file" could lose a prompt.
        if os.path.lexists(path):
            raise ModelUnsupported(f"{path} is not a file", AGAIN)
        return kind()
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelUnsupported(f"{path} is not JSON: {error}", AGAIN) from error
    except OSError as error:
        raise ModelUnsupported(f"{path} cannot be read: {error}", AGAIN) from error
    if not isinstance(value, kind):
        raise ModelUnsupported(f"{path} does not contain a JSON {'array' if kind is list else 'object'}", AGAIN)
    return value
