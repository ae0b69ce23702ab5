"""Which model made a source's vectors: the model to register, or why they are not copied."""

from __future__ import annotations

from typing import Any

import psycopg

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import ModelMismatch, TargetError
from vestige_sql.plan import CopyPlan
from vestige_sql.reembed.decide import check_dimension, count_rows, difference
from vestige_sql.reembed.target import Probed
from vestige_sql.vestige.source import Source, SourceModel

NOTHING = "nothing was written"

_ELSE_TEXT = "copy only the text with --without-embeddings and encode it with one model: vestige-sql migrate reembed"


def settle_model(
    conn: psycopg.Connection[Any], source: Source, probed: Probed, plan: CopyPlan, offered: ModelSignature | None
) -> ModelSignature | None:
    """Return the model of the vectors to copy, None if none are to be copied.

    A column never holds vectors of two models, nor of a model that is not the registered one. The source states the
    model's name, and its hash only if it has a registry with one. A name is no signature: if neither PostgreSQL nor the
    source has the hash, the user must name the model with ``offered``. Nothing is made up.

    Raises :class:`ModelMismatch` if the model is not known or not the registered one, and :class:`TargetError` if the
    column cannot store the vectors.
    """
    model = source.model
    if not plan.embeddings or model is None:
        return None
    if len(source.models) > 1:
        raise ModelMismatch(
            f"the vectors of {source.path} come from several models: "
            + ", ".join(f"{name or 'unnamed'} ({rows:,})" for name, rows in source.models.items()),
            f"vectors of several models do not mix, so {_ELSE_TEXT}; {NOTHING}",
        )
    if probed.table["embedding_type"] != "vector":
        raise TargetError(
            f"{probed.column} is of type {probed.table['embedding_full_type']}, which cannot store float32 bit for bit",
            f"{_ELSE_TEXT}; {NOTHING}",
        )
    if offered is None and model.name is None:
        raise ModelMismatch(
            f"{source.path} does not state the model of its vectors",
            f"name it with --model NAME_OR_DIR, or {_ELSE_TEXT}; {NOTHING}",
        )
    if offered is not None and not _is(model, offered):
        raise ModelMismatch(
            f"the vectors of {source.path} are of {model}, and --model is {offered}",
            f"name the model that made them, or {_ELSE_TEXT}; {NOTHING}",
        )
    registered = probed.model
    if registered is not None:
        if not _is(model, registered):
            raise ModelMismatch(
                f"the vectors of {source.path} are of {model}, and {probed.column} is registered under {registered}",
                f"{_ELSE_TEXT}; {NOTHING}",
            )
        if offered is not None and offered != registered:
            raise ModelMismatch(
                f"{probed.column} is registered under {registered}, and --model is {offered}: "
                + difference(registered, offered),
                f"leave --model out, or {_ELSE_TEXT}; {NOTHING}",
            )
        return registered
    counts = count_rows(conn, probed)
    if counts["rows_with_text"] > counts["rows_missing"]:
        raise ModelMismatch(
            f"{probed.column} has vectors, and no model is registered for them",
            f"register their model first: vestige-sql migrate register --model NAME_OR_DIR; {NOTHING}",
        )
    signature = offered or _said_by(model)
    if signature is None:
        raise ModelMismatch(
            f"no model is registered for {probed.column}, and {source.path} states only {model}",
            "name the model that made the vectors with --model NAME_OR_DIR, which registers it, or register it with "
            f"vestige-sql migrate register, or {_ELSE_TEXT}; {NOTHING}",
        )
    check_dimension(signature)
    return signature


def _is(model: SourceModel, signature: ModelSignature) -> bool:
    """Return whether ``signature`` agrees with everything that the source states about its model.

    A model from a folder has no owner in its name, so all-MiniLM-L6-v2 counts as
    sentence-transformers/all-MiniLM-L6-v2.
    """
    names = (model.name or signature.name, signature.name)
    without_owner = {name.rpartition("/")[2] for name in names}
    same_name = names[0] == names[1] or (len(without_owner) == 1 and any("/" not in name for name in names))
    return same_name and model.dimension == signature.dimension and model.hash in (None, signature.hash)


def _said_by(model: SourceModel) -> ModelSignature | None:
    """Return the model's signature if the source states all of it, else None."""
    try:
        return ModelSignature(model.name or "", model.dimension, model.hash or "")
    except ValueError:
        return None
