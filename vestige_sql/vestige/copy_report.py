"""What a copy found and did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from vestige_sql.encode.embedder import ModelSignature


@dataclass(frozen=True)
class BadRow:
    """A row, or a memory's vector, that was not copied: the source's table, the row's id, and the reason."""

    table: str
    id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table} {self.id}: {self.reason}"


@dataclass
class Counts:
    """Counts of one table of the source: rows ``presented``, ``new`` in PostgreSQL, and ``bad``, so not copied.

    The remaining rows were in PostgreSQL already. ``new`` is None in a dry run. ``in_postgres`` is how many rows
    PostgreSQL has before a run.
    """

    presented: int = 0
    new: int | None = 0
    bad: int = 0
    in_postgres: int = 0


@dataclass
class CopyReport:
    """What a copy did, or would do: counts by table of the source, and every bad row.

    ``left_behind`` are the tables that have no place in PostgreSQL, with their number of rows, and
    ``columns_left_behind`` the columns of other tables that have none. ``model`` is the model of the copied vectors,
    None if no vectors are copied. ``profile`` is the source's active embedding profile, None if it has none.
    ``vectors_left`` says how many vectors stay behind, by the reason: their memories have none in PostgreSQL until they
    are re-embedded. ``duration_secs`` is in seconds.
    """

    source: str
    source_version: int
    dry_run: bool = False
    upgraded: bool = False
    tables: dict[str, Counts] = field(default_factory=dict)
    errors: list[BadRow] = field(default_factory=list)
    left_behind: dict[str, int] = field(default_factory=dict)
    columns_left_behind: dict[str, list[str]] = field(default_factory=dict)
    model: ModelSignature | None = None
    profile: str | None = None
    vectors_left: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    duration_secs: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summary(counts: Counts) -> str:
    """Return the counts of one table, for people."""
    new = f"{counts.in_postgres:,} in PostgreSQL now" if counts.new is None else f"{counts.new:,} new"
    return f"{counts.presented:,} presented, {new}" + (f", {counts.bad:,} bad" if counts.bad else "")
