"""How well held-out predictions follow what was observed, and which features predict better.

Windows overlap, so neighbouring seconds are nearly copies: nothing here takes seconds to be independent. What is more
than chance, :mod:`calibration.nulls` tells. Nothing is filled in: a correlation uses the steps that both sides have.

Predictions that were fitted to the other stimuli's targets are not independent of what they are held against. How i is
predicted from j and how j is predicted from i are nearly the same number, so a sum over stimuli has up to twice the
variance that it would have if they were two. ``cross_fitted`` allows for that bound by a factor of root 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from rtaffect.common.chance import USUAL
from rtaffect.common.correlation import fisher_z
from rtaffect.common.drifts import FLAT, drift_basis, left_of
from rtaffect.common.errors import RecordingError, SettingsError
from rtaffect.common.settings import DriftSettings
from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: A row of a stimulus counts if predicted and observed share this many gaps of steps.
LEAST_GAPS = 3
#: Up to so many units all sign flips are taken, beyond it random ones.
EXACT_UNITS = 12
#: Variance that is a smaller share of the power is rounding: the course is flat.
_FLAT = 1e-20
_TOO_SHORT = (
    "no stimulus has {} x {} steps of predicted and observed synchrony, so chance cannot be told; give longer stimuli, "
    "or a shorter window or lags"
)
#: Directions that are smaller than this share of the largest are the same as others.
_SAME = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Held-out predictions beside what was observed, of the stimuli that count; from :func:`pair`. R rows.

    Attributes
    ----------
    predicted, observed : tuple of (steps, R) float64
        Fisher z, from the first step to the last at which any row has both; NaN where missing, or where a row has too
        few steps to count.
    baseline : tuple of (R,) float64
        What would be predicted of each stimulus without features, Fisher z.
    stimuli : tuple of int
        Which of those given they are, from 0; the others are too short.
    given : int
        Number of stimuli given.
    drifts : tuple of (steps, K) float64
        Orthonormal regressors that are nuisances: each stimulus' own mean first, and its slow drifts.
    """

    predicted: tuple[Array, ...]
    observed: tuple[Array, ...]
    baseline: tuple[Array, ...]
    stimuli: tuple[int, ...]
    given: int
    drifts: tuple[Array, ...]

    @property
    def joint(self) -> list[Mask]:
        """For each stimulus which steps and rows (steps, R) have both sides."""
        return [np.isfinite(x + y) for x, y in zip(self.predicted, self.observed, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """How well R rows are predicted; NaN where a row has nothing to judge by.

    Attributes
    ----------
    r : (R,)
        Pearson's, each stimulus about its own means and without its slow drifts: does the prediction follow the course
        within a stimulus?
    pooled : (R,)
        Pearson's over all steps as they are. Differences between the means of stimuli enter, of which there are only
        as many as stimuli; and as the mean of the others is low where a stimulus is high, chance is below 0.
    r2 : (R,)
        1 less the ratio of squared errors of the prediction and of the baseline, the mean of the training stimuli. The
        mean of the test stimulus is no baseline: nobody knows it beforehand.
    plain : (R,)
        ``r`` with the drifts left in.
    each : (stimuli given, R)
        r of each stimulus alone.
    steps, stimuli : (R,) int
        How many counted.
    """

    r: Array
    pooled: Array
    r2: Array
    plain: Array
    each: Array
    steps: NDArray[np.intp]
    stimuli: NDArray[np.intp]


def pair(
    predicted: Sequence[Array],
    observed: Sequence[Array],
    gap: int,
    *,
    averages: Mask | None = None,
    baseline: Sequence[Array] | None = None,
    drift: DriftSettings = USUAL,
    parts: Sequence[Sequence[int]] | None = None,
) -> Pairs:
    """Put predictions beside what was observed, and leave out what is too short: of the score as of every null.

    Parameters
    ----------
    predicted, observed
        For each stimulus (steps, R), Fisher z, NaN where missing.
    gap
        Steps over which values hang together: a window and the longest lag. A row with fewer than ``LEAST_GAPS`` gaps
        of joint steps in a stimulus does not count in it.
    averages
        (A, R): which rows each of A further rows averages; these come after the others. A step of an average has all
        of its rows that count in the stimulus, or is NaN.
    baseline
        For each stimulus (R,): mean of the training targets, Fisher z; default: the mean over the other stimuli.
    drift
        What is a drift within a stimulus, and regressed out of both sides.
    parts
        For each stimulus the first steps of its parts that different fits predicted, from 0: each has a mean of its
        own. Default: each is one part.

    Raises
    ------
    SettingsError
        If no stimulus is long enough.
    ValueError
        If shapes do not match.
    """
    _check_shapes(predicted, observed, gap)
    means = _means_of_others(observed) if baseline is None else baseline
    kept: list[tuple[Array, Array, Array, Array, int]] = []
    for number, sides in enumerate(zip(predicted, observed, means, strict=True)):
        x, y, base, inside = _judged(*sides, gap, averages)
        if len(x):
            drifts = nuisances(len(sides[0]), drift, (0,) if parts is None else parts[number])
            kept.append((x, y, base, orthonormal(drifts[inside]), number))
    if not kept:
        raise SettingsError(_TOO_SHORT.format(LEAST_GAPS, gap))
    x_all, y_all, bases, nuisance, numbers = zip(*kept, strict=True)
    return Pairs(x_all, y_all, bases, numbers, len(observed), nuisance)


def _check_shapes(predicted: Sequence[Array], observed: Sequence[Array], gap: int) -> None:
    shapes = [(p.shape, o.shape) for p, o in zip(predicted, observed, strict=True)]
    if gap < 1 or any(p != o or len(p) != 2 for p, o in shapes):
        raise ValueError(
            f"gap = {gap}, shapes of predicted and observed {shapes}; expected 1 or more, alike, (steps, R)"
        )


def nuisances(steps: int, drift: DriftSettings, starts: Sequence[int] = (0,)) -> Array:
    """Return orthonormal regressors (steps, K): the drifts over all steps, and a mean and line of each part's own.

    Blocks of one sound are predicted by fits to the rest of it. Each fit's mean is low where its block is high, so
    that a slow course and its predictions run against each other from block to block; within a block they do not.
    """
    basis = drift_basis(steps, drift)
    if len(starts) > 1:
        own = [drift_basis(b - a, drift.model_copy(update={"cutoff_s": 0.0})) for a, b in pairwise([*starts, steps])]
        basis = orthonormal(np.concatenate([block_diag(*own), basis], axis=1))
    return basis


def orthonormal(columns: Array) -> Array:
    """Return an orthonormal basis (n, K) of the space that columns (n, ...) span, the small of no account."""
    axes, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(axes[:, size > _SAME * size.max(initial=0.0)])


def _judged(x: Array, y: Array, base: Array, gap: int, averages: Mask | None) -> tuple[Array, Array, Array, slice]:
    """Return both sides and the baseline of one stimulus with averages, from its first joint step to its last."""
    counts = _enough(x, y, gap)
    x, y, base = (_with_averages(part, counts, averages) for part in (x, y, base))
    counts = _enough(x, y, gap)
    x, y = np.where(counts, x, np.nan), np.where(counts, y, np.nan)
    joint = np.flatnonzero(np.isfinite(x + y).any(axis=1))
    inside = slice(joint[0], joint[-1] + 1) if len(joint) else slice(0)
    return x[inside], y[inside], base, inside


def score(pairs: Pairs) -> Score:
    """Return the scores of held-out predictions."""
    joint = pairs.joint
    sides = list(zip(pairs.predicted, pairs.observed, pairs.drifts, strict=True))
    moments = np.stack([joint_moments(x, y, drifts) for x, y, drifts in sides])
    plain = np.sum([joint_moments(x, y) for x, y, _ in sides], axis=0)
    counts = np.stack([j.sum(axis=0) for j in joint])
    some = counts.any(axis=0)
    each = np.full((pairs.given, counts.shape[1]), np.nan)
    each[list(pairs.stimuli)] = np.where(counts > 0, correlation_of(moments.swapaxes(0, 1)), np.nan)
    x, y, present = np.concatenate(pairs.predicted), np.concatenate(pairs.observed), np.concatenate(joint)
    base = np.concatenate([np.broadcast_to(b, j.shape) for b, j in zip(pairs.baseline, joint, strict=True)])
    error, chance = (np.where(present, (y - guess) ** 2, 0.0).sum(axis=0) for guess in (x, base))
    return Score(
        r=np.where(some, correlation_of(moments.sum(axis=0)), np.nan),
        plain=np.where(some, correlation_of(plain), np.nan),
        pooled=np.where(some, correlation_of(joint_moments(x, y)), np.nan),
        r2=np.where(chance > 0, 1 - error / np.where(chance > 0, chance, 1.0), np.nan),
        each=each,
        steps=counts.sum(axis=0),
        stimuli=(counts > 0).sum(axis=0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class LayerComparison:
    """Feature sets compared, C pairs of them: which, mean difference of Fisher z, two-sided p alone and family-wise.

    ``units`` is the number of units that have all sets; ``exact`` tells whether all sign flips were taken.
    """

    sets: tuple[tuple[int, int], ...]
    difference: Array
    single: Array
    family: Array
    units: int
    exact: bool


@one_thread()
def compare(
    correlations: Array,
    sets: Sequence[tuple[int, int]] | None = None,
    *,
    draws: int = 9999,
    seed: int = 0,
    cross_fitted: bool = True,
) -> LayerComparison:
    """Compare feature sets over units by flipping signs of differences, the same in all pairs; the largest is family's.

    The statistic is |sum d| / sqrt(sum d^2), which rises with Student's |t|. Fewer than 6 units cannot reach p = .05.

    Parameters
    ----------
    correlations
        (S, units): r of each feature set in each stimulus or person. A unit that lacks one is left out of all pairs.
    sets
        Which to compare, by number from 0; default: every two.
    draws, seed
        Random flips and of what numbers, where there are more than ``EXACT_UNITS`` units.
    cross_fitted
        Whether units were predicted by a fit to each other, as stimuli in cross-validation are. Then units are not
        independent, least so where little is predicted: of 10 stimuli that two sets predict alike, p <= .05 came in
        16 % without the bound where r is 0 and in 5 % where it is .31, and in 5 % and 2.5 % with it
        (``python -m bench.evidence_layers``).

    Raises
    ------
    RecordingError
        If fewer than two units have all sets.
    """
    sets = tuple(combinations(range(len(correlations)), 2)) if sets is None else tuple(sets)
    z = fisher_z(correlations[:, np.isfinite(correlations).all(axis=0)])
    units = z.shape[1]
    if units < 2:
        raise RecordingError(f"feature sets are compared over units, but only {units} has them all; give more stimuli")
    difference = np.stack([z[a] - z[b] for a, b in sets], axis=1)
    exact = units <= EXACT_UNITS
    signs = all_flips(units) if exact else np.random.default_rng(seed).choice([-1.0, 1.0], (draws, units))
    scale = np.sqrt((difference**2).sum(axis=0))
    scale[scale == 0] = 1.0
    chance, true = (np.abs(total) / scale for total in (signs @ difference, difference.sum(axis=0)))
    # Flips that give the true value again must count as reaching it, whatever the rounding.
    bar = (bounded(true, units) if cross_fitted else true) - 1e-9
    one = 0 if exact else 1
    single, family = (
        (one + (c >= bar).sum(axis=0)) / (one + len(signs)) for c in (chance, chance.max(axis=1)[:, None])
    )
    return LayerComparison(sets, difference.mean(axis=0), single, family, units, exact)


def bounded(statistic: Array, units: NDArray[np.intp] | int) -> Array:
    """Return what chance must reach where units were predicted by a fit to each other.

    Their mean difference may have up to twice the variance that its spread over units tells: Student's t is divided by
    root 2. Of s = |sum d| / sqrt(sum d^2), with t^2 = (n - 1) s^2 / (n - s^2), that makes s sqrt(n / (2 n - s^2)).

    Parameters
    ----------
    statistic
        s, (...), at most the root of ``units``, n.
    """
    return np.asarray(statistic * np.sqrt(units / (2.0 * np.maximum(units, 1) - statistic**2)))


def all_flips(units: int) -> Array:
    """Return all signs (2**units, units) that units can have, the true ones first."""
    return np.asarray(1.0 - 2.0 * (np.arange(2**units)[:, None] >> np.arange(units) & 1))


def centred(course: Array, present: Mask) -> Array:
    """Return ``course`` (steps, R) about its mean over steps ``present``, zero elsewhere and where it is flat."""
    value = np.where(present, course, 0.0)
    out = np.where(present, value - value.sum(axis=0) / np.maximum(present.sum(axis=0), 1), 0.0)
    return np.where((out**2).sum(axis=0) > _FLAT * (value**2).sum(axis=0), out, 0.0)


def joint_moments(x: Array, y: Array, drifts: Array | None = None) -> Array:
    """Return the sums (3, R) of products xy, xx, yy about the means over the joint steps of x and y (steps, R).

    ``drifts`` (steps, K), orthonormal, are regressed out of both over those steps; default: the means alone.
    """
    joint = np.isfinite(x + y)
    x, y = centred(x, joint), centred(y, joint)
    if drifts is not None:
        before = (x * x).sum(axis=0), (y * y).sum(axis=0)
        x, y = (left.T for left in left_of(drifts, joint.T, [x.T, y.T]))
        x, y = (np.where((v * v).sum(axis=0) > FLAT * p, v, 0.0) for v, p in zip((x, y), before, strict=True))
    return np.stack([(x * y).sum(axis=0), (x * x).sum(axis=0), (y * y).sum(axis=0)])


def correlation_of(moments: Array) -> Array:
    """Return r (...) of sums xy, xx, yy (3, ...); 0 where a side does not vary."""
    xy, xx, yy = moments
    scale = np.sqrt(xx * yy)
    return np.asarray(np.clip(np.where(scale > 0, xy / np.where(scale > 0, scale, 1.0), 0.0), -1.0, 1.0))


def _means_of_others(observed: Sequence[Array]) -> list[Array]:
    """Return for each stimulus the mean (R,) over the steps of all others; NaN if there are none."""
    present = [np.isfinite(y) for y in observed]
    counts = np.stack([p.sum(axis=0) for p in present])
    sums = np.stack([np.where(p, y, 0.0).sum(axis=0) for p, y in zip(present, observed, strict=True)])
    others = counts.sum(axis=0) - counts
    return list(np.where(others > 0, (sums.sum(axis=0) - sums) / np.maximum(others, 1), np.nan))


def _enough(x: Array, y: Array, gap: int) -> Mask:
    return np.asarray(np.isfinite(x + y).sum(axis=0) >= LEAST_GAPS * gap)


def _with_averages(course: Array, counts: Mask, averages: Mask | None) -> Array:
    """Return ``course`` (..., R) with means of those rows that count behind it (..., R + A)."""
    members = np.zeros((0, len(counts)), np.bool_) if averages is None else averages & counts
    none = np.full(course.shape[:-1], np.nan)
    means = [course[..., m].mean(axis=-1) if m.any() else none for m in members]
    return np.concatenate([course, *(mean[..., None] for mean in means)], axis=-1)
