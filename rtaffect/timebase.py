"""Sample times from jittered timestamps: causal, the same for any chunking, and aware of gaps and clock jumps."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter


class Break(NamedTuple):
    """A place where time does not go on evenly.

    ``sample`` is the number of the one that starts the new segment, ``jump_s`` how far its timestamp lies from
    where it was expected: positive is a gap (samples are missing), negative a clock that went back.
    """

    sample: int
    jump_s: float


class Timebase:
    """De-jitters timestamps with a tracker of offset and drift.

    The deviation of each timestamp from an even grid at the nominal rate is followed by a critically damped
    second-order (g-h) tracker, Brookner, *Tracking and Kalman Filtering Made Easy*, 1998, section 1.2.6, with
    g = 1 - p^2, h = (1 - p)^2, p = exp(-1 / (time_constant_s * rate)). It follows a constant clock drift without lag.
    Because it is linear and time-invariant, a chunk costs one ``lfilter`` call and chunking does not change it.

    Parameters
    ----------
    rate
        Nominal rate, Hz.
    time_constant_s
        Memory of the tracker, s. Devices that send bursts over Bluetooth jitter by up to .3 s.
    jump_s
        A timestamp further than this from its expected place starts a new segment, s.
    """

    def __init__(self, rate: float, time_constant_s: float = 10.0, jump_s: float = 0.5) -> None:
        self.rate, self._jump_s = rate, jump_s
        p = math.exp(-1.0 / (time_constant_s * rate))
        g, h = 1.0 - p * p, (1.0 - p) ** 2
        self._b = np.array([g, h - g])
        self._a = np.array([1.0, -2.0 * p, p * p])
        self._origin = math.nan
        self._count = 0
        self._state = np.zeros(2)
        self._last = 0.0
        self._samples = 0

    @property
    def drift_ppm(self) -> float:
        """Device clock against the nominal rate, parts per million; positive when samples come too slowly."""
        # The transposed filter state is p^2 (level + slope), so the tracker's slope needs no second filter.
        slope = self._state[0] / self._a[2] - self._last
        return float(slope) * self.rate * 1e6

    def update(self, stamps: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[Break, ...]]:
        """Return the times (n,) of samples stamped ``stamps`` (n,), s, and the breaks among them."""
        times = np.empty(len(stamps))
        breaks: list[Break] = []
        at = 0
        if math.isnan(self._origin) and len(stamps):
            self._restart(float(stamps[0]))
        while at < len(stamps):
            done, jump = self._track(stamps[at:], times[at:])
            at += done
            if jump is not None:
                breaks.append(Break(self._samples + at, jump))
                self._restart(float(stamps[at]))
        self._samples += len(stamps)
        return times, tuple(breaks)

    def _restart(self, stamp: float) -> None:
        self._origin, self._count = stamp, 0
        self._state, self._last = np.zeros(2), 0.0

    def _track(self, stamps: NDArray[np.float64], out: NDArray[np.float64]) -> tuple[int, float | None]:
        """Fill ``out`` up to the first jump; return how many were done and the jump, if any."""
        grid = self._origin + (self._count + np.arange(len(stamps))) / self.rate
        deviation = stamps - grid
        smooth, state = lfilter(self._b, self._a, deviation, zi=self._state)
        expected = np.concatenate([[self._last], smooth[:-1]])
        far = np.flatnonzero(np.abs(deviation - expected) > self._jump_s)
        n = int(far[0]) if len(far) else len(stamps)
        if n < len(stamps):
            smooth, state = lfilter(self._b, self._a, deviation[:n], zi=self._state) if n else (smooth[:0], self._state)
        out[:n] = grid[:n] + smooth[:n]
        self._state = state
        self._last = float(smooth[n - 1]) if n else self._last
        self._count += n
        return n, float(deviation[n] - expected[n]) if len(far) else None
