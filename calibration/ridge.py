"""From features and synchrony to weights: ridge regression with blocked, nested cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from rtaffect.errors import SettingsError
from rtaffect.prediction import Weights, components_of, lagged_design
from rtaffect.settings import Settings

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Candidates for the regularisation, as multiples of the number of training steps.
ALPHAS = np.logspace(-3, 3, 13)
#: Blocks that a single sound is cut into, where there are no other sounds to leave out.
BLOCKS = 5


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights fitted on everything, and how they did where they were not fitted.

    ``held_out`` (steps, R) are the predictions in Fisher z of the outer folds, NaN where none; ``target`` the same of
    what was observed; ``alpha`` (R,) the regularisation of the final weights; ``folds`` the number of outer folds;
    ``counted`` (R,) the rows that enter the mean over rows.
    """

    weights: Weights
    held_out: Array
    target: Array
    alpha: Array
    folds: int
    counted: NDArray[np.bool_]

    def correlations(self) -> tuple[Array, float]:
        """Return the held-out Pearson r of each row (R,) and of the mean over rows."""
        use = np.isfinite(self.held_out).all(axis=1) & np.isfinite(self.target).all(axis=1)
        predicted, observed = self.held_out[use], self.target[use]
        rows = [_pearson(p, o) for p, o in zip(predicted.T, observed.T, strict=True)]
        means = (course[:, self.counted].mean(axis=1) for course in (predicted, observed))
        return np.array(rows), _pearson(*means)


def fit(
    features: Sequence[Array],
    targets: Sequence[Array],
    settings: Settings,
    people: Sequence[Array] | None = None,
    counted: NDArray[np.bool_] | None = None,
) -> Fit:
    """Fit weights to one or more sounds.

    Parameters
    ----------
    features
        For each sound (steps, F).
    targets
        For each sound (steps, R): observed synchrony after each step, Fisher z, NaN where there is none.
    settings
        Components, lags, interval level and the window, which is the least gap between folds.
    people
        For each sound (P, steps, R): what each person showed, Fisher z. A live session observes one person, so the
        interval is made for one; without it, for the target itself.
    counted
        Which rows (R,) enter the mean over rows; default: all.

    Raises
    ------
    SettingsError
        If there are too few steps for the folds.
    """
    lengths = [len(t) for t in targets]
    gap = settings.synchrony.window_s + settings.prediction.lags_s[-1]
    target = np.concatenate(targets)
    held_out = np.full(target.shape, np.nan)
    outer = list(folds(lengths, gap))
    for train, test in outer:
        weights, _ = _fit_on(features, target, train, lengths, settings)
        held_out[test] = _apply(features, weights)[test]
    everything = np.arange(len(target))
    weights, alpha = _fit_on(features, target, everything, lengths, settings)
    shown = np.concatenate(people, axis=1) if people is not None else target[None]
    counted = np.ones(target.shape[1], np.bool_) if counted is None else counted
    weights = _with_interval(weights, held_out, shown, counted, settings)
    return Fit(weights, held_out, target, alpha, len(outer), counted)


