"""The models and the engine that the options name."""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import DimensionMismatch, ModelNotFound, ModelUnsupported, UsageError

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
    revision: str | None = None,
    onnx_file: str | None = None,
    *,
    device: str,
    quiet: bool,
) -> OnnxEmbedder:
    """Load the model ``wanted`` from where ``given``, the value of ``option``, says, or by its name.

    Raises ``ModelNotFound`` where it cannot be resolved by its name, ``ModelMismatch`` where that is another.
    """
    from huggingface_hub.utils import disable_progress_bars

    from vestige_sql.encode.onnx import load_embedder
    from vestige_sql.vestige.search import check_same

    if quiet:
        disable_progress_bars()
    try:
        embedder = load_embedder(given or wanted.name, revision=revision, onnx_file=onnx_file, device=device)
    except (ModelNotFound, ModelUnsupported) as error:
        if given:
            raise
        raise ModelNotFound(
            f"the model {wanted} cannot be resolved by its name: {error}", f"name its folder with {option}"
        ) from error
    check_same(embedder.signature(), wanted, "the vectors", f"name the folder of the same files with {option}")
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
