"""What of the EEG is correlated: itself, its change, or the amplitude or entropy of one of its bands.

A row of the space (a channel, or a region with k components) has a course on the common grid. Envelope and entropy
follow from its power in a band: of every component by a causal Butterworth band-pass, summed over the k components, so
that the orientation of a region's source does not matter, then smoothed. Differential entropy is that of a Gaussian
with this power, 0.5 log(2 pi e power): Shi, Jiao & Lu, *Differential entropy feature for EEG-based vigilance
estimation*, EMBC 2013.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import butter, sos2zpk

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import BANDS_HZ, Settings
from rtaffect.observed.signal_path import GapFilter

#: A filter has settled when the slowest part of its response has fallen to this fraction.
_SETTLED = 0.01


def smoother(corner_hz: float, rate: float) -> FloatArray:
    """Return two equal one-pole low-passes (2, 6) that together let half the power pass at ``corner_hz`` Hz.

    Their response is never negative, so smoothed power is not either; a Butterworth's undershoots.
    """
    half = math.sqrt(0.5)
    middle = 1.0 - half * math.cos(2 * math.pi * corner_hz / rate)
    pole = (middle - math.sqrt(middle**2 - (1.0 - half) ** 2)) / (1.0 - half)
    return np.tile([1.0 - pole, 0.0, 0.0, 1.0, -pole, 0.0], (2, 1))


def settling_s(sos: FloatArray, rate: float) -> float:
    """Return the time, s, in which the slowest pole of second-order sections (sections, 6) has fallen to 1 %."""
    slowest = float(np.abs(sos2zpk(sos)[1]).max())
    return math.log(_SETTLED) / math.log(slowest) / rate


def differential_entropy(power: FloatArray) -> FloatArray:
    """Return the entropy, nats, of a Gaussian of ``power``, V^2, of any shape; NaN where that is zero or missing."""
    return 0.5 * np.log(2 * math.pi * math.e * np.where(power > 0, power, np.nan))


class Difference:
    """Change from each sample to the next, over (time, column); NaN where either is missing."""

    def __init__(self, columns: int) -> None:
        self._last = np.full((1, columns), np.nan)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Take the next ``samples`` (n, columns); return as many."""
        joined = np.concatenate([self._last, samples])
        self._last = joined[-1:].copy()
        return np.diff(joined, axis=0)


class BandPower:
    """Smoothed power of rows in a band.

    A missing sample withholds its row until both filters have settled, a second and more: alpha 1.2 s and delta 3.3 s
    by default, but not less than ``settings.signal.settle_s``. Nothing of the gap enters the power that is smoothed.

    Parameters
    ----------
    settings
        Band, corner of the smoothing, order of the band-pass, rate.
    rows, k
        Number of rows, and of components of each.
    """

    def __init__(self, settings: Settings, rows: int, k: int) -> None:
        signal, chosen = settings.signal, settings.synchrony
        rate = signal.rate_hz
        band = butter(signal.order, BANDS_HZ[chosen.band], "bandpass", fs=rate, output="sos")
        smooth = smoother(chosen.envelope_hz, rate)
        first, then = settling_s(band, rate), settling_s(smooth, rate)
        self._shape = rows, k
        self._band = GapFilter(band, rate, first, rows * k)
        self._smooth = GapFilter(smooth, rate, max(then, signal.settle_s - first), rows)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Take the next ``samples`` (n, rows * k), V; return their power (n, rows), V^2."""
        banded = self._band(samples).reshape(len(samples), *self._shape)
        return self._smooth((banded**2).sum(axis=2))


class TimeCourseSignal:
    """The signal of ``settings.synchrony.signal`` from the course of every row; any chunking gives the same output.

    The filters delay it. That is not made up for: the delay is the same for everybody, live and in the reference, so
    no correlation between people depends on it. Envelope and entropy of one component keep a ripple at twice the
    band's frequencies as far as ``envelope_hz`` lets it pass: for delta, choose one well below 2 Hz.

    Parameters
    ----------
    settings
        The signal, its band and smoothing, the grid's rate and the filters' order.
    rows
        Number of rows.
    k
        Components of each row in what comes in.

    Attributes
    ----------
    k : int
        Components of each row in what comes out: 1 for envelope and entropy, else as many as come in.
    """

    def __init__(self, settings: Settings, rows: int, k: int) -> None:
        self._kind = settings.synchrony.signal
        of_band = self._kind in ("envelope", "entropy")
        self.k = 1 if of_band else k
        self._change = BandPower(settings, rows, k) if of_band else Difference(rows * k)

    def __call__(self, second: FloatArray) -> FloatArray:
        """Take the next ``second`` (n, rows * k), V, a row's components adjacent, NaN where missing.

        Returns
        -------
        (n, rows * self.k) float64
            V for broadband (``second`` itself), difference and envelope, nats for entropy; NaN where there is none.
        """
        if self._kind == "broadband":
            return second
        changed = self._change(second)
        if self._kind == "difference":
            return changed
        return np.sqrt(changed) if self._kind == "envelope" else differential_entropy(changed)
