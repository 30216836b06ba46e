"""Observed synchrony: correlation in a window, and what it would be if the time lock were broken.

Inter-subject correlation by leaving one out: each person against the mean of the others (or against the stored mean of
a reference group), Hasson et al., *Science* 303, 2004; Nastase et al., *SCAN* 14, 2019. Averages are taken by Fisher z
(Silver & Dunlap, *J. Appl. Psychol.* 72, 1987). Signals are (time, row); NaN marks what is missing or bad, and a
correlation uses the instants at which both sides are present.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from rtaffect.settings import SynchronySettings

Signal = NDArray[np.float64]

#: Correlations are kept this far from +-1 before Fisher z, so that identical signals stay finite.
_CLIP = 1.0 - 1e-12


def fisher_mean(correlations: Signal, axis: int | None = None) -> Signal:
    """Return the mean of correlations by Fisher z along ``axis``, ignoring NaN; NaN where there is none."""
    z = np.arctanh(np.clip(correlations, -_CLIP, _CLIP))
    present = np.isfinite(z)
    count = present.sum(axis=axis)
    total = np.where(present, z, 0.0).sum(axis=axis)
    mean: Signal = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    averaged: Signal = np.tanh(mean)
    return averaged


def window_correlation(x: Signal, y: Signal, least: int = 3) -> Signal:
    """Return the Pearson correlation (rows,) of ``x`` and ``y`` (time, rows) over instants where both are finite.

    NaN where fewer than ``least`` such instants exist or one side does not vary.
    """
    return np.asarray(lagged_correlation(x, y, np.zeros(1, np.int64), least)[0])


def lagged_correlation(x: Signal, y: Signal, starts: NDArray[np.int64], least: int = 3) -> Signal:
    """Return the correlations of one window with several windows of a longer series.

    Parameters
    ----------
    x
        The window, (n, rows).
    y
        The longer series, (m, rows), m >= n.
    starts
        First row of each window of ``y`` to compare with, (lags,), each in [0, m - n].
    least
        Fewest joint instants for a value.

    Returns
    -------
    (lags, rows) float64
        NaN where too few instants are present on both sides, or one side does not vary.
    """
    n, rows = x.shape
    out = np.empty((len(starts), rows))
    for row in range(rows):
        left = _moments(x[:, row])
        windows = np.lib.stride_tricks.sliding_window_view(_moments(y[:, row]), n, axis=0)[starts]
        s = windows @ left
        sums = JointSums(s[:, 0, 0], s[:, 0, 1], s[:, 1, 0], s[:, 0, 2], s[:, 1, 1], s[:, 2, 0])
        out[:, row] = pearson(sums, least)
    return out


def running_correlation(x: Signal, y: Signal, window: int, stride: int, least: int = 3) -> Signal:
    """Return the correlation (turns, rows) of ``x`` and ``y`` (time, rows) in each window of ``window`` rows.

    Windows end at rows stride, 2 stride, ... and those that reach before the first row are NaN. The same numbers as
    :func:`window_correlation` of each window, from running sums.
    """
    present = np.isfinite(x) & np.isfinite(y)
    x, y = (_centred(np.where(present, series, np.nan)) for series in (x, y))
    products = np.stack([present, x, y, x * x, x * y, y * y])
    sums = np.concatenate([np.zeros_like(products[:, :1]), np.cumsum(products, axis=1)], axis=1)
    stops = np.arange(stride, len(x) + 1, stride)
    full = stops >= window
    inside = sums[:, stops[full]] - sums[:, stops[full] - window]
    out = np.full((len(stops), x.shape[1]), np.nan)
    out[full] = pearson(JointSums(*inside), least)
    return out


def _centred(series: Signal) -> Signal:
    """Return ``series`` (time, ...) without its mean over time, and zero where it is missing."""
    present = np.isfinite(series)
    count = np.maximum(present.sum(axis=0), 1)
    centre = np.where(present, series, 0.0).sum(axis=0) / count
    return np.where(present, series - centre, 0.0)


def _moments(series: Signal) -> Signal:
    """Return presence, value and square (n, 3) of a centred series, zero where it is missing."""
    value = _centred(series)
    return np.stack([np.isfinite(series), value, value * value], axis=1)


class JointSums(NamedTuple):
    """Sums over the instants at which both x and y are present; arrays of one shape."""

    n: Signal
    x: Signal
    y: Signal
    xx: Signal
    xy: Signal
    yy: Signal


def pearson(sums: JointSums, least: int) -> Signal:
    """Return the correlations that the sums give; NaN where ``least`` is not reached or one side does not vary."""
    safe = np.maximum(sums.n, 1.0)
    var_x = sums.xx - sums.x**2 / safe
    var_y = sums.yy - sums.y**2 / safe
    tiny = 1e-12
    valid = (sums.n >= least) & (var_x > tiny * sums.xx) & (var_y > tiny * sums.yy)
    scale = np.sqrt(np.where(valid, var_x * var_y, 1.0))
    return np.asarray(np.where(valid, np.clip((sums.xy - sums.x * sums.y / safe) / scale, -1.0, 1.0), np.nan))


def standardise(people: Signal) -> Signal:
    """Return ``people`` (P, time, rows), each person's row centred and scaled to unit variance over what is present.

    So that no amplifier with a larger gain dominates a mean over people.
    """
    present = np.isfinite(people)
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    centred = people - np.where(present, people, 0.0).sum(axis=1, keepdims=True) / count
    power = np.where(present, centred**2, 0.0).sum(axis=1, keepdims=True) / count
    return np.asarray(centred / np.sqrt(np.where(power > 0, power, 1.0)))


def others_mean(people: Signal) -> Signal:
    """Return, for each person, the mean of all the others (P, time, rows), over those present at each instant."""
    present = np.isfinite(people)
    value = np.where(present, people, 0.0)
    count = present.sum(axis=0) - present
    total = value.sum(axis=0) - value
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


class Observation(NamedTuple):
    """Observed synchrony of one window and its null band; all correlations, NaN where there is no value.

    ``each`` (P, rows) per person, ``mean`` (rows,) over people, ``low`` and ``high`` (rows,) the null band of
    ``mean``; ``overall``, ``overall_low``, ``overall_high`` the same averaged over rows.
    """

    each: Signal
    mean: Signal
    low: Signal
    high: Signal
    overall: float
    overall_low: float
    overall_high: float


def observe(
    windows: Signal, partners: Signal, start: int, rate: int, settings: SynchronySettings, *, mutual: bool = False
) -> Observation:
    """Correlate each person's window with its partner series, in place and displaced.

    Parameters
    ----------
    windows
        The people's newest window, (P, n, rows).
    partners
        What each person is compared with over a longer time, (P, m, rows), m >= n.
    start
        Row of ``partners`` at which the true window starts, in [0, m - n].
    rate
        Rows per second.
    settings
        Window, least good fraction, and the null's separation, stride, level and least number.
    mutual
        Whether the partners are the people themselves. In place each pair then enters the mean over people twice with
        the same value, displaced with two independent ones: that mean has twice the variance of the displaced ones,
        for any number of people, and the null band is widened accordingly.

    Returns
    -------
    Observation
        The null band is the normal prediction interval of the displaced correlations' Fisher z, from windows at least
        ``null_separation_s`` away from the true one on either side.
    """
    n = windows.shape[1]
    least = math.ceil(settings.min_good * n)
    shifts = _displaced(partners.shape[1] - n, start, rate, settings)
    starts = np.concatenate([[start], shifts])
    values = np.stack([lagged_correlation(x, y, starts, least) for x, y in zip(windows, partners, strict=True)])
    return summarise(values, settings, mutual=mutual)


def summarise(values: Signal, settings: SynchronySettings, *, mutual: bool) -> Observation:
    """Return the observation that correlations (P, 1 + displaced, rows) make, the one in place first."""
    mean = fisher_mean(values, axis=0)
    # A row that has no value now has no part in the null of the average over rows either.
    overall = fisher_mean(np.where(np.isfinite(mean[0]), mean, np.nan), axis=1)
    widening = math.sqrt(2.0) if mutual else 1.0
    low, high = _null_band(mean[1:], settings, widening)
    overall_low, overall_high = _null_band(overall[1:, None], settings, widening)
    return Observation(
        values[:, 0], mean[0], low, high, float(overall[0]), float(overall_low[0]), float(overall_high[0])
    )


def _displaced(last: int, start: int, rate: int, settings: SynchronySettings) -> NDArray[np.int64]:
    """Return the starts, 0 to ``last``, of windows far enough from the true one."""
    stride, apart = settings.null_stride_s * rate, settings.null_separation_s * rate
    before = np.arange(start - apart, -1, -stride)
    after = np.arange(start + apart, last + 1, stride)
    return np.concatenate([before[::-1], after]).astype(np.int64)


def _null_band(values: Signal, settings: SynchronySettings, widening: float) -> tuple[Signal, Signal]:
    """Return low and high (rows,) of the null from displaced correlations (draws, rows) and a factor of its spread.

    The prediction interval of one more normal draw in Fisher z: mean and spread of few draws are uncertain themselves.
    """
    z = np.arctanh(np.clip(values, -_CLIP, _CLIP))
    present = np.isfinite(z)
    count = present.sum(axis=0)
    safe = np.maximum(count, 2)
    centre = np.where(present, z, 0.0).sum(axis=0) / safe
    spread = np.sqrt(np.where(present, (z - centre) ** 2, 0.0).sum(axis=0) / (safe - 1))
    quantile = student_t.ppf(0.5 + settings.null_level / 2, safe - 1)
    reach = widening * quantile * np.sqrt(1 + 1 / safe) * spread
    enough = count >= settings.null_least
    return np.tanh(np.where(enough, centre - reach, np.nan)), np.tanh(np.where(enough, centre + reach, np.nan))
