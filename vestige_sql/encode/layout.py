"""Reads modules.json and the configuration of each module that it lists."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from vestige_sql.encode.config import ANOTHER, flag, read_json, whole
from vestige_sql.encode.graph import AGAIN, UNTOUCHED, inside
from vestige_sql.encode.modules import (
    ACTIVATIONS,
    POOLINGS,
    SENTENCE,
    TOKENS,
    Dense,
    LayerNorm,
    Module,
    Normalize,
    Pooling,
    StaticEmbedding,
)
from vestige_sql.encode.weights import WEIGHT_FILES, weights_file
from vestige_sql.errors import ModelUnsupported

KINDS = ("Transformer", "StaticEmbedding", "Pooling", "Normalize", "Dense", "LayerNorm", "Dropout")
"""The modules that the encoder knows. Dropout does nothing outside training."""

_FIRST = ("Transformer", "StaticEmbedding")
_WITH_WEIGHTS = ("StaticEmbedding", "Dense", "LayerNorm")

# Older pooling configs have one flag per mode; newer ones say "pooling_mode" with the short name.
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


def listed(name: str, folder: Path) -> list[tuple[str, Path]]:
    """Return kind and folder of each module of a model.

    Raises ``ModelUnsupported`` if modules.json is missing or damaged, lists a module that the encoder does not know or
    one outside the model's folder, or does not begin with the module that reads texts.
    """
    path = folder / "modules.json"
    if not path.is_file():
        raise ModelUnsupported(
            f"the model {name} has no modules.json, so nothing says how its tokens are pooled to one vector",
            "download the original model in sentence-transformers layout, and put this graph into its onnx folder; "
            f"{UNTOUCHED}",
        )
    found = []
    for module in read_json(path, list):
        if not isinstance(module, dict) or not all(isinstance(module.get(key), str) for key in ("type", "path")):
            raise ModelUnsupported(f"{path} does not state type and path of each module", AGAIN)
        package, _, kind = module["type"].rpartition(".")
        if package.split(".")[0] != "sentence_transformers" or kind not in KINDS or "sparse_encoder" in package:
            raise ModelUnsupported(
                f"the model {name} needs the module {module['type']}, which the encoder does not support",
                f"use a model of {', '.join(KINDS)} only, or encode with its author's own code: "
                f"--embedder package.module:factory; {UNTOUCHED}",
            )
        at = module["path"]
        if PurePosixPath(at).parts and not inside(at):
            raise ModelUnsupported(f"the model {name} has a module outside its folder: {at}", AGAIN)
        found.append((kind, folder / at))
    kinds = [kind for kind, _ in found]
    if not kinds or kinds[0] not in _FIRST or any(kind in _FIRST for kind in kinds[1:]):
        raise ModelUnsupported(
            f"the model {name} consists of the modules {', '.join(kinds) or '(none)'}",
            "use a model that begins with Transformer or StaticEmbedding, and has no other of the two after it; "
            f"{UNTOUCHED}",
        )
    return found


def weights_wanted(name: str, folder: Path) -> list[str]:
    """Return the files with weights of modules that the model may have, relative to its folder: for a download."""
    return [
        (path.relative_to(folder) / file).as_posix()
        for kind, path in listed(name, folder)
        if kind in _WITH_WEIGHTS
        for file in WEIGHT_FILES
    ]


def weights_complete(name: str, folder: Path) -> bool:
    """Whether the folder has the weights of each module that needs some."""
    return all(weights_file(path) for kind, path in listed(name, folder) if kind in _WITH_WEIGHTS)


def read_modules(name: str, folder: Path) -> tuple[Path, tuple[Module, ...]]:
    """Return the folder of the module that reads texts, and the modules after it; StaticEmbedding is the first itself.

    Raises ``ModelUnsupported`` as :func:`listed`, and for a module that is configured in a way that is not known, takes
    what no module before it gives, or lacks its weights.
    """
    found = listed(name, folder)
    modules = [read for kind, path in found if (read := _read(name, kind, path)) is not None]
    kinds = ", ".join(kind for kind, _ in found)
    given = {"input_ids"} if found[0][0] == "StaticEmbedding" else {TOKENS}
    for module in modules:
        if module.takes not in given:
            raise ModelUnsupported(
                f"the model {name} consists of the modules {kinds}: {module.kind} takes {module.takes}, which none "
                "before it gives",
                ANOTHER,
            )
        given.add(module.gives)
    if SENTENCE not in given:
        raise ModelUnsupported(
            f"the model {name} consists of the modules {kinds}, which make no vector of a text",
            f"add the Pooling that its author names to modules.json; {UNTOUCHED}",
        )
    return found[0][1], tuple(modules)


def _read(name: str, kind: str, path: Path) -> Module | None:
    """Return the module in the folder ``path``; None for one that changes nothing after the first."""
    match kind:
        case "StaticEmbedding":
            return StaticEmbedding(weights=_weights(name, kind, path))
        case "Pooling":
            return _pooling(name, path / "config.json")
        case "Normalize":
            return _normalize(name, path / "config.json")
        case "Dense":
            return _dense(name, path)
        case "LayerNorm":
            dimension = whole(name, _config(name, path / "config.json", ("dimension",)), "dimension")
            return LayerNorm(dimension=_stated(name, path, "dimension", dimension), weights=_weights(name, kind, path))
    return None


def _pooling(name: str, path: Path) -> Pooling:
    sizes = ("embedding_dimension", "word_embedding_dimension")  # older files say word_embedding_dimension
    config = _config(name, path, (*sizes, "pooling_mode", "include_prompt", *_POOLING_FLAGS))
    modes = config.get("pooling_mode") or [mode for flag, mode in _POOLING_FLAGS.items() if config.get(flag)]
    modes = modes if isinstance(modes, list) else [modes]
    if not modes or not all(isinstance(mode, str) and mode in POOLINGS for mode in modes):
        said = " and ".join(map(str, modes)) + " pooling" if modes else f"no pooling mode in {path}"
        raise ModelUnsupported(
            f"the model {name} asks for {said}, which the encoder does not support",
            f"use a model that pools by {', '.join(POOLINGS)}; {UNTOUCHED}",
        )
    stated = [whole(name, config, key) for key in sizes]
    return Pooling(
        modes=tuple(modes),
        include_prompt=flag(name, config, "include_prompt") is not False,
        dimension=stated[0] or stated[1],
    )


def _normalize(name: str, path: Path) -> Normalize:
    # sentence-transformers passes over other keys of this file.
    takes, gives = _places(name, read_json(path))
    if takes not in (TOKENS, SENTENCE):
        raise ModelUnsupported(f"the model {name} normalises {takes}, and the encoder only {TOKENS} and {SENTENCE}",
                               ANOTHER)  # fmt: skip
    return Normalize(takes, gives)


def _dense(name: str, path: Path) -> Dense:
    keys = ("in_features", "out_features", "bias", "activation_function", "use_residual")
    config = _config(name, path / "config.json", (*keys, "module_input_name", "module_output_name"))
    takes, gives = _places(name, config)
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    known = isinstance(activation, str) and activation.startswith("torch.")
    short = activation.rpartition(".")[2] if known else ""
    if short not in ACTIVATIONS:
        raise ModelUnsupported(
            f"the Dense layer of the model {name} ends with {activation}, and the encoder knows "
            f"{', '.join(ACTIVATIONS)}",
            ANOTHER,
        )
    return Dense(
        takes,
        gives,
        _weights(name, "Dense", path),
        in_features=_stated(name, path, "in_features", whole(name, config, "in_features")),
        out_features=_stated(name, path, "out_features", whole(name, config, "out_features")),
        bias=flag(name, config, "bias") is not False,
        activation=short,
        use_residual=bool(flag(name, config, "use_residual")),
    )


def _places(name: str, config: dict[str, Any]) -> tuple[str, str]:
    """Return the names of what a module takes and gives."""
    takes = config.get("module_input_name") or SENTENCE
    gives = config.get("module_output_name") or takes
    for place in (takes, gives):
        if not isinstance(place, str):
            raise ModelUnsupported(f"the model {name} has a module that takes or gives {place!r}, not a name", AGAIN)
    return takes, gives


def _config(name: str, path: Path, known: tuple[str, ...]) -> dict[str, Any]:
    """Return a module's configuration. A key that is not ``known`` may change vectors in a way that is not known."""
    config: dict[str, Any] = read_json(path)
    unknown = sorted(key for key, value in config.items() if key not in known and value not in (None, False))
    if unknown:
        raise ModelUnsupported(
            f"the model {name} sets {', '.join(unknown)} in {path}, which the encoder does not know",
            f"upgrade vestige-sql, or {ANOTHER}",
        )
    return config


def _stated(name: str, path: Path, key: str, value: int | None) -> int:
    if value is None or value < 1:
        raise ModelUnsupported(f"the model {name} does not state {key} in {path / 'config.json'}", AGAIN)
    return value


def _weights(name: str, kind: str, path: Path) -> Path:
    found = weights_file(path)
    if found is None:
        raise ModelUnsupported(
            f"the model {name} is not complete: the weights of its module {kind} are missing, {WEIGHT_FILES[0]} or "
            f"{WEIGHT_FILES[1]}",
            f"put that file into {path}; {UNTOUCHED}",
        )
    return found
