"""What agreement of predicted and observed would be by chance: one of them turned round in the shown history. No Qt.

Windows overlap and courses are slow, so steps are far from independent, and the usual test of a correlation would call
noise an agreement. A course that is shifted in a circle keeps its slowness and loses the time lock (Nastase et al.,
*SCAN* 14, 2019). By chance means: the 95 % prediction interval of one more value, mean +- t SD sqrt(1 + 1/n), t of
Student's distribution, of what the shifts give (correlations in Fisher z). Shifts less than a window apart are alike: n
counts those that are a window apart. T steps, S shifts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from rtaffect.common.arrays import FloatArray

Range = tuple[float, float]

#: Chance is told from so many windows' length of shown values on: fewer shifts say nothing of a spread.
LEAST_WINDOWS = 12
#: Length of the running correlation in windows, and the part of its steps that must have both values.
RUNNING_WINDOWS = 12
LEAST_PRESENT = 0.8
#: The range holds this part of what chance gives.
COVERAGE = 0.95
#: So many shifts are computed at most.
_SHIFTS = 72
#: Correlations are kept this far from +-1 before Fisher z.
_CLIP = 1 - 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """Running correlation over ``steps`` steps: ``r`` (T,) at each window's end, NaN where too little is there.

    ``chance`` is the range of its values by chance; None where too few steps are shown.
    """

    r: FloatArray
    steps: int
    chance: Range | None


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """``time_courses`` (S, T): a course shifted in a circle, of which ``independent`` are a window apart."""

    time_courses: FloatArray
    independent: float


def shifted(course: FloatArray, window: int) -> Shifts:
    """Return ``course`` (T,) shifted in a circle by ``window`` steps or more either way, evenly over all shifts."""
    steps = len(course)
    every = max(1, -(-(steps - 2 * window + 1) // _SHIFTS))
    shifts = np.arange(window, steps - window + 1, every)
    time_courses = course[(np.arange(steps) - shifts[:, None]) % max(steps, 1)]
    return Shifts(time_courses, max(0.0, (steps - 2 * window + 1) / window))


def enough(predicted: FloatArray, observed: FloatArray, window: int) -> bool:
    """Return whether enough steps have both values to tell what chance gives; ``window`` is in steps."""
    both = np.isfinite(predicted) & np.isfinite(observed)
    return int(both.sum()) >= LEAST_WINDOWS * window and len(both) >= LEAST_WINDOWS * window


def correlations(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return Pearson's r (S,) of each line of ``x`` (S, T) and of ``y`` (T,), over the steps that have both values."""
    both = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(both.sum(axis=1), 1)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    x = np.where(both, x - (x.sum(axis=1) / count)[:, None], 0.0)
    y = np.where(both, y - (y.sum(axis=1) / count)[:, None], 0.0)
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.where(scale > 1e-12, (x * y).sum(axis=1) / np.maximum(scale, 1e-12), np.nan)


def chance_correlation(predicted: FloatArray, observed: FloatArray, window: int) -> Range | None:
    """Return the range of r by chance of two courses (T,), None where too few steps are there."""
    if not enough(predicted, observed, window):
        return None
    shifts = shifted(predicted, window)
    return _range_of_r(correlations(shifts.time_courses, observed), shifts.independent)


def chance_distance(predicted: FloatArray, observed: FloatArray, window: int) -> Range | None:
    """Return the range of the mean size of observed - predicted by chance, None where too few steps are there."""
    if not enough(predicted, observed, window):
        return None
    shifts = shifted(predicted, window)
    distances = np.abs(observed - shifts.time_courses)
    there = np.isfinite(distances)
    means = np.where(there, distances, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    found = _range(means, shifts.independent)
    return (max(0.0, found[0]), found[1]) if found is not None else None


def running(predicted: FloatArray, observed: FloatArray, window: int) -> Running:
    """Return the running correlation of two courses (T,) over ``RUNNING_WINDOWS`` windows of ``window`` steps."""
    steps = RUNNING_WINDOWS * window
    r = running_correlations(predicted[None], observed, steps)[0]
    if not enough(predicted, observed, window):
        return Running(r, steps, None)
    shifts = shifted(predicted, window)
    by_chance = running_correlations(shifts.time_courses, observed, steps)
    return Running(r, steps, _range_of_r(by_chance.ravel(), shifts.independent))


def running_correlations(x: FloatArray, y: FloatArray, steps: int) -> FloatArray:
    """Return r in the ``steps`` steps that end at each, (S, T), of each line of ``x`` (S, T) with ``y`` (T,)."""
    found = np.full(x.shape, np.nan)
    if x.shape[1] < steps:
        return found
    both = np.isfinite(x) & np.isfinite(y)
    # About a middle value, or the sums of squares lose digits.
    x, y = (np.where(both, values - _middle(values), 0.0) for values in (x, y))
    count, sx, sy, sxx, syy, sxy = (_sums(v, steps) for v in (both.astype(np.float64), x, y, x * x, y * y, x * y))
    n = np.maximum(count, 1.0)
    scale = np.sqrt(np.maximum(sxx - sx * sx / n, 0) * np.maximum(syy - sy * sy / n, 0))
    defined = (count >= LEAST_PRESENT * steps) & (scale > 1e-9)
    found[:, steps - 1 :] = np.where(defined, (sxy - sx * sy / n) / np.where(defined, scale, 1.0), np.nan)
    return found


def _middle(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else 0.0


def _sums(values: FloatArray, steps: int) -> FloatArray:
    """Return the sums (S, T - steps + 1) of each run of ``steps`` values of lines (S, T)."""
    total = np.cumsum(values, axis=1)
    return np.asarray(total[:, steps - 1 :] - np.pad(total[:, :-steps], ((0, 0), (1, 0))))


def _range_of_r(r: FloatArray, independent: float) -> Range | None:
    found = _range(np.arctanh(np.clip(r, -_CLIP, _CLIP)), independent)
    return (float(np.tanh(found[0])), float(np.tanh(found[1]))) if found is not None else None


def _range(values: FloatArray, independent: float) -> Range | None:
    """Return the interval of one more value, None where fewer than two are independent."""
    finite = values[np.isfinite(values)]
    if finite.size < 2 or independent < 2:
        return None
    half = stdtrit(independent - 1, (1 + COVERAGE) / 2) * finite.std(ddof=1) * np.sqrt(1 + 1 / independent)
    return float(finite.mean() - half), float(finite.mean() + half)
