"""Chance from one window alone: the people's against the partner's backwards, all the way round the circle.

Played backwards, a stationary signal keeps its spectrum and what its rows share, and loses every time lock. So such
correlations spread as the one in place does by chance, whatever the windows of before were like, and their mean over
rows does, too. x(t) y(c - t) summed over t is the same for either of two people, as x(t) y(t) is: means over people
need no widening.

Turns of whole seconds would be too few where alpha is narrow: those that lie next to each other are then alike, and
what beats at whole hertz is the same in all of them, so that their spread is too small. With a turn every 40 ms each
frequency of the window has its part (Parseval), and how many of them carry it tells how sure the spread is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import JointSums
from rtaffect.observed.seconds import Seconds

#: Turns a second, at least: every frequency up to half of it has a course of its own.
_TURNS_HZ: Final = 25
#: What transforms leave of nothing, as a share of the largest.
_ROUNDING: Final = 1e-12


def reversed_sums(people: Seconds, partner: Seconds, at: int, window: int) -> tuple[JointSums, tuple[FloatArray, ...]]:
    """Return the sums of the people's newest ``window`` seconds with the partner's backwards, up to its second ``at``.

    Returns
    -------
    JointSums of (people, columns, turns)
        The partner's turned round by 0, 1, ... times the window's length over the number of turns.
    tuple of three (people, columns, turns)
        The sums of powers that :func:`~rtaffect.observed.spectra.spread_factors` takes, where spectra are kept: those
        of whole seconds, and between them by straight lines.
    """
    mine, theirs = (people.stop - window, people.stop), (at + 1 - window, at + 1)
    x, here = _course(people.values(*mine)), _course(people.there(*mine).astype(np.float64))
    y, there = (
        _course(each[:, :, ::-1, ::-1]) for each in (partner.values(*theirs), partner.there(*theirs).astype(np.float64))
    )
    rate = people.rate
    stride = max(n for n in range(1, rate + 1) if rate % n == 0 and (n == 1 or n * _TURNS_HZ <= rate))
    ours, their = people.powers(*mine), partner.powers(*theirs)[:, :, ::-1]
    power, other = ours.sum(axis=-1, keepdims=True), their.sum(axis=-1, keepdims=True)
    powers = ((ours, their), (power, other > 0), (power > 0, other))
    joint = _all_there(x, y, stride) if here.all() and there.all() else _some_there((x, here), (y, there), stride)
    return joint, tuple(_between(_round(*pair), rate // stride) for pair in powers)


def _course(seconds: FloatArray) -> FloatArray:
    return np.asarray(seconds.reshape(*seconds.shape[:-2], -1), np.float64)


def _all_there(x: FloatArray, y: FloatArray, stride: int) -> JointSums:
    """Return the sums of courses (..., n) without gaps: all but that of the products are the same at every turn."""
    product = _turned(np.fft.rfft(x), np.fft.rfft(y), x.shape[-1], stride)
    alike = (np.ones_like(x), x, y, x * x, y * y)
    n, sx, sy, xx, yy = (np.broadcast_to(each.sum(axis=-1, keepdims=True), product.shape) for each in alike)
    return JointSums(n, sx, sy, xx, product, yy)


def _some_there(mine: tuple[FloatArray, FloatArray], theirs: tuple[FloatArray, FloatArray], stride: int) -> JointSums:
    """Return the sums of courses (..., n), zero where missing, over the instants that both have."""
    (x, here), (y, there), n = mine, theirs, mine[0].shape[-1]
    one, own, squares = (np.fft.rfft(each) for each in (here, x, x * x))
    two, other, powers = (np.fft.rfft(each) for each in (there, y, y * y))
    pairs = ((one, two), (own, two), (one, other), (squares, two), (own, other), (one, powers))
    count, sx, sy, xx, xy, yy = (_turned(a, b, n, stride) for a, b in pairs)
    xx, yy = (np.where(each > _ROUNDING * each.max(initial=0.0), each, 0.0) for each in (xx, yy))
    return JointSums(np.rint(count), sx, sy, xx, xy, yy)


def _turned(x: NDArray[np.complex128], y: NDArray[np.complex128], n: int, stride: int) -> FloatArray:
    """Return the sums (..., n / stride) of the products of two courses by their spectra, y turned by ``stride``."""
    return np.asarray(np.fft.irfft(x.conj() * y, n)[..., ::stride])


def _between(sums: FloatArray, parts: int) -> FloatArray:
    """Return sums (..., W * parts) at so many turns a second, of those (..., W) at whole seconds round the circle."""
    share = np.arange(parts) / parts
    found = sums[..., None] * (1 - share) + np.roll(sums, -1, axis=-1)[..., None] * share
    return np.asarray(found.reshape(*sums.shape[:-1], -1))


def _round(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return sums (..., W) of the products of seconds ``x`` and ``y`` (..., W, n), y turned by 0, 1, ... seconds."""
    seconds = np.arange(x.shape[-2])
    product = np.matmul(x, y.swapaxes(-1, -2), dtype=np.float64)
    return np.asarray(product[..., seconds, (seconds + seconds[:, None]) % len(seconds)].sum(axis=-1))
