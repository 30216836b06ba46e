"""Recorded clock offsets, used as a live session would have used them: causally, and across restarts of the sender.

An offset is what must be added to a stamp of the sending computer to place it on the recording computer's clock. It is
measured every few seconds, and recorded with the sender's time of the measurement. When the sending computer restarts
(or another takes its place), its clock starts anew: stamps and offsets jump by opposite amounts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: The time from one measurement to the next must differ from the usual by this much to be a clock reset, s.
RESET_INTERVAL_S = 5.0
#: The offset must change by this much to be a clock reset, s: it is measured to milliseconds and drifts by less.
RESET_OFFSET_S = 1.0


class Corrected(NamedTuple):
    """Stamps on the recording computer's clock.

    ``stamps`` (n,) float64, s; ``used`` (n,) the number of the measurement used for each (-1: there is none);
    ``resets`` the numbers of the samples that are the first after a clock reset.
    """

    stamps: FloatArray
    used: NDArray[np.intp]
    resets: tuple[int, ...]


def correct(stamps: FloatArray, clock_times: FloatArray, clock_values: FloatArray) -> Corrected:
    """Add to each stamp the newest offset measured so far.

    Samples that precede the first measurement (of the file, or after a reset) get that one, as a live inlet measures
    once before it delivers.

    Parameters
    ----------
    stamps : (n,) float64, s
        Stamps as the sender made them, in recorded order.
    clock_times, clock_values : (m,) float64, s
        Times of the measurements on the sender's clock, and what they found.
    """
    used = np.full(len(stamps), -1, np.intp)
    if not len(clock_times) or not len(stamps):
        return Corrected(stamps.copy(), used, ())
    segments = clock_segments(clock_times, clock_values)
    current, begin, resets = segments[0], 0, []
    for following in segments[1:]:
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


def _newest(stamps: FloatArray, clock_times: FloatArray, numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each of ``stamps`` the newest of the measurements ``numbers`` made until then, else the first."""
    known = np.maximum.accumulate(stamps) if len(stamps) else stamps
    made = np.maximum.accumulate(clock_times[numbers])
    at: NDArray[np.intp] = numbers[np.maximum(np.searchsorted(made, known, side="right") - 1, 0)]
    return at
