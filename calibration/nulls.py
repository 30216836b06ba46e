"""What r would be if predictions and observed synchrony had nothing to do with each other in time.

Whole courses are turned round or phase-randomised (Theiler et al., *Physica D* 58, 1992; Prichard & Theiler, *Phys.
Rev. Lett.* 73, 1994), the same for all rows, so that what rows have in common stays. A draw of r is that of
:func:`calibration.statistics.score` for one surrogate of each stimulus.

Turns are by any number of steps. To leave out those by less than a window would seem safer, but is not: covariances
over all turns sum to zero, so where the true one is high by chance, the far ones alone are low. Of studies without any
relation, 7 % had p <= .05 then (four stimuli of 120 s) or even 12 % (eight of 60 s); with all turns, 5 % have.

Drifts are no answer (:mod:`rtaffect.common.drifts`): what they leave of the observed course is displaced, and they are
regressed out of it again where it has come to lie, and out of the predicted one, over the steps that both have then.

Cross-fitted predictions (see there) are dealt with by a bound, which is cheap and careful, or by fitting anew, which is
exact and slow. Taken as given instead, without any relation, 5 to 13 % of rows had p <= .05 with a fixed penalty, and 3
to 4 % with a nested one, where the best of 90 rows had a family-wise one in 7 to 10 % of studies. With the bound it was
1 to 3 % of rows, and hardly any study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.stats import false_discovery_control

from calibration.statistics import Pairs, centred, correlation_of, orthonormal
from rtaffect.common.correlation import fisher_z
from rtaffect.common.drifts import FLAT, left_of, without_drifts
from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]

#: A direction of the regressors of which joint steps hold less than this share is not told by them.
_ABSENT = 1e-9
#: More products of regressors, over all turns, take too long.
_MOST_PRODUCTS = 20_000_000


@one_thread()
def shift_null(pairs: Pairs, draws: int = 1000, seed: int = 0, *, least: int = 0, cross_fitted: bool = True) -> Array:
    """Return r (draws, R) with each observed course turned round in its stimulus; what is missing turns with it.

    One FFT gives all turns of a stimulus, a draw takes one of each. Where there are no more combinations than
    ``draws``, each is taken once, the true one not.

    Parameters
    ----------
    pairs
        From :func:`calibration.statistics.pair`.
    draws, seed
        How many, and of what random numbers.
    least
        Turns are by so many steps or more, either way. For a picture of chance; p values come out too small with it.
    cross_fitted
        Whether a stimulus was predicted by a fit to the others of these; False if by other data.

    Raises
    ------
    ValueError
        If a stimulus has no such turn.
    """
    sides = zip(pairs.predicted, pairs.observed, pairs.drifts, strict=True)
    tables = [_turned_moments(x, y, drifts) for x, y, drifts in sides]
    counts = [table.shape[1] - max(0, 2 * least - 1) for table in tables]
    if min(counts) < 1:
        raise ValueError(f"a stimulus of {min(t.shape[1] for t in tables)} steps has no turn by {least}; ask for less")
    chosen = least + _choices(counts, draws, seed, true=least == 0)
    total = np.zeros((3, len(chosen), tables[0].shape[2]))
    for table, turns in zip(tables, chosen.T, strict=True):
        total += table[:, turns]
    return _null(total, pairs, cross_fitted)


@one_thread()
def phase_null(pairs: Pairs, draws: int = 1000, seed: int = 0, *, cross_fitted: bool = True) -> Array:
    """Return r (draws, R) with random numbers added to the phases of each observed course, the same in all rows.

    Spectra stay, and so do the phases between rows. A line across a gap gives it a spectrum, but counts for nothing:
    the gap's steps are taken out of every surrogate. Parameters as for :func:`shift_null`.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((3, draws, pairs.observed[0].shape[1]))
    for x, y, drifts in zip(pairs.predicted, pairs.observed, pairs.drifts, strict=True):
        phases = rng.uniform(0, 2 * np.pi, (draws, len(x) // 2 + 1))
        phases[:, 0] = 0.0
        if len(x) % 2 == 0:
            phases[:, -1] = np.pi * (phases[:, -1] > np.pi)
        total += _surrogate_moments(x, without_drifts(y, drifts), phases, drifts)
    return _null(total, pairs, cross_fitted)


@dataclass(frozen=True, slots=True, eq=False)
class PValues:
    """One-sided p (R,) of each row alone, among all rows (family-wise), and its false discovery rate; NaN for none."""

    single: Array
    family: Array
    discovery: Array


def p_values(true: Array, null: Array) -> PValues:
    """Return p values, (1 + number of draws that reach the true value) / (1 + draws).

    Phipson & Smyth, *Stat. Appl. Genet. Mol. Biol.* 9, 2010. Family-wise by the largest of all rows in each draw
    (Nichols & Holmes, *Hum. Brain Mapp.* 15, 2002); false discovery rate by Benjamini & Hochberg, *J. R. Stat. Soc. B*
    57, 1995, for rows that do not depend negatively on each other.

    Parameters
    ----------
    true
        (R,), NaN for rows that do not count.
    null
        (draws, R). Leave out of both what is not of the family, such as averages of others.
    """
    rows = np.isfinite(true)
    single, family, discovery = (np.full(len(true), np.nan) for _ in range(3))
    if rows.any():
        chance, value = null[:, rows], true[rows]
        single[rows] = (1 + (chance >= value).sum(axis=0)) / (1 + len(null))
        family[rows] = (1 + (chance.max(axis=1)[:, None] >= value).sum(axis=0)) / (1 + len(null))
        discovery[rows] = false_discovery_control(single[rows])
    return PValues(single, family, discovery)


def _turned_moments(x: Array, y: Array, drifts: Array) -> Array:
    """Return ``joint_moments`` (3, steps, R) of x and ``np.roll(y, s, axis=0)`` for each s, ``drifts`` out of both.

    Of y what the drifts leave at its own place is turned. Sums over the steps that both have come from one FFT each;
    what regressors Z tell of them is Sxz Szz^-1 Szy, for each turn and row.
    """
    steps, (there_x, there_y) = len(x), (np.isfinite(x), np.isfinite(y))
    x, y = (np.nan_to_num(without_drifts(course, drifts)) for course in (x, y))
    of_x = rfft(np.stack([there_x, x, x * x]), axis=1)
    of_y = rfft(np.stack([there_y, y, y * y]), axis=1).conj()
    xy, xx, yy = irfft(np.stack([of_x[1] * of_y[1], of_x[2] * of_y[0], of_x[0] * of_y[2]]), steps, axis=1)
    left = np.stack([xy, xx, yy])
    masks, rows = np.unique(np.concatenate([there_x, there_y]), axis=1, return_inverse=True)
    for number, mask in enumerate(masks.T):
        mine = np.flatnonzero(rows == number)
        gram = None if mask.all() else _inverse_grams(mask[:steps], of_y[0][:, mine[0]], drifts)
        left[:, :, mine] -= _told(x[:, mine], there_x[:, mine], of_y[:, :, mine], drifts, gram)
    left[1:] = np.where(left[1:] > FLAT * np.stack([xx, yy]), left[1:], 0.0)
    return left


def _told(
    x: Array, there: NDArray[np.bool_], turned: NDArray[np.complex128], drifts: Array, gram: Array | None
) -> Array:
    """Return what regressors tell of xy, xx, yy (3, steps, R); ``gram`` (steps, K, K) is None for the unit."""
    steps = len(x)

    def sums(of: Array, with_: NDArray[np.complex128]) -> Array:
        return np.asarray(irfft(rfft(of, axis=0) * with_, steps, axis=0))

    if gram is None:
        found = np.zeros((3, *x.shape))
        for column in drifts.T[:, :, None]:
            of_x, of_y = sums(column * x, turned[0]), sums(column * there, turned[1])
            found += np.stack([of_x * of_y, of_x * of_x, of_y * of_y])
        return found
    of_x, of_y = (
        np.stack([sums(column * side, turned[i]) for column in drifts.T[:, :, None]], axis=1)
        for i, side in enumerate((x, there))
    )
    by_x, by_y = gram @ of_x, gram @ of_y
    return np.stack([(of_x * by_y).sum(axis=1), (of_x * by_x).sum(axis=1), (of_y * by_y).sum(axis=1)])


def _inverse_grams(there: NDArray[np.bool_], turned: NDArray[np.complex128], drifts: Array) -> Array | None:
    """Return the inverse of the regressors' products (steps, K, K) over the steps ``there`` (steps,) and turned ones.

    None, for the unit, where there are too many: of so long a stimulus what is missing changes little.
    """
    steps, count = drifts.shape
    if steps * count**2 > _MOST_PRODUCTS:
        return None
    grams = np.empty((steps, count, count))
    for i in range(count):
        products = drifts[:, i : i + 1] * drifts[:, i:] * there[:, None]
        sums = irfft(rfft(products, axis=0) * turned[:, None], steps, axis=0)
        grams[:, i, i:] = grams[:, i:, i] = sums
    return np.asarray(np.linalg.pinv(grams, rcond=_ABSENT, hermitian=True))


def _choices(counts: Sequence[int], draws: int, seed: int, *, true: bool) -> NDArray[np.intp]:
    """Return combinations (draws, stimuli) of one turn each; if no more exist, all, less the first if ``true``."""
    if np.prod(np.array(counts, np.float64)) <= draws:
        return np.indices(counts).reshape(len(counts), -1).T[int(true) :]
    return np.random.default_rng(seed).integers(0, counts, (draws, len(counts)))


def _surrogate_moments(x: Array, y: Array, phases: Array, drifts: Array) -> Array:
    """Return ``joint_moments`` (3, draws, R) of x and y with ``phases`` (draws, frequencies) added to its own.

    ``drifts`` (steps, K) are regressed out of both over their joint steps.
    """
    steps, joint = len(x), np.isfinite(x + y)
    there = joint.any(axis=0)
    x = np.stack(list(left_of(drifts, joint.T, [centred(x, joint).T])))[0].T
    weight = np.full((phases.shape[1], 1), 2.0 / steps)
    weight[[0, -1] if steps % 2 == 0 else [0]] /= 2
    spectrum = weight * rfft(centred(_bridged(y), np.ones_like(joint)), axis=0)
    xy = _real(phases, rfft(x, axis=0).conj() * spectrum)
    yy = np.broadcast_to((np.abs(spectrum) ** 2 / weight).sum(axis=0) * there, xy.shape).copy()
    for step in np.flatnonzero((~joint & there).any(axis=1)):
        turn = 2 * np.pi * step / steps * np.arange(phases.shape[1])
        yy -= (_real(phases + turn, spectrum) * (~joint[step] & there)) ** 2
    # What the regressors tell of it over the joint steps, by an orthonormal basis of those.
    masks, rows = np.unique(joint, axis=1, return_inverse=True)
    for number, mask in enumerate(masks.T):
        mine = np.flatnonzero(rows == number)
        for column in orthonormal(drifts * mask[:, None]).T if mask.any() else ():
            yy[:, mine] -= _real(phases, rfft(column).conj()[:, None] * spectrum[:, mine]) ** 2
    return np.stack([xy, np.broadcast_to((x * x).sum(axis=0), xy.shape), np.maximum(yy, 0.0)])


def _real(phases: Array, spectrum: NDArray[np.complex128]) -> Array:
    """Return the real part of exp(i ``phases``) (draws, K) times ``spectrum`` (K, R)."""
    return np.asarray(np.cos(phases) @ spectrum.real - np.sin(phases) @ spectrum.imag)


def _bridged(course: Array) -> Array:
    """Return ``course`` (steps, R) with lines across gaps, and zeros for rows that are not there."""
    out, steps = np.zeros_like(course), np.arange(len(course))
    for row, there in enumerate(np.isfinite(course).T):
        if there.any():
            out[:, row] = np.interp(steps, steps[there], course[there, row])
    return out


def _null(moments: Array, pairs: Pairs, cross_fitted: bool) -> Array:
    """Return r (draws, R) of the summed ``moments`` of each draw; NaN for rows that are never there."""
    r = correlation_of(moments)
    if cross_fitted:
        r = np.tanh(np.sqrt(2.0) * fisher_z(r))
    there = np.any([joint.any(axis=0) for joint in pairs.joint], axis=0)
    return np.where(there, r, np.nan)
