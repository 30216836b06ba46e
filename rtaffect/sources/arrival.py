"""Stamps against arrival: what a sender's clock does that no stamp tells by itself.

A sample cannot arrive before it was taken, and the least delay of a second's samples is nearly constant, however
unevenly they are sent. So three cases are told apart by two differences:

- stamps jump and arrivals pause alike: samples were lost, and the stamps are right;
- arrivals pause and stamps go on evenly: samples are late, and the stamps are right;
- stamps jump and arrivals go on evenly: the sender's clock was set, and arrivals say by how much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray

#: Delays within this time are compared, s.
MEMORY_S: Final = 10.0
#: So long must samples have come before anything is told, s.
LEARN_S: Final = 2.0
#: Stamps and arrivals that differ by less than this agree, s.
AGREE_S: Final = 0.03
#: Samples are held back for so long until it is clear what their stamps mean, s: long enough for several chunks.
HOLD_S: Final = 0.4
#: What needs all that was seen is looked at so often, s.
LOOK_S: Final = 0.2
#: Over so many seconds the least delay, or the latest stamp, is free of jitter.
ENVELOPE_S: Final = 1.0
#: Stamps that lie further from their arrival than this cannot be of the clock that was measured, s.
IMPOSSIBLE_S, ANOTHER_CLOCK_S = 0.2, 10.0
#: The rate of arrivals is told after this long without a pause, s, and only from samples that are not much later than
#: the usual ones, s: not from what had to wait while this program was held up.
RATE_S, PAUSE_S, LATER_S = 5.0, 1.0, 0.25
#: What waited while this program was held up has been taken this long after, s; only later does a delay tell a clock.
RESUMED_S: Final = 1.0
#: Held stamps that are less even than this tell no clock, s: bursts are more even.
UNEVEN_S: Final = 0.3


class Chunk(NamedTuple):
    """What came at once: stamps (n,) as sent, values (n, channels) as sent, and when, s on the LSL clock."""

    stamps: FloatArray
    values: NDArray[Any]
    arrival: float


class Found(NamedTuple):
    """The stamps of a clock that was set: what is to be added to them from now on, s, and since when in doubt."""

    add_s: float
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with what came.

    Attributes
    ----------
    deliver : tuple of Chunk
        What is clear now, in order; those after the first ``before`` of them are of the clock that was ``found``.
    found : Found or None
        How the sender's clock was set.
    holds : bool
        Whether samples are held back.
    since : float
        From which time on samples were held back, or are odd, s on the LSL clock.
    odd : str
        What is wrong with the stamps of what was held, if it is not their clock.
    """

    deliver: tuple[Chunk, ...]
    before: int = 0
    found: Found | None = None
    holds: bool = False
    since: float = math.nan
    odd: str = ""


class Course:
    """What was seen of the last seconds, in order: rows of an array that is moved to its front when it is full.

    What is asked several times a second is so asked of an array, not of objects.
    """

    def __init__(self, columns: int) -> None:
        self._rows = np.empty((256, columns))
        self._begin = self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def rows(self) -> FloatArray:
        """The rows (n, columns), which may be written; valid until the next is added."""
        return self._rows[self._begin : self._end]

    def add(self, *values: float) -> None:
        """Add a row."""
        if self._end == len(self._rows):
            self.replace(self.rows)
        self._rows[self._end] = values
        self._end += 1

    def drop_first(self) -> None:
        """Forget the oldest row."""
        self._begin += 1

    def replace(self, rows: FloatArray) -> None:
        """Let ``rows`` (n, columns) be what was seen."""
        kept = len(rows)
        to = self._rows if 2 * kept <= len(self._rows) else np.empty((4 * kept, self._rows.shape[1]))
        to[:kept] = rows.copy()
        self._rows, self._begin, self._end = to, 0, kept


