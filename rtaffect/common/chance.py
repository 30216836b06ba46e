"""What the agreement of two time courses would be by chance: one of them shifted in a circle.

Windows overlap and time courses are slow, so steps are far from independent, and the usual test of a correlation would
call noise an agreement. A time course that is shifted in a circle keeps its slowness and loses the time lock (Nastase
et al., *SCAN* 14, 2019). By chance means: Student's t of one more value, with mean and SD of what the shifts give and a
standard error of SD sqrt(1 + 1/n). The 95 % prediction interval and the two-sided p are of the same t, so that a value
outside the one has p < .05 and one inside has not. Shifts less than a window apart are alike: n counts those that are a
window apart.

Courses that merely trend are no agreement: what is compared is what the drifts of :mod:`rtaffect.common.drifts` leave
of both, and of each shifted course after its shift. T steps, S shifts, B blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_z
from rtaffect.common.drifts import FLAT, Drifts
from rtaffect.common.settings import NO_DRIFT, DriftSettings

Range = tuple[float, float]

#: Chance is told from so many windows' length of values on: fewer shifts say nothing of a spread.
LEAST_WINDOWS: Final = 12
#: A value lies outside of what chance gives from this two-sided p on.
LEVEL: Final = 0.05
#: So many shifts are computed at most.
_SHIFTS: Final = 72


#: What is a drift where nobody says otherwise.
USUAL: Final = DriftSettings()


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

    @property
    def beyond(self) -> bool:
        """Whether it lies outside of what chance gives."""
        return self.p <= LEVEL


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


def correlate(
    x: FloatArray, y: FloatArray, starts: NDArray[np.intp] | None = None, drift: DriftSettings = NO_DRIFT
) -> FloatArray:
    """Return Pearson's r (S,) of each line of ``x`` (S, T) and of ``y`` (T,), correlations both, by Fisher z.

    Over the steps that have both; NaN where a side does not vary. ``starts`` (B,) are the first steps of blocks, each
    of which is held about its own mean and drifts; default: all is one block.
    """
    if not len(y):
        return np.full(len(x), np.nan)
    drifts = Drifts(len(y), drift, np.zeros(1, np.intp) if starts is None else starts)
    return _correlate(fisher_z(x), fisher_z(y), drifts)


def _correlate(x: FloatArray, y: FloatArray, drifts: Drifts) -> FloatArray:
    """Return r (S,) of lines (S, T) and a course (T,), Fisher z, over the steps that have both."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = (np.where(both, values, 0.0) for values in (x, y))
    left_x, left_y = drifts.residuals(both, x, y)
    xx, yy, xy = (left_x**2).sum(axis=1), (left_y**2).sum(axis=1), (left_x * left_y).sum(axis=1)
    varies = (xx > FLAT * (x**2).sum(axis=1)) & (yy > FLAT * (y**2).sum(axis=1))
    scale = np.sqrt(np.where(varies, xx * yy, 1.0))
    return np.asarray(np.where(varies, np.clip(xy / scale, -1.0, 1.0), np.nan))


def correlation_by_chance(
    predicted: FloatArray,
    observed: FloatArray,
    window: int,
    starts: NDArray[np.intp] | None = None,
    drift: DriftSettings = USUAL,
) -> CorrelationByChance | None:
    """Return how the correlation of two courses (T,) of correlations stands to chance.

    Parameters
    ----------
    predicted, observed
        NaN where absent.
    window
        Length of the window that values are of, steps.
    starts
        First steps of blocks, see :func:`correlate`. What the drifts leave of the predicted course is shifted over all
        of them.
    drift
        What is taken out of both; :data:`NO_DRIFT` for the means alone.

    Returns
    -------
    CorrelationByChance or None
        None with fewer than ``LEAST_WINDOWS`` windows of both, or where a side does not vary beyond its drifts.
    """
    if not enough(predicted, observed, window):
        return None
    drifts = Drifts(len(observed), drift, np.zeros(1, np.intp) if starts is None else starts)
    x, y = fisher_z(predicted), fisher_z(observed)
    r = float(_correlate(x[None], y, drifts)[0])
    shifts = shifted(drifts.without(x), window)
    z = fisher_z(_correlate(shifts.time_courses, y, drifts))
    chance = chance_of(z, shifts.independent)
    if chance is None or not np.isfinite(r):
        return None
    low, high = np.tanh(chance.interval)
    own = fisher_z(np.array(r))
    return CorrelationByChance(r, (float(low), float(high)), float(chance.t(own)), chance.p(float(own)), chance.t(z))


def drift_caution(found: CorrelationByChance | None, plain: CorrelationByChance | None) -> str:
    """Return what is to be told where the verdict on ``found`` is another without drifts taken out, ``plain``."""
    if found is None or plain is None or found.beyond == plain.beyond:
        return ""
    if plain.beyond:
        return f"with drifts left in r = {plain.r:.2f} would seem beyond chance: both trend, which is no agreement"
    return f"only with drifts taken out is it beyond chance; with them left in r = {plain.r:.2f}"
