"""What stamps tell of themselves: which can be mended, where samples are missing, and at which rate they come.

All of it looks at nothing but the stamps, in order, so that a recording tells the same as the live stream did, in any
chunks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.medians import median

#: Stamps are judged in blocks of so many seconds of samples.
BLOCK_S: Final = 0.5
#: A block is in doubt if more than this share of its stamps goes back by more than a sample, or has not changed.
MOST_BACK, MOST_SAME = 0.3, 0.3
#: Delays that vary keep samples in order: where more than this share goes back, they are something else.
MOST_BACK_DELAYED: Final = 0.1
#: Stamps that stay the same for longer than this tell nothing, s.
SAME_S: Final = 0.5
#: So many stamps that are equal are those of one chunk; fewer are an accident, or ticks of a clock.
LEAST_CHUNK: Final = 3
#: A hole in the stamps must be this long to be one, s, and half a sample at least.
LEAST_HOLE_S: Final = 0.003
#: A hole in which this much is missing starts a new segment, s; over a shorter one the signal goes on at its true time.
BREAK_S: Final = 0.04
#: Late stamps that come back by less than this are left to the tracker, s.
COME_BACK_S: Final = 0.005
#: Stamps that did not come early for this long are the device's own, s, as are a stream's first ones after the second.
STEADY_S, FIRST_STEADY_S = 10.0, 0.5
#: Stamps that come back within this time were late, s.
LATE_S: Final = 1.0
#: Above this rate blocks of a sound device are stamped, and no single sample is, Hz.
FASTEST_HZ: Final = 5000.0
#: The rate is measured over at most this many seconds of samples, and told after the least, by marks so far apart, s.
RATE_S, RATE_LEAST_S, MARK_S = 10.0, 2.5, 0.25
#: Times this far from their stamps for two blocks are displaced, s; more where stamps are jittered.
DISPLACED_S: Final = 0.01
#: How many times the usual deviation of a block's median is not jitter.
DISPLACED_TIMES: Final = 6.0
#: Before it is known what is usual, so much is, s; and more than this is never followed.
UNKNOWN_JITTER_S, MOST_JITTER_S = 0.05, 0.06

#: Stamps wander to later times only, for what delays them varies: samples were taken at the earliest ones, which this
#: part of them lies before. Below the second and above the first distance from the middle, s, that is noise of a clock.
EARLIEST: Final = 0.02
DELAYED_S, NOT_DELAYED_S = 0.012, 0.008
#: Stamps that are all nearer to the middle than this are in it, s.
LEAST_EARLY_S: Final = 1e-6
#: The earliest ones are known after so many blocks, of the last so many; times follow by so much in a second, s.
KNOWN_BLOCKS, LAST_BLOCKS, FOLLOW_S = 4, 20, 0.05
#: Of a new segment the middle of the stamps is not known before, s; and how long delays may vary before it is found, s.
MIDDLE_S, FOUND_S, UNSURE_S = 1.5, 5.0, 3.0


class Odd(NamedTuple):
    """Stamps that may not be relied on: a reason of the table of doubts, first and last instant (s), and in words."""

    reason: str
    since: float
    until: float
    words: str


class StampRepair:
    """Spreads stamps that are equal to the last bit: those of one chunk, which was complete at that instant.

    How many samples a chunk has is known from the two before: the smaller of them, so that a stamp that stands twice
    moves nothing but itself.
    """

    def __init__(self, rate: float) -> None:
        self._rate, self._longest = rate, max(2, round(SAME_S * rate))
        self._raw = math.nan
        self._held = 0
        self._sizes = (1, 1)
        self._usual = 1

    def __call__(self, stamps: FloatArray) -> tuple[FloatArray, NDArray[np.bool_], list[int]]:
        """Mend ``stamps`` (n,), s.

        Returns
        -------
        mended : (n,) float64
        unsure : (n,) bool
            Which of them tell nothing.
        known : list of int
            From where on it is known of how many samples a chunk is, so that time begins anew there.
        """
        if not len(stamps):
            return stamps, np.zeros(0, np.bool_), []
        new = np.concatenate([[self._raw], stamps[:-1]]) != stamps
        starts = np.concatenate([[-self._held], np.flatnonzero(new)])
        if len(starts) == len(stamps) + 1 and self._sizes == (1, 1) and self._held <= 1:
            self._raw, self._held = float(stamps[-1]), 1
            return stamps, np.zeros(len(stamps), np.bool_), []
        sizes = np.concatenate([self._sizes, np.maximum(np.diff(starts), 1)])
        sizes[sizes > self._longest] = 1
        chunk = np.cumsum(new)
        within = np.arange(len(stamps)) - starts[chunk]
        usual = np.minimum(sizes[:-1], sizes[1:])
        usual = np.where(usual < LEAST_CHUNK, 1, usual)[chunk]
        self._raw, self._held = float(stamps[-1]), len(stamps) - int(starts[-1])
        self._sizes = (int(sizes[-2]), int(sizes[-1]))
        # Of a chunk whose size is not known yet it cannot be said where its stamp belongs.
        unsure = (within >= self._longest) | ((usual == 1) & ((within > 1) | (sizes[1:][chunk] >= LEAST_CHUNK)))
        before = np.concatenate([[self._usual], usual[:-1]])
        self._usual = int(usual[-1])
        known = np.flatnonzero((before == 1) & (usual > 1)).tolist()
        return stamps + (within - (usual - 1)) / self._rate, unsure, known


class HoleFinder:
    """Finds missing samples, and clocks that were set, in stamps that a device makes itself.

    Such stamps are even: none comes early. A late one is therefore a hole, at once; where it comes back after all, the
    stamps between were late, and whoever used them is told. In stamps that do come early now and then, which are those
    of arrivals, a single one tells nothing.
    """

    def __init__(self, rate: float, finds: bool = True) -> None:
        self._rate, self._off = rate, rate > FASTEST_HZ or not finds
        self._least = max(0.5, LEAST_HOLE_S * rate)
        self._count = 0
        self._last = self._before_hole = math.nan
        self._early = -round((STEADY_S - FIRST_STEADY_S) * rate)
        self._hole = -round(2 * STEADY_S * rate)
        self._shift = 0.0

    def __call__(self, stamps: FloatArray, fresh: bool) -> tuple[FloatArray, list[int], list[Odd]]:
        """Look at the next ``stamps`` (n,), s; ``fresh``: the first begins a new segment anyway.

        Returns
        -------
        shift : (n,) float64
            How much was missing before each, s, in holes that start no new segment.
        breaks : list of int
            Positions that start a new segment.
        odd : list of Odd
            Spans in which stamps were late, found afterwards.
        """
        before = np.concatenate([[self._last], stamps[:-1]])
        off = (stamps - before) * self._rate - 1.0
        if fresh or math.isnan(self._last):
            off[:1] = 0.0
        if self._off or not len(stamps) or float(np.abs(off).max()) <= self._least:
            self._count += len(stamps)
            self._last = float(stamps[-1]) if len(stamps) else self._last
            return np.full(len(stamps), self._shift), [], []
        late, early = off > self._least, off < -self._least
        breaks, odd = self._search(stamps, before, off, early)
        hole = late & self._steady(early)
        long = hole & (off >= BREAK_S * self._rate)
        shift = self._shift + np.cumsum(np.where(hole & ~long, off / self._rate, 0.0))
        self._close(stamps, before, early, hole)
        self._shift = float(shift[-1])
        return shift, sorted({*breaks, *np.flatnonzero(long).tolist()}), odd

    def _steady(self, early: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each stamp whether none before it came early for long."""
        number = self._count + np.arange(len(early))
        newest = np.maximum.accumulate(np.concatenate([[self._early], np.where(early, number, self._early)]))[:-1]
        steady: NDArray[np.bool_] = number - newest > STEADY_S * self._rate
        return steady

    def _search(
        self, stamps: FloatArray, before: FloatArray, off: FloatArray, early: NDArray[np.bool_]
    ) -> tuple[list[int], list[Odd]]:
        """Find where steady stamps go back; takes out of ``early`` (n,) those that a clock's setting explains."""
        breaks: list[int] = []
        odd: list[Odd] = []
        while len(first := np.setdiff1d(np.flatnonzero(early & self._steady(early)), breaks)):
            at = int(first[0])
            holes = np.flatnonzero((off[:at] > self._least) & self._steady(early)[:at])
            hole = self._count + int(holes[-1]) if len(holes) else self._hole
            since = float(before[holes[-1]]) if len(holes) else self._before_hole
            back = -off[at] / self._rate
            returned = self._count + at - hole <= LATE_S * self._rate
            if returned and back >= COME_BACK_S:
                words = f"stamps were up to {back * 1e3:.0f} ms late for a moment"
                # Whether their delay varies from now on shows in the next seconds.
                until = max(since, float(stamps[at])) + UNSURE_S
                odd.append(Odd("stamps", min(since, float(stamps[at])), until, words))
                breaks.append(at)
            elif back >= BREAK_S:
                breaks.append(at)
                early[at] = False
            else:
                break
        return breaks, odd

    def _close(self, stamps: FloatArray, before: FloatArray, early: NDArray[np.bool_], hole: NDArray[np.bool_]) -> None:
        if not len(stamps):
            return
        for place in np.flatnonzero(early)[-1:]:
            self._early = self._count + int(place)
        for place in np.flatnonzero(hole)[-1:]:
            self._hole, self._before_hole = self._count + int(place), float(before[place])
        self._count += len(stamps)
        self._last = float(stamps[-1])


