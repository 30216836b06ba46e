"""What r would be if predictions and observed synchrony had nothing to do with each other in time.

Whole courses are turned round or phase-randomised (Theiler et al., *Physica D* 58, 1992; Prichard & Theiler, *Phys.
Rev. Lett.* 73, 1994), the same for all rows, so that what rows have in common stays. A draw of r is that of
:func:`calibration.statistics.score` for one surrogate of each stimulus.

Turns are by any number of steps. To leave out those by less than a window would seem safer, but is not: covariances
over all turns sum to zero, so where the true one is high by chance, the far ones alone are low. Of studies without any
relation, 7 % had p <= .05 then (four stimuli of 120 s) or even 12 % (eight of 60 s); with all turns, 5 % have.

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

from calibration.statistics import Pairs, centred, correlation_of
from rtaffect.common.correlation import fisher_z
from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]


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
    tables = [_turned_moments(x, y) for x, y in zip(pairs.predicted, pairs.observed, strict=True)]
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
    for x, y in zip(pairs.predicted, pairs.observed, strict=True):
        phases = rng.uniform(0, 2 * np.pi, (draws, len(x) // 2 + 1))
        phases[:, 0] = 0.0
        if len(x) % 2 == 0:
            phases[:, -1] = np.pi * (phases[:, -1] > np.pi)
        total += _surrogate_moments(x, y, phases)
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


def _turned_moments(x: Array, y: Array) -> Array:
    """Return ``joint_moments`` (3, steps, R) of x and ``np.roll(y, s, axis=0)`` for each s."""
    spectra = []
    for course in (x, y):
        present = np.isfinite(course)
        value = centred(course, present)
        spectra.append(rfft(np.stack([present, value, value * value]), axis=1))
    a, b = spectra[0], spectra[1].conj()
    products = np.stack([a[0] * b[0], a[1] * b[0], a[0] * b[1], a[2] * b[0], a[0] * b[2], a[1] * b[1]])
    n, sx, sy, sxx, syy, sxy = irfft(products, len(x), axis=1)
    n = np.maximum(np.rint(n), 1.0)
    return np.stack([sxy - sx * sy / n, np.maximum(sxx - sx * sx / n, 0.0), np.maximum(syy - sy * sy / n, 0.0)])


def _choices(counts: Sequence[int], draws: int, seed: int, *, true: bool) -> NDArray[np.intp]:
    """Return combinations (draws, stimuli) of one turn each; if no more exist, all, less the first if ``true``."""
    if np.prod(np.array(counts, np.float64)) <= draws:
        return np.indices(counts).reshape(len(counts), -1).T[int(true) :]
    return np.random.default_rng(seed).integers(0, counts, (draws, len(counts)))


def _surrogate_moments(x: Array, y: Array, phases: Array) -> Array:
    """Return ``joint_moments`` (3, draws, R) of x and y with ``phases`` (draws, frequencies) added to its own."""
    steps, joint = len(x), np.isfinite(x + y)
    x, there = centred(x, joint), joint.any(axis=0)
    weight = np.full((phases.shape[1], 1), 2.0 / steps)
    weight[[0, -1] if steps % 2 == 0 else [0]] /= 2
    spectrum = weight * rfft(centred(_bridged(y), np.ones_like(joint)), axis=0)
    xy = _real(phases, rfft(x, axis=0).conj() * spectrum)
    yy = np.broadcast_to((np.abs(spectrum) ** 2 / weight).sum(axis=0) * there, xy.shape).copy()
    # Its mean is zero over all steps, so that what is taken out tells the mean over those that stay.
    lost = np.zeros_like(xy)
    for step in np.flatnonzero((~joint & there).any(axis=1)):
        turn = 2 * np.pi * step / steps * np.arange(phases.shape[1])
        gone = _real(phases + turn, spectrum) * (~joint[step] & there)
        lost += gone
        yy -= gone**2
    yy -= lost**2 / np.maximum(joint.sum(axis=0), 1)
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
