"""From a peripheral signal to a slow course of arousal, ten values a second.

Phasic electrodermal activity and breathing are the signal from .05 to 1 Hz (causal Butterworth, order 2). The heart's
rate comes from the beats of an ECG (8 to 20 Hz, squared and smoothed: the chain of Pan & Tompkins, *IEEE Trans. Biomed.
Eng.* 32:230, 1985) or of a PPG (.5 to 4 Hz), beats a minute between beats that lie .33 to 1.7 s apart and no further
than 35 % from the median; of it, too, .05 to 1 Hz is compared, so that a mere trend is no synchrony.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.signal import butter, find_peaks, sosfilt

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.body_kinds import BodyKind

#: Values of a course in a second.
COURSE_HZ: Final = 10
#: Second k of a course is known this much later, s: a heart's rate is known with the beat after it.
DELAY_S: Final = 3
#: How far back a value looks, how much of that a filter needs to settle, and how far ahead, s.
_BACK_S, _SETTLE_S, AHEAD_S = 25.0, 10.0, 1.7
_BAND_HZ: Final = (0.05, 1.0)
#: Below these rates a signal is not used, Hz.
LEAST_HZ: Final[dict[BodyKind, float]] = {"eda": 4.0, "respiration": 4.0, "ppg": 20.0, "ecg": 100.0}
#: The same value for so long is a signal that is flat, clipped or not connected, s: less than it looks ahead.
_SAME_S: Final[dict[BodyKind, float]] = {"eda": 1.6, "respiration": 1.0, "ppg": 0.5, "ecg": 0.5}
#: Skin conducts more than this where electrodes are on it, microsiemens.
_LEAST_SKIN: Final = 0.05
_MICROSIEMENS: Final = frozenset({"us", "µs", "μs", "microsiemens", "usiemens"})
#: Beats lie this far apart, s, and this share from their median at most; a rate is drawn over no longer hole, s.
_BEATS_S, _ODD, _HOLE_S = (0.33, 1.7), 0.35, 2.5


class BodyCourse:
    """Keeps the newest half minute of one signal, and gives its course second by second.

    Parameters
    ----------
    kind, unit
        What it is, and its declared unit.
    rate
        Samples per second.
    """

    def __init__(self, kind: BodyKind, rate: float, unit: str = "") -> None:
        self._kind, self._rate = kind, rate
        self._in_microsiemens = unit.strip().lower() in _MICROSIEMENS
        self._values, self._times = np.empty(0), np.empty(0)

    def take(self, values: FloatArray, times: FloatArray, end: float) -> None:
        """Take the next ``values`` (n,) at ``times`` (n,), s; what lies too far before ``end`` is forgotten."""
        self._values, self._times = np.append(self._values, values), np.append(self._times, times)
        kept = self._times > end - DELAY_S - _BACK_S - 2.0
        self._values, self._times = self._values[kept], self._times[kept]

    def second(self, end: float) -> FloatArray:
        """Return the course (10,) of the second that ends at ``end``, s; NaN where there is none."""
        nothing = np.full(COURSE_HZ, np.nan)
        if self._rate < LEAST_HZ[self._kind]:
            return nothing
        inside = (self._times > end - _BACK_S) & (self._times <= end + AHEAD_S)
        values, times = self._values[inside], self._times[inside]
        good = np.flatnonzero(self._good(values))
        if len(good) < 2:
            return nothing
        # The newest stretch without a hole, before which nothing is known.
        holes = np.flatnonzero(np.diff(times[good]) > 2.5 / self._rate)
        run = good[holes[-1] + 1 :] if len(holes) else good
        at = end + np.arange(1 - COURSE_HZ, 1) / COURSE_HZ
        course = self._course(values[run], times[run], at)
        return np.where((at >= times[run[0]] + _SETTLE_S) & (at <= times[run[-1]]), course, np.nan)

    def _good(self, values: FloatArray) -> BoolArray:
        """Return which of ``values`` (n,) are of a signal that is alive."""
        good = np.isfinite(values)
        if self._kind == "eda" and self._in_microsiemens:
            good &= np.nan_to_num(values) > _LEAST_SKIN
        if not len(values):
            return good
        changes = np.flatnonzero(np.append(True, np.diff(values) != 0))
        lengths = np.diff(np.append(changes, len(values)))
        return good & np.repeat(lengths < max(5, _SAME_S[self._kind] * self._rate), lengths)

    def _course(self, values: FloatArray, times: FloatArray, at: FloatArray) -> FloatArray:
        if self._kind in ("eda", "respiration"):
            return np.interp(at, times, _slow(values, self._rate))
        grid = at[-1] + np.arange(-round(_BACK_S * COURSE_HZ) + 1, 1) / COURSE_HZ
        rate = heart_rate(beats(values, times, self._rate, self._kind), grid)
        known = np.flatnonzero(np.isfinite(rate))
        if not len(known) or np.isnan(rate[-round(_SETTLE_S * COURSE_HZ) :]).any():
            return np.full(len(at), np.nan)
        filled = np.interp(np.arange(len(rate)), known, rate[known])
        return _slow(filled, COURSE_HZ)[-len(at) :]


def _slow(values: FloatArray, rate: float) -> FloatArray:
    """Return the part of ``values`` (n,) that is slow, but no trend."""
    high = min(_BAND_HZ[1], 0.4 * rate)
    sos = butter(2, (_BAND_HZ[0], high), "bandpass", fs=rate, output="sos")
    return np.asarray(sosfilt(sos, values - values[0]))


def beats(values: FloatArray, times: FloatArray, rate: float, kind: BodyKind) -> FloatArray:
    """Return the times of the heart's beats, s, in an ECG or PPG ``values`` (n,) at ``times`` (n,)."""
    band = (8.0, 20.0) if kind == "ecg" else (0.5, 4.0)
    shape = sosfilt(butter(2, band, "bandpass", fs=rate, output="sos"), values - np.median(values))
    if kind == "ecg":
        width = max(1, round(0.12 * rate))
        shape = np.convolve(shape**2, np.ones(width) / width)[: len(shape)]
    turn = max(1, round(2.0 * rate))
    # The usual height of a beat: one burst of noise in some seconds does not change it.
    highest = [part.max() for part in np.array_split(shape, max(1, len(shape) // turn))]
    peaks, _ = find_peaks(shape, height=0.35 * float(np.median(highest)), distance=max(1, round(0.33 * rate)))
    peaks = peaks[(peaks > 0) & (peaks < len(shape) - 1)]
    before, here, after = shape[peaks - 1], shape[peaks], shape[peaks + 1]
    # Between samples: the vertex of the parabola through three of them.
    bend = before - 2 * here + after
    return np.asarray(times[peaks] + np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1), 0) / rate)


def heart_rate(found: FloatArray, at: FloatArray) -> FloatArray:
    """Return the heart's rate, beats a minute, at ``at`` (n,), s, from the times of beats; NaN where it is not sure."""
    apart = np.diff(found)
    sure = (apart >= _BEATS_S[0]) & (apart <= _BEATS_S[1])
    if sure.sum() < 3:
        return np.full(len(at), np.nan)
    usual = float(np.median(apart[sure]))
    sure &= np.abs(apart - usual) <= _ODD * usual
    middle, rate = (found[:-1] + apart / 2)[sure], 60.0 / apart[sure]
    if len(middle) < 2:
        return np.full(len(at), np.nan)
    after = np.clip(np.searchsorted(middle, at), 1, len(middle) - 1)
    close = middle[after] - middle[after - 1] <= _HOLE_S
    inside = (at >= middle[0]) & (at <= middle[-1])
    return np.where(close & inside, np.interp(at, middle, rate), np.nan)
