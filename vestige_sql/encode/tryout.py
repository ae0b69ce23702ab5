"""What is looked at when a model is tried out: whether its graph, its modules and its batches agree."""

from __future__ import annotations

import numpy as np

from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.graph import UNTOUCHED
from vestige_sql.encode.modules import SENTENCE, Module, Normalize, Pooling, after_pooling, dimensions
from vestige_sql.errors import ModelUnsupported

# The least cosine between a text's vector alone and beside others. Graphs that are quantised on the run differ by
# hundredths, and what mixes texts up differs by much more.
_SAME_TEXT = 0.9
# The least cosine between what a graph makes of a text and what its modules make.
_SAME_VECTOR = 0.999


def check_alone(files: ModelFiles, alone: Vectors, beside: Vectors) -> None:
    """Raise ``ModelUnsupported`` if a text's vector depends on the texts beside it."""
    if (found := cosine(alone, beside)) < _SAME_TEXT:
        raise ModelUnsupported(
            f"the model {files.name} gives a text another vector alone than beside others: their cosine is {found:.3f}",
            f"its graph does not mask padding, or mixes the texts of a call: export it again; {UNTOUCHED}",
        )


def check_both_outputs(files: ModelFiles, own: Vectors, made: Vectors) -> None:
    """Raise ``ModelUnsupported`` if a graph's ``own`` vector of a text is not the one that the modules made.

    Only where layers follow the pooling: a graph's own pooling is not used, and may differ.
    """
    layers = [module.kind for module in files.modules if not isinstance(module, Pooling | Normalize)]
    if layers and (own.shape != made.shape or cosine(own, made) < _SAME_VECTOR):
        raise ModelUnsupported(
            f"the graph {files.graph} has an output for tokens and the output {SENTENCE}, and the second is not what "
            f"{', '.join(layers)} of modules.json make of the first",
            "graph and modules.json are not of one model, or the graph stops before a layer: take both from one "
            f"repository, or export the graph without {SENTENCE}; {UNTOUCHED}",
        )


def left_to_do(files: ModelFiles, given: int) -> tuple[Module, ...]:
    """Return the modules that a graph leaves to do which makes one vector of a text, of ``given`` dimensions.

    Raises ``ModelUnsupported`` if its dimension does not say whether it has the layers after the pooling in it.
    """
    left = after_pooling(files.modules)
    if all(isinstance(module, Normalize) for module in left):
        return left
    final = dimensions(files.modules, files.hidden_size)[SENTENCE]
    last = [at for at, module in enumerate(files.modules) if isinstance(module, Pooling)][-1:]
    pooled = dimensions(files.modules[: last[0] + 1], files.hidden_size)[SENTENCE] if last else None
    if given == final != pooled:
        return left[-1:] if left[-1] == Normalize() else ()
    if given == pooled != final:
        return left
    raise ModelUnsupported(
        f"the graph {files.graph} makes one vector of {given} dimensions of a text, and nothing says whether "
        f"{', '.join(module.kind for module in left)} of modules.json are in it",
        f"export it with the output last_hidden_state; {UNTOUCHED}",
    )


def cosine(one: Vectors, other: Vectors) -> float:
    """Return the cosine of two vectors, 0 if one of them is zero."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    return float(a @ b / max(1e-300, float(np.linalg.norm(a) * np.linalg.norm(b))))
