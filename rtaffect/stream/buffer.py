"""Samples of one source with their times, between the thread that writes and the engine that reads."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import setting
from rtaffect.stream.doubt import Doubts
from rtaffect.stream.limits import check_size
from rtaffect.stream.regularity import RATE_LEAST_S, Odd, RateMeter
from rtaffect.stream.ring import RingBuffer
from rtaffect.stream.status import SourceKind, SourceStatus, StreamState
from rtaffect.stream.timebase import Timebase

#: A delivered rate this far from the declared one (fraction) is a wrong declaration, not drift.
RATE_TOLERANCE = 0.1
#: A share of samples that is missing here and there: above the first, times are not sure; above the second, another
#: rate is the likelier reason.
LOSSES, MOST_LOSSES = 0.1, 0.4
#: Samples of which more than this came after they were read are late, s.
LATE_S = 0.02
#: Stamps are made times when somebody asks, and at the latest when there are so many, s: what that costs hardly depends
#: on how many they are, and chunking changes nothing.
PENDING_S = 0.5


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples of one source.

    ``first`` is the number of the first sample, ``samples`` (n, channels) float32, ``times`` (n,) float64 s on the
    LSL clock, ``breaks`` the positions in this block at which a new segment starts (a gap or clock jump lies before
    them).
    """

    first: int
    samples: NDArray[np.float32]
    times: NDArray[np.float64]
    breaks: tuple[int, ...]

    @property
    def stop(self) -> int:
        """Number of the sample after the last one."""
        return self.first + len(self.times)


class Hole(NamedTuple):
    """A place where the samples of a source do not go on evenly.

    ``before`` and ``after`` are the times of the last sample before it and of the first one after it, s on the LSL
    clock. ``jump_s`` is positive where samples are missing, negative where the sender's clock went back.
    """

    before: float
    after: float
    jump_s: float


