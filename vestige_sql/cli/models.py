"""The models and the engine that the options name."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige_sql.cli import shared
from vestige_sql.cli.options import ENDPOINT_OPTIONS
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.errors import DimensionMismatch, ModelNotFound, ModelUnsupported, UsageError

if TYPE_CHECKING:
    from vestige_sql.cluster.engine import RayEngine
    from vestige_sql.encode.endpoint import Endpoint

_UNTOUCHED = "nothing was written"

_RAY_OPTIONS = (
    "address",
    "workers",
    "gpus_per_worker",
    "threads_per_worker",
    "max_connections",
    "max_copies",
    "range_rows",
)


@dataclass(frozen=True)
class Source:
    """Where the encoder comes from, as the options say: a model's files, an endpoint, or a factory.

    Called with a number of threads, it loads the encoder on any machine. ``folder`` is where the command runs.
    ``asked`` is what the options say of a model with files beside its name.
    """

    model: str | None = None
    embedder: str | None = None
    endpoint: Endpoint | None = None
    device: str = "auto"
    folder: str | None = None
    asked: dict[str, Any] = field(default_factory=dict)

    def __call__(self, threads: int | None = None) -> Embedder:
        if self.embedder is not None:
            from vestige_sql.encode.own import load_own

            return load_own(self.embedder, threads=threads, folder=self.folder)
        if self.endpoint is not None:
            from vestige_sql.encode.remote import EndpointEmbedder

            return EndpointEmbedder(self.endpoint)
        # ONNX Runtime takes a moment to import, which others need not wait for.
        from vestige_sql.encode.onnx import load_embedder

        assert self.model is not None
        return load_embedder(self.model, threads=threads, device=self.device, **self.asked)


def source(args: argparse.Namespace, of: str = "", wanted: ModelSignature | None = None) -> Source:
    """Return where the encoder comes from.

    ``of`` is "old_" for the options that begin with it. ``wanted`` has the name and the dimension where the options
    leave them out. Raises ``UsageError`` for options that do not go together, or that name nothing.
    """
    model, embedder, url = (getattr(args, f"{of}{name}", None) for name in ("model", "embedder", "endpoint"))
    named = {name: value for name in ENDPOINT_OPTIONS if _given(value := getattr(args, name, None))}
    option = f"--{of}".replace("_", "-")
    asked = {} if of else asked_of(args)
    if embedder is not None and (model or url):
        raise UsageError(
            f"{option}embedder makes what encodes, and {option}{'model' if model else 'endpoint'} names something else",
            f"give one of them; {_UNTOUCHED}",
        )
    if url is None and named and not of:
        raise UsageError(
            f"--{next(iter(named)).replace('_', '-')} requires --endpoint", f"add --endpoint URL; {_UNTOUCHED}"
        )
    if url or embedder:
        for name in ("onnx_file", "graph_repo", "layer_norm_first", "precision"):
            if asked.get(name):
                raise UsageError(
                    f"--{name.replace('_', '-')} is for models whose files are at hand", f"leave it out; {_UNTOUCHED}"
                )
    if embedder is not None:
        for name in ("revision", "prompt", "query_prompt", "max_tokens"):
            if name in asked:
                raise UsageError(
                    f"--{name.replace('_', '-')} is for models on the hub and behind an endpoint, not for --embedder",
                    f"let the embedder do that, and say so in its signature; {_UNTOUCHED}",
                )
    if url is not None:
        return Source(endpoint=_endpoint(args, url, model, asked.get("revision"), named, wanted))
    if embedder is None and model is None and wanted is None:
        raise UsageError(
            "no model was named",
            "give --model NAME_OR_DIR, --endpoint URL --model NAME, or --embedder package.module:factory; "
            f"{_UNTOUCHED}",
        )
    if embedder is None and model is None and wanted is not None:
        model = wanted.name
    return Source(model, embedder, None, args.device, str(Path.cwd()), asked)


def asked_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say of a model beside its name, as ``load_embedder`` takes it."""
    names = (
        "revision",
        "onnx_file",
        "graph_repo",
        "prompt",
        "query_prompt",
        "max_tokens",
        "layer_norm_first",
        "dimension",
        "precision",
    )
    return {name: getattr(args, name) for name in names if getattr(args, name, None) is not None}


def _given(value: Any) -> bool:
    """Whether an option was given. 0 and the empty text were."""
    return value is not None and value is not False


def _endpoint(
    args: argparse.Namespace,
    url: str,
    model: str | None,
    revision: str | None,
    named: dict[str, Any],
    wanted: ModelSignature | None,
) -> Endpoint:
    from vestige_sql.encode.endpoint import Endpoint

    name, dimension = model or (wanted.name if wanted else None), getattr(args, "dimension", None)
    if name is None:
        raise UsageError(
            "--endpoint needs the name of a model there", f"add --model NAME, as the service lists it; {_UNTOUCHED}"
        )
    if dimension is None and wanted is not None:
        dimension = wanted.dimension
    assert dimension is not None
    said = {name: getattr(args, name) for name in ("prompt", "query_prompt", "max_tokens")}
    named |= {name: value for name, value in said.items() if value is not None}
    return Endpoint(url, name, dimension, revision or "", **named)


