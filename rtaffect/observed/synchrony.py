"""Observed synchrony: correlation in a window, and what it would be if the time lock were broken.

Inter-subject correlation by leaving one out: each person against the mean of the others (or against the stored mean of
a reference group), Hasson et al., *Science* 303, 2004; Nastase et al., *SCAN* 14, 2019. Averages are taken by Fisher z
(Silver & Dunlap, *J. Appl. Psychol.* 72, 1987). Signals are (time, row); NaN marks what is missing or bad, and a
correlation uses the instants at which both sides are present.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import JointSums, fisher_mean, fisher_z, pearson
from rtaffect.common.settings import SynchronySettings

#: Degrees of freedom of a spread that a circle's turns give, at least.
_LEAST_FREEDOM = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class RowLayout:
    """How courses (time, M * k) make rows: M measured ones of k components each, then A averages of those.

    A row's components lie side by side. Two courses of k > 1 components are correlated as one: the sum of the
    components' covariances over the root of the product of the sums of their variances. That is Pearson's r of the
    components laid end to end, each about its own mean; turning both courses alike does not change it.

    Attributes
    ----------
    k : int
        Components of each measured row.
    averages : (A, M) bool
        Which measured rows each of the further rows averages (Fisher z).
    counted : (M + A,) bool
        Rows that enter the one mean over rows.
    """

    k: int
    averages: NDArray[np.bool_]
    counted: NDArray[np.bool_]

    @classmethod
    def plain(cls, rows: int) -> Self:
        """Return the layout of ``rows`` rows of one component, no averages, all of them counted."""
        return cls(1, np.zeros((0, rows), np.bool_), np.ones(rows, np.bool_))

    @property
    def measured(self) -> int:
        """Number of measured rows, M."""
        return int(self.averages.shape[1])

    @property
    def rows(self) -> int:
        """Number of all rows, M + A."""
        return len(self.counted)

    def complete(self, values: FloatArray) -> FloatArray:
        """Return correlations (..., M) with the averages behind them (..., M + A)."""
        added = [fisher_mean(values[..., members], axis=-1) for members in self.averages]
        return np.concatenate([values, np.stack(added, axis=-1)], axis=-1) if added else values

    def overall(self, values: FloatArray) -> FloatArray:
        """Return the mean (...,) by Fisher z over the counted rows of ``values`` (..., M + A)."""
        return fisher_mean(values[..., self.counted], axis=-1)


def running_correlation(
    x: FloatArray, y: FloatArray, window: int, stride: int, least: int = 3, *, k: int = 1
) -> FloatArray:
    """Return the correlation (turns, rows) of ``x`` and ``y`` (time, rows * k) in each window of ``window`` instants.

    Windows end at instants stride, 2 stride, ...; they are a whole number of strides long, and those that reach before
    the first instant are NaN, as are those with fewer than ``least`` instants of both, or where a side does not vary.
    """
    turns, columns, span = len(x) // stride, x.shape[1], window // stride
    if window % stride:
        raise ValueError(f"a window of {window} instants is not a whole number of strides of {stride}")
    present = np.isfinite(x) & np.isfinite(y)
    blocks = [
        np.asarray(series[: turns * stride], np.float64).reshape(turns, stride, columns)
        for series in (present, *(_centred(np.where(present, series, np.nan)) for series in (x, y)))
    ]
    there, x, y = blocks
    pairs = [np.einsum("tsc,tsc->tc", a, b) for a, b in ((x, x), (x, y), (y, y))]
    sums = np.cumsum([there.sum(axis=1), x.sum(axis=1), y.sum(axis=1), *pairs], axis=1)
    out = np.full((turns, columns // k), np.nan)
    if turns >= span:
        inside = sums[:, span - 1 :].copy()
        inside[:, 1:] -= sums[:, :-span]
        out[span - 1 :] = pearson(JointSums(*inside.swapaxes(-1, -2)), least, k).T
    return out


def _centred(series: FloatArray) -> FloatArray:
    """Return ``series`` (time, ...) without its mean over time, and zero where it is missing."""
    present = np.isfinite(series)
    count = np.maximum(present.sum(axis=0), 1)
    centre = np.where(present, series, 0.0).sum(axis=0) / count
    return np.where(present, series - centre, 0.0)


def standardise(people: FloatArray, k: int = 1) -> FloatArray:
    """Return ``people`` (P, time, rows * k), each centred and each row scaled to unit variance over what is present.

    So that no amplifier with a larger gain dominates a mean over people. A row of several components has their
    variances' sum for its variance.
    """
    present = np.isfinite(people)
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    centred = people - np.where(present, people, 0.0).sum(axis=1, keepdims=True) / count
    power = np.where(present, centred**2, 0.0).sum(axis=1, keepdims=True) / count
    total = power.reshape(len(people), -1, k).sum(axis=-1).repeat(k, axis=-1)[:, None]
    return np.asarray(centred / np.sqrt(np.where(total > 0, total, 1.0)))


def others_mean(people: FloatArray) -> FloatArray:
    """Return, for each person, the mean of all the others (P, time, rows), over those present at each instant."""
    return np.stack([*means_of_others(people)])


def means_of_others(people: FloatArray) -> Iterator[FloatArray]:
    """Yield the same one person at a time, (time, rows) each: of long recordings all at once would need much memory."""
    count, total = np.zeros(people.shape[1:]), np.zeros(people.shape[1:])
    for person in people:
        present = np.isfinite(person)
        count += present
        total += np.where(present, person, 0.0)
    for person in people:
        present = np.isfinite(person)
        others = count - present
        mean = (total - np.where(present, person, 0.0)) / np.maximum(others, 1)
        yield np.where(others > 0, mean, np.nan)


class Observation(NamedTuple):
    """Observed synchrony of one window and its null band; all correlations, NaN where there is no value.

    ``each`` (P, rows) per person, ``mean`` (rows,) over people, ``low`` and ``high`` (rows,) the null band of
    ``mean``; ``overall``, ``overall_low``, ``overall_high`` the same averaged over the counted rows.
    """

    each: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    overall: float
    overall_low: float
    overall_high: float

    @classmethod
    def nothing(cls, people: int, rows: int) -> Observation:
        """Return that of so many ``people`` and ``rows`` without any value."""
        nothing = np.full(rows, np.nan)
        return cls(np.full((people, rows), np.nan), nothing, nothing, nothing, math.nan, math.nan, math.nan)


def summarise(
    values: FloatArray, settings: SynchronySettings, layout: RowLayout, *, mutual: bool, circle: bool = False
) -> Observation:
    """Return the observation that correlations (P, 1 + displaced, M) make, the one in place first.

    ``circle``: the displaced ones are turns all the way round a circle, of one window, and no windows of their own.
    """
    # A row that has no value now has no part in the null of an average over rows either.
    values = layout.complete(np.where(np.isfinite(values[:, :1]), values, np.nan))
    mean = fisher_mean(values, axis=0)
    overall = layout.overall(mean)
    widening = math.sqrt(2.0) if mutual else 1.0
    low, high, overall_low, overall_high = (
        end
        for chance in (mean[1:], overall[1:, None])
        for end in (_circle_band(chance, settings) if circle else _null_band(chance, settings, widening))
    )
    return Observation(
        values[:, 0], mean[0], low, high, float(overall[0]), float(overall_low[0]), float(overall_high[0])
    )


def _null_band(values: FloatArray, settings: SynchronySettings, widening: float) -> tuple[FloatArray, FloatArray]:
    """Return low and high (rows,) of the null from displaced correlations (draws, rows) and a factor of its spread.

    The prediction interval of one more normal draw in Fisher z: mean and spread of few draws are uncertain themselves.
    """
    z = fisher_z(values)
    present = np.isfinite(z)
    count = present.sum(axis=0)
    safe = np.maximum(count, 2)
    centre = np.where(present, z, 0.0).sum(axis=0) / safe
    spread = np.sqrt(np.where(present, (z - centre) ** 2, 0.0).sum(axis=0) / (safe - 1))
    quantile = stdtrit(safe - 1, 0.5 + settings.null_level / 2)
    reach = widening * quantile * np.sqrt(1 + 1 / safe) * spread
    enough = count >= settings.null_least
    return np.tanh(np.where(enough, centre - reach, np.nan)), np.tanh(np.where(enough, centre + reach, np.nan))


def _circle_band(values: FloatArray, settings: SynchronySettings) -> tuple[FloatArray, FloatArray]:
    """Return low and high (rows,) of the null from correlations (turns, rows) at all turns of a circle.

    All of them together vary as one does by chance, about a centre that is known: the circle's mean. But neighbours
    are alike, and how many values they are worth follows from the spectrum P of their course: each frequency's power
    is one draw with two degrees of freedom, so that the variance has (sum E[P])^2 / sum E[P]^2 of them, over both signs
    of frequency (Satterthwaite, *Biometrics* 2, 1946); E[P]^2 is estimated by half of P^2.
    """
    z = fisher_z(values)
    present = np.isfinite(z)
    count = np.maximum(present.sum(axis=0), 1)
    centre = np.where(present, z, 0.0).sum(axis=0) / count
    course = np.where(present, z - centre, 0.0)
    power = np.abs(np.fft.fft(course, axis=0)[1:]) ** 2
    squares = np.maximum(np.square(power).sum(axis=0) / 2, np.finfo(np.float64).tiny)
    freedom = np.maximum(power.sum(axis=0) ** 2 / squares - 2, _LEAST_FREEDOM)
    spread = np.sqrt(np.square(course).sum(axis=0) / count)
    reach = stdtrit(freedom, 0.5 + settings.null_level / 2) * spread
    enough = count >= len(values) / 2
    return np.tanh(np.where(enough, centre - reach, np.nan)), np.tanh(np.where(enough, centre + reach, np.nan))
