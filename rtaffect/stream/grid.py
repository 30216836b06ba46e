"""Evenly sampled values at the instants of a time grid, by band-limited interpolation."""

from __future__ import annotations

import math

import numpy as np

from rtaffect.common.arrays import FloatArray


class GridInterpolator:
    """Evaluates a band-limited, nearly evenly sampled signal at the instants k / ``grid_rate``.

    Windowed-sinc interpolation over ``2 * HALF`` samples (Kaiser window) from a table of phases, Smith, *Digital Audio
    Resampling*, ccrma.stanford.edu/~jos/resample: for a signal below .8 of the Nyquist frequency the error is below
    -60 dB. A segment starts as if its first sample had always been there.

    Parameters
    ----------
    rate
        Nominal rate of the samples, Hz.
    grid_rate
        Rate of the grid, Hz.
    channels
        Values per sample.
    """

    HALF = 12
    BETA = 6.0
    PHASES = 1024

    def __init__(self, rate: float, grid_rate: float, channels: int) -> None:
        self._rate, self._grid_rate = rate, grid_rate
        self._samples = np.empty((0, channels))
        self._times = np.empty(0)
        self._next: int | None = None
        self._offsets = np.arange(1 - self.HALF, self.HALF + 1)
        self._weights = self._table()

    @property
    def lookahead_s(self) -> float:
        """How much later than an instant the samples must reach for it to be evaluated, s."""
        return (self.HALF + 1) / self._rate

    def reset(self) -> None:
        """Forget the past: the grid goes on where the next samples allow it."""
        self._samples, self._times, self._next = self._samples[:0], self._times[:0], None

    def flush(self) -> tuple[int, FloatArray]:
        """Return what is left up to the last sample, as if that went on for ever; then forget the past."""
        if not len(self._times):
            return 0, self._samples
        beyond = np.arange(1, self.HALF + 1)
        out = self(np.repeat(self._samples[-1:], self.HALF, axis=0), self._times[-1] + beyond / self._rate)
        self.reset()
        return out

    def __call__(self, samples: FloatArray, times: FloatArray) -> tuple[int, FloatArray]:
        """Take samples (n, channels) at ``times`` (n,), s since the grid's origin, rising.

        Returns
        -------
        first : int
            Grid number k of the first row returned.
        values : (m, channels) float64
            The signal at k / grid_rate for k = first, first + 1, ...
        """
        if not len(self._times) and len(times):
            before = self.HALF - 1
            self._samples = np.repeat(samples[:1], before, axis=0)
            self._times = times[0] - np.arange(before, 0, -1) / self._rate
            self._next = math.ceil(times[0] * self._grid_rate - 1e-6)
        self._samples = np.concatenate([self._samples, samples])
        self._times = np.concatenate([self._times, times])
        if len(self._times) < 2 * self.HALF or self._next is None:
            return 0, self._samples[:0]
        first, last = self._next, math.ceil(self._times[-self.HALF] * self._grid_rate - 1e-6)
        if last <= first:
            return first, self._samples[:0]
        values = self._evaluate(np.arange(first, last) / self._grid_rate)
        self._next = last
        keep = max(0, int(np.searchsorted(self._times, last / self._grid_rate, side="right")) - 1 - self.HALF)
        self._samples, self._times = self._samples[keep:], self._times[keep:]
        return first, values

    def _evaluate(self, at: FloatArray) -> FloatArray:
        """Interpolate at instants ``at`` (m,)."""
        left = np.searchsorted(self._times, at, side="right") - 1
        left = np.clip(left, self.HALF - 1, len(self._times) - self.HALF - 1)
        phase = (at - self._times[left]) / (self._times[left + 1] - self._times[left])
        place = np.clip(phase, 0.0, 1.0) * self.PHASES
        step = np.minimum(place.astype(np.intp), self.PHASES - 1)
        share = (place - step)[:, None]
        weights = self._weights[step] * (1.0 - share) + self._weights[step + 1] * share
        return np.asarray(np.einsum("mk,mkc->mc", weights, self._samples[left[:, None] + self._offsets]))

    def _table(self) -> FloatArray:
        """Return the weights (PHASES + 1, 2 * HALF) of the neighbours for each phase, each row summing to one."""
        distance = np.arange(self.PHASES + 1)[:, None] / self.PHASES - self._offsets
        window = np.i0(self.BETA * np.sqrt(np.clip(1 - (distance / self.HALF) ** 2, 0, None)))
        weights = np.sinc(distance) * window
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))
