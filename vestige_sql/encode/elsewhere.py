"""A graph from another repository than the configuration's, and whether the two are of one model.

Many models are published without an ONNX graph, and somebody else publishes one, such as onnx-community. The vectors
are made as the first repository says. Only the graph is taken from the second, and what it says of itself has to agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tokenizers import Tokenizer

from vestige_sql.encode.config import read_json
from vestige_sql.encode.files import GRAPHS, asked_graph, choose_graph
from vestige_sql.encode.graph import UNTOUCHED, external_data
from vestige_sql.errors import ModelNotFound, ModelUnsupported

_PATTERNS = ("config.json", "tokenizer.json")

# What tells two models of one architecture apart, or their sizes.
_KEYS = (
    "model_type",
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "pad_token_id",
)

# Of several scripts, with accents, figures and white space: two tokenizers that agree on these are one.
_TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Übergrößenträger, naïve café, 東京の天気, Привет, мир! \N{SNOWMAN}",
    "SELECT id, body FROM documents WHERE n >= 10.5e-3;\n\tGRANT  ALL",
)


@dataclass(frozen=True)
class Elsewhere:
    """A graph in another place: what that place is called, its folder on this machine, and the graph in it."""

    name: str
    folder: Path
    graph: str


def find_elsewhere(name: str, onnx_file: str | None, local: Callable[[str], str | None]) -> Elsewhere:
    """Find the graph of the repository or folder ``name``; ``local`` gives a folder of that name, or None.

    Raises ``ModelNotFound`` if there is no such repository, and ``ModelUnsupported`` if it has no such graph.
    """
    if (found := local(name)) is not None:
        folder = Path(found)
        files = [path.relative_to(folder).as_posix() for path in folder.rglob("*.onnx") if path.is_file()]
        return Elsewhere(name, folder, choose_graph(name, files, onnx_file))
    return _cached(name, onnx_file) or _downloaded(name, onnx_file)


def _cached(repo: str, onnx_file: str | None) -> Elsewhere | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(repo, "config.json")
    except HFValidationError:
        raise ModelNotFound(
            f"there is no folder {repo!r} with a graph, and the hub allows no such name",
            f"give --graph-repo a folder, or a repository of the hub such as onnx-community/NAME; {UNTOUCHED}",
        ) from None
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    for graph in asked_graph(onnx_file) if onnx_file else GRAPHS:
        path = folder / graph
        if path.is_file() and all((path.parent / data).is_file() for data in external_data(path)):
            return Elsewhere(repo, folder, graph)
    return None


def _downloaded(repo: str, onnx_file: str | None) -> Elsewhere:
    from huggingface_hub import HfApi, constants, snapshot_download

    if constants.HF_HUB_OFFLINE:
        raise ModelNotFound(
            f"the graph of {repo} is not in the cache {constants.HF_HUB_CACHE}; HF_HUB_OFFLINE forbids asking the hub",
            f"unset HF_HUB_OFFLINE to download it, or give --graph-repo a folder; {UNTOUCHED}",
        )
    try:
        siblings = [file.rfilename for file in HfApi().model_info(repo).siblings or []]
        graph = choose_graph(repo, siblings, onnx_file)
        # The graph comes last: a download that is interrupted is no complete one.
        folder = Path(snapshot_download(repo, allow_patterns=list(_PATTERNS)))
        snapshot_download(repo, revision=folder.name, allow_patterns=[graph])
        beside = [str(PurePosixPath(graph).parent / data) for data in external_data(folder / graph)]
        if beside:
            snapshot_download(repo, revision=folder.name, allow_patterns=beside)
    except ModelUnsupported:
        raise
    # Each major version of huggingface_hub uses another HTTP library, which has its own errors.
    except Exception as error:
        raise ModelNotFound(
            f"the graph of {repo} was not found: {constants.ENDPOINT} did not provide it: {error}",
            f"give --graph-repo a folder, or a repository of the hub such as onnx-community/NAME; {UNTOUCHED}",
        ) from error
    return Elsewhere(repo, folder, graph)


def check_elsewhere(name: str, tokenizer: Path, elsewhere: Elsewhere) -> None:
    """Check that a graph is of the model ``name``, whose tokenizer this is, with its configuration beside it.

    Raises ``ModelUnsupported`` for a graph that says nothing of itself, or something else.
    """
    config, theirs = read_json(tokenizer.parent / "config.json"), read_json(elsewhere.folder / "config.json")
    shared = [key for key in _KEYS if config.get(key) is not None and theirs.get(key) is not None]
    if not {"vocab_size", "hidden_size"} & set(shared):
        raise ModelUnsupported(
            f"nothing says whether the graph of {elsewhere.name} is of the model {name}: one of the two has no "
            "config.json with its vocab_size or hidden_size",
            f"take a graph of a repository that has one; {UNTOUCHED}",
        )
    for key in shared:
        if config[key] != theirs[key]:
            raise ModelUnsupported(
                f"the graph of {elsewhere.name} is not of the model {name}: its {key} is {theirs[key]}, and the "
                f"model's is {config[key]}",
                f"give --graph-repo the repository of this model's graph; {UNTOUCHED}",
            )
    other = elsewhere.folder / "tokenizer.json"
    if other.is_file() and (differs := _differ(tokenizer, other)):
        raise ModelUnsupported(
            f"the graph of {elsewhere.name} is not of the model {name}: their tokenizers differ in {differs}",
            f"give --graph-repo the repository of this model's graph; {UNTOUCHED}",
        )


def _differ(ours: Path, theirs: Path) -> str:
    """Return what two tokenizers differ in, "" if they make the same tokens."""
    if ours.read_bytes() == theirs.read_bytes():
        return ""
    try:
        one, other = (Tokenizer.from_file(str(path)) for path in (ours, theirs))
    # The package tokenizers raises the class Exception itself.
    except Exception as error:
        return f"that one cannot be read: {error}"
    if one.get_vocab() != other.get_vocab():
        return "their vocabularies"
    for tokenizer in (one, other):
        tokenizer.no_padding()
        tokenizer.no_truncation()
    for text in _TEXTS:
        if one.encode(text).ids != other.encode(text).ids:
            return f"the tokens of {text!r}"
    return ""
