"""Nested cross-validation: weights fitted on everything, and how they do on sounds that they were not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.intervals import residual_quantiles
from calibration.model import RidgeSynchrony
from calibration.needed import refuse_short
from calibration.ridge import ALPHAS, folds
from calibration.statistics import Pairs, score
from calibration.trends import paired
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings
from rtaffect.common.threads import one_thread
from rtaffect.predicted.prediction import Weights

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RidgeFit:
    """Weights fitted on everything, and how they did where they were not fitted.

    ``held_out`` (steps, R) are the predictions in Fisher z of the outer folds, NaN where none; ``target`` the same of
    what was observed; ``alpha`` (R,) the regularisation of the final weights; ``folds`` the number of outer folds;
    ``counted`` (R,) the rows that enter the mean over rows; ``inner`` (folds,) and ``inner_whole`` the error of the
    inner folds in each outer one's training part and in everything, by which models may be compared without a look at
    what is held out. ``tested`` has the steps of each outer fold.
    """

    weights: Weights
    held_out: Array
    target: Array
    alpha: Array
    folds: int
    counted: NDArray[np.bool_]
    inner: Array
    inner_whole: float
    tested: tuple[NDArray[np.intp], ...]
    lengths: tuple[int, ...]

    def pairs(self, settings: Settings) -> Pairs:
        """Return held-out predictions beside the targets, sound by sound, the mean over counted rows last.

        Drifts are taken out of both. Raises SettingsError if no sound is long enough to be judged.
        """
        cuts = np.cumsum(self.lengths)[:-1]
        predicted, observed = (np.split(side, cuts) for side in (self.held_out, self.target))
        return paired(predicted, observed, settings, self.counted[None])

    def correlations(self, settings: Settings) -> tuple[Array, float]:
        """Return the held-out r of each row (R,) and of the mean over rows; NaN where there is nothing to judge by.

        Pearson's over all steps, each sound about its own means (:class:`calibration.statistics.Score`): longer sounds
        weigh more, and how sounds differ from each other does not enter.
        """
        try:
            r = score(self.pairs(settings)).r
        except SettingsError:
            r = np.full(self.target.shape[1] + 1, np.nan)
        return r[:-1], float(r[-1])

    @property
    def at_edge(self) -> str:
        """Warning if penalties lie at the edge of the grid, with the remedy; '' if few do."""
        low, high = float((self.alpha <= ALPHAS[0]).mean()), float((self.alpha >= ALPHAS[-1]).mean())
        if high > _MANY:
            return (
                f"the penalty of {high:.0%} of the rows is the largest of the grid ({ALPHAS[-1]:g}): features tell "
                "nothing about them; give more people or longer sounds, and do not read their predictions"
            )
        if low > _MANY:
            return (
                f"the penalty of {low:.0%} of the rows is the smallest of the grid ({ALPHAS[0]:g}): they are predicted "
                "almost without penalty; check that people's data are not copies of each other"
            )
        return ""


#: Share of rows at the edge of the grid from which on it is said.
_MANY = 0.25


@one_thread()
def fit(
    features: Sequence[Array],
    targets: Sequence[Array],
    settings: Settings,
    people: Sequence[Array] | None = None,
    *,
    counted: NDArray[np.bool_] | None = None,
    covariates: Sequence[Array] | None = None,
) -> RidgeFit:
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
    covariates
        For each sound (steps, V): join in the regression and count as average when predicting, which is the paper's
        control. What features share with them stays with the features; :mod:`calibration.unique` takes it out.

    Raises
    ------
    SettingsError
        If there are too few steps for the folds.
    """
    gap = settings.synchrony.window_s + settings.prediction.lags_s[-1]
    refuse_short({f"sound {number}": len(t) for number, t in enumerate(targets, start=1)}, settings)
    x, groups, target = _together(features, targets, covariates)
    model = model_for(settings, 0 if covariates is None else covariates[0].shape[1])
    predicted = np.full(target.shape, np.nan)
    outer, inner = list(folds([len(t) for t in targets], gap)), []
    for train, test in outer:
        check_size(len(train), features[0].shape[1], settings)
        model.fit(x[train], target[train], runs_of(groups, train))
        predicted[test] = _predicted(model, x, groups, test)
        inner.append(model.inner_error_)
    model.fit(x, target, groups)
    shown = np.concatenate(people, axis=1) if people is not None else target[None]
    counted = np.ones(target.shape[1], np.bool_) if counted is None else counted
    weights = with_interval(model.weights_, predicted, shown, counted, settings)
    about = np.array(inner), model.inner_error_, tuple(test for _, test in outer), tuple(map(len, targets))
    return RidgeFit(weights, predicted, target, model.alpha_, len(outer), counted, *about)


