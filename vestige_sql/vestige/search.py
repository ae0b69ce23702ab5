"""Search Vestige's memories by text, by vector, or by both. The searches are the SQL files in ``sql/search``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from vestige_sql import steps
from vestige_sql.checks import check_number, check_text
from vestige_sql.database.connection import connect
from vestige_sql.database.installed import check_version
from vestige_sql.encode.embedder import Embedder, ModelSignature, Vectors
from vestige_sql.encode.window import embed_queries
from vestige_sql.errors import ModelMismatch, TargetError, UsageError
from vestige_sql.plan import MODES, VESTIGE
from vestige_sql.reembed.decide import difference
from vestige_sql.reembed.encoding import recorded_encoding
from vestige_sql.steps.files import Value

log = logging.getLogger("vestige_sql")

MOST_RESULTS = 1_000_000
"""The most results of one search. Each branch of a hybrid search is asked for three times as many as the caller."""

Where = str | psycopg.Connection[Any]


@dataclass(frozen=True)
class SearchResult:
    """A memory that a search found.

    Results are ordered by ``score``, the highest first. In a hybrid search it is the sum of 1 / (60 + rank) over the
    branches that found the memory, in a text search ``text_score``, in a vector search 1 - ``distance``. ``text_rank``
    and ``text_score`` (``ts_rank_cd``) are its rank and score in the text branch, ``vector_rank`` and ``distance``
    (cosine, 0 to 2) those in the vector branch. Ranks begin at 1. Both are None if the branch did not find it.
    """

    id: UUID
    content: str
    node_type: str
    tags: list[str]
    domains: list[str]
    created_at: datetime
    score: float
    text_rank: int | None
    text_score: float | None
    vector_rank: int | None
    distance: float | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def search(
    where: Where,
    question: str,
    embedder: Embedder | None = None,
    *,
    mode: str = "hybrid",
    limit: int = 10,
    domains: Sequence[str] = (),
    node_types: Sequence[str] = (),
    tags: Sequence[str] = (),
    min_retrievability: float | None = None,
    table: str = VESTIGE.table,
) -> list[SearchResult]:
    """Return the memories that answer ``question`` best, at most ``limit``, the best first.

    ``where`` is anything that libpq takes, or an open connection, which is left as it was; a transaction that is open
    on it should be READ COMMITTED. ``mode`` is "text" (words, by full-text search), "vector" (meaning, by
    cosine distance) or "hybrid" (both, by reciprocal rank fusion). ``embedder`` is the registered model; only a text
    search does not need it. The filters are: any of ``domains``, any of ``node_types``, any of ``tags``, and
    ``min_retrievability`` (0 to 1). An empty filter or None does not filter. ``table`` is Vestige's table, as SQL reads
    a qualified name.

    The statement that searches also compares the model with the registered one, so the model cannot change in between.
    Raises :class:`ModelMismatch` if another model is registered or none, :class:`UsageError` for invalid arguments,
    :class:`TargetError` if the table is not Vestige's, and any other :class:`VestigeError`.
    """
    check_arguments(question, mode, limit, domains, node_types, tags, min_retrievability, table)
    if embedder is None and mode != "text":
        raise UsageError(
            f"a {mode} search needs the registered model as embedder",
            "give it, or search with mode='text', which needs none; nothing was searched for",
        )
    if not question.strip():
        return []

    values: dict[str, Value] = {"target": table, "limit": limit, "text": question, "vector": "", "dimension": 1}
    values |= {"model_name": "", "model_hash": ""}
    if embedder is not None and mode != "text":
        signature = embedder.signature()
        values |= {
            "vector": vector_text(embed_queries(embedder, [question])),
            "dimension": signature.dimension,
            "model_name": signature.name,
            "model_hash": signature.hash,
        }
    with _searching(where) as conn, _pinned(conn) as nested:
        values |= _found_table(conn, table)
        filters = {
            "domains": list(domains) or None,
            "node_types": list(node_types) or None,
            "tags": list(tags) or None,
            "min_retrievability": min_retrievability,
        }
        values |= {name: psycopg.sql.Literal(given).as_string(conn) for name, given in filters.items()}
        values["filtered"] = any(given is not None for given in filters.values())
        if mode != "text" and values.pop("knows_its_table"):
            steps.query(conn, "search/known.sql", values)
        settings = steps.query(conn, "search/set_scan.sql", values) if mode != "text" else []
        rows = steps.query(conn, f"search/{mode}.sql", values)
        # Settings last to the end of the transaction, and this one is the caller's.
        for setting in settings if nested else ():
            restored: dict[str, Value] = {"name": setting["name"], "value": setting["was"]}
            steps.run(conn, steps.load("session/restore_setting.sql"), restored)
    return [SearchResult(**row) for row in rows]


def check_arguments(
    question: str,
    mode: str,
    limit: int,
    domains: Sequence[str],
    node_types: Sequence[str],
    tags: Sequence[str],
    min_retrievability: float | None,
    table: str,
) -> None:
    """Raise :class:`UsageError` for invalid arguments of :func:`search`."""
    if mode not in MODES:
        raise UsageError(f"mode must be one of {', '.join(MODES)}, not {mode!r}", "nothing was searched for")
    check_number("limit", limit, 1, MOST_RESULTS)
    if min_retrievability is not None:
        check_number("min_retrievability", min_retrievability, 0, 1, whole=False)
    check_text("question", question)
    check_text("table", table)
    for name, given in (("domains", domains), ("node_types", node_types), ("tags", tags)):
        if isinstance(given, str):
            raise UsageError(
                f"{name} must be a list of strings, not the string {given!r}",
                "put the value into a list; nothing was searched for",
            )
        for text in given:
            check_text(f"each of {name}", text)


def registered_model(where: Where, *, table: str = VESTIGE.table) -> ModelSignature | None:
    """Return the registered model of the vectors in Vestige's table, or None."""
    with _searching(where) as conn, _pinned(conn):
        row = steps.query_one(conn, "probe/model_vestige.sql", _found_table(conn, table))
        return ModelSignature(row["name"], row["dimension"], row["hash"]) if row and row["hash"] else None


