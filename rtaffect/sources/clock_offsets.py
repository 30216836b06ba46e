"""Clock offsets, used live and in replay by one rule: causally, and across restarts of the sender.

An offset is what must be added to a stamp of the sending computer to place it on the recording computer's clock. It is
measured every few seconds, and recorded with the sender's time of the measurement. When the sending computer restarts
(or another takes its place), its clock starts anew: stamps and offsets jump by opposite amounts.

To a stamp is added the newest offset whose time of measurement is not later than the newest stamp so far, else the
first. A live source knows when it was connected anew, and begins anew with the offsets (:class:`SenderClock`); its
recording says where that was (:class:`Segment`). In recordings by others it is found (:func:`clock_segments`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray

#: The time from one measurement to the next must differ from the usual by this much to be a clock reset, s.
RESET_INTERVAL_S = 5.0
#: The offset must change by this much to be a clock reset, s: it is measured to milliseconds and drifts by less.
RESET_OFFSET_S = 1.0
#: Stamps that lie further than this before an earlier one come from a clock that was reset, s, or that one was wrong.
STEP_BACK_S = 10.0


class Segment(NamedTuple):
    """A place where a recorded source began anew, as it was live.

    ``sample`` is the number of the first sample after it, ``clock`` the number of the first measurement of the
    sender's new clock, None where the clock went on.
    """

    sample: int
    clock: int | None = None


class Corrected(NamedTuple):
    """Stamps on the recording computer's clock.

    ``stamps`` (n,) float64, s; ``used`` (n,) the number of the measurement used for each (-1: there is none);
    ``resets`` the numbers of the samples that are the first after a clock reset.
    """

    stamps: FloatArray
    used: NDArray[np.intp]
    resets: tuple[int, ...]


class SenderClock:
    """A sender's clock as it is measured live, one connection after the other."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._values: list[float] = []
        self.restart()

    def restart(self) -> None:
        """Forget the measurements: the next sample comes from another clock."""
        self._times.clear()
        self._values.clear()
        self._latest = self._last = -math.inf

    def was_reset(self, value: float) -> bool:
        """Return whether the measurement ``value``, s, or the stamps so far show that the clock was set anew."""
        changed = bool(self._values) and abs(value - self._values[-1]) > RESET_OFFSET_S
        return changed or self._latest - self._last > STEP_BACK_S

    def note(self, now: float, value: float) -> float:
        """Take the measurement that at ``now`` on this computer's clock ``value`` is to be added, s.

        Returns
        -------
        float
            The time on the sender's clock from which on it counts: later than all stamps so far, which did without it.
        """
        time = max(now - value, math.nextafter(self._latest, math.inf), *self._times[-1:])
        self._times.append(time)
        self._values.append(value)
        return time

    @property
    def offset(self) -> float:
        """The newest measurement, s; there must be one."""
        return self._values[-1]

    def correct(self, stamps: FloatArray) -> FloatArray:
        """Return ``stamps`` (n,), s, finite, as they came, on this computer's clock; needs a measurement."""
        if not len(stamps):
            return stamps
        latest = self._latest
        self._latest, self._last = max(latest, float(stamps.max())), float(stamps[-1])
        if len(self._times) == 1:
            alone: FloatArray = stamps + self._values[0]
            return alone
        used = newest(stamps, np.array(self._times), latest)
        corrected: FloatArray = stamps + np.array(self._values)[used]
        # What is older than the one in use is never used again.
        del self._times[: used[-1]], self._values[: used[-1]]
        return corrected


