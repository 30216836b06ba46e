"""How well a second of captured sound fits a place of a known one, wave against wave, and the line that this draws."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import ifft, rfft
from scipy.signal.windows import tukey

from rtaffect.common.arrays import Float32Array
from rtaffect.stream.audio import SAMPLE_RATE

Evidence = NDArray[np.float64]

#: How far to either side of the place asked for a match is looked for, stimulus samples.
REACH: Final = 1024
#: Samples from one value of the evidence to the next.
LAG: Final = 2
#: Two peaks of the evidence nearer than this are one sound and its first reflections, s.
SAME_S: Final = 0.008

#: How much of a second's end is looked at alone, s.
END_S: Final = 0.4

_END = round(END_S * SAMPLE_RATE)
_SIZE = 20_000
_LOW_HZ, _HIGH_HZ = 150.0, 7000.0


class Matcher:
    """Generalised cross-correlation of captured seconds with places of the stimulus.

    Knapp & Carter, *IEEE Trans. ASSP* 24, 1976, with the phase transform weighted by the square root of the
    stimulus's spectrum: every frequency counts, those in which the stimulus has little to be heard less. The squared
    envelope is divided by what unrelated phases give, so that chance has the exponential distribution of mean 1
    whatever the gain; a clean match of a second reaches thousands.

    Parameters
    ----------
    stimulus
        float32 (n,), mono at 16 kHz.
    """

    def __init__(self, stimulus: Float32Array) -> None:
        self._stimulus = stimulus
        hertz = np.fft.rfftfreq(_SIZE, 1 / SAMPLE_RATE)
        self._band = np.flatnonzero((hertz >= _LOW_HZ) & (hertz <= _HIGH_HZ))
        self._window = tukey(SAMPLE_RATE, 0.25).astype(np.float32)
        self._wide = tukey(SAMPLE_RATE + 2 * REACH, 0.25).astype(np.float32)

    def spectrum(self, sound: Float32Array) -> NDArray[np.complex64]:
        """Return what :meth:`evidence` needs of a captured second ``sound`` (16000,)."""
        found: NDArray[np.complex64] = rfft(sound * self._window, _SIZE)[self._band].astype(np.complex64)
        return found

    def spectra(self, sound: Float32Array) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
        """Return what :meth:`evidence` needs of a captured second ``sound`` (16000,), and of its ``END_S`` alone."""
        end = sound.copy()
        end[: SAMPLE_RATE - _END] = 0.0
        return self.spectrum(sound), self.spectrum(end)

    def share_of_end(self, place: int) -> float:
        """Return :func:`share_of_end` of the stimulus's second from sample ``place`` on."""
        return share_of_end(self._piece(place)[REACH : REACH + SAMPLE_RATE])

    def evidence(self, captured: NDArray[np.complex64], place: int) -> Evidence:
        """Return (1025,) how much speaks for the second having begun at sample ``place`` - 1024, - 1022, ..., + 1024.

        Zeros where the stimulus or the captured second is silent.
        """
        spectrum = rfft(self._piece(place) * self._wide, _SIZE)[self._band]
        weight = np.sqrt(np.abs(spectrum))
        power = float((weight**2).sum())
        cross = captured.conj() * spectrum
        strength = np.abs(cross)
        values = REACH // LAG * 2 + 1
        if not power or not strength.any():
            return np.zeros(values)
        # The band is moved to zero frequency: the envelope does not mind, and half the rate is enough.
        shifted = np.zeros(_SIZE // LAG, np.complex64)
        shifted[: len(self._band)] = weight * cross / np.maximum(strength, 1e-30)
        correlation = ifft(shifted)[:values] * len(shifted)
        return np.asarray((correlation.real**2 + correlation.imag**2) / power, np.float64)

    def _piece(self, place: int) -> Float32Array:
        """Return the stimulus from ``place`` - REACH for a second + 2 REACH, zeros where there is none."""
        start, stop = place - REACH, place + SAMPLE_RATE + REACH
        inside = self._stimulus[max(start, 0) : max(stop, 0)]
        if len(inside) == stop - start:
            return inside
        piece = np.zeros(stop - start, np.float32)
        begin = max(-start, 0)
        piece[begin : begin + len(inside)] = inside
        return piece


def share_of_end(second: Float32Array) -> float:
    """Return the part of the power of a ``second`` (16000,) in its last ``END_S``, so that .5 is an even course."""
    power = second.astype(np.float64) ** 2
    total = float(power.sum())
    return 0.5 / END_S * float(power[-_END:].sum()) / total if total else 0.0


class Peak(NamedTuple):
    """The highest of the evidence: its value, where (stimulus samples from the place asked for), and the next one."""

    value: float
    lag: int
    second: float


def peak_of(evidence: Evidence) -> Peak:
    """Return the highest value of ``evidence`` (1025,), and the highest that is not the same sound."""
    best = int(np.argmax(evidence))
    near = round(SAME_S * SAMPLE_RATE / LAG)
    elsewhere = np.concatenate([evidence[: max(0, best - near)], evidence[best + near + 1 :]])
    return Peak(float(evidence[best]), LAG * best - REACH, float(elsewhere.max()))


class OffsetLine:
    """A straight line through measured offsets: what it is now and how it drifts.

    Least squares with Huber's weights (*Robust Statistics*, 1981, section 7.8) over the last minute; the slope is
    held towards zero by a prior, so that the first seconds do not turn jitter into drift.
    """

    POINTS = 60
    #: Deviations above this count less, s.
    WILD_S = 0.5e-3
    #: (Jitter of a measurement / what is expected of drift)^2 = (.25 ms / 50 ppm)^2, s^2.
    PRIOR = 25.0

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=self.POINTS)
        self._middle = self._level = self.slope = 0.0

    def add(self, time: float, offset: float) -> None:
        """Take an ``offset`` (s) measured at ``time`` (s)."""
        self._points.append((time, offset))
        times, offsets = np.array(self._points).T
        weight = np.ones(len(times))
        for _ in range(5):
            total = weight.sum()
            self._middle = float(weight @ times / total)
            self._level = float(weight @ offsets / total)
            away = times - self._middle
            self.slope = float((weight * away) @ (offsets - self._level) / ((weight * away) @ away + self.PRIOR))
            residual = np.abs(offsets - self._level - self.slope * away)
            weight = np.minimum(1.0, self.WILD_S / np.maximum(residual, 1e-12))

    def at(self, time: float) -> float:
        """Return the offset at ``time`` (s), s."""
        return self._level + self.slope * (time - self._middle)
