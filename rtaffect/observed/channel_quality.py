"""Judges each second which channels are good: causal, the same live and offline.

At once bad: flat (or stuck at a rail) and loud seconds, and those in which the filters still ring from something far
louder than EEG. Bad after some seconds, and good again after some, so that a
channel does not flicker: one whose power is far from the others', one that is dominated by mains, and one that shares
nothing with any other channel while the others do. The limits are relative where they can be, after Bigdely-Shamlo et
al., *The PREP pipeline* (Front. Neuroinform. 9:16, 2015), section 2.2, whose criteria they follow.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.settings import QualitySettings, SignalSettings

#: Seconds of signal over which channels are compared with each other.
COMPARED_S = 5
#: With fewer channels there is no telling which one is the odd one out.
LEAST_CHANNELS = 8
#: Normal deviation per median absolute deviation.
NORMAL = 1.4826
#: What is louder than this many times ``loud_v`` leaves filters ringing that is to be reckoned with, until no more than
#: this part of ``loud_v`` can be left of it.
_STRIKES, _RINGS = 4.0, 1 / 30
#: Least spread of log power (natural log) between good channels; alike channels would make a small difference large.
LEAST_SPREAD = 0.5


class ChannelJudge:
    """Judges the channels of one headset, second by second.

    Parameters
    ----------
    signal, settings
        Limits.
    channels
        Number of channels.
    memory_s
        How long the filters before it take to forget all but 1/e of what was there, s.
    """

    def __init__(self, signal: SignalSettings, settings: QualitySettings, channels: int, memory_s: float = 0.0) -> None:
        self._signal, self._settings, self._memory_s = signal, settings, memory_s
        # What may be left in the filters of what was far too loud, V.
        self._ringing = np.zeros(channels)
        self._bad = np.zeros(channels, np.bool_)
        # How many seconds in a row speak against what is held of a channel.
        self._against = np.zeros(channels, np.int64)

    def __call__(self, recent: FloatArray, mains: FloatArray) -> BoolArray:
        """Return which channels (channels,) were good in the newest second.

        Parameters
        ----------
        recent
            (n, channels), V: up to the newest 5 s on the grid, of which the newest second is judged; NaN where missing.
        mains
            (channels,), V: root mean square of the mains in that second before it was removed, NaN where not known.
        """
        second = recent[-self._signal.rate_hz :]
        spread = _spread(second)
        good: BoolArray = (spread > self._signal.flat_v) & (spread < self._signal.loud_v)
        good &= self._settled(second)
        suspect = self._odd_power(spread, good) | self._alone(recent, good) | self._humming(mains, spread)
        self._remember(suspect & good, good)
        return good & ~self._bad

    def _settled(self, second: FloatArray) -> BoolArray:
        """Return the channels in which nothing strikes the filters, and no earlier strike rings on."""
        limit, rate = self._signal.loud_v, self._signal.rate_hz
        size = np.where(np.isfinite(second), np.abs(second), 0.0)
        strikes = size > _STRIKES * limit
        settled: BoolArray = ~strikes.any(axis=0) & (self._ringing <= _RINGS * limit)
        if self._memory_s:
            left = np.exp(-np.arange(len(second) - 1, -1, -1)[:, None] / (rate * self._memory_s))
            new = np.where(strikes, size * left, 0.0).max(axis=0, initial=0.0)
            self._ringing = np.maximum(new, self._ringing * math.exp(-len(second) / (rate * self._memory_s)))
        return settled

    def _odd_power(self, spread: FloatArray, good: BoolArray) -> BoolArray:
        """Return the channels whose log power is far from the median of the good ones."""
        odd = np.zeros(len(spread), np.bool_)
        if good.sum() >= LEAST_CHANNELS:
            power = 2 * np.log(spread[good])
            off = np.abs(power - np.median(power))
            odd[good] = off > self._settings.odd_power * max(NORMAL * float(np.median(off)), LEAST_SPREAD)
        return odd

    def _alone(self, recent: FloatArray, good: BoolArray) -> BoolArray:
        """Return the channels that correlate with none of the good ones, where those do with each other."""
        alone = np.zeros(recent.shape[1], np.bool_)
        there = good & np.isfinite(recent).all(axis=0)
        if there.sum() < LEAST_CHANNELS or len(recent) < COMPARED_S * self._signal.rate_hz:
            return alone
        r = np.abs(np.corrcoef(recent[:, there], rowvar=False))
        np.fill_diagonal(r, 0.0)
        nearest = r.max(axis=0)
        if np.median(nearest) > 2 * self._settings.least_correlation:
            alone[there] = nearest < self._settings.least_correlation
        return alone

    def _humming(self, mains: FloatArray, spread: FloatArray) -> BoolArray:
        known = np.isfinite(mains) & (spread > 0)
        return np.asarray(known & (mains > self._settings.most_mains * np.maximum(spread, self._signal.flat_v)))

    def _remember(self, suspect: BoolArray, judged: BoolArray) -> None:
        """Count seconds that speak against what is held of a channel; seconds that tell nothing change nothing."""
        against = judged & (suspect != self._bad)
        self._against = np.where(against, self._against + 1, np.where(judged, 0, self._against))
        needed = np.where(self._bad, self._settings.good_after_s, self._settings.bad_after_s)
        turned = self._against >= needed
        self._bad ^= turned
        self._against[turned] = 0


class MainsMeter:
    """Measures the mains in each channel, second by second, from raw samples: the same for any chunking.

    The amplitude at a frequency f is twice the magnitude of the mean of (x(t) - mean x) exp(-2 pi i f t): a discrete
    Fourier transform at one frequency. A second holds whole periods of 50 and of 60 Hz, so that slow signals cancel; an
    electrode's offset of some 100 mV would not quite, where samples do not fall evenly into the second.

    Parameters
    ----------
    mains_hz
        Frequency, Hz; 0: nothing is measured.
    rate
        Rate of the samples, Hz.
    channels
        Number of channels.
    """

    def __init__(self, mains_hz: float, rate: float, channels: int) -> None:
        self._hz = mains_hz if mains_hz < rate / 2 else 0.0
        self._least = 0.5 * rate
        self._channels = channels
        self._sums: dict[int, FloatArray] = {}

    def add(self, samples: NDArray[np.floating], times: FloatArray) -> None:
        """Take samples (n, channels), V, at ``times`` (n,), s since the session's origin."""
        if not self._hz or not len(times):
            return
        seconds = np.floor(times).astype(np.int64)
        phase = 2 * np.pi * self._hz * (times - seconds)
        present = np.isfinite(samples)
        x = np.where(present, samples, 0.0).astype(np.float64)
        wave = np.stack([np.cos(phase), np.sin(phase)])[:, :, None]
        parts = np.concatenate([x * wave, wave * present, [x, present]])
        for second in np.unique(seconds):
            here = parts[:, seconds == second].sum(axis=1)
            self._sums[int(second)] = self._sums.get(int(second), 0.0) + here

    def take(self, second: int) -> FloatArray:
        """Return the mains (channels,), V root mean square, of the second that starts at ``second`` s; then forget it.

        NaN where less than half of the second is there.
        """
        sums = self._sums.pop(second, None)
        for old in [s for s in self._sums if s < second]:
            del self._sums[old]
        if sums is None:
            return np.full(self._channels, np.nan)
        total, n = sums[4], np.where(sums[5] > self._least, sums[5], np.nan)
        real, imaginary = sums[:2] - sums[2:4] * (total / n)
        return np.asarray(np.sqrt(2.0) * np.hypot(real, imaginary) / n)


def _spread(second: FloatArray) -> FloatArray:
    """Return the root mean square (channels,) of what is there."""
    present = np.isfinite(second)
    count = np.maximum(present.sum(axis=0), 1)
    return np.asarray(np.sqrt((np.where(present, second, 0.0) ** 2).sum(axis=0) / count))
