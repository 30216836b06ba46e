"""A band of the EEG as an analytic signal, second by second."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, oaconvolve

from rtaffect.common.arrays import FloatArray

#: Length of the filter times the width of its band: its edges are then a good third of the band wide.
_LENGTH: float = 8.0


def analytic_filter(low_hz: float, high_hz: float, rate: int) -> NDArray[np.complex128]:
    """Return the taps (L,) of a filter that lets a band's positive frequencies pass alone, and doubles them.

    A windowed-sinc low-pass of half the band's width (Hamming; Oppenheim & Schafer, *Discrete-Time Signal Processing*,
    7.5), moved to the band's middle: what comes out of it is the analytic signal of the band, delayed by half of its
    length, 4 / (``high_hz`` - ``low_hz``) s, the same for everybody.
    """
    width = high_hz - low_hz
    taps = 2 * round(_LENGTH * rate / width / 2) + 1
    turn = np.exp(2j * math.pi * (low_hz + high_hz) / 2 * np.arange(taps) / rate)
    return np.asarray(2 * firwin(taps, width / 2, fs=rate) * turn)


class BandSignal:
    """Takes seconds of EEG (people, channels, rate) in order, and gives as much of the band's analytic signal.

    A sample that rests on a missing one is NaN: the filter is finite, so that it knows nothing of it afterwards.

    Parameters
    ----------
    low_hz, high_hz
        The band, Hz.
    people, channels, rate
        What comes.

    Attributes
    ----------
    memory_s : int
        How far back a sample reaches, in whole seconds.
    """

    def __init__(self, low_hz: float, high_hz: float, people: int, channels: int, rate: int) -> None:
        self._taps = analytic_filter(low_hz, high_hz, rate)[None, None]
        self.memory_s = math.ceil(self._taps.size / rate)
        self._kept = np.full((people, channels, self._taps.size - 1), np.nan)

    def __call__(self, second: FloatArray) -> NDArray[np.complex128]:
        """Take the next second (people, channels, rate), V, NaN where missing; return (people, channels, rate), V."""
        joined = np.concatenate([self._kept, second], axis=-1)
        self._kept = joined[..., -self._kept.shape[-1] :].copy()
        there = np.isfinite(joined)
        banded = oaconvolve(np.where(there, joined, 0.0), self._taps, mode="valid", axes=-1)
        gone = np.cumsum(np.concatenate([np.zeros((*there.shape[:2], 1), np.int64), ~there], axis=-1), axis=-1)
        whole = gone[..., self._taps.size :] == gone[..., : -self._taps.size]
        return np.asarray(np.where(whole, banded, np.nan + 0j))
