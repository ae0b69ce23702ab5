"""Ranges of keys: a worker stages one at a time."""

from __future__ import annotations

from dataclasses import dataclass

RANGES_PER_WORKER = 128
"""How many ranges there are per worker, if the table is large enough. Found by bench/simulate_ranges.py."""

MOST_RANGE_ROWS = 65_536
"""The longest range, so that losing one costs little on a table of any size. Found by bench/simulate_ranges.py."""


@dataclass(frozen=True)
class KeyRange:
    """The keys in (after, until], and how many workers were lost while they staged them."""

    after: str | None
    until: str | None
    lost: int = 0

    def __str__(self) -> str:
        return f"the keys after {self.after or 'the start'} up to {self.until or 'the end'}"


def range_rows(rows: int, workers: int, page_rows: int) -> int:
    """Return how many rows a range has, in whole pages, for a table of ``rows`` rows."""
    wanted = min(rows // (workers * RANGES_PER_WORKER), MOST_RANGE_ROWS)
    return max(1, wanted // page_rows) * page_rows
