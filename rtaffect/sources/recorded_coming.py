"""When the samples of a recording are there to be read, as they were for a live session that waited for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.stream.timebase import Timebase


class Coming:
    """Tells which samples are due: at their stamps, or at the times that are made of these where those are earlier.

    A sample that was late, and stamped when it arrived, has a time before its stamp. A live session waits for it, for
    what it reads goes by times; and all that it had not waited for is told of each step. So a replay must have it when
    its time has come.

    Parameters
    ----------
    rate
        Nominal rate, Hz.
    stamps, due : (n,) float64
        Stamps of the samples, and when they come at the latest, rising, s on the LSL clock.
    begins
        Numbers of samples that begin a new segment, rising.
    first
        Number of the sample that is delivered first.
    """

    def __init__(
        self, rate: float, stamps: FloatArray, due: FloatArray, begins: Sequence[int] = (), first: int = 0
    ) -> None:
        self._stamps, self._due, self._begins = stamps, due, np.array(begins, np.intp)
        # A second at a time, as they are delivered.
        self._timebase, self._turn = Timebase(rate), max(1, round(rate))
        self._at = self._known = first
        self._ready, self._latest = np.empty(0), -math.inf

    def until(self, until: float) -> int:
        """Return the number of the sample after the last one that is due at ``until``, s, never less than before."""
        while self._known < len(self._due) and self._latest <= until:
            self._look_ahead()
        due = int(np.searchsorted(self._ready, until, side="right"))
        self._ready, self._at = self._ready[due:], self._at + due
        return self._at

    def _look_ahead(self) -> None:
        """Make times of the next second's stamps, or of those before the next segment."""
        place = int(np.searchsorted(self._begins, self._known, side="right"))
        if place and self._begins[place - 1] == self._known:
            self._timebase.begin_segment()
        part = slice(self._known, min(self._known + self._turn, len(self._due), *self._begins[place:][:1].tolist()))
        times, _ = self._timebase.update(self._stamps[part])
        self._timebase.odd = []
        # What is read stops at the first sample that is not due.
        ready = np.maximum.accumulate(np.append(self._latest, np.minimum(self._due[part], times)))
        self._ready, self._latest, self._known = np.append(self._ready, ready[1:]), float(ready[-1]), part.stop
