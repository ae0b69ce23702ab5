"""What is refused of a target, and why: the rows of ``sql/probe/refusals/``, which stop the gate too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from vestige_sql import steps
from vestige_sql.errors import TargetError
from vestige_sql.steps.files import Value

ASK = "probe/refusals"
"""The folder that asks, and remembers the answers for the transaction."""

NOTHING_REFUSES = "gate/03_nothing_refuses.sql"
"""The gate's own check of the answers."""

TRY_EXPRESSIONS = "probe/refusals/13_try_expressions.sql"
"""Reads the target's expressions, for ``OF_THE_TABLE`` and ``probe/content.sql`` in the same transaction."""

OF_THE_SERVER = "probe/refusals/20_of_the_server.sql"
OF_THE_TABLE = "probe/refusals/30_of_the_table.sql"
OF_THE_PACKAGE = "probe/refusals/35_of_the_package.sql"
OF_THE_REGISTRY = "probe/refusals/65_of_the_registry.sql"
BY_WAY = "probe/refusals/80_by_way.sql"

EVERY_WAY = frozenset({"rewrite", "widen", "swap", "fill", "online", "back"})
"""What a refusal rules out that holds whatever the way."""

FASTEST_FIRST = ("rewrite", "swap", "widen")
"""The ways of applying, the fastest first: docs/benchmarks.md has the figures."""


@dataclass(frozen=True)
class Refusals:
    """``rows`` are what was found; ``by_way`` has the answer for each way, by its name: see ``sql/probe/refusals/``."""

    rows: list[dict[str, Any]]
    by_way: dict[str, dict[str, Any]]

    def check(self, way: str) -> None:
        """Raise :class:`TargetError` if ``way`` may not be taken."""
        said = self.by_way[way]
        if not said["may_be_taken"]:
            raise TargetError(said["message"], said["hint"])

    def choose(self, wanted: str) -> tuple[str, str]:
        """Return the way of applying and why it is taken.

        Raises :class:`TargetError`, which names what rules the way out, or every way if ``wanted`` is "auto".
        """
        if wanted != "auto":
            self.check(wanted)
            return wanted, "as asked for"
        ruled_out: list[str] = []
        for way in FASTEST_FIRST:
            if self.by_way[way]["may_be_taken"]:
                but = f" possible; ruled out: {', '.join(ruled_out)}" if ruled_out else ""
                return way, f"the fastest way{but}"
            ruled_out.append(way)
        self.check(FASTEST_FIRST[0])
        raise AssertionError(ruled_out)

    def in_the_way_of(self, way: str) -> list[str]:
        """Return the names of what hangs on the column and rules ``way`` out."""
        return [row["object"] for row in self.rows if row["place"] == 300 and way in row["rules_out"]]

    @property
    def made_again(self) -> list[str]:
        """The names of the views that are dropped and made again."""
        return [row["object"] for row in self.rows if row["what"] == "view" and not row["rules_out"]]


def ask(conn: psycopg.Connection[Any], values: Mapping[str, Value]) -> Refusals:
    """Return everything that is refused of the target that ``values`` name."""
    return _ask(conn, [step.name for step in steps.folder(ASK)], values)


def registry_refusals(conn: psycopg.Connection[Any], values: Mapping[str, Value]) -> list[dict[str, Any]]:
    """Return what the registry no longer knows of the target that ``values`` name: rows of the file for that."""
    return _ask(conn, [OF_THE_REGISTRY, BY_WAY], values).rows


def check_any_way(conn: psycopg.Connection[Any], name: str, values: Mapping[str, Value]) -> None:
    """Raise :class:`TargetError` for what the file ``name`` of the folder finds, if that rules out every way."""
    for said in _ask(conn, [name, BY_WAY], values).by_way.values():
        if said["not_at_all"]:
            raise TargetError(said["message"], said["hint"])


@contextmanager
def read_expressions(conn: psycopg.Connection[Any], values: Mapping[str, Value]) -> Iterator[None]:
    """Begin a transaction in which PostgreSQL has read the expressions that ``values`` name.

    It makes something for that, and undoes it at once, so a session that only reads may write here.
    """
    named = any(values[name] for name in ("content_expression", "row_condition"))
    only_reads = conn.read_only if named and conn.info.transaction_status == TransactionStatus.IDLE else None
    if only_reads is not None:
        conn.read_only = None
    try:
        with conn.transaction():
            steps.run(conn, steps.load(TRY_EXPRESSIONS), values)
            yield
    finally:
        if only_reads is not None:
            conn.read_only = only_reads


def _ask(conn: psycopg.Connection[Any], names: list[str], values: Mapping[str, Value]) -> Refusals:
    # The answers are remembered only until the transaction ends.
    with read_expressions(conn, values) if TRY_EXPRESSIONS in names else conn.transaction():
        *found, by_way = (steps.query(conn, name, values) for name in names if name != TRY_EXPRESSIONS)
    rows = [row for rows in found for row in rows if row["what"] != "asked"]
    return Refusals(rows, {row["way"]: row for row in by_way})
