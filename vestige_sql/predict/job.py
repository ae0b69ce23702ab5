"""The run to predict."""

from __future__ import annotations

from dataclasses import dataclass

from vestige_sql.reembed.run import Run


@dataclass(frozen=True)
class Job:
    """The run to predict, its way settled: ``rows_pending`` rows have to be encoded.

    ``builds_index`` says whether the run builds a vector index.
    """

    run: Run
    rows_pending: int
    builds_index: bool
