"""What is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass

from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.decide import Work
from vestige_sql.reembed.target import Probed
from vestige_sql.steps.files import Value


@dataclass(frozen=True)
class Job:
    """What is to be predicted: ``rows_pending`` are to be encoded, ``way`` puts them in place.

    ``values`` are the run's step variables.
    """

    conninfo: str
    probed: Probed
    plan: ReembedPlan
    work: Work
    way: str
    values: dict[str, Value]
    rows_pending: int
    builds_index: bool
