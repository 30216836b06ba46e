"""Drifts within the sounds of a study: taken out of what weights are fitted to, and of what they are judged by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.ridge import folds
from calibration.statistics import Pairs, pair
from rtaffect.common.drifts import drift_basis, without_drifts
from rtaffect.common.settings import DriftSettings, Settings

Array = NDArray[np.float64]


def untrended(targets: Sequence[Array], drift: DriftSettings) -> list[Array]:
    """Return targets (steps, R) of each sound without their drifts, about the means that they have; NaN stays NaN.

    Features that trend cannot then be taken for what makes synchrony wane. They keep their own trends: what is fitted
    is the fast part alone, and the trend of a feature has no weight beyond that.
    """
    found = []
    for target in targets:
        basis = drift_basis(len(target), drift)
        present = np.isfinite(target)
        mean = np.where(present, target, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
        found.append(without_drifts(target, basis) + mean if basis.shape[1] > 1 else target)
    return found


def courses_untrended(courses: Sequence[Array], drift: DriftSettings) -> list[Array]:
    """Return courses (..., steps, R) of each sound without their drifts, as :func:`untrended` does of targets."""
    turned = [np.moveaxis(each, -2, 0) for each in courses]
    flat = untrended([each.reshape(len(each), -1) for each in turned], drift)
    return [np.moveaxis(f.reshape(t.shape), 0, -2) for f, t in zip(flat, turned, strict=True)]


def paired(
    predicted: Sequence[Array], targets: Sequence[Array], settings: Settings, averages: NDArray[np.bool_] | None
) -> Pairs:
    """Return held-out predictions of all sounds beside their targets; blocks of a single sound are parts of it."""
    parts = None
    gap = settings.synchrony.window_s + settings.prediction.lags_s[-1]
    if len(targets) == 1:
        parts = [[int(test[0]) for _, test in folds([len(targets[0])], gap)]]
    return pair(predicted, targets, settings.synchrony.window_s, averages=averages, drift=settings.drift, parts=parts)
