"""A model's folder in sentence-transformers layout: its graph, tokenizer, modules, prompts and length.

Nothing is guessed. If the configuration leaves something out, or says it in an unknown way, that is an error.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vestige_sql.encode.agree import check_kind, check_sentence_config, check_tokenizer
from vestige_sql.encode.config import NO_LIMIT, read_json, whole
from vestige_sql.encode.graph import AGAIN, QUANTISED, UNTOUCHED, external_data, precision
from vestige_sql.encode.layout import read_modules
from vestige_sql.encode.limits import Limit, read_limit
from vestige_sql.encode.modules import (
    SENTENCE,
    TOKENS,
    Module,
    Normalize,
    Pooling,
    StaticEmbedding,
    dimensions,
    sha256,
)
from vestige_sql.encode.prompts import read_prompts
from vestige_sql.errors import ModelUnsupported

GRAPHS = ("onnx/model.onnx", "model.onnx")
SENTENCE_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)


@dataclass(frozen=True)
class Asked:
    """What a caller says of a model beside its name, each instead of what its configuration says.

    ``prompt`` goes before every stored text and ``query_prompt`` before every question: "" for none, None for the
    configuration's. ``max_tokens`` is where texts are truncated. ``dimension``, if it is below the model's own, keeps
    the first numbers of each vector, at length one; with ``layer_norm_first`` of the vector at mean 0 and variance 1.
    ``graph_repo`` is another repository or folder to take the graph from.
    """

    onnx_file: str | None = None
    prompt: str | None = None
    query_prompt: str | None = None
    max_tokens: int | None = None
    dimension: int | None = None
    layer_norm_first: bool = False
    graph_repo: str | None = None


@dataclass(frozen=True)
class ModelFiles:
    """Where a model's files are, and what its configuration says about turning texts into vectors.

    ``name`` is the model's id on the hub, or the base name of its folder. ``graph`` is its ONNX graph, or its table of
    token vectors if it needs no graph. ``external_data`` are the files that the graph keeps weights in, relative to the
    graph's folder. ``modules`` make one vector of the graph's output. ``max_tokens`` is the truncation length, special
    tokens included, and None for a model that truncates nowhere; ``former_max_tokens`` is that of versions before
    0.2.0, if it was another. ``prompt`` goes before every stored text, ``query_prompt`` before every question. With
    ``lower_case``, texts are put in lower case before the tokenizer's own normaliser. ``hidden_size`` is the dimension
    of the token vectors that the configuration states, or None, and ``stated_dimension`` that of a text's.
    ``dimension`` is the one to shorten vectors to, None for the model's own. ``notes`` are for people.
    """

    name: str
    graph: Path
    external_data: tuple[str, ...]
    tokenizer: Path
    modules: tuple[Module, ...]
    prompt: str
    query_prompt: str
    max_tokens: int | None
    lower_case: bool
    pad_id: int | None
    hidden_size: int | None = None
    stated_dimension: int | None = None
    former_max_tokens: int | None = None
    dimension: int | None = None
    layer_norm_first: bool = False
    graph_name: str = ""
    precision: str = "fp32"
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def static(self) -> bool:
        """Whether a text's vector is the mean of its tokens' vectors from a table, without a graph."""
        return isinstance(self.modules[0], StaticEmbedding)

    @property
    def pooling(self) -> str:
        """How one vector is made of the tokens' vectors: by one way, or by several with "+" between them."""
        if self.static:
            return "static"
        return "+".join(mode for module in self.modules if isinstance(module, Pooling) for mode in module.modes)

    @property
    def normalize(self) -> bool:
        """Whether a text's vector has length one in the end."""
        return self.modules[-1] == Normalize() or self.dimension is not None

    @property
    def _usual(self) -> bool:
        """Whether the modules are those that pooling and normalize say in full: one pooling, and perhaps Normalize."""
        first, *rest = self.modules
        return (
            isinstance(first, Pooling)
            and len(first.modes) == 1
            and (first.include_prompt or not self.prompt)
            and rest in ([], [Normalize()])
        )

    @cached_property
    def hash(self) -> str:
        """64 lowercase hex digits over everything that changes a vector, and nothing else.

        SHA-256 of a JSON document: UTF-8, keys sorted, no white space, with the keys ``version`` (1),
        ``graph`` and ``tokenizer`` (SHA-256 of the file), ``external_data`` (location in the graph to SHA-256
        of the file), ``pooling``, ``normalize``, ``prompt``, ``max_tokens`` and ``lower_case``. It has more for
        models that need it: ``modules``, what each says and the SHA-256 of its weights, for others than one pooling
        with or without Normalize; and ``dimension`` with ``layer_norm_first`` for shortened vectors. It contains no
        path and no name, so a model has the same hash in the hub's cache, in a folder and on another machine. It does
        not contain ``query_prompt``: that changes the vector of no row, so a new one is no reason to re-embed.
        """
        return self.hash_at(self.dimension)

    def hash_at(self, dimension: int | None, *, max_tokens: int | None = None) -> str:
        """Return the hash of the same model with vectors shortened to ``dimension``, None for its own.

        ``max_tokens`` is another truncation length, None for the model's.
        """
        document = dict(self._document)
        if max_tokens is not None:
            document["max_tokens"] = max_tokens
        if dimension is not None:
            document["dimension"] = dimension
            document["layer_norm_first"] = self.layer_norm_first
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "version": 1,
            "graph": sha256(self.graph),
            "external_data": {location: sha256(self.graph.parent / location) for location in self.external_data},
            "tokenizer": sha256(self.tokenizer),
            "pooling": self.pooling,
            "normalize": self.modules[-1] == Normalize(),
            "prompt": self.prompt,
            "max_tokens": self.max_tokens,
            "lower_case": self.lower_case,
        }
        if not self._usual:
            document["modules"] = [module.said() for module in self.modules]
        return document

    @property
    def parts(self) -> dict[str, Path]:
        """Every file that the model is loaded from, by its path below a folder that :meth:`moved` takes."""
        parts = {f"graph/{self.graph.name}": self.graph, "tokenizer.json": self.tokenizer}
        parts |= {f"graph/{location}": self.graph.parent / location for location in self.external_data}
        weights = {f"module{at}/{m.weights.name}": m.weights for at, m in enumerate(self.modules) if m.weights}
        return parts | weights

    def moved(self, folder: Path) -> ModelFiles:
        """Return the same model with its files below ``folder``, as ``parts`` names them."""
        modules = tuple(
            replace(module, weights=folder / f"module{at}" / module.weights.name) if module.weights else module
            for at, module in enumerate(self.modules)
        )
        graph = folder / "graph" / self.graph.name
        return replace(self, graph=graph, tokenizer=folder / "tokenizer.json", modules=modules)


