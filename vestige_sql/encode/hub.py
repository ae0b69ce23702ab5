"""Find a model's files by its name or folder: in the file system, in the hub's cache, or on the hub.

Models are read the way the ecosystem publishes them: the sentence-transformers layout with an ONNX graph.
Everything that determines a vector comes from the model's own files. If they leave something out, or ask for something
that the encoder does not support, the error names it.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from vestige_sql.encode.files import GRAPHS, Asked, ModelFiles, asked_graph, choose_graph, read_model
from vestige_sql.encode.graph import UNTOUCHED, external_data
from vestige_sql.encode.layout import listed, weights_complete, weights_wanted
from vestige_sql.errors import ModelNotFound, ModelUnsupported, UsageError

# The configuration files that are read, in whichever folder of the repository modules.json puts them.
_CONFIG_PATTERNS = ("modules.json", "*config.json", "config_sentence_transformers.json", "*tokenizer.json")

# The names that git allows for a branch or tag (git-check-ref-format). A commit's name matches too.
_REVISION = re.compile(r"(?!.*\.\.)[^\x00-\x20\x7f~^:?*\[\\/-][^\x00-\x20\x7f~^:?*\[\\]*")


def resolve_model(
    name: str, *, revision: str | None = None, onnx_file: str | None = None, asked: Asked | None = None
) -> ModelFiles:
    """Find the model ``name``: a folder, else in the Hugging Face hub's local cache, else on the hub.

    A name without a slash is looked for under ``sentence-transformers/`` first. A cached model is used as it
    is: the hub is not asked for a newer one. ``revision`` (branch, tag or commit) pins it. ``onnx_file`` picks a graph
    by its path inside the model, or inside the model's ``onnx`` folder. ``asked``, instead of it, has all that is said
    of the model beside its name.

    Raises ``ModelNotFound`` if there is no such model, ``ModelUnsupported`` if the encoder does not support it or its
    files are incomplete, and ``UsageError`` for a malformed revision or the revision of a folder.
    """
    asked = asked or Asked(onnx_file)
    if revision is not None and not _REVISION.fullmatch(revision):
        raise UsageError(
            f"--revision {revision!r} cannot be the name of a branch, tag or commit",
            f"give it as the hub shows it, or leave it out for the main branch; {UNTOUCHED}",
        )
    if (folder := model_folder(name)) is not None:
        if revision:
            raise UsageError(
                f"--revision {revision} was given with the model folder {name}, and a folder has no revisions",
                f"leave --revision out; {UNTOUCHED}",
            )
        # Path.resolve would replace a symbolic link's name, which is the user's name for the model.
        base = Path(os.path.abspath(folder)).name  # noqa: PTH100
        if not base or not base.isprintable():
            raise ModelUnsupported(
                f"the model folder {folder!r} has no name that can be registered: {base!r}",
                "rename it with printable characters, because the registry names the model after its folder; "
                f"{UNTOUCHED}",
            )
        return _read(base, Path(folder), asked)
    # As in the ecosystem: a model without an owner in its name belongs to sentence-transformers.
    repos = [repo for repo in ([name] if "/" in name else [f"sentence-transformers/{name}", name]) if _is_hub_id(repo)]
    if not repos:
        shown = name if name.isprintable() and len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]!r}..."
        raise ModelNotFound(f"there is no model folder {shown}, and the hub allows no such name", _HOW_TO_NAME)
    for repo in repos:
        if (cached := _cached(repo, revision, asked)) is not None:
            return _read(repo, cached[0], asked, cached[1])
    return _download(name, repos, revision, asked)


def model_folder(name: str) -> str | None:
    """Return ``name`` with ``~`` expanded if it is a folder, else None."""
    # Without pathlib, which raises for an unknown user's home and for a name that is too long for a file.
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
    "name a folder in sentence-transformers layout with an ONNX graph (onnx/model.onnx), or a model of the "
    "Hugging Face hub such as sentence-transformers/all-MiniLM-L6-v2, which is taken from the hub's local cache "
    f"(HF_HOME) or downloaded; {UNTOUCHED}"
)

# --- The hub ---


def _read(name: str, folder: Path, asked: Asked, graph: str | None = None) -> ModelFiles:
    """Read the model in ``folder``, with its graph from elsewhere if that was asked for."""
    if asked.graph_repo is None:
        return read_model(name, folder, asked, graph)
    from vestige_sql.encode.elsewhere import check_elsewhere, find_elsewhere

    elsewhere = find_elsewhere(asked.graph_repo, asked.onnx_file, model_folder)
    files = read_model(name, folder, asked, elsewhere.graph, graph_folder=elsewhere.folder)
    check_elsewhere(name, files.tokenizer, elsewhere)
    return replace(files, graph_name=f"{elsewhere.name}:{elsewhere.graph}")


def _cached(repo: str, revision: str | None, asked: Asked) -> tuple[Path, str | None] | None:
    """Return the cached snapshot and the graph in it, if every needed file is there. None for a model without one."""
    from huggingface_hub import try_to_load_from_cache

    modules = try_to_load_from_cache(repo, "modules.json", revision=revision)
    if not isinstance(modules, str):
        return None
    folder = Path(modules).parent
    if not weights_complete(repo, folder):
        return None
    if not _has_graph(repo, folder):
        return folder, None
    if asked.graph_repo is not None:
        # The tokenizer is the last that is downloaded then.
        return (folder, None) if any(folder.rglob("tokenizer.json")) else None
    # Only the usual names count here: if the cache has a graph of another name, the hub may have several of those.
    for graph in asked_graph(asked.onnx_file) if asked.onnx_file else GRAPHS:
        path = folder / graph
        if path.is_file() and all((path.parent / data).is_file() for data in external_data(path)):
            return folder, graph
    return None


def _has_graph(repo: str, folder: Path) -> bool:
    """Whether the model runs a graph, and is no table of token vectors."""
    return listed(repo, folder)[0][0] == "Transformer"


def _download(name: str, repos: list[str], revision: str | None, asked: Asked) -> ModelFiles:
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    wanted = f"{name} at revision {revision}" if revision else name
    if asked.onnx_file:
        wanted += f" with the graph {asked.onnx_file}"
    looked = f"it is no folder, and not complete in the cache {constants.HF_HUB_CACHE} as {' or '.join(repos)}"
    if constants.HF_HUB_OFFLINE:
        raise ModelNotFound(
            f"the model {wanted} was not found: {looked}; HF_HUB_OFFLINE forbids asking the hub",
            f"unset HF_HUB_OFFLINE to download it, or {_HOW_TO_NAME}",
        )
    for repo in repos:
        try:
            siblings = [file.rfilename for file in HfApi().model_info(repo, revision=revision).siblings or []]
            # The graph comes last. If the download is interrupted, no snapshot has a graph and lacks a prompt.
            folder = Path(snapshot_download(repo, revision=revision, allow_patterns=list(_CONFIG_PATTERNS)))
            commit, graph = folder.name, None
            if _has_graph(repo, folder) and asked.graph_repo is None:
                graph = choose_graph(repo, siblings, asked.onnx_file)
            # Of two files with the same weights, the first is enough.
            wanted_weights: dict[str, str] = {}
            for file in weights_wanted(repo, folder):
                if file in siblings:
                    wanted_weights.setdefault(str(PurePosixPath(file).parent), file)
            if wanted_weights:
                snapshot_download(repo, revision=commit, allow_patterns=list(wanted_weights.values()))
            if graph is not None:
                snapshot_download(repo, revision=commit, allow_patterns=[graph])
                beside = [str(PurePosixPath(graph).parent / data) for data in external_data(folder / graph)]
                if beside:
                    snapshot_download(repo, revision=commit, allow_patterns=beside)
        except RepositoryNotFoundError:
            continue
        except RevisionNotFoundError as error:
            raise ModelNotFound(
                f"the model {repo} on {constants.ENDPOINT} has no revision {revision}",
                f"give --revision a branch, a tag or a commit of that repository; {UNTOUCHED}",
            ) from error
        except ModelUnsupported:
            raise
        # Each major version of huggingface_hub uses another HTTP library, which has its own errors.
        except Exception as error:
            raise ModelNotFound(
                f"the model {wanted} was not found: {looked}; {constants.ENDPOINT} did not provide it: {error}",
                _HOW_TO_NAME,
            ) from error
        return _read(repo, folder, asked, graph)
    raise ModelNotFound(f"the model {wanted} was not found: {looked}, nor on {constants.ENDPOINT}", _HOW_TO_NAME)
