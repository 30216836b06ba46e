"""The shown time courses, and how predicted and observed agree. No Qt.

T shown steps. Correlations are dimensionless, times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.chance import LEAST_WINDOWS, USUAL, Range, correlate, correlation_by_chance, drift_caution
from rtaffect.common.correlation import fisher_z
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import NO_DRIFT, DriftSettings
from rtaffect.present.chance import Running, chance_distance, running
from rtaffect.present.number_text import signed

#: Order of the quantities along the second axis of the history.
QUANTITIES = ("predicted", "predicted_low", "predicted_high", "observed", "null_low", "null_high")

#: Fewest steps with both values for which a running correlation is shown.
MINIMUM_STEPS = 20


@dataclass(frozen=True, slots=True)
class Agreement:
    """How predicted and observed agree over the ``steps`` steps that have both.

    ``r`` is their correlation (by Fisher z) with slow drifts taken out, None when it has no meaning, and ``distance``
    the mean size of observed - predicted; ``r_chance`` and ``distance_chance`` are the ranges of both by chance, None
    with fewer than ``needed`` steps. ``caution`` tells that the verdict hangs on the drifts.
    """

    r: float | None
    steps: int
    distance: float | None = None
    r_chance: Range | None = None
    distance_chance: Range | None = None
    needed: int = 0
    caution: str = ""

    @property
    def text(self) -> str:
        """Return the correlation in words, as shown, with its range by chance."""
        if self.r is None:
            return f"r = n/a ({self.steps} of {MINIMUM_STEPS} steps needed)"
        told = f"r = {signed(self.r)} over {self.steps} steps, by chance {self._by_chance(self.r_chance)}"
        return f"{told}; {self.caution}" if self.caution else told

    @property
    def distance_text(self) -> str:
        """Return the mean size of the difference in words, with its range by chance."""
        if self.distance is None:
            return f"mean size n/a ({self.steps} of {MINIMUM_STEPS} steps needed)"
        return f"mean size {signed(self.distance)}, by chance {self._by_chance(self.distance_chance)}"

    def _by_chance(self, found: Range | None) -> str:
        return f"{signed(found[0])} to {signed(found[1])}" if found else f"n/a (needs {self.needed} steps)"


@dataclass(frozen=True, slots=True, eq=False)
class TimeCourse:
    """The shown time course of one row or of the mean over rows; every array is (T,) float64, absent values NaN.

    ``time`` is session time, s; ``smoothed`` is the causal running mean of ``observed`` (Fisher z). ``rating`` is the
    scale of a rating, in whose unit all values are then, and whose means are plain; None for correlations.
    """

    name: str
    time: FloatArray
    predicted: FloatArray
    predicted_low: FloatArray
    predicted_high: FloatArray
    observed: FloatArray
    smoothed: FloatArray
    null_low: FloatArray
    null_high: FloatArray
    agreement: Agreement
    rating: RatingScale | None = None

    @property
    def difference(self) -> FloatArray:
        """(T,) float64: observed - predicted."""
        return self.observed - self.predicted

    @property
    def inside_null(self) -> NDArray[np.bool_]:
        """(T,) bool: where ``observed`` lies inside its null band."""
        return (self.observed >= self.null_low) & (self.observed <= self.null_high)


def running_mean(values: FloatArray, steps: int) -> FloatArray:
    """Return the causal running mean of correlations through Fisher z.

    Parameters
    ----------
    values : (T,) float64, correlation
        NaN where absent.
    steps : int
        Length of the window that ends at each value; absent values in it are left out.

    Returns
    -------
    (T,) float64, correlation
        ``tanh(mean(atanh(values)))``; NaN wherever ``values`` is NaN, so that a gap stays a gap.
    """
    return np.asarray(np.tanh(causal_mean(fisher_z(values), steps)))


def causal_mean(values: FloatArray, steps: int) -> FloatArray:
    """Return the mean of the ``steps`` values of (T,) that end at each, absent ones left out; NaN where it is NaN."""
    if values.size == 0:
        return values.copy()
    finite = np.isfinite(values)
    padded = np.concatenate([np.zeros(steps), np.where(finite, values, 0.0)])
    counted = np.concatenate([np.zeros(steps), finite.astype(np.float64)])
    window = np.lib.stride_tricks.sliding_window_view
    total = window(padded, steps)[1:].sum(axis=1)
    count = window(counted, steps)[1:].sum(axis=1)
    return np.where(finite, total / np.maximum(count, 1.0), np.nan)


def as_correlations(values: FloatArray, rating: RatingScale | None) -> FloatArray:
    """Return values of any shape as what is compared by Fisher z: of ratings, that is their share of the scale."""
    return values if rating is None else np.asarray(np.tanh(rating.share(values)))


def agreement(
    predicted: FloatArray,
    observed: FloatArray,
    window: int = 10,
    drift: DriftSettings = USUAL,
    rating: RatingScale | None = None,
) -> Agreement:
    """Return how two (T,) float64 courses agree; neighbouring steps share a window of ``window`` steps.

    They are correlations, or ratings on the scale ``rating``.
    """
    both = np.isfinite(predicted) & np.isfinite(observed)
    steps, needed = int(both.sum()), LEAST_WINDOWS * window
    if steps < MINIMUM_STEPS:
        return Agreement(None, steps, needed=needed)
    x, y = as_correlations(predicted, rating), as_correlations(observed, rating)
    r = float(correlate(x[None], y, drift=drift)[0])
    found, plain = (correlation_by_chance(x, y, window, drift=each) for each in (drift, NO_DRIFT))
    return Agreement(
        r if np.isfinite(r) else None,
        steps,
        float(np.abs(observed[both] - predicted[both]).mean()),
        found.interval if found is not None else None,
        chance_distance(predicted, observed, window, drift, plain=rating is not None),
        needed,
        drift_caution(found, plain),
    )


def break_at_gaps(time: FloatArray, values: FloatArray, step_s: float) -> tuple[FloatArray, FloatArray]:
    """Insert a row of NaN wherever steps are missing, so that no line bridges them.

    Parameters
    ----------
    time, values : (T,) and (T, K) float64
    step_s : float
        Regular distance of steps, s.

    Returns
    -------
    time, values : (T + gaps,) and (T + gaps, K) float64
    """
    after = np.flatnonzero(np.diff(time) > 1.5 * step_s) + 1
    if after.size == 0:
        return time, values
    return np.insert(time, after, time[after - 1] + step_s), np.insert(values, after, np.nan, axis=0)


def resolve_time_course(
    name: str,
    time: FloatArray,
    values: FloatArray,
    *,
    step_s: float,
    smooth_steps: int,
    window_s: float = 10.0,
    drift: DriftSettings = USUAL,
    rating: RatingScale | None = None,
) -> TimeCourse:
    """Return the course to show of ``values``, (T, 6) float64 in the order of ``QUANTITIES``, at ``time`` (T,) s.

    They are correlations, or ratings on the scale ``rating``.
    """
    time, values = break_at_gaps(time, values, step_s)
    shown = dict(zip(QUANTITIES, values.T, strict=True))
    smoothed = (running_mean if rating is None else causal_mean)(shown["observed"], smooth_steps)
    found = agreement(shown["predicted"], shown["observed"], round(window_s / step_s), drift, rating)
    return TimeCourse(name=name, time=time, smoothed=smoothed, agreement=found, rating=rating, **shown)


@dataclass(frozen=True, slots=True, eq=False)
class AgreementCurves:
    """How predicted and observed of one course go together over time; every array is (T,) float64, NaN where absent.

    ``smoothed`` is the causal mean of the difference, observed - predicted. That lies in ``expected_low`` to
    ``expected_high`` where the prediction holds, and in ``noise_low`` to ``noise_high`` where there is only noise.
    """

    running: Running
    smoothed: FloatArray
    expected_low: FloatArray
    expected_high: FloatArray
    noise_low: FloatArray
    noise_high: FloatArray


def compare(
    course: TimeCourse, *, step_s: float, smooth_steps: int, window_s: float, drift: DriftSettings = USUAL
) -> AgreementCurves:
    """Return what the agreement page shows of a course."""
    x, y = (as_correlations(values, course.rating) for values in (course.predicted, course.observed))
    return AgreementCurves(
        running=running(x, y, round(window_s / step_s), drift),
        smoothed=causal_mean(course.difference, smooth_steps),
        expected_low=course.predicted_low - course.predicted,
        expected_high=course.predicted_high - course.predicted,
        noise_low=course.null_low - course.predicted,
        noise_high=course.null_high - course.predicted,
    )
