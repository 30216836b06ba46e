"""The model of synchrony, in scikit-learn's form: principal components -> standardise -> lags -> ridge.

Everything that is learnt from features (components, scale) and from synchrony (penalty, lags, weights) is learnt from
what ``fit`` is given; the penalty of each row and the lags are chosen by folds inside that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from calibration.ridge import ALPHAS, Sums, folds, ridge_of
from rtaffect.prediction import Weights, components_of, lagged_design

Array = NDArray[np.float64]


class RidgeSynchrony(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression from a sound's features to synchrony, with lags.

    Parameters
    ----------
    n_components
        Principal components of the features, at most.
    lag_sets
        Ages of the features that may enter, in steps, rising; the set is taken with which inner folds predict best.
    alphas
        Penalties per training step to choose from, for each row of its own; None for the default grid.
    gap
        Steps that inner folds of a single sound are apart, beside the longest lag: those of a window.
    n_covariates
        The last so many columns of X are covariates: they have no part in the components, join in the regression with
        the same lags, and count as average when predicting, whatever X says.

    Attributes
    ----------
    weights_ : Weights
        What a live session needs.
    alpha_ : (R,)
        Penalty chosen for each row.
    lags_ : tuple of int
        Lags chosen.
    inner_error_ : float
        Squared error of inner folds with what was chosen, as a share of the rows' variance, averaged over rows.
    n_features_in_ : int
        Columns of X.
    """

    def __init__(
        self,
        n_components: int = 12,
        lag_sets: Sequence[Sequence[int]] = ((0,),),
        alphas: Array | None = None,
        gap: int = 0,
        n_covariates: int = 0,
    ) -> None:
        self.n_components, self.lag_sets, self.alphas = n_components, lag_sets, alphas
        self.gap, self.n_covariates = gap, n_covariates

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit to features X (steps, F + covariates) and synchrony y (steps, R) or (steps,), Fisher z, NaN where none.

        ``groups`` (steps,) tells which sound each step is of; a sound's steps follow each other. Default: all one.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if y is None:
            raise ValueError("RidgeSynchrony requires y to be passed, but the target y is None")
        y = check_array(y, dtype=np.float64, ensure_2d=False, ensure_all_finite="allow-nan", input_name="y")
        if len(X) != len(y):
            raise ValueError(f"X has {len(X)} steps and y {len(y)}; expected as many")
        self._single = y.ndim == 1
        target, lengths = y.reshape(len(y), -1), lengths_of(groups, len(X))
        features, covariates = self._split(X)
        basis = basis_of(features, self.n_components)
        columns = np.split(_columns(features, covariates, basis), np.cumsum(lengths)[:-1])
        error, best = np.inf, None
        for lags in self.lag_sets:
            design = np.concatenate([lagged_design(part, tuple(lags)) for part in columns])
            found = self._try(design, target, lengths, lags)
            if best is None or found[0] < error:
                error, best = found[0], (*found[1:], tuple(int(lag) for lag in lags))
        assert best is not None
        self.inner_error_ = error
        self.alpha_, coefficients, intercept, self.lags_ = best
        kept = self._kept(len(basis[2]), covariates.shape[1], len(self.lags_))
        none = np.zeros(len(intercept) + 1)
        self.weights_ = Weights(*basis, np.ascontiguousarray(coefficients[kept]), intercept, none, none, self.lags_)
        return self

    def predict(self, X: Any, groups: Any = None) -> Array:
        """Return predicted synchrony (steps, R), or (steps,), Fisher z, of X; NaN where a lag reaches too far back."""
        check_is_fitted(self, "weights_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        components = components_of(self._split(X)[0], self.weights_)
        parts = np.split(components, np.cumsum(lengths_of(groups, len(X)))[:-1])
        design = np.concatenate([lagged_design(part, self.lags_) for part in parts])
        z = design @ self.weights_.coefficients + self.weights_.intercept
        return z[:, 0] if self._single else z

    def score(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> float:
        """Return R2 over the steps that have a prediction and a target, averaged over rows."""
        found = self.predict(X, groups).reshape(len(X), -1)
        y = np.asarray(y, np.float64).reshape(len(found), -1)
        use = np.isfinite(found).all(axis=1) & np.isfinite(y).all(axis=1)
        weight = None if sample_weight is None else np.asarray(sample_weight)[use]
        return float(r2_score(y[use], found[use], sample_weight=weight))

    def _split(self, X: Array) -> tuple[Array, Array]:
        n = X.shape[1] - self.n_covariates
        if n < 1:
            raise ValueError(f"X has {X.shape[1]} columns, n_covariates is {self.n_covariates}: no feature is left")
        return X[:, :n], X[:, n:]

    def _try(
        self, design: Array, target: Array, lengths: Sequence[int], lags: Sequence[int]
    ) -> tuple[float, Array, Array, Array]:
        """Return the inner error of these lags, and the penalties, coefficients and intercept that they lead to."""
        use = np.isfinite(design).all(axis=1) & np.isfinite(target).all(axis=1)
        if not use.any():
            raise ValueError(f"no step has features at all of the lags {tuple(lags)} and a target; give longer sounds")
        parts = [int(part.sum()) for part in np.split(use, np.cumsum(lengths)[:-1]) if part.any()]
        x, y = design[use], target[use]
        alphas = ALPHAS if self.alphas is None else np.asarray(self.alphas, np.float64)
        error = inner_error(x, y, list(folds(parts, self.gap + int(lags[-1]))), alphas)
        alpha = alphas[error.argmin(axis=0)]
        (coefficients,), (intercept,) = ridge_of(Sums.of(x, y), alpha[None])
        variance = np.maximum(y.var(axis=0), np.finfo(np.float64).tiny)
        return float((error.min(axis=0) / variance).mean() / len(y)), alpha, coefficients, intercept

    def _kept(self, components: int, covariates: int, lags: int) -> NDArray[np.intp]:
        """Return which coefficients are of the features; those of the covariates meet zeros when predicting."""
        each = np.arange(lags)[:, None] * (components + covariates) + np.arange(components)
        return each.ravel()


def lengths_of(groups: Any, steps: int) -> list[int]:
    """Return how many steps each sound has.

    Raises
    ------
    ValueError
        If a sound's steps do not follow each other.
    """
    if groups is None:
        return [steps]
    groups = np.asarray(groups)
    if groups.shape != (steps,):
        raise ValueError(f"groups has shape {groups.shape}, expected ({steps},): the sound of each step")
    starts = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    if len(np.unique(groups)) != len(starts):
        raise ValueError("the steps of a sound do not follow each other in groups; put them in order")
    return [int(n) for n in np.diff([*starts, steps])]


def basis_of(features: Array, components: int) -> tuple[Array, Array, Array, Array]:
    """Return mean (F,), principal axes (C, F), and mean and scale (C,) of the components of ``features`` (steps, F).

    The sign of an axis is such that its largest entry is positive, as in scikit-learn's PCA.
    """
    mean = features.mean(axis=0)
    centred = features - mean
    count = min(components, *features.shape)
    n = features.shape[1]
    axes: Array = eigh(centred.T @ centred, subset_by_index=(n - count, n - 1))[1].T[::-1]
    largest = np.abs(axes).argmax(axis=1)
    axes = np.ascontiguousarray(axes * np.sign(axes[np.arange(count), largest])[:, None])
    projected = centred @ axes.T
    scale = projected.std(axis=0)
    return mean, axes, projected.mean(axis=0), np.where(scale > 0, scale, 1.0)


def _columns(features: Array, covariates: Array, basis: tuple[Array, Array, Array, Array]) -> Array:
    """Return the standardised components and covariates (steps, C + V)."""
    mean, axes, middle, scale = basis
    spread = covariates.std(axis=0)
    standard = (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.concatenate([((features - mean) @ axes.T - middle) / scale, standard], axis=1)


def inner_error(x: Array, y: Array, inner: Sequence[tuple[Any, Any]], alphas: Array) -> Array:
    """Return the summed squared error (A, R) of each penalty over inner folds (train, test) of x (n, F), y (n, R)."""
    error = np.zeros((len(alphas), y.shape[1]))
    for train, test in inner:
        coefficients, intercept = ridge_of(Sums.of(x[train], y[train]), alphas[:, None])
        error += ((x[test] @ coefficients + intercept[:, None] - y[test]) ** 2).sum(axis=1)
    return error
