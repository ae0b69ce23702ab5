"""Fits linear maps from one space to another, from pairs of vectors: orthogonal Procrustes and ridge regression.

Nothing here keeps the pairs. Their sums and products are enough, so the memory depends on the dimensions alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vestige_sql.encode.embedder import Vectors

Matrix: TypeAlias = NDArray[np.float64]

PENALTIES = tuple(10.0**power for power in range(-6, 2))
"""The penalties that ridge regression is tried with, as shares of the mean variance of an entry."""

_UNIT = 1e-3


@dataclass(frozen=True)
class LinearMap:
    """``vectors @ weights + bias``, and then to length one if ``normalises``.

    ``weights`` is float64 of shape (from, to), ``bias`` of shape (to,). ``method`` is "procrustes" or "ridge",
    ``centred`` whether it maps the mean to the mean, and ``penalty`` that of ridge regression.
    """

    method: str
    centred: bool
    weights: Matrix
    bias: Matrix
    normalises: bool
    penalty: float | None = None

    @property
    def name(self) -> str:
        return self.method + (", centred" if self.centred else "")

    def __call__(self, vectors: Vectors) -> Matrix:
        """Return float64 of shape (len(vectors), to)."""
        mapped: Matrix = vectors.astype(np.float64) @ self.weights + self.bias
        return _to_length_one(mapped) if self.normalises else mapped


@dataclass
class Moments:
    """Sums and products of pairs of vectors, float64, from which every map here can be fitted."""

    pairs: int
    old_sum: Matrix
    new_sum: Matrix
    old_old: Matrix
    new_new: Matrix
    old_new: Matrix

    @staticmethod
    def empty(old: int, new: int) -> Moments:
        """Return those of no pair, of vectors of ``old`` and of ``new`` dimensions."""
        zeros = np.zeros
        return Moments(0, zeros(old), zeros(new), zeros((old, old)), zeros((new, new)), zeros((old, new)))

    def add(self, old: Vectors, new: Vectors) -> None:
        """Add pairs: float32 of the shapes (pairs, old) and (pairs, new)."""
        left, right = old.astype(np.float64), new.astype(np.float64)
        self.pairs += len(left)
        self.old_sum += left.sum(axis=0)
        self.new_sum += right.sum(axis=0)
        self.old_old += left.T @ left
        self.new_new += right.T @ right
        self.old_new += left.T @ right

    def turned(self) -> Moments:
        """Return the same pairs the other way round, without a copy of what is large."""
        return Moments(self.pairs, self.new_sum, self.old_sum, self.new_new, self.old_old, self.old_new.T)


def are_unit(vectors: Vectors) -> bool:
    """Whether all of ``vectors`` have the length one, but for rounding (halfvec rounds to three digits)."""
    return bool(np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1) < _UNIT))


def fitted(moments: Moments, tried_on: tuple[Vectors, Vectors]) -> Iterator[LinearMap]:
    """Yield the maps from the old space to the new one that are worth a comparison, the simplest first.

    ``tried_on`` are pairs that are not among ``moments``: by them the penalty is chosen, and whether results are to
    have length one.
    """
    normalises = are_unit(tried_on[1])
    for centred in (False, True):
        yield replace(_procrustes(moments, centred=centred), normalises=normalises)
    yield replace(_ridge(moments, tried_on), normalises=normalises)


def _procrustes(moments: Moments, *, centred: bool) -> LinearMap:
    """Return the rotation, with a scale, that brings the old vectors nearest to the new ones (Schoenemann, 1966).

    Between spaces of two dimensions its rows, or its columns, are orthonormal.
    """
    old_mean, new_mean = moments.old_sum / moments.pairs, moments.new_sum / moments.pairs
    product, spread = moments.old_new, float(np.trace(moments.old_old))
    if centred:
        product = product - moments.pairs * np.outer(old_mean, new_mean)
        spread -= moments.pairs * float(old_mean @ old_mean)
    left, strengths, right = np.linalg.svd(product, full_matrices=False)
    # The scale matters where vectors are compared by more than their direction.
    weights = (left @ right) * (float(strengths.sum()) / spread if spread > 0 else 1.0)
    bias = new_mean - old_mean @ weights if centred else np.zeros(len(new_mean))
    return LinearMap("procrustes", centred, weights, bias, normalises=False)


def _ridge(moments: Moments, tried_on: tuple[Vectors, Vectors]) -> LinearMap:
    """Return the ridge regression with the penalty, of :data:`PENALTIES`, that errs least on other pairs."""
    old_mean, new_mean = moments.old_sum / moments.pairs, moments.new_sum / moments.pairs
    covariance = moments.old_old / moments.pairs - np.outer(old_mean, old_mean)
    product = moments.old_new / moments.pairs - np.outer(old_mean, new_mean)
    values, axes = np.linalg.eigh(covariance)
    turned = axes.T @ product
    old = (tried_on[0].astype(np.float64) - old_mean) @ axes
    new = tried_on[1].astype(np.float64) - new_mean
    # Rounding makes an eigenvalue of nought a little less than that.
    values = np.maximum(values, 0)
    scale = float(values.mean()) or 1.0

    def error(penalty: float) -> float:
        return float(np.square((old / (values + penalty * scale)) @ turned - new).sum())

    penalty = min(PENALTIES, key=error)
    weights = axes @ (turned / (values + penalty * scale)[:, None])
    return LinearMap("ridge", True, weights, new_mean - old_mean @ weights, False, penalty)


def _to_length_one(vectors: Matrix) -> Matrix:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    made: Matrix = vectors / np.where(lengths > 0, lengths, 1)
    return made
