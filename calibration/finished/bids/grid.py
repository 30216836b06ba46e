"""Where the samples of a recording lie on an even grid: its stamps jitter, drift and leave gaps.

Samples are never resampled: each keeps its value and the order goes on, one place after the other; only where samples
are missing are places left out. The grid's rate is the one measured on the recording computer's clock, so that a time
of that clock and the grid stay together for hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import RecordingError
from rtaffect.stream.timebase import Timebase

#: Stamps are averaged over this long before and after a sample to know when it was taken, s.
HALF_WINDOW_S = 10.0
#: A drift that adds up to less over the whole recording is none, samples.
LEAST_DRIFT = 0.5
#: A rate this far from the declared one (fraction) is a wrong declaration, not drift.
RATE_TOLERANCE = 0.1
#: The means of the stamps over this long before and after a loss are compared, s.
SIDE_S = 5.0
#: A loss is told from jitter if it is so many robust standard deviations of that difference, and at least so long.
SPREADS, LEAST_SAMPLES, LEAST_S = 6.0, 2.0, 0.005
#: Stamps are given to the time base so many at once, s.
_PIECE_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """An even grid, and where the samples of a recording lie on it.

    Attributes
    ----------
    rate
        Places per second: the nominal rate, or the measured one where the clock's drift adds up to half a sample, Hz.
    nominal
        The declared rate, Hz.
    places : (n,) int64
        Where each sample lies, rising from 0.
    times : (n,) float64
        When each sample was taken, without jitter, s on the LSL clock; never falling: where the clock went back, what
        was before has the time after.
    gaps
        Places without a sample: (first, first after), in order.
    deviation_s
        How far at most a sample lies from its place in time, s.
    """

    rate: float
    nominal: float
    places: NDArray[np.int64]
    times: FloatArray
    gaps: tuple[tuple[int, int], ...]
    deviation_s: float

    @property
    def length(self) -> int:
        """Number of places."""
        return int(self.places[-1]) + 1

    def onset(self, time: float) -> float:
        """Return where ``time`` (s, LSL clock) lies, s from the first place; before it negative."""
        after = int(np.searchsorted(self.times, time, side="right"))
        if after == 0:
            return float(time - self.times[0])
        if after == len(self.times):
            return float(self.places[-1] / self.rate + time - self.times[-1])
        share = (time - self.times[after - 1]) / (self.times[after] - self.times[after - 1])
        place = self.places[after - 1] + share * (self.places[after] - self.places[after - 1])
        return float(place / self.rate)


def place(stamps: FloatArray, nominal: float, begins: Sequence[int] = ()) -> Grid:
    """Return the grid of samples that are stamped ``stamps`` (n,), n > 0, s on the LSL clock, at ``nominal`` Hz.

    Parameters
    ----------
    stamps, nominal
        The stamps and the declared rate.
    begins
        Samples that are known to be the first after an interruption.

    Raises
    ------
    RecordingError
        If the rate is another one.
    """
    edges = _edges(stamps, nominal, begins)
    period = _period(stamps, edges, nominal)
    if abs(1.0 / (period * nominal) - 1.0) > RATE_TOLERANCE:
        raise RecordingError(
            f"declares {nominal:g} Hz but has samples at {1.0 / period:.4g} Hz; expected the true rate: correct rate "
            "in the session's session.toml ([eeg])"
        )
    drifted = abs(1.0 / (period * nominal) - 1.0) * (stamps[-1] - stamps[0]) * nominal
    rate = float(nominal) if drifted < LEAST_DRIFT else round(1.0 / period, 6)
    times, places = np.empty(len(stamps)), np.empty(len(stamps), np.int64)
    gaps, stop = list[tuple[int, int]](), 0
    for first, end in pairwise(edges):
        times[first:end] = _smooth(stamps[first:end], period, nominal)
        begin = max(stop, round((times[first] - times[0]) * rate))
        if begin > stop:
            gaps.append((stop, begin))
        stop = begin + end - first
        places[first:end] = np.arange(begin, stop)
    deviation = float(np.abs(places / rate - (times - times[0])).max())
    rising = np.minimum.accumulate(times[::-1])[::-1]
    return Grid(rate, float(nominal), places, rising, tuple(gaps), deviation)


def _edges(stamps: FloatArray, rate: float, begins: Sequence[int]) -> list[int]:
    """Return where segments begin, in order, and the number of samples."""
    known = [0, *sorted({each for each in begins if 0 < each < len(stamps)}), len(stamps)]
    found = {first + each for first, end in pairwise(known) for each in find_breaks(stamps[first:end], rate)}
    return sorted({*known, *found})


def find_breaks(stamps: FloatArray, rate: float) -> list[int]:
    """Return the numbers of the samples before which some are missing, or the clock went back.

    The time base of live sessions finds the long ones, though only when a second has passed: the place is where two
    levels tell the stamps around it best. What it takes for drift, but is a step that lasts, is a loss, too.
    """
    base, noticed = Timebase(rate, holes=False), list[int]()
    piece, side = max(1, round(_PIECE_S * rate)), max(1, round(SIDE_S * rate))
    for at in range(0, len(stamps), piece):
        noticed += [each.sample for each in base.update(stamps[at : at + piece])[1]]
    breaks, previous = list[int](), 0
    for each, following in pairwise([*noticed, len(stamps)]):
        first, stop = max(previous, each - side), min(following, each + round(rate))
        previous = first + _step_in(stamps[first:stop] - np.arange(stop - first) / rate)
        breaks.append(previous)
    losses = [
        first + each
        for first, end in pairwise([0, *breaks, len(stamps)])
        for each in _losses(stamps[first:end] - stamps[first] - np.arange(end - first) / rate, side, rate)
    ]
    return sorted({*breaks, *losses})


def _losses(levels: FloatArray, side: int, rate: float) -> list[int]:
    """Return where ``levels`` (n,), s, rise for good by more than jitter does."""
    if len(levels) < 4 * side:
        return []
    total = np.concatenate([[0.0], np.cumsum(levels - levels.mean())])
    mean = (total[side:] - total[:-side]) / side
    rise = mean[side:] - mean[:-side]
    usual = np.median(rise)
    spread = 1.4826 * np.median(np.abs(rise - usual))
    high = np.flatnonzero(rise - usual > max(SPREADS * spread, LEAST_SAMPLES / rate, LEAST_S))
    found = []
    for run in np.split(high, np.flatnonzero(np.diff(high) > side) + 1) if len(high) else ():
        first = int(run[np.argmax(rise[run])])
        at = first + _step_in(levels[first : first + 2 * side])
        later = levels[at + side : at + 3 * side]
        # What is late for some seconds only was held up, not lost.
        if not len(later) or later.mean() - mean[first] > rise[first] / 2:
            found.append(at)
    return found


def _step_in(levels: FloatArray) -> int:
    """Return where the mean of ``levels`` (n,) changes most, by least squares; at least 1."""
    n = len(levels)
    if n < 2:
        return n
    before = np.arange(1, n)
    total = np.cumsum(levels - levels.mean())[:-1]
    return int(np.argmax(total**2 / (before * (n - before)))) + 1


def _period(stamps: FloatArray, edges: list[int], nominal: float) -> float:
    """Return the time from sample to sample, s: one slope for all segments, by least squares."""
    above = below = 0.0
    for first, end in pairwise(edges):
        number = np.arange(end - first) - (end - first - 1) / 2
        above += float(number @ (stamps[first:end] - stamps[first]))
        below += float(number @ number)
    return above / below if above > 0 else 1.0 / nominal


def _smooth(stamps: FloatArray, period: float, rate: float) -> FloatArray:
    """Return the times (n,) of one segment: the even grid plus the mean deviation of the stamps around each sample."""
    even = np.arange(len(stamps)) * period
    total = np.concatenate([[0.0], np.cumsum(stamps - stamps[0] - even)])
    half, number = round(HALF_WINDOW_S * rate), np.arange(len(stamps))
    low, high = np.maximum(number - half, 0), np.minimum(number + half + 1, len(stamps))
    times: FloatArray = stamps[0] + even + (total[high] - total[low]) / (high - low)
    return times
