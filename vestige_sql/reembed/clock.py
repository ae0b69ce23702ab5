"""Measure what the time of a run is spent on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

ACTIVITIES = ("reading", "tokenizing", "encoding", "copying", "waiting", "gate", "apply", "index", "other")
"""The activities of a run that :class:`Clock` distinguishes.

- "reading": waiting for the next page of rows. "copying": waiting for a chunk of vectors to be committed. Both happen
  during the encoding, and only the time that the run had to wait for them counts.
- "tokenizing", "encoding": the model's tokenizer, and the rest of the encoding.
- "waiting": for locks, for replicas, and after the warning.
- "gate": the checks before vectors are put in place, and the verification of an online run.
- "apply": putting vectors in place and registering the model.
- "index": building indexes.
- "other": everything else, such as the first questions, the audit and the recall.
"""


class Clock:
    """Counts the seconds of each of :data:`ACTIVITIES`, which add up to the whole time since the clock was made.

    It is always on one activity. Only the thread that carries out the run may use it.
    """

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(ACTIVITIES, 0.0)
        self._on = "other"
        self._since = time.monotonic()

    @contextmanager
    def on(self, activity: str) -> Iterator[None]:
        """Count the block's time as ``activity``, without the time that blocks inside it count as theirs."""
        before = self._turn(activity)
        try:
            yield
        finally:
            self._turn(before)

    def so_far(self) -> dict[str, float]:
        """Return the seconds of each activity up to now."""
        self._turn(self._on)
        return dict(self._seconds)

    def _turn(self, activity: str) -> str:
        now = time.monotonic()
        self._seconds[self._on] += now - self._since
        self._since = now
        before, self._on = self._on, activity
        return before
