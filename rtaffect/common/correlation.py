"""Correlations: Fisher's z, and Pearson's r of two series."""

from __future__ import annotations

from typing import Final, NamedTuple

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


def plain_mean(values: FloatArray, axis: int | None = None) -> FloatArray:
    """Return the mean of values that are no correlations along ``axis``, ignoring NaN; NaN where there is none."""
    present = np.isfinite(values)
    count = present.sum(axis=axis)
    total = np.where(present, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def pearson_r(x: FloatArray, y: FloatArray) -> float:
    """Return Pearson's r of two series (n,) where both are finite; NaN where one does not vary."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if len(x) < 2 or x.std() == 0 or y.std() == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


class JointSums(NamedTuple):
    """Sums over the instants at which both x and y are present; arrays of one shape."""

    n: FloatArray
    x: FloatArray
    y: FloatArray
    xx: FloatArray
    xy: FloatArray
    yy: FloatArray


def pearson(sums: JointSums, least: int, k: int = 1) -> FloatArray:
    """Return the correlations (..., rows, n) that the sums (..., rows * k, n) give; NaN where a side does not vary.

    ``k`` parts that lie side by side are correlated as one: the sum of their covariances over the root of the product
    of the sums of their variances, which is Pearson's r of the parts laid end to end, each about its own mean. Each
    needs ``least`` instants, or the value is NaN.
    """
    parts = JointSums(*(field.reshape(*field.shape[:-2], -1, k, field.shape[-1]) for field in sums))
    safe = np.maximum(parts.n, 1.0)
    var_x = (parts.xx - parts.x**2 / safe).sum(axis=-2)
    var_y = (parts.yy - parts.y**2 / safe).sum(axis=-2)
    covariance = (parts.xy - parts.x * parts.y / safe).sum(axis=-2)
    tiny = 1e-12
    varies = (var_x > tiny * parts.xx.sum(axis=-2)) & (var_y > tiny * parts.yy.sum(axis=-2))
    valid = varies & (parts.n.min(axis=-2) >= least)
    scale = np.sqrt(np.where(valid, var_x * var_y, 1.0))
    return np.asarray(np.where(valid, np.clip(covariance / scale, -1.0, 1.0), np.nan))
