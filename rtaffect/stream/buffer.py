"""Samples of one source with their times, between the thread that writes and the engine that reads."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import setting
from rtaffect.stream.doubt import Doubts
from rtaffect.stream.limits import check_size
from rtaffect.stream.ring import RingBuffer
from rtaffect.stream.status import SourceStatus, StreamState
from rtaffect.stream.timebase import Timebase

#: Timestamps are compared with the declared rate once they go on evenly for this long, s.
RATE_LEAST_S = 5.0
#: A delivered rate this far from the declared one (fraction) is a wrong declaration, not drift.
RATE_TOLERANCE = 0.1


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


class SampleBuffer:
    """One source's newest samples and times: one writer, one reader, a lock between them.

    Parameters
    ----------
    rate
        Nominal rate, Hz.
    channels
        Values per sample.
    seconds
        How much is kept; a reader that falls further behind loses samples, which is counted.

    Attributes
    ----------
    doubts : Doubts
        Times whose samples may not be relied on, s on the LSL clock: told by whoever notices.
    """

    def __init__(self, rate: float, channels: int, seconds: float = 30.0) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"a sample buffer needs a regular rate in Hz, not {rate}")
        # Again, for what comes by another way than the door: memory is taken here.
        check_size("to be kept", channels, rate)
        capacity = max(1, math.ceil(seconds * rate))
        self.rate = rate
        self._samples = RingBuffer(capacity, channels, np.float32)
        self._times = RingBuffer(capacity, 1, np.float64)
        self._timebase = Timebase(rate)
        self._breaks: deque[int] = deque(maxlen=1024)
        self._lock = threading.Lock()
        self.doubts = Doubts()
        self.gaps = 0
        self.clock_jumps = 0
        self.overruns = 0

    @property
    def received(self) -> int:
        """Samples written since the start."""
        return self._samples.head

    @property
    def newest(self) -> float:
        """Time of the newest sample, s; NaN before the first."""
        with self._lock:
            head = self._times.head
            return float(self._times.read(head - 1, head)[0, 0]) if head else math.nan

    @property
    def drift_ppm(self) -> float:
        """Device clock against the nominal rate, parts per million."""
        return self._timebase.drift_ppm

    @property
    def measured_rate(self) -> float:
        """Samples per second by the timestamps, Hz; NaN in the first seconds of a segment."""
        with self._lock:
            if self._timebase.count < RATE_LEAST_S * self.rate:
                return math.nan
            return self.rate / (1.0 + self._timebase.drift_ppm * 1e-6)

    def begin_segment(self) -> None:
        """Let the next sample start a new segment: the device came back, or its clock was reset."""
        with self._lock:
            self._timebase.begin_segment()

    def push(self, samples: NDArray[np.floating], stamps: NDArray[np.float64]) -> None:
        """Write ``samples`` (n, channels) taken at ``stamps`` (n,), s on the LSL clock, jittered as they come."""
        if len(samples) != len(stamps):
            raise ValueError(f"{len(samples)} samples with {len(stamps)} timestamps")
        if not len(stamps):
            return
        with self._lock:
            times, breaks = self._timebase.update(np.asarray(stamps, np.float64))
            self._samples.append(np.asarray(samples, np.float32))
            self._times.append(times[:, None])
            for sample, jump_s in breaks:
                self._breaks.append(sample)
                self.gaps += jump_s > 0
                self.clock_jumps += jump_s < 0

    def read(self, cursor: int, until: float) -> Block:
        """Return the samples from number ``cursor`` on that are not later than ``until`` (s).

        Samples that were overwritten before they were read are counted as overruns and leave a break.
        """
        with self._lock:
            first = max(cursor, self._samples.oldest)
            self.overruns += first - cursor
            times = self._times.read(first, self._times.head)[:, 0].astype(np.float64, copy=False)
            late = np.flatnonzero(times > until)
            n = int(late[0]) if len(late) else len(times)
            samples = self._samples.read(first, first + n).astype(np.float32, copy=False)
            breaks = {b - first for b in self._breaks if first <= b < first + n}
        if first > cursor and n:
            breaks.add(0)
        return Block(first, samples, times[:n], tuple(sorted(breaks)))

    def tail(self, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return times (n,), s, and samples (n, channels) of the newest ``seconds``, as copies; no reader notices.

        They are those that are not older than ``seconds`` before the newest one: fewer where there was a gap.
        """
        with self._lock:
            head = self._samples.head
            first = max(self._samples.oldest, head - max(0, math.ceil(seconds * self.rate)))
            times = self._times.read(first, head)[:, 0].astype(np.float64, copy=False)
            samples = self._samples.read(first, head).astype(np.float32, copy=False)
        since = int(np.searchsorted(times, times[-1] - seconds, side="right")) if len(times) else 0
        return times[since:], samples[since:]

    def status(self, name: str, kind: str, state: StreamState, now: float, message: str = "") -> SourceStatus:
        """Return the source's health at ``now`` (s), with what this buffer knows put into it."""
        measured = self.measured_rate
        if state == "ok" and abs(measured / self.rate - 1.0) > RATE_TOLERANCE:
            state = "wrong-rate"
            message = (
                f"declares {self.rate:g} Hz but delivers {measured:.4g} Hz; correct the device's setting or pass "
                f"{setting('rate')}"
            )
        return SourceStatus(
            name=name,
            kind="eeg" if kind == "eeg" else "audio",
            state=state,
            age_s=now - self.newest,
            received=self.received,
            gaps=self.gaps,
            clock_jumps=self.clock_jumps,
            overruns=self.overruns,
            drift_ppm=self.drift_ppm,
            message=message,
        )
