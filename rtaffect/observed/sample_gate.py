"""Samples that cannot be EEG are missing before the filters, which would remember them for seconds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.medians import median_of_present

#: A value that stands still for this long, and for so many samples, is no signal: zeros sent in place of samples, a
#: rail, a driver that repeats its last packet. The noise of any amplifier changes the last bit more often.
STILL_S, STILL_SAMPLES = 0.05, 8
#: A sample further from the last good one than this many times the usual change between samples is an outlier. Blinks
#: and muscles move within some fifty times, spikes, rails and pulled electrodes far beyond.
JUMP = 300.0
#: Outliers that go on evenly for this long are where the channel is now, s: an electrode's offset may move for good.
ANEW_S = 0.25
#: After an outlier the next samples are not used either until none was one for so long, s: bursts cross the middle.
QUIET_S = 0.05
#: The usual change is the mean over blocks of this length, s, the median of so many of them.
BLOCK_S, BLOCKS = 0.25, 9


class SampleGate:
    """Marks as missing what stands still and what jumps; any chunking gives the same output.

    Parameters
    ----------
    rate
        Samples per second.
    channels
        Number of channels.
    """

    def __init__(self, rate: float, channels: int) -> None:
        self._still = max(STILL_SAMPLES, round(STILL_S * rate))
        self._anew = max(2, round(ANEW_S * rate))
        self._quiet = max(1, round(QUIET_S * rate))
        self._block = max(4, round(BLOCK_S * rate))
        self._raw = np.full(channels, np.nan)
        # How many equal values stand in a row up to the newest sample.
        self._equal = np.zeros(channels, np.int64)
        self._good = np.full(channels, np.nan)
        # How many outliers in a row go on evenly, and for how many samples none may come.
        self._even = np.zeros(channels, np.int64)
        self._wait = np.zeros(channels, np.int64)
        self._scales = np.full((BLOCKS, channels), np.nan)
        # The furthest that a sample may lie from the last good one, by the blocks so far.
        self._limit = np.full(channels, np.inf)
        self._turn = self._filled = 0
        self._changes, self._counts = np.zeros(channels), np.zeros(channels, np.int64)

    def restart(self) -> None:
        """Let the next sample begin anew: a gap lies before it."""
        self._raw[:] = self._good[:] = np.nan
        self._equal[:] = self._even[:] = self._wait[:] = 0

    def __call__(self, samples: NDArray[np.floating], breaks: tuple[int, ...] = ()) -> FloatArray:
        """Return ``samples`` (n, channels) with NaN for those that are no EEG; new segments start at ``breaks``."""
        out = np.array(samples, np.float64)
        out[~np.isfinite(out)] = np.nan
        at = 0
        while at < len(out):
            if at in breaks:
                self.restart()
            stop = min([len(out), at + self._block - self._filled, *(b for b in breaks if b > at)])
            self._part(out[at:stop])
            self._filled += stop - at
            if self._filled == self._block:
                self._end_block()
            at = stop
        return out

    def _part(self, x: FloatArray) -> None:
        """Mark what is missing in ``x`` (n, channels), which lies in one block and one segment."""
        before = np.concatenate([self._raw[None], x[:-1]])
        number = np.arange(1, len(x) + 1)[:, None]
        changed = np.maximum.accumulate(np.where(x != before, number, 0), axis=0)
        # The first of a row of equal values counts as one of them.
        equal = np.where(changed > 0, number - changed + 1, self._equal + number)
        self._raw, self._equal = x[-1].copy(), equal[-1]
        still = equal >= self._still
        limit = self._limit
        step = np.abs(x - before)
        suspicious = (
            ~(np.abs(x[0] - self._good) <= limit) | ~(step[1:] <= limit).all(axis=0) | (self._even + self._wait > 0)
        )
        suspicious &= np.isfinite(limit)
        last = np.where(still | ~np.isfinite(x), 0, number).max(axis=0)
        good = np.where(last > 0, x[last - 1, np.arange(x.shape[1])], self._good)
        for channel in np.flatnonzero(suspicious).tolist():
            still[:, channel], good[channel] = self._jumps(channel, x[:, channel], step, still, limit[channel])
        self._good = good
        usual = ~still & np.isfinite(step)
        self._changes += np.where(usual, step, 0.0).sum(axis=0)
        self._counts += usual.sum(axis=0)
        x[still] = np.nan

    def _jumps(
        self, channel: int, x: FloatArray, step: FloatArray, still: NDArray[np.bool_], limit: float
    ) -> tuple[NDArray[np.bool_], float]:
        """Return which samples ``x`` (n,) of a channel are still or outliers, and the last good value."""
        good, even, wait = float(self._good[channel]), int(self._even[channel]), int(self._wait[channel])
        out = still[:, channel].copy()
        for n, value in enumerate(x.tolist()):
            if out[n] or math.isnan(value):
                even = 0
                continue
            near = math.isnan(good) or abs(value - good) <= limit
            even = 0 if near else even + 1 if step[n, channel] <= limit else 1
            if near or even >= self._anew:
                wait = max(0, wait - 1) if near else 0
                good, even, out[n] = value, 0, wait > 0
            else:
                wait, out[n] = self._quiet, True
        self._even[channel], self._wait[channel] = even, wait
        return out, good

    def _end_block(self) -> None:
        """Take in how much the samples of the block that ends changed; one that is mostly missing says nothing."""
        enough = (self._counts >= self._block / 2) & (self._changes > 0)
        self._scales[self._turn % BLOCKS] = np.where(
            enough, self._changes / np.maximum(self._counts, 1), self._scales[(self._turn - 1) % BLOCKS]
        )
        known = np.isfinite(self._scales).any(axis=0)
        self._limit[known] = JUMP * median_of_present(self._scales[:, known])
        self._turn, self._filled = self._turn + 1, 0
        self._changes[:], self._counts[:] = 0.0, 0
