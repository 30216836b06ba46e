"""Lets the participant hear a sound that starts at a wanted time on the LSL clock."""

from __future__ import annotations

import math
import threading
from collections import deque
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pylsl import local_clock

from rtaffect.common.errors import SoundError
from rtaffect.sources.sound_card import StreamClock
from rtaffect.sources.sound_devices import choose_sound_device, opening, portaudio, release, supported_rates

PlayerState = Literal["waiting", "playing", "finished", "stopped", "lost"]

#: Silence that follows the sound, s beyond the declared latency: some hosts drop what is still in the device.
TAIL_S: Final = 0.1
#: Silence that goes first, s: the DAC times of the blocks that fill an empty device are not yet right.
SETTLE_S: Final = 0.5
#: The DAC time is the median of so many blocks; through a sound server single ones jitter by 10 ms.
MEDIAN_BLOCKS: Final = 65


def read_samples(path: Path) -> tuple[NDArray[np.float32], float]:
    """Return the samples (n, channels) of a sound file, full scale +-1, and their rate, Hz; raises SoundError."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SoundError(
            f"{path}: not a sound that can be read ({error}); expected WAV, FLAC, OGG or MP3: check the path or "
            "convert it"
        ) from error
    return samples, float(rate)


class SoundPlayer:
    """Plays a sound once on an output device and reports when it really started.

    Silence is played from :meth:`start` on, while DAC times are watched; the sound then begins at the very frame
    that leaves the converter at the wanted onset.

    Parameters
    ----------
    samples
        float32 (n,) or (n, channels), full scale +-1. One channel goes to both ears; more channels than the device
        has are averaged.
    rate
        Rate of ``samples``, Hz. A device that does not support it gets the sound resampled to its own.
    device
        Index or part of the name of the device; None takes the system's default output.

    Raises
    ------
    SoundError
        If PortAudio or the device is missing or ambiguous, or there is nothing to play.
    """

    def __init__(self, samples: NDArray[np.float32], rate: float, device: int | str | None = None) -> None:
        if samples.ndim not in (1, 2) or not samples.size:
            raise SoundError(
                f"a sound of shape {samples.shape} cannot be played; expected (n,) or (n, channels), n > 0"
            )
        self.device = choose_sound_device(device, "output")
        columns = np.asarray(samples, np.float32).reshape(len(samples), -1)
        if columns.shape[1] > self.device.outputs:
            columns = columns.mean(axis=1, keepdims=True)
        self._channels = max(columns.shape[1], min(2, self.device.outputs))
        self.rate = float(rate)
        if not supported_rates(self.device, "output", self._channels, (self.rate,)):
            columns, self.rate = soxr.resample(columns, rate, self.device.rate), self.device.rate
        self._samples = columns
        self._clock = StreamClock()
        self._origins: deque[float] = deque(maxlen=MEDIAN_BLOCKS)
        self._origin = self._origin_at_onset = self._onset = self.actual_onset = math.nan
        self._written = self._played = self._tail = 0
        self.underflows = 0
        self._begun = self._ended = self._stopping = False
        self._done = threading.Event()
        self._stream: Any = None

    @classmethod
    def open(cls, path: Path, device: int | str | None = None) -> SoundPlayer:
        """Return a player of the sound file at ``path`` with its own rate and channels; raises SoundError."""
        samples, rate = read_samples(path)
        return cls(samples, rate, device)

    @property
    def duration_s(self) -> float:
        """Length of the sound, s."""
        return len(self._samples) / self.rate

    @property
    def lag_s(self) -> float:
        """How far the sound now lies behind even playing since ``actual_onset``, s.

        It grows with the drift of the device's clock (about 80 ms in an hour are usual) and with each underflow.
        """
        return self._origin - self._origin_at_onset if self._begun else math.nan

    @property
    def state(self) -> PlayerState:
        """Where the player stands; 'lost' when the device went away before the end."""
        if self._done.is_set():
            return "finished" if self._ended else "stopped" if self._stopping else "lost"
        return "playing" if self._begun else "waiting"

    def start(self, onset: float) -> None:
        """Open the device and let the first sample leave it at ``onset``, s on the LSL clock.

        An onset less than about a second ahead is missed: the sound then starts as soon as it can, and
        ``actual_onset`` says when. Raises SoundError if the device cannot be opened.
        """
        if self._stream is not None or self._done.is_set():
            raise RuntimeError("a SoundPlayer plays once; make a new one")
        self._onset = onset
        with opening(self.device, f"at {self.rate:g} Hz", "device", self.stop) as sd:
            self._stream = sd.OutputStream(
                samplerate=self.rate,
                device=self.device.index,
                channels=self._channels,
                dtype="float32",
                callback=self._on_block,
                finished_callback=self._done.set,
            )
            self._stream.start()

    def _on_block(self, out: NDArray[np.float32], frames: int, time_info: Any, status: Any) -> None:
        self._watch(time_info, status)
        at = 0 if self._begun else self._begin_at(frames)
        part = self._samples[self._played : self._played + frames - at]
        out[:at] = 0.0
        out[at : at + len(part)] = part
        out[at + len(part) :] = 0.0
        self._played += len(part)
        self._written += frames
        if self._played == len(self._samples):
            self._tail += frames - at - len(part)
            if self._tail >= (float(self._stream.latency) + TAIL_S) * self.rate:
                self._ended = True
                raise portaudio().CallbackStop

    def _watch(self, time_info: Any, status: Any) -> None:
        """Follow the LSL time at which frame 0 of the stream left, or would have left, the converter."""
        now = local_clock()
        self._clock.note(time_info.currentTime, now)
        self.underflows += bool(status.output_underflow)
        if time_info.outputBufferDacTime > 0:
            leaves = self._clock.to_lsl(time_info.outputBufferDacTime)
        else:
            leaves = now + float(self._stream.latency)
        self._origins.append(leaves - self._written / self.rate)
        self._origin = float(np.median(self._origins))

    def _begin_at(self, frames: int) -> int:
        """Return the frame of this block at which the sound begins; ``frames`` if it is not yet its time."""
        at, self.actual_onset = self._frame_of(self._onset, frames)
        if at < frames:
            self._begun, self._origin_at_onset = True, self._origin
        return at

    def _frame_of(self, onset: float, frames: int) -> tuple[int, float]:
        """Return at which frame of this block that may begin which is to at ``onset``, and when it leaves; both s, LSL.

        ``frames`` and NaN if it is not yet its time.
        """
        at = max(0, round((onset - self._origin) * self.rate) - self._written)
        if at >= frames or self._written < SETTLE_S * self.rate:
            return frames, math.nan
        return at, self._origin + (self._written + at) / self.rate

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most ``timeout`` s until the sound ended, was stopped or its device lost; return whether it was."""
        return self._done.wait(timeout)

    def stop(self) -> None:
        """Be silent at once and release the device; may be called twice."""
        self._stopping = True
        release(self._stream)
        self._stream = None
        self._done.set()
