"""How well the course of a group's synchrony can be predicted at most: with an interval, and only where there is one.

Two halves of the listeners, of whom nobody has to do with the other half, have courses that are alike only where the
sound makes them so. How alike they are, r, says how alike those of two whole groups would be. By how much a whole group
is less noisy than a half depends on whose noise it is (Spearman-Brown; :mod:`calibration.intervals`): listeners' own,
and it is as many times as there are more listeners (the *low* end), or that of each pair by itself, and it is as many
times as there are more pairs (the *high* end). The truth lies between them. Courses of listeners against everybody
else would share pairs: of unrelated listeners, halves of those agree at h / (3 h - 2), h listeners in each.

Nothing in common gives a ceiling, too, of what is alike by chance. So the course of one half is turned round in each
sound (:func:`calibration.nulls.shift_null`), and what does not exceed that is no ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from calibration.group_synchrony import LEVEL
from calibration.intervals import ceiling_of
from calibration.nulls import p_values, shift_null
from calibration.statistics import correlation_of, joint_moments, pair
from calibration.trends import courses_untrended
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.correlation import fisher_mean, fisher_z
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import DriftSettings

#: As many blocks of a sound, at least, make the interval, each this many windows long or longer.
_BLOCKS, _WINDOWS = 6, 3


@dataclass(frozen=True, slots=True, eq=False)
class NoiseCeiling:
    """Between which ends a perfect prediction would correlate with the group's course. R rows, then their mean.

    Attributes
    ----------
    low, high : (R + 1,)
        The ends; NaN where there are no halves.
    least, most : (R + 1,)
        95 % interval: of the low end downwards, and of the high end upwards; over sounds, or blocks of few of them.
    p, p_family : (R + 1,)
        One-sided, against turned courses: alone, and among the rows that count.
    counted : (R,)
        Which rows enter the mean.
    """

    low: FloatArray
    high: FloatArray
    least: FloatArray
    most: FloatArray
    p: FloatArray
    p_family: FloatArray
    counted: BoolArray

    @classmethod
    def nothing(cls, counted: BoolArray) -> NoiseCeiling:
        """Return that of a study without halves."""
        none = np.full(len(counted) + 1, np.nan)
        return cls(none, none, none, none, none, none, counted)

    @property
    def told(self) -> BoolArray:
        """Where (R + 1,) it is distinguishable from none: of rows by the family-wise p."""
        return np.append(self.p_family[:-1], self.p[-1]) < LEVEL

    @property
    def ends(self) -> tuple[FloatArray, FloatArray]:
        """The low and the high end where it is distinguishable from none, else NaN."""
        return np.where(self.told, self.low, np.nan), np.where(self.told, self.high, np.nan)


def ceiling_of_halves(  # noqa: PLR0917 - what, of whom, how
    halves: Sequence[FloatArray],
    listeners: int,
    counted: BoolArray,
    window: int,
    draws: int = 1000,
    drift: DriftSettings = DriftSettings(),  # noqa: B008 - it is frozen
) -> NoiseCeiling:
    """Return the noise ceiling: of what predictions are judged by, which is courses without drifts.

    Parameters
    ----------
    halves
        For each sound (S, 2, steps, R): the courses of both halves of S halvings, each half by itself, Fisher z.
    listeners
        Of the whole group.
    counted
        (R,), which rows enter the mean.
    window
        Steps that share data.
    draws
        Of turned courses.
    drift
        What is taken out of each course first.
    """
    if not halves or not len(halves[0]):
        return NoiseCeiling.nothing(counted)
    whole = courses_untrended([_with_mean(each, counted) for each in halves], drift)
    splits = [[(each[s, 0], each[s, 1]) for each in whole] for s in range(len(whole[0]))]
    half = listeners // 2
    more = listeners / half, listeners * (listeners - 1) / (half * (half - 1))
    r = ceiling_of(splits, more[0]).halves
    low, high = (_ceiling(r, times) for times in more)
    reach = _reach(splits, window)
    least, most = _ceiling(np.tanh(fisher_z(r) - reach), more[0]), _ceiling(np.tanh(fisher_z(r) + reach), more[1])
    return NoiseCeiling(low, high, least, most, *_chance(splits, counted, window, draws), counted)


def _with_mean(courses: FloatArray, counted: BoolArray) -> FloatArray:
    return np.concatenate([courses, courses[..., counted].mean(axis=-1, keepdims=True)], axis=-1)


def _ceiling(r: FloatArray, times: float) -> FloatArray:
    """Return the root of the reliability of a course with so many times the information of those that agree at r."""
    r = np.maximum(r, 0.0)
    return np.asarray(np.sqrt(times * r / (1 + (times - 1) * r)))


def _reach(splits: Sequence[Sequence[tuple[FloatArray, FloatArray]]], window: int) -> FloatArray:
    """Return half the length (R + 1,) of the 95 % interval of the halves' r, Fisher z: jackknife over blocks."""
    moments = np.stack([np.concatenate([_blocks(a, b, window, len(split)) for a, b in split]) for split in splits])
    n = moments.shape[1]
    if n < 3:
        return np.full(moments.shape[-1], np.nan)
    total = moments.sum(axis=1)
    each = np.stack(
        [
            fisher_z(
                fisher_mean(np.stack([correlation_of(t - m[i]) for t, m in zip(total, moments, strict=True)]), axis=0)
            )
            for i in range(n)
        ]
    )
    error = np.sqrt((n - 1) / n * ((each - each.mean(axis=0)) ** 2).sum(axis=0))
    return np.asarray(student_t.ppf(0.975, n - 1) * error)


