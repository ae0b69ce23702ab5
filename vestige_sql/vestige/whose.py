"""Which model made a source's vectors: the model to register, or why they are not copied."""

from __future__ import annotations

from typing import Any

import psycopg

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import ModelMismatch, SourceError, TargetError
from vestige_sql.plan import CopyPlan
from vestige_sql.reembed.decide import check_dimension, count_rows, difference
from vestige_sql.reembed.target import Probed
from vestige_sql.vestige.source import Source
from vestige_sql.vestige.vectors import (
    NEWEST_KNOWN,
    Kept,
    SourceModel,
    Vectors,
    centroids,
    older_than_their_memory,
)

NOTHING = "nothing was written"

_ELSE_TEXT = "copy only the text with --without-embeddings and encode it with one model: vestige-sql migrate reembed"


def settle_model(
    conn: psycopg.Connection[Any], source: Source, probed: Probed, plan: CopyPlan, offered: ModelSignature | None
) -> tuple[ModelSignature | None, Kept | None]:
    """Return the model of the vectors to copy and which ones these are, or None and None if none are to be copied.

    A column never holds vectors of two models, nor of a model that is not the registered one. The source states the
    model's name, and its hash only if it has a registry with one. A name is no signature: if neither PostgreSQL nor the
    source has the hash, the user must name the model with ``offered``. Nothing is made up.

    Of several models in the source those vectors are kept whose model ``offered`` names, or else the registry of
    PostgreSQL, or else the source itself.

    Raises :class:`SourceError` if the vectors cannot be read, :class:`ModelMismatch` if the model is not known or not
    the registered one, and :class:`TargetError` if the column cannot store the vectors.
    """
    if not plan.embeddings:
        return None, None
    check_readable(source)
    vectors = source.vectors
    if vectors is None or not vectors.models:
        return None, None
    registered = probed.model
    models = _named(source, vectors, offered or registered)
    if probed.table["embedding_type"] != "vector":
        raise TargetError(
            f"{probed.column} is of type {probed.table['embedding_full_type']}, which cannot store float32 bit for bit",
            f"{_ELSE_TEXT}; {NOTHING}",
        )
    if offered is None and models[0].name is None:
        raise ModelMismatch(
            f"{source.path} does not state the model of its vectors",
            f"name it with --model NAME_OR_DIR, or {_ELSE_TEXT}; {NOTHING}",
        )
    if offered is not None and not _is(models[0], offered):
        raise ModelMismatch(
            f"the vectors of {source.path} are of {_listed(models)}, and --model is {offered}",
            f"name the model that made them, or {_ELSE_TEXT}; {NOTHING}",
        )
    if registered is not None:
        if not _is(models[0], registered):
            raise ModelMismatch(
                f"the vectors of {source.path} are of {_listed(models)}, and {probed.column} is registered under "
                f"{registered}",
                f"{_ELSE_TEXT}; {NOTHING}",
            )
        if offered is not None and offered != registered:
            raise ModelMismatch(
                f"{probed.column} is registered under {registered}, and --model is {offered}: "
                + difference(registered, offered),
                f"leave --model out, or {_ELSE_TEXT}; {NOTHING}",
            )
        return registered, vectors.kept(models)
    counts = count_rows(conn, probed)
    if counts["rows_with_text"] > counts["rows_missing"]:
        raise ModelMismatch(
            f"{probed.column} has vectors, and no model is registered for them",
            f"register their model first: vestige-sql migrate register --model NAME_OR_DIR; {NOTHING}",
        )
    signature = offered or _said_by(models[0])
    if signature is None:
        raise ModelMismatch(
            f"no model is registered for {probed.column}, and {source.path} states only {models[0]}",
            "name the model that made the vectors with --model NAME_OR_DIR, which registers it, or register it with "
            f"vestige-sql migrate register, or {_ELSE_TEXT}; {NOTHING}",
        )
    check_dimension(signature)
    return signature, vectors.kept(models)