def correct(
    stamps: FloatArray, clock_times: FloatArray, clock_values: FloatArray, segments: Sequence[Segment] | None = None
) -> Corrected:
    """Add to each stamp the newest offset measured so far.

    Samples that precede the first measurement (of the file, or after a reset) get that one, as a live inlet measures
    once before it delivers.

    Parameters
    ----------
    stamps : (n,) float64, s
        Stamps as the sender made them, in recorded order.
    clock_times, clock_values : (m,) float64, s
        Times of the measurements on the sender's clock, and what they found.
    segments
        Where the source began anew, in order; None where the recording does not say.
    """
    if segments is not None:
        return _correct_runs(stamps, clock_times, clock_values, segments)
    used = np.full(len(stamps), -1, np.intp)
    if not len(clock_times) or not len(stamps):
        return Corrected(stamps.copy(), used, ())
    runs = clock_segments(clock_times, clock_values)
    current, begin, resets = runs[0], 0, []
    for following in runs[1:]:
        change = float(clock_values[following[0]] - clock_values[current[-1]])
        if abs(change) <= RESET_OFFSET_S:
            # A single wild measurement lay between the two: the same clock goes on.
            current = np.concatenate([current, following])
            continue
        at = _first_after_reset(
            stamps[begin:], float(clock_times[current[-1]]), float(clock_times[following[0]]), change
        )
        if at is None:
            continue
        used[begin : begin + at] = _newest(stamps[begin : begin + at], clock_times, current)
        begin, current = begin + at, following
        if at:
            resets.append(begin)
    used[begin:] = _newest(stamps[begin:], clock_times, current)
    return Corrected(stamps + clock_values[used], used, tuple(resets))


def clock_segments(clock_times: FloatArray, clock_values: FloatArray) -> list[NDArray[np.intp]]:
    """Return the numbers of the measurements that belong to one run of the sender's clock, run by run.

    A new run begins where the offset jumps and the time of measurement jumps too: both together, because each alone
    also happens in a network that is merely slow. Time that goes back is a jump of any size.
    """
    numbers = np.arange(len(clock_times))
    if len(clock_times) < 2:
        return [numbers]
    interval, change = np.diff(clock_times), np.diff(clock_values)
    odd = (interval < 0) | (np.abs(interval - np.median(interval)) > RESET_INTERVAL_S)
    return np.split(numbers, np.flatnonzero(odd & (np.abs(change) > RESET_OFFSET_S)) + 1)


def _first_after_reset(stamps: FloatArray, last_before: float, first_after: float, change: float) -> int | None:
    """Return which of ``stamps`` is the first of the new clock, or None if all belong to the old one.

    It is the jump of the stamps that the offset's ``change`` explains best. Without such a jump the samples lie on one
    side of the reset only: the side whose measurements are nearer in time.
    """
    if not len(stamps):
        return None
    jump = np.diff(stamps)
    went_on = jump + change
    explained = (np.abs(jump) > RESET_OFFSET_S) & (np.abs(went_on) < np.abs(jump)) & (went_on > -RESET_OFFSET_S)
    if explained.any():
        return int(np.argmin(np.where(explained, np.abs(went_on), np.inf))) + 1
    return 0 if abs(stamps[0] - first_after) < abs(stamps[0] - last_before) else None


def newest(stamps: FloatArray, clock_times: FloatArray, latest: float = -math.inf) -> NDArray[np.intp]:
    """Return for each of ``stamps`` (n,) the number of the measurement to use: the newest made until then.

    Made until then means: not later than the newest stamp so far, of which ``latest`` is the newest before. Where there
    is none, it is the first measurement. ``clock_times`` (m,), m > 0, are when each was made; all in s on one clock.
    """
    known = np.maximum.accumulate(np.maximum(stamps, latest))
    made = np.maximum.accumulate(clock_times)
    at: NDArray[np.intp] = np.maximum(np.searchsorted(made, known, side="right") - 1, 0)
    return at


def _newest(stamps: FloatArray, clock_times: FloatArray, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each of ``stamps`` which of the measurements ``numbers`` is to be used."""
    return numbers[newest(stamps, clock_times[numbers])]


def _correct_runs(
    stamps: FloatArray, clock_times: FloatArray, clock_values: FloatArray, segments: Sequence[Segment]
) -> Corrected:
    """Do as :class:`SenderClock` did, which began anew at those ``segments`` that have another clock."""
    used = np.full(len(stamps), -1, np.intp)
    anew = [(each.sample, each.clock) for each in segments if each.clock is not None]
    resets = []
    for (begin, first), (end, after) in pairwise([(0, 0), *anew, (len(stamps), len(clock_times))]):
        numbers = np.arange(first, after)
        if begin < end and len(numbers):
            used[begin:end] = _newest(stamps[begin:end], clock_times, numbers)
            if begin and abs(clock_values[used[begin]] - clock_values[used[begin - 1]]) > RESET_OFFSET_S:
                resets.append(begin)
    # Without any measurement, which is number -1, the stamps stand.
    return Corrected(stamps + np.append(clock_values, 0.0)[used], used, tuple(resets))
