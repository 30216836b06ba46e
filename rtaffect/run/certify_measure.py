"""What a timing certificate computes: delays of clicks, their spread and drift. Pure functions of arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.signal import correlate
from scipy.stats import theilslopes

from rtaffect.common.arrays import FloatArray

#: A click is one if its samples correlate with those expected by at least so much.
LEAST_LIKENESS: Final = 0.7
#: A pattern of clicks is there if loudness correlates so much.
LEAST_PATTERN: Final = 0.4
#: Samples to each side that the place between two of them is interpolated from, and how often it is refined.
_NEIGHBOURS, _TURNS = 4, 3
#: Samples of a click below this part of its peak say nothing of it.
_FAINT: Final = 0.01
#: Milliseconds in an hour for each part per million.
MS_PER_HOUR_PER_PPM: Final = 3.6
_MS_PER_HOUR: Final = 3.6e6


def delay_of(heard: FloatArray, expected: FloatArray, rate: float) -> float:
    """Return by how much a click in ``heard`` (n,) comes later than in ``expected`` (n + 2 m,), s.

    Both are evenly sampled at ``rate`` Hz, ``expected`` from m samples before ``heard`` on. After the lag of the
    greatest covariance the place between samples is that of least squares, on a spline of degree 5. NaN where samples
    are missing, where no click is alike, and at the last lags.
    """
    most = (len(expected) - len(heard)) // 2
    if not (np.isfinite(heard).all() and np.isfinite(expected).all()) or not heard.any() or most <= _NEIGHBOURS:
        return math.nan
    heard = heard - heard.mean()
    covariance = correlate(expected, heard, "valid")
    peak = int(np.argmax(np.abs(covariance)))
    if not _NEIGHBOURS <= peak < len(covariance) - _NEIGHBOURS:
        return math.nan
    if _likeness(heard, expected[peak : peak + len(heard)]) < LEAST_LIKENESS:
        return math.nan
    return (most - peak - _place(heard, expected[peak - _NEIGHBOURS : peak + len(heard) + _NEIGHBOURS])) / rate


def gross_delay(heard: FloatArray, expected: FloatArray, most: int) -> float:
    """Return by how many samples the loudness ``heard`` (n,) is later than ``expected`` (n,), at most ``most``.

    For clicks that are nowhere near their time: their irregular pattern tells. NaN where it is not there.
    """
    known = np.where(np.isfinite(heard), heard, 0.0)
    a, b = known - known.mean(), expected - expected.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    if scale == 0:
        return math.nan
    alike = correlate(a, b, "full")[len(b) - 1 - most : len(b) + most] / scale
    best = int(np.argmax(alike))
    return float(best - most) if alike[best] > LEAST_PATTERN else math.nan


def _place(heard: FloatArray, expected: FloatArray) -> float:
    """Return at which place between samples ``expected`` (n + 2 * _NEIGHBOURS,) fits ``heard`` (n,) best, samples.

    By least squares with size and offset free: place p + b / a, where heard = a e(p) + b e'(p) + c, again and again.
    """
    curve = make_interp_spline(np.arange(len(expected)), expected, k=5)
    slope, index, place = curve.derivative(), _NEIGHBOURS + np.arange(len(heard)), 0.0
    for _ in range(_TURNS):
        at = index + place
        parts = np.stack([curve(at), slope(at), np.ones(len(at))], axis=1)
        size, moved, _ = np.linalg.lstsq(parts, heard, rcond=None)[0]
        place = float(np.clip(place + moved / size, -1.0, 1.0)) if size else math.nan
    return place


def _likeness(heard: FloatArray, expected: FloatArray) -> float:
    """Return the size of the correlation of two signals (n,) where there is anything in ``expected``."""
    there = np.abs(expected) > _FAINT * np.abs(expected).max(initial=0.0)
    a, b = heard[there], expected[there]
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return abs(float(a @ b)) / scale if scale > 0 else 0.0


def delays_in(
    series: FloatArray, expected: FloatArray, at: Sequence[int], span: tuple[int, int], most: int
) -> list[float]:
    """Return the delays, in samples, of clicks in ``series`` (n,) near samples ``at``; NaN for those not found.

    Each is looked for from ``span[0]`` before to ``span[1]`` after, and up to ``most`` samples displaced, against
    ``expected`` (n,).
    """
    found = []
    for place in at:
        first, stop = place - span[0], place + span[1]
        if first - most < 0 or stop + most > min(len(series), len(expected)):
            found.append(math.nan)
        else:
            found.append(delay_of(series[first:stop], expected[first - most : stop + most], 1.0))
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """What many values are like, NaN left out: how many, median, 99th percentile, least, greatest; NaN without any."""

    count: int
    median: float
    p99: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float] | FloatArray) -> Self:
        """Return that of ``values`` (n,)."""
        known = np.asarray(values, np.float64)
        known = known[np.isfinite(known)]
        if not len(known):
            return cls(0, math.nan, math.nan, math.nan, math.nan)
        median, p99 = np.percentile(known, [50, 99])
        return cls(len(known), float(median), float(p99), float(known.min()), float(known.max()))


@dataclass(frozen=True, slots=True)
class Offsets:
    """How the sound lies against the EEG, ms, positive where the sound comes later.

    Attributes
    ----------
    expected, found
        Clicks that there should be in both, and those found in both.
    median
        Of all.
    p99_abs
        99 % of them are no further from none.
    jitter_sd
        Standard deviation of what is left without the drift.
    """

    expected: int
    found: int
    median: float
    p99_abs: float
    jitter_sd: float
    least: float
    most: float

    @property
    def missing(self) -> int:
        """Clicks that were not found in both."""
        return self.expected - self.found

    @classmethod
    def of(cls, offsets: FloatArray, times: FloatArray) -> Self:
        """Return that of ``offsets`` (n,), s, at ``times`` (n,), s; NaN for a click that was not found."""
        ms = 1e3 * np.asarray(offsets, np.float64)
        known = np.isfinite(ms)
        spread = Spread.of(ms)
        line = Drift.of(offsets, times)
        left = ms[known] - (line.ms_per_hour * times[known] / 3600 if math.isfinite(line.ms_per_hour) else 0.0)
        sd = float(left.std(ddof=1)) if known.sum() > 1 else math.nan
        return cls(len(ms), spread.count, spread.median, Spread.of(np.abs(ms)).p99, sd, spread.least, spread.most)


@dataclass(frozen=True, slots=True)
class Drift:
    """How offsets grow, ms per hour, with its 95 % interval; NaN where too few are known."""

    ms_per_hour: float
    low: float
    high: float

    @classmethod
    def of(cls, offsets: FloatArray, times: FloatArray) -> Self:
        """Return the median slope of all pairs (Theil and Sen) of ``offsets`` (n,) at ``times`` (n,), both s."""
        known = np.isfinite(offsets) & np.isfinite(times)
        if known.sum() < 3:
            return cls(math.nan, math.nan, math.nan)
        # Half a thousand points leave 125,000 pairs: more take memory and tell nothing new.
        places = np.flatnonzero(known)
        places = places[:: max(1, len(places) // 500)]
        slope, _, low, high = theilslopes(offsets[places], times[places], 0.95)
        return cls(float(slope) * _MS_PER_HOUR, float(low) * _MS_PER_HOUR, float(high) * _MS_PER_HOUR)


def without_jumps(values: FloatArray, most: float) -> FloatArray:
    """Return ``values`` (n,) from 0 on with those changes left out that are larger than ``most``, as after a break."""
    changes = np.diff(np.asarray(values, np.float64))
    return np.concatenate([[0.0], np.cumsum(np.where(np.abs(changes) <= most, changes, 0.0))])[: len(values)]


@dataclass(frozen=True, slots=True)
class Aim:
    """Something that was aimed at: ``found`` is at most ``limit`` where it is met, both in ``unit``.

    What could not be measured, which is NaN, is not met.
    """

    name: str
    limit: float
    found: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.found <= self.limit

    @property
    def line(self) -> str:
        """It in words, for the terminal."""
        unit = f" {self.unit}" if self.unit else ""
        found = f"{self.found:.{2 if unit else 0}f}{unit}" if math.isfinite(self.found) else "not measured"
        return f"{'met   ' if self.met else 'MISSED'}  {self.name}: {found} (at most {self.limit:g}{unit})"
