"""From what comes over the network to the buffer: as soon as stamps and arrivals agree on when samples were taken."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from pylsl import local_clock

from rtaffect.sources.arrival import AGREE_S, ANOTHER_CLOCK_S, LOOK_S, RATE_S, ArrivalWatch, Chunk, Found
from rtaffect.sources.foreign_clock import JUDGE_S, WAY_S, ClockJudge, Foreign, clock_of_marker, unix_to_lsl_s
from rtaffect.stream.buffer import RATE_TOLERANCE, SampleBuffer

#: A clock that is set three times within this is not known at all, s.
RESTLESS_S: Final = 10.0
#: Stamps must go on evenly for so long before a clock that was not known is known again, s.
SETTLED_S: Final = 2.0
#: What the stamps tell by themselves is compared with arrivals so often, s.
COMPARE_S: Final = 0.5
#: What is placed by arrival moves to a way that is shorter by more than this, s.
EARLIER_S: Final = 0.002

_log = logging.getLogger(__name__)


class Delivery:
    """Passes chunks on in order, holds them while it is not clear what their stamps mean, and tells what is in doubt.

    Parameters
    ----------
    name
        What the stream is called in messages.
    buffer
        Whose doubts are told.
    keep
        Gets each chunk, to record and use it.
    shift
        Called with what is to be added from now on to the sender's stamps, s, where its clock was set.
    foreign
        What becomes of stamps that are not of the LSL clock.
    way_s
        How long samples may take from being taken to coming here by the device's profile, s; None where there is none.

    Attributes
    ----------
    note : str
        What the stamps are, in words, where they are not of the LSL clock.
    here : bool
        Whether the sender runs on this computer.
    """

    def __init__(
        self,
        name: str,
        buffer: SampleBuffer,
        keep: Callable[[Chunk], None],
        shift: Callable[[float], None],
        *,
        foreign: Foreign = "arrival",
        way_s: float | None = None,
    ) -> None:
        self._way_s = way_s
        self._foreign, self._clock, self.note = foreign, ClockJudge(buffer.rate), ""
        self.here = self._by_arrival = False
        self._name, self._buffer, self._keep, self._shift = name, buffer, keep, shift
        self._arrival = ArrivalWatch(buffer.rate)
        self._look_at = self._compare_at = -math.inf
        self._offset = 0.0
        self._sets: deque[float] = deque(maxlen=3)
        # The least delay before anything was added to the stamps, and what was added since, s.
        self._usual, self._added = math.nan, 0.0
        # Since when it is not known how the clock stands, s; NaN where it is.
        self._unsettled = math.nan

    @property
    def by_arrival(self) -> bool:
        """Whether samples are placed by when they arrive."""
        return self._by_arrival or self._clock.by_arrival

    def restart(self) -> None:
        """Forget what is usual: what comes next comes by another connection."""
        self.release()
        self._arrival.restart()
        self._clock.restart()
        if self._buffer.lasts("by-arrival"):
            self._buffer.doubts.end("by-arrival", local_clock())
        self.note, self._by_arrival = "", False
        self._usual, self._added, self._unsettled = math.nan, 0.0, math.nan

    def take(self, chunk: Chunk, offset: float) -> None:
        """Take the next ``chunk``, to whose stamps ``offset`` is to be added, s."""
        known = self.note
        if self._foreign == "refuse":
            self._take(chunk, offset)
            return
        chunks = self._clock.take(chunk, offset)
        if self._clock.found is not None and not known:
            offset += self._place(chunks, offset)
        for each in chunks:
            self._take(each, offset)

    def _place(self, chunks: Sequence[Chunk], offset: float) -> float:
        """Lay the sender's clock, which is not LSL's, where ``chunks`` arrived; return what is added, s."""
        assert self._clock.found is not None
        clock, add_s, by_arrival = self._clock.found, 0.0, True
        way = "some 10 ms" if self._way_s is None else f"by its profile up to {self._way_s:.2g} s"
        how = f"samples are placed by when they arrive, and what the way takes, {way}, is not known"
        if not math.isnan(clock.unit):
            add_s = self._clock.add_s(chunks, offset)
            same = unix_to_lsl_s() - offset
            by_arrival = not (self.here and clock.is_unix and -AGREE_S < add_s - same < ANOTHER_CLOCK_S)
            self._by_arrival = by_arrival
            if not by_arrival:
                add_s, how = same, "it is that of this computer, by which samples are placed"
            self._shift(add_s)
        remedy = "let its sender stamp by local_clock"
        if doubted := by_arrival and self._foreign != "accept" and (self._way_s or 0.0) > WAY_S:
            remedy += ", or pass --foreign-clock accept if that does not matter"
        self.note = f"its stamps are {clock.words}, not of the LSL clock: {how}; {remedy}"
        if doubted:
            self._buffer.doubts.begin("by-arrival", chunks[0].arrival - JUDGE_S - ANOTHER_CLOCK_S, self.note)
        _log.warning("%r: %s", self._name, self.note)
        return add_s

    def _take(self, chunk: Chunk, offset: float) -> None:
        self._offset = offset
        self._note_no_numbers(chunk)
        verdict = self._arrival.take(chunk, offset)
        found, now = verdict.found, chunk.arrival
        if found is not None and self._is_as_before(chunk, offset):
            # What the stamps were meanwhile is no clock that was set.
            self._arrival.restart()
            found = found._replace(add_s=-self._added)
        if verdict.holds:
            words = "stamps jump and arrivals do not: it is not known yet when samples were taken"
            self._buffer.doubts.begin("clock-unknown", verdict.since, words)
        elif verdict.odd:
            self._buffer.doubts.note("stamps", verdict.since, now, verdict.odd)
            self._lose(verdict.since, now, verdict.odd)
        for each in verdict.deliver[: verdict.before]:
            self._keep(each)
        if found is not None:
            self._follow(found, now)
        for each in verdict.deliver[verdict.before :]:
            self._keep(each)
        if not verdict.holds and (now >= self._look_at or self._buffer.lasts("clock-unknown")):
            self._look_at = now + LOOK_S
            self._compare(now)

    def _is_as_before(self, chunk: Chunk, offset: float) -> bool:
        """Return whether stamps agree with arrivals again as they did before they were odd."""
        if not self._added and not self._is_odd(chunk.arrival - RESTLESS_S, chunk.arrival):
            return False
        stamps = chunk.stamps[np.isfinite(chunk.stamps)]
        raw = chunk.arrival - float(stamps[-1]) - offset + self._added if len(stamps) else math.nan
        return abs(raw - self._usual) <= AGREE_S

    def _follow(self, found: Found, now: float) -> None:
        """Go on by the clock as it was set."""
        doubts = self._buffer.doubts
        if not found.add_s:
            doubts.note("stamps", found.since, found.until, "time stamps were not those of arrivals for a while")
            return
        words = f"the sender's clock was set by {-found.add_s:+.3f} s; its stamps are moved back from then on"
        _log.warning("%r: %s", self._name, words)
        doubts.note("clock-jump", found.since, found.until, words)
        self._added += found.add_s
        self._shift(found.add_s)
        self._sets.append(now)
        if len(self._sets) == self._sets.maxlen and now - self._sets[0] < RESTLESS_S:
            words = "the sender's clock is set again and again"
            doubts.note("clock-unknown", self._sets[0] - RESTLESS_S, now + RESTLESS_S / 2, words)
        if len(self._sets) > 1 and now - self._sets[-2] < RESTLESS_S:
            self._lose(self._sets[-2], now, "the sender's clock was set more than once")

    def release(self) -> None:
        """Deliver what is held: nothing comes that could tell more."""
        held = (*self._clock.flush(), *self._arrival.flush())
        for each in held:
            self._keep(each)
        if held:
            times = np.concatenate([each.stamps for each in held]) + self._offset
            self._buffer.doubts.end("clock-unknown", float(np.nanmax([held[-1].arrival, *times])))

    def _note_no_numbers(self, chunk: Chunk) -> None:
        """Tell of samples that are left out because their stamps are no numbers: what is around them is not even."""
        if math.isfinite(float(chunk.stamps.sum())) or (finite := np.isfinite(chunk.stamps)).all():
            return
        since = chunk.arrival - 1.0
        if finite.any():
            since = min(since, float(chunk.stamps[finite].min()) + self._offset - 1.0)
        self._buffer.doubts.note(
            "stamps", since, chunk.arrival, "time stamps are not numbers: their samples are left out"
        )

    def _lose(self, since: float, now: float, words: str) -> None:
        """Let nothing be relied on from ``since`` (s) until stamps and arrivals agree again as they did before."""
        self._unsettled = now
        self._buffer.doubts.begin("clock-unknown", since, words)

    def _is_odd(self, since: float, until: float) -> bool:
        """Return whether stamps were not even between two times, s."""
        return any(each.reason in ("stamps", "losses") for each in self._buffer.doubts.within(since, until))

    def _settle(self, now: float) -> None:
        """Rely on the clock again once stamps are even, and make the delay what it was, if anything was added since."""
        doubts = self._buffer.doubts
        if self._is_odd(now - SETTLED_S, now):
            self._unsettled = now
            return
        if now - self._unsettled < SETTLED_S:
            return
        delay, since = self._arrival.delay_since(now - SETTLED_S), now - SETTLED_S
        if math.isnan(delay) or (not self._added and self._arrival.impossible(since)):
            return
        # What is usual is of the time before: what came meanwhile tells nothing.
        self._arrival.restart()
        if (by := self._back(delay)) != 0.0:
            self._added += by
            self._shift(by)
            self._unsettled = now
            return
        self._unsettled, self._usual = math.nan, delay
        doubts.end("clock-unknown", now)

    def _back(self, delay: float) -> float:
        """Return what more is to be added to stamps that are even again and ``delay`` s under way, s.

        Where they are as they were before anything was added, none of that was right, however much it is.
        """
        if self._added and abs(delay + self._added - self._usual) <= AGREE_S:
            return -self._added
        return delay - self._usual if self._added and abs(delay - self._usual) > AGREE_S else 0.0

    def _words(self, stamp: float) -> str:
        """Return which clock a ``stamp``, s, is of, in words, where that is not LSL's."""
        return clock_of_marker(stamp - self._offset).words

    def _compare(self, now: float) -> None:
        """Note what stamps and arrivals tell of clock and rate at ``now``, s."""
        delay = self._arrival.delay_s
        if self._by_arrival and delay < -EARLIER_S and math.isnan(self._unsettled):
            # A shorter way than the shortest so far: all samples until now were placed too late.
            words = "a shorter way was found by which its clock is placed"
            self._buffer.doubts.note("clock-unknown", now - RESTLESS_S, now, words)
            self._arrival.restart()
            self._shift(delay)
            return
        if self._added and math.isnan(self._unsettled) and self._is_odd(now - 1.0, now):
            self._lose(now - 1.0, now, "time stamps make no sense since the sender's clock was set")
        if not math.isnan(self._unsettled):
            self._settle(now)
        elif self._arrival.impossible():
            words = f"its stamps are {self._words(now - delay)}: placed {delay:.3g} s before they arrive"
            self._buffer.doubts.begin("clock-unknown", now - max(delay, 0.0) - 1.0, words)
        elif now >= self._compare_at or self._buffer.lasts("clock-unknown"):
            self._compare_at = now + COMPARE_S
            if self._buffer.doubts.lasts("clock-unknown"):
                self._buffer.doubts.end("clock-unknown", now)
            if not self._added and not self._is_odd(now - 1.0, now):
                self._usual = delay
        else:
            return
        self._compare_rates(now)

    def _compare_rates(self, now: float) -> None:
        """Tell of samples that come at another rate than their stamps say."""
        arriving, stamped = self._arrival.rate(), self._buffer.measured_rate
        if abs(arriving / stamped - 1.0) > RATE_TOLERANCE:
            words = f"{arriving:.4g} samples arrive in a second, and by their stamps it is {stamped:.4g}"
            self._buffer.doubts.begin("wrong-rate", now - RATE_S, words)
        elif self._buffer.doubts.lasts("wrong-rate"):
            self._buffer.doubts.end("wrong-rate", now)