class RateMeter:
    """The rate at which samples come by their stamps, over the last seconds and whatever breaks lie in them.

    The median of the slopes between pairs of marks, one each quarter of a second (Theil, 1950; Sen,
    *J. Am. Stat. Assoc.* 63, 1968). The pairs lie 1 to 3 s apart, so that few of them span a gap or jump, which move it
    by little.

    Attributes
    ----------
    rate : float
        Hz; NaN in the first seconds.
    lost : float
        Share of samples that are missing where the others come at their even distance; 0 where that is not so.
    """

    def __init__(self, rate: float) -> None:
        self._rate, self._every = rate, max(1, round(MARK_S * rate))
        self._marks: deque[tuple[float, float]] = deque(maxlen=round(RATE_S / MARK_S) + 1)
        # The stamps since the newest mark, with that.
        self._pending: list[FloatArray] = []
        self._held = 0
        self.rate, self.lost = math.nan, 0.0

    def add(self, stamps: FloatArray) -> None:
        """Take the next ``stamps`` (n,), s."""
        self._pending.append(stamps)
        self._held += len(stamps)
        if self._held <= self._every and self._marks:
            return
        held = np.concatenate(self._pending)
        if not self._marks and len(held):
            self._marks.append((float(held[0]), math.nan))
        while len(held) > self._every:
            self._marks.append((float(held[self._every]), median(np.diff(held[: self._every + 1]))))
            held = held[self._every :]
        if len(held) < self._held:
            self._measure()
        self._pending, self._held = [held], len(held)

    def _measure(self) -> None:
        if len(self._marks) <= RATE_LEAST_S / MARK_S:
            return
        marks = np.array([mark for mark, _ in self._marks])
        slopes = [(marks[apart:] - marks[:-apart]) / apart for apart in range(4, 13) if apart < len(marks)]
        slope = median(np.concatenate(slopes))
        self.rate = self._every / slope if slope > 0 else math.nan
        usual = median(np.array([spacing for _, spacing in self._marks if not math.isnan(spacing)]))
        even = abs(usual * self._rate - 1.0) < 0.1 and math.isfinite(self.rate)
        self.lost = max(0.0, 1.0 - self.rate / self._rate) if even else 0.0


