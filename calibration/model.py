"""The model of synchrony, in scikit-learn's form: principal components -> standardise -> lags -> ridge.

Everything that is learnt from features (components, scale) and from synchrony (penalty, lags, weights) is learnt from
what ``fit`` is given; the penalty of each row and the lags are chosen by folds inside that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from calibration.learner import Learner, Learnt
from calibration.ridge import ALPHAS
from rtaffect.common.threads import one_thread, threads_for
from rtaffect.predicted.prediction import Weights, components_of, lagged_design

Array = NDArray[np.float64]

#: What stands beyond the ends of a sound, for standardised features.
_EDGES: Final = {"nan": math.nan, "mean": 0.0}


class RidgeSynchrony(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression from a sound's features to synchrony, with lags; or from any series to another.

    Parameters
    ----------
    n_components
        Principal components of the features, at most; None: the features themselves, without components.
    lag_sets
        Ages of the features that may enter, in steps, rising; the set is taken with which inner folds predict best.
        A negative lag is a feature that comes later, as when a sound is decoded from the EEG that it evokes.
    alphas
        Penalties per training step to choose from, for each row of its own; None for the default grid.
    gap
        Steps that inner folds of a single sound are apart, beside the longest lag: those of a window.
    n_covariates
        The last so many columns of X are covariates: they have no part in the components, join in the regression with
        the same lags, and count as average when predicting, whatever X says. That is the paper's control. What features
        share with covariates stays in their weights; for what they tell beyond, see :mod:`calibration.unique`.
    standardise
        Whether features are divided by their standard deviation before their components are taken: needed where they
        have different units, as acoustic descriptors do. The axes of ``weights_`` have that in them.
    whiten
        Whether each component (or feature, without components) is brought to unit variance, so that the penalty weighs
        weak and strong ones alike; else all are divided by one number, the root of their mean variance.
    edges
        What features count as beyond the ends of a sound: 'nan', so that steps whose lags reach there have no
        prediction and no part in the fit; or 'mean', their average, so that all steps have one.
    scoring
        By what inner folds choose each row's penalty, and the lags: 'error', the least squared error, which is right
        for values; or 'r', the highest correlation of course and prediction, each fold about its own means, for what is
        only correlated, as an envelope that is decoded: of a weak signal the error takes a larger penalty than r does.

    Attributes
    ----------
    weights_ : Weights
        What a live session needs.
    coef_ : (L, F, R), or (L, F) for y of one column without axis
        Change of the prediction for one unit of each feature as it is in X, at each lag of ``lags_``.
    intercept_ : (R,), or float
        Prediction is the sum over lags of X, lag steps earlier, times ``coef_``, and this.
    alpha_ : (R,)
        Penalty chosen for each row.
    lags_ : tuple of int
        Lags chosen.
    inner_error_ : float
        Squared error of inner folds with what was chosen, as a share of the rows' variance, averaged over rows.
    inner_r_ : (R,)
        With ``scoring='r'``: the correlation of inner folds with what was chosen; else NaN.
    n_features_in_ : int
        Columns of X.
    """

    def __init__(
        self,
        n_components: int | None = 12,
        lag_sets: Sequence[Sequence[int]] = ((0,),),
        alphas: Array | None = None,
        gap: int = 0,
        n_covariates: int = 0,
        *,
        standardise: bool = False,
        whiten: bool = True,
        edges: str = "nan",
        scoring: str = "error",
    ) -> None:
        self.n_components, self.lag_sets, self.alphas = n_components, lag_sets, alphas
        self.gap, self.n_covariates, self.standardise = gap, n_covariates, standardise
        self.whiten, self.edges, self.scoring = whiten, edges, scoring

    @one_thread()
    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit to features X (steps, F + covariates) and synchrony y (steps, R) or (steps,), Fisher z, NaN where none.

        ``groups`` (steps,) tells which sound each step is of; a sound's steps follow each other. Default: all one. They
        come as an argument, or by scikit-learn's metadata routing after ``set_fit_request(groups=True)``.
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
        basis = basis_of(features, self.n_components, standardise=self.standardise, whiten=self.whiten)
        columns = np.split(_columns(features, covariates, basis), np.cumsum(lengths)[:-1])
        missing = ~np.isfinite(target).all(axis=1)
        best: tuple[float, Learner, Learnt] | None = None
        for lags in self.lag_sets:
            chosen = _rising(lags)
            design = np.concatenate([lagged_design(part, chosen, self._beyond()) for part in columns])
            gap = self.gap + max(0, chosen[-1]) - min(0, chosen[0])
            learner = Learner(design, missing, lengths, gap, alphas=self._alphas(), lags=chosen, scoring=self.scoring)
            learnt = learner.learn(target)
            if best is None or learnt.loss < best[0]:
                best = learnt.loss, learner, learnt
        assert best is not None
        _, self._learner, learnt = best
        self._basis = basis
        self._take(learnt)
        return self

    @one_thread()
    def refit(self, y: Any) -> Self:
        """Fit to other synchrony y (steps, R), with values at the same steps, and the features and lags of ``fit``.

        What is learnt from features alone is not computed again.
        """
        check_is_fitted(self, "weights_")
        target = np.asarray(y, np.float64)
        self._single = target.ndim == 1
        self._take(self._learner.learn(target.reshape(len(target), -1)))
        return self

    def _take(self, learnt: Learnt) -> None:
        self.inner_error_, self.alpha_, self.lags_ = learnt.error, learnt.alpha, self._learner.lags
        self.inner_r_ = learnt.r
        columns = len(learnt.coefficients) // len(self.lags_)
        # The coefficients of covariates, last of each lag, would meet zeros when predicting.
        kept = (np.arange(len(self.lags_))[:, None] * columns + np.arange(columns - self.n_covariates)).ravel()
        none = np.zeros(len(learnt.intercept) + 1)
        coefficients = np.ascontiguousarray(learnt.coefficients[kept])
        self.weights_ = Weights(*self._basis, coefficients, learnt.intercept, none, none, self.lags_)
        self._tell_coefficients()

    def _tell_coefficients(self) -> None:
        """Set ``coef_`` and ``intercept_``: what the weights of components mean for features in their own units."""
        w = self.weights_
        of_lag = w.coefficients.reshape(len(self.lags_), len(w.scaler_scale), -1)
        per_unit = of_lag / w.scaler_scale[:, None]
        coef: Array = np.einsum("cf,lcr->lfr", w.pca_components, per_unit)
        intercept = (
            w.intercept - np.einsum("f,lfr->r", w.pca_mean, coef) - np.einsum("c,lcr->r", w.scaler_mean, per_unit)
        )
        self.coef_ = coef[..., 0] if self._single else coef
        self.intercept_ = float(intercept[0]) if self._single else intercept

    def _beyond(self) -> float:
        """Return what stands for standardised features beyond the ends of a sound."""
        if self.edges not in _EDGES:
            raise ValueError(f"edges = {self.edges!r}; expected one of {', '.join(map(repr, _EDGES))}")
        return _EDGES[self.edges]

    def _alphas(self) -> Array:
        return ALPHAS if self.alphas is None else np.asarray(self.alphas, np.float64)

    @one_thread()
    def predict(self, X: Any, groups: Any = None) -> Array:
        """Return predicted synchrony (steps, R), or (steps,), Fisher z, of X.

        With ``edges='nan'`` it is NaN where a lag reaches beyond the sound of ``groups``.
        """
        check_is_fitted(self, "weights_")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        components = components_of(self._split(X)[0], self.weights_)
        parts = np.split(components, np.cumsum(lengths_of(groups, len(X)))[:-1])
        design = np.concatenate([lagged_design(part, self.lags_, self._beyond()) for part in parts])
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


