"""How much later than planned clicks were heard, in noise, too: pure functions of what was captured.

The clicks are those of the timing certificate, and so is what finds one (:func:`certify_measure.delay_of`). What is
new here is that they are looked for together: the mean of many is heard where one is lost in the noise of the room.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from scipy.signal import butter, correlate, sosfiltfilt

from rtaffect.common.arrays import FloatArray
from rtaffect.run.certify_clicks import CHIRP_S, HIGH_HZ, LOW_HZ, expected_sound
from rtaffect.run.certify_measure import Spread, delay_of, gross_delay
from rtaffect.stream.audio import SAMPLE_RATE

#: Clicks are looked for up to so much later than planned, and earlier, s; the next one is at least as far away.
LATEST_S: Final = 0.8
EARLIEST_S: Final = -0.2
#: Single clicks lie so near the place that most have, s, or are none.
NEAR_S: Final = 0.005
#: At least this part of the clicks has to be at one place; or the means of every other one agree within ``AGREE_S``, s.
LEAST_FOUND: Final = 2 / 3
AGREE_S: Final = 0.001
#: Fewer clicks than this tell nothing.
LEAST_CLICKS: Final = 6
#: A captured sound below this root mean square, dB against full scale, is silence.
SILENT_DB: Final = -90.0
#: The band that the clicks are heard in, Hz: what is below and above is not theirs.
_BAND_HZ: Final = (0.7 * LOW_HZ, 1.2 * HIGH_HZ)
#: A click by itself is looked for in so much around its place, s.
_AROUND_S: Final = 0.03
#: Loudness is taken in frames of so many samples, about as long as a click.
_FRAME: Final = 160
#: What a click is in that band is over so many samples from its middle.
_WHOLE: Final = 1600


@dataclass(frozen=True, slots=True)
class Heard:
    """Where clicks were heard.

    Attributes
    ----------
    latency_s
        How much later than planned: the median of single ones, or that of their mean where they are not found singly;
        NaN where they were not heard.
    low_s, high_s
        5 and 95 % of single ones; NaN where too few were found.
    clicks, found
        How many there were to be heard, and how many were found by themselves, at that place.
    why
        Why nothing can be said; '' where they were heard.
    """

    latency_s: float
    low_s: float
    high_s: float
    clicks: int
    found: int
    why: str = ""


def clicks_heard(sound: FloatArray, clicks: FloatArray) -> Heard:
    """Return where the clicks that were planned at ``clicks`` (k,), s from its start, are in ``sound`` (n,).

    ``sound`` is mono at 16 kHz, full scale +-1, NaN where nothing was captured.
    """
    pieces = _pieces(sound, clicks)
    there = np.isfinite(pieces).all(axis=1)
    if there.sum() < LEAST_CLICKS:
        return _not(len(clicks), f"of {len(clicks)} clicks {int(there.sum())} were captured; {_GAPS}")
    loud = _decibels(pieces[there])
    if loud < SILENT_DB:
        return _not(len(clicks), f"the captured sound is silent ({loud:.0f} dB against full scale); {_SILENT}")
    filtered = _filtered(pieces[there])
    place = _place_of_mean(filtered)
    near_to = place if math.isfinite(place) else _place_of_pattern(sound, clicks)
    single = _singles(filtered, near_to) if math.isfinite(near_to) else np.full(len(filtered), np.nan)
    middle = float(np.nanmedian(single)) if np.isfinite(single).any() else math.nan
    near = single[np.abs(single - middle) <= NEAR_S]
    if len(near) >= max(LEAST_CLICKS, LEAST_FOUND * len(clicks)):
        low, high = np.percentile(near, [5, 95])
        return Heard(Spread.of(near).median, float(low), float(high), len(clicks), len(near))
    halves = _place_of_mean(filtered[::2]), _place_of_mean(filtered[1::2])
    if math.isfinite(place) and abs(halves[0] - halves[1]) <= AGREE_S and abs(halves[0] - place) <= AGREE_S:
        return Heard(place, math.nan, math.nan, len(clicks), len(near))
    return _not(len(clicks), _why_not(single, len(near), len(clicks), loud), len(near))


_GAPS = "the captured sound has gaps: close other programs, or choose another device"
_SILENT = "let the device that captures hear the one that plays, and turn it up"


def _why_not(single: FloatArray, near: int, clicks: int, loud: float) -> str:
    many = int(np.isfinite(single).sum())
    if many >= LEAST_CLICKS and near < many / 2:
        low, high = np.nanpercentile(1e3 * single, [5, 95])
        return (
            f"{many} of {clicks} clicks were heard, but not at one place ({low:.0f} to {high:.0f} ms); close other "
            "programs, and use no wireless device"
        )
    return (
        f"{many} of {clicks} clicks were found in a sound of {loud:.0f} dB against full scale; turn the clicks up, "
        "bring the microphone nearer, or be quiet meanwhile"
    )


def _not(clicks: int, why: str, found: int = 0) -> Heard:
    return Heard(math.nan, math.nan, math.nan, clicks, found, why)


def _pieces(sound: FloatArray, clicks: FloatArray) -> FloatArray:
    """Return what was captured around the time of each click (k, n), NaN where that is not there."""
    first, count = round(EARLIEST_S * SAMPLE_RATE), round((LATEST_S - EARLIEST_S) * SAMPLE_RATE)
    pieces = np.full((len(clicks), count), np.nan)
    for number, click in enumerate(clicks):
        start = round(click * SAMPLE_RATE) + first
        if start >= 0 and start + count <= len(sound):
            pieces[number] = sound[start : start + count]
    return pieces


def _filtered(pieces: FloatArray) -> FloatArray:
    """Return pieces (k, n) in the clicks' band, without delay."""
    sos = butter(2, _BAND_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(sosfiltfilt(sos, pieces, axis=1))


@cache
def _whole_click() -> FloatArray:
    """Return a click whose middle is at 0 (2 * _WHOLE + 1,), in the band that clicks are heard in."""
    return np.asarray(_filtered(expected_sound(0.0, -_WHOLE, 2 * _WHOLE + 1)[None])[0])


def _expected(first: int, count: int) -> FloatArray:
    """Return samples ``first`` to ``first + count`` of a click whose middle is at 0, in the same band."""
    around, whole, out = _WHOLE, _whole_click(), np.zeros(count)
    low, high = max(first, -around), min(first + count, around + 1)
    if high > low:
        out[low - first : high - first] = whole[low + around : high + around]
    return out


def _delay(heard: FloatArray, first: int, most: int) -> float:
    """Return by how much a click in ``heard`` (n,), whose first sample is number ``first``, is later than at 0, s."""
    return delay_of(heard, _expected(first - most, len(heard) + 2 * most), SAMPLE_RATE)


def _place_of_mean(pieces: FloatArray) -> float:
    """Return where the mean of ``pieces`` (k, n) has the click, s; NaN where it has none."""
    if not len(pieces):
        return math.nan
    mean, half = pieces.mean(axis=0), round(CHIRP_S * SAMPLE_RATE)
    alike = np.abs(correlate(mean, _expected(-half, 2 * half + 1), "same", method="fft"))
    place = int(np.argmax(alike)) + round(EARLIEST_S * SAMPLE_RATE)
    return float(_singles(mean[None], place / SAMPLE_RATE)[0])


def _singles(pieces: FloatArray, place: float) -> FloatArray:
    """Return where each of ``pieces`` (k, n) has its click near ``place``, s; NaN where it has none."""
    around, middle = round(_AROUND_S * SAMPLE_RATE), round(place * SAMPLE_RATE)
    start = min(max(0, middle - round(EARLIEST_S * SAMPLE_RATE) - around), pieces.shape[1] - 2 * around)
    first = start + round(EARLIEST_S * SAMPLE_RATE)
    cut = pieces[:, start : start + 2 * around]
    return np.array([_delay(each, first - middle, around) for each in cut]) + middle / SAMPLE_RATE


def _place_of_pattern(sound: FloatArray, clicks: FloatArray) -> float:
    """Return about where the pattern of all clicks is in the loudness of ``sound`` (n,), s; NaN where it is not there.

    It is found where clicks jitter so much that their mean has none.
    """
    known = np.nan_to_num(sound)
    frames = len(known) // _FRAME
    loudness = np.abs(_filtered(known[None])[0][: frames * _FRAME]).reshape(frames, _FRAME).mean(axis=1)
    pattern = np.zeros(frames)
    at = np.round(clicks * SAMPLE_RATE / _FRAME).astype(int)
    pattern[at[at < frames]] = 1.0
    return gross_delay(loudness, pattern, round(LATEST_S * SAMPLE_RATE / _FRAME)) * _FRAME / SAMPLE_RATE


def _decibels(sound: FloatArray) -> float:
    """Return the root mean square of ``sound``, dB against full scale."""
    power = float(np.mean(np.square(sound)))
    return 10 * math.log10(power) if power > 0 else -math.inf
