"""Sample times from jittered timestamps: causal, the same for any chunking, and aware of gaps and clock jumps."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from rtaffect.common.arrays import FloatArray
from rtaffect.stream.regularity import BlockJudge, Earliest, HoleFinder, Odd, StampRepair

#: A timestamp further than this from its expected place starts a new segment at once, s; devices send in bursts.
JUMP_S = 0.5
#: A new segment also starts after a whole second in which every timestamp is off to the same side by more than this,
#: s. Bursts of late samples (Bluetooth: up to .3 s) always come back within a second; lost samples never do.
SHIFT_S = 0.1
#: Memory of the tracker, s.
MEMORY_S = 10.0
#: Least distance between samples, as a fraction of the nominal one: time never stands still.
_LEAST_SPACING = 0.1


class Break(NamedTuple):
    """A place where time does not go on evenly.

    ``sample`` is the number of the one that starts the new segment, ``jump_s`` how far its timestamp lies from
    where it was expected: positive is a gap (samples are missing), negative a clock that went back.
    """

    sample: int
    jump_s: float


class Timebase:
    """De-jitters timestamps with a tracker of offset and drift.

    The deviation of each timestamp from an even grid at the nominal rate is followed, in each segment, first by a
    straight line through all deviations so far, and once that has the memory of the tracker, by a critically damped
    second-order (g-h) tracker with g = 1 - p^2, h = (1 - p)^2, p = exp(-1 / (MEMORY_S * rate)): Brookner,
    *Tracking and Kalman Filtering Made Easy*, 1998, sections 1.2.6 and 1.2.10. Both follow a constant clock drift
    without lag. A chunk costs a few vector operations and chunking does not change the result.

    Stamps that a device makes itself show missing samples at once (:class:`HoleFinder`): the signal goes on at its true
    time, after a long hole in a new segment. What of the stamps may not be relied on is told in ``odd``.

    Parameters
    ----------
    rate
        Nominal rate, Hz.
    holes
        Whether holes in steady stamps are found at once; who can look ahead does better without.

    Attributes
    ----------
    count : int
        Samples since the last break.
    odd : list of Odd
        What was found since this was emptied.
    stamps : (n,) float64
        The newest stamps, s, with those mended that could be.
    """

    def __init__(self, rate: float, *, holes: bool = True) -> None:
        self.rate = rate
        p = math.exp(-1.0 / (MEMORY_S * rate))
        g, h = 1.0 - p * p, (1.0 - p) ** 2
        self._p = p
        self._b = np.array([g, h - g])
        self._a = np.array([1.0, -2.0 * p, p * p])
        # The line's newest point moves by about 4 / n per sample, the tracker's by g.
        self._line_samples = math.ceil(4.0 / g)
        self._least_step = _LEAST_SPACING / rate
        self._run_of_a_second = max(1, round(rate))
        # The line's slope is held back until it is seen over more than about a second.
        self._prior_spread = rate**3 / 12
        self._samples = 0
        self._fresh = True
        self._repair, self._holes, self._blocks = StampRepair(rate), HoleFinder(rate, holes), BlockJudge(rate)
        self._earliest = Earliest(rate)
        self.odd: list[Odd] = []
        self.stamps: FloatArray = np.empty(0)
        self._restart(math.nan)

    @property
    def drift_ppm(self) -> float:
        """Device clock against the nominal rate, parts per million; positive when samples come too slowly."""
        return self._slope * self.rate * 1e6

    def begin_segment(self) -> None:
        """Let the next sample start a new segment, whatever its timestamp: a device came back or was reset."""
        self._fresh = True

    def update(self, stamps: FloatArray) -> tuple[FloatArray, tuple[Break, ...]]:
        """Return the times (n,) of samples stamped ``stamps`` (n,), s, and the breaks among them."""
        self.stamps, same, known = self._repair(stamps)
        shift, forced, late = self._holes(self.stamps, self._fresh)
        times, breaks = self._update(self.stamps - shift, [*sorted({*forced, *known}), len(stamps)])
        times += shift
        first = self._samples - len(stamps)
        earlier, delayed = self._earliest(times, self.stamps, [each.sample - first for each in breaks])
        times -= earlier
        self.odd += [*late, *self._blocks(self.stamps - earlier, times, same), *delayed]
        return times, breaks

    def _update(self, stamps: FloatArray, ends: list[int]) -> tuple[FloatArray, tuple[Break, ...]]:
        """Do as :meth:`update` with mended ``stamps``, of which those at ``ends`` but the last start a new segment."""
        times = np.empty(len(stamps))
        breaks: list[Break] = []
        at = 0
        if self._fresh and len(stamps):
            if self._samples:
                breaks.append(Break(self._samples, float(stamps[0]) - self._expected()))
            self._fresh = False
            self._restart(float(stamps[0]))
        for end in ends:
            while at < end:
                done, jump = self._segment(stamps[at:end], times[at:end])
                at += done
                if jump is not None:
                    breaks.append(Break(self._samples + at, jump))
                    self._restart(float(stamps[at]))
            if end < len(stamps) and not (breaks and breaks[-1].sample == self._samples + end):
                breaks.append(Break(self._samples + end, float(stamps[end]) - self._expected()))
                self._restart(float(stamps[end]))
        self._samples += len(stamps)
        return times, tuple(breaks)

    def _expected(self) -> float:
        return self._origin + self.count / self.rate + self._level

    def _restart(self, stamp: float) -> None:
        self._origin, self.count = stamp, 0
        self._level = self._slope = 0.0
        self._sum = self._moment = 0.0
        self._state: FloatArray | None = None
        self._floor = -math.inf
        # How many timestamps in a row were too late, and too early.
        self._off_before = [0, 0]

    def _segment(self, stamps: FloatArray, out: FloatArray) -> tuple[int, float | None]:
        """Fill ``out`` up to the first jump; return how many were done and the jump, if any."""
        growing = self.count < self._line_samples
        if growing:
            stamps = stamps[: self._line_samples - self.count]
        number = self.count + np.arange(len(stamps))
        grid = self._origin + number / self.rate
        deviation = stamps - grid
        line = self._line(number, deviation) if growing else None
        track = None if growing else self._track(deviation)
        smooth = (line or track or (deviation,))[0]
        residual = deviation - np.concatenate([[self._level], smooth[:-1]])
        n = self._first_jump(residual)
        # Mostly there is no jump, and all of it stands.
        whole = n == len(deviation)
        if growing:
            smooth, slope, sums = line if line and whole else self._line(number[:n], deviation[:n])
            if n:
                self._slope, (self._sum, self._moment) = float(slope[-1]), sums
        else:
            smooth, self._state = track if track and whole else self._track(deviation[:n])
            if n:
                self._slope = float(self._state[0] / self._p**2 - smooth[-1])
        self._place(grid[:n] + smooth, number[:n], residual[:n], out)
        if n:
            self._level = float(smooth[-1])
        self.count += n
        return n, float(residual[n]) if n < len(residual) else None

    def _place(self, times: FloatArray, number: NDArray[np.int64], residual: FloatArray, out: FloatArray) -> None:
        """Write ``times`` (n,) into ``out`` so that time never stands still; count how many in a row are off."""
        n = len(times)
        spaced = np.maximum.accumulate(np.concatenate([[self._floor], times - number * self._least_step]))
        out[:n] = spaced[1:] + number * self._least_step
        if n:
            self._floor = float(spaced[-1])
            for side, off in enumerate((residual > SHIFT_S, residual < -SHIFT_S)):
                self._off_before[side] = int(self._run_lengths(off, self._off_before[side])[-1]) if off[-1] else 0

    def _line(
        self, number: NDArray[np.int64], deviation: FloatArray
    ) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
        """Return the newest point (n,) and slope (n,) of the line through all so far, and the sums carried on."""
        total = np.cumsum(np.concatenate([[self._sum], deviation]))[1:]
        moment = np.cumsum(np.concatenate([[self._moment], number * deviation]))[1:]
        n = number + 1.0
        # Sums of 0..n-1 and of their squares about the mean have closed forms.
        middle, spread = (n - 1) / 2, n * (n * n - 1) / 12
        slope = (moment - middle * total) / (spread + self._prior_spread)
        carried = (float(total[-1]), float(moment[-1])) if len(n) else (self._sum, self._moment)
        return total / n + slope * (n - 1 - middle), slope, carried

    def _track(self, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the tracker's level after each deviation (n,), and its state after the last."""
        square = self._p**2
        if self._state is None:
            # lfilter's transposed state, in which p^2 (level + slope) is what the next output expects.
            self._state = np.array([square * (self._level + self._slope), -square * self._level])
        smooth, state = lfilter(self._b, self._a, deviation, zi=self._state)
        return smooth, state

    def _first_jump(self, residual: FloatArray) -> int:
        """Return the position of the first timestamp that is not where this segment goes on; n if all are."""
        jump = np.abs(residual) > JUMP_S
        for side in (0, 1):
            off = residual > SHIFT_S if side == 0 else residual < -SHIFT_S
            if off.any():
                jump |= self._run_lengths(off, self._off_before[side]) >= self._run_of_a_second
        found = np.flatnonzero(jump)
        return int(found[0]) if len(found) else len(residual)

    @staticmethod
    def _run_lengths(marked: NDArray[np.bool_], before: int) -> NDArray[np.int64]:
        """Return for each place (n,) how many in a row are marked up to it, ``before`` of them before the first."""
        place = np.arange(len(marked))
        return place - np.maximum.accumulate(np.where(marked, -1 - before, place))
