"""Raw traces as they are drawn: the least and the largest value in each column of pixels. No Qt.

n samples, C channels, K columns. Times are seconds on the LSL clock, values microvolts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.stream.source import Source

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

    @property
    def known(self) -> bool:
        """Whether there is any sample."""
        return bool(np.isfinite(self.low).any())

    def of(self, channels: slice) -> Traces:
        """Return those of some channels."""
        return replace(self, low=self.low[channels], high=self.high[channels])


class TraceScope:
    """Keeps the ``columns`` of the last ``seconds``; each sample, of ``channels`` values, is looked at once.

    Columns stand at fixed times, so that what is drawn does not change while it moves to the left.
    """

    def __init__(self, channels: int, columns: int, seconds: float = SECONDS) -> None:
        self.columns, self.width_s, self._seconds = columns, seconds / columns, seconds
        # Two more than are shown: the newest and the oldest are not whole.
        self._kept = columns + 2
        self._low = np.full((channels, self._kept), np.nan)
        self._high = self._low.copy()
        self._newest: int | None = None

    def wanted_s(self, now: float) -> float:
        """Return of how many of the newest seconds the samples are needed at ``now``, s on the LSL clock."""
        if self._newest is None:
            return self._seconds + 2 * self.width_s
        return float(np.clip(now - self._newest * self.width_s + 0.5, 0.5, self._seconds + 2 * self.width_s))

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


class SourceTraces:
    """The traces of a source of EEG as they come; no reader of the source notices.

    They have at most ``columns`` over the shown ``seconds``: each has two samples or more. ``traces`` are those of the
    last look, and ``lane`` is the height of a lane, microvolts.
    """

    def __init__(self, source: Source, columns: int, seconds: float = SECONDS) -> None:
        self.source = source
        count = most_columns(columns, seconds, source.info.rate)
        self._scope = TraceScope(len(source.info.channels), count, seconds)
        self.traces = self._scope.traces(0.0)
        self.lane = lane_height(self.traces, None)

    def take(self, now: float, *, keep_lane: bool = False) -> None:
        """Read what is new at ``now``, s on the LSL clock; ``keep_lane`` leaves the height of lanes as it is."""
        self._scope.take(*self.source.buffer.tail(self._scope.wanted_s(now)))
        self.traces = self._scope.traces(now)
        if not keep_lane:
            self.lane = lane_height(self.traces, self.lane)


def most_columns(columns: int, seconds: float, rate: float) -> int:
    """Return ``columns``, or so many that each of ``seconds`` has two samples at ``rate``, Hz."""
    return max(1, min(columns, int(seconds * rate / 2)))


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


def lane_text(lane: float) -> str:
    """Return the height of a lane, microvolts, in words."""
    for factor, unit in ((1e-6, "V"), (1e-3, "mV"), (1.0, "\N{MICRO SIGN}V")):
        if lane * factor >= 1:
            return f"{lane * factor:g} {unit}"
    return f"{1e3 * lane:g} nV"