def check_readable(source: Source) -> None:
    """Raise :class:`SourceError` if the source's vectors cannot be read, or may be where this package does not look."""
    if source.unreadable is not None:
        raise SourceError(
            f"the vectors of {source.path} cannot be read: {source.unreadable}", f"{_ELSE_TEXT}; {NOTHING}"
        )
    if source.unknown:
        raise SourceError(
            f"{source.path} has version {source.version}, newer than {NEWEST_KNOWN}, the newest known, and its vectors "
            f"may be in tables that are not known: {', '.join(source.unknown)}",
            f"update vestige-sql, or {_ELSE_TEXT}; {NOTHING}",
        )


def said_of_vectors(
    source: Source, model: ModelSignature | None, kept: Kept | None
) -> tuple[str | None, dict[str, int], list[str]]:
    """Return the active profile's id, how many vectors stay behind, by the reason, and what a user should know."""
    vectors = source.vectors
    if vectors is None:
        return None, {}, []
    profile = vectors.profile
    active = None if profile is None else profile.id
    if model is None or kept is None:
        return active, {}, ["vectors are not copied; vestige-sql migrate reembed encodes the memories"]
    notes = []
    if profile is not None:
        notes.append(
            f"the vectors are those of the active embedding profile {profile.id}, which encodes a text as "
            f"{profile.template}: {model} must do the same"
        )
    left = vectors.left(kept)
    if left:
        notes.append(
            f"vectors stay behind: {', '.join(f'{reason}: {rows:,}' for reason, rows in left.items())}; a memory "
            f"without a vector of {model.name} has none in PostgreSQL, and vestige-sql migrate reembed encodes it"
        )
    if not kept.centroids and (domains := centroids(source.conn, source.columns)):
        notes.append(f"the centroids of {domains:,} domains stay behind, for they do not say whose vectors they are of")
    if older := older_than_their_memory(source.conn, vectors, kept):
        notes.append(
            f"{older:,} of the vectors were made before their memory last changed, and may be of its former text: "
            "docs/copy.md says how to encode these memories anew"
        )
    return active, left, notes


def _named(source: Source, vectors: Vectors, wanted: ModelSignature | None) -> list[SourceModel]:
    """Return the model whose vectors are kept, under each of its names in the source.

    ``wanted`` is the model that the user or PostgreSQL names. If the source has no vectors of it, all its models are
    returned. Raises :class:`ModelMismatch` if it has several and nothing names one.
    """
    models = list(vectors.models)
    stated = vectors.stated
    if wanted is not None:
        found = [model for model in models if _is(model, wanted)]
        if not found:
            return models
        # What has no name may be of the model that is named here, but only if nothing else is.
        named = [model for model in found if model.name is not None]
        found = [model for model in named if model.name == wanted.name] or named or found
        if _one(found) and (named or found == models):
            return found
    else:
        found = models if stated is None else [model for model in models if stated.same(model)]
        if found and _one(found):
            return found
    raise ModelMismatch(
        f"the vectors of {source.path} come from several models: {_counted(vectors)}",
        "name the one whose vectors to keep with --model NAME_OR_DIR: vestige-sql migrate reembed then encodes the "
        f"memories of the others; or {_ELSE_TEXT}; {NOTHING}",
    )


def _one(models: list[SourceModel]) -> bool:
    """Return whether the models are one under several names."""
    return len(models) == 1 or all(
        one.name is not None and other.name is not None and one.same(other) for one in models for other in models
    )


def _counted(vectors: Vectors) -> str:
    """Return the models and how many vectors each has, with their dimensions if these differ."""
    counted = dict(vectors.models)
    if vectors.stated is not None and not any(vectors.stated.same(model) for model in counted):
        counted[vectors.stated] = 0
    several = len({model.dimension for model in counted}) > 1
    return ", ".join(
        f"{model.name or 'unnamed'} ({f'{model.dimension} dimensions, ' if several else ''}{rows:,})"
        for model, rows in counted.items()
    )


def _listed(models: list[SourceModel]) -> str:
    return " and ".join(str(model) for model in models)


def _is(model: SourceModel, signature: ModelSignature) -> bool:
    """Return whether ``signature`` agrees with everything that the source states about its model."""
    return model.same(SourceModel(signature.name, signature.dimension, None)) and model.hash in (None, signature.hash)


def _said_by(model: SourceModel) -> ModelSignature | None:
    """Return the model's signature if the source states all of it, else None."""
    try:
        return ModelSignature(model.name or "", model.dimension, model.hash or "")
    except ValueError:
        return None
