"""Whether there is synchrony at all, over a session so far: what was observed against its null, without a prediction.

Each step's observed synchrony has, in Fisher z, an excess e over the centre of its null band, whose standard deviation
is s. Without any synchrony the standardised excesses u = e / s have the mean 0 and the variance 1 + 1/L, L being how
many displaced windows that share no data the band's centre is of; two whose windows of W steps end d steps apart are
correlated by rho(d) = max(0, 1 - d / W), because they share so much of them (Bartlett, *J. R. Stat. Soc.* 98, 1935). So
the sum S of n of them has the variance V = (1 + 1/L) sum over i, j of rho(|i - j|).

Who looks again and again finds p < .05 sooner or later, whatever there is. So the range that chance gives holds at all
times together: without synchrony S leaves it ever with a probability of 5 % at most,

    |S| < sqrt((V + r) log((V + r) / (r a^2))),  a = .05,

Robbins' normal mixture (*Ann. Math. Stat.* 41, 1970; Howard et al., *Ann. Stat.* 49, 2021, whose choice of r makes it
tightest at a given V, here that of five minutes). It is for sums whose changes do not depend on each other; those of
windows do over W steps, which the tests hold against simulated sessions.

The mean excess is weighted by 1 / s: sum u / sum 1/s, and its range likewise; both are told as correlations.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.settings import SynchronySettings

#: Chance leaves its range, ever, with this probability at most.
LEVEL: Final = 0.05
#: The range is tightest after so many steps.
_TIGHTEST: Final = 300
#: Nothing is told of fewer windows that share no data.
LEAST_WINDOWS: Final = 3


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the steps so far tell; correlations.

    Attributes
    ----------
    steps : int
        How many had a value.
    mean : float
        Their mean excess over the null.
    low, high : float
        Where that would lie without synchrony, at all times together.
    p : float
        Two-sided, for who looks once: the chance of so large a mean without synchrony.
    """

    steps: int
    mean: float
    low: float
    high: float
    p: float

    @property
    def told(self) -> bool:
        """Whether there is enough to tell anything."""
        return math.isfinite(self.mean)

    @property
    def beyond(self) -> bool:
        """Whether it lies outside of what chance gives at all times together."""
        return self.told and not self.low <= self.mean <= self.high


NOTHING: Final = SoFar(0, math.nan, math.nan, math.nan, math.nan)


def displaced_windows(settings: SynchronySettings, *, reference: bool) -> float:
    """Return L: how many windows that share no data a null is of; those of a reference are on both sides."""
    side = (settings.null_history_s - settings.window_s - settings.null_separation_s) / settings.window_s
    return max(1.0, side * (2.0 if reference else 1.0))


class SynchronySoFar:
    """Takes a session's steps one after another.

    Parameters
    ----------
    settings
        Of the session's windows and null bands.
    """

    def __init__(self, settings: SynchronySettings) -> None:
        self._settings, window = settings, settings.window_s
        self._shared = 1.0 - np.arange(1, window) / window
        self._recent: deque[bool] = deque([False] * (window - 1), maxlen=max(window - 1, 1))
        self._reach = float(ndtri(0.5 + settings.null_level / 2))
        self._steps, self._sum, self._weights, self._pairs = 0, 0.0, 0.0, 0.0
        self._displaced = 1.0
        # V after five minutes without a gap, and of it r.
        ahead = np.minimum(np.arange(_TIGHTEST), window - 1)
        whole = float(np.sum(1.0 + 2.0 * np.concatenate([[0.0], np.cumsum(self._shared)])[ahead]))
        odds = -2.0 * math.log(LEVEL)
        self._tuned = whole / (odds + math.log(odds) + 1.0)

    def add(self, observed: float, low: float, high: float, *, reference: bool) -> SoFar:
        """Take a step, its null band beside its value, all NaN where it has none; return what is told by then.

        ``reference``: whether it was compared with a stored one, not with people who are there.
        """
        z = np.arctanh(np.clip([observed, low, high], -1 + 1e-12, 1 - 1e-12))
        spread = float(z[2] - z[1]) / 2 / self._reach
        there = bool(np.isfinite(z).all() and spread > 0)
        if there:
            self._steps += 1
            self._sum += float(z[0] - (z[1] + z[2]) / 2) / spread
            self._weights += 1.0 / spread
            before = np.array(self._recent, np.float64)[::-1][: len(self._shared)]
            self._pairs += 1.0 + 2.0 * float(self._shared[: len(before)] @ before)
            self._displaced = displaced_windows(self._settings, reference=reference)
        self._recent.append(there)
        return self.now()

    def now(self) -> SoFar:
        """Return what the steps so far tell."""
        if self._steps < LEAST_WINDOWS * self._settings.window_s:
            return SoFar(self._steps, math.nan, math.nan, math.nan, math.nan)
        variance = (1.0 + 1.0 / self._displaced) * self._pairs
        tuned = (1.0 + 1.0 / self._displaced) * self._tuned
        all_in_all = variance + tuned
        bound = math.sqrt(all_in_all * math.log(all_in_all / (tuned * LEVEL**2)))
        mean, reach = self._sum / self._weights, bound / self._weights
        p = 2.0 * float(ndtr(-abs(self._sum) / math.sqrt(variance)))
        return SoFar(self._steps, math.tanh(mean), -math.tanh(reach), math.tanh(reach), p)


def so_far_of(
    observed: FloatArray, low: FloatArray, high: FloatArray, settings: SynchronySettings, reference: BoolArray
) -> list[SoFar]:
    """Return what is told at each step of a session's values and null bands (T,), NaN where they do not count.

    ``reference`` (T,): which were compared with a stored reference, not with people who are there.
    """
    sums, values = SynchronySoFar(settings), zip(observed, low, high, reference, strict=True)
    return [sums.add(float(o), float(a), float(b), reference=bool(stored)) for o, a, b, stored in values]


def in_words(found: SoFar, *, reference: bool) -> str:
    """Return what is told, in a sentence; ``reference``: of people and a stored reference, not of a group here."""
    whom = "with the reference group" if reference else "among the people who are here"
    if not found.told:
        return f"too few values yet to tell whether there is synchrony {whom}: {found.steps} so far"
    numbers = f"{found.mean:+.3f} beyond the null over {found.steps} s"
    numbers += f", where chance stays within \N{PLUS-MINUS SIGN}{found.high:.3f}"
    if not found.beyond:
        return f"no synchrony {whom} that could be told from chance so far: {numbers}"
    if found.mean < 0:
        return f"less synchrony {whom} than chance gives, which is none: {numbers}"
    return f"synchrony {whom}: {numbers}"
