"""What a sound's features tell of synchrony that covariates, such as what was seen with it, do not tell.

Zeroing covariates after a joint regression (the paper's control) leaves in the features' weights what features and
covariates share: synchrony that follows the picture alone is then still predicted from features that are merely like
the picture. Here features and target are taken about the covariates first (Frisch & Waugh, *Econometrica* 1, 1933;
Robinson, *Econometrica* 56, 1988; with folds as in Chernozhukov et al., *Econom. J.* 21, 2018):

- the covariates at all their lags predict the target by ridge regression, whose penalty inner folds choose;
- the features' lagged components are projected off the covariates by least squares, without a penalty, so that in the
  training nothing of the covariates is left in them, whatever penalty the target's part has;
- ridge regression predicts what the covariates left of the target from what they left of the features.

Everything is learnt from the training part of each outer fold, each sound about its own means there, as the held-out r
is within sounds. Two numbers follow: r of both remainders (a semi-partial correlation would leave the covariates in the
target), and by how much r of target and prediction rises from the covariates alone to both together.

The first r is of predictions in units of their own spread in each fold's training. Without that it lies below 0 where
there is nothing to be found: where folds happen to contradict each other their weights are small, and where they agree
large, so that a correlation over all of them has the one side's variance and the other's covariance.

Chance. Turning the target itself would turn what the covariates explain into noise. What is turned, each sound's by a
random number of steps, the same in all rows, is what a fit of the covariates to everything leaves of the target, and
what they explain is added again where it was (Freedman & Lane, *J. Bus. Econ. Stat.* 1, 1983; Winkler et al.,
*NeuroImage* 92, 2014); then the whole nested cross-validation is repeated. Features and covariates stay as they are,
and so does what they share. ``python -m bench.evidence_covariates`` measures how often that errs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.learner import Learner
from calibration.model import basis_of
from calibration.nulls import PValues, p_values
from calibration.ridge import ALPHAS, Indices, folds
from calibration.statistics import pair, score
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings
from rtaffect.common.threads import one_thread
from rtaffect.predicted.prediction import lagged_design

Array = NDArray[np.float64]

#: Rows fitted together, see :mod:`calibration.exact`.
_ROWS: Final = 1000
#: Steps of training for each column of the covariates' design, at least: below it least squares fit noise.
LEAST_STEPS: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A held-out number of each row that counts, the mean over these last, (C + 1,), beside chance.

    ``chance`` is what 95 % of draws stay below, ``p`` (C,) of the rows, ``p_mean`` of their mean, one-sided.
    """

    value: Array
    chance: Array
    p: PValues
    p_mean: float


@dataclass(frozen=True, slots=True, eq=False)
class Unique:
    """What one feature set tells beyond covariates.

    ``r`` is of the remainders of target and features, ``gain`` by how much r rises with the sound: from ``alone``, that
    of the covariates alone, to ``joint``, (C + 1,) each.
    """

    name: str
    r: Told
    gain: Told
    alone: Array
    joint: Array


@one_thread()
def unique(
    name: str,
    features: Sequence[Array],
    targets: Sequence[Array],
    covariates: Sequence[Array],
    settings: Settings,
    *,
    draws: int = 1000,
    nuisance: Sequence[Array] | None = None,
    seed: int = 0,
) -> Unique:
    """Return what features tell of synchrony beyond covariates, and how far that is from chance.

    Parameters
    ----------
    name
        Of the feature set.
    features, covariates
        For each sound (steps, F), (steps, V).
    targets
        For each sound (steps, C), Fisher z, NaN where there is none.
    settings
        Components, lags, and the window. Covariates have every age from 0 to the longest lag, or to the window's
        first second where that is longer ago: a window's synchrony may follow what was seen at any of its seconds.
    draws, seed
        How many draws of the null, each fitted anew, and of what random numbers.
    nuisance
        For each sound (steps, N): further columns to be taken out, at the step itself alone.

    Raises
    ------
    SettingsError
        If sounds are too short for the covariates, or for any score.
    """
    work = _CrossFit(features, covariates, nuisance, targets, settings)
    true = work.scores([np.concatenate(targets)], settings)
    null = np.concatenate([work.scores(some, settings) for some in work.turned(draws, seed)])
    (remains, alone, joint), chance = true[0], null
    gain, chance_gain = joint - alone, chance[:, 2] - chance[:, 1]
    return Unique(name, _told(remains, chance[:, 0]), _told(gain, chance_gain), alone, joint)


