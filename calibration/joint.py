"""Features of several elements in one model: side by side under one penalty, or each element under its own.

Stacked: the components of all elements stand side by side in one ridge regression. Banded: each element is a band with
a penalty of its own (Nunez-Elizalde, Huth & Gallant, *NeuroImage* 197, 2019),

    ||y - sum_e X_e w_e - b||^2 + n sum_e alpha_e ||w_e||^2,    alpha_e = alpha / (E share_e),

with the shares of E elements adding up to 1. Shares and alpha are those by which inner folds predict each row best,
searched as himalaya does for more than two bands, by samples of Dirichlet distributions (Dupre la Tour, Eickenberg,
Nunez-Elizalde & Gallant, *NeuroImage* 264, 2022), and on a grid of ratios for two. Equal shares are the stacked model,
a share of 0 leaves the element out. A band whose columns are scaled by sqrt(E share_e) is under one alpha with the
others, so that every share is an ordinary ridge regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from calibration.learner import Learner
from calibration.model import basis_of
from calibration.needed import refuse_short
from calibration.ridge import ALPHAS, folds
from calibration.statistics import joint_moments
from calibration.trends import paired
from calibration.validation import RidgeFit, check_size, runs_of, with_interval
from rtaffect.common.settings import Settings
from rtaffect.common.threads import one_thread
from rtaffect.predicted.prediction import Weights, lagged_design

Array = NDArray[np.float64]
Steps = NDArray[np.intp]

#: Ratios of the two penalties of two elements; beyond them one is left out.
_RATIOS: Final = np.logspace(-2, 2, 9)
#: Of more elements, samples of Dirichlet distributions, of these concentrations in turn.
_SAMPLES: Final = 30
_CONCENTRATIONS: Final = (0.1, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class JointFit:
    """One model of E elements.

    Attributes
    ----------
    fit
        Its weights (for features of all elements laid end to end) and held-out predictions.
    share
        (E, R): each element's share of the final weights' penalties, 1 / E where they are equal.
    parts
        (E, steps, R): what each element adds to the held-out predictions, which without the intercept are their sum.
    """

    fit: RidgeFit
    share: Array
    parts: Array


def shares_of(elements: int, seed: int = 0) -> Array:
    """Return the shares (G, elements) that are tried: equal ones first, then each element alone, then others."""
    first = np.concatenate([np.full((1, elements), 1.0 / elements), np.eye(elements)])
    if elements == 2:
        ratios = _RATIOS[_RATIOS != 1.0]
        return np.concatenate([first, np.stack([ratios, np.ones(len(ratios))], axis=1) / (1 + ratios)[:, None]])
    rng = np.random.default_rng(seed)
    found = [rng.dirichlet(np.full(elements, _CONCENTRATIONS[k % 2])) for k in range(_SAMPLES)]
    return np.concatenate([first, found])


@one_thread()
def fit_joint(
    features: Sequence[Sequence[Array]],
    targets: Sequence[Array],
    settings: Settings,
    people: Sequence[Array],
    *,
    counted: NDArray[np.bool_],
    shares: Array | None = None,
) -> JointFit:
    """Fit one model to the features of several elements, by nested cross-validation.

    Parameters
    ----------
    features
        For each element, for each sound (steps, F).
    targets, people, counted
        As for :func:`calibration.validation.fit`.
    settings
        Components of each element, lags, interval level and the window; lags are not chosen.
    shares
        (G, E): what inner folds choose from; default: equal shares alone, the stacked model.

    Raises
    ------
    SettingsError
        If there are too few steps for the folds.
    """
    tried = np.full((1, len(features)), 1.0 / len(features)) if shares is None else shares
    lengths = [len(t) for t in targets]
    refuse_short({f"sound {number}": n for number, n in enumerate(lengths, start=1)}, settings)
    work = _Work(features, np.concatenate(targets), lengths, settings, tried)
    parts = np.full((len(features), *work.target.shape), np.nan)
    held_out = np.full(work.target.shape, np.nan)
    outer, inner = list(folds(lengths, work.gap)), []
    for train, test in outer:
        check_size(len(train), min(part[0].shape[1] for part in features), settings)
        learnt = work.learn(train)
        parts[:, test], held_out[test] = learnt.predicted(work.designs(learnt.bases, test))
        inner.append(learnt.error)
    everything = work.learn(np.arange(len(work.target)))
    shown = np.concatenate(people, axis=1)
    weights = with_interval(everything.weights(settings.prediction.lags_s), held_out, shown, counted, settings)
    about = np.array(inner), everything.error, tuple(test for _, test in outer), tuple(lengths)
    fitted = RidgeFit(weights, held_out, work.target, everything.alpha, len(outer), counted, *about)
    return JointFit(fitted, everything.share.T, parts)


def portions(found: JointFit, settings: Settings) -> Array:
    """Return what each element has in the held-out r of the rows and, last, of their mean, (E, R + 1).

    r is the sum over elements of cov(part, observed) / (sd(predicted) sd(observed)), the product measure (Pratt 1987;
    as himalaya's split scores), within sounds and without drifts. A part may be below 0.
    """
    fit, cuts = found.fit, np.cumsum(found.fit.lengths)[:-1]
    observed = np.split(fit.target, cuts)
    whole = fit.pairs(settings)
    sides = zip(whole.predicted, whole.observed, whole.drifts, strict=True)
    _, xx, yy = np.sum([joint_moments(x, y, drifts) for x, y, drifts in sides], axis=0)
    scale = np.sqrt(xx * yy)
    each = []
    for part in found.parts:
        own = paired(np.split(part, cuts), observed, settings, fit.counted[None])
        moments = [joint_moments(x, y, d)[0] for x, y, d in zip(own.predicted, own.observed, own.drifts, strict=True)]
        each.append(np.where(scale > 0, np.sum(moments, axis=0) / np.where(scale > 0, scale, 1.0), 0.0))
    return np.stack(each)


class _Learnt(NamedTuple):
    """Bases and coefficients of each element, and what was chosen for each row."""

    bases: list[tuple[Array, Array, Array, Array]]
    coefficients: list[Array]
    intercept: Array
    alpha: Array
    share: Array
    error: float

    def predicted(self, designs: Sequence[Array]) -> tuple[Array, Array]:
        """Return each element's part (E, steps, R) and their sum with the intercept (steps, R)."""
        parts = np.stack([design @ own for design, own in zip(designs, self.coefficients, strict=True)])
        return parts, parts.sum(axis=0) + self.intercept

    def weights(self, lags: tuple[int, ...]) -> Weights:
        """Return weights of the elements' features laid end to end."""
        means, axes, middles, scales = zip(*self.bases, strict=True)
        rows = len(self.intercept)
        of_lag = np.concatenate([own.reshape(len(lags), -1, rows) for own in self.coefficients], axis=1)
        none = np.zeros(rows + 1)
        return Weights(
            np.concatenate(means), block_diag(*axes), np.concatenate(middles), np.concatenate(scales),
            np.ascontiguousarray(of_lag.reshape(-1, rows)), self.intercept, none, none, lags,
        )  # fmt: skip


class _Work:
    """Elements and targets of all sounds laid end to end, and the shares that are tried."""

    def __init__(
        self,
        features: Sequence[Sequence[Array]],
        target: Array,
        lengths: Sequence[int],
        settings: Settings,
        shares: Array,
    ) -> None:
        self.target, self._shares, self._settings = target, shares, settings
        self._features = [np.concatenate(part) for part in features]
        self._cuts = np.cumsum(lengths)[:-1]
        self._sounds = np.repeat(np.arange(len(lengths)), lengths)
        self.gap = settings.synchrony.window_s + settings.prediction.lags_s[-1]

    def designs(self, bases: Sequence[tuple[Array, Array, Array, Array]], steps: Steps) -> list[Array]:
        """Return each element's lagged components (steps, L * C) at ``steps``, with their sounds' past."""
        found = []
        for values, (mean, axes, middle, scale) in zip(self._features, bases, strict=True):
            parts = np.split(((values - mean) @ axes.T - middle) / scale, self._cuts)
            lagged = [lagged_design(part, self._settings.prediction.lags_s) for part in parts]
            found.append(np.concatenate(lagged)[steps])
        return found

    def learn(self, train: Steps) -> _Learnt:
        """Fit to the steps ``train``: of all shares each row has those by which its inner folds predict best."""
        prediction, target = self._settings.prediction, self.target[train]
        bases = [
            basis_of(values[train], prediction.n_components, standardise=prediction.standardise)
            for values in self._features
        ]
        designs = self.designs(bases, train)
        sizes = [design.shape[1] for design in designs]
        runs = np.bincount(runs_of(self._sounds, train)).tolist()
        design, missing = np.concatenate(designs, axis=1), np.asarray(~np.isfinite(target).all(axis=1))
        rows = target.shape[1]
        best, intercept, alpha = np.full(rows, np.inf), np.zeros(rows), np.zeros(rows)
        coefficients, share = np.zeros((design.shape[1], rows)), np.zeros((rows, len(sizes)))
        for tried in self._shares:
            scale = np.repeat(np.sqrt(len(sizes) * tried), sizes)
            learner = Learner(design * scale, missing, runs, self.gap, alphas=ALPHAS, lags=prediction.lags_s)
            learnt = learner.learn(target)
            better = learnt.row_error < best
            best[better], intercept[better] = learnt.row_error[better], learnt.intercept[better]
            alpha[better], share[better] = learnt.alpha[better], tried
            coefficients[:, better] = (learnt.coefficients * scale[:, None])[:, better]
        each = np.split(coefficients, np.cumsum(sizes)[:-1])
        return _Learnt(bases, each, intercept, alpha, share, float(best.mean()))