def asked_graph(onnx_file: str) -> tuple[str, str]:
    return onnx_file, f"onnx/{onnx_file}"


# What the hub's files call graphs whose weights are whole numbers.
_QUANTISED_NAME = re.compile(r"(?i)(q?u?int[48]|quant|(?<![a-z])[bq][48]|bnb|q4f16)")


def choose_graph(model: str, files: Iterable[str], onnx_file: str | None) -> str:
    """Return the path of the graph inside the model: the one asked for, the usual one, or the only one.

    A graph that is quantised by its name is never the only one: it is another model, to be asked for.
    """
    graphs = sorted(file for file in files if file.endswith(".onnx"))
    if not graphs:
        raise ModelUnsupported(
            f"the model {model} has no ONNX graph",
            "name a repository that has its graph with --graph-repo, such as onnx-community/NAME, or export one to "
            f"onnx/model.onnx in the model's folder, for example with optimum-cli export onnx; {UNTOUCHED}",
        )
    found = [graph for graph in (asked_graph(onnx_file) if onnx_file else GRAPHS) if graph in graphs]
    if not found and not onnx_file and len(graphs) == 1:
        if _QUANTISED_NAME.search(graphs[0].rpartition("/")[2]):
            raise _quantised(model, graphs[0])
        found = graphs
    if not found:
        problem = f"has no graph {onnx_file}" if onnx_file else "has several ONNX graphs, none named model.onnx"
        raise ModelUnsupported(
            f"the model {model} {problem}: {', '.join(graphs)}", f"pick one of them with --onnx-file; {UNTOUCHED}"
        )
    return found[0]


def _quantised(model: str, graph: str) -> ModelUnsupported:
    return ModelUnsupported(
        f"the graph {graph} of the model {model} is quantised, and was not asked for by name",
        f"its vectors differ from the author's; if that is meant, add --onnx-file {graph}; {UNTOUCHED}",
    )


# --- The configuration ---


