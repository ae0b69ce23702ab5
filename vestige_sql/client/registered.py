"""Encodes questions with the model that a table is registered with, and notices when that changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, ModelSignature, Vectors
from vestige_sql.encode.recorded import load_as_recorded
from vestige_sql.encode.window import embed_queries
from vestige_sql.errors import ModelMismatch, TargetError

_Result = TypeVar("_Result")

# The model of before a switch is asked for until the switch, and never again.
_MOST_LOADED = 2

# A switch takes milliseconds, and two in a row are not heard of.
_ATTEMPTS = 3

Load = Callable[[ModelSignature, Mapping[str, Any] | None], Embedder]


def load_by_name(wanted: ModelSignature, recorded: Mapping[str, Any] | None) -> Embedder:
    """Load the model ``wanted`` by its name, a name on the hub or a folder, as its vectors were made.

    ``recorded`` is the registry's record of that. Raises what ``load_embedder`` raises.
    """
    return load_as_recorded(wanted.name, wanted, recorded)


def load_from(places: Mapping[str, str | Path]) -> Load:
    """Return what loads models by their names from ``places``: folders, or names on the hub, by registered name."""
    return lambda wanted, recorded: load_as_recorded(str(places.get(wanted.name, wanted.name)), wanted, recorded)


class RegisteredModel:
    """The model that a column of ``table`` is registered with, for encoding questions.

    ``connection`` is the application's own. ``table`` is read as SQL reads a qualified name. ``column`` names the
    column of vectors where several have a model. ``load`` returns the embedder of a signature and of the registry's
    record of how it makes vectors; where models lie in folders of other names, give ``load_from({name: folder})``.

    With ``bridge``, ``load`` may return another model than the registered one, such as the next or the former. The
    vectors of its questions then go through the map that ``vestige-sql migrate bridge`` has made: docs/bridge.md.

    A model is loaded when it is first asked for. One object serves several threads as far as its connection does.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        table: str,
        *,
        column: str | None = None,
        load: Load = load_by_name,
        bridge: bool = False,
    ) -> None:
        self._connection = connection
        self._table = table
        self._column = column
        self._load = load
        self._bridge = bridge
        self._loaded: dict[ModelSignature, Embedder] = {}
        self._loading = threading.Lock()

    def signature(self) -> ModelSignature:
        """Return the model that is registered now. Raises what :meth:`registered` raises."""
        return self.registered()[0]

    def registered(self) -> tuple[ModelSignature, Mapping[str, Any] | None]:
        """Return the model that is registered now, and the registry's record of how it makes vectors.

        Raises :class:`ModelMismatch` where none is, or several columns have one and none was named, and
        :class:`TargetError` where the table cannot be looked up.
        """
        found = self._query("client/registered.sql", {"target": self._table})
        models = [row for row in found if self._column in (None, row["column_name"])]
        if not models:
            raise ModelMismatch(
                f"no model is registered for {self._table}" + (f".{self._column}" if self._column else ""),
                "nothing was searched for; register it: vestige-sql migrate register --table .. --model ..",
            )
        if len(models) > 1:
            raise ModelMismatch(
                f"several columns of {self._table} have a model: {', '.join(row['column_name'] for row in models)}",
                "nothing was searched for; name the one that is searched: RegisteredModel(.., column=..)",
            )
        only = models[0]
        return ModelSignature(only["name"], only["dimension"], only["hash"]), only["encoding"]

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of questions: float32, shape ``(len(texts), dimension)``. The dimension is that of now.

        Raises :class:`CheckFailed` if the loaded model is not the registered one, and there is no map from it.
        """
        return self._encoded(*self.registered(), texts)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts that are to be stored: float32, shape ``(len(texts), dimension)``.

        A row that is written while the model is switched has to be checked by its writer: docs/online.md.
        """
        return self._embedder(*self.registered(), stored=True).embed_batch(texts)

    def ask(self, question: str, run: Callable[[Vectors], _Result]) -> _Result:
        """Return ``run(vector)`` for the vector of ``question``: float32, shape ``(dimension,)``.

        ``run`` sends the query. If the model was switched meanwhile, the question is encoded again with the new one,
        and ``run`` is called again: it must not write. Where the transaction is open, each call has a savepoint.

        Raises what ``run`` raises where the model was not switched, and :class:`ModelMismatch` where the model that
        was loaded is not the registered one.
        """
        registered = self.registered()
        for _ in range(_ATTEMPTS):
            vector = self._encoded(*registered, [question])[0]
            try:
                with self._connection.transaction():
                    result = run(vector)
            # Vectors of two dimensions, and a statement prepared before the column's dimension changed.
            except (psycopg.errors.DataException, psycopg.errors.FeatureNotSupported):
                if (now := self.registered()) == registered:
                    raise
            else:
                # Where both models have the same dimension, the server notices nothing.
                if (now := self.registered()) == registered:
                    return result
            registered = now
        raise ModelMismatch(
            f"the model of {self._table} was switched {_ATTEMPTS} times while one question was asked",
            "nothing was written; ask again",
        )

    def _query(self, name: str, values: Mapping[str, steps.Value]) -> list[dict[str, Any]]:
        with steps.translated():
            try:
                return steps.query(self._connection, name, values)
            except (
                psycopg.errors.UndefinedTable,
                psycopg.errors.InvalidSchemaName,
                psycopg.errors.UndefinedFunction,
            ) as error:
                raise TargetError(
                    f"the model of {self._table} cannot be looked up: {error.diag.message_primary}",
                    "nothing was searched for; check the table's name, and let the owner of the schema vestige_sql run "
                    "vestige-sql migrate up --package-only",
                ) from error

    def _encoded(self, wanted: ModelSignature, recorded: Mapping[str, Any] | None, texts: Sequence[str]) -> Vectors:
        """Return the vectors of questions in the space of ``wanted``, through the bridge where that is needed."""
        embedder = self._embedder(wanted, recorded)
        vectors = embed_queries(embedder, texts)
        if (given := embedder.signature()) == wanted:
            return vectors
        values: dict[str, steps.Value] = {"target": self._table, "model_hash": given.hash, "column": self._column}
        mapped = [
            self._query("client/bridged.sql", values | {"vector": f"[{','.join(map(str, vector.tolist()))}]"})
            for vector in vectors
        ]
        return np.array([rows[0]["vector"] for rows in mapped], np.float32).reshape(len(texts), wanted.dimension)

    def _embedder(
        self, wanted: ModelSignature, recorded: Mapping[str, Any] | None, *, stored: bool = False
    ) -> Embedder:
        with self._loading:
            embedder = self._loaded.get(wanted)
            # A stored vector is always the registered model's own.
            if embedder is None or (stored and embedder.signature() != wanted):
                embedder = self._load(wanted, recorded)
                if (given := embedder.signature()) != wanted and (stored or not self._bridge):
                    raise ModelMismatch(
                        f"{self._table} is registered with {wanted}, and what was loaded for it is {given}",
                        "nothing was searched for; give RegisteredModel(.., load=..) what loads the registered model, "
                        "with its prompts and its length",
                    )
                while len(self._loaded) >= _MOST_LOADED:
                    del self._loaded[next(iter(self._loaded))]
                self._loaded[wanted] = embedder
            return self._loaded[wanted]
