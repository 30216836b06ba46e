"""How far a participant moved the value of the feedback's rule, and how sure that is.

Neighbouring values are nearly copies: windows of ``window`` steps overlap, and the rule smooths over some more. So the
mean of a block is worth fewer values than it has (Zwiers & von Storch, *J. Climate* 8, 1995). Here the correlation of
two values is that of moving averages of noise, which is known from the two lengths, where the noise of one second may
lead on to the next: a first-order autoregression of coefficient ``drift``. With that correlation R of the values,
means, their variances and the degrees of freedom are those of Worsley & Friston, *NeuroImage* 2, 1995: for residuals
M z of a design, s2 = z'Mz / tr(MR), Var(c'b) = s2 c'(X'X)^-1 X'RX (X'X)^-1 c, df = tr(MR)^2 / tr(MRMR).

``drift`` is not known. Each of ``DRIFTS`` counts as much as the restricted likelihood (Patterson & Thompson,
*Biometrika* 58, 1971) says, with even odds beforehand, so that intervals and p values are of a mixture of Student's
distributions. In simulated sessions without any effect (400 of each kind, blocks of 1 to 10 minutes) p < .05 came in 1
to 5 % with drifts up to .9. With a drift of .97, of which half is left after 23 s, it came in 5 to 9 %: a session of a
few minutes cannot tell such a drift from an effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from rtaffect.common.arrays import FloatArray
from rtaffect.common.threads import one_thread

Index = NDArray[np.intp]

#: How much of one second's noise leads on to the next, as far as it is looked for.
DRIFTS: Final = (0.0, 0.5, 0.7, 0.8, 0.87, 0.92, 0.95, 0.97, 0.985)
#: Intervals have this probability.
LEVEL: Final = 0.95
#: A mean of fewer windows that share no data gets no interval and no p value.
LEAST_WINDOWS: Final = 3.0
#: Values beyond this number are thinned evenly: neighbours tell nearly the same.
_MOST_VALUES = 240
#: Share of the variance that is the values' own, not shared with neighbours.
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


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Values of several blocks, fitted by a mean each; from :func:`fit_blocks`.

    Attributes
    ----------
    means : (blocks,)
        Mean of each, of all its values.
    counts : (blocks,) int
        How many values each has.
    weights : (drifts,)
        How much each of ``DRIFTS`` counts.
    spread : (drifts, blocks, blocks)
        Covariance of the means under each.
    freedom : (drifts,)
        Degrees of freedom under each.
    windows : (blocks,)
        How many values that share no data each mean is worth, by the overlap alone.
    """

    means: FloatArray
    counts: Index
    weights: FloatArray
    spread: FloatArray
    freedom: FloatArray
    windows: FloatArray

    def estimate(self, contrast: FloatArray) -> Estimate:
        """Return the sum of the means weighted by ``contrast`` (blocks,): one side above 0, the other below."""
        value = float(contrast @ self.means)
        sides = [contrast * (contrast > 0), -contrast * (contrast < 0)]
        windows = min(self._windows_of(side) for side in sides if side.any())
        scale = np.sqrt(np.maximum(np.einsum("i,kij,j->k", contrast, self.spread, contrast), 0.0))
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


@one_thread()
def fit_blocks(values: FloatArray, times: FloatArray, blocks: Index, *, window: int, smoothing: int) -> Blocks:
    """Fit a mean to each block's values.

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
    """
    counts = np.bincount(blocks)
    means = np.bincount(blocks, values) / counts
    alone = value_correlation(int(np.ptp(times)) + 1, window, smoothing, 0.0)
    thin = _thinned(blocks, max(1, -(-len(values) // _MOST_VALUES)))
    z, at, which = values[thin], np.rint(times[thin]).astype(np.intp), blocks[thin]
    apart = np.abs(at[:, None] - at)
    # Closer together, values tell more of how smooth they are than of the drift, and that misleads.
    some = _thinned(which, max(1, round((window + smoothing - 1) / 2 / _spacing(at))))
    length = int(apart.max(initial=0)) + 1
    found = [_under(value_correlation(length, window, smoothing, drift)[apart], z, which, some) for drift in DRIFTS]
    likelihood = np.array([each[0] for each in found])
    weights = np.exp(likelihood - likelihood.max()) if np.isfinite(likelihood).all() else np.ones(len(found))
    return Blocks(
        means,
        counts,
        weights / weights.sum(),
        np.stack([each[1] for each in found]),
        np.array([each[2] for each in found]),
        np.array([_worth(np.rint(times[blocks == b]).astype(np.intp), alone) for b in range(len(counts))]),
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


def _under(R: FloatArray, z: FloatArray, which: Index, some: Index) -> tuple[float, FloatArray, float]:
    """Return the restricted log-likelihood, the covariance of the means, and their degrees of freedom under R."""
    design = np.eye(which.max() + 1)[which]
    average = design / design.sum(axis=0)
    residual = z - design @ (average.T @ z)
    MR = R - design @ (average.T @ R)
    trace = float(np.trace(MR))
    freedom = trace**2 / max(float((MR * MR.T).sum()), 1e-300)
    variance = float(residual @ residual) / trace if trace > 1e-9 else np.nan
    return _likelihood(z[some], design[some], R[np.ix_(some, some)]), variance * (average.T @ R @ average), freedom


def _likelihood(z: FloatArray, design: FloatArray, R: FloatArray) -> float:
    """Return the restricted log-likelihood of correlations ``R``, the variance taken out, less a constant."""
    free = len(z) - design.shape[1]
    if free < 1:
        return 0.0
    root = np.linalg.cholesky((1 - _OWN) * R + _OWN * np.eye(len(z)))
    q, r = np.linalg.qr(np.linalg.solve(root, design))
    white = np.linalg.solve(root, z)
    rest = max(float(white @ white - ((q.T @ white) ** 2).sum()), 1e-300)
    return float(-np.log(np.diag(root)).sum() - np.log(np.abs(np.diag(r))).sum() - free / 2 * np.log(rest))


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
