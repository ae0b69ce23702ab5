"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PHASES = ("reading", "tokenizing", "encoding", "copying", "waiting", "gate", "apply", "index", "other")
"""What a run's time is spent on, as :class:`Spent` tells it apart.

"reading" is waiting for the next page of rows, "copying" for a chunk of vectors to be committed: what goes on at the
same time as the encoding counts only as far as the run had to wait for it. "waiting" is for locks, for replicas and
after the warning; "gate" the checks before vectors are put in place, and the verification of an online run; "apply"
all that puts them in place and registers the model, "index" the building of indexes, and "other" what is left: looking
around, the audit and the recall.
"""


class Spent:
    """A clock that runs from when it is made and is always on one of :data:`PHASES`, so that they sum to the whole.

    For one thread, the one that carries out the run.
    """

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._on = "other"
        self._since = time.monotonic()

    @contextmanager
    def on(self, phase: str) -> Iterator[None]:
        """Count the block's time as ``phase``, less what blocks inside it count as theirs."""
        before = self._turn(phase)
        try:
            yield
        finally:
            self._turn(before)

    def so_far(self) -> dict[str, float]:
        """Return the seconds of each phase up to now."""
        self._turn(self._on)
        return dict(self._seconds)

    def _turn(self, phase: str) -> str:
        now = time.monotonic()
        self._seconds[self._on] += now - self._since
        self._since = now
        before, self._on = self._on, phase
        return before