class BlockJudge:
    """Judges times against their stamps, half a second at a time."""

    def __init__(self, rate: float) -> None:
        self._rate, self._size = rate, max(2, round(BLOCK_S * rate))
        self._pending: list[tuple[FloatArray, FloatArray, NDArray[np.bool_]]] = []
        self._held = 0
        self._usual: deque[float] = deque(maxlen=40)
        self._last, self._start, self._side = math.nan, math.nan, 0

    def __call__(self, stamps: FloatArray, times: FloatArray, same: NDArray[np.bool_]) -> list[Odd]:
        """Take the next ``stamps`` (n,) and the ``times`` (n,) that were made of them, s; ``same``: tells nothing."""
        self._pending.append((stamps, times, same))
        self._held += len(stamps)
        if self._held < self._size:
            return []
        stamps, times, same = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
        odd: list[Odd] = []
        while len(stamps) >= self._size:
            back = np.diff(stamps[: self._size], prepend=self._last) * self._rate < -1.0
            self._last = float(stamps[self._size - 1])
            off = stamps[: self._size] - times[: self._size]
            odd += self._judge(times[: self._size], off, back, same[: self._size])
            stamps, times, same = stamps[self._size :], times[self._size :], same[self._size :]
        self._pending, self._held = [(stamps, times, same)], len(stamps)
        return odd

    def _judge(self, times: FloatArray, off: FloatArray, back: NDArray[np.bool_], same: NDArray[np.bool_]) -> list[Odd]:
        since, until = float(times.min()), float(times.max())
        odd = []
        if same.mean() > MOST_SAME:
            odd.append(
                Odd(
                    "stamps",
                    since,
                    until,
                    "many samples have one time stamp, and it is not known which of them it is of",
                )
            )
        if back.mean() > MOST_BACK:
            odd.append(Odd("stamps", since, until, "many time stamps go back"))
        typical = median(np.array(self._usual)) if len(self._usual) >= 6 else UNKNOWN_JITTER_S / DISPLACED_TIMES
        if typical > MOST_JITTER_S:
            odd.append(Odd("stamps", since, until, "time stamps wander by more than can be followed"))
        middle = median(off)
        far = abs(middle) > max(DISPLACED_S, DISPLACED_TIMES * typical)
        side = int(math.copysign(1, middle)) if far else 0
        if far and (side == self._side or abs(middle) > 2 * max(DISPLACED_S, DISPLACED_TIMES * typical)):
            words = "times are not those of the stamps: samples were lost, or a clock was set"
            # It may have begun in the block before.
            odd.append(Odd("losses", float(np.fmin(self._start, since)), until, words))
        if not far:
            self._usual.append(abs(middle))
        self._side, self._start = side, since
        return odd


