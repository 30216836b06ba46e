"""Correlations: Fisher's z, and Pearson's r of two series."""

from __future__ import annotations

from typing import Final

import numpy as np

from rtaffect.common.arrays import FloatArray

#: Correlations are kept this far from +-1 before Fisher's z, so that identical signals stay finite.
_CLIP: Final = 1.0 - 1e-12


def fisher_z(correlations: FloatArray) -> FloatArray:
    """Return arctanh of correlations of any shape, finite even where they are +-1; NaN stays NaN."""
    return np.asarray(np.arctanh(np.clip(correlations, -_CLIP, _CLIP)))


def fisher_mean(correlations: FloatArray, axis: int | None = None) -> FloatArray:
    """Return the mean of correlations by Fisher z along ``axis``, ignoring NaN; NaN where there is none."""
    z = fisher_z(correlations)
    present = np.isfinite(z)
    count = present.sum(axis=axis)
    total = np.where(present, z, 0.0).sum(axis=axis)
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    averaged: FloatArray = np.tanh(mean)
    return averaged


def pearson_r(x: FloatArray, y: FloatArray) -> float:
    """Return Pearson's r of two series (n,) where both are finite; NaN where one does not vary."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if len(x) < 2 or x.std() == 0 or y.std() == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])
