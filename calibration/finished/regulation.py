"""How far a participant moved the value of the feedback's rule, and how sure that is.

Neighbouring values are nearly copies: windows of ``window`` steps overlap, and the rule smooths over some more. So the
mean of a block is worth fewer values than it has (Zwiers & von Storch, *J. Climate* 8, 1995). Here the correlation of
two values is that of moving averages of noise, which is known from the two lengths and from how the noise of one second
leads on to the next. With that correlation R of the values, means, their variances and the degrees of freedom are those
of Worsley & Friston, *NeuroImage* 2, 1995: for residuals M z of a design, s2 = z'Mz / tr(MR), Var(c'b) = s2 c'(X'X)^-1
X'RX (X'X)^-1 c, df = tr(MR)^2 / tr(MRMR).

Values wane or rise with time on task whatever a participant does. So the design has a straight line over the session
beside the blocks' means, and blocks are compared as if they had stood at the same time. What the line costs is in the
variance: much where the baseline stands at one end of the session, little where it stands on both sides.

How the noise leads on is not known: by a first-order autoregression of a coefficient of ``DRIFTS``, or without any
longest time, its power falling with frequency to a power of ``POWERS`` (1/f). Each counts as much as the restricted
likelihood (Patterson & Thompson, *Biometrika* 58, 1971) says, so that intervals and p values are of a mixture of
Student's distributions. Beforehand each power has the odds of all autoregressions together: with less, short sessions,
which cannot tell the two apart, were too sure under 1/f. How often p < .05 comes without any effect,
``python -m bench.evidence_trends`` prints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_triangular
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from rtaffect.common.arrays import FloatArray
from rtaffect.common.threads import one_thread

Index = NDArray[np.intp]

#: How much of one second's noise leads on to the next, as far as it is looked for.
DRIFTS: Final = (0.0, 0.5, 0.7, 0.8, 0.87, 0.92, 0.95, 0.97, 0.985)
#: Powers of frequency with which noise without a longest time falls.
POWERS: Final = (0.6, 1.0, 1.4)
#: Such noise is followed down to periods of so many times the session.
_LONGER: Final = 8
#: Intervals have this probability.
LEVEL: Final = 0.95
#: A mean of fewer windows that share no data gets no interval and no p value.
LEAST_WINDOWS: Final = 3.0
#: Values beyond this number are thinned evenly: neighbours tell nearly the same.
_MOST_VALUES = 240
#: Weights whose sum is nearer to 0 compare blocks.
_ZERO = 1e-9
#: Variance that is the values' own, as a share of that of values that share no window: of the whole variance it would
#: be much beside what slow noise changes from one to the next, and slow noise would be taken for fast.
_OWN = 0.03


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean or a difference of means, Fisher z.

    ``low`` and ``high`` enclose it with probability ``LEVEL``; ``p`` is two-sided, against 0; None where there are too
    few ``windows`` (of the side that has fewest), which are counted as if they shared no data.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    windows: float


def value_correlation(distances: int, window: int, smoothing: int, drift: float) -> FloatArray:
    """Return the correlation (distances,) of values 0, 1, ... steps apart.

    ``window`` and ``smoothing`` are the lengths of the two moving averages in steps; ``drift`` in [0, 1) is the
    autoregression of what they average.
    """
    kernel = np.convolve(np.ones(window), np.ones(smoothing))
    overlap = np.correlate(kernel, kernel, "full")
    reach = len(overlap) // 2
    if drift > 0:
        apart = np.abs(np.arange(distances)[:, None] - np.arange(-reach, reach + 1))
        covariance = (overlap * drift**apart).sum(axis=1)
    else:
        covariance = np.zeros(distances)
        some = overlap[reach : reach + distances]
        covariance[: len(some)] = some
    return np.asarray(covariance / covariance[0])


def noise_correlation(distances: int, window: int, smoothing: int, power: float) -> FloatArray:
    """Return the correlation (distances,) of values 0, 1, ... steps apart, of noise with a spectrum f ** -``power``.

    ``window`` and ``smoothing`` as for :func:`value_correlation`. Periods longer than ``_LONGER`` times the distances
    are left out; they would shift all values alike.
    """
    kernel = np.convolve(np.ones(window), np.ones(smoothing))
    n = next_fast_len(_LONGER * distances + 2 * len(kernel), real=True)
    frequency = np.arange(1, n // 2 + 1) / n
    density = np.concatenate([[0.0], frequency**-power]) * np.abs(rfft(kernel, n)) ** 2
    covariance = irfft(density, n)[:distances]
    return np.asarray(covariance / covariance[0])


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Values of several blocks, fitted by a mean each and what they have in common; from :func:`fit_blocks`. N noises.

    Attributes
    ----------
    means : (blocks,)
        Mean of each, of all its values.
    counts : (blocks,) int
        How many values each has.
    effects : (blocks,)
        What each would be at the middle of the session: its mean less what the trend makes of its place.
    trend : float
        Change per step over the session, 0 where none is fitted.
    places : (blocks,)
        Mean distance of each one's values to the middle of the session, steps.
    weights : (N,)
        How much each noise counts.
    spread : (N, blocks + 1, blocks + 1)
        Covariance of effects and trend under each.
    freedom : (N,)
        Degrees of freedom under each.
    windows : (blocks,)
        How many values that share no data each mean is worth, by the overlap alone.
    """

    means: FloatArray
    counts: Index
    effects: FloatArray
    trend: float
    places: FloatArray
    weights: FloatArray
    spread: FloatArray
    freedom: FloatArray
    windows: FloatArray

    def estimate(self, contrast: FloatArray) -> Estimate:
        """Return the sum of the blocks weighted by ``contrast`` (blocks,): one side above 0, the other below.

        Weights that sum to 0 compare blocks, and do so as if these had stood at the same time; others are of the means
        as they are.
        """
        compared = abs(float(contrast.sum())) < _ZERO
        full = np.append(contrast, 0.0 if compared else contrast @ self.places)
        value = float(contrast @ (self.effects if compared else self.means))
        sides = [contrast * (contrast > 0), -contrast * (contrast < 0)]
        windows = min(self._windows_of(side) for side in sides if side.any())
        scale = np.sqrt(np.maximum(np.einsum("i,kij,j->k", full, self.spread, full), 0.0))
        if windows < LEAST_WINDOWS or not (np.isfinite(scale).all() and (scale > 0).all()):
            return Estimate(value, None, None, None, windows)

        def above(limit: float) -> float:
            return float(self.weights @ stdtr(self.freedom, -limit / scale))

        p = min(1.0, 2 * above(abs(value)))
        tail = (1 - LEVEL) / 2
        far = -float(stdtrit(self.freedom.min(), tail / len(scale)) * scale.max())
        reach = brentq(lambda limit: above(limit) - tail, 0.0, max(far, 1e-12))
        return Estimate(value, value - reach, value + reach, p, windows)

    def _windows_of(self, side: FloatArray) -> float:
        share = side / side.sum()
        used = share > 0
        return float(1 / (share[used] ** 2 / self.windows[used]).sum())


