"""Where in a known sound a stretch of captured sound may lie: a search of the whole of it, to about 20 ms."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.ndimage import uniform_filter1d

from rtaffect.common.arrays import Float32Array
from rtaffect.stream.audio import SAMPLE_RATE

#: Samples from one frame to the next, and frames in a second.
HOP: Final = 320
FRAMES_PER_S: Final = SAMPLE_RATE // HOP
#: Samples in a frame; the frame ends where the next hop begins.
FRAME: Final = 1024
BANDS: Final = 16
#: Longest stretch that can be sought, frames.
LONGEST: Final = 20 * FRAMES_PER_S

_LOW_HZ, _HIGH_HZ, _WARP_HZ = 150.0, 6500.0, 200.0
#: Below this share of its mean over _LONG_FRAMES, a band's power is treated as noise.
_FLOOR = 0.01
_LONG_FRAMES = LONGEST
#: The course of a band is kept between these two lengths of its moving average, frames: 1 Hz to 20 Hz or so.
_SMOOTH_FRAMES, _SLOW_FRAMES = 2, 31
_BLOCK = 4096
#: Two places nearer than this are one, frames.
_APART = 8


def band_power(sound: Float32Array, before: Float32Array) -> Float32Array:
    """Return the power of ``sound`` (n,), 16 kHz, in bands, one frame per hop: (n // 320, 16), power per frame.

    ``before`` (704,) is the sound just before it. Bands are evenly spaced on log(f + 200 Hz) from 150 to 6500 Hz.
    """
    whole = np.concatenate([before, sound])
    frames = np.lib.stride_tricks.sliding_window_view(whole, FRAME)[::HOP]
    power = np.empty((len(frames), BANDS), np.float32)
    window, bands = np.hanning(FRAME).astype(np.float32), _bands()
    for start in range(0, len(frames), 2048):
        spectrum = rfft(frames[start : start + 2048] * window, axis=1)
        power[start : start + 2048] = (spectrum.real**2 + spectrum.imag**2) @ bands
    return power


def _bands() -> Float32Array:
    hertz = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE)[:, None]
    edges = np.geomspace(_LOW_HZ + _WARP_HZ, _HIGH_HZ + _WARP_HZ, BANDS + 1) - _WARP_HZ
    return ((hertz >= edges[:-1]) & (hertz < edges[1:])).astype(np.float32)


def band_courses(power: Float32Array) -> Float32Array:
    """Return how each band's level goes up and down: (m, 16) power, NaN where missing, to (m, 16), zero there.

    The logarithm takes any gain and colouring of loudspeaker, room and microphone out into the mean, which the
    moving average removes; what stays is of unit variance. Room noise and reverberation fill the pauses, hence the
    floor.
    """
    there = np.isfinite(power[:, :1]).astype(np.float64)
    filled = np.where(there > 0, power, 0.0).astype(np.float64)
    mean = _moving(filled, _LONG_FRAMES, there)
    floor = _FLOOR * mean + 1e-6 * filled.mean(axis=0) + 1e-20
    level = np.where(there > 0, np.log(filled + floor), 0.0)
    course = (_moving(level, _SMOOTH_FRAMES, there) - _moving(level, _SLOW_FRAMES, there)) * there
    spread = np.sqrt((course**2).sum(axis=0) / max(there.sum(), 1.0))
    return np.asarray(course / np.maximum(spread, 1e-9), np.float32)


def _moving(values: NDArray[np.float64], frames: int, there: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the moving average (m, bands) over those of ``frames`` that are there (m, 1)."""
    total = uniform_filter1d(values * there, frames, axis=0, mode="constant")
    count = uniform_filter1d(there, frames, axis=0, mode="constant")
    return np.asarray(total / np.maximum(count, 1e-9))


class SoundSearch:
    """Finds the places of a known sound that go up and down in all bands as a captured stretch does.

    Normalised cross-correlation of :func:`band_courses`, summed over bands, at all places at once by overlap-save
    (Oppenheim & Schafer, *Discrete-Time Signal Processing*, section 8.7.3) with the known sound's spectra made
    beforehand: 2 h cost some 30 MB and 30 ms a search.

    Parameters
    ----------
    stimulus
        float32 (n,), mono at 16 kHz.
    """

    def __init__(self, stimulus: Float32Array) -> None:
        time_courses = band_courses(band_power(stimulus, np.zeros(FRAME - HOP, np.float32)))
        self._places = len(time_courses) + LONGEST
        hop = _BLOCK - LONGEST
        blocks = -(-self._places // hop)
        padded = np.zeros((LONGEST + blocks * hop + LONGEST, BANDS), np.float32)
        padded[LONGEST : LONGEST + len(time_courses)] = time_courses
        self._energy = np.concatenate([[0.0], np.cumsum(np.square(padded, dtype=np.float64).sum(axis=1))])
        # (frequency, block, band), so that each frequency is one matrix product.
        self._spectra = np.empty((_BLOCK // 2 + 1, blocks, BANDS), np.complex64)
        for block in range(blocks):
            self._spectra[:, block] = rfft(padded[block * hop : block * hop + _BLOCK], axis=0)

    def find(self, time_courses: Float32Array, most: int) -> list[int]:
        """Return the stimulus's frame at which ``time_courses`` (m, 16) may begin, best first, at most ``most``.

        The frame is negative where the captured stretch begins before the stimulus.
        """
        frames = len(time_courses)
        query = rfft(time_courses, _BLOCK, axis=0).conj()[:, :, None]
        product = np.matmul(self._spectra, query)[:, :, 0]
        valid = irfft(np.ascontiguousarray(product.T), _BLOCK, axis=1)[:, : _BLOCK - LONGEST]
        # Place p of the padded stimulus is frame p - LONGEST; there, a stretch of m frames must overlap it.
        first = LONGEST - frames
        correlation = valid.ravel()[first : self._places]
        energy = self._energy[first + frames : self._places + frames] - self._energy[first : self._places]
        # A stretch that hardly goes up and down correlates by chance.
        likeness = correlation / np.sqrt(energy + 0.25 * energy.mean() + 1e-9)
        found = []
        for _ in range(most):
            best = int(np.argmax(likeness))
            if not likeness[best] > 0:
                break
            found.append(best - frames)
            likeness[max(0, best - _APART) : best + _APART + 1] = 0.0
        return found
