"""Loads a model as the registry's record says that its vectors were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.encode.onnx import OnnxEmbedder, load_embedder
from vestige_sql.errors import PromptNeeded


def load_as_recorded(
    name: str, wanted: ModelSignature, recorded: Mapping[str, Any] | None, *, device: str = "auto", **asked: Any
) -> OnnxEmbedder:
    """Load the model at ``name``, a folder or a name on the hub, as the vectors of ``wanted`` were made.

    ``recorded`` is the registry's record, None for none. ``asked`` are options of ``load_embedder``, which count before
    it. What nobody has said is tried as earlier versions had it. Whether the model is ``wanted`` is the caller's to
    check.

    Raises what ``load_embedder`` raises, but for ``PromptNeeded``.
    """
    options = _of_record(recorded) | asked
    try:
        embedder = load_embedder(name, device=device, **options)
    except PromptNeeded:
        # Before 0.2.0 nobody was asked. If the vectors were made without a prompt, the hash says so.
        embedder = load_embedder(name, device=device, **options | {"prompt": ""})
    if embedder.dimension > wanted.dimension:
        embedder.shorten_to(wanted.dimension)
    if embedder.former_signature() == wanted:
        return load_embedder(name, device=device, **options | embedder.former_options)
    return embedder


def _of_record(recorded: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the registry's record says of a model, as ``load_embedder`` takes it."""
    if not recorded:
        return {}
    names = ("prompt", "query_prompt", "max_tokens", "layer_norm_first")
    found = {name: recorded[name] for name in names if recorded.get(name) is not None}
    if recorded.get("dimension") != recorded.get("model_dimension"):
        found["dimension"] = recorded["dimension"]
    if str(recorded.get("file", "")).endswith(".onnx"):
        # "REPOSITORY:FILE" where the graph is from another repository.
        repo, _, found["onnx_file"] = recorded["file"].rpartition(":")
        found |= {"graph_repo": repo} if repo else {}
    return found
