"""Raw traces as they are drawn: the least and the largest value in each column of pixels. No Qt.

n samples, C channels, K columns. Times are seconds on the LSL clock, values microvolts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray

#: Shown time, s.
SECONDS = 10.0
#: Lanes are so high, microvolts: 1, 2, 5 and their multiples of ten.
LANES = tuple(float(m * 10**e) for e in range(-1, 7) for m in (1, 2, 5))
#: A lane's height in standard deviations of a typical channel's values.
_ROOM = 5.0
#: A scale is kept while what it should be is within this factor of it.
_STAYS = 2.2


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """``low`` and ``high`` (C, K), microvolts about each channel's own line, NaN where there is no sample.

    Column k begins at ``start + k * width_s``, s.
    """

    start: float
    width_s: float
    low: FloatArray
    high: FloatArray


class TraceScope:
    """Keeps the columns of the last seconds; each sample is looked at once.

    Columns stand at fixed times, so that what is drawn does not change while it moves to the left.

    Parameters
    ----------
    channels
        Values per sample.
    columns
        Over ``SECONDS``.
    """

    def __init__(self, channels: int, columns: int) -> None:
        self.columns, self.width_s = columns, SECONDS / columns
        # Two more than are shown: the newest and the oldest are not whole.
        self._kept = columns + 2
        self._low = np.full((channels, self._kept), np.nan)
        self._high = self._low.copy()
        self._newest: int | None = None

    def wanted_s(self, now: float) -> float:
        """Return of how many of the newest seconds the samples are needed at ``now``, s on the LSL clock."""
        if self._newest is None:
            return SECONDS + 2 * self.width_s
        return float(np.clip(now - self._newest * self.width_s + 0.5, 0.5, SECONDS + 2 * self.width_s))

    def take(self, times: FloatArray, samples: NDArray[np.float32]) -> None:
        """Take the newest samples (n, C), V, at ``times`` (n,), s; some may have come before."""
        numbers = np.floor(times / self.width_s).astype(np.int64)
        if self._newest is not None:
            # The newest column may have been cut short; the one before was whole.
            numbers = numbers[numbers >= self._newest]
        if not len(numbers):
            return
        samples = samples[len(samples) - len(numbers) :]
        begins = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1) != 0)
        values = 1e6 * samples.astype(np.float64)
        self._forget(int(numbers[-1]))
        at = numbers[begins] % self._kept
        # Of more columns than are kept the last ones stay.
        last = slice(max(0, len(at) - self._kept), None)
        self._low[:, at[last]] = np.fmin.reduceat(values, begins, axis=0)[last].T
        self._high[:, at[last]] = np.fmax.reduceat(values, begins, axis=0)[last].T
        self._newest = int(numbers[-1])

    def _forget(self, newest: int) -> None:
        """Empty the columns up to ``newest`` that held older ones."""
        before = self._newest if self._newest is not None else newest - self._kept
        emptied = np.arange(max(before + 1, newest - self._kept + 1), newest + 1) % self._kept
        self._low[:, emptied] = self._high[:, emptied] = np.nan

    def traces(self, now: float) -> Traces:
        """Return what is shown at ``now``, s on the LSL clock."""
        right = int(np.floor(now / self.width_s))
        numbers = np.arange(right - self.columns + 1, right + 1)
        newest = self._newest if self._newest is not None else -1
        held = (numbers <= newest) & (numbers > newest - self._kept)
        low, high = (np.where(held, kept[:, numbers % self._kept], np.nan) for kept in (self._low, self._high))
        line = line_of((low + high) / 2)
        return Traces(float(numbers[0]) * self.width_s, self.width_s, low - line, high - line)


def line_of(values: FloatArray) -> FloatArray:
    """Return the straight line (C, K) through each channel's ``values`` (C, K); NaN count for nothing."""
    finite = np.isfinite(values)
    known = np.where(finite, values, 0.0)
    count = np.maximum(finite.sum(axis=1, keepdims=True), 1)
    middle = known.sum(axis=1, keepdims=True) / count
    x = np.linspace(-0.5, 0.5, values.shape[1])
    x = x - (finite * x).sum(axis=1, keepdims=True) / count
    slope = (np.where(finite, x, 0.0) * (known - middle)).sum(axis=1, keepdims=True)
    return np.asarray(middle + slope / np.maximum((finite * x * x).sum(axis=1, keepdims=True), 1e-12) * x)


def lane_height(traces: Traces, present: float | None) -> float:
    """Return how many microvolts a lane is high: ``present``, unless that has become far too little or too much."""
    both = np.concatenate([traces.low, traces.high], axis=1)
    finite = np.isfinite(both)
    power = np.square(np.where(finite, both, 0.0)).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
    alive = finite.any(axis=1) & (power > 0)
    wanted = _ROOM * float(np.sqrt(np.median(power[alive]))) if alive.any() else 0.0
    if not wanted > 0:
        return present or 100.0
    if present is not None and wanted / _STAYS <= present <= wanted * _STAYS:
        return present
    return nice(wanted)


def nice(wanted: float) -> float:
    """Return the least of ``LANES`` that is ``wanted`` or more."""
    return next((lane for lane in LANES if lane >= wanted), LANES[-1])


def stepped(present: float, steps: int) -> float:
    """Return the lane height ``steps`` further in ``LANES``."""
    at = LANES.index(nice(present)) + steps
    return LANES[min(max(at, 0), len(LANES) - 1)]
