"""Unix time of this computer, which may be stepped at any moment, on the LSL clock, which never is."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from pylsl import local_clock

from rtaffect.common.arrays import FloatArray

#: A difference of the clocks that changes by more than this is a step of Unix time, s. Windows' Unix time moves on in
#: ticks of up to 15.6 ms, which are not steps.
STEP_S = 0.03
#: The least difference within this is the present one, s: long enough to meet the start of a tick.
MEMORY_S = 2.0
#: Two readings of the LSL clock around one of Unix time should be this close, s; on a busy computer they are not.
CLOSE_S = 5e-5
#: Readings further apart than this say nothing new, s.
USELESS_S = 1e-3


class HostClock:
    """Brings stamps in Unix time of this computer onto the LSL clock, by reading both clocks at every poll.

    Slewing by NTP (500 ppm at most) is followed to a millisecond. A step changes the difference of the clocks at once:
    what was stamped before it keeps the old difference.

    Parameters
    ----------
    lsl, unix
        The clocks, s.
    """

    def __init__(self, lsl: Callable[[], float] = local_clock, unix: Callable[[], float] = time.time) -> None:
        self._lsl, self._unix = lsl, unix
        self._recent: deque[tuple[float, float]] = deque()
        self._previous = self._now = math.nan
        #: What is to be added to Unix time, s; and what was before the newest step, NaN if there was none since the
        #: last but one update.
        self.offset = self.offset_before = math.nan
        self.steps = 0

    def update(self) -> float:
        """Read both clocks and return LSL time, s."""
        now, apart, offset = min((self._read() for _ in range(3)), key=lambda reading: reading[1])
        self._previous, self._now = self._now, now
        self.offset_before = math.nan
        # Where this program was held up between two readings, the difference is not known to half of that time.
        stepped = abs(offset - self.offset) > STEP_S + apart / 2
        if apart > USELESS_S and self._recent and not stepped:
            return now
        if stepped:
            self.offset_before = self.offset
            self.steps += 1
            self._recent.clear()
        self._recent.append((now, offset))
        while self._recent[0][0] < now - MEMORY_S:
            self._recent.popleft()
        self.offset = min(offset for _, offset in self._recent)
        return now

    def _read(self) -> tuple[float, float, float]:
        """Return LSL time, how far the readings around Unix time lie apart, and LSL time less Unix time, s."""
        before, unix, after = self._lsl(), self._unix(), self._lsl()
        return after, max(after - before, CLOSE_S), (before + after) / 2 - unix

    def to_lsl(self, stamps: FloatArray) -> FloatArray:
        """Return the LSL times of ``stamps`` (n,), Unix time, s, that were made since the update before the last."""
        times = stamps + self.offset
        if math.isnan(self.offset_before):
            return times
        before = stamps + self.offset_before
        return np.where(self._outside(before) < self._outside(times), before, times)

    def _outside(self, times: FloatArray) -> FloatArray:
        """Return how far ``times`` (n,) lie outside of the time since the update before the last, s."""
        since = self._now if math.isnan(self._previous) else self._previous
        return np.maximum(np.maximum(since - times, times - self._now), 0.0)
