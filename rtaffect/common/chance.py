"""What the agreement of two time courses would be by chance: one of them shifted in a circle.

Windows overlap and time courses are slow, so steps are far from independent, and the usual test of a correlation would
call noise an agreement. A time course that is shifted in a circle keeps its slowness and loses the time lock (Nastase
et al., *SCAN* 14, 2019). By chance means: Student's t of one more value, with mean and SD of what the shifts give and a
standard error of SD sqrt(1 + 1/n). The 95 % prediction interval and the two-sided p are of the same t, so that a value
outside the one has p < .05 and one inside has not. Shifts less than a window apart are alike: n counts those that are a
window apart. T steps, S shifts, B blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import JointSums, fisher_z, pearson

Range = tuple[float, float]

#: Chance is told from so many windows' length of values on: fewer shifts say nothing of a spread.
LEAST_WINDOWS: Final = 12
#: A value lies outside of what chance gives from this two-sided p on.
LEVEL: Final = 0.05
#: So many shifts are computed at most.
_SHIFTS: Final = 72


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """``time_courses`` (S, T): one shifted in a circle, of which ``independent`` are a window apart."""

    time_courses: FloatArray
    independent: float


@dataclass(frozen=True, slots=True)
class Chance:
    """Where one more value would lie by chance: Student's t about ``mean`` with ``error`` and ``freedom`` degrees."""

    mean: float
    error: float
    freedom: float

    @property
    def interval(self) -> Range:
        """Return the range that holds all but ``LEVEL`` of what chance gives."""
        half = self.error * float(stdtrit(self.freedom, 1 - LEVEL / 2))
        return self.mean - half, self.mean + half

    def t(self, values: FloatArray) -> FloatArray:
        """Return t of ``values`` of any shape."""
        return np.asarray((values - self.mean) / self.error)

    def p(self, value: float) -> float:
        """Return the two-sided p of ``value``."""
        return float(2 * stdtr(self.freedom, -abs((value - self.mean) / self.error)))


@dataclass(frozen=True, slots=True, eq=False)
class CorrelationByChance:
    """A correlation ``r`` and how it stands to chance.

    Attributes
    ----------
    r : float
    interval : (low, high)
        Where r would lie by chance.
    t, p : float
        Student's t of r among the shifts (Fisher z), and its two-sided p.
    shifts_t : (S,) float64
        t of each shift; NaN where it has no correlation.
    """

    r: float
    interval: Range
    t: float
    p: float
    shifts_t: FloatArray


def shifted(time_course: FloatArray, window: int) -> Shifts:
    """Return (T,) values shifted in a circle by ``window`` steps or more either way, evenly over all shifts."""
    steps = len(time_course)
    every = max(1, -(-(steps - 2 * window + 1) // _SHIFTS))
    shifts = np.arange(window, steps - window + 1, every)
    time_courses = time_course[(np.arange(steps) - shifts[:, None]) % max(steps, 1)]
    return Shifts(time_courses, max(0.0, (steps - 2 * window + 1) / window))


def enough(predicted: FloatArray, observed: FloatArray, window: int) -> bool:
    """Return whether enough steps have both values to tell what chance gives; ``window`` is in steps."""
    both = np.isfinite(predicted) & np.isfinite(observed)
    return int(both.sum()) >= LEAST_WINDOWS * window


def chance_of(values: FloatArray, independent: float) -> Chance | None:
    """Return what ``values`` (S,) of shifts say of one more; None where fewer than two of them are independent."""
    finite = values[np.isfinite(values)]
    if finite.size < 2 or independent < 2:
        return None
    error = float(finite.std(ddof=1) * np.sqrt(1 + 1 / independent))
    return Chance(float(finite.mean()), error, independent - 1) if error > 0 else None


def correlate(x: FloatArray, y: FloatArray, starts: NDArray[np.intp] | None = None) -> FloatArray:
    """Return Pearson's r (S,) of each line of ``x`` (S, T) and of ``y`` (T,), correlations both, by Fisher z.

    Over the steps that have both; NaN where a side does not vary. ``starts`` (B,) are the first steps of blocks, each
    of which is held about its own mean; default: all is one block.
    """
    starts = np.zeros(1, np.intp) if starts is None else starts
    if not len(y):
        return np.full(len(x), np.nan)
    x, y = fisher_z(x), fisher_z(y)
    both = np.isfinite(x) & np.isfinite(y)
    x, y = (_about_mean(np.broadcast_to(values, both.shape), both) for values in (x, y))
    products = (both.astype(np.float64), x, y, x * x, x * y, y * y)
    sums = JointSums(*(np.add.reduceat(values, starts, axis=1).T for values in products))
    return np.asarray(pearson(sums, 0, len(starts))[0])


def correlation_by_chance(
    predicted: FloatArray, observed: FloatArray, window: int, starts: NDArray[np.intp] | None = None
) -> CorrelationByChance | None:
    """Return how the correlation of two courses (T,) of correlations stands to chance.

    Parameters
    ----------
    predicted, observed
        NaN where absent.
    window
        Length of the window that values are of, steps.
    starts
        First steps of blocks, see :func:`correlate`. The predicted course is shifted over all of them.

    Returns
    -------
    CorrelationByChance or None
        None with fewer than ``LEAST_WINDOWS`` windows of both, or where a side does not vary.
    """
    if not enough(predicted, observed, window):
        return None
    shifts = shifted(predicted, window)
    r = float(correlate(predicted[None], observed, starts)[0])
    z = fisher_z(correlate(shifts.time_courses, observed, starts))
    chance = chance_of(z, shifts.independent)
    if chance is None or not np.isfinite(r):
        return None
    low, high = np.tanh(chance.interval)
    own = fisher_z(np.array(r))
    return CorrelationByChance(r, (float(low), float(high)), float(chance.t(own)), chance.p(float(own)), chance.t(z))


def _about_mean(values: FloatArray, present: NDArray[np.bool_]) -> FloatArray:
    """Return lines (S, T) about their means over ``present``, zero elsewhere: sums of squares keep their digits."""
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    mean = np.where(present, values, 0.0).sum(axis=1, keepdims=True) / count
    return np.where(present, values - mean, 0.0)
