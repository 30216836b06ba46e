"""Chance from one window alone: the people's against the partner's backwards, at every whole second round the circle.

Played backwards, a stationary signal keeps its spectrum and what its rows share, and loses every time lock. So such
correlations spread as the one in place does by chance, whatever the windows of before were like, and their mean over
rows does, too. x(t) y(c - t) summed over t is the same for either of two people, as x(t) y(t) is: means over people
need no widening.
"""

from __future__ import annotations

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import JointSums
from rtaffect.observed.seconds import Seconds


def reversed_sums(people: Seconds, partner: Seconds, at: int, window: int) -> tuple[JointSums, tuple[FloatArray, ...]]:
    """Return the sums of the people's newest ``window`` seconds with the partner's backwards, up to its second ``at``.

    Returns
    -------
    JointSums of (people, columns, window)
        By how many seconds the partner's is turned round.
    tuple of three (people, columns, window)
        The sums of powers that :func:`~rtaffect.observed.spectra.spread_factors` takes, where spectra are kept.
    """
    mine, theirs = (people.stop - window, people.stop), (at + 1 - window, at + 1)
    x, here = people.values(*mine), people.there(*mine).astype(np.float64)
    y, there = (each[:, :, ::-1, ::-1] for each in (partner.values(*theirs), partner.there(*theirs).astype(np.float64)))
    ours, their = people.powers(*mine), partner.powers(*theirs)[:, :, ::-1]
    power, other = ours.sum(axis=-1, keepdims=True), their.sum(axis=-1, keepdims=True)
    joint = ((here, there), (x, there), (here, y), (x**2, there), (x, y), (here, y**2))
    powers = ((ours, their), (power, other > 0), (power > 0, other))
    return JointSums(*(_round(*pair) for pair in joint)), tuple(_round(*pair) for pair in powers)


def _round(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return sums (..., W) of the products of seconds ``x`` and ``y`` (..., W, n), y turned by 0, 1, ... seconds."""
    seconds = np.arange(x.shape[-2])
    product = np.matmul(x, y.swapaxes(-1, -2), dtype=np.float64)
    return np.asarray(product[..., seconds, (seconds + seconds[:, None]) % len(seconds)].sum(axis=-1))