def load(args: argparse.Namespace) -> Embedder:
    """Load the encoder that the options name.

    Raises ``DimensionMismatch`` where it has another dimension than ``--dimension`` says, and what loading it raises.
    """
    found = source(args)
    if args.json and found.model is not None:
        _without_progress_bars()
    embedder = shared.once(("model", found), found)
    if getattr(args, "dimension", None) not in (None, embedder.dimension):
        raise DimensionMismatch(
            f"--dimension is {args.dimension}, and the model {embedder.model_name} has {embedder.dimension} dimensions",
            f"run again with --dimension {embedder.dimension}, or with another model; nothing was written",
        )
    return embedder


def named(args: argparse.Namespace) -> ModelSignature:
    """Return the signature of the model that ``--name`` names, none of whose files is at hand.

    It is the one of that model behind an endpoint. Raises ``UsageError`` for options that say more than is known.
    """
    from vestige_sql.encode.named import named_signature

    for other in ("model", "endpoint", "embedder", "onnx_file", "graph_repo", "max_tokens", *ENDPOINT_OPTIONS):
        if _given(getattr(args, other)):
            raise UsageError(
                f"--{other.replace('_', '-')} was given with --name, which is for a model that is not at hand",
                f"leave one of them out; {_UNTOUCHED}",
            )
    return named_signature(args.name, args.dimension, revision=args.revision or "", prompt=args.prompt or "")


def _without_progress_bars() -> None:
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()


def load_same(
    wanted: ModelSignature, args: argparse.Namespace, of: str = "", *, recorded: dict[str, Any] | None = None
) -> Embedder:
    """Load the model ``wanted`` from where the options say, or by its name. ``of`` is as for :func:`source`.

    ``recorded`` is what the registry's record says of how it makes vectors, None for nothing; ``asked`` are the options
    that were given, which count before it.

    Raises ``ModelNotFound`` where it cannot be resolved by its name, ``ModelMismatch`` where that is another.
    """
    from vestige_sql.encode.recorded import load_as_recorded
    from vestige_sql.vestige.search import check_same

    option = f"--{of}".replace("_", "-")
    found = source(args, of, wanted)
    given = getattr(args, f"{of}model", None) or found.embedder or found.endpoint
    if args.json and found.model is not None:
        _without_progress_bars()
    try:
        if found.model is None:
            embedder = found()
        else:
            embedder = load_as_recorded(found.model, wanted, recorded, device=found.device, **found.asked)
    except (ModelNotFound, ModelUnsupported) as error:
        if given:
            raise
        raise ModelNotFound(
            f"the model {wanted} cannot be resolved by its name: {error}",
            f"name its folder with {option}model, or what makes its vectors with {option}endpoint or {option}embedder",
        ) from error
    hint = (
        f"name the folder of the same files with {option}model, and give --prompt and --max-tokens as it was registered"
    )
    if found.endpoint is not None:
        hint = "give the --model, --revision, --prompt and --max-tokens that the vectors were made with"
    elif found.embedder is not None:
        hint = f"name the factory that made the vectors with {option}embedder"
    check_same(embedder.signature(), wanted, "the vectors", hint)
    return embedder


def engine(args: argparse.Namespace) -> RayEngine | None:
    """Return what encodes on many machines, None where this process does.

    Raises ``UsageError`` for an option of Ray's without ``--engine ray``, for a limit that many machines would not
    keep together, and what ``RayEngine`` raises.
    """
    options = {name: value for name in _RAY_OPTIONS if (value := getattr(args, name)) is not None}
    found = source(args)
    if args.engine == "here":
        if options:
            raise UsageError(f"--{next(iter(options)).replace('_', '-')} requires --engine ray", "Add --engine ray.")
        return None
    if found.endpoint is not None:
        for name in ("spend_limit", "token_limit", "requests_per_minute", "tokens_per_minute"):
            if getattr(found.endpoint, name) is not None:
                raise UsageError(
                    f"--{name.replace('_', '-')} cannot be kept with --engine ray, where each worker asks by itself",
                    f"leave --engine ray out: an endpoint needs no other machine, only --calls-at-once; {_UNTOUCHED}",
                )
    from vestige_sql.cluster.engine import RayEngine
    from vestige_sql.database.settings import connection_limit
    from vestige_sql.encode.hub import model_folder

    options.setdefault("max_connections", connection_limit())
    if found.model is not None and (folder := model_folder(found.model)):
        # The nodes look for a folder from wherever Ray has started them.
        found = replace(found, model=os.path.abspath(folder))  # noqa: PTH100
    return RayEngine(**options, load=found)