def _rising(lags: Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(int(lag) for lag in lags)
    if not chosen or any(b <= a for a, b in pairwise(chosen)):
        raise ValueError(f"lags {chosen}; expected one or more whole numbers that rise, as (0, 1, 2) or (-2, -1, 0)")
    return chosen


def basis_of(
    features: Array, components: int | None, *, standardise: bool = False, whiten: bool = True
) -> tuple[Array, Array, Array, Array]:
    """Return mean (F,), principal axes (C, F), and mean and scale (C,) of the components of ``features`` (steps, F).

    The sign of an axis is such that its largest entry is positive, as in scikit-learn's PCA. With ``standardise`` they
    are of features in units of their standard deviation, a constant one as it is, and the axes are for features as they
    are: ``(features - mean) @ axes.T`` gives the components either way. Without ``components`` each feature is one.
    With ``whiten`` each has its own scale, its standard deviation; else all have one.
    """
    mean = features.mean(axis=0)
    centred = features - mean
    unit = np.ones(features.shape[1])
    if standardise:
        spread = centred.std(axis=0)
        unit = np.where(spread > 0, spread, 1.0)
        centred /= unit
    axes = np.eye(features.shape[1]) if components is None else _axes(centred, components)
    projected = centred if components is None else centred @ axes.T
    scale = projected.std(axis=0)
    if not whiten:
        scale = np.full(len(scale), np.sqrt(np.square(scale).mean()))
    return mean, np.ascontiguousarray(axes / unit), projected.mean(axis=0), np.where(scale > 0, scale, 1.0)


def _axes(centred: Array, components: int) -> Array:
    """Return the leading principal axes (C, F) of ``centred`` features (steps, F)."""
    count = min(components, *centred.shape)
    n = centred.shape[1]
    with threads_for(n * n * max(n, len(centred))):
        axes: Array = eigh(centred.T @ centred, subset_by_index=(n - count, n - 1))[1].T[::-1]
    largest = np.abs(axes).argmax(axis=1)
    return np.ascontiguousarray(axes * np.sign(axes[np.arange(count), largest])[:, None])


def _columns(features: Array, covariates: Array, basis: tuple[Array, Array, Array, Array]) -> Array:
    """Return the standardised components and covariates (steps, C + V)."""
    mean, axes, middle, scale = basis
    spread = covariates.std(axis=0)
    standard = (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.concatenate([((features - mean) @ axes.T - middle) / scale, standard], axis=1)
