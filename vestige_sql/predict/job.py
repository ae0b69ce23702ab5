"""The run to predict."""

from __future__ import annotations

from dataclasses import dataclass

from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.decide import Work
from vestige_sql.reembed.target import Probed
from vestige_sql.steps.files import Value


@dataclass(frozen=True)
class Job:
    """The run to predict: ``rows_pending`` rows have to be encoded, and ``way`` puts their vectors in place.

    ``values`` are the run's step variables. ``builds_index`` says whether the run builds a vector index.
    """

    conninfo: str
    probed: Probed
    plan: ReembedPlan
    work: Work
    way: str
    values: dict[str, Value]
    rows_pending: int
    builds_index: bool
