"""How much a mapped vector finds of what the row's own vector finds, by exact search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vestige_sql.bridge.fit import Matrix
from vestige_sql.encode.embedder import Vectors

K = 10
"""How many of the nearest rows count."""

# The same distance, computed in blocks of two sizes, differs in its last digits.
_SAME = 1e-6


@dataclass(frozen=True)
class Measured:
    """The mean of a share over questions, and the 95 % interval of a bootstrap over them."""

    recall: float
    low: float
    high: float
    questions: int


class Searches:
    """Exact searches with several vectors for each question, over rows that come in blocks.

    ``own`` are the questions' own vectors, of shape (questions, dimension). ``others``, of the same shape, are the
    vectors that are compared with them. ``operator`` is pgvector's: ``<=>``, ``<#>``, ``<->`` or ``<+>``.
    """

    def __init__(self, operator: str, own: Vectors, others: Sequence[Matrix]) -> None:
        self._operator = operator
        self._asked = [np.ascontiguousarray(each, dtype=np.float32) for each in (own, *others)]
        shape = (len(own), 0)
        self._near = [np.empty(shape) for _ in self._asked]
        # Of each row that was found: its distance from the question's own vector.
        self._truly = [np.empty(shape) for _ in self._asked]

    def add(self, rows: Vectors, themselves: NDArray[np.intp]) -> None:
        """Search among ``rows`` too, of shape (rows, dimension).

        ``themselves`` has the number of the question that a row is itself, -1 for none: it is not found by it.
        """
        among = np.flatnonzero(themselves >= 0)
        true = distances(self._operator, self._asked[0], rows)
        true[themselves[among], among] = np.inf
        for number, asked in enumerate(self._asked):
            found = true if number == 0 else distances(self._operator, asked, rows)
            found[themselves[among], among] = np.inf
            near = np.concatenate([self._near[number], found], axis=1)
            truly = np.concatenate([self._truly[number], true], axis=1)
            if near.shape[1] > K:
                kept = np.argpartition(near, K - 1, axis=1)[:, :K]
                near, truly = np.take_along_axis(near, kept, axis=1), np.take_along_axis(truly, kept, axis=1)
            self._near[number], self._truly[number] = near, truly

    def shares(self) -> list[Matrix]:
        """Return the recall@10 of each question for each of ``others``.

        A row counts by its distance from the question's own vector, so that of several at the same distance one is as
        good as another.
        """
        true = self._near[0]
        count = np.maximum(np.isfinite(true).sum(axis=1), 1)
        furthest = np.where(np.isfinite(true), true, -np.inf).max(axis=1, initial=-np.inf)
        furthest = furthest + _SAME * np.maximum(1, np.abs(furthest))
        return [
            ((truly <= furthest[:, None]) & np.isfinite(near)).sum(axis=1) / count
            for near, truly in zip(self._near[1:], self._truly[1:], strict=True)
        ]


def distances(operator: str, asked: Vectors, rows: Vectors) -> Matrix:
    """Return the distances by pgvector's ``operator`` as float64 of shape (len(asked), len(rows))."""
    if operator == "<+>":
        return np.stack([np.abs(rows - each).sum(axis=1, dtype=np.float64) for each in asked])
    product: Matrix = (asked @ rows.T).astype(np.float64)
    if operator == "<#>":
        return -product
    if operator == "<->":
        squares = np.square(asked, dtype=np.float64).sum(axis=1)[:, None] + np.square(rows, dtype=np.float64).sum(
            axis=1
        )
        root: Matrix = np.sqrt(np.maximum(squares - 2 * product, 0))
        return root
    lengths = np.linalg.norm(asked, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
    cosine: Matrix = 1 - product / np.where(lengths > 0, lengths, 1)
    return cosine


def measured(shares: Matrix, resamples: int, seed: int) -> Measured:
    """Return the mean of ``shares`` and its percentile interval over ``resamples`` (Efron and Tibshirani, 1993)."""
    dice = np.random.default_rng(seed)
    means = [shares[dice.integers(0, len(shares), len(shares))].mean() for _ in range(resamples)]
    low, high = np.percentile(means, (2.5, 97.5))
    return Measured(float(shares.mean()), float(low), float(high), len(shares))