def _told(value: Array, null: Array) -> Told:
    rows, mean = p_values(value[:-1], null[:, :-1]), p_values(value[-1:], null[:, -1:])
    return Told(value, np.quantile(null, 0.95, axis=0), rows, float(mean.single[0]))


class _Fold(NamedTuple):
    """What an outer fold learns from features and covariates alone, for any target."""

    train: Indices
    test: Indices
    sounds: list[Indices]
    covariates: Learner
    remainder: Learner
    design: Array
    left: Array
    test_design: Array
    test_left: Array


class _CrossFit:
    """Nested cross-validation of remainders, all that depends on features and covariates done once. S steps in all."""

    def __init__(
        self,
        features: Sequence[Array],
        covariates: Sequence[Array],
        nuisance: Sequence[Array] | None,
        targets: Sequence[Array],
        settings: Settings,
    ) -> None:
        self._lengths = [len(t) for t in targets]
        self._sounds = np.repeat(np.arange(len(targets)), self._lengths)
        self._rows = targets[0].shape[1]
        self._target = np.concatenate(targets)
        lags, window = settings.prediction.lags_s, settings.synchrony.window_s
        ages = tuple(range(max(lags[-1], window - 1) + 1))
        design = np.concatenate([lagged_design(part, ages) for part in covariates])
        if nuisance is not None:
            design = np.concatenate([design, np.concatenate(nuisance)], axis=1)
        self._there = np.isfinite(design).all(axis=1) & np.isfinite(self._target).all(axis=1)
        self._gap = window + ages[-1]
        self._design = _scaled(design, self._there)
        if self._there.sum() < LEAST_STEPS * design.shape[1]:
            raise SettingsError(
                f"{design.shape[1]} columns of covariates (each at {len(ages)} ages) cannot be told apart in "
                f"{self._there.sum()} steps; give longer sounds or fewer covariates"
            )
        self._folds = [self._fold(features, train, test, settings) for train, test in folds(self._lengths, self._gap)]
        every = self._by_sound(np.flatnonzero(self._there))
        about = _about(self._design, every)
        whole = Learner(about, ~self._there, self._lengths, self._gap, alphas=ALPHAS, lags=(0,))
        learnt = whole.learn(_about(self._target, every))
        self._explained = self._design @ learnt.coefficients
        self._rest = self._target - self._explained

    def _by_sound(self, steps: Indices) -> list[Indices]:
        cuts = np.flatnonzero(np.diff(self._sounds[steps])) + 1
        return np.split(steps, cuts)

    def _fold(self, features: Sequence[Array], train: Indices, test: Indices, settings: Settings) -> _Fold:
        x = np.concatenate(features)
        prediction = settings.prediction
        mean, axes, middle, scale = basis_of(x[train], prediction.n_components, standardise=prediction.standardise)
        parts = np.split(((x - mean) @ axes.T - middle) / scale, np.cumsum(self._lengths)[:-1])
        lagged = np.concatenate([lagged_design(part, prediction.lags_s) for part in parts])
        train, test = train[self._there[train]], test[self._there[test]]
        sounds = self._by_sound(train)
        own, lagged_own = _about(self._design, sounds)[train], _about(lagged, sounds)[train]
        slopes = np.linalg.lstsq(own, lagged_own, rcond=None)[0]
        left = lagged_own - own @ slopes
        test_design = self._design[test] - self._design[train].mean(axis=0)
        test_left = lagged[test] - lagged[train].mean(axis=0) - test_design @ slopes
        none = np.zeros(len(train), np.bool_)
        lengths = [len(s) for s in sounds]
        seen, heard = (Learner(d, none, lengths, self._gap, alphas=ALPHAS, lags=(0,)) for d in (own, left))
        return _Fold(train, test, sounds, seen, heard, own, left, test_design, test_left)

    def scores(self, targets: Sequence[Array], settings: Settings) -> Array:
        """Return for each target (S, C) r of the remainders, of the covariates alone, and of both (D, 3, C + 1)."""
        y = np.concatenate(targets, axis=1)
        base, added, units = np.full((3, *y.shape), np.nan)
        mean_units = np.full((len(y), len(targets)), np.nan)
        for fold in self._folds:
            about = _about(y, fold.sounds)[fold.train]
            seen = fold.covariates.learn(about)
            weights = fold.remainder.learn(about - fold.design @ seen.coefficients).coefficients
            base[fold.test] = fold.test_design @ seen.coefficients + y[fold.train].mean(axis=0)
            added[fold.test] = fold.test_left @ weights
            units[fold.test] = _spread(fold.left, weights)
            mean_units[fold.test] = _spread(fold.left, weights.reshape(len(weights), len(targets), -1).mean(axis=2))
        remainder = self._with_mean(added), self._with_mean(y - base)
        unit = np.concatenate([units.reshape(len(y), len(targets), -1), mean_units[..., None]], axis=2)
        wanted = (
            (remainder[0] / unit, remainder[1]),
            (self._with_mean(base), self._with_mean(y)),
            (self._with_mean(base + added), self._with_mean(y)),
        )
        return np.stack([self._r(x, z, settings) for x, z in wanted], axis=1)

    def _with_mean(self, values: Array) -> Array:
        """Return values (S, D * C) with the mean of each draw's rows behind them, (S, D, C + 1)."""
        each = values.reshape(len(values), -1, self._rows)
        return np.concatenate([each, each.mean(axis=2, keepdims=True)], axis=2)

    def _r(self, predicted: Array, observed: Array, settings: Settings) -> Array:
        cuts = np.cumsum(self._lengths)[:-1]
        x, y = (np.split(side.reshape(len(side), -1), cuts) for side in (predicted, observed))
        return np.asarray(
            score(pair(x, y, settings.synchrony.window_s, drift=settings.drift)).r.reshape(predicted.shape[1:])
        )

    def turned(self, draws: int, seed: int) -> Iterator[list[Array]]:
        """Yield some targets (S, C) at a time whose part that covariates do not explain is turned in each sound."""
        rng = np.random.default_rng(seed)
        sounds = self._by_sound(np.flatnonzero(self._there))
        together = max(1, _ROWS // self._rows)
        for start in range(0, draws, together):
            found = []
            for _ in range(min(together, draws - start)):
                y = np.full_like(self._target, np.nan)
                for steps in sounds:
                    turn = int(rng.integers(1, max(2, len(steps))))
                    y[steps] = self._explained[steps] + np.roll(self._rest[steps], turn, axis=0)
                found.append(y)
            yield found


def _scaled(design: Array, there: NDArray[np.bool_]) -> Array:
    """Return columns of one spread, which a penalty needs; that of the whole study, as it knows no target."""
    spread = design[there].std(axis=0)
    return np.asarray(design / np.where(spread > 0, spread, 1.0))


def _spread(design: Array, weights: Array) -> Array:
    """Return the standard deviation (N,) of ``design @ weights``, 1 where it is nothing."""
    spread = (design @ weights).std(axis=0)
    return np.where(spread > 0, spread, 1.0)


def _about(values: Array, sounds: Sequence[Indices]) -> Array:
    """Return ``values`` (S, N) about their mean over each sound's steps; NaN at all other steps."""
    out = np.full_like(values, np.nan)
    for steps in sounds:
        out[steps] = values[steps] - values[steps].mean(axis=0)
    return out