def read_model(
    name: str, folder: Path, asked: Asked, graph_name: str | None = None, *, graph_folder: Path | None = None
) -> ModelFiles:
    """Read the model in ``folder``. ``graph_name`` is its graph, if a look at the hub has chosen it already.

    The graph is in ``graph_folder``, if it is from elsewhere.
    """
    # This comes first: without modules.json the folder is no model, and searching it for graphs could take very long.
    transformer, modules = read_modules(name, folder)
    data: tuple[str, ...] = ()
    if isinstance(modules[0], StaticEmbedding):
        assert modules[0].weights is not None
        graph, kept_in = modules[0].weights, modules[0].precision
        if asked.onnx_file or asked.graph_repo:
            raise ModelUnsupported(
                f"the model {name} has no ONNX graph, and needs none: its vectors are in {graph.name}",
                f"leave --onnx-file and --graph-repo out; {UNTOUCHED}",
            )
    else:
        graph, data, kept_in = _graph(name, graph_folder or folder, asked, graph_name)
    tokenizer = transformer / "tokenizer.json"
    if not tokenizer.is_file():
        raise ModelUnsupported(
            f"the model {name} has no tokenizer.json in {transformer}",
            "save its fast tokenizer with transformers: "
            f"AutoTokenizer.from_pretrained({name!r}).save_pretrained({str(transformer)!r}); {UNTOUCHED}",
        )
    sentence: dict[str, Any] = next((c for file in SENTENCE_CONFIGS if (c := read_json(transformer / file))), {})
    config = read_json(transformer / "config.json")
    tokenizer_config = read_json(transformer / "tokenizer_config.json")
    of_model = read_json(folder / "config_sentence_transformers.json")
    check_kind(name, of_model)
    check_sentence_config(name, sentence)
    check_tokenizer(name, tokenizer, tokenizer_config)
    limit = _static_limit(asked, tokenizer) if isinstance(modules[0], StaticEmbedding) else None
    limit = limit or read_limit(name, sentence, tokenizer_config, config, asked.max_tokens)
    hidden, stated = _sizes(name, config, modules)
    pad_id = whole(name, config, "pad_token_id")
    prompt, query_prompt, notes = read_prompts(
        name,
        of_model,
        asked.prompt,
        asked.query_prompt,
        card=_card(folder),
        model_type=config.get("model_type"),
    )
    return ModelFiles(
        name=name,
        graph=graph,
        external_data=data,
        tokenizer=tokenizer,
        modules=modules,
        prompt=prompt,
        query_prompt=query_prompt,
        max_tokens=limit.tokens,
        lower_case=bool(sentence.get("do_lower_case")),
        # Some configurations say -1 for "none". An id outside every vocabulary means none too.
        pad_id=pad_id if pad_id is not None and 0 <= pad_id < NO_LIMIT else None,
        hidden_size=hidden,
        stated_dimension=stated,
        former_max_tokens=limit.former,
        dimension=whole(name, of_model, "truncate_dim") if asked.dimension is None else asked.dimension,
        layer_norm_first=asked.layer_norm_first,
        graph_name=graph.relative_to(folder).as_posix() if graph.is_relative_to(folder) else graph.name,
        precision=kept_in,
        notes=tuple(notes),
    )


def _graph(name: str, folder: Path, asked: Asked, graph_name: str | None) -> tuple[Path, tuple[str, ...], str]:
    """Return the graph, the files beside it that it keeps weights in, and their precision."""
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.onnx") if path.is_file()]
    graph = folder / choose_graph(name, files, graph_name or asked.onnx_file)
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
    kept_in = precision(graph)
    if kept_in in QUANTISED and not asked.onnx_file:
        raise _quantised(name, graph.relative_to(folder).as_posix())
    return graph, data, kept_in


def _sizes(name: str, config: dict[str, Any], modules: tuple[Module, ...]) -> tuple[int | None, int | None]:
    """Return the dimension of the token vectors and that of a text's vector, as far as they are stated."""
    hidden = whole(name, config, "hidden_size")
    pooled = next((m.dimension for m in modules if isinstance(m, Pooling) and m.dimension), None)
    widened = any(module.gives == TOKENS for module in modules)
    if None not in (hidden, pooled) and hidden != pooled and not widened:
        raise ModelUnsupported(
            f"the model {name} contradicts itself: its hidden_size is {hidden}, and it pools vectors of "
            f"{pooled} dimensions",
            AGAIN,
        )
    tokens = None if isinstance(modules[0], StaticEmbedding) else hidden or (None if widened else pooled)
    return tokens, dimensions(modules, tokens)[SENTENCE]


def _static_limit(asked: Asked, tokenizer: Path) -> Limit:
    """Return where a model without a graph truncates: where its tokenizer.json says, mostly nowhere."""
    saved = read_json(tokenizer).get("truncation")
    own = whole(tokenizer.name, saved, "max_length") if isinstance(saved, dict) else None
    return Limit(asked.max_tokens or own)


def _card(folder: Path) -> str:
    """Return the model's card, if the folder has one that can be read."""
    try:
        return (folder / "README.md").read_text("utf-8", errors="replace")
    except OSError:
        return ""
