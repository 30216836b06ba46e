"""Sound in: any rate and number of channels to mono at 16 kHz, chunk by chunk, and sound files.

Timing of :class:`SoundResampler`: soxr's filter is linear in phase and its delay is removed: output sample j is the
sound at time j / 16000 s after the first input sample, whatever the rate. What the filter needs ahead shows only as
output that comes later: up to 40 ms at 44.1 and 48 kHz, 80 ms at 96 kHz, 115 ms at 8 kHz. The output is the same, bit
for bit, for every chunking of the input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import SoundError
from rtaffect.common.files import sha256_of
from rtaffect.stream.limits import LEAST_SOUND_RATE, MOST_RATE
from rtaffect.stream.sound_reading import open_sound

SAMPLE_RATE: Final = 16_000

_QUALITY: Final = "HQ"
_FULL_SCALE: Final = 32_767
#: A converter's delay is found with so much sound, in pieces of this length, s.
_TRIAL_S, _PIECE_S = 0.5, 0.001


class SoundResampler:
    """Streaming conversion of one sound to mono at 16 kHz. Channels are averaged first; state is kept between chunks.

    Parameters
    ----------
    rate
        Rate of the input, Hz. At 16 kHz samples pass unchanged and undelayed.
    """

    def __init__(self, rate: float) -> None:
        if not LEAST_SOUND_RATE <= rate <= MOST_RATE:
            raise SoundError(
                f"the sound's rate is {rate:g} Hz; expected {LEAST_SOUND_RATE:g} to {MOST_RATE:g} Hz: check the "
                "source's settings"
            )
        self.rate = float(rate)
        self._stream: soxr.ResampleStream | None = None
        self._flushed = False
        if self.rate != SAMPLE_RATE:
            self._stream = soxr.ResampleStream(self.rate, SAMPLE_RATE, 1, dtype="float32", quality=_QUALITY)

    def push(self, samples: NDArray[np.floating]) -> Float32Array:
        """Take the next chunk and return what has become ready.

        Parameters
        ----------
        samples
            float (n, channels) or (n,), n may be 0. Finite: a NaN would spread through the filter's memory, so gaps
            are filled before and remembered elsewhere.

        Returns
        -------
        float32 (m,), mono at 16 kHz; m is 0 while the filter waits for more.
        """
        mono = mono_of(samples)
        if self._flushed:
            raise ValueError("the resampler has been flushed; make a new one for the next sound")
        if not np.isfinite(mono).all():
            raise ValueError("the sound holds NaN or infinity: gaps must be filled before resampling")
        return mono if self._stream is None else self._run(self._stream, mono, last=False)

    def flush(self) -> Float32Array:
        """Return what the filter still holds, float32 (m,), and end the sound: no more chunks can follow."""
        if self._stream is None or self._flushed:
            self._flushed = True
            return np.empty(0, np.float32)
        self._flushed = True
        return self._run(self._stream, np.empty(0, np.float32), last=True)

    @staticmethod
    def _run(stream: soxr.ResampleStream, mono: Float32Array, *, last: bool) -> Float32Array:
        return np.asarray(stream.resample_chunk(mono, last=last), dtype=np.float32)


@cache
def converter_delay_s(rate: float) -> float:
    """Return by how much more than its output :class:`SoundResampler` has been given at most, s, at ``rate`` Hz.

    It is found by giving it silence, a millisecond at a time, which adds at most that to it; 0 at 16 kHz.
    """
    if rate == SAMPLE_RATE:
        return 0.0
    resampler, chunk = SoundResampler(rate), np.zeros(math.ceil(rate * _PIECE_S), np.float32)
    given, made, most = 0, 0, 0.0
    while given < rate * _TRIAL_S:
        given += len(chunk)
        most = max(most, given / rate - made / SAMPLE_RATE)
        made += len(resampler.push(chunk))
    return most


def mono_of(samples: NDArray[np.floating]) -> Float32Array:
    """Return the mean of the channels: (n, channels) or (n,) of any float type to float32 (n,), a fresh array."""
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] == 0):
        raise ValueError(f"the sound has shape {samples.shape}, expected (n, channels) or (n,)")
    if samples.ndim == 2:
        return np.asarray(samples.mean(axis=1, dtype=np.float32))
    return np.array(samples, dtype=np.float32, order="C")


class WholeSound(NamedTuple):
    """A sound: float32 (n,), mono at 16 kHz; the rate of its file, Hz; and what is to be known of that, a line each."""

    samples: Float32Array
    rate: float
    notes: tuple[str, ...]


def read_whole_sound(path: Path) -> WholeSound:
    """Read a whole sound, by decoding it to its end, through the same :class:`SoundResampler` as a live stream.

    Parameters
    ----------
    path
        What :func:`rtaffect.stream.sound_reading.open_sound` takes: a sound file or, with the extra ``film``, a film.

    Raises
    ------
    SoundError
        The file is missing, is not a sound, is empty, or holds NaN or infinite samples.
    """
    with open_sound(path) as file:
        resampler = SoundResampler(file.rate)
        parts = [resampler.push(block) for block in file.blocks()]
        sound = np.concatenate([*parts, resampler.flush()])
        if not len(sound):
            raise SoundError(f"{path}: the sound is empty; expected at least one sample: export it again")
        return WholeSound(sound, file.rate, tuple(file.notes))


def read_sound(path: Path) -> tuple[Float32Array, float]:
    """Return the samples and the rate of :func:`read_whole_sound`, which see."""
    return read_whole_sound(path)[:2]


def sound_sha256(sound: Float32Array) -> str:
    """Return the hash that identifies a stimulus, whatever container it came in.

    Parameters
    ----------
    sound
        float32 (n,), mono at 16 kHz, within -1..1 (clipped beyond). It is quantised to 16 bits, so that rounding in
        decoders mostly does not change the hash; a lossy copy of a sound is another stimulus.

    Returns
    -------
    64 hexadecimal digits: SHA-256 of the samples as little-endian int16.
    """
    quantised = np.rint(np.clip(sound, -1.0, 1.0) * np.float32(_FULL_SCALE)).astype("<i2")
    return sha256_of(quantised.tobytes())


@dataclass(frozen=True)
class StudySound:
    """One sound of a study: ``samples`` (n,) float32, mono at 16 kHz; ``fit`` whether weights may be fitted on it."""

    name: str
    samples: Float32Array
    fit: bool

    @cached_property
    def sha256(self) -> str:
        """What identifies the sound."""
        return sound_sha256(self.samples)

    @property
    def seconds(self) -> int:
        """Whole seconds."""
        return len(self.samples) // SAMPLE_RATE
