"""Ridge regression on a design whose penalties inner folds choose, by squared error or by correlation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dtrmm

from calibration.ridge import Indices, Sums, folds, ridge_of

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: What inner folds can choose penalties and lags by.
SCORINGS: Final = ("error", "r")
#: Rows whose errors are computed together: few enough that they stay in the processor's cache.
_TOGETHER: Final = 512


class Learnt(NamedTuple):
    """What the targets lead to: error of the inner folds, penalty (R,), coefficients (F, R), intercept (R,).

    ``row_error`` (R,) is the error of each row, as a share of its variance, whose mean is ``error``. ``r`` (R,) is
    the correlation of the inner folds' predictions with the targets, each fold about its own means, NaN where penalties
    are chosen by the error.
    """

    error: float
    alpha: Array
    coefficients: Array
    intercept: Array
    row_error: Array
    r: Array

    @property
    def loss(self) -> float:
        """What is least where predictions are best, by what penalties were chosen by."""
        return -float(self.r.mean()) if np.isfinite(self.r).all() else self.error


class Learner:
    """Ridge regression whose penalties inner folds choose, with all that depends on the design alone done once.

    Parameters
    ----------
    design
        (steps, F), NaN where the past is missing.
    missing
        Steps (steps,) without a target.
    lengths
        Steps of each sound.
    gap
        Steps that inner folds of a single sound are apart.
    alphas
        (A,) to choose from.
    lags
        Of the design.
    scoring
        'error': each row takes the penalty with the least squared error in the inner folds; 'r': with the highest
        correlation, of which each fold has its part about its own means.
    """

    def __init__(
        self,
        design: Array,
        missing: Mask,
        lengths: Sequence[int],
        gap: int,
        *,
        alphas: Array,
        lags: tuple[int, ...],
        scoring: str = "error",
    ) -> None:
        if scoring not in SCORINGS:
            raise ValueError(f"scoring = {scoring!r}; expected one of {', '.join(map(repr, SCORINGS))}")
        self.lags, self._alphas, self._scoring = lags, alphas, scoring
        self._use = np.isfinite(design).all(axis=1) & ~missing
        if not self._use.any():
            raise ValueError(f"no step has features at all of the lags {lags} and a target; give longer sounds")
        parts = [int(part.sum()) for part in np.split(self._use, np.cumsum(lengths)[:-1]) if part.any()]
        x = design[self._use]
        self._mean = x.mean(axis=0)
        self._x = x - self._mean
        self._xx = self._x.T @ self._x
        self._folds = [_InnerFold(self._x, self._xx, *fold, alphas) for fold in folds(parts, gap)]

    def learn(self, target: Array) -> Learnt:
        """Return what targets (steps, R) lead to."""
        y = target[self._use]
        y_mean = y.mean(axis=0)
        y -= y_mean
        xy = self._x.T @ y
        slices = _slices(y.shape[1])
        error = np.concatenate([self._errors(xy[:, some], y[:, some]) for some in slices], axis=1)
        r = np.full(error.shape, np.nan)
        if self._scoring == "r":
            r = np.concatenate([self._correlations(xy[:, some], y[:, some]) for some in slices], axis=1)
        chosen = (error if self._scoring == "error" else -r).argmin(axis=0)
        error, r = (np.take_along_axis(each, chosen[None], axis=0)[0] for each in (error, r))
        alpha = self._alphas[chosen]
        sums = Sums(len(y), self._mean, y_mean, self._xx, xy)
        (coefficients,), (intercept,) = ridge_of(sums, alpha[None])
        variance = np.maximum(np.square(y).mean(axis=0), np.finfo(np.float64).tiny)
        row_error = error / variance
        return Learnt(float(row_error.mean() / len(y)), alpha, coefficients, intercept, row_error / len(y), r)

    def _errors(self, xy: Array, y: Array) -> Array:
        error = np.zeros((len(self._alphas), y.shape[1]))
        for fold in self._folds:
            fold.add_errors(self._x, xy, y, error)
        return error

    def _correlations(self, xy: Array, y: Array) -> Array:
        """Return r (A, R) of all inner folds together; 0 where a course does not vary."""
        products = np.zeros((3, len(self._alphas), y.shape[1]))
        for fold in self._folds:
            fold.add_products(self._x, xy, y, products)
        joint, predicted, true = products
        scale = np.sqrt(predicted * true)
        return np.asarray(np.divide(joint, scale, out=np.zeros_like(joint), where=scale > 0))


class _InnerFold:
    """An inner fold of centred x (n, F): its sums are those of all steps less those of the steps left out.

    In the axes of the training scatter a penalty only scales the coefficients. A rotation Q of the test steps leaves at
    most F of them: ||y - Z b||^2 = ||y||^2 - ||Q'y||^2 + ||Q'y - Q'Z b||^2 for every penalty and row, and Q'Z is a
    triangle, whose product costs half.
    """

    def __init__(self, x: Array, xx: Array, train: Indices, test: Indices, alphas: Array) -> None:
        without = np.delete(np.arange(len(x)), train)
        # Both follow each other, so that slices do, which copy nothing.
        self._test, self._out = (slice(int(steps[0]), int(steps[-1]) + 1) for steps in (test, without))
        self._n, out = len(train), x[self._out]
        self._mean = -out.sum(axis=0) / self._n
        spread, self._axes = np.linalg.eigh(xx - out.T @ out - self._n * np.outer(self._mean, self._mean))
        self._shrink = 1 / (np.maximum(spread, 0.0) + alphas[:, None] * self._n)
        rotation, triangle = np.linalg.qr((x[self._test] - self._mean) @ self._axes)
        lacking = x.shape[1] - len(triangle)
        self._rotation = np.pad(rotation, ((0, 0), (0, lacking)))
        self._triangle = np.pad(triangle, ((0, lacking), (0, 0)))
        self._sums = self._rotation.sum(axis=0)

    def add_errors(self, x: Array, xy: Array, y: Array, error: Array) -> None:
        """Add to ``error`` (A, R) the squared errors for y (n, R), centred; ``xy`` (F, R) is of all steps."""
        test, rotated, fits = self._fitted(x, xy, y)
        error += np.maximum(_squares(test) - _squares(rotated), 0.0)
        for number, fitted in enumerate(fits):
            error[number] += _squares(rotated - fitted)

    def add_products(self, x: Array, xy: Array, y: Array, products: Array) -> None:
        """Add to ``products`` (3, A, R) those of predictions and y, predictions, and y, about the fold's own means."""
        test, rotated, fits = self._fitted(x, xy, y)
        steps, total = len(test), test.sum(axis=0)
        products[2] += np.maximum(_squares(test) - total**2 / steps, 0.0)
        for number, fitted in enumerate(fits):
            predicted = self._sums @ fitted
            products[0, number] += np.einsum("ij,ij->j", rotated, fitted) - predicted * total / steps
            products[1, number] += np.maximum(_squares(fitted) - predicted**2 / steps, 0.0)

    def _fitted(self, x: Array, xy: Array, y: Array) -> tuple[Array, Array, Iterator[Array]]:
        """Return y of the test steps about the training's mean, and it (F, R) and each penalty's fit to it, rotated."""
        mean = -y[self._out].sum(axis=0) / self._n
        scatter = xy - x[self._out].T @ y[self._out] - self._n * np.outer(self._mean, mean)
        projected, test = self._axes.T @ scatter, y[self._test] - mean
        fits = (dtrmm(1.0, (self._triangle * shrink).T, projected.T, side=1, lower=1).T for shrink in self._shrink)
        return test, self._rotation.T @ test, fits


def _squares(values: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->j", values, values))


def _slices(rows: int) -> list[slice]:
    return [slice(start, start + _TOGETHER) for start in range(0, rows, _TOGETHER)]
