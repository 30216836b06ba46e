"""Observed synchrony of whole windows, correlated anew each time: what the step-by-step observer must give."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import get_window

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import JointSums, pearson
from rtaffect.common.settings import SynchronySettings
from rtaffect.observed.synchrony import Observation, RowLayout, _centred, summarise


def window_correlation(x: FloatArray, y: FloatArray, least: int = 3) -> FloatArray:
    """Return the Pearson correlation (rows,) of ``x`` and ``y`` (time, rows) over instants where both are finite.

    NaN where fewer than ``least`` such instants exist or one side does not vary.
    """
    return np.asarray(lagged_correlation(x, y, np.zeros(1, np.int64), least)[0])


def lagged_correlation(
    x: FloatArray, y: FloatArray, starts: NDArray[np.int64], least: int = 3, k: int = 1
) -> FloatArray:
    """Return the correlations of one window with several windows of a longer series.

    Parameters
    ----------
    x
        The window, (n, rows * k).
    y
        The longer series, (m, rows * k), m >= n.
    starts
        First row of each window of ``y`` to compare with, (lags,), each in [0, m - n].
    least
        Fewest joint instants for a value.

    Returns
    -------
    (lags, rows) float64
        NaN where too few instants are present on both sides, or one side does not vary.
    """
    n, columns = x.shape
    sums = np.empty((len(JointSums._fields), columns, len(starts)))
    for column in range(columns):
        left = _moments(x[:, column])
        windows = np.lib.stride_tricks.sliding_window_view(_moments(y[:, column]), n, axis=0)[starts]
        s = windows @ left
        sums[:, column] = s[:, 0, 0], s[:, 0, 1], s[:, 1, 0], s[:, 0, 2], s[:, 1, 1], s[:, 2, 0]
    return pearson(JointSums(*sums), least, k).T


def _moments(series: FloatArray) -> FloatArray:
    """Return presence, value and square (n, 3) of a centred series, zero where it is missing."""
    value = _centred(series)
    return np.stack([np.isfinite(series), value, value * value], axis=1)


def observe(
    windows: FloatArray,
    partners: FloatArray,
    start: int,
    rate: int,
    settings: SynchronySettings,
    *,
    layout: RowLayout | None = None,
    mutual: bool = False,
) -> Observation:
    """Correlate each person's window with its partner series, in place and displaced.

    Parameters
    ----------
    windows
        The people's newest window, (P, n, M * k).
    partners
        What each person is compared with over a longer time, (P, m, M * k), m >= n.
    start
        Row of ``partners`` at which the true window starts, in [0, m - n].
    rate
        Rows per second.
    settings
        Window, least good fraction, and the null's separation, stride, level and least number.
    layout
        How the columns make rows; default: each is one.
    mutual
        Whether the partners are the people themselves. In place each pair then enters the mean over people twice with
        the same value, displaced with two independent ones: that mean has twice the variance of the displaced ones,
        for any number of people, and the null band is widened accordingly.

    Returns
    -------
    Observation
        The null band is the normal prediction interval of the displaced correlations' Fisher z, from windows at least
        ``null_separation_s`` away from the true one on either side; where most of these have other spectra, of the
        correlations of the same window backwards.
    """
    n = windows.shape[1]
    layout = layout or RowLayout.plain(windows.shape[2])
    least = math.ceil(settings.min_good * n)
    shifts = displaced(partners.shape[1] - n, start, rate, settings)
    starts = np.concatenate([[start], shifts])
    each = [lagged_correlation(x, y, starts, least, layout.k) for x, y in zip(windows, partners, strict=True)]
    factors: list[FloatArray] = []
    for values, x, y in zip(each, windows, partners, strict=True):
        spread = spread_by_chance(x, y[start % rate :], starts // rate, rate, layout.k)
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = np.clip(np.sqrt(spread[0] / spread), 0.25, 4.0)
        factor[~np.isfinite(factor)] = 1.0
        factors.append(np.where(np.isfinite(values[1:]), factor[1:], np.nan))
        values[1:] = np.tanh(np.arctanh(values[1:]) * factor[1:])
    here, circle = slice(start, start + n), False
    if np.isfinite(factors).any() and np.nanmedian(factors) > 1.25 and settings.window_s >= settings.null_least:
        pairs = zip(windows, partners[:, here], strict=True)
        each, mutual, circle = [backwards(x, y, rate, least, layout.k) for x, y in pairs], False, True
    return summarise(np.stack(each), settings, layout, mutual=mutual, circle=circle)


def backwards(x: FloatArray, y: FloatArray, rate: int, least: int, k: int) -> FloatArray:
    """Return the correlations (1 + turns, rows) of ``x`` with ``y`` (n, rows * k), in place and backwards.

    Backwards at every 40 ms round the circle, spread as far as the one in place does by chance.
    """
    place, seconds, parts = np.zeros(1, np.int64), range(len(y) // rate), 25
    turned = [np.roll(y[::-1], -turn * (rate // parts), axis=0) for turn in range(len(seconds) * parts)]
    values = np.stack([lagged_correlation(x, each, place, least, k)[0] for each in (y, *turned)])
    # A second's spectrum is the same backwards, but for the window's first sample.
    back = y.reshape(len(seconds), rate, -1)[::-1]
    whole = [np.roll(back, -second, axis=0).reshape(y.shape) for second in (*seconds, 0)]
    here, *there = (power_sums(x, each, place, rate, k)[:, 0] for each in (y, *whole))
    between = np.arange(len(turned)) / parts
    sums = np.apply_along_axis(lambda at: np.interp(between, range(len(there)), at), 0, np.stack(there))
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.stack([common / (own * theirs) for common, own, theirs in (here, *sums)])
        factor = np.clip(np.sqrt(spread[0] / spread), 0.25, 4.0)
    factor[~np.isfinite(factor)] = 1.0
    return np.concatenate([values[:1], np.tanh(np.arctanh(values[1:]) * factor[1:])])


def spread_by_chance(x: FloatArray, y: FloatArray, starts: NDArray[np.int64], rate: int, k: int) -> FloatArray:
    """Return the variance (starts, rows) of correlations of ``x`` (n, rows * k) with windows of ``y``, to a factor.

    By their spectra; ``starts`` are the windows' first seconds of ``y``.
    """
    common, own, theirs = power_sums(x, y, starts, rate, k)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(common / (own * theirs))


def power_sums(x: FloatArray, y: FloatArray, starts: NDArray[np.int64], rate: int, k: int) -> FloatArray:
    """Return sums (3, starts, rows) of the products of both sides' powers, and of the powers of either."""
    window = get_window("hann", rate)[:, None]
    found = []
    for each in (x, y):
        seconds = np.nan_to_num(each[: len(each) // rate * rate]).reshape(-1, rate, each.shape[1])
        # Between 0 and 46 Hz, or half of the rate.
        power = np.abs(np.fft.fft(seconds * window, axis=1)[:, 1 : min(46, rate // 2)]) ** 2
        found.append(power.reshape(*power.shape[:2], -1, k))
    one, other = found[0], np.stack([found[1][start : start + len(found[0])] for start in starts])
    both = (one.sum(axis=1, keepdims=True) > 0) & (other.sum(axis=2, keepdims=True) > 0)
    return np.stack([(each * both).sum(axis=(1, 2, 4)) for each in (one * other, one, other)])


def displaced(last: int, start: int, rate: int, settings: SynchronySettings) -> NDArray[np.int64]:
    """Return the starts, 0 to ``last``, of windows far enough from the true one."""
    stride, apart = settings.null_stride_s * rate, settings.null_separation_s * rate
    before = np.arange(start - apart, -1, -stride)
    after = np.arange(start + apart, last + 1, stride)
    return np.concatenate([before[::-1], after]).astype(np.int64)