class SampleBuffer:
    """One source's newest samples and times: one writer, one reader, a lock between them.

    Parameters
    ----------
    rate
        Nominal rate, Hz.
    channels
        Values per sample.
    seconds
        How much is kept, more than LSL keeps for a process that sleeps; a reader that falls further behind loses
        samples, which is counted and in doubt.

    Attributes
    ----------
    tells_late : bool
        Whether samples that come after their time was read are told: those of live EEG, which no later step takes in.
    """

    def __init__(self, rate: float, channels: int, seconds: float = 75.0) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"a sample buffer needs a regular rate in Hz, not {rate}")
        # Again, for what comes by another way than the door: memory is taken here.
        check_size("to be kept", channels, rate)
        capacity = max(1, math.ceil(seconds * rate))
        self.rate = rate
        self._samples = RingBuffer(capacity, channels, np.float32)
        self._times = RingBuffer(capacity, 1, np.float64)
        self._timebase = Timebase(rate)
        self._meter = RateMeter(rate)
        self._breaks: deque[int] = deque(maxlen=1024)
        self._holes: deque[Hole] = deque(maxlen=1024)
        self._hole_count, self._read_until, self._newest = 0, math.nan, math.nan
        # Stamps of samples that are here, and are not made times yet.
        self._pending: list[NDArray[np.float64]] = []
        self._most_pending = max(1, round(PENDING_S * rate))
        self._lock = threading.Lock()
        self._doubts = Doubts()
        self.tells_late = False
        self._late_samples = self._gaps = self._clock_jumps = 0
        self.overruns = 0
        # Up to which time a reader has asked, s, and whether samples before that came since.
        self._asked, self._late_since_read = -math.inf, False

    @property
    def received(self) -> int:
        """Samples written since the start."""
        return self._samples.head

    @property
    def newest(self) -> float:
        """Time of the newest sample, s; NaN before the first."""
        self._catch_up()
        return self._newest

    @property
    def doubts(self) -> Doubts:
        """Times whose samples may not be relied on, s on the LSL clock: told by whoever notices."""
        self._catch_up()
        return self._doubts

    @property
    def late_samples(self) -> int:
        """How many samples came after their time was read, where that is told."""
        self._catch_up()
        return self._late_samples

    @property
    def gaps(self) -> int:
        """Places where samples are missing."""
        self._catch_up()
        return self._gaps

    @property
    def clock_jumps(self) -> int:
        """Places where the sender's clock went back."""
        self._catch_up()
        return self._clock_jumps

    def lasts(self, reason: str) -> bool:
        """Return whether a doubt for ``reason`` that is not told by the stamps themselves was begun and not ended."""
        return self._doubts.lasts(reason)

    def holes_since(self, count: int) -> tuple[int, tuple[Hole, ...]]:
        """Return how many holes there were so far, and those of them after the first ``count``, the newest 1,024."""
        with self._lock:
            self._time()
            new = min(self._hole_count - count, len(self._holes))
            return self._hole_count, tuple(self._holes)[len(self._holes) - new :]

    @property
    def drift_ppm(self) -> float:
        """Device clock against the nominal rate, parts per million."""
        self._catch_up()
        return self._timebase.drift_ppm

    @property
    def measured_rate(self) -> float:
        """Samples per second by the timestamps, Hz, whatever breaks lie between; NaN in the first seconds."""
        with self._lock:
            self._time()
            return self._meter.rate

    def begin_segment(self) -> None:
        """Let the next sample start a new segment: the device came back, or its clock was reset."""
        with self._lock:
            self._time()
            self._timebase.begin_segment()

    def push(self, samples: NDArray[np.floating], stamps: NDArray[np.float64]) -> None:
        """Write ``samples`` (n, channels) taken at ``stamps`` (n,), s on the LSL clock, jittered as they come."""
        if len(samples) != len(stamps):
            raise ValueError(f"{len(samples)} samples with {len(stamps)} timestamps")
        if not len(stamps):
            return
        # What is kept until somebody asks is ours.
        stamps = np.array(stamps, np.float64)
        with self._lock:
            self._samples.append(np.asarray(samples, np.float32))
            self._pending.append(stamps)
            if self._samples.head - self._times.head >= self._most_pending:
                self._time()

    def _catch_up(self) -> None:
        """Make the stamps so far times; whoever holds the lock calls :meth:`_time`."""
        if self._pending:
            with self._lock:
                self._time()

    def _time(self) -> None:
        """Make the stamps so far times, and tell what they show."""
        if not self._pending:
            return
        stamps = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending)
        first, before = self._times.head, self._newest
        times, breaks = self._timebase.update(stamps)
        self._meter.add(self._timebase.stamps)
        self._tell(times)
        self._times.append(times[:, None])
        self._newest = float(times[-1])
        for sample, jump_s in breaks:
            self._breaks.append(sample)
            at = sample - first
            self._holes.append(Hole(float(times[at - 1]) if at else before, float(times[at]), jump_s))
            self._hole_count += 1
            self._gaps += jump_s > 0
            self._clock_jumps += jump_s < 0
        # Emptied last: who sees nothing pending without the lock sees what it became.
        self._pending = []

    def _tell(self, times: NDArray[np.float64]) -> None:
        """Note what of the newest ``times`` (n,), s, is in doubt."""
        told, self._timebase.odd = self._timebase.odd, list[Odd]()
        for reason, since, until, words in told:
            self._doubts.note(reason, since, until, words)
        lost = self._meter.lost
        if LOSSES < lost < MOST_LOSSES:
            words = f"{lost:.0%} of the samples are lost on the way; bring the device nearer to its receiver"
            # What was found over the last seconds began with them.
            since = float(times[0]) - (0.0 if self._doubts.lasts("losses") else RATE_LEAST_S)
            self._doubts.begin("losses", since, words)
        elif self._doubts.lasts("losses"):
            self._doubts.end("losses", float(times[0]))
        late = times[times < self._asked - LATE_S]
        if self.tells_late and len(late):
            self._late_samples += len(late)
            self._late_since_read = True
            many = f"{self._late_samples} samples came too late for their step"
            words = f"{many}; bring the device nearer, or connect it anew"
            self._doubts.begin("late-samples", float(late[0]), words)

    def read(self, cursor: int, until: float, *, early: bool = False) -> Block:
        """Return the samples from number ``cursor`` on that are not later than ``until`` (s).

        Samples that were overwritten before they were read are counted as overruns and leave a break. Whoever reads
        ``early`` asks again for that time, so that what comes until then is not late.
        """
        with self._lock:
            self._time()
            if not early:
                if not self._late_since_read and self._doubts.lasts("late-samples"):
                    self._doubts.end("late-samples", self._asked)
                self._asked, self._late_since_read = max(self._asked, until), False
            first = max(cursor, self._samples.oldest)
            self.overruns += first - cursor
            times = self._times.read(first, self._times.head)[:, 0].astype(np.float64, copy=False)
            late = np.flatnonzero(times > until)
            n = int(late[0]) if len(late) else len(times)
            samples = self._samples.read(first, first + n).astype(np.float32, copy=False)
            breaks = {b - first for b in self._breaks if first <= b < first + n}
        if first > cursor and n:
            breaks.add(0)
            if math.isfinite(self._read_until):
                lost = f"{first - cursor} samples were not read in time and are missing"
                self._doubts.note("losses", self._read_until, float(times[0]), lost)
        self._read_until = float(times[n - 1]) if n else self._read_until
        return Block(first, samples, times[:n], tuple(sorted(breaks)))

    def tail(self, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return times (n,), s, and samples (n, channels) of the newest ``seconds``, as copies; no reader notices.

        They are those that are not older than ``seconds`` before the newest one: fewer where there was a gap.
        """
        with self._lock:
            self._time()
            head = self._samples.head
            first = max(self._samples.oldest, head - max(0, math.ceil(seconds * self.rate)))
            times = self._times.read(first, head)[:, 0].astype(np.float64, copy=False)
            samples = self._samples.read(first, head).astype(np.float32, copy=False)
        since = int(np.searchsorted(times, times[-1] - seconds, side="right")) if len(times) else 0
        return times[since:], samples[since:]

    def status(self, name: str, kind: SourceKind, state: StreamState, now: float, message: str = "") -> SourceStatus:
        """Return the source's health at ``now`` (s), with what this buffer knows put into it."""
        measured = self.measured_rate
        losses = LOSSES < self._meter.lost < MOST_LOSSES
        if state == "ok" and abs(measured / self.rate - 1.0) > RATE_TOLERANCE and not losses:
            state = "wrong-rate"
            message = (
                f"declares {self.rate:g} Hz but delivers {measured:.4g} Hz; correct the device's setting or pass "
                f"{setting('rate')}"
            )
        return SourceStatus(
            name=name,
            kind=kind,
            state=state,
            age_s=now - self.newest,
            received=self.received,
            gaps=self.gaps,
            clock_jumps=self.clock_jumps,
            overruns=self.overruns,
            drift_ppm=self.drift_ppm,
            message=message,
        )
