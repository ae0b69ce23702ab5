"""Whether the embedding column is to have a vector index, and what people are told of it."""

from __future__ import annotations

from collections.abc import Iterator

from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.target import VECTOR_TYPES, Probed
from vestige_sql.terminal import some_of

_HNSW_DIMENSIONS = 2_000
_HNSW_DIMENSIONS_HALFVEC = 4_000


def index_possible(probed: Probed, dimension: int) -> bool:
    """Whether pgvector can build an HNSW index for ``dimension`` on this server."""
    halfvec = probed.table["halfvec_exists"]
    return dimension <= (_HNSW_DIMENSIONS_HALFVEC if halfvec else _HNSW_DIMENSIONS)


def gets_index(probed: Probed, dimension: int, plan: ReembedPlan) -> bool:
    """Whether the column is to have a vector index. Only Vestige's table gets one that nobody asked for."""
    return probed.has_index or (asked_for_index(probed, plan) and index_possible(probed, dimension))


def asked_for_index(probed: Probed, plan: ReembedPlan) -> bool:
    """Whether an index is to be built where there is none."""
    return plan.create_index or probed.table["registry"] == "vestige"


def lacks_index(probed: Probed, dimension: int, plan: ReembedPlan) -> bool:
    """Whether the column is to have a vector index, and has none that is valid, or not all of them."""
    return not probed.index_is_there and gets_index(probed, dimension, plan)


def index_notes(run: Run) -> Iterator[str]:
    """Yield what people are told of the indexes before and after a run."""
    probed, signature = run.probed, run.model
    if run.work.scope == "all" and not probed.has_index and not asked_for_index(probed, run.plan):
        yield (
            f"{probed.column} has no vector index, and gets none: searches scan the table. With --create-index the run "
            "builds one."
        )
    elif signature.dimension > _HNSW_DIMENSIONS:
        # Only those on the whole vector. An index on a part of it, or on its bits, stays as it is.
        whole = [
            i
            for i in probed.indexes
            if i["is_pgvectors"] and i["key_type"] in VECTOR_TYPES and i["key_dimension"] in (-1, probed.typmod)
        ]
        names = some_of([i["name"] for i in whole])
        if probed.indexes and not whole:
            return
        column = probed.target.embedding_column
        if not index_possible(probed, signature.dimension):
            yield (
                f"No HNSW index can be built for {signature.dimension:,} dimensions: "
                + (f"{names} cannot be kept, and " if names else "")
                + "searches for the nearest vectors will scan the table."
            )
        elif probed.table["embedding_type"] == "vector":
            yield (
                f"{names or 'The index'} is built on halfvec, because pgvector indexes vector only up to "
                f"{_HNSW_DIMENSIONS:,} dimensions. Searches use it if they order by "
                f"{column}::halfvec({signature.dimension}), not if they order by {column} alone."
            )
