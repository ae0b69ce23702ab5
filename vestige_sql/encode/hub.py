"""A model's name or folder to its files, pooling, prompt, truncation length and hash.

Models are read the way the ecosystem publishes them: the sentence-transformers layout with an ONNX graph.
Everything that decides a vector comes from the model's own files; what they do not say, or say in a way that
the encoder does not do, is refused by name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from vestige_sql.encode.files import GRAPHS, ModelFiles, asked_graph, choose_graph, read_model
from vestige_sql.encode.graph import external_data
from vestige_sql.errors import ModelNotFound, ModelUnsupported, UsageError

# What is read below, wherever in the repository modules.json puts it.
_CONFIG_PATTERNS = ("modules.json", "*config.json", "config_sentence_transformers.json", "*tokenizer.json")

# What git lets a branch or tag be called (git-check-ref-format), which a commit is too.
_REVISION = re.compile(r"(?!.*\.\.)[^\x00-\x20\x7f~^:?*\[\\/-][^\x00-\x20\x7f~^:?*\[\\]*")


def resolve_model(name: str, *, revision: str | None = None, onnx_file: str | None = None) -> ModelFiles:
    """Find the model ``name``: a folder, else in the Hugging Face hub's local cache, else on the hub.

    A name without a slash is looked for under ``sentence-transformers/`` first. A cached model is taken as it
    is, without asking the hub whether there is a newer one; ``revision`` (branch, tag or commit) pins it.
    ``onnx_file`` picks a graph by its path inside the model, or inside the model's ``onnx`` folder.

    Raises ``ModelNotFound`` where there is no such model, ``ModelUnsupported`` where there is one that the
    encoder cannot do right, ``UsageError`` for a revision of a folder.
    """
    if revision is not None and not _REVISION.fullmatch(revision):
        raise UsageError(
            f"--revision {revision!r} is the name of no branch, tag or commit",
            "Give it as the hub shows it, or leave it out for the main branch.",
        )
    if (folder := model_folder(name)) is not None:
        if revision:
            raise UsageError(f"A folder has no revisions: --revision {revision} with the model folder {name}")
        # Path.resolve would replace a symbolic link's name, which is the user's name for the model.
        base = Path(os.path.abspath(folder)).name  # noqa: PTH100
        if not base or not base.isprintable():
            raise ModelUnsupported(
                f"The model folder {folder!r} has no name that can be registered: {base!r}",
                "Give it one of printable characters: the registry names the model after its folder.",
            )
        return read_model(base, Path(folder), onnx_file)
    # As the ecosystem does: a name without an owner is one of sentence-transformers' own.
    repos = [repo for repo in ([name] if "/" in name else [f"sentence-transformers/{name}", name]) if _is_hub_id(repo)]
    if not repos:
        shown = name if name.isprintable() and len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]!r}..."
        raise ModelNotFound(f"There is no model folder {shown}, nor can it be a name on the hub", _HOW_TO_NAME)
    for repo in repos:
        if (cached := _cached(repo, revision, onnx_file)) is not None:
            return read_model(repo, *cached)
    return _download(name, repos, revision, onnx_file)


def model_folder(name: str) -> str | None:
    """Return the folder that ``name`` is, with ``~`` expanded, None where it is none."""
    # Not by pathlib, which raises for ~nobody and for a name that is longer than any file's.
    folder = os.path.expanduser(name)  # noqa: PTH111
    return folder if name and os.path.isdir(folder) else None  # noqa: PTH112


def _is_hub_id(name: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


_LONGEST_SHOWN = 200

_HOW_TO_NAME = (
    "Name a folder in sentence-transformers layout with an ONNX graph (onnx/model.onnx), or a model of the "
    "Hugging Face hub such as sentence-transformers/all-MiniLM-L6-v2, which is looked for in the hub's local "
    "cache (HF_HOME) and then downloaded."
)

# --- The hub ---


def _cached(repo: str, revision: str | None, onnx_file: str | None) -> tuple[Path, str] | None:
    """The cached snapshot and the graph in it, if all that is needed is there."""
    from huggingface_hub import try_to_load_from_cache

    modules = try_to_load_from_cache(repo, "modules.json", revision=revision)
    if not isinstance(modules, str):
        return None
    folder = Path(modules).parent
    # Only the usual names count here: an oddly named graph in the cache may be one of many on the hub.
    for graph in asked_graph(onnx_file) if onnx_file else GRAPHS:
        path = folder / graph
        if path.is_file() and all((path.parent / data).is_file() for data in external_data(path)):
            return folder, graph
    return None


def _download(name: str, repos: list[str], revision: str | None, onnx_file: str | None) -> ModelFiles:
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    wanted = f"{name} at revision {revision}" if revision else name
    if onnx_file:
        wanted += f" with the graph {onnx_file}"
    looked = f"no folder {name}, and not complete in the cache {constants.HF_HUB_CACHE} as {' or '.join(repos)}"
    if constants.HF_HUB_OFFLINE:
        raise ModelNotFound(
            f"The model {wanted} was not found: {looked}; HF_HUB_OFFLINE forbids asking the hub",
            f"Unset HF_HUB_OFFLINE to download it, or: {_HOW_TO_NAME}",
        )
    for repo in repos:
        try:
            siblings = HfApi().model_info(repo, revision=revision).siblings or []
            graph = choose_graph(repo, [file.rfilename for file in siblings], onnx_file)
            # The graph comes after the configuration, so that a snapshot with a graph is never short of a
            # prompt, even if this is cut short.
            folder = Path(snapshot_download(repo, revision=revision, allow_patterns=list(_CONFIG_PATTERNS)))
            commit = folder.name
            snapshot_download(repo, revision=commit, allow_patterns=[graph])
            if data := [str(PurePosixPath(graph).parent / location) for location in external_data(folder / graph)]:
                snapshot_download(repo, revision=commit, allow_patterns=data)
        except RepositoryNotFoundError:
            continue
        except RevisionNotFoundError as error:
            raise ModelNotFound(
                f"The model {repo} on {constants.ENDPOINT} has no revision {revision}",
                "Give --revision a branch, a tag or a commit of that repository.",
            ) from error
        except ModelUnsupported:
            raise
        # Every major version of huggingface_hub stands on another HTTP library, with errors of its own.
        except Exception as error:
            raise ModelNotFound(
                f"The model {wanted} was not found: {looked}; {constants.ENDPOINT} did not give it: {error}",
                _HOW_TO_NAME,
            ) from error
        return read_model(repo, folder, graph)
    raise ModelNotFound(f"The model {wanted} was not found: {looked}, nor on {constants.ENDPOINT}", _HOW_TO_NAME)
