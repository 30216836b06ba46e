"""How far raters agree from moment to moment, which is as far as their ratings can be predicted.

A rater's course is compared with the mean of the others (leave one rater out), each stimulus about its own means, so
that neither a rater's level nor a stimulus' counts. Neighbouring seconds of a rating are nearly copies of each other:
chance is what courses give that are turned round, each by a time of its own, and no second is taken to be independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from calibration.statistics import correlation_of
from rtaffect.common.correlation import fisher_z
from rtaffect.common.drifts import drift_basis, without_drifts
from rtaffect.common.settings import DriftSettings
from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]
#: What each rater of a stimulus said (steps,), NaN where nothing.
Courses = Mapping[str, Array]

#: Level of the interval, and of what chance stays below.
LEVEL: Final = 0.95
#: Fewer raters cannot be compared with a mean of others; fewer than three have no spread over raters.
LEAST_RATERS: Final = 2
_LEAST_FOR_SPREAD: Final = 3
#: Values that are turned together, at most.
_TOGETHER: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class RaterAgreement:
    """How far the raters of one quantity agree.

    Attributes
    ----------
    raters
        r of each rater with the mean of the others, by name; a rater whose course is flat has none.
    r
        Their mean, by Fisher z.
    low, high
        Between these lies, with probability ``LEVEL``, the r that other raters and other times would give; NaN for
        fewer than three raters.
    chance
        r that ``LEVEL`` of draws stay below, and ``p`` the one-sided probability of the true one under chance.
    z
        How many standard deviations of chance the true one (Fisher z) is from chance's mean.
    r_detrended, p_detrended
        The same without each course's drifts (a line and slow cosines, as settings say), which courses share that
        merely rise or fall.
    reliability
        Of the raters' mean without its drifts: the share of its variance that another such group would share. Not above
        0 where they have nothing in common; NaN where no second has all raters.
    """

    raters: Mapping[str, float]
    r: float
    low: float
    high: float
    chance: float
    p: float
    z: float
    r_detrended: float
    p_detrended: float
    reliability: float

    @property
    def ceiling(self) -> float:
        """What a perfect prediction of the true course would correlate with the raters' mean; 0 if nothing."""
        return float(np.sqrt(max(self.reliability, 0.0))) if np.isfinite(self.reliability) else float("nan")


@one_thread()
def rater_agreement(
    stimuli: Sequence[Courses],
    draws: int = 1000,
    seed: int = 0,
    drift: DriftSettings = DriftSettings(),  # noqa: B008 - it is frozen
) -> RaterAgreement | None:
    """Return how far raters agree; None if fewer than two share a stimulus, or all of their courses are flat.

    The interval is mean +- t s in Fisher z. Its variance is that of chance, which is how far courses with such memory
    come together over other times, and that over raters by the jackknife (Efron & Tibshirani, *An Introduction to the
    Bootstrap*, 1993, ch. 11); degrees of freedom after Satterthwaite (*Biometrics Bull.* 2, 1946). Of simulated raters
    it held the truth in 90 to 98 % (``python -m bench.raters``; nominal 95 %).

    Parameters
    ----------
    stimuli
        For each stimulus its raters' courses; raters may differ between stimuli.
    draws, seed
        How many draws of chance, and of what random numbers.
    drift
        What predictions are judged without; so is the reliability that they can reach.
    """
    names = tuple(dict.fromkeys(name for each in stimuli for name in each))
    rated = [each for each in stimuli if len(each) >= LEAST_RATERS]
    tables = [_table(each, names) for each in rated]
    if not tables:
        return None
    each = _of_raters(_as_they_are(tables))
    if not np.isfinite(each).any():
        return None
    true, null = float(np.nanmean(each)), _null(tables, draws, seed)
    flat = [_without_drifts(table, drift) for table in tables]
    true_flat, null_flat = float(_mean_z(_as_they_are(flat))), _null(flat, draws, seed)
    low, high = _interval(true, float(null.std()), tables, int(np.isfinite(each).sum()))
    return RaterAgreement(
        raters={name: float(np.tanh(z)) for name, z in zip(names, each, strict=True) if np.isfinite(z)},
        r=float(np.tanh(true)),
        low=low,
        high=high,
        chance=float(np.tanh(np.quantile(null, LEVEL))),
        p=_p(true, null),
        z=float((true - null.mean()) / null.std()) if null.std() > 0 else float("nan"),
        r_detrended=float(np.tanh(true_flat)),
        p_detrended=_p(true_flat, null_flat),
        reliability=reliability(
            [table[[name in each for name in names]] for each, table in zip(rated, flat, strict=True)]
        ),
    )


def reliability(stimuli: Sequence[Array]) -> float:
    """Return the reliability of the mean over raters of courses (P, steps) within stimuli, at seconds that all rated.

    The mean's variance that comes from what two raters share, as a share of all of it: Cronbach's alpha
    (*Psychometrika* 16, 1951), whose covariances are summed over stimuli. NaN where it has nothing to go by.
    """
    shared = whole = 0.0
    for courses in stimuli:
        full = courses[:, np.isfinite(courses).all(axis=0)]
        if full.shape[1] < 2:
            continue
        count = len(full)
        about = full - full.mean(axis=1, keepdims=True)
        total, own = float((about.sum(axis=0) ** 2).sum()), float((about**2).sum())
        shared += (total - own) / (count * (count - 1))
        whole += total / count**2
    return shared / whole if whole > 0 else float("nan")