class ArrivalWatch:
    """Compares stamps with arrivals, chunk by chunk.

    Parameters
    ----------
    rate
        Of the samples, Hz.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.restart()

    def restart(self) -> None:
        """Forget what is usual: what comes next comes by another connection."""
        # Arrival, delay of the newest sample, and its stamp less the time that the samples so far take, s.
        self._seen = Course(3)
        self._last_arrival = math.nan
        # The least of the delays; NaN where that is to be looked up.
        self._least = math.nan
        self._begun = self._last = math.nan
        # When something came again after a pause.
        self._resumed = -math.inf
        self._count = 0
        self._held: list[Chunk] = []
        self._held_delays: list[float] = []
        self._since = math.nan
        self._jump = 0.0
        self._look_at = -math.inf

    @property
    def delay_s(self) -> float:
        """The least delay of the last seconds, s; NaN before there is one."""
        if math.isnan(self._least):
            self._least = float(self._seen.rows[:, 1].min()) if len(self._seen) else math.nan
        return self._least

    def delay_since(self, arrival: float) -> float:
        """Return the least delay of what arrived after ``arrival`` (s), s; NaN where nothing did."""
        seen = self._seen.rows
        if not len(seen) or arrival < seen[0, 0]:
            return self.delay_s
        delays = seen[seen[:, 0] > arrival, 1]
        return float(delays.min()) if len(delays) else math.nan

    def impossible(self, since: float = -math.inf) -> bool:
        """Return whether no delay explains how far stamps and arrivals lie apart, of what came after ``since`` (s)."""
        delay = self.delay_since(max(since, self._resumed + RESUMED_S))
        return not math.isnan(delay) and not -IMPOSSIBLE_S <= delay <= ANOTHER_CLOCK_S

    def rate(self) -> float:
        """Return how many samples arrive in a second, Hz; NaN where that is not clear."""
        seen = self._seen.rows
        if len(seen) < 2 or np.diff(seen[:, 0]).max() > PAUSE_S:
            return math.nan
        seen = seen[seen[:, 1] <= seen[:, 1].min() + LATER_S]
        # What is missing by the stamps, in holes that are shorter than a pause, was not to arrive.
        missing = np.diff(seen[:, 2])
        took = float(np.ptp(seen[:, 0]) - missing[missing > LATER_S].sum())
        # What was counted is in the stamps less their course.
        count = (seen[:, 0] - seen[:, 1] - seen[:, 2]) * self._rate
        return float(count[-1] - count[0]) / took if took >= RATE_S else math.nan

    def flush(self) -> tuple[Chunk, ...]:
        """Return what is held, which is not held any longer."""
        held, self._held = tuple(self._held), []
        return held

    def take(self, chunk: Chunk, offset: float) -> Verdict:
        """Take the next ``chunk``, to whose stamps the clock's ``offset`` is to be added, s, and tell what is clear."""
        times = chunk.stamps + offset
        if not math.isfinite(float(times.sum())):
            finite = np.isfinite(times)
            if not finite.any():
                return Verdict((chunk,), before=1)
            number = np.arange(len(finite))
            times = np.interp(number, number[finite], times[finite])
        if self._held:
            return self._go_on(chunk, times, offset)
        learnt = chunk.arrival - self._begun >= LEARN_S
        if learnt and (at := self._set_at(times, chunk.arrival)) is not None:
            return self._hold(chunk, times, at)
        self._note(times, chunk.arrival)
        found = None
        if chunk.arrival >= self._look_at:
            self._look_at = chunk.arrival + LOOK_S
            found = self._crept(chunk.arrival) if learnt else None
        return Verdict((chunk,), before=0 if found else 1, found=found)

    def _set_at(self, times: FloatArray, arrival: float) -> int | None:
        """Return the first of ``times`` (n,), s, that jumps where arrivals do not; None if all agree."""
        jump = float(times[-1] - self._last) - len(times) / self._rate
        if abs(jump) <= AGREE_S:
            return None
        delay, usual = arrival - float(times[-1]), self._seen.rows[:, 1]
        ahead = jump > AGREE_S and delay < usual.min() - max(AGREE_S, jump / 2)
        behind = jump < -AGREE_S and delay > usual.max() + max(AGREE_S, -jump / 2)
        if not (ahead or behind):
            return None
        jumps = np.diff(times, prepend=self._last) - 1 / self._rate
        at = int(np.argmax(jumps if ahead else -jumps))
        self._jump = float(jumps[at])
        return at

    def _hold(self, chunk: Chunk, times: FloatArray, at: int) -> Verdict:
        before = Chunk(chunk.stamps[:at], chunk.values[:at], chunk.arrival)
        self._since = float(times[at - 1]) if at else self._last
        self._held = [Chunk(chunk.stamps[at:], chunk.values[at:], chunk.arrival)]
        self._held_delays = [chunk.arrival - float(times[-1])]
        if at:
            self._count += at
            self._last = self._since
        return Verdict((before,) if at else (), before=1, holds=True, since=self._since)

    def _go_on(self, chunk: Chunk, times: FloatArray, offset: float) -> Verdict:
        self._held.append(chunk)
        self._held_delays.append(chunk.arrival - float(times[-1]))
        if chunk.arrival - self._held[0].arrival < HOLD_S:
            return Verdict((), holds=True, since=self._since)
        held, since = self.flush(), min(self._since, chunk.arrival)
        stamps = np.concatenate([each.stamps[np.isfinite(each.stamps)] for each in held]) + offset
        off = stamps - np.arange(len(stamps)) / self._rate
        ahead = self.delay_s - min(self._held_delays)
        uneven = float(np.subtract(*np.percentile(off, (90, 10))))
        still = float(np.ptp(stamps)) < (held[-1].arrival - held[0].arrival) / 2
        if abs(ahead) > AGREE_S and not still and uneven < UNEVEN_S + abs(self._drift) * len(stamps) / self._rate:
            # The jump of the stamps says it to the microsecond, where arrivals agree that nothing was lost.
            exact = self._jump if abs(self._jump - ahead) < AGREE_S else ahead
            found = Found(-exact, since, chunk.arrival)
            self._note(stamps - exact, chunk.arrival)
            return Verdict(held, found=found)
        self._note(stamps, chunk.arrival)
        odd = "time stamps jump forth and back while samples come evenly" if abs(ahead) <= AGREE_S else ""
        odd = odd or "time stamps are neither even nor those of arrivals"
        if abs(ahead) > AGREE_S:
            # What is usual is learnt anew.
            self.restart()
        return Verdict(held, before=len(held), since=since, odd=odd)

    @property
    def _drift(self) -> float:
        """By how much of a second the stamps run away from the samples' count in each second."""
        seen = self._seen.rows
        if len(seen) < 2 or seen[-1, 0] - seen[0, 0] < LEARN_S:
            return 0.0
        return float((seen[-1, 2] - seen[0, 2]) / (seen[-1, 0] - seen[0, 0]))

    def _note(self, times: FloatArray, arrival: float) -> None:
        """Take what is relied on into what is usual."""
        if not len(self._seen):
            self._begun = arrival
        elif arrival - self._last_arrival > PAUSE_S:
            self._resumed = arrival
        self._last_arrival = arrival
        self._count += len(times)
        self._last = float(times[-1])
        delay = arrival - self._last
        self._seen.add(arrival, delay, self._last - self._count / self._rate)
        # Where it is not known it is looked up, with this one.
        self._least = min(self._least, delay)
        while (oldest := self._seen.rows[0])[0] < arrival - MEMORY_S:
            if oldest[1] <= self._least:
                self._least = math.nan
            self._seen.drop_first()

    def _crept(self, arrival: float) -> Found | None:
        """Return how the clock was set, where that shows only in the last second as a whole; None if it was not."""
        seen = self._seen.rows
        new = seen[:, 0] > arrival - ENVELOPE_S
        old = seen[:, 0] < arrival - 1.5 * ENVELOPE_S
        near = old & (seen[:, 0] > arrival - 3.5 * ENVELOPE_S)
        if new.sum() < 3 or near.sum() < 3 or _stand_still(seen[new, 0], seen[new, 0] - seen[new, 1]):
            return None
        later = float(seen[new, 1].min() - seen[near, 1].min())
        if abs(later) <= AGREE_S or (later < 0) != bool(seen[new, 1].min() < seen[old, 1].min() - AGREE_S):
            return None
        # The drift by a rate that is a little off, from before; then how far the stamps moved against the count.
        level = seen[:, 2] - _slope(seen[old, 0], seen[old, 2]) * (seen[:, 0] - arrival)
        moved = float(level[new].min() - level[near].min())
        if abs(moved + later) > abs(later) / 3:
            return None
        # Of the two ways to say how far, the steadier one is taken: a radio's delay varies, or stamps do.
        if level[near].std() < seen[near, 1].std():
            later = -moved
        since = seen[:, 0] > arrival - 1.5 * ENVELOPE_S
        seen[since, 1:] -= later, moved
        self._seen.replace(seen[~since | new])
        self._last, self._least = self._last + later, math.nan
        return Found(later, arrival - 2.0 * ENVELOPE_S, arrival)


def _stand_still(arrivals: FloatArray, stamps: FloatArray) -> bool:
    """Return whether ``stamps`` (n,) go on by much less than their ``arrivals`` (n,), s: that is no clock."""
    return float(stamps[-1] - stamps[0]) < float(arrivals[-1] - arrivals[0]) / 2


def _slope(at: FloatArray, course: FloatArray) -> float:
    """Return how fast ``course`` (n,) moves with the time ``at`` (n,), s, but for its jumps: the median of slopes."""
    apart = max(1, len(at) // 6)
    took = at[apart:] - at[:-apart]
    moved = course[apart:] - course[:-apart]
    return float(np.median(moved[took > 0] / took[took > 0])) if (took > 0).any() else 0.0
