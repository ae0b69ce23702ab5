"""How a worker keeps a table up to date, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vestige_sql.checks import check_flag, check_number
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.errors import UsageError

Load = Callable[[ModelSignature, Mapping[str, Any] | None], Embedder]
"""Loads the model of a signature. The mapping is the registry's record of how it makes vectors, None for none."""

UNKNOWN = ("keep", "embed")
"""What becomes of a vector of which nobody knows which text it was made from."""

_A_DAY = 24 * 60 * 60

MOST_ROWS = 1_000
"""The most rows of a batch: each claimed row is a lock in the server's memory."""


@dataclass(frozen=True)
class WorkerPlan:
    """How to keep vectors up to date.

    - ``batch_rows``: the most rows that are claimed, embedded and written at a time.
    - ``poll_secs``: how many seconds a pass begins after the one before, if no notification comes earlier.
    - ``sweep_secs``: how many seconds after the last one a pass looks at every row of the table.
    - ``once``: make one pass and return.
    - ``install``: make the trigger that notes changes. Without it, the worker looks for changes itself.
    - ``unknown``: "keep" takes vectors that nobody has taken note of to be of the texts that their rows have when the
      worker first sees them. "embed" embeds these rows anew.
    - ``fire_triggers``: go on if the role cannot suppress the table's own triggers, which then fire for each vector.
    - ``retry_secs``: how many seconds later a row is tried again that could not be embedded. Each further time takes
      twice as long, up to an hour.
    - ``give_up_secs``: how many seconds the database or the model may fail in a row before the worker ends.

    Raises :class:`UsageError` for a value out of range.
    """

    batch_rows: int = 64
    poll_secs: float = 2.0
    sweep_secs: float = 3600.0
    once: bool = False
    install: bool = False
    unknown: str = "keep"
    fire_triggers: bool = False
    retry_secs: float = 10.0
    give_up_secs: float = 600.0

    def __post_init__(self) -> None:
        check_number("batch_rows", self.batch_rows, 1, MOST_ROWS)
        for name in ("poll_secs", "sweep_secs", "retry_secs", "give_up_secs"):
            check_number(name, getattr(self, name), 0.01, 365 * _A_DAY, whole=False)
        for flag in ("once", "install", "fire_triggers"):
            check_flag(flag, getattr(self, flag))
        if self.unknown not in UNKNOWN:
            raise UsageError(f"unknown must be keep or embed, not {self.unknown!r}", "nothing was written")


@dataclass
class Kept:
    """What a worker did for one target since it began.

    ``embedded`` rows got a vector and ``cleared`` rows lost theirs with their text. ``failed`` counts how often a row
    could not be embedded. ``waiting`` rows were noted at the last look, and ``adopted`` vectors were taken note of.
    """

    target: str = ""
    model: ModelSignature | None = None
    embedded: int = 0
    cleared: int = 0
    failed: int = 0
    adopted: int = 0
    waiting: int = 0
    passes: int = 0
    spent: dict[str, Any] = field(default_factory=dict)
