"""How well a group's synchrony can be predicted at most, and how far off a prediction may be.

Seconds are not independent, so no error bar here counts them: halves of the group make the ceiling, and the number of
windows is the number of residuals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from calibration.statistics import correlation_of, joint_moments
from rtaffect.common.correlation import fisher_mean
from rtaffect.common.errors import RecordingError

Array = NDArray[np.float64]
#: Gives from numbers of listeners, from 0, the course of that half of the group, for each stimulus (steps, R).
Half = Callable[[NDArray[np.intp]], Sequence[Array]]


@dataclass(frozen=True, slots=True, eq=False)
class Ceiling:
    """How well the mean of a group can be predicted, R rows.

    Attributes
    ----------
    halves : (R,)
        Correlation within stimuli of the courses of two halves, the mean over splits by Fisher z.
    reliability : (R,)
        The same for two groups of the whole size (Spearman-Brown); not above 0 where there is nothing in common.
    r : (R,)
        Its root, or 0: what a perfect prediction of the true course would correlate with this group's mean.
    """

    halves: Array
    reliability: Array
    r: Array


def noise_ceiling(people: int, half: Half, splits: int = 100, seed: int = 0) -> Ceiling:
    """Return the noise ceiling from random halves of the group.

    Spearman-Brown, k r / (1 + (k - 1) r), is for a group k times a half; it is taken of the mean over splits, as it is
    not defined for each (Spearman, *Br. J. Psychol.* 3, 1910; Brown, the same).

    Which half courses are given decides what the ceiling is:

    - ``half_means(courses)``, of each listener's course against the mean of all others. These means share
      listeners across the halves: the ceiling is too high.
    - courses computed within each half alone, everyone against the mean of the others of their half:
      ``lambda who: [course_of(group[who]) for group in stimuli]``. The halves share nobody, but half a group gives more
      than twice the noise, as those means are noisier: the ceiling is too low.

    The truth lies between them.

    Parameters
    ----------
    people
        Number of listeners; where it is odd, each split leaves one out by chance.
    half
        Gives the courses of some of the listeners, Fisher z, NaN where missing.
    splits, seed
        How many, and of what random numbers.

    Raises
    ------
    RecordingError
        If there are fewer than two listeners.
    """
    if people < 2:
        raise RecordingError(f"halves of a group of {people} cannot be compared; give two listeners or more")
    rng, size = np.random.default_rng(seed), people // 2
    found = []
    for _ in range(splits):
        order = rng.permutation(people)
        one, other = half(np.sort(order[:size])), half(np.sort(order[size : 2 * size]))
        found.append(list(zip(one, other, strict=True)))
    return ceiling_of(found, people / size)


def ceiling_of(splits: Sequence[Sequence[tuple[Array, Array]]], longer: float) -> Ceiling:
    """Return the ceiling from halves that are there: for each split, for each stimulus the two courses (steps, R).

    ``longer`` is how many times larger than a half the group is whose ceiling is asked for.
    """
    found = []
    for split in splits:
        moments = np.sum([joint_moments(a, b) for a, b in split], axis=0)
        found.append(np.where(moments[1] > 0, correlation_of(moments), np.nan))
    r = fisher_mean(np.stack(found), axis=0)
    reliability = longer * r / np.maximum(1 + (longer - 1) * r, np.finfo(np.float64).tiny)
    return Ceiling(r, reliability, np.sqrt(np.maximum(reliability, 0.0)))


def half_means(time_courses: Sequence[Array]) -> Half:
    """Return what averages the courses of each stimulus, (P, steps, R), Fisher z, over those chosen with a value."""
    present = [np.isfinite(course) for course in time_courses]
    filled = [np.where(p, course, 0.0) for p, course in zip(present, time_courses, strict=True)]

    def half(who: NDArray[np.intp]) -> list[Array]:
        counts = [p[who].sum(axis=0) for p in present]
        sums = [f[who].sum(axis=0) for f in filled]
        return [np.where(n > 0, s / np.maximum(n, 1), np.nan) for n, s in zip(counts, sums, strict=True)]

    return half


def residual_quantiles(residual: Array, level: float, window: int) -> tuple[Array, Array]:
    """Return low and high (R,), between which the residual of a new step lies with probability ``level``.

    Split conformal prediction (Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2005; Lei et al.,
    *J. Am. Stat. Assoc.* 113, 2018), each tail with half of the rest: quantiles at 1 + 1/n times the level, n being the
    number of windows, as steps within one tell the same. If those lie beyond all residuals, there are too few windows
    for them: then the interval of one more normal draw, mean +- t s sqrt(1 + 1/n), and not less than all residuals.

    Residuals that come from the folds of a cross-validation serve the fit to everything, which has seen more: CV+
    (Barber et al., *Ann. Stat.* 49, 2021). The probability is one over studies; steps of one study err alike.

    Parameters
    ----------
    residual
        (steps, R), or (P, steps, R) of several people at the same steps, who add no windows; Fisher z, NaN where none.
    level
        In (0, 1).
    window
        Steps that share data.

    Returns
    -------
    low, high : (R,)
        NaN where there are fewer than two windows.
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level:g}; expected more than 0 and less than 1")
    people = residual if residual.ndim == 3 else residual[None]
    windows = np.isfinite(people).any(axis=0).sum(axis=0) / window
    rows = people.reshape(-1, people.shape[2]).T
    ends = [_ends(row[np.isfinite(row)], level, n) for row, n in zip(rows, windows, strict=True)]
    low, high = np.array(ends).T
    return low, high


def _ends(values: Array, level: float, windows: float) -> tuple[float, float]:
    """Return low and high of residuals (n,) that are worth ``windows`` independent ones."""
    if windows < 2:
        return math.nan, math.nan
    tail = (1 + level) / 2
    values = np.sort(values)
    share = tail * (1 + 1 / windows)
    if share <= 1:
        rank = math.ceil(share * len(values) - 1e-9)
        return float(values[-rank]), float(values[rank - 1])
    reach = student_t.ppf(tail, windows - 1) * values.std() * math.sqrt((windows + 1) / (windows - 1))
    return float(min(values.mean() - reach, values[0])), float(max(values.mean() + reach, values[-1]))