def _blocks(a: FloatArray, b: FloatArray, window: int, sounds: int) -> FloatArray:
    """Return the moments (blocks, 3, R + 1) of two courses about their means: one block, or several of few sounds."""
    joint = np.isfinite(a) & np.isfinite(b)
    count = np.maximum(joint.sum(axis=0), 1)
    x, y = (np.where(joint, c - np.where(joint, c, 0.0).sum(axis=0) / count, 0.0) for c in (a, b))
    products = np.stack([x * y, x * x, y * y])
    wanted = 1 if sounds >= _BLOCKS else -(-_BLOCKS // sounds)
    parts = max(1, min(wanted, int(count.max()) // (_WINDOWS * window)))
    return np.stack([part.sum(axis=1) for part in np.array_split(products, parts, axis=1)])


def _chance(
    splits: Sequence[Sequence[tuple[FloatArray, FloatArray]]], counted: BoolArray, window: int, draws: int
) -> tuple[FloatArray, FloatArray]:
    """Return p (R + 1,) alone and family-wise; NaN where sounds are too short to tell."""
    try:
        pairs = [pair([a for a, _ in split], [b for _, b in split], window) for split in splits]
        swapped = [pair([b for _, b in split], [a for a, _ in split], window) for split in splits]
    except SettingsError:
        none = np.full(len(counted) + 1, np.nan)
        return none, none
    moved, back = (
        fisher_z(np.stack([shift_null(each, draws, seed=15, cross_fitted=False) for each in both]))
        for both in (pairs, swapped)
    )
    r = fisher_mean(np.stack([_within(each.predicted, each.observed) for each in pairs]), axis=0)
    chance = np.tanh(_widened(moved, back))
    p = p_values(r, chance)
    family = p_values(np.where(np.append(counted, False), r, np.nan), chance).family
    return p.single, np.where(np.append(counted, False), family, p.family)


def _widened(moved: FloatArray, back: FloatArray) -> FloatArray:
    """Return the mean (draws, R + 1) over halvings of chance, with the variance that it has in place.

    Two halvings have pairs of listeners in common, in the same half or in the other one. In place both make them
    agree. Turned alike, only the first do; with the turns of one reversed (``back``), only the others do.
    """
    count = len(moved)
    mean, other = moved.mean(axis=0), back.mean(axis=0)
    one, two = (values - values.mean(axis=-2, keepdims=True) for values in (moved, back))
    shared = (one.mean(axis=0) * two.mean(axis=0)).mean(axis=0) - (one * two).mean(axis=1).sum(axis=0) / count**2
    variance = (mean.var(axis=0) + other.var(axis=0)) / 2
    there = variance > 0
    wider = np.sqrt(np.where(there, np.maximum(1 + shared / np.where(there, variance, 1.0), 1.0), 1.0))
    return np.asarray(mean.mean(axis=0) + wider * (mean - mean.mean(axis=0)))


def _within(one: Sequence[FloatArray], other: Sequence[FloatArray]) -> FloatArray:
    """Return r (R + 1,) of courses, each sound's about its own mean."""
    moments = np.sum([joint_moments(a, b) for a, b in zip(one, other, strict=True)], axis=0)
    return np.where(moments[1] > 0, correlation_of(moments), np.nan)
