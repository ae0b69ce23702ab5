"""An encoder of the user's own: a factory in a module, by its name."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vestige_sql.encode.embedder import Embedder, ModelSignature, Vectors
from vestige_sql.errors import EncoderError, ModelNotFound, ModelUnsupported, UsageError, VestigeError

_UNTOUCHED = "nothing was written"
_NEEDED = ("model_name", "dimension", "signature", "embed_batch")


def load_own(place: str, *, threads: int | None = None, folder: str | None = None) -> Embedder:
    """Return what the factory ``place``, "package.module:factory", returns: an embedder.

    Modules in ``folder`` are found too, by default the current one, after those that are installed. The factory gets
    ``threads`` if it has a parameter of that name: how many cores to use, or None. Whatever the embedder raises while
    it embeds becomes an ``EncoderError``.

    Raises ``UsageError`` if ``place`` is malformed, ``ModelNotFound`` if there is no such module or factory, and
    ``ModelUnsupported`` if the factory fails or returns no embedder.
    """
    module_name, _, factory_name = place.partition(":")
    names = [*module_name.split("."), *factory_name.split(".")]
    if not all(name.isidentifier() for name in names):
        raise UsageError(
            f"--embedder {place!r} does not name a factory",
            f"write it as package.module:factory; {_UNTOUCHED}",
        )
    here = folder or str(Path.cwd())
    if here not in sys.path:
        # At the end: a file that happens to lie here takes no installed module's place.
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ModelUnsupported(
                f"the module {module_name} cannot be imported: {error}", f"install what it needs; {_UNTOUCHED}"
            ) from error
        raise ModelNotFound(
            f"there is no module {error.name}",
            f"install it, set PYTHONPATH, or run the command in the folder that has it; {_UNTOUCHED}",
        ) from error
    except VestigeError:
        raise
    # A module may do anything when it is imported.
    except Exception as error:
        raise ModelUnsupported(
            f"the module {module_name} fails when it is imported: {type(error).__name__}: {error}",
            f"mend it; {_UNTOUCHED}",
        ) from error
    for name in factory_name.split("."):
        if not hasattr(found, name):
            raise ModelNotFound(
                f"the module {module_name} has no {factory_name}",
                f"give --embedder a function or class of that module; {_UNTOUCHED}",
            )
        found = getattr(found, name)
    if not callable(found):
        raise ModelUnsupported(
            f"{place} is no function or class, but of type {type(found).__name__}",
            f"give --embedder what makes the embedder; {_UNTOUCHED}",
        )
    return _checked(place, _made(place, found, threads))


def _made(place: str, factory: Any, threads: int | None) -> Any:
    try:
        wants = "threads" in inspect.signature(factory).parameters
    except (TypeError, ValueError):
        wants = False
    try:
        return factory(threads=threads) if wants else factory()
    except VestigeError:
        raise
    except Exception as error:
        raise ModelUnsupported(
            f"{place} made no embedder: {type(error).__name__}: {error}",
            f"it is called without arguments, but for threads if it has such a parameter; {_UNTOUCHED}",
        ) from error


def _checked(place: str, made: Any) -> Embedder:
    if missing := [name for name in _NEEDED if not hasattr(made, name)]:
        raise ModelUnsupported(
            f"{place} made an object of type {type(made).__name__} that has no {', '.join(missing)}",
            f"make it as vestige_sql.Embedder says; {_UNTOUCHED}",
        )
    try:
        signature = made.signature()
    except VestigeError:
        raise
    except Exception as error:
        raise ModelUnsupported(
            f"the embedder of {place} fails to give its signature: {type(error).__name__}: {error}",
            f"make it as vestige_sql.Embedder says; {_UNTOUCHED}",
        ) from error
    if not isinstance(signature, ModelSignature):
        raise ModelUnsupported(
            f"the embedder of {place} gives an object of type {type(signature).__name__} as its signature",
            f"return a vestige_sql.ModelSignature; {_UNTOUCHED}",
        )
    return _Own(made)


class _Own:
    """An embedder of the user's own, whose failures say what failed."""

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_embedder":
            raise AttributeError(name)
        found = getattr(self._embedder, name)
        return self._telling(found) if name in ("embed_queries", "token_counts") and callable(found) else found

    @property
    def model_name(self) -> str:
        name: str = self._embedder.model_name
        return name

    @property
    def dimension(self) -> int:
        dimension: int = self._embedder.dimension
        return dimension

    def signature(self) -> ModelSignature:
        signature: ModelSignature = self._embedder.signature()
        return signature

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        vectors: Vectors = self._telling(self._embedder.embed_batch)(texts)
        return vectors

    def _telling(self, call: Any) -> Any:
        def told(texts: Sequence[str]) -> Any:
            try:
                return call(texts)
            except VestigeError:
                raise
            except Exception as error:
                raise EncoderError(
                    f"the embedder {self._embedder.model_name} failed on a call of {len(texts)} texts: "
                    f"{type(error).__name__}: {error}",
                    "what was committed stays staged; once it is mended, the same command resumes; the table is as it "
                    "was",
                ) from error

        return told
