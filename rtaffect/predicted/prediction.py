"""Predicted synchrony: features -> principal components -> standardise -> lags -> ridge weights -> Fisher z -> r."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.correlation import fisher_mean

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """What calibration learnt. F feature size, C components, L lags, R rows; all float64.

    Attributes
    ----------
    pca_mean : (F,)
        Mean of the features.
    pca_components : (C, F)
        Principal axes.
    scaler_mean, scaler_scale : (C,)
        Mean and standard deviation of the components.
    coefficients : (L * C, R)
        Ridge weights, the components of the first lag first; they give Fisher z.
    intercept : (R,)
        Fisher z for average sound.
    residual_low, residual_high : (R + 1,)
        Quantiles of held-out residuals in Fisher z; the last entry is for the mean over the rows that count.
    lags_s : tuple of int, length L
        Age of each lag's features, s.
    """

    pca_mean: Array
    pca_components: Array
    scaler_mean: Array
    scaler_scale: Array
    coefficients: Array
    intercept: Array
    residual_low: Array
    residual_high: Array
    lags_s: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted synchrony of R rows and its interval, correlations; the scalars are for the mean over rows."""

    value: Array
    low: Array
    high: Array
    overall: float
    overall_low: float
    overall_high: float

    @classmethod
    def nothing(cls, rows: int) -> Prediction:
        """Return that of so many ``rows`` of which nothing is predicted."""
        nothing = np.full(rows, np.nan)
        return cls(nothing, nothing, nothing, math.nan, math.nan, math.nan)


def components_of(features: Array, weights: Weights) -> Array:
    """Return standardised principal components (..., C) of ``features`` (..., F)."""
    projected = (features - weights.pca_mean) @ weights.pca_components.T
    return np.asarray((projected - weights.scaler_mean) / weights.scaler_scale)


def lagged_design(components: Array, lags_s: tuple[int, ...], missing: float = math.nan) -> Array:
    """Return the design (steps, L * C) whose row t holds ``components`` (steps, C) at t - lag for each lag.

    A negative lag looks ahead, which only what is recorded can. ``missing`` stands beyond either end.
    """
    steps, size = components.shape
    design = np.full((steps, len(lags_s), size), missing)
    for place, lag in enumerate(lags_s):
        if lag < 0:
            design[:lag, place] = components[-lag:]
        else:
            design[lag:, place] = components[: max(0, steps - lag)]
    return design.reshape(steps, -1)


class Predictor:
    """Applies weights to one feature vector a step, keeping the lags it needs.

    Parameters
    ----------
    weights
        From calibration.
    rows
        Which of the bundle's rows are asked for, as numbers.
    counted
        Which of those enter the mean over rows; default: all.
    reduced
        Whether features come as standardised principal components already, as they are kept of a sound that is gone.
    plain
        Whether what is predicted is no correlation but a rating, in its own unit: there is no Fisher z, and no mean.
    """

    def __init__(
        self,
        weights: Weights,
        rows: NDArray[np.intp],
        counted: NDArray[np.bool_] | None = None,
        *,
        reduced: bool = False,
        plain: bool = False,
    ) -> None:
        self._reduced, self._plain = reduced, plain
        self._weights, self._rows = weights, rows
        self._counted = np.ones(len(rows), np.bool_) if counted is None else counted
        self._past = np.full((weights.lags_s[-1] + 1, len(weights.scaler_mean)), np.nan)

    @property
    def memory_s(self) -> int:
        """How many seconds of features a prediction is made of."""
        return len(self._past)

    def __call__(self, feature: Array) -> Prediction:
        """Return the prediction after the newest second's ``feature`` (F,); NaN in it, or in a lag, gives NaN."""
        self._past[:-1] = self._past[1:].copy()
        self._past[-1] = feature if self._reduced else components_of(feature, self._weights)
        design = lagged_design(self._past, self._weights.lags_s)[-1]
        if self._plain:
            return predict_plain(design, self._weights, self._rows)
        return predict(design, self._weights, self._rows, self._counted)


def predict(design: Array, weights: Weights, rows: NDArray[np.intp], counted: NDArray[np.bool_]) -> Prediction:
    """Return the prediction of ``rows`` for one row of the design (L * C,); the mean is over those ``counted``."""
    z = design @ weights.coefficients[:, rows] + weights.intercept[rows]
    value = np.tanh(z)
    overall = float(fisher_mean(value[counted]))
    middle = np.arctanh(overall)
    return Prediction(
        value=value,
        low=np.tanh(z + weights.residual_low[rows]),
        high=np.tanh(z + weights.residual_high[rows]),
        overall=overall,
        overall_low=float(np.tanh(middle + weights.residual_low[-1])),
        overall_high=float(np.tanh(middle + weights.residual_high[-1])),
    )


def predict_plain(design: Array, weights: Weights, rows: NDArray[np.intp]) -> Prediction:
    """Return the prediction of ``rows`` that are no correlations for one row of the design (L * C,); without a mean."""
    value = design @ weights.coefficients[:, rows] + weights.intercept[rows]
    low, high = value + weights.residual_low[rows], value + weights.residual_high[rows]
    return Prediction(value, low, high, math.nan, math.nan, math.nan)