def fit_blocks(
    values: FloatArray, times: FloatArray, blocks: Index, *, window: int, smoothing: int, trend: bool = True
) -> Blocks:
    """Fit a mean to each block's values, and a straight line over all of them.

    Parameters
    ----------
    values
        (n,) Fisher z, no NaN.
    times
        (n,) steps at which they lie; gaps between and within blocks are as long as they are.
    blocks
        (n,) number of each value's block, from 0; each has one at least.
    window, smoothing
        Lengths of the window and of the rule's smoothing in steps, 1 for none.
    trend
        Whether the line is fitted.
    """
    return Timetable(times, blocks, window=window, smoothing=smoothing, trend=trend).fit(values)


class Timetable:
    """When values lie, and in which blocks: all of a fit that does not depend on the values. See :func:`fit_blocks`."""

    @one_thread()
    def __init__(self, times: FloatArray, blocks: Index, *, window: int, smoothing: int, trend: bool = True) -> None:
        at = np.rint(times).astype(np.intp)
        self._blocks, self._counts = blocks, np.bincount(blocks)
        self._middle = (at.min() + at.max()) / 2
        self._design = _design(at - self._middle, blocks, trend)
        self._places = np.bincount(blocks, at - self._middle) / self._counts
        alone = value_correlation(int(np.ptp(at)) + 1, window, smoothing, 0.0)
        self._windows = np.array([_worth(at[blocks == b], alone) for b in range(len(self._counts))])
        self._thin = _thinned(blocks, max(1, -(-len(at) // _MOST_VALUES)))
        at, which = at[self._thin], blocks[self._thin]
        apart = np.abs(at[:, None] - at)
        # Closer together, values tell more of how smooth they are than of the drift, and that misleads.
        some = _thinned(which, max(1, round((window + smoothing - 1) / 2 / _spacing(at))))
        length = int(apart.max(initial=0)) + 1
        known = [value_correlation(length, window, smoothing, drift) for drift in DRIFTS]
        known += [noise_correlation(length, window, smoothing, power) for power in POWERS]
        far = min(window + smoothing - 1, length - 1)
        self._noises = [
            _Noise(each[apart], self._design[self._thin], some, max(_OWN * float(1 - each[far]), 1e-9))
            for each in known
        ]

    @one_thread()
    def fit(self, values: FloatArray) -> Blocks:
        """Return the fit to ``values`` (n,), Fisher z, no NaN."""
        effects = np.linalg.lstsq(self._design, values, rcond=None)[0]
        found = [noise.of(values[self._thin]) for noise in self._noises]
        likelihood = np.array([each[0] for each in found])
        weights = np.exp(likelihood - likelihood.max()) if np.isfinite(likelihood).all() else np.ones(len(found))
        weights *= np.repeat([1.0, len(DRIFTS)], [len(DRIFTS), len(found) - len(DRIFTS)])
        count = len(self._counts)
        spread = np.zeros((len(found), count + 1, count + 1))
        spread[:, : len(effects), : len(effects)] = np.stack([each[1] for each in found])
        return Blocks(
            np.bincount(self._blocks, values) / self._counts,
            self._counts,
            np.asarray(effects[:count], np.float64),
            float(effects[count]) if len(effects) > count else 0.0,
            self._places if len(effects) > count else np.zeros(count),
            weights / weights.sum(),
            spread,
            np.array([noise.freedom for noise in self._noises]),
            self._windows,
        )


def slope_contrast(blocks: Sequence[int], count: int) -> FloatArray:
    """Return the contrast (count,) of the least-squares slope per block over two or more ``blocks`` in order."""
    contrast = np.zeros(count)
    place = np.arange(len(blocks)) - (len(blocks) - 1) / 2
    contrast[list(blocks)] = place / (place**2).sum()
    return contrast


def mean_contrast(blocks: Sequence[int], counts: Index) -> FloatArray:
    """Return the contrast (count,) of the mean of all values of ``blocks``."""
    contrast = np.zeros(len(counts))
    contrast[list(blocks)] = counts[list(blocks)] / counts[list(blocks)].sum()
    return contrast


def _design(at: FloatArray, blocks: Index, trend: bool) -> FloatArray:
    """Return the design (n, blocks or one more): each block's own values, and the time, where blocks tell it."""
    design = np.eye(blocks.max() + 1)[blocks]
    with_time = np.column_stack([design, at])
    return with_time if trend and np.linalg.matrix_rank(with_time) > design.shape[1] else design


class _Noise:
    """Values of a design (n, K) under correlations ``R`` (n, n): all that does not depend on the values.

    ``some`` (k,) are the values by which the likelihood judges, ``own`` the variance of each that others do not share.
    """

    def __init__(self, R: FloatArray, design: FloatArray, some: Index, own: float) -> None:
        self._design, self._some = design, some
        self._average = np.linalg.pinv(design)
        MR = R - design @ (self._average @ R)
        self._trace = float(np.trace(MR))
        self._mean_spread = self._average @ R @ self._average.T
        self._free = len(some) - design.shape[1]
        self.freedom = self._trace**2 / max(float((MR * MR.T).sum()), 1e-300)
        if self._free >= 1:
            root = np.linalg.cholesky(R[np.ix_(some, some)] + own * np.eye(len(some)))
            white = solve_triangular(root, design[some], lower=True)
            self._root, (self._q, r) = root, np.linalg.qr(white)
            size = np.log(np.maximum(np.abs(np.diag(r)), 1e-300))
            self._constant = -float(np.log(np.diag(root)).sum() + size.sum())

    def of(self, z: FloatArray) -> tuple[float, FloatArray]:
        """Return the restricted log-likelihood of values z (n,), less a constant, and the covariance of the effects."""
        residual = z - self._design @ (self._average @ z)
        variance = float(residual @ residual) / self._trace if self._trace > 1e-9 else np.nan
        return self._likelihood(z[self._some]), variance * self._mean_spread

    def _likelihood(self, z: FloatArray) -> float:
        if self._free < 1:
            return 0.0
        white = solve_triangular(self._root, z, lower=True)
        rest = max(float(white @ white - ((self._q.T @ white) ** 2).sum()), 1e-300)
        return float(self._constant - self._free / 2 * math.log(rest))


def _thinned(blocks: Index, every: int) -> Index:
    """Return which values stay if of each block only each ``every``-th does, from the middle of what that leaves."""
    found = []
    for block in range(blocks.max() + 1):
        inside = np.flatnonzero(blocks == block)
        found.append(inside[(len(inside) - 1) % every // 2 :: every])
    return np.sort(np.concatenate(found))


def _spacing(times: Index) -> int:
    return max(1, int(np.median(np.diff(times)))) if len(times) > 1 else 1


def _worth(times: Index, correlation: FloatArray) -> float:
    """Return how many uncorrelated values the mean of those at ``times`` is worth."""
    return float(len(times) ** 2 / correlation[np.abs(times[:, None] - times)].sum())