def _table(courses: Courses, names: Sequence[str]) -> Array:
    """Return the courses (names, steps), NaN for those who did not rate this stimulus."""
    steps = len(next(iter(courses.values())))
    return np.stack([courses.get(name, np.full(steps, np.nan)) for name in names])


def _without_drifts(table: Array, drift: DriftSettings) -> Array:
    """Return courses (P, steps) less their drifts by least squares over the seconds that they have."""
    return without_drifts(table.T, drift_basis(table.shape[1], drift)).T


def _moments(table: Array, turns: NDArray[np.intp] | None) -> Array:
    """Return sums (draws, 3, P) of products xy, xx, yy of each rater's course x and the mean y of the others.

    ``turns`` (draws, P) is by how many steps each course is turned round; None: one draw, as they are.
    """
    present = np.isfinite(table)
    value = np.where(present, table, 0.0)
    value = np.where(present, value - value.sum(axis=1, keepdims=True) / np.maximum(present.sum(axis=1)[:, None], 1), 0)
    if turns is None:
        x, there = value[None], present[None]
    else:
        places = (np.arange(table.shape[1]) - turns[..., None]) % table.shape[1]
        rater = np.arange(len(table))[None, :, None]
        x, there = value[rater, places], present[rater, places]
    count = there.sum(axis=1, keepdims=True) - there
    joint = there & (count > 0)
    y = np.where(joint, (x.sum(axis=1, keepdims=True) - x) / np.maximum(count, 1), 0.0)
    x = np.where(joint, x, 0.0)
    n = np.maximum(joint.sum(axis=-1), 1)
    sums = [(x * y).sum(-1), (x * x).sum(-1), (y * y).sum(-1)]
    mx, my = x.sum(-1), y.sum(-1)
    means = [mx * my / n, mx * mx / n, my * my / n]
    return np.stack([s - m for s, m in zip(sums, means, strict=True)], axis=1)


def _as_they_are(tables: Sequence[Array]) -> Array:
    """Return the sums (3, P) over stimuli of courses that are not turned."""
    return np.asarray(np.sum([_moments(table, None)[0] for table in tables], axis=0))


def _of_raters(moments: Array) -> Array:
    """Return Fisher z (..., P) of sums (..., 3, P); NaN for a side that does not vary."""
    xx, yy = moments[..., 1, :], moments[..., 2, :]
    varies = np.minimum(xx, yy) > 1e-12 * np.maximum(np.maximum(xx, yy), 1e-300)
    return np.where(varies, fisher_z(correlation_of(np.moveaxis(moments, -2, 0))), np.nan)


def _mean_z(moments: Array) -> Array:
    """Return the mean over raters of Fisher z (...) of sums (..., 3, P); NaN where there is none."""
    z = _of_raters(moments)
    some = np.isfinite(z)
    return np.where(some.any(-1), np.where(some, z, 0.0).sum(-1) / np.maximum(some.sum(-1), 1), np.nan)


def _null(tables: Sequence[Array], draws: int, seed: int) -> Array:
    """Return the mean Fisher z (draws,) of courses that are turned round, each by a time of its own."""
    rng = np.random.default_rng(seed)
    total = np.zeros((draws, 3, len(tables[0])))
    for table in tables:
        turns = rng.integers(1, table.shape[1], (draws, len(table)))
        step = max(1, _TOGETHER // table.size)
        for start in range(0, draws, step):
            some = slice(start, start + step)
            total[some] += _moments(table, turns[some])
    return _mean_z(total)


def _interval(true: float, spread: float, tables: Sequence[Array], raters: int) -> tuple[float, float]:
    """Return the ends of the interval of r; ``spread`` is the SD of chance, Fisher z."""
    if raters < _LEAST_FOR_SPREAD:
        return float("nan"), float("nan")
    without = []
    for left_out in range(len(tables[0])):
        kept = [np.delete(table, left_out, axis=0) for table in tables]
        without.append(float(_mean_z(_as_they_are(kept))))
    values = np.array([z for z in without if np.isfinite(z)])
    n = len(values)
    over_raters = (n - 1) / n * float(((values - values.mean()) ** 2).sum())
    variance = over_raters + spread**2
    freedom = max(n - 1, (n - 1) * (variance / over_raters) ** 2) if over_raters > 0 else np.inf
    reach = float(student_t.ppf((1 + LEVEL) / 2, freedom)) * np.sqrt(variance)
    return float(np.tanh(true - reach)), float(np.tanh(true + reach))


def _p(true: float, null: Array) -> float:
    """Return the share of draws, the true one among them, that reach the true value."""
    return float((1 + (null >= true).sum()) / (1 + len(null)))
