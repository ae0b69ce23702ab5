"""Run step files as psql would: for a query that ends in ``\\gexec``, each field of its result is run."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row, tuple_row

from vestige_sql.steps.files import Step, Value, load

log = logging.getLogger("vestige_sql")


def execute(conn: psycopg.Connection[Any], text: str) -> psycopg.Cursor[dict[str, Any]]:
    """Run SQL text that came from a file under ``sql/``, with every value in it quoted by psycopg."""
    return conn.cursor(row_factory=dict_row).execute(text, prepare=False)


@dataclass(frozen=True)
class StepRun:
    """What one step did: the rows that its statements counted, its seconds, and the result of its last query."""

    step: Step
    rows: int | None
    seconds: float
    result: list[dict[str, Any]]


def statements(conn: psycopg.Connection[Any], step: Step, values: Mapping[str, Value]) -> list[str]:
    """Return what ``step`` runs, in order: its own text, or the statements that its ``\\gexec`` query returns."""
    text = step.render(values, conn)
    if not step.is_gexec:
        return [text]
    # Tuples, because these columns need no names: a dict would keep only one of several columns without a name.
    query = conn.cursor(row_factory=tuple_row).execute(text.rstrip().removesuffix("\\gexec"), prepare=False)
    return [field for row in query for field in row if field is not None]


def run(conn: psycopg.Connection[Any], step: Step, values: Mapping[str, Value]) -> StepRun:
    """Run ``step`` on ``conn`` and return what it did. PostgreSQL's errors pass through."""
    started = time.monotonic()
    rows: int | None = None
    result: list[dict[str, Any]] = []
    try:
        for text in statements(conn, step, values):
            cursor = execute(conn, text)
            if cursor.description is not None:
                result = cursor.fetchall()
            rows = (rows or 0) + cursor.rowcount if cursor.rowcount >= 0 else rows
    except psycopg.Error as error:
        error.add_note(f"in sql/{step.name}")
        raise
    seconds = time.monotonic() - started
    log.debug("sql/%s: %s in %.1f ms", step.name, "no rows" if rows is None else f"{rows:,} rows", 1000 * seconds)
    return StepRun(step, rows, seconds, result)


def query(conn: psycopg.Connection[Any], name: str, values: Mapping[str, Value]) -> list[dict[str, Any]]:
    """Run the read-only question ``sql/<name>`` and return its rows."""
    return run(conn, load(name), values).result


def query_one(conn: psycopg.Connection[Any], name: str, values: Mapping[str, Value]) -> dict[str, Any] | None:
    """Like :func:`query`, for a question with at most one row: return it, or None."""
    rows = query(conn, name, values)
    return rows[0] if rows else None
