"""How well held-out hearings are told, person by person, and how sure that is.

Each measure is of one person's hearings, then averaged over people; its interval is Student's over people. People who
heard the same sounds are not independent where what is told follows the sound, so an interval over people does not say
whether anything was learnt at all: that, the ratings say that were exchanged between sounds, with everything fitted
anew (:func:`calibration.affect.hearings.exchanged`). p is of the true value among theirs, as one more value of a normal
distribution whose mean and spread they tell: t = (x - mean) / (SD root(1 + 1/n)), n - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from calibration.affect.hearings import Hearings
from calibration.affect.held_out import SCHEMES, HeldOut
from rtaffect.common.correlation import fisher_z

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Measures of what is told: balanced accuracy; r with the ratings; and r beyond what other people say of the sound.
MEASURES: Final = ("balanced accuracy", "r", "r beyond others")
#: Where nothing is known, by measure.
NOTHING: Final = (0.5, 0.0, 0.0)
#: A person's measure needs so many hearings.
LEAST: Final = 4
#: So many draws of chance tell a spread.
LEAST_DRAWS: Final = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over people, with its 95 % interval; NaN where too few have it."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    people: int = 0


@dataclass(frozen=True, slots=True)
class Chance:
    """What exchanged ratings give: mean, what 95 % stay below, and p of the true value, one-sided; NaN without any."""

    mean: float = math.nan
    high: float = math.nan
    p: float = math.nan
    draws: int = 0


def scores_of(held: HeldOut, hearings: Hearings) -> Array:
    """Return each person's measures (W, 3, 2, M, P) of every scheme, source and dimension; NaN where there is none."""
    people = int(hearings.person.max()) + 1
    found = np.full((len(SCHEMES), 3, 2, len(MEASURES), people), np.nan)
    others = hearings.of_others(hearings.ratings)
    for scheme, source, output in np.ndindex(found.shape[:3]):
        y, base = hearings.ratings[:, output], others[:, output]
        decided, rating = (each[scheme, :, source, output] for each in (held.decided, held.rating))
        for person in range(people):
            own = hearings.person == person
            fold = held.fold[own]
            found[scheme, source, output, :, person] = (
                balanced_accuracy(decided[own], y[own]),
                correlation(rating[own], y[own], fold),
                correlation(rating[own], y[own], fold, base[own]),
            )
    return found


def balanced_accuracy(decided: Array, ratings: Array) -> float:
    """Return the mean of the shares of high and of low hearings (n,) that are decided rightly; NaN without both."""
    there = np.isfinite(decided)
    high, low = there & (ratings > 0), there & (ratings < 0)
    if not high.any() or not low.any() or high.sum() + low.sum() < LEAST:
        return math.nan
    return float((decided[high].mean() + 1 - decided[low].mean()) / 2)


def correlation(told: Array, ratings: Array, fold: Indices, beyond: Array | None = None) -> float:
    """Return Pearson's r of hearings (n,), each fold about its own means: of each, another model told.

    With ``beyond`` (n,) it is the partial correlation, what that explains taken from both sides. NaN where fewer than
    ``LEAST`` hearings are there, or a side does not vary.
    """
    sides = [told, ratings, *([] if beyond is None else [beyond])]
    there = np.isfinite(sides).all(axis=0)
    if there.sum() < LEAST:
        return math.nan
    about = np.stack([side[there] for side in sides])
    for number in np.unique(fold[there]):
        own = fold[there] == number
        about[:, own] -= about[:, own].mean(axis=1, keepdims=True)
    if beyond is not None:
        base = about[2]
        power = base @ base
        if power > 0:
            about = about[:2] - np.outer(about[:2] @ base / power, base)
    xx, yy = (float(side @ side) for side in about[:2])
    smallest = 1e-12 * there.sum()
    return float(about[0] @ about[1] / math.sqrt(xx * yy)) if xx > smallest and yy > smallest else math.nan


def estimate(values: Array, *, of_r: bool = False) -> Estimate:
    """Return the mean over people of values (P,), NaN left out, and Student's 95 % interval; of r by Fisher's z."""
    there = values[np.isfinite(values)]
    if not len(there):
        return Estimate()
    scaled = fisher_z(there) if of_r else there
    mean = float(scaled.mean())
    ends = [math.nan, math.nan]
    if len(there) > 1:
        reach = stats.t.ppf(0.975, len(there) - 1) * scaled.std(ddof=1) / math.sqrt(len(there))
        ends = [mean - reach, mean + reach]
    mean, low, high = (math.tanh(x) if of_r else x for x in (mean, *ends))
    return Estimate(float(mean), float(low), float(high), len(there))


def chance_of(true: float, draws: Array) -> Chance:
    """Return how a value stands among those of exchanged ratings (n,); NaN for fewer than ``LEAST_DRAWS``."""
    draws = draws[np.isfinite(draws)]
    if len(draws) < LEAST_DRAWS or not math.isfinite(true):
        return Chance(draws=len(draws))
    mean, spread = float(draws.mean()), float(draws.std(ddof=1)) * math.sqrt(1 + 1 / len(draws))
    high = mean + stats.t.ppf(0.95, len(draws) - 1) * spread
    p = float(stats.t.sf((true - mean) / spread, len(draws) - 1)) if spread > 0 else float(true <= mean)
    return Chance(mean, float(high), p, len(draws))


def brier(probability: Array, ratings: Array) -> float:
    """Return the mean squared error of probabilities (n,) of being high (Brier, *Mon. Weather Rev.* 78, 1950)."""
    sided = np.isfinite(probability) & np.isfinite(ratings) & (ratings != 0)
    return float(np.mean((probability[sided] - (ratings[sided] > 0)) ** 2)) if sided.any() else math.nan
