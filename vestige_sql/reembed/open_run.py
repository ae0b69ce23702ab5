"""What the audit says of a target: the run that is open, and the former vectors that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import CheckFailed
from vestige_sql.steps.files import Value


@dataclass(frozen=True)
class OpenRun:
    """A run that has not ended: the row of ``sql/probe/open_run.sql``.

    ``state`` is "staging" (nothing live was touched), "filling" (a second column is filled) or "applied" (vectors and
    registry are in place, and something is left to build or to drop). ``scope`` is "all", "missing", "index" or
    "back". ``row_filter`` is the condition that chooses its rows, empty for all. ``id_column`` and ``content_column``
    are None if a plain script began the run. ``content_expression`` is empty where the text is a column.

    ``gone`` names what an online run has made and somebody dropped by hand, or is empty.
    """

    id: int
    scope: str
    state: str
    name: str
    dimension: int
    hash: str
    way: str | None
    rows_total: int | None
    rows_written: int | None
    rows_blank: int | None
    rows_filled: int
    verified_at: datetime | None
    duration_secs: float | None
    verified: bool
    started_at: datetime
    applied_at: datetime | None
    last_error: str | None
    package_version: str
    row_filter: str
    id_column: str | None
    content_column: str | None
    content_expression: str
    staging_exists: bool
    gone: str

    def check_nothing_gone(self, column: str) -> None:
        """Raise :class:`CheckFailed` if something that this run on ``column`` has made was dropped by hand."""
        if self.gone:
            raise CheckFailed(
                f"what run {self.id} made on {column} was dropped by hand: {self.gone}",
                "the column is in the space of the registered model; run vestige-sql migrate abort, which clears away "
                "the rest, and begin again",
            )

    @property
    def model(self) -> ModelSignature:
        """The model that the run changes to."""
        return ModelSignature(self.name, self.dimension, self.hash)

    @property
    def filling(self) -> bool:
        """Whether an online run has added its second column, and has not switched."""
        return self.state == "filling"

    @property
    def applied(self) -> bool:
        """Whether the vectors are in place, and something is left to build or to drop."""
        return self.state == "applied"

    @property
    def under_way(self) -> bool:
        """Whether the former vectors are still live."""
        return not self.applied

    @property
    def online(self) -> bool:
        return self.way == "online"

    @property
    def stages(self) -> bool:
        """Whether the run stages vectors, or has staged them and not put them in place."""
        return self.under_way and self.scope in ("all", "missing")

    @property
    def only_missing(self) -> bool:
        """Whether only rows that lack a vector are to get one."""
        return self.scope == "missing"

    def goes_on_with(self, scope: str | None) -> bool:
        """Whether a run that has ``scope`` to do is this run, continued."""
        return self.scope == scope if self.under_way else scope == "index"


@dataclass(frozen=True)
class Kept:
    """Former vectors that are kept: the row of ``sql/probe/kept.sql``. ``place`` is "column" or "table"."""

    place: str
    name: str | None
    dimension: int | None
    hash: str | None
    run_id: int
    kept_at: datetime
    is_there: bool

    @property
    def in_column(self) -> bool:
        return self.place == "column"

    @property
    def model(self) -> ModelSignature | None:
        """The model of the kept vectors, None if none was registered."""
        if self.name is None or self.dimension is None or self.hash is None:
            return None
        return ModelSignature(self.name, self.dimension, self.hash)


@dataclass(frozen=True)
class RenamedRun:
    """An open run that was begun under another name of the table or of its column: ``sql/probe/renamed_run.sql``.

    ``variables`` are the step variables of then, ``column`` is the name of then, ``started_by`` is who began it.
    """

    id: int
    state: str
    name: str
    dimension: int
    hash: str
    variables: dict[str, Value]
    column: str
    started_by: str

    @property
    def model(self) -> ModelSignature:
        """The model that the run changes to."""
        return ModelSignature(self.name, self.dimension, self.hash)

    @property
    def filling(self) -> bool:
        return self.state == "filling"


def find_renamed_kept(
    conn: psycopg.Connection[Any], values: Mapping[str, Value]
) -> tuple[Kept, dict[str, Value]] | None:
    """Return the vectors of the target that are kept under another name, and the step variables of then; or None."""
    row = steps.query_one(conn, "probe/renamed_kept.sql", values)
    if row is None:
        return None
    variables = row.pop("variables")
    return Kept(**row), variables


def find_open_run(conn: psycopg.Connection[Any], values: Mapping[str, Value]) -> OpenRun | None:
    """Return the open run of the target that ``values`` name, as the audit has it now."""
    row = steps.query_one(conn, "probe/open_run.sql", values)
    return OpenRun(**row) if row else None


def find_renamed_run(conn: psycopg.Connection[Any], values: Mapping[str, Value]) -> RenamedRun | None:
    """Return the open run that was begun under another name of the target, if there is one."""
    row = steps.query_one(conn, "probe/renamed_run.sql", values)
    return RenamedRun(**row) if row else None