class Earliest:
    """How much earlier than the middle of their stamps samples were taken, where their delay varies.

    A device that stamps evenly, but for the noise of a clock, is right in the middle. Where stamps are made on arrival
    (Bluetooth), each has a delay that is never negative, and the middle lies by its mean too late: people whose
    delays vary differently would be displaced against each other. The least delay is the same for all samples.
    """

    def __init__(self, rate: float) -> None:
        self._size = max(2, round(BLOCK_S * rate))
        self._every, self._new, self._spacing = max(1, self._size // 64), round(MIDDLE_S * rate), 1 / rate
        self._kept: deque[FloatArray] = deque(maxlen=LAST_BLOCKS)
        self._pending: list[tuple[FloatArray, NDArray[np.bool_]]] = []
        self._at, self._since, self._last = 0, math.nan, math.nan
        # For so many samples more the middle is not known.
        self._unknown = self._new
        self._before = self._after = 0.0
        self._delayed = self._early = False

    def __call__(self, times: FloatArray, stamps: FloatArray, breaks: Sequence[int]) -> tuple[FloatArray, list[Odd]]:
        """Take the next ``stamps`` (n,), s, and the middle of such as ``times`` (n,), s; segments start at ``breaks``.

        Returns
        -------
        earlier : (n,) float64
            How much earlier than ``times`` the samples were taken, s.
        odd : list of Odd
            Spans in which that is not known to ``DISPLACED_S``.
        """
        earlier, odd, done = np.empty(len(times)), list[Odd](), 0
        off, back = self._known(stamps - times, breaks), np.diff(stamps, prepend=self._last) < -self._spacing
        self._last = float(stamps[-1]) if len(stamps) else self._last
        while done < len(times):
            if self._at == 0:
                self._since = float(times[done])
            part = slice(done, done + self._size - self._at)
            self._pending.append((off[part], back[part]))
            place = self._at + np.arange(1, len(off[part]) + 1)
            earlier[part] = self._before + (self._after - self._before) * place / self._size
            done, self._at = done + len(place), int(place[-1])
            if self._at == self._size:
                odd += self._learn(float(times[done - 1]))
        return earlier, odd

    def _known(self, off: FloatArray, breaks: Sequence[int]) -> FloatArray:
        """Return ``off`` (n,) with NaN where a segment is too new."""
        if not self._unknown and not breaks:
            return off
        off = off.copy()
        off[: self._unknown] = np.nan
        self._unknown = max(0, self._unknown - len(off))
        for at in breaks:
            off[at : at + self._new] = np.nan
            self._unknown = max(self._unknown, at + self._new - len(off))
        return off

    def _learn(self, until: float) -> list[Odd]:
        off, back = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
        block = off[:: self._every]
        self._pending, self._at, self._before = [], 0, self._after
        if np.isnan(block).any() or back.mean() > MOST_BACK_DELAYED:
            return []
        early, before = float(block.max()) < -LEAST_EARLY_S, self._early
        self._early = early
        if early:
            # The middle is not where they are: a clock was set, or nothing delays them any more. They are right.
            if not (before and self._delayed):
                return []
            self._kept.clear()
        self._kept.append(block)
        if len(self._kept) < KNOWN_BLOCKS and not self._delayed:
            return []
        depth = -float(np.quantile(np.concatenate(self._kept), EARLIEST))
        found = depth > DELAYED_S and not self._delayed
        self._delayed = depth > (NOT_DELAYED_S if self._delayed else DELAYED_S)
        wanted = depth if self._delayed else 0.0
        most = FOLLOW_S * BLOCK_S
        self._after += min(max(wanted - self._before, -most), most)
        if abs(wanted - self._before) <= DISPLACED_S:
            return []
        words = "the delay of time stamps varies: samples are moved to where they were taken"
        # In the next block times go there.
        return [Odd("stamps", self._since - FOUND_S if found else self._since, until + BLOCK_S, words)]
