"""Medians of a few values of which some are missing: what a session takes many times a second."""

from __future__ import annotations

import numpy as np

from rtaffect.common.arrays import FloatArray


def median_of_present(values: FloatArray) -> FloatArray:
    """Return the median of each column of ``values`` (n, columns), ignoring NaN; NaN where there is nothing else.

    To the bit what ``numpy.nanmedian`` gives, which takes masked arrays for so few values and ten times as long.
    """
    ordered = np.sort(values, axis=0)
    # NaN is sorted behind all numbers.
    count = np.maximum(len(values) - np.isnan(ordered).sum(axis=0), 1)
    column = np.arange(values.shape[1])
    low, high = ordered[(count - 1) // 2, column], ordered[count // 2, column]
    return np.asarray(np.where(low == high, low, (low + high) / 2))
