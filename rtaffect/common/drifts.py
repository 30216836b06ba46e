"""Slow drifts as nuisance regressors: time in a stimulus, and time on task.

Synchrony wanes while people tire, and many a feature of a sound rises or falls from its beginning to its end: two
courses that merely trend correlate without having anything to do with each other. So drifts are regressed out of both
before they are correlated, and out of every surrogate after it was displaced, so that chance loses the same degrees of
freedom. The regressors are a straight line and the cosines of the discrete cosine transform that are slower than a
cut-off, as in fMRI (Friston et al., *NeuroImage* 12, 2000; SPM's and nilearn's number of them, floor(2 T / cut-off)).
T steps, S lines, K regressors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.settings import STEP_S, DriftSettings

#: A direction of the regressors that the present steps hold less of than this is not told by them.
_ABSENT = 1e-9
#: What is left of a course, as a share of its variance, below which it is rounding: the course is all drift.
FLAT = 1e-12


def drift_basis(steps: int, drift: DriftSettings, step_s: float = STEP_S) -> FloatArray:
    """Return orthonormal regressors (T, K) of ``steps`` steps in a row: the mean first, then what ``drift`` asks for.

    There are never more than half as many as steps, which are ``step_s`` apart.
    """
    if not steps:
        return np.empty((0, 1))
    at = np.arange(steps) + 0.5
    columns: list[FloatArray] = [np.ones(steps)]
    if drift.linear and steps > 2:
        columns.append(np.asarray(at - steps / 2, np.float64))
    count = int(2 * steps * step_s / drift.cutoff_s) if drift.cutoff_s else 0
    columns += [np.cos(np.pi * k * at / steps) for k in range(1, count + 1)]
    kept = np.stack(columns[: max(1, steps // 2)], axis=1)
    return np.asarray(np.linalg.qr(kept)[0])


class Drifts:
    """The drifts of blocks that stand one behind the other, each with its own mean.

    Parameters
    ----------
    steps
        Of all blocks.
    drift
        What is a drift.
    starts
        First step of each block, from 0; default: all is one block.
    """

    def __init__(self, steps: int, drift: DriftSettings, starts: Sequence[int] | NDArray[np.intp] = (0,)) -> None:
        ends = [*(int(start) for start in starts), steps]
        self._blocks = [(slice(a, b), drift_basis(b - a, drift)) for a, b in pairwise(ends)]

    @property
    def count(self) -> int:
        """How many regressors there are, the blocks' means among them."""
        return sum(basis.shape[1] for _, basis in self._blocks)

    def residuals(self, present: BoolArray, *courses: FloatArray) -> list[FloatArray]:
        """Return what is left of each course (S, T) by least squares over the ``present`` steps (S, T), zero elsewhere.

        A line that is nothing but drift is left as zeros.
        """
        found = [np.zeros(present.shape) for _ in courses]
        for part, basis in self._blocks:
            for out, left in zip(found, left_of(basis, present[:, part], [c[:, part] for c in courses]), strict=True):
                out[:, part] = left
        return found

    def without(self, course: FloatArray) -> FloatArray:
        """Return what is left of one course (T,), NaN where it is NaN."""
        present = np.isfinite(course)
        return np.where(present, self.residuals(present[None], course[None])[0][0], np.nan)


def without_drifts(courses: FloatArray, basis: FloatArray) -> FloatArray:
    """Return courses (T, R) less the drifts (T, K) over the steps that each has, its mean among them; NaN stays NaN."""
    present = np.isfinite(courses).T
    return np.where(present, next(iter(left_of(basis, present, [courses.T]))), np.nan).T


def left_of(basis: FloatArray, present: BoolArray, courses: Sequence[FloatArray]) -> Iterator[FloatArray]:
    """Yield what orthonormal regressors ``basis`` (T, K) leave of each course (S, T) over the ``present`` steps (S, T).

    Zero elsewhere. The Gram matrix of the present steps is the unit less that of the missing ones.
    """
    whole = present.all(axis=1)
    inverse: dict[int, FloatArray] = {}
    for line in np.flatnonzero(~whole).tolist():
        missing = basis[~present[line]]
        inverse[line] = _inverse(np.eye(basis.shape[1]) - missing.T @ missing)
    for course in courses:
        values = np.where(present, course, 0.0)
        weights = values @ basis
        for line, gram in inverse.items():
            weights[line] = gram @ weights[line]
        left = np.where(present, values - weights @ basis.T, 0.0)
        power = (values**2).sum(axis=1, keepdims=True)
        yield np.where((left**2).sum(axis=1, keepdims=True) > FLAT * FLAT * power, left, 0.0)


def _inverse(gram: FloatArray) -> FloatArray:
    """Return the inverse of a Gram matrix (K, K) of part of an orthonormal basis, without what that part lacks."""
    held, axes = np.linalg.eigh(gram)
    return np.asarray((axes * np.where(held > _ABSENT, 1 / np.maximum(held, _ABSENT), 0.0)) @ axes.T)
