"""What the display says of chance beside the correlation: the difference, and the correlation as it runs. No Qt.

How chance is told is in :mod:`rtaffect.common.chance`. Drifts stay where they are while the rest of a course is
shifted, so that two courses that merely trend are not near to each other by more than chance. T steps, S shifts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.chance import USUAL, Range, chance_of, enough, shifted
from rtaffect.common.correlation import fisher_z
from rtaffect.common.drifts import Drifts
from rtaffect.common.settings import DriftSettings
from rtaffect.observed.synchrony import running_correlation

#: Length of the running correlation in windows, and the part of its steps that must have both values.
RUNNING_WINDOWS = 12
LEAST_PRESENT = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """Running correlation over ``steps`` steps: ``r`` (T,) at each window's end, NaN where too little is there.

    ``chance`` is the range of its values by chance; None where too few steps are shown.
    """

    r: FloatArray
    steps: int
    chance: Range | None


def chance_distance(
    predicted: FloatArray, observed: FloatArray, window: int, drift: DriftSettings = USUAL, *, plain: bool = False
) -> Range | None:
    """Return the range of the mean size of observed - predicted by chance, None where too few steps are there.

    Drifts are taken out by Fisher z, or of the values as they are where these are ``plain`` ratings.
    """
    if not enough(predicted, observed, window):
        return None
    straight = predicted if plain else fisher_z(predicted)
    left = Drifts(len(predicted), drift).without(straight)
    slow = straight - left
    shifts = shifted(left, window)
    # Where a course is absent, the drift under what is shifted there is the nearest that is known.
    known = np.flatnonzero(np.isfinite(slow))
    drifting = np.interp(np.arange(len(slow)), known, slow[known])
    elsewhere = drifting + shifts.time_courses
    distances = np.abs(observed - (elsewhere if plain else np.tanh(elsewhere)))
    there = np.isfinite(distances)
    means = np.where(there, distances, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    chance = chance_of(means, shifts.independent)
    return (max(0.0, chance.interval[0]), chance.interval[1]) if chance is not None else None


def running(predicted: FloatArray, observed: FloatArray, window: int, drift: DriftSettings = USUAL) -> Running:
    """Return the running correlation (Fisher z) of two courses (T,) over ``RUNNING_WINDOWS`` windows of ``window``.

    It is of what drifts leave of both, where there is enough to tell drifts; else of the courses as they are.
    """
    steps = RUNNING_WINDOWS * window
    if not enough(predicted, observed, window):
        return Running(running_correlations(predicted[None], observed, steps)[0], steps, None)
    drifts = Drifts(len(observed), drift)
    x, y = (np.tanh(drifts.without(fisher_z(course))) for course in (predicted, observed))
    r = running_correlations(x[None], y, steps)[0]
    shifts = shifted(x, window)
    by_chance = running_correlations(shifts.time_courses, y, steps)
    chance = chance_of(fisher_z(by_chance.ravel()), shifts.independent)
    low, high = np.tanh(chance.interval) if chance is not None else (np.nan, np.nan)
    return Running(r, steps, (float(low), float(high)) if chance is not None else None)


def running_correlations(x: FloatArray, y: FloatArray, steps: int) -> FloatArray:
    """Return r in the ``steps`` steps that end at each, (S, T), of each line of ``x`` (S, T) with ``y`` (T,)."""
    x, y = fisher_z(x).T, np.broadcast_to(fisher_z(y)[:, None], x.T.shape)
    return running_correlation(x, y, steps, 1, int(np.ceil(LEAST_PRESENT * steps))).T
