"""The clicks of a timing certificate: when they are, how they sound, what they are in the EEG, and what is expected.

Each second has one click, at another place in it each time, so that no grid, block or chunk falls on it in the same way
twice. In the sound it is a short chirp, in the EEG a bell; both have their middle at the click's time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.signal import chirp

from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.settings import SignalSettings
from rtaffect.observed.signal_path import SignalPath
from rtaffect.stream.audio import SAMPLE_RATE

#: Where in its second a click may be, s: far enough from the edges to be found there when it is displaced.
EARLIEST_S, LATEST_S = 0.2, 0.8
#: The chirp: its length, s, its lowest and highest frequency, Hz, its peak against full scale.
CHIRP_S, LOW_HZ, HIGH_HZ, LOUDNESS = 0.01, 500.0, 3000.0, 0.5
#: The bell: its standard deviation, s, and its height, V; and the noise that it stands in, V.
BELL_S, HEIGHT_V, NOISE_V = 0.015, 100e-6, 0.5e-6
#: Where in its second each click is, as a part of what is between: drawn once, so that their pattern is like no part of
#: itself, and tells where it is.
_PLACES: Final = np.random.default_rng(57).random(4096)


def click_times(first: int, last: int) -> FloatArray:
    """Return the times of the clicks of seconds ``first`` to ``last`` (exclusive, 0 is the session's first), s."""
    second = np.arange(first, last)
    return second + EARLIEST_S + (LATEST_S - EARLIEST_S) * _PLACES[second % len(_PLACES)]


def click_sound(at: FloatArray) -> FloatArray:
    """Return a click (n,), full scale +-1, at times ``at`` (n,), s from its middle."""
    inside = np.abs(at) < CHIRP_S / 2
    bell = np.where(inside, np.cos(np.pi * at / CHIRP_S) ** 2, 0.0)
    wave = chirp(np.where(inside, at + CHIRP_S / 2, 0.0), LOW_HZ, CHIRP_S, HIGH_HZ)
    return np.asarray(LOUDNESS * bell * wave)


def sound_of(times: FloatArray, seconds: int, rate: float) -> Float32Array:
    """Return the sound (n, 1) of clicks at ``times``, s from its start, which lasts so many ``seconds``."""
    sound = np.zeros((round(seconds * rate), 1), np.float32)
    for time in times:
        first, stop = int(np.ceil((time - CHIRP_S / 2) * rate)), int(np.floor((time + CHIRP_S / 2) * rate)) + 1
        first, stop = max(0, first), max(0, min(len(sound), stop))
        sound[first:stop, 0] = click_sound(np.arange(first, stop) / rate - time)
    return sound


def expected_sound(time: float, first: int, count: int) -> FloatArray:
    """Return grid samples ``first`` to ``first + count`` of the sound with a click at ``time``, s on that grid.

    The way to the grid delays nothing: resampler and interpolation have no phase.
    """
    return click_sound((first + np.arange(count)) / SAMPLE_RATE - time)


def bells(times: FloatArray, at: FloatArray) -> FloatArray:
    """Return the clicks at ``times`` (k,) as they are in the EEG at ``at`` (n,), rising, both s; V."""
    values = np.zeros(len(at))
    for time in times:
        first, stop = np.searchsorted(at, [time - 6 * BELL_S, time + 6 * BELL_S])
        values[first:stop] += HEIGHT_V * np.exp(-(((at[first:stop] - time) / BELL_S) ** 2) / 2)
    return values


def eeg_of(times: FloatArray, at: FloatArray, channels: int, seed: int) -> FloatArray:
    """Return EEG (n, channels), V, at ``at`` (n,) with clicks at ``times``: the same in all channels, in own noise."""
    noise = np.random.default_rng(seed).normal(0.0, NOISE_V, (len(at), channels))
    noise += bells(times, at)[:, None]
    return noise


def expected_eeg(times: FloatArray, at: FloatArray, settings: SignalSettings, rate: float, seconds: int) -> FloatArray:
    """Return the clicks on the EEG's grid (seconds * rate_hz,): sent through the session's own filters at exact times.

    ``at`` (n,) are the times of the samples at ``rate`` Hz, s from the session's zero, and ``times`` those of the
    clicks. NaN where there is no value.
    """
    path = SignalPath(settings, rate, 1)
    grid = np.full(seconds * settings.rate_hz, np.nan)
    for first, values in path(bells(times, at)[:, None], at):
        start, stop = max(0, first), min(len(grid), first + len(values))
        if stop > start:
            grid[start:stop] = values[start - first : stop - first, 0]
    return grid
