"""Synchrony of groups of different size: what a person's correlation with the mean of the others would be in another.

Where each pair of n people correlates at c, and all vary alike, one's correlation with the mean of the n - 1 others is

    r(n) = c sqrt(n - 1) / sqrt(1 + (n - 2) c)

which follows from the variance of a mean of n - 1 standardised courses, (1 + (n - 2) c) / (n - 1). It rises with c from
-1 at c = -1 / (n - 1), below which no n people can all correlate, to 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rtaffect.common.arrays import FloatArray


def with_the_others(pairwise: ArrayLike, people: ArrayLike) -> FloatArray:
    """Return r(n), elementwise; -1 where so many people cannot all correlate so negatively.

    Parameters
    ----------
    pairwise
        c, correlation; NaN stays NaN.
    people
        n, two or more; not whole where it is a mean over time.
    """
    c, n = np.asarray(pairwise, np.float64), np.asarray(people, np.float64)
    variance = 1.0 + (n - 2.0) * c
    possible = variance > np.finfo(np.float64).eps
    r = c * np.sqrt(n - 1.0) / np.sqrt(np.where(possible, variance, 1.0))
    return np.where(np.isnan(c + n), np.nan, np.where(possible, np.clip(r, -1.0, 1.0), -1.0))


def of_each_pair(with_others: ArrayLike, people: ArrayLike) -> FloatArray:
    """Return c for r(n), elementwise: the inverse of :func:`with_the_others`."""
    r, n = np.asarray(with_others, np.float64), np.asarray(people, np.float64)
    root = np.sqrt(r * r * (n - 2.0) ** 2 + 4.0 * (n - 1.0))
    return np.asarray(r * (r * (n - 2.0) + root) / (2.0 * (n - 1.0)))


def in_a_group_of(r: ArrayLike, people: ArrayLike, now: ArrayLike) -> FloatArray:
    """Return what ``r``, a correlation with the mean of the others among ``people``, would be among ``now``."""
    return with_the_others(of_each_pair(r, people), now)