def folds(lengths: Sequence[int], gap: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield (train, test) step numbers: each sound left out in turn, or blocks of a single one.

    ``lengths`` are the sounds' steps; blocks are ``gap`` steps apart, so that no window or lag reaches across.
    """
    starts = np.cumsum([0, *lengths])
    everything = np.arange(starts[-1])
    if len(lengths) > 1:
        pieces = [everything[a:b] for a, b in pairwise(starts)]
        near = 0
    else:
        pieces = np.array_split(everything, BLOCKS)
        near = gap
        if len(everything) < BLOCKS * 2 * gap:
            raise SettingsError(
                f"one sound of {len(everything)} s is too short to be cut into {BLOCKS} folds that are {gap} s apart; "
                f"give at least {BLOCKS * 2 * gap} s or a second sound"
            )
    for test in pieces:
        train = everything[(everything < test[0] - near) | (everything > test[-1] + near)]
        yield train, test


def _fit_on(
    features: Sequence[Array], target: Array, train: Indices, lengths: Sequence[int], settings: Settings
) -> tuple[Weights, Array]:
    """Return weights fitted on steps ``train`` alone, and the alpha of each row, chosen inside them."""
    use = np.zeros(len(target), bool)
    use[train] = True
    basis = _basis(np.concatenate(features)[use], settings, target.shape[1])
    design = _design(features, basis)
    use &= np.isfinite(design).all(axis=1) & np.isfinite(target).all(axis=1)
    parts = [int(part.sum()) for part in np.split(use, np.cumsum(lengths)[:-1]) if part.any()]
    x, y = design[use], target[use]
    gap = settings.synchrony.window_s + settings.prediction.lags_s[-1]
    alpha = _choose_alpha(x, y, list(folds(parts, gap)))
    (coefficients,), (intercept,) = ridge(x, y, alpha[None])
    return replace(basis, coefficients=np.ascontiguousarray(coefficients), intercept=intercept), alpha


def ridge(x: Array, y: Array, alphas: Array) -> tuple[Array, Array]:
    """Solve ridge regression for several penalties with one eigendecomposition of the features' scatter.

    Minimises ||y - x w - b||^2 + alpha n ||w||^2 over w and b, for each row of y with its own alpha.

    Parameters
    ----------
    x, y
        (n, F) and (n, R).
    alphas
        (A, R), or (A, 1) for the same in every row; the penalty per training step, so that it keeps its meaning when
        n changes.

    Returns
    -------
    coefficients : (A, F, R)
    intercept : (A, R)
    """
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = x - x_mean
    spread, axes = np.linalg.eigh(centred.T @ centred)
    projected = axes.T @ (centred.T @ (y - y_mean))
    coefficients = axes @ (projected / (np.maximum(spread, 0.0)[:, None] + alphas[:, None, :] * len(x)))
    return coefficients, y_mean - x_mean @ coefficients


def _basis(features: Array, settings: Settings, rows: int) -> Weights:
    """Return weights whose PCA and scaler are fitted to ``features`` (steps, F) and whose regression is empty."""
    count, prediction = settings.prediction.n_components, settings.prediction
    if count > min(features.shape):
        raise SettingsError(
            f"n_components = {count} is more than the {len(features)} training steps or {features.shape[1]} features "
            "allow; give longer sounds or fewer components"
        )
    pca = PCA(count, svd_solver="covariance_eigh").fit(features)
    projected = pca.transform(features)
    return Weights(
        pca_mean=pca.mean_,
        pca_components=np.ascontiguousarray(pca.components_),
        scaler_mean=projected.mean(axis=0),
        scaler_scale=projected.std(axis=0),
        coefficients=np.zeros((len(prediction.lags_s) * count, rows)),
        intercept=np.zeros(rows),
        residual_low=np.zeros(rows + 1),
        residual_high=np.zeros(rows + 1),
        lags_s=prediction.lags_s,
    )


def _design(features: Sequence[Array], basis: Weights) -> Array:
    return np.concatenate([lagged_design(components_of(f, basis), basis.lags_s) for f in features])


def _apply(features: Sequence[Array], weights: Weights) -> Array:
    return np.asarray(_design(features, weights) @ weights.coefficients + weights.intercept)


def _choose_alpha(x: Array, y: Array, inner: list[tuple[Indices, Indices]]) -> Array:
    """Return for each row of ``y`` (steps, R) the alpha, per training step, with the least held-out squared error."""
    error = np.zeros((len(ALPHAS), y.shape[1]))
    for train, test in inner:
        coefficients, intercept = ridge(x[train], y[train], ALPHAS[:, None])
        error += ((x[test] @ coefficients + intercept[:, None] - y[test]) ** 2).sum(axis=1)
    return np.asarray(ALPHAS[error.argmin(axis=0)])


def _with_interval(
    weights: Weights, held_out: Array, shown: Array, counted: NDArray[np.bool_], settings: Settings
) -> Weights:
    """Return ``weights`` with the quantiles of ``shown`` (P, steps, R) less its prediction, for rows and their mean."""
    residual = (shown - held_out).reshape(-1, held_out.shape[1])
    residual = np.column_stack([residual, residual[:, counted].mean(axis=1)])
    tail = (1 - settings.prediction.interval_level) / 2
    low, high = np.nanquantile(residual, [tail, 1 - tail], axis=0)
    return replace(weights, residual_low=low, residual_high=high)


def _pearson(a: Array, b: Array) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0
