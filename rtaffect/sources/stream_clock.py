"""How the clock of a sound stream lies against the LSL clock."""

from __future__ import annotations

import math
from collections import deque


class StreamClock:
    """Maps PortAudio's stream clock to the LSL clock by the pairs of least delay.

    Every callback brings the stream time at which it was invoked; the LSL clock is read right after. Their
    difference is the wanted offset plus a delay that is never negative, so the smallest one of the last seconds is
    the best. The past is forgotten in seconds, so that drift is followed, and at once when the stream clock was set
    (ALSA stamps with the time of day, which an operator or NTP may step).
    """

    WINDOW_S = 5
    STEP_S = 0.05
    STEP_AFTER_S = 0.5

    def __init__(self) -> None:
        self._minima: deque[tuple[int, float]] = deque()
        self._on_time = -math.inf
        self.offset = math.nan

    def note(self, stream_time: float, lsl_time: float) -> None:
        """Take the pair of a callback: when it was invoked and the LSL time read right after (s)."""
        delta, second = lsl_time - stream_time, math.floor(lsl_time)
        if not delta > self.offset + self.STEP_S:
            self._on_time = lsl_time
        elif lsl_time - self._on_time > self.STEP_AFTER_S:
            self._minima.clear()
            self._on_time = lsl_time
        if self._minima and self._minima[-1][0] == second:
            self._minima[-1] = (second, min(delta, self._minima[-1][1]))
        else:
            self._minima.append((second, delta))
        while self._minima[0][0] < second - self.WINDOW_S:
            self._minima.popleft()
        self.offset = min(minimum for _, minimum in self._minima)

    def to_lsl(self, stream_time: float) -> float:
        """Return the LSL time of a ``stream_time``, s."""
        return stream_time + self.offset
