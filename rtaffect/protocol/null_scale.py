"""A scale of feedback that knows its noise: the null band at each step, and the person's own baseline against it.

Observed synchrony of people who share nothing lies, in Fisher z, about the null's centre m with the null's spread s:
the band of a step, of 95 %, is m +- 1.96 s (:func:`rtaffect.observed.synchrony.summarise`, by displaced windows). The
rule's value is the mean of some steps whose windows overlap. Two windows of W seconds that end d seconds apart share
W - d of them, so that the correlations in them are themselves correlated by rho(d) = max(0, 1 - d / W) (Bartlett,
*J. R. Stat. Soc.* 98, 1935), and the mean over k steps of noise has the variance

    S^2 = 1/k^2 sum over i, j of s_i s_j rho(|i - j|).

Level and success are of the value's place in that distribution, by the normal quantile q: low = m + S q(low
percentile), high likewise, and the threshold of success is m + S q(1 - success rate): noise is success in that share.

A person's own baseline moves the scale by what it has beyond the null, and by no more than its own noise allows: the
mean excess e of n values has the standard error SE = S sqrt(1 / n_eff), and e max(0, 1 - SE^2 / e^2) of it is believed,
Breiman's nonnegative garrote (*Technometrics* 37, 1995). Noise then has the null's scale, or one near it, whatever a
short baseline gave by chance; whoever is truly synchronous has that of the own baseline.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from rtaffect.common.correlation import fisher_z
from rtaffect.engine.feedback import Feedback


class Null(NamedTuple):
    """Where values of noise lie, Fisher z: their centre and their standard deviation; NaN where that is not known."""

    centre: float = math.nan
    spread: float = math.nan

    @property
    def known(self) -> bool:
        """Whether there is one."""
        return math.isfinite(self.centre) and self.spread > 0

    def at(self, share: float) -> float:
        """Return the correlation below which so large a ``share`` of noise lies."""
        return math.tanh(self.centre + self.spread * float(ndtri(share)))


def null_of(
    feedback: Feedback, used: NDArray[np.bool_], counted: NDArray[np.bool_] | None, null_level: float = 0.95
) -> Null:
    """Return the null of the mean over a step's ``used`` rows (R,).

    Where these are all rows with a value of those that are ``counted`` (R,) in the mean over rows, it is that mean's
    own. Of other rows the spread of their mean is not known: it is at most the mean of their spreads, which is taken.
    None in place of ``counted``: the rows were named. ``null_level`` is the share of noise that a band holds.
    """
    if counted is not None and np.array_equal(used, counted & np.isfinite(feedback.observed)):
        low, high = fisher_z(np.array([feedback.null_mean_low, feedback.null_mean_high]))
    elif used.any():
        low, high = (float(fisher_z(end[used]).mean()) for end in (feedback.null_low, feedback.null_high))
    else:
        return Null()
    return Null(float(low + high) / 2, float(high - low) / 2 / float(ndtri(0.5 + null_level / 2)))


class NullOfMeans:
    """The null of a mean over the last steps of a block, step by step.

    Parameters
    ----------
    window_s, smoothing_s
        Over how many seconds each value is correlated, and over how many steps it is averaged.
    """

    def __init__(self, window_s: int, smoothing_s: int) -> None:
        lags = np.abs(np.subtract.outer(np.arange(smoothing_s), np.arange(smoothing_s)))
        self._shared = np.maximum(0.0, 1.0 - lags / window_s)
        self._recent: deque[Null] = deque(maxlen=smoothing_s)

    def clear(self) -> None:
        """Forget all steps: a block begins."""
        self._recent.clear()

    def add(self, null: Null) -> Null:
        """Take a step's null, an unknown one where it has no value; return that of the mean over those that have."""
        self._recent.append(null)
        steps = np.array(self._recent)
        there = np.isfinite(steps).all(axis=1)
        if not there[-1]:
            return Null()
        spreads = np.where(there, steps[:, 1], 0.0)
        shared = self._shared[: len(steps), : len(steps)]
        variance = float(spreads @ shared @ spreads) / int(there.sum()) ** 2
        return Null(float(steps[there, 0].mean()), math.sqrt(variance))


def worth(values: int, window_s: int, smoothing_s: int) -> float:
    """Return n_eff: how many independent ones the mean of so many successive values, one a second, is worth.

    n / (1 + 2 sum (1 - k/n) rho_k), rho_k by the windows and steps that two values share.
    """
    shape = np.convolve(np.ones(window_s), np.ones(smoothing_s))
    own = np.correlate(shape, shape, "full")[len(shape) - 1 :]
    lags = np.arange(1, min(len(own), values))
    return float(values / (1 + 2 * ((1 - lags / values) * own[lags] / own[0]).sum()))


class OwnBaseline:
    """What a person's baseline has beyond the null, as far as its noise lets that be believed."""

    def __init__(self, window_s: int, smoothing_s: int) -> None:
        self._window_s, self._smoothing_s = window_s, smoothing_s
        self._count, self._excess, self._variance = 0, 0.0, 0.0

    @property
    def count(self) -> int:
        """How many values there are."""
        return self._count

    def add(self, value: float, null: Null) -> None:
        """Take a value, a correlation, beside its null."""
        self._count += 1
        self._excess += math.atanh(min(max(value, -1 + 1e-12), 1 - 1e-12)) - null.centre
        self._variance += null.spread**2

    def beyond(self) -> float:
        """Return by how much the person lies beyond the null, Fisher z; 0 where noise would give as much."""
        if not self._count:
            return 0.0
        mean = self._excess / self._count
        error = self._variance / self._count / worth(self._count, self._window_s, self._smoothing_s)
        return mean * max(0.0, 1.0 - error / mean**2) if mean else 0.0
