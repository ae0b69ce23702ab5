"""The models and the engine that the options name."""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import DimensionMismatch, ModelNotFound, ModelUnsupported, PromptNeeded, UsageError

if TYPE_CHECKING:
    from vestige_sql.cluster.engine import RayEngine
    from vestige_sql.encode.onnx import OnnxEmbedder

_RAY_OPTIONS = (
    "address",
    "workers",
    "gpus_per_worker",
    "threads_per_worker",
    "max_connections",
    "max_copies",
    "range_rows",
)


def load(args: argparse.Namespace) -> OnnxEmbedder:
    """Load the model that ``--model`` names.

    Raises ``DimensionMismatch`` where it has another dimension than ``--dimension`` says, and what ``load_embedder``
    raises.
    """
    # ONNX Runtime takes a moment to import, which verbs without a model need not wait for.
    from huggingface_hub.utils import disable_progress_bars

    from vestige_sql.encode.onnx import load_embedder

    if args.json:
        disable_progress_bars()
    embedder = load_embedder(args.model, device=args.device, **asked_of(args))
    if getattr(args, "dimension", None) not in (None, embedder.dimension):
        raise DimensionMismatch(
            f"--dimension is {args.dimension}, and the model {embedder.model_name} has {embedder.dimension} dimensions",
            f"run again with --dimension {embedder.dimension}, or with another model; nothing was written",
        )
    return embedder


def asked_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say of a model beside its name, as ``load_embedder`` takes it."""
    names = ("revision", "onnx_file", "prompt", "query_prompt", "max_tokens", "layer_norm_first", "dimension")
    return {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}


def load_same(
    wanted: ModelSignature,
    given: str | None,
    option: str,
    *,
    asked: dict[str, Any],
    recorded: dict[str, Any] | None,
    device: str,
    quiet: bool,
) -> OnnxEmbedder:
    """Load the model ``wanted`` from where ``given``, the value of ``option``, says, or by its name.

    ``recorded`` is what the registry's record says of how it makes vectors, None for nothing; ``asked`` are the options
    that were given, which count before it.

    Raises ``ModelNotFound`` where it cannot be resolved by its name, ``ModelMismatch`` where that is another.
    """
    from huggingface_hub.utils import disable_progress_bars

    from vestige_sql.vestige.search import check_same

    if quiet:
        disable_progress_bars()
    try:
        embedder = _as_recorded(given or wanted.name, wanted, device, _of_record(recorded) | asked)
    except (ModelNotFound, ModelUnsupported) as error:
        if given:
            raise
        raise ModelNotFound(
            f"the model {wanted} cannot be resolved by its name: {error}", f"name its folder with {option}"
        ) from error
    hint = f"name the folder of the same files with {option}, and give --prompt and --max-tokens as it was registered"
    check_same(embedder.signature(), wanted, "the vectors", hint)
    return embedder


def _of_record(recorded: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the registry's record says of a model, as ``load_embedder`` takes it."""
    if not recorded:
        return {}
    names = ("prompt", "query_prompt", "max_tokens", "layer_norm_first")
    found = {name: recorded[name] for name in names if recorded.get(name) is not None}
    if recorded.get("dimension") != recorded.get("model_dimension"):
        found["dimension"] = recorded["dimension"]
    if str(recorded.get("file", "")).endswith(".onnx"):
        found["onnx_file"] = recorded["file"]
    return found


def _as_recorded(name: str, wanted: ModelSignature, device: str, asked: dict[str, Any]) -> OnnxEmbedder:
    """Load a model as ``asked``. What nobody has said is tried as earlier versions had it."""
    from vestige_sql.encode.onnx import load_embedder

    try:
        embedder = load_embedder(name, device=device, **asked)
    except PromptNeeded:
        # Before 0.2.0 nobody was asked. If the vectors were made without a prompt, the hash says so.
        embedder = load_embedder(name, device=device, **asked | {"prompt": ""})
    if embedder.dimension > wanted.dimension:
        embedder.shorten_to(wanted.dimension)
    if embedder.former_signature() == wanted:
        return load_embedder(name, device=device, **asked | embedder.former_options)
    return embedder


def engine(args: argparse.Namespace) -> RayEngine | None:
    """Return what encodes on many machines, None where this process does.

    Raises ``UsageError`` for an option of Ray's without ``--engine ray``, and what ``RayEngine`` raises.
    """
    options = {name: value for name in _RAY_OPTIONS if (value := getattr(args, name)) is not None}
    if args.engine == "here":
        if options:
            raise UsageError(f"--{next(iter(options)).replace('_', '-')} requires --engine ray", "Add --engine ray.")
        return None
    from vestige_sql.cluster.engine import RayEngine
    from vestige_sql.database.settings import connection_limit
    from vestige_sql.encode.hub import model_folder

    options.setdefault("max_connections", connection_limit())
    # The nodes look for a folder from wherever Ray has started them.
    folder = model_folder(args.model)
    model = os.path.abspath(folder) if folder else args.model  # noqa: PTH100
    return RayEngine(**options, load=partial(_load_on_node, model, args.device, asked_of(args)))


def _load_on_node(model: str, device: str, asked: dict[str, Any], threads: int) -> OnnxEmbedder:
    from vestige_sql.encode.onnx import load_embedder

    return load_embedder(model, threads=threads, device=device, **asked)
