"""Artifact subspace reconstruction: takes out bursts that the baseline's EEG does not have. The same live and offline.

Mullen et al., *IEEE Trans. Biomed. Eng.* 62, 2015; limits of 20 to 30 standard deviations, Chang et al., *IEEE Trans.
Biomed. Eng.* 67, 2020. By the optional package asrpy, whose release 0.0.8 needs help in three places:

- numpy 2.4 and newer refuse its ``fit_eeg_distribution``, so ``clean_windows`` and ``asr_calibrate`` fail: what they
  compute is here (:func:`clean_level`, :func:`clean_part`, :func:`calibrate`).
- ``asr_process`` leaves the last step of each call as it was: a step of zeros is put there to be left.
- ``asr_process`` starts from an identity matrix whatever it is given, and the carry that it returns has twice the
  channels: instead of its state, each call gets what came before the second, for as long as that matters.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma, gammaincinv

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import SignalSettings

#: With fewer channels there is too little to reconstruct one from the others.
LEAST_CHANNELS: Final = 4
#: Length of the window whose covariance is compared with the baseline's, and by how much it reaches ahead, s.
WINDOW_S: Final = 0.5
AHEAD_S: Final = WINDOW_S / 2
#: What is computed before a second, so that the spectral filter (about 1 s) and the window before it are as they
#: would be if all that came before had been filtered, s.
_BEFORE_S: Final = 1.5
#: Order of asrpy's spectral filter.
_ORDER: Final = 8
#: Share of neighbouring windows' overlap in the baseline.
_OVERLAP: Final = 0.66
#: Power below this share of the strongest component's is rounding, as in average-referenced EEG.
_LEAST_POWER: Final = 1e-12
#: Share of channels, and deviations from their usual amplitude, that a window of the baseline may have; share of the
#: baseline that must be left.
_MOST_BAD, _TOLERATED, _LEAST_KEPT = 0.1, (-3.5, 5.0), 0.25
#: Of the geometric median, as a share of a typical second's covariance.
_TOLERANCE: Final = 1e-5
#: Truncated generalised Gaussians: shapes, and quantiles between which they are fitted; share of windows that may be
#: dropouts, that must be clean, and steps of both. As asrpy but for the clean ones: with its .25, one component of
#: clean EEG in twenty gets a limit of 20 standard deviations that its own strongest window exceeds.
_SHAPES: Final = np.arange(1.7, 3.5, 0.15)
_QUANTILES: Final = (0.022, 0.6)
_DROPOUTS, _LEAST_CLEAN, _STRIDE = 0.1, 0.5, 0.01


def require_asrpy(cutoff: float) -> None:
    """Import asrpy.

    Raises
    ------
    SettingsError
        If it is not installed.
    """
    try:
        import asrpy  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            f"signal.asr_cutoff = {cutoff:g} needs the package asrpy, which cannot be imported ({error}): "
            'pip install "rtaffect[asr]", or set signal.asr_cutoff = 0'
        ) from None


class SubspaceReconstruction:
    """Learns one person's EEG from a baseline, then takes out what is far stronger, second by second.

    The baseline is the first ``asr_baseline_s`` seconds in which all channels are there that take part: those that were
    there, and not flat, in more than half of the seconds so far. Seconds in it need not follow each other. In the step
    that completes it, :func:`calibrate` runs once. Until then, and with fewer than ``LEAST_CHANNELS`` channels, the EEG
    passes as it is; so does, for ever, a channel that takes no part.

    In every quarter of a second, the components of the covariance over ``WINDOW_S`` that are beyond ``asr_cutoff``
    standard deviations of the baseline are replaced by what the others tell of them. A second without such a component
    passes bit for bit. The artifact's own channels get values made of the others'. A second takes some 60 ms for 64
    channels and .35 s for 128.

    Parameters
    ----------
    settings
        Limit, baseline and rate.
    channels
        Number of channels.

    Raises
    ------
    SettingsError
        If asrpy is not installed.
    """

    def __init__(self, settings: SignalSettings, channels: int) -> None:
        require_asrpy(settings.asr_cutoff)
        self._settings, rate = settings, settings.rate_hz
        # Steps begin with each second, so that seconds fit together; all in rows of the grid.
        self._step = max(n for n in range(1, rate // 4 + 1) if rate % n == 0)
        self.ahead = round(AHEAD_S * rate)
        self._reach = math.ceil(_BEFORE_S * rate / self._step) * self._step - self.ahead
        self._usable, self._heard = np.zeros(channels, np.int64), 0
        self._kept: list[FloatArray] = []
        self._columns = np.empty(0, np.intp)
        self._mixing, self._limits = np.empty((0, 0)), np.empty((0, 0))
        self._before = np.empty((0, 0))

    def __call__(self, second: FloatArray, ahead: FloatArray) -> FloatArray:
        """Return the next second without bursts.

        Parameters
        ----------
        second
            (rate_hz, channels), V; NaN where missing. With a sample missing in a channel that takes part it passes as
            it is, and what follows starts as if there had been silence before it.
        ahead
            (``self.ahead``, channels), V: the rows after it, which only tell how strong what is in it is; NaN counts
            as 0.

        Returns
        -------
        (rate_hz, channels) float64
            V, at the same instants.
        """
        if not len(self._columns):
            self._learn(second)
            return second
        mine = second[:, self._columns]
        if not np.isfinite(mine).all():
            self._before[:] = 0.0
            return second
        later = ahead[:, self._columns]
        out = second.copy()
        out[:, self._columns] = self._reconstructed(mine, np.where(np.isfinite(later), later, 0.0))
        self._before = np.concatenate([self._before, mine])[-self._reach :]
        return out

    def _reconstructed(self, second: FloatArray, ahead: FloatArray) -> FloatArray:
        from asrpy import asr_process

        rate, n = self._settings.rate_hz, second.shape[1]
        rows = np.concatenate([self._before, second, ahead, np.zeros((self._step, n))])
        out = asr_process(
            rows.T, rate, self._mixing, self._limits, windowlen=WINDOW_S, lookahead=self.ahead / rate,
            stepsize=self._step, Zi=np.zeros((n, _ORDER)), carry=np.zeros((n, self.ahead)), mem_splits=1,
        )  # fmt: skip
        # What comes out is late by the look-ahead.
        first = self._reach + self.ahead
        return np.asarray(out[:, first : first + rate].T, np.float64)

    def _learn(self, second: FloatArray) -> None:
        """Add to the baseline; learn from it when it is whole."""
        there = np.isfinite(second).all(axis=0)
        usable = there & (np.where(there, second, 0.0).std(axis=0) > self._settings.flat_v)
        if not usable.any():
            return
        self._usable += usable
        self._heard += 1
        self._kept.append(second)
        if len(self._kept) < self._settings.asr_baseline_s:
            return
        columns = np.flatnonzero(2 * self._usable > self._heard)
        whole = [kept for kept in self._kept if np.isfinite(kept[:, columns]).all()]
        if len(whole) == self._settings.asr_baseline_s and len(columns) >= LEAST_CHANNELS:
            baseline = np.concatenate(whole)[:, columns]
            self._mixing, self._limits = calibrate(baseline, self._settings.rate_hz, self._settings.asr_cutoff)
            self._columns, self._before = columns, np.zeros((self._reach, len(columns)))
            whole = []
        self._kept = whole[-self._settings.asr_baseline_s + 1 :]


def calibrate(baseline: FloatArray, rate: int, cutoff: float) -> tuple[FloatArray, FloatArray]:
    """Return what asrpy's ``clean_windows`` and ``asr_calibrate`` would: mixing matrix and limits of a baseline.

    Some .15 s for 64 channels and 60 s, .4 s for 128 (asrpy itself: 4 s for 64).

    Parameters
    ----------
    baseline
        (n, channels), V, finite. Components without power, as of an average reference, do no harm.
    rate
        Its rate, Hz.
    cutoff
        Limit, in standard deviations of the baseline's amplitude.

    Returns
    -------
    mixing : (channels, channels) float64
        Square root of the spectrally weighted baseline's covariance (geometric median over seconds), V.
    limits : (channels, channels) float64
        A row for each principal component: its filter times its limit, V.
    """
    from asrpy.asr_utils import block_covariance, geometric_median, yulewalk_filter

    shaped, _ = yulewalk_filter(clean_part(baseline, rate).T, rate)
    blocks = block_covariance(shaped, window=rate).reshape(-1, len(shaped) ** 2) / rate
    # An absolute tolerance, and None where it is not reached.
    found = geometric_median(blocks, tol=_TOLERANCE * float(np.median(np.linalg.norm(blocks, axis=1))))
    covariance = np.median(blocks, axis=0) if found is None else found
    power, components = np.linalg.eigh(covariance.reshape(len(shaped), -1))
    root = np.sqrt(np.maximum(power, _LEAST_POWER * power[-1]))
    mean, spread = clean_level(_amplitudes(shaped.T @ components, rate))
    return (components * root) @ components.T, (mean + cutoff * spread)[:, None] * components.T


def clean_part(baseline: FloatArray, rate: int) -> FloatArray:
    """Return the rows of ``baseline`` (n, channels) in no window in which more than a tenth of the channels stand out.

    All of it where less than ``_LEAST_KEPT`` of it would be left.
    """
    start, length = _windows(len(baseline), rate)
    amplitudes = _amplitudes(baseline, rate)
    mean, spread = clean_level(amplitudes)
    most = round(_MOST_BAD * baseline.shape[1])
    below, above = mean + np.array(_TOLERATED)[:, None] * spread
    bad = ((amplitudes > above).sum(axis=1) > most) | ((amplitudes < below).sum(axis=1) > most)
    kept = np.ones(len(baseline), np.bool_)
    kept[start[bad, None] + np.arange(length)] = False
    return baseline[kept] if kept.mean() >= _LEAST_KEPT else baseline


def _windows(n: int, rate: int) -> tuple[NDArray[np.intp], int]:
    """Return beginnings and length of overlapping windows in ``n`` rows."""
    length = round(WINDOW_S * rate)
    return np.arange(0, n - length, round(length * (1 - _OVERLAP))), length


def _amplitudes(signal: FloatArray, rate: int) -> FloatArray:
    """Return the root mean square (windows, columns) of ``signal`` (n, columns) in overlapping windows."""
    start, length = _windows(len(signal), rate)
    total = np.concatenate([np.zeros((1, signal.shape[1])), np.cumsum(signal**2, axis=0)])
    return np.asarray(np.sqrt(np.maximum(total[start + length] - total[start], 0.0) / length))


def clean_level(amplitudes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation (columns,) of the clean part of ``amplitudes`` (windows, columns).

    As asrpy's ``fit_eeg_distribution``, for all columns at once: the lower part of the sorted amplitudes, of all
    lengths and beginnings, is compared by its histogram with truncated generalised Gaussians of all shapes; the least
    Kullback-Leibler divergence wins. Nearly half of the windows may hold artifacts.
    """
    ordered = np.sort(amplitudes, axis=0)
    n, columns = ordered.shape
    low, high = _QUANTILES
    begin = np.round(n * np.arange(low, low + _DROPOUTS + 1e-11, _STRIDE)).astype(int)
    lengths = np.round(n * np.arange(high - low, _LEAST_CLEAN * (high - low), -_STRIDE)).astype(int)
    bounds = _bounds()
    least = np.full(columns, np.inf)
    chosen, bottom, top = np.zeros(columns, int), np.median(ordered, axis=0), np.median(ordered, axis=0)
    for length in lengths:
        part = ordered[begin + np.arange(length)[:, None]]
        divergence = _divergence(part, bounds).reshape(-1, columns)
        at = divergence.argmin(axis=0)
        found = divergence[at, np.arange(columns)]
        better = np.flatnonzero(found < least)
        shape, which = np.divmod(at[better], len(begin))
        least[better], chosen[better] = found[better], shape
        bottom[better], top[better] = part[0, which, better], part[-1, which, better]
    scale = (top - bottom) / np.diff(bounds[chosen], axis=1)[:, 0]
    beta = _SHAPES[chosen]
    return bottom - bounds[chosen, 0] * scale, scale * np.sqrt(gamma(3 / beta) / gamma(1 / beta))


