"""A run: all that its parts have to know of each other, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.clock import Clock
from vestige_sql.reembed.engine import Engine
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.target import Probed
from vestige_sql.steps.files import Value


@dataclass(frozen=True)
class Work:
    """What there is to do: ``scope`` is "all", "missing", "index", "back" or None for nothing.

    ``rows_unregistered`` rows have a vector, and no model is registered for it.
    """

    scope: str | None
    rows: int = 0
    rows_blank: int = 0
    rows_total: int = 0
    rows_unregistered: int = 0

    @property
    def only_missing(self) -> bool:
        """Whether only rows that lack a vector are to get one."""
        return self.scope == "missing"


@dataclass
class Run:
    """One run: the connection, the target, the model, what there is to do, how, and the clock.

    ``signature`` is the model that the run changes to, None where its steps name none. ``conninfo`` is for further
    connections, and empty inside a caller's transaction. ``id`` is its row in the audit, 0 until it is opened. ``verb``
    is what its lines in the log begin with. ``way`` is how vectors are put in place, and ``reason`` why this way was
    taken. ``encoding`` is how the model makes vectors, None if that is not known. ``former`` is the signature that an
    earlier version gave the same model. With ``shortens``, its vectors are the first numbers of the live ones:
    ``shortening`` says so to people, and ``rows_shortened`` is how many were staged so. ``values`` are the step
    variables. ``views`` are those that are dropped and made again. ``left_behind`` are the notes on
    functions that the run leaves behind.
    """

    conn: psycopg.Connection[Any]
    probed: Probed
    signature: ModelSignature | None
    plan: ReembedPlan
    work: Work = Work(None)
    conninfo: str = ""
    progress: Progress = field(default_factory=Progress)
    clock: Clock = field(default_factory=Clock)
    engine: Engine | None = None
    id: int = 0
    verb: str = "reembed"
    way: str = ""
    reason: str = ""
    encoding: dict[str, Any] | None = None
    former: ModelSignature | None = None
    shortens: bool = False
    shortening: str = ""
    rows_shortened: int = 0
    views: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    values: dict[str, Value] = field(init=False)

    def __post_init__(self) -> None:
        if self.in_place:
            # A build in the transaction of an UPDATE, or beside an older snapshot, meets former versions of its rows.
            # Their vectors do not fit a cast to the new dimension. CREATE INDEX CONCURRENTLY does not look at those.
            self.plan = replace(self.plan, concurrent_index=True)
        self.values = self.probed.values | {
            "lock_timeout": f"{round(self.plan.lock_wait_secs * 1000)}ms",
            "run_state": "applied" if self.plan.concurrent_index else "done",
            "only_missing": self.work.only_missing,
            "create_index": self.plan.create_index,
            # Online the processors are for those who search.
            "index_workers": 0 if self.plan.online else None,
            "index_memory_kb": None if self.plan.index_memory_bytes is None else self.plan.index_memory_bytes >> 10,
        }
        if self.signature is not None:
            self.values |= refusal_values(self.probed, self.signature.dimension, self.plan) | {
                "model_name": self.signature.name,
                "model_hash": self.signature.hash,
            }

    @property
    def in_place(self) -> bool:
        """Whether rows get their vectors in a column that stays as it is, or loses its dimension."""
        return written_in_place(self.probed, self.plan)

    @property
    def model(self) -> ModelSignature:
        """The model that the run changes to, of a run that has one."""
        assert self.signature is not None
        return self.signature


def written_in_place(probed: Probed, plan: ReembedPlan) -> bool:
    """Whether a run of ``plan`` writes rows in place: some of them, or all in a column without a dimension."""
    return bool(probed.row_filter) or plan.keep_untyped


def refusal_values(probed: Probed, dimension: int, plan: ReembedPlan) -> dict[str, Value]:
    """Return the variables of ``sql/probe/refusals/`` that the target alone does not give."""
    return {
        "dimension": dimension,
        "from_dimension": probed.model.dimension if probed.model else None,
        "fire_triggers": plan.fire_triggers,
        "require_verdict": plan.require_verdict,
        "recreate_views": plan.recreate_views,
        "keep_untyped": plan.keep_untyped,
    }
