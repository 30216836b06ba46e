"""A sound file laid on the LSL clock: what the participant hears is known in advance, so no microphone is needed.

A film is taken for its sound, whose sample 0 is where the film begins: :mod:`rtaffect.stream.sound_reading` reads both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaffect.stream.audio import SAMPLE_RATE, read_sound, sound_sha256
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamInfo
from rtaffect.stream.status import SourceStatus, StreamState


@dataclass(slots=True)
class PlacedSound:
    """A sound (n,) at 16 kHz from ``onset`` (s, LSL clock) on, of which ``pushed`` samples are delivered."""

    samples: NDArray[np.float32]
    onset: float
    pushed: int = 0

    def count_until(self, until: float) -> int:
        """Return how many samples have times <= ``until``, judged by the very times that are delivered."""
        near = math.ceil(min(max((until - self.onset) * SAMPLE_RATE, 0.0), float(len(self.samples))))
        low, high = max(0, near - 2), min(len(self.samples), near + 2)
        return low + int(np.searchsorted(self._times(low, high), until, side="right"))

    def _times(self, start: int, stop: int) -> NDArray[np.float64]:
        return self.onset + np.arange(start, stop) / SAMPLE_RATE

    def due(self, until: float) -> NDArray[np.float64]:
        """Return the times, <= ``until``, of the samples that are not delivered yet."""
        return self._times(self.pushed, self.count_until(until))

    def push(self, times: NDArray[np.float64], buffer: SampleBuffer) -> None:
        """Deliver the samples that are :meth:`due` at these ``times``."""
        start, self.pushed = self.pushed, self.pushed + len(times)
        buffer.push(self.samples[start : self.pushed, None], times)


class SoundFileSource:
    """A whole sound at 16 kHz whose first sample lies at ``onset``.

    Nothing is delivered before the onset or after the end: there, there is no sound. The samples and times are the
    same for every pattern of :meth:`advance`.

    Parameters
    ----------
    sound
        float32 (n,), mono at 16 kHz, full scale +-1.
    name
        What the sound is called.
    onset
        Time of the first sample, s on the LSL clock. It may be set until :meth:`start`, or later if it is not known
        yet; until then nothing is delivered.
    """

    def __init__(self, sound: NDArray[np.float32], name: str, onset: float | None = None) -> None:
        if sound.ndim != 1 or sound.dtype != np.float32 or not len(sound):
            raise ValueError(f"the sound is {sound.dtype} {sound.shape}, expected float32 (n,) with n > 0")
        self.sound = sound
        self.info = StreamInfo(name, "audio", float(SAMPLE_RATE), ("mono",), "file", sound_sha256(sound))
        self.buffer = SampleBuffer(float(SAMPLE_RATE), 1)
        self._started = self._stopped = False
        self._placed: PlacedSound | None = None
        if onset is not None:
            self.onset = onset

    @classmethod
    def open(cls, path: Path, onset: float | None = None) -> SoundFileSource:
        """Return the source of the sound file at ``path``; raises SoundError if it cannot be read."""
        sound, _ = read_sound(path)
        return cls(sound, path.name, onset)

    @property
    def duration_s(self) -> float:
        """Length of the sound, s."""
        return len(self.sound) / SAMPLE_RATE

    @property
    def onset(self) -> float | None:
        """Time of the first sample, s on the LSL clock; None while it is not decided."""
        return self._placed.onset if self._placed else None

    @onset.setter
    def onset(self, onset: float) -> None:
        if self._started and self._placed is not None:
            raise RuntimeError(f"the onset of {self.info.name!r} cannot be moved to {onset}: the source has started")
        if not math.isfinite(onset):
            raise ValueError(f"the onset of {self.info.name!r} is {onset}; expected a time in s")
        self._placed = PlacedSound(self.sound, onset)

    def start(self) -> None:
        """Fix the onset, if it is known."""
        self._started = True

    def advance(self, until: float) -> None:
        """Deliver all samples whose times are <= ``until``, s."""
        if self._started and not self._stopped and self._placed is not None:
            self._placed.push(self._placed.due(until), self.buffer)

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now``, s: 'waiting' before the onset, then 'ok', then 'ended', which is no fault."""
        state: StreamState = "ok"
        onset = self.onset
        if self._stopped or (onset is not None and now >= onset + self.duration_s):
            state = "ended"
        elif onset is None or not self._started or now < onset:
            state = "waiting"
        message = "when it begins is not known yet" if onset is None and not self._stopped else ""
        return self.buffer.status(self.info.name, "audio", state, now, message)

    def stop(self) -> None:
        """Deliver nothing more; may be called twice."""
        self._stopped = True
