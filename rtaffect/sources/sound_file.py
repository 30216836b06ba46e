"""A sound file laid on the LSL clock: what the participant hears is known in advance, so no microphone is needed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaffect.stream.audio import SAMPLE_RATE, read_sound, sound_sha256
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamInfo
from rtaffect.stream.status import SourceStatus, StreamState


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
    seconds
        How much sound the buffer keeps, s.
    """

    def __init__(
        self, sound: NDArray[np.float32], name: str, onset: float | None = None, seconds: float = 30.0
    ) -> None:
        if sound.ndim != 1 or sound.dtype != np.float32 or not len(sound):
            raise ValueError(f"the sound is {sound.dtype} {sound.shape}, expected float32 (n,) with n > 0")
        self.sound = sound
        self.info = StreamInfo(
            name=name,
            kind="audio",
            rate=float(SAMPLE_RATE),
            channels=("mono",),
            origin="file",
            source_id=sound_sha256(sound),
        )
        self.buffer = SampleBuffer(float(SAMPLE_RATE), 1, seconds)
        self._pushed = 0
        self._started = self._stopped = False
        self._onset: float | None = None
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
        return self._onset

    @onset.setter
    def onset(self, onset: float) -> None:
        if self._started and self._onset is not None:
            raise RuntimeError(f"the onset of {self.info.name!r} cannot be moved to {onset}: the source has started")
        if not math.isfinite(onset):
            raise ValueError(f"the onset of {self.info.name!r} is {onset}; expected a time in s")
        self._onset = onset

    def start(self) -> None:
        """Fix the onset, if it is known."""
        self._started = True

    def advance(self, until: float) -> None:
        """Deliver all samples whose times are <= ``until``, s."""
        if not self._started or self._stopped or self._onset is None:
            return
        stop = self._count_until(until)
        if stop > self._pushed:
            self.buffer.push(self.sound[self._pushed : stop, None], self._times(self._pushed, stop))
            self._pushed = stop

    def _times(self, start: int, stop: int) -> NDArray[np.float64]:
        assert self._onset is not None
        return self._onset + np.arange(start, stop) / SAMPLE_RATE

    def _count_until(self, until: float) -> int:
        """Return how many samples have times <= ``until``, judged by the very times that are delivered."""
        assert self._onset is not None
        near = math.ceil(min(max((until - self._onset) * SAMPLE_RATE, 0.0), float(len(self.sound))))
        low, high = max(0, near - 2), min(len(self.sound), near + 2)
        return low + int(np.searchsorted(self._times(low, high), until, side="right"))

    def status(self, now: float) -> SourceStatus:
        """Return health as of ``now``, s: 'waiting' before the onset, then 'ok', then 'ended', which is no fault."""
        state: StreamState = "ok"
        if self._stopped or (self._onset is not None and now >= self._onset + self.duration_s):
            state = "ended"
        elif self._onset is None or not self._started or now < self._onset:
            state = "waiting"
        message = "when it begins is not known yet" if self._onset is None and not self._stopped else ""
        return self.buffer.status(self.info.name, "audio", state, now, message)

    def stop(self) -> None:
        """Deliver nothing more; may be called twice."""
        self._stopped = True
