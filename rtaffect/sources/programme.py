"""The sounds that rtaffect plays in a session, one after another: what the participant hears is known in advance."""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import NDArray

from rtaffect.sources.sound_file import PlacedSound
from rtaffect.stream.audio import SAMPLE_RATE
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamInfo
from rtaffect.stream.status import SourceStatus, StreamState

#: Silence that is delivered after a sound, s: it brings out what interpolation onto the grid holds back of the sound.
TAIL_S = 0.05


class ProgrammeSource:
    """Sounds at 16 kHz, each laid on the LSL clock before it begins. Between them there is no sound, and no samples."""

    def __init__(self) -> None:
        self.info = StreamInfo("protocol", "audio", float(SAMPLE_RATE), ("mono",), "file")
        self.buffer = SampleBuffer(float(SAMPLE_RATE), 1)
        self._placed: list[PlacedSound] = []
        self._lock = threading.Lock()
        self._stopped = False

    def place(self, sound: NDArray[np.float32], onset: float) -> None:
        """Let ``sound`` (n,), full scale +-1, begin at ``onset``, s on the LSL clock; it ends what still goes on."""
        self.cut(onset)
        samples = np.concatenate([sound, np.zeros(round(TAIL_S * SAMPLE_RATE), np.float32)])
        with self._lock:
            self._placed.append(PlacedSound(samples, onset))

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
                times = each.due(until)
                if not len(times):
                    continue
                # A gap too short to be one by its length would bend the times of what follows.
                if not each.pushed and not abs(times[0] - self.buffer.newest - 1 / SAMPLE_RATE) < 0.5 / SAMPLE_RATE:
                    self.buffer.begin_segment()
                each.push(times, self.buffer)
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
