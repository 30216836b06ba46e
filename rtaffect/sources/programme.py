"""The sounds that rtaffect plays in a session, one after another: what the participant hears is known in advance."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaffect.stream.audio import SAMPLE_RATE
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamInfo
from rtaffect.stream.status import SourceStatus, StreamState

#: Silence that is delivered after a sound, s: it brings out what interpolation onto the grid holds back of the sound.
TAIL_S = 0.05


@dataclass(slots=True)
class _Placed:
    """A sound and its silence (n,) from ``onset`` (s, LSL clock) on, of which ``pushed`` samples are delivered."""

    samples: NDArray[np.float32]
    onset: float
    pushed: int = 0

    def count_until(self, until: float) -> int:
        """Return how many samples have times <= ``until``, judged by the very times that are delivered."""
        near = math.ceil(min(max((until - self.onset) * SAMPLE_RATE, 0.0), float(len(self.samples))))
        low, high = max(0, near - 2), min(len(self.samples), near + 2)
        return low + int(np.searchsorted(self.times(low, high), until, side="right"))

    def times(self, start: int, stop: int) -> NDArray[np.float64]:
        return self.onset + np.arange(start, stop) / SAMPLE_RATE


class ProgrammeSource:
    """Sounds at 16 kHz, each laid on the LSL clock before it begins. Between them there is no sound, and no samples.

    Parameters
    ----------
    name
        What it is called.
    seconds
        How much sound the buffer keeps, s.
    """

    def __init__(self, name: str = "protocol", seconds: float = 30.0) -> None:
        self.info = StreamInfo(name=name, kind="audio", rate=float(SAMPLE_RATE), channels=("mono",), origin="file")
        self.buffer = SampleBuffer(float(SAMPLE_RATE), 1, seconds)
        self._placed: list[_Placed] = []
        self._lock = threading.Lock()
        self._stopped = False

    def place(self, sound: NDArray[np.float32], onset: float) -> None:
        """Let ``sound`` (n,), full scale +-1, begin at ``onset``, s on the LSL clock; it ends what still goes on."""
        self.cut(onset)
        samples = np.concatenate([sound, np.zeros(round(TAIL_S * SAMPLE_RATE), np.float32)])
        with self._lock:
            self._placed.append(_Placed(samples, onset))

    def cut(self, at: float) -> None:
        """End what would go on at or after ``at``, s on the LSL clock, as far as it is not delivered yet."""
        with self._lock:
            for each in self._placed:
                left = each.count_until(np.nextafter(at, -math.inf))
                each.samples = each.samples[: max(each.pushed, left)]
            self._placed = [each for each in self._placed if each.pushed < len(each.samples)]

    def start(self) -> None:
        """Nothing to begin."""

    def advance(self, until: float) -> None:
        """Deliver all samples whose times are <= ``until``, s."""
        if self._stopped:
            return
        with self._lock:
            for each in self._placed:
                stop = each.count_until(until)
                if stop <= each.pushed:
                    continue
                times = each.times(each.pushed, stop)
                # A gap too short to be one by its length would bend the times of what follows.
                if not each.pushed and not abs(times[0] - self.buffer.newest - 1 / SAMPLE_RATE) < 0.5 / SAMPLE_RATE:
                    self.buffer.begin_segment()
                self.buffer.push(each.samples[each.pushed : stop, None], times)
                each.pushed = stop
            self._placed = [each for each in self._placed if each.pushed < len(each.samples)]

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now``, s: 'ok' while a sound is on, else 'waiting', which is no fault."""
        with self._lock:
            on = any(each.onset <= now for each in self._placed)
        state: StreamState = "ended" if self._stopped else "ok" if on else "waiting"
        message = "" if on or self._stopped else "no sound is played now"
        return self.buffer.status(self.info.name, "audio", state, now, message)

    def stop(self) -> None:
        """Deliver nothing more; may be called twice."""
        self._stopped = True