def held_out(features: Sequence[Array], targets: Sequence[Array], settings: Settings) -> list[Array]:
    """Return predictions (steps, R) of each sound by a fit to the others, as :func:`fit` makes them, and no more."""
    return held_out_each(features, [lambda: targets], settings)[0]


@one_thread()
def held_out_each(
    features: Sequence[Array],
    makers: Sequence[Callable[[], Sequence[Array]]],
    settings: Settings,
    covariates: Sequence[Array] | None = None,
) -> list[list[Array]]:
    """Return what :func:`held_out` gives for the targets of each maker, which have values at the same steps.

    What is learnt from features alone is computed once for all of them, and targets are made when they are needed.
    Rows do not touch each other as long as ``longest_lags_s`` is empty, so that targets of many draws may stand side by
    side.
    """
    first = makers[0]()
    x, groups, _ = _together(features, first, covariates)
    lengths = [len(t) for t in first]
    model = model_for(settings, 0 if covariates is None else covariates[0].shape[1])
    found: list[Array] = [np.empty(0)] * len(makers)
    gap = settings.synchrony.window_s + settings.prediction.lags_s[-1]
    for fold, (train, test) in enumerate(folds(lengths, gap)):
        for number, make in enumerate(makers):
            target = np.concatenate(make())
            if number:
                model.refit(target[train])
            else:
                model.fit(x[train], target[train], runs_of(groups, train))
            if not fold:
                found[number] = np.full(target.shape, np.nan)
            found[number][test] = _predicted(model, x, groups, test)
    return [np.split(each, np.cumsum(lengths)[:-1]) for each in found]


def _predicted(model: RidgeSynchrony, x: Array, groups: NDArray[np.intp], test: NDArray[np.intp]) -> Array:
    """Return predictions of the steps ``test``, with the past that they have in their sound."""
    first, last = np.searchsorted(groups, groups[test[0]]), test[-1] + 1
    return np.asarray(model.predict(x[first:last], groups[first:last])[test - first])


def _together(
    features: Sequence[Array], targets: Sequence[Array], covariates: Sequence[Array] | None
) -> tuple[Array, NDArray[np.intp], Array]:
    """Return all steps' features and covariates, the number of the sound of each, and their targets."""
    x = np.concatenate(features)
    if covariates is not None:
        x = np.concatenate([x, np.concatenate(covariates)], axis=1)
    return x, np.repeat(np.arange(len(targets)), [len(t) for t in targets]), np.concatenate(targets)


def model_for(settings: Settings, n_covariates: int = 0) -> RidgeSynchrony:
    """Return the model that settings ask for, not fitted yet."""
    prediction = settings.prediction
    lags = prediction.lags_s
    choices = [tuple(lag for lag in lags if lag <= longest) for longest in prediction.longest_lags_s] or [lags]
    return RidgeSynchrony(
        n_components=prediction.n_components,
        lag_sets=choices,
        gap=settings.synchrony.window_s,
        n_covariates=n_covariates,
        standardise=prediction.standardise,
    )


def runs_of(groups: NDArray[np.intp], train: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the groups of training steps; what was cut out of a sound makes two of it, so that no lag reaches across.

    Parts of one sound are numbered on.
    """
    breaks = np.concatenate([[False], (np.diff(train) > 1) | (np.diff(groups[train]) != 0)])
    return np.cumsum(breaks)


def check_size(steps: int, features: int, settings: Settings) -> None:
    """Refuse more components than so many steps and features allow; raises SettingsError."""
    count = settings.prediction.n_components
    if count > min(steps, features):
        raise SettingsError(
            f"n_components = {count} is more than the {steps} training steps or {features} features allow; give longer "
            "sounds or fewer components"
        )


def with_interval(
    weights: Weights, held_out: Array, shown: Array, counted: NDArray[np.bool_], settings: Settings
) -> Weights:
    """Return ``weights`` with the interval of what people show, (P, steps, R), about its held-out prediction.

    For rows, and for their mean.
    """
    residual = shown - held_out
    residual = np.concatenate([residual, residual[..., counted].mean(axis=-1, keepdims=True)], axis=-1)
    low, high = residual_quantiles(residual, settings.prediction.interval_level, settings.synchrony.window_s)
    return replace(weights, residual_low=low, residual_high=high)
