"""Observed synchrony of EEG in memory, as the engine of a live session observes it."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rtaffect.common.arrays import FloatArray
from rtaffect.common.clock import InstantClock
from rtaffect.common.errors import SettingsError
from rtaffect.common.montage import common_rows
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.reasons import NO_SOUND
from rtaffect.engine.session import Session
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo, volts_per


@dataclass(frozen=True, slots=True, eq=False)
class ObservedSynchrony:
    """Observed synchrony of P people in W windows, one a second, for R channels: correlations, NaN where there is none.

    Attributes
    ----------
    seconds : (W,) float64
        End of each window, s after the first sample.
    rows : tuple of str, length R
        Names of the channels.
    each : (W, P, R) float64
        Each person with the mean of the others, or with each of them if the settings say pairwise.
    mean : (W, R) float64
        Mean over people, by Fisher z.
    null_low, null_high : (W, R) float64
        The null band of ``mean``: what it would be if the time lock were broken.
    overall, overall_low, overall_high : (W,) float64
        Mean over channels, by Fisher z, and its null band.
    reasons : tuple of str, length W
        Why values are absent or doubtful, in words; empty where none are.
    """

    seconds: FloatArray
    rows: tuple[str, ...]
    each: FloatArray
    mean: FloatArray
    null_low: FloatArray
    null_high: FloatArray
    overall: FloatArray
    overall_low: FloatArray
    overall_high: FloatArray
    reasons: tuple[str, ...]


def observed_synchrony(
    eeg: ArrayLike,
    rate: float,
    *,
    channels: Sequence[str] | None = None,
    unit: str = "V",
    settings: Settings | None = None,
) -> ObservedSynchrony:
    """Return the observed synchrony of people whose EEG was recorded at the same time, or to the same sound.

    The recordings go through the engine as headsets would: causal filters, common grid, judgement of channels,
    correlation in the window, null band from windows displaced in time (see :mod:`rtaffect.observed.synchrony`).

    Parameters
    ----------
    eeg
        (people, time, channels), unfiltered, NaN where missing; at least two people.
    rate
        Samples per second, Hz.
    channels
        Names of the channels; those of the eyes (EOG) are regressed out of the others. Default: numbers.
    unit
        Of ``eeg``: V, mV, uV or nV.
    settings
        The analysis; default: that of rtaffect.

    Raises
    ------
    SettingsError
        If shape, rate or names cannot be right, a person has no data, or it is too short for a window.
    StreamError
        If the unit is not known.
    """
    settings = settings or Settings()
    volts = _checked(eeg, rate, settings) * volts_per(unit)
    engine = _engine(volts, float(rate), _names(channels, volts.shape[2]), settings)
    window = settings.synchrony.window_s
    steps = [f for f in Session(engine, InstantClock(0.0), [], threading.Event()) if f.step * STEP_S >= window]
    return _found(steps, engine.space.rows)


def _found(steps: Sequence[Feedback], rows: tuple[str, ...]) -> ObservedSynchrony:
    def every(name: str) -> FloatArray:
        return np.array([getattr(f, name) for f in steps])

    return ObservedSynchrony(
        seconds=every("time"),
        rows=rows,
        each=every("observed_each"),
        mean=every("observed"),
        null_low=every("null_low"),
        null_high=every("null_high"),
        overall=every("observed_mean"),
        overall_low=every("null_mean_low"),
        overall_high=every("null_mean_high"),
        # That nothing is predicted was not asked.
        reasons=tuple("; ".join(r for r in f.reason.split("; ") if r != NO_SOUND) for f in steps),
    )


def _engine(volts: FloatArray, rate: float, names: tuple[str, ...], settings: Settings) -> Engine:
    """Return what observes people (people, time, channels), V."""
    people = [
        ArraySource(StreamInfo(f"person {i + 1}", "eeg", rate, names, "memory"), samples, 0.0)
        for i, samples in enumerate(volts)
    ]
    rows = common_rows({person.info.name: names for person in people}, None)
    return Engine(people, ChannelSpace(rows, settings.signal.average_reference), settings, 0.0)


def _checked(eeg: ArrayLike, rate: float, settings: Settings) -> FloatArray:
    """Return ``eeg`` (people, time, channels) as float64; raises SettingsError if it cannot be compared."""
    try:
        samples = np.asarray(eeg)
    except ValueError:
        raise SettingsError(
            "eeg does not make one array: cut all recordings to the same length and channels, in the same order"
        ) from None
    if samples.dtype.kind not in "fiu" or samples.ndim != 3 or samples.shape[0] < 2 or not samples.shape[2]:
        raise SettingsError(
            f"eeg is {samples.dtype} {samples.shape}; expected numbers (people, time, channels) of at least 2 people"
        )
    if not (math.isfinite(rate) and rate > 0):
        raise SettingsError(f"rate = {rate} Hz; expected the samples per second, as in 250")
    window, seconds = settings.synchrony.window_s, samples.shape[1] / rate
    # The last second needs a few samples beyond it to be evaluated on the grid.
    if seconds < window + STEP_S:
        raise SettingsError(
            f"eeg lasts {seconds:.2f} s ({samples.shape[1]} samples at {rate:g} Hz); the window of {window} s needs at "
            f"least {window + STEP_S} s: give more, or check rate and the order (people, time, channels)"
        )
    empty = np.flatnonzero(~np.isfinite(samples).any(axis=(1, 2)))
    if len(empty):
        raise SettingsError(f"eeg[{empty[0]}] has no finite value: leave that person out")
    return samples.astype(np.float64)


def _names(channels: Sequence[str] | None, count: int) -> tuple[str, ...]:
    names = tuple(str(i + 1) for i in range(count)) if channels is None else tuple(channels)
    if len(names) != count or len(set(names)) != count:
        raise SettingsError(f"channels has {len(set(names))} distinct names; expected {count}, one for each in eeg")
    return names
