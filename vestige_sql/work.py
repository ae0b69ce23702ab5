"""What there is to do on a target: the decision between all rows, those that lack a vector, the index, and nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from . import steps
from .apply import choose_way
from .embedder import Embedder, ModelSignature
from .errors import CheckFailed, DimensionMismatch, IndexInvalid, StagedForAnother, TargetError
from .report import ReembedPlan
from .target import MAX_DIMENSION, VECTOR_TYPES, Probed, blockers

_HNSW_DIMENSIONS = 2_000
_HNSW_DIMENSIONS_HALFVEC = 4_000


@dataclass(frozen=True)
class Work:
    """What there is to do: ``scope`` is "all", "missing", "index" or None for nothing."""

    scope: str | None
    rows: int
    rows_blank: int
    rows_total: int


def check_embedder(embedder: Embedder) -> ModelSignature:
    """Return the embedder's signature.

    Raises :class:`DimensionMismatch` where it is not about the dimension that the embedder has.
    """
    signature = embedder.signature()
    if signature.dimension != embedder.dimension:
        raise DimensionMismatch(
            f"the embedder {embedder.model_name} has {embedder.dimension} dimensions, but its signature says "
            f"{signature.dimension}",
            "nothing was written",
        )
    check_dimension(signature)
    return signature


def check_dimension(signature: ModelSignature) -> None:
    if signature.dimension > MAX_DIMENSION:
        raise DimensionMismatch(
            f"{signature} has more dimensions than pgvector stores, {MAX_DIMENSION:,}", "nothing was written"
        )


def index_possible(probed: Probed, dimension: int) -> bool:
    """Whether pgvector can build an HNSW index for ``dimension`` on this server."""
    halfvec = probed.table["halfvec_exists"]
    return dimension <= (_HNSW_DIMENSIONS_HALFVEC if halfvec else _HNSW_DIMENSIONS)


def warning(probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan, way: str) -> str:
    """Return what readers and writers of the table will notice, for people."""
    lines = [f"About to re-embed {work.rows:,} rows of {probed.column} with {signature}."]
    if work.scope == "index":
        lines = [f"About to build the missing index of {probed.column}."]
    elif work.scope == "missing":
        lines = [f"About to embed the {work.rows:,} rows of {probed.column} that lack a vector."]
    if work.scope != "index":
        lines.append("While rows are encoded, readers and writers notice nothing; search goes on in the old space.")
    if work.scope == "all":
        if plan.concurrent_index:
            lines.append(
                f"Then the table is locked for everybody while the vectors are put in place ({way}); after that the "
                "index is built with readers and writers going on, and until it is there searches scan the table."
            )
        else:
            lines.append(f"Then the table is locked for everybody, until vectors ({way}) and index are in place.")
        lines.append(
            "A transaction that began before and reads the table only afterwards sees it empty; clients' prepared "
            "statements on the column fail until they reconnect, and queries must be encoded with the new model from "
            "then on."
        )
    elif work.scope == "missing":
        lines.append("Then writers wait while those vectors are written; readers go on.")
    elif plan.concurrent_index:
        lines.append("Readers and writers go on.")
    else:
        lines.append("Writers wait while it is built; readers go on.")
    return "\n".join(lines + notes(probed, signature, work))


def notes(probed: Probed, signature: ModelSignature, work: Work) -> list[str]:
    said = []
    if work.scope == "all" and probed.table["publications"]:
        said.append(
            f"The table is published by {probed.table['publications']}: logical replication does not carry the change "
            "of the column, subscribers must be changed too."
        )
    if signature.dimension > _HNSW_DIMENSIONS:
        # Those on the whole vector: one on a part of it, or on its bits, stays what it is.
        whole = [
            i for i in probed.indexes if i["key_type"] in VECTOR_TYPES and i["key_dimension"] in (-1, probed.typmod)
        ]
        names = ", ".join(i["name"] for i in whole)
        column = probed.target.embedding_column
        if not index_possible(probed, signature.dimension):
            said.append(
                f"No HNSW index can be built for {signature.dimension:,} dimensions: "
                + (f"{names} cannot be kept, and " if names else "")
                + "searches for the nearest vectors will scan the table."
            )
        elif probed.table["embedding_type"] == "vector":
            said.append(
                f"{names or 'The index'} is built on halfvec, for pgvector indexes vector up to {_HNSW_DIMENSIONS:,} "
                f"dimensions. Searches use it when they order by {column}::halfvec({signature.dimension}), and not by "
                f"{column} alone."
            )
    if work.rows_blank:
        said.append(f"{work.rows_blank:,} rows have no text: their embedding will be NULL.")
    return said


def staged_for(probed: Probed) -> ModelSignature | None:
    """Return the model that the open run stages vectors for, None where nothing is being staged."""
    run = probed.open_run
    if run is None or run["state"] != "staging" or run["scope"] not in ("all", "missing"):
        return None
    return ModelSignature(run["name"], run["dimension"], run["hash"])


def in_space_of(probed: Probed, expect: ModelSignature) -> bool:
    """Whether the column is in the space of ``expect`` and nothing is staged for it."""
    return probed.model == expect and probed.typmod == expect.dimension and staged_for(probed) is None


def find_work(conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, plan: ReembedPlan) -> Work:
    counts = count_rows(conn, probed)
    total, with_text = counts["rows_total"], counts["rows_with_text"]
    blank = total - with_text

    scope: str | None
    if probed.model != signature or probed.typmod != signature.dimension:
        scope, rows = "all", with_text
    elif counts["rows_missing"]:
        scope, rows = "missing", counts["rows_missing"]
    elif not probed.index_is_there and (probed.indexes or index_possible(probed, signature.dimension)):
        scope, rows = "index", 0
    else:
        return Work(None, 0, blank, total)

    if probed.open_run and staged_for(probed):
        check_staged_for(probed, signature)
        scope = probed.open_run["scope"]
    if plan.concurrent_index and probed.invalid_indexes:
        drops = " ".join(
            psycopg.sql.SQL("DROP INDEX CONCURRENTLY {};")
            .format(psycopg.sql.Identifier(probed.table["schema"], name))
            .as_string(conn)
            for name in probed.invalid_indexes
        )
        raise IndexInvalid(
            f"{probed.name} has an INVALID index, left by a build that failed: {', '.join(probed.invalid_indexes)}",
            f"drop it and run again: {drops}  (nothing was written; without --concurrent-index a run drops it itself)",
        )
    return Work(scope, rows, blank, total)


def count_rows(conn: psycopg.Connection[Any], probed: Probed) -> dict[str, int]:
    return steps.query(conn, "probe/rows.sql", probed.values)[0]


def check_staged_for(probed: Probed, signature: ModelSignature) -> None:
    staged = staged_for(probed)
    if staged is not None and staged != signature:
        raise StagedForAnother(
            f"vectors are staged for {probed.column} with {staged}, and this run is for {signature}: "
            f"{difference(staged, signature)}",
            "go on with the model that they are staged for, or throw them away with: vestige-sql migrate abort; "
            "the table is as it was",
        )


def difference(one: ModelSignature, other: ModelSignature) -> str:
    differing = [
        f"{field} {getattr(one, field)} and {getattr(other, field)}"
        for field in ("name", "dimension", "hash")
        if getattr(one, field) != getattr(other, field)
    ]
    return "they differ in " + ", ".join(differing)


def find_way(
    conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan
) -> tuple[str, str]:
    """Return the way of applying and why, or raise :class:`TargetError` for what could not be kept."""
    if work.scope == "index":
        return "index", "only the index is missing"
    if work.scope == "missing":
        if probed.table["has_update_rule"]:
            raise TargetError(f"{probed.name} has a rule ON UPDATE, which would fire", "nothing was written")
        return "fill", "the model is the registered one, and rows lack a vector"
    if work.rows_blank and probed.table["embedding_not_null"]:
        raise TargetError(
            f"{probed.column} is NOT NULL, and {work.rows_blank:,} rows have no text to embed",
            "give them text, delete them, or ALTER TABLE .. ALTER COLUMN .. DROP NOT NULL; nothing was written",
        )
    return choose_way(plan.apply, probed, blockers(conn, probed, signature.dimension))


def find_staged(
    conn: psycopg.Connection[Any], probed: Probed, expect: ModelSignature | None = None
) -> tuple[ModelSignature, Work]:
    """Return the signature that the open run stages for, ``expect`` where that is given, and what there is to apply."""
    if expect is not None:
        check_staged_for(probed, expect)
    run, signature = probed.open_run, staged_for(probed)
    if run is None or signature is None or not run["staging_exists"]:
        raise CheckFailed(
            f"nothing is staged for {probed.column}" + (f" with {expect}" if expect else ""),
            "run vestige-sql migrate stage first; nothing was written",
        )
    counts = count_rows(conn, probed)
    rows = counts["rows_missing"] if run["scope"] == "missing" else counts["rows_with_text"]
    return signature, Work(run["scope"], rows, counts["rows_total"] - counts["rows_with_text"], counts["rows_total"])
