"""When the samples of a recording were taken: all in a row, or with stretches missing between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Times are equal to this, in samples.
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Timeline:
    """Samples at ``rate``, Hz, in parts that go on without a break.

    Part i begins with sample ``firsts[i]``, taken at ``starts[i]``, s from the recording's first sample; there are
    ``count`` samples in all.
    """

    rate: float
    count: int
    firsts: tuple[int, ...] = (0,)
    starts: tuple[float, ...] = (0.0,)

    @property
    def last(self) -> float:
        """Time of the last sample, s."""
        return self.time_of(self.count - 1)

    @property
    def holes(self) -> tuple[tuple[float, float], ...]:
        """Where samples are missing: from when to when, s."""
        ends = (self.time_of(first - 1) + 1 / self.rate for first in self.firsts[1:])
        return tuple(zip(ends, self.starts[1:], strict=True))

    def time_of(self, sample: int) -> float:
        """Return the time of a sample, s."""
        part = max(0, int(np.searchsorted(self.firsts, sample, side="right")) - 1)
        return self.starts[part] + (sample - self.firsts[part]) / self.rate

    def times(self, first: int, end: int) -> NDArray[np.float64]:
        """Return the times of samples ``first`` to before ``end``, s."""
        samples = np.arange(first, end)
        parts = np.maximum(0, np.searchsorted(self.firsts, samples, side="right") - 1)
        begun = np.array(self.starts)[parts]
        return np.asarray(begun + (samples - np.array(self.firsts)[parts]) / self.rate)

    def at(self, time: float) -> int:
        """Return the first sample at or after ``time``, s; ``count`` if there is none."""
        part = max(0, int(np.searchsorted(self.starts, time + _SAME / self.rate, side="right")) - 1)
        end = (*self.firsts, self.count)[part + 1]
        return min(self.firsts[part] + max(0, math.ceil((time - self.starts[part]) * self.rate - _SAME)), end)

    def span(self, start: float, stop: float) -> tuple[int, int]:
        """Return the samples (first, after the last) from ``start`` to before ``stop``, s, up to the next hole."""
        first = self.at(start)
        part = max(0, int(np.searchsorted(self.firsts, first, side="right")) - 1)
        return first, max(first, min(self.at(stop), (*self.firsts, self.count)[part + 1]))
