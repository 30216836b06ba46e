"""Level and short spectrogram of the sound, from its newest samples. No Qt.

Levels are dB re full scale: a sine that fills it is at 0 dB (AES17), which is 3.01 dB above plain root mean square. n
samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray

#: Shown time, s; a column of the spectrogram stands for this long, and is of twice that.
SECONDS, HOP_S = 10.0, 0.05
COLUMNS = round(SECONDS / HOP_S)
#: Bands, evenly spaced in log frequency between these, Hz.
BANDS, LOWEST_HZ, HIGHEST_HZ = 64, 80.0, 8000.0
#: What is quieter counts as silence, dB.
FLOOR_DB = -100.0
#: The meter's mean is over this long, and the peak is held for this long, s.
METER_S, HOLD_S = 0.3, 2.0
#: Meters run over these levels, dB.
METER_DB = (-60.0, 0.0)
#: A level below this is as good as silence: the microphone may be off, dB.
QUIET_DB = -55.0
#: From here on samples count as clipped.
CLIPPED = 0.999
#: A column needs this part of its samples.
_LEAST_PRESENT = 0.9


@dataclass(frozen=True, slots=True)
class SoundLevel:
    """``rms_db`` now and ``peak_db`` of the last seconds, dB re full scale, NaN without samples."""

    rms_db: float = math.nan
    peak_db: float = math.nan
    clipped: bool = False

    @property
    def known(self) -> bool:
        """Whether there are samples."""
        return math.isfinite(self.rms_db)


def sound_level(times: FloatArray, samples: NDArray[np.floating], now: float) -> SoundLevel:
    """Return the level of samples (n,) or (n, channels) at ``times`` (n,), s, of which those around ``now`` count.

    The mean is over the newest ``METER_S`` of all channels; the peak, and whether sound was cut off, over ``HOLD_S`` of
    the loudest.
    """
    held = times > now - HOLD_S
    times, samples = times[held], np.asarray(samples, np.float64)[held]
    recent = samples[times >= times.max(initial=-np.inf) - METER_S]
    recent = recent[np.isfinite(recent)]
    if not recent.size:
        return SoundLevel()
    peak = float(np.nanmax(np.abs(samples)))
    return SoundLevel(_decibels(float(np.sqrt(2 * np.mean(recent**2)))), _decibels(peak), peak >= CLIPPED)


def _decibels(amplitude: float) -> float:
    return max(FLOOR_DB, 20 * math.log10(max(amplitude, 1e-9)))


def describe_level(level: SoundLevel) -> str:
    """Return the level in words."""
    if not level.known:
        return "no samples now"
    text = f"{level.rms_db:.0f} dB, peak {level.peak_db:.0f} dB".replace("-", "\N{MINUS SIGN}")
    if level.clipped:
        return f"{text}: clipped, turn it down"
    return f"{text}: next to silence" if level.rms_db < QUIET_DB else text


class SoundScope:
    """Keeps the columns of the spectrogram of a sound at ``rate``, Hz; each is computed once."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._length = max(8, round(2 * HOP_S * rate))
        self._window = np.hanning(self._length)
        self._edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
        self._columns = np.full((BANDS, COLUMNS), np.nan)
        self._newest: int | None = None

    def wanted_s(self, now: float) -> float:
        """Return of how many of the newest seconds the samples are needed at ``now``, s on the LSL clock."""
        if self._newest is None:
            return SECONDS + 4 * HOP_S
        return float(np.clip(now - self._newest * HOP_S + 4 * HOP_S, HOLD_S, SECONDS + 4 * HOP_S))

    def take(self, times: FloatArray, samples: NDArray[np.float32]) -> None:
        """Take the newest samples (n,) or (n, channels) at ``times`` (n,), s; some may have come before."""
        if not len(times):
            return
        mono = np.asarray(samples, np.float64)
        mono = mono.mean(axis=1) if mono.ndim == 2 else mono
        last = int(np.floor(times[-1] / HOP_S - 1.5))
        first = int(np.ceil(times[0] / HOP_S + 0.5)) if self._newest is None else self._newest + 1
        first = max(first, last - COLUMNS + 1)
        if last < first:
            return
        if self._newest is not None:
            for number in range(self._newest + 1, first):
                self._columns[:, number % COLUMNS] = np.nan
        for number in range(first, last + 1):
            self._columns[:, number % COLUMNS] = self._column(number, times, mono)
        self._newest = last

    def picture(self, now: float) -> FloatArray:
        """Return the spectrogram (BANDS, COLUMNS), dB, lowest band first, of the seconds before ``now``; NaN: none."""
        right = int(np.floor(now / HOP_S))
        numbers = np.arange(right - COLUMNS + 1, right + 1)
        newest = self._newest if self._newest is not None else -1
        held = (numbers <= newest) & (numbers > newest - COLUMNS)
        return np.where(held, self._columns[:, numbers % COLUMNS], np.nan)

    def _column(self, number: int, times: FloatArray, mono: FloatArray) -> FloatArray:
        """Return the bands of the column that is centred on ``(number + 0.5) * HOP_S``."""
        at = int(np.searchsorted(times, (number - 0.5) * HOP_S))
        end = int(np.searchsorted(times, (number + 1.5) * HOP_S))
        segment = mono[at : at + self._length]
        if end - at < _LEAST_PRESENT * self._length or not np.isfinite(segment).all():
            return np.full(BANDS, np.nan)
        segment = np.pad(segment, (0, self._length - len(segment)))
        power = np.abs(np.fft.rfft(segment * self._window)) ** 2 * 2 / (self._length * (self._window**2).sum())
        edges = (np.arange(len(power) + 1) - 0.5) * self.rate / self._length
        # Bands narrower than the spectrum's steps take their share of a step.
        total = np.interp(self._edges, edges, np.concatenate([[0.0], np.cumsum(power)]))
        level = 10 * np.log10(np.maximum(np.diff(total) / 0.5, 1e-10))
        return np.where(self._edges[1:] <= self.rate / 2 * 1.0001, np.maximum(level, FLOOR_DB), np.nan)