def registered_encoding(where: Where, model: ModelSignature, *, table: str = VESTIGE.table) -> dict[str, Any] | None:
    """Return how the registered model makes vectors, as it was recorded, or None if it was not.

    It is not known either in a database without the package's own schema, or to a role without the right to read it.
    """
    with _searching(where) as conn, _pinned(conn):
        column = {"table": VESTIGE.table, "embedding_column": "embedding"}
        values = _found_table(conn, table) | column
        try:
            with conn.transaction():
                return recorded_encoding(conn, values, model)
        except psycopg.errors.UndefinedTable:
            return None
        except psycopg.errors.InsufficientPrivilege:
            log.warning(
                "search: this role may not read how the model makes vectors, so the question's prompt is that of the "
                "model's own configuration: GRANT SELECT ON vestige_sql.encoding"
            )
            return None


def check_same(given: ModelSignature, wanted: ModelSignature | None, what: str, hint: str = "") -> None:
    """Raise :class:`ModelMismatch` if ``given`` is not ``wanted``, the model of ``what``."""
    if wanted is None:
        raise ModelMismatch(f"no model is registered for {what}, and the question is for {given}", hint)
    if given != wanted:
        raise ModelMismatch(
            f"{what} are of {wanted}, and the question is for {given}: {difference(wanted, given)}",
            hint or "encode the question with the registered model; nothing was searched for",
        )


def vector_text(vectors: Vectors) -> str:
    """Return the vector in a float32 array of shape (1, dimension) as text for pgvector, which reads the same value."""
    return "[" + ",".join(vectors[0].astype(str)) + "]"


@contextmanager
def _searching(where: Where) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection for reading. PostgreSQL's errors become this package's."""
    with steps.translated():
        try:
            if isinstance(where, str):
                with connect(where, read_only=True, lift_limits=False) as conn:
                    # A statement's snapshot must not be older than its locks: after a rewrite of the table, an older
                    # snapshot sees no rows.
                    conn.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
                    yield conn
            else:
                yield where
        except psycopg.errors.InsufficientPrivilege as error:
            raise TargetError(
                f"this role may not search: {error.diag.message_primary}",
                "grant it what docs/privileges.md lists for a search; nothing was found or changed",
            ) from error
        except psycopg.Error as error:
            if error.sqlstate != steps.CHECK_FAILED:
                raise
            raise ModelMismatch(error.diag.message_primary or str(error), error.diag.message_hint or "") from error


@contextmanager
def _pinned(conn: psycopg.Connection[Any]) -> Iterator[bool]:
    """Open a transaction, or a savepoint in the caller's. Inside, names without a schema mean PostgreSQL's own objects.

    Yields whether the transaction is the caller's. It then gets its own settings back.
    """
    nested = conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE
    with conn.transaction():
        steps.run(conn, steps.load("transaction/05_pin_search_path.sql"), {})
        yield nested
        if nested:
            steps.run(conn, steps.load("session/restore_search_path.sql"), {})


def check_fits(conninfo: str) -> None:
    """Raise :class:`VersionMismatch` where the database is at another version of this package, as far as the role may
    see that.

    For people: :func:`search` itself goes on through an upgrade, for it only reads, and calls ``require`` alone.
    """
    with _searching(conninfo) as conn:
        check_version(conn, steps.query(conn, "probe/server.sql", {})[0])


def _found_table(conn: psycopg.Connection[Any], table: str) -> dict[str, Value]:
    found = steps.query_one(conn, "search/table.sql", {"target": table})
    if found is None:
        raise TargetError(
            f"there is no table {table} in this database, or not along the search_path",
            "name Vestige's table of memories with its schema: --table schema.knowledge_nodes; nothing was searched "
            "for",
        )
    if not found["is_vestiges"]:
        raise TargetError(
            f"{found['name']} is not Vestige's table of memories",
            "name knowledge_nodes with --table schema.knowledge_nodes: search reads its column search_vec, and the "
            "tables scheduling and embedding_model beside it; nothing was searched for",
        )
    if not found["package_functions_exist"]:
        raise TargetError(
            "this database lacks the schema vestige_sql, whose functions the search calls",
            "run: vestige-sql migrate up; nothing was searched for",
        )
    if found["missing_grants"]:
        raise TargetError(
            f"role {found['role']} lacks rights that a search of {found['name']} needs",
            f"run: {'; '.join(found['missing_grants'])}; nothing was searched for",
        )
    return {name: found[name] for name in ("schema", "vector_schema", "search_type", "knows_its_table")}