def _divergence(part: FloatArray, bounds: FloatArray) -> FloatArray:
    """Return the divergence (shapes, begins, columns) of the histograms of ``part`` (n, begins, columns), sorted."""
    n, *rest = part.shape
    bins = round(3 * math.log2(1 + n / 2))
    span = part[-1] - part[0]
    place = np.minimum((part - part[0]) * (bins / np.where(span > 0, span, 1.0)), bins - 1).astype(int)
    cells = place.reshape(n, -1) + bins * np.arange(span.size)
    count = np.bincount(cells.ravel(), minlength=bins * span.size).reshape(-1, bins)
    middle = bounds[:, :1] + (np.arange(bins) + 0.5) / bins * np.diff(bounds, axis=1)
    density = np.exp(-(np.abs(middle) ** _SHAPES[:, None]))
    density /= density.sum(axis=1, keepdims=True)
    entropy = (density * np.log(density)).sum(axis=1, keepdims=True)
    found = (entropy - density @ np.log(count + 0.01).T + math.log(n)).reshape(-1, *rest)
    return np.where(span > 0, found, np.inf)


def _bounds() -> FloatArray:
    """Return the quantiles (shapes, 2) of generalised Gaussians of unit scale."""
    quantiles = np.array(_QUANTILES)
    side = np.sign(quantiles - 0.5)
    shape = _SHAPES[:, None]
    return np.asarray(side * gammaincinv(1 / shape, side * (2 * quantiles - 1)) ** (1 / shape))
